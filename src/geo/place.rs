//! Where a client is, as far as anybody knows, and how far that is from elsewhere.

use super::region::RegionId;

/// Two upper-case ASCII letters or digits: of a continent, a country or a subdivision.
pub type Code = [u8; 2];

/// A `Code` as text.
pub fn text(code: &Code) -> &str {
    std::str::from_utf8(code).unwrap_or("??")
}

/// Reads two ASCII letters or digits, in either case.
pub fn code(text: &str) -> Option<Code> {
    match text.as_bytes() {
        &[a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => {
            Some([a.to_ascii_uppercase(), b.to_ascii_uppercase()])
        }
        _ => None,
    }
}

/// A place that a geography knows, by number: the same number, the same place. Numbers run from 0 up to
/// `Geography::places`, so that a table indexed by them answers for all clients there are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PlaceId(pub u32);

impl PlaceId {
    /// Nothing is known.
    pub const UNKNOWN: PlaceId = PlaceId(0);

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Place {
    pub continent: Option<Code>,
    pub country: Option<Code>,
    pub subdivision: Option<Code>,
    pub coordinates: Option<Coordinates>,
    /// The AWS region that `places.csv` puts it in, or that a VPC is in.
    pub region: Option<RegionId>,
    /// The narrowest network of `latency.csv` around it.
    pub(super) measured: Option<u32>,
}

impl Place {
    /// Whether nothing is known of it but latencies.
    pub fn is_unknown(&self) -> bool {
        Place { measured: None, ..*self } == Place::default()
    }
}

/// Degrees. Whole, so that places compare and hash: ten-millionths of a degree, about a centimetre.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Coordinates {
    latitude: i32,
    longitude: i32,
}

const STEPS_PER_DEGREE: f64 = 1e7;

impl Coordinates {
    /// `None` outside -90 to 90 and -180 to 180.
    pub fn new(latitude: f64, longitude: f64) -> Option<Coordinates> {
        let inside = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        inside.then(|| Coordinates::known(latitude, longitude))
    }

    /// For tables in the source, whose tests see to it that they are inside.
    pub(super) const fn known(latitude: f64, longitude: f64) -> Coordinates {
        Coordinates { latitude: (latitude * STEPS_PER_DEGREE) as i32, longitude: (longitude * STEPS_PER_DEGREE) as i32 }
    }

    pub fn latitude(self) -> f64 {
        f64::from(self.latitude) / STEPS_PER_DEGREE
    }

    pub fn longitude(self) -> f64 {
        f64::from(self.longitude) / STEPS_PER_DEGREE
    }

    pub fn spot(self) -> Spot {
        let (sin_latitude, cos_latitude) = self.latitude().to_radians().sin_cos();
        let (sin_longitude, cos_longitude) = self.longitude().to_radians().sin_cos();
        Spot([cos_latitude * cos_longitude, cos_latitude * sin_longitude, sin_latitude])
    }
}

/// A point of the globe as a unit vector: distances need no trigonometry of the coordinates then.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spot([f64; 3]);

/// The Earth's mean radius (IUGG), in kilometres.
const EARTH_RADIUS: f64 = 6371.0088;

impl Spot {
    /// The square of the straight line through the globe: grows with the distance, and costs next to nothing.
    pub fn chord_squared(self, other: Spot) -> f64 {
        let [dx, dy, dz] = [0, 1, 2].map(|axis| self.0[axis] - other.0[axis]);
        dx * dx + dy * dy + dz * dz
    }

    /// The great-circle distance in kilometres. Exact for neighbours too, where an arc cosine loses its digits.
    pub fn kilometres(self, other: Spot) -> f64 {
        let half_chord = self.chord_squared(other).sqrt() / 2.0;
        2.0 * EARTH_RADIUS * half_chord.min(1.0).asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_great_circles() {
        let spot = |latitude, longitude| Coordinates::new(latitude, longitude).unwrap().spot();
        let cases = [
            ("London to Dublin", spot(51.5074, -0.1278), spot(53.3498, -6.2603), 463.3),
            ("Tokyo to Sydney", spot(35.6762, 139.6503), spot(-33.8688, 151.2093), 7825.0),
            ("over the date line", spot(0.0, 179.5), spot(0.0, -179.5), 111.2),
            ("pole to pole", spot(90.0, 0.0), spot(-90.0, 77.0), 20015.1),
            ("one metre", spot(10.0, 10.0), spot(10.000009, 10.0), 0.001),
            ("nowhere", spot(1.5, 2.5), spot(1.5, 2.5), 0.0),
        ];
        for (name, from, to, kilometres) in cases {
            let found = from.kilometres(to);
            assert!((found - kilometres).abs() < 0.001 * kilometres + 0.00001, "{name}: {found}");
        }
    }

    #[test]
    fn coordinates_stay_on_the_globe() {
        for (latitude, longitude) in [(90.1, 0.0), (-91.0, 0.0), (0.0, 180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Coordinates::new(latitude, longitude), None, "{latitude} {longitude}");
        }
        let corner = Coordinates::new(-90.0, -180.0).unwrap();
        assert_eq!((corner.latitude(), corner.longitude()), (-90.0, -180.0));
    }

    #[test]
    fn codes_are_two_letters() {
        for (written, expected) in [("de", Some(*b"DE")), ("US", Some(*b"US")), ("D", None), ("DEU", None), ("é", None)]
        {
            assert_eq!(code(written), expected, "{written}");
        }
    }
}
