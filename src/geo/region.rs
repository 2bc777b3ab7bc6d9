//! AWS regions and local zones: where they are.

use super::place::{Code, Coordinates};
use crate::model::Id;

/// Regions and local zones that one geography may know: our limit, so that a rank among them fits a byte.
pub const REGIONS_MAX: usize = 255;

/// A region or local zone of one geography, by number: regions first, then local zones, each by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegionId(pub u8);

impl RegionId {
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// As `eu-west-1`, or as `us-east-1-bue-1`, a local zone group.
    pub name: Id,
    pub coordinates: Coordinates,
    pub continent: Option<Code>,
    pub country: Option<Code>,
    pub subdivision: Option<Code>,
}

/// A region ends in its number, and a local zone group goes on after it: `us-east-1`, `us-east-1-bue-1`.
pub fn is_local_zone(name: &str) -> bool {
    let mut parts = name.split('-');
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    parts.by_ref().any(is_number) && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_zones_are_told_from_regions() {
        for region in ["us-east-1", "us-gov-west-1", "eusc-de-east-1", "lab", "lab-7"] {
            assert!(!is_local_zone(region), "{region}");
        }
        for zone in ["us-east-1-bue-1", "us-west-2-lax-1", "ap-northeast-1-tpe-1"] {
            assert!(is_local_zone(zone), "{zone}");
        }
    }
}
