//! A resource record set with routing, a health check or an alias target: Route 53's `ResourceRecordSet`.

use super::Id;
use crate::problem::At;
use crate::wire::name::Name;
use crate::wire::rtype::Type;

#[derive(Clone, Debug, PartialEq)]
pub struct RecordSet {
    pub name: Name,
    pub rtype: Type,
    /// `SetIdentifier`; every policy but simple requires one, unique in the group.
    pub identifier: Option<Id>,
    pub routing: Routing,
    pub health_check: Option<Id>,
    pub body: Body,
    /// Where it was said: its first line.
    pub at: At,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Record data in wire form, names not compressed.
    Values {
        ttl: u32,
        rdata: Vec<Box<[u8]>>,
    },
    Alias(AliasTarget),
}

#[derive(Clone, Debug, PartialEq)]
pub struct AliasTarget {
    pub name: Name,
    /// `HostedZoneId` as written; `$self` in zone files. A name inside the zone is a same-zone alias whatever it says.
    pub zone_id: Id,
    pub evaluate_target_health: bool,
}

impl AliasTarget {
    /// Whether this may be the id of a hosted zone: one word, which a zone file holds as it stands.
    pub fn is_zone_id(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"();\\".contains(&byte))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Routing {
    Simple,
    Weighted {
        /// Route 53 allows 0 to 255.
        weight: u8,
    },
    Failover(Role),
    Latency {
        region: Id,
    },
    Geolocation(Location),
    Geoproximity {
        point: Point,
        /// Route 53 allows -99 to 99.
        bias: i8,
    },
    /// `CidrRoutingConfig`.
    IpBased {
        collection: Id,
        location: CidrLocation,
    },
    Multivalue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Primary,
    Secondary,
}

/// The place that a geolocation record is for. Codes are upper-case ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    Default,
    Continent([u8; 2]),
    Country([u8; 2]),
    Subdivision { country: [u8; 2], subdivision: [u8; 2] },
}

/// The place that a geoproximity record stands at.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    /// `AWSRegion`, as `eu-west-1`.
    Region(Id),
    /// `LocalZoneGroup`, as `us-east-1-bue-1`.
    LocalZone(Id),
    Coordinates {
        latitude: f64,
        longitude: f64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CidrLocation {
    /// `*`: for clients in no block.
    Default,
    Named(Id),
}

impl Routing {
    /// The word for it in zone files and in `explain`.
    pub fn word(&self) -> &'static str {
        match self {
            Routing::Simple => "simple",
            Routing::Weighted { .. } => "weighted",
            Routing::Failover(_) => "failover",
            Routing::Latency { .. } => "latency",
            Routing::Geolocation(_) => "geolocation",
            Routing::Geoproximity { .. } => "geoproximity",
            Routing::IpBased { .. } => "ip-based",
            Routing::Multivalue => "multivalue",
        }
    }
}
