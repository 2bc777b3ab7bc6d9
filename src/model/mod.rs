//! What operators say, whichever door it came through: Route 53's model, as plain values.

pub mod cidr_collection;
pub mod fields;
pub mod health_check;
pub mod record_set;
pub mod validate;
pub mod vpc;
pub mod zone;

use std::collections::BTreeMap;

pub use cidr_collection::CidrCollection;
pub use health_check::HealthCheck;
pub use record_set::RecordSet;
pub use vpc::Vpc;
pub use zone::ZoneData;

/// An identifier that an operator chose: of a record set, a health check, a collection, a VPC.
pub type Id = Box<str>;

/// Whether Route 53's quotas hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    #[default]
    Route53,
    /// `limits = "none"`: only what the machine and the wire format bound.
    None,
}

/// All that a folder of zones says besides the zones themselves.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    pub health_checks: BTreeMap<Id, HealthCheck>,
    pub collections: BTreeMap<Id, CidrCollection>,
    pub vpcs: BTreeMap<Id, Vpc>,
}
