//! The rows of `places.csv`, `regions.csv` and `latency.csv`, checked.

use ipnet::IpNet;

use super::countries::{self, is_continent};
use super::csv::{Cell, File, Row};
use super::place::{Code, Coordinates, code};
use super::region::Region;
use crate::model::Id;

/// A row of `places.csv`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlaceRow {
    pub line: u32,
    pub network: IpNet,
    pub whereabouts: Whereabouts,
    pub region: Option<Id>,
}

/// What a row tells of a place, empty fields filled in from what they follow from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Whereabouts {
    pub continent: Option<Code>,
    pub country: Option<Code>,
    pub subdivision: Option<Code>,
    pub coordinates: Option<Coordinates>,
}

impl Whereabouts {
    /// A continent follows from the country, coordinates from the subdivision or the country.
    pub fn completed(self) -> Whereabouts {
        let own = |country: Code| Some(countries::country(country)?.continent);
        Whereabouts {
            continent: self.continent.or_else(|| own(self.country?)),
            coordinates: self.coordinates.or_else(|| countries::centroid(self.country?, self.subdivision)),
            ..self
        }
    }
}

/// A row of `latency.csv`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LatencyRow {
    pub line: u32,
    pub from: FromText,
    pub region: Id,
    pub milliseconds: f32,
}

/// Its first column. A bare code may be a country's and a continent's at once (AF, AS, NA, SA): it then holds for both.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FromText {
    Network(IpNet),
    Subdivision(Code, Code),
    Code { code: Code, country: bool, continent: bool },
    Region(Id),
}

pub(super) fn places(file: &mut File<'_>, bytes: &[u8]) -> Vec<PlaceRow> {
    let wanted = [
        ("network", true),
        ("continent", false),
        ("country", false),
        ("subdivision", false),
        ("latitude", false),
        ("longitude", false),
        ("region", false),
    ];
    let rows = file.rows(bytes, wanted);
    rows.iter().filter_map(|row| place(file, row)).collect()
}

fn place(file: &mut File<'_>, row: &Row<'_, 7>) -> Option<PlaceRow> {
    let [network, continent, country, subdivision, latitude, longitude, region] = row.cells;
    let network = read_network(file, row, network)?;
    let whereabouts = whereabouts(file, row, [continent, country, subdivision, latitude, longitude])?;
    let region = (!region.text.is_empty()).then(|| Id::from(region.text));
    Some(PlaceRow { line: row.line, network, whereabouts, region })
}

pub(super) fn regions(file: &mut File<'_>, bytes: &[u8]) -> Vec<(u32, Region)> {
    let wanted = [
        ("region", true),
        ("latitude", true),
        ("longitude", true),
        ("continent", false),
        ("country", false),
        ("subdivision", false),
    ];
    let rows = file.rows(bytes, wanted);
    rows.iter().filter_map(|row| Some((row.line, region(file, row)?))).collect()
}

fn region(file: &mut File<'_>, row: &Row<'_, 6>) -> Option<Region> {
    let [name, latitude, longitude, continent, country, subdivision] = row.cells;
    if name.text.is_empty() {
        file.refuse(row, name, "the region has no name".into(), "name it, as eu-west-1");
        return None;
    }
    let whereabouts = whereabouts(file, row, [continent, country, subdivision, latitude, longitude])?;
    let Some(coordinates) = whereabouts.coordinates else {
        file.refuse(row, latitude, format!("{} has no coordinates", name.text), "give its latitude and longitude");
        return None;
    };
    let Whereabouts { continent, country, subdivision, .. } = whereabouts;
    Some(Region { name: Id::from(name.text), coordinates, continent, country, subdivision })
}

pub(super) fn latencies(file: &mut File<'_>, bytes: &[u8]) -> Vec<LatencyRow> {
    let rows = file.rows(bytes, [("from", true), ("region", true), ("milliseconds", true)]);
    rows.iter().filter_map(|row| latency(file, row)).collect()
}

fn latency(file: &mut File<'_>, row: &Row<'_, 3>) -> Option<LatencyRow> {
    let [from, region, milliseconds] = row.cells;
    let from = read_from(file, row, from)?;
    if region.text.is_empty() {
        file.refuse(row, region, "the row names no region".into(), "name one, as eu-west-1");
        return None;
    }
    match milliseconds.text.parse::<f32>() {
        Ok(number) if number.is_finite() && number >= 0.0 => {
            Some(LatencyRow { line: row.line, from, region: Id::from(region.text), milliseconds: number })
        }
        _ => {
            let what = format!("{:?} is not a number of milliseconds", milliseconds.text);
            file.refuse(row, milliseconds, what, "write it as 12 or 12.5");
            None
        }
    }
}

fn read_from<const N: usize>(file: &mut File<'_>, row: &Row<'_, N>, cell: Cell<'_>) -> Option<FromText> {
    let text = cell.text;
    if text.contains('/') || text.parse::<std::net::IpAddr>().is_ok() {
        return Some(FromText::Network(read_network(file, row, cell)?));
    }
    if let Some((country, subdivision)) = text.split_once('-')
        && let (Some(country), Some(subdivision)) = (code(country), code(subdivision))
    {
        return Some(FromText::Subdivision(country, subdivision));
    }
    let (kind, short) = text.split_once(':').map_or((None, text), |(kind, short)| (Some(kind), short));
    match (kind, code(short)) {
        (Some("country"), Some(code)) => Some(FromText::Code { code, country: true, continent: false }),
        (Some("continent"), Some(code)) if is_continent(code) => {
            Some(FromText::Code { code, country: false, continent: true })
        }
        (None, Some(code)) => {
            let (country, continent) = (!is_continent(code) || countries::country(code).is_some(), is_continent(code));
            if country && continent {
                let what = format!("{text} is a country and a continent");
                let remedy = format!("write country:{text} or continent:{text}");
                file.warn(row, cell, what, "the row holds for both", &remedy);
            }
            Some(FromText::Code { code, country, continent })
        }
        (None, None) if !text.is_empty() => Some(FromText::Region(Id::from(text))),
        _ => {
            let what = format!("{text:?} is no network, state, country, continent or region");
            file.refuse(row, cell, what, "write it as 192.0.2.0/24, US-CA, DE, EU or eu-west-1");
            None
        }
    }
}

/// A network; a lone address is one too. Host bits are masked.
fn read_network<const N: usize>(file: &mut File<'_>, row: &Row<'_, N>, cell: Cell<'_>) -> Option<IpNet> {
    let network = cell.text.parse::<IpNet>().ok();
    let Some(network) = network.or_else(|| Some(IpNet::from(cell.text.parse::<std::net::IpAddr>().ok()?))) else {
        let what = format!("{:?} is not a network", cell.text);
        file.refuse(row, cell, what, "write it as 192.0.2.0/24 or 2001:db8::/32");
        return None;
    };
    let masked = network.trunc();
    if masked != network {
        let what = format!("{network} has host bits set");
        file.warn(row, cell, what, "they are masked", &format!("write {masked}"));
    }
    Some(masked)
}

/// The five columns that tell a place, in this order: continent, country, subdivision, latitude, longitude.
fn whereabouts<const N: usize>(file: &mut File<'_>, row: &Row<'_, N>, cells: [Cell<'_>; 5]) -> Option<Whereabouts> {
    let [continent, country, subdivision, latitude, longitude] = cells;
    let continent_code = read_code(file, row, continent, "continent", "AF, AN, AS, EU, NA, OC or SA")?;
    if let Some(code) = continent_code.filter(|&code| !is_continent(code)) {
        let what = format!("there is no continent {}", super::place::text(&code));
        file.refuse(row, continent, what, "write AF, AN, AS, EU, NA, OC or SA");
        return None;
    }
    let country_code = read_code(file, row, country, "country", "DE, of ISO 3166")?;
    if country_code.is_some_and(|code| countries::country(code).is_none()) {
        let what = format!("Route 53 knows no country {}", country.text);
        file.warn(row, country, what, "no geolocation record can be for it", "use a code of ISO 3166, as DE");
    }
    let subdivision_code = read_code(file, row, subdivision, "subdivision", "CA, without its country")?;
    match (country_code, subdivision_code) {
        (None, Some(_)) => {
            file.refuse(row, subdivision, "the subdivision has no country".into(), "give its country too");
            return None;
        }
        (Some(us), Some(code)) if us == *b"US" && countries::state(code).is_none() => {
            file.refuse(
                row,
                subdivision,
                format!("the USA has no state {}", subdivision.text),
                "use a postal code, as CA",
            );
            return None;
        }
        _ => {}
    }
    let coordinates = read_coordinates(file, row, latitude, longitude)?;
    let told =
        Whereabouts { continent: continent_code, country: country_code, subdivision: subdivision_code, coordinates };
    Some(told.completed())
}

/// A code or nothing; what is neither is refused.
fn read_code<const N: usize>(
    file: &mut File<'_>,
    row: &Row<'_, N>,
    cell: Cell<'_>,
    what: &str,
    like: &str,
) -> Option<Option<Code>> {
    let read = code(cell.text);
    if read.is_none() && !cell.text.is_empty() {
        file.refuse(row, cell, format!("{:?} is not the code of a {what}", cell.text), &format!("write it as {like}"));
        return None;
    }
    Some(read)
}

/// Both coordinates or none.
fn read_coordinates<const N: usize>(
    file: &mut File<'_>,
    row: &Row<'_, N>,
    latitude: Cell<'_>,
    longitude: Cell<'_>,
) -> Option<Option<Coordinates>> {
    if latitude.text.is_empty() && longitude.text.is_empty() {
        return Some(None);
    }
    let number = |cell: Cell<'_>| cell.text.parse::<f64>().ok();
    let read = number(latitude).zip(number(longitude)).and_then(|(north, east)| Coordinates::new(north, east));
    if read.is_none() {
        let what = format!("{:?}, {:?} are not coordinates", latitude.text, longitude.text);
        let cell = if number(latitude).is_some_and(|north| north.abs() <= 90.0) { longitude } else { latitude };
        file.refuse(row, cell, what, "give degrees, -90 to 90 and -180 to 180, or leave both empty");
        return None;
    }
    Some(read)
}
