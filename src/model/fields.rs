//! Single fields of Route 53's model, read from text as both doors do: what a weight, a place, a coordinate may be.

use super::Id;
use super::record_set::{CidrLocation, Location, Role};

/// Why a field's text is no value for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    pub why: String,
    pub remedy: String,
}

impl BadField {
    pub fn new(why: impl Into<String>, remedy: impl Into<String>) -> BadField {
        BadField { why: why.into(), remedy: remedy.into() }
    }
}

/// Route 53's weights are 0 to 255.
pub const WEIGHT_MAX: i64 = 255;
/// Route 53's biases are -99 to 99.
pub const BIAS_MAX: i64 = 99;
/// Route 53's continents, for geolocation.
pub const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

pub fn weight(text: &str) -> Result<u8, BadField> {
    whole_number(text, 0, WEIGHT_MAX).map(|number| number as u8)
}

pub fn bias(text: &str) -> Result<i8, BadField> {
    whole_number(text, -BIAS_MAX, BIAS_MAX).map(|number| number as i8)
}

fn whole_number(text: &str, least: i64, most: i64) -> Result<i64, BadField> {
    match text.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(BadField::new(
            format!("{text:?} is not a whole number from {least} to {most}"),
            format!("write a number from {least} to {most}"),
        )),
    }
}

pub fn role(text: &str) -> Result<Role, BadField> {
    match text.to_ascii_uppercase().as_str() {
        "PRIMARY" => Ok(Role::Primary),
        "SECONDARY" => Ok(Role::Secondary),
        _ => Err(BadField::new(format!("{text:?} is neither PRIMARY nor SECONDARY"), "write PRIMARY or SECONDARY")),
    }
}

/// The place that these codes name together. An absent code is `None`; country `*` is the default location.
pub fn location(
    continent: Option<&str>,
    country: Option<&str>,
    subdivision: Option<&str>,
) -> Result<Location, BadField> {
    match (continent, country, subdivision) {
        (None, Some("*"), None) => Ok(Location::Default),
        (None, Some("*"), Some(_)) => {
            Err(BadField::new("the default location has no subdivision", "leave the subdivision out"))
        }
        (None, Some(country), None) => Ok(Location::Country(two_letters("country", country)?)),
        (None, Some(country), Some(subdivision)) => Ok(Location::Subdivision {
            country: two_letters("country", country)?,
            subdivision: two_letters("subdivision", subdivision)?,
        }),
        (Some(continent), None, None) => {
            let code = two_letters("continent", continent)?;
            if CONTINENTS.iter().any(|known| known.as_bytes() == code) {
                Ok(Location::Continent(code))
            } else {
                Err(BadField::new(
                    format!("{continent:?} is not one of Route 53's continents"),
                    format!("write one of {}", CONTINENTS.join(", ")),
                ))
            }
        }
        (Some(_), _, _) => Err(BadField::new(
            "a continent cannot stand with a country or subdivision",
            "keep the continent, or the country with its subdivision",
        )),
        (None, None, Some(_)) => Err(BadField::new(
            "a subdivision needs its country",
            "add the country, which is US for the states that Route 53 knows",
        )),
        (None, None, None) => Err(BadField::new(
            "no place is named",
            "name a continent, a country, a country and subdivision, or country * for the default",
        )),
    }
}

fn two_letters(what: &str, text: &str) -> Result<[u8; 2], BadField> {
    match *text.to_ascii_uppercase().as_bytes() {
        [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Ok([a, b]),
        _ => Err(BadField::new(
            format!("{text:?} is not a {what} code of two letters"),
            match what {
                "continent" => format!("write one of {}", CONTINENTS.join(", ")),
                "country" => "write the ISO 3166-1 code, as DE, or * for the default".to_string(),
                _ => "write the state's code, as CA".to_string(),
            },
        )),
    }
}

/// Route 53's latitude: -90 to 90, at most two decimals.
pub fn latitude(text: &str) -> Result<f64, BadField> {
    coordinate("latitude", text, 90)
}

/// Route 53's longitude: -180 to 180, at most two decimals.
pub fn longitude(text: &str) -> Result<f64, BadField> {
    coordinate("longitude", text, 180)
}

fn coordinate(what: &str, text: &str, most: u32) -> Result<f64, BadField> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = (1..=3).contains(&whole.len()) && decimals.len() <= 2 && digits(whole) && digits(decimals);
    match text.parse::<f64>() {
        Ok(value) if shaped && value.abs() <= f64::from(most) => Ok(value),
        _ => Err(BadField::new(
            format!("{text:?} is not a {what} from -{most} to {most} with at most two decimals"),
            "write degrees, as 35.68",
        )),
    }
}

/// `*` is the default location.
pub fn cidr_location(text: &str) -> CidrLocation {
    if text == "*" { CidrLocation::Default } else { CidrLocation::Named(text.into()) }
}

/// An identifier, a region: any text but none.
pub fn not_empty(text: &str) -> Result<Id, BadField> {
    if text.is_empty() { Err(BadField::new("it is empty", "write a value")) } else { Ok(text.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_ranges() {
        for (text, value) in
            [("0", Some(0)), ("255", Some(255)), ("256", None), ("-1", None), ("1.0", None), ("", None)]
        {
            assert_eq!(weight(text).ok(), value, "{text}");
        }
        for (text, value) in [("-99", Some(-99)), ("99", Some(99)), ("100", None), ("-100", None), ("x", None)] {
            assert_eq!(bias(text).ok(), value, "{text}");
        }
    }

    #[test]
    fn codes_name_places() {
        let us = *b"US";
        for (codes, place) in [
            ((None, Some("*"), None), Some(Location::Default)),
            ((None, Some("us"), None), Some(Location::Country(us))),
            ((None, Some("US"), Some("ca")), Some(Location::Subdivision { country: us, subdivision: *b"CA" })),
            ((Some("EU"), None, None), Some(Location::Continent(*b"EU"))),
            ((Some("XX"), None, None), None),
            ((Some("EU"), Some("DE"), None), None),
            ((None, Some("*"), Some("CA")), None),
            ((None, Some("DEU"), None), None),
            ((None, Some("é"), None), None),
            ((None, None, Some("CA")), None),
            ((None, None, None), None),
        ] {
            assert_eq!(location(codes.0, codes.1, codes.2).ok(), place, "{codes:?}");
        }
    }

    #[test]
    fn coordinates_are_as_route_53s_patterns() {
        for (text, value) in [
            ("90", Some(90.0)),
            ("-90.00", Some(-90.0)),
            ("+35.6", Some(35.6)),
            ("35.", Some(35.0)),
            ("90.01", None),
            ("35.681", None),
            (".5", None),
            ("nan", None),
            ("1e1", None),
            ("", None),
        ] {
            assert_eq!(latitude(text).ok(), value, "{text}");
        }
        assert_eq!(longitude("-180").ok(), Some(-180.0));
        assert!(longitude("180.5").is_err());
    }
}
