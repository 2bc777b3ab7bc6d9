//! CIDR collections: named locations, each a set of client networks, for IP-based routing.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Id;
use crate::problem::At;

#[derive(Clone, Debug, PartialEq)]
pub struct CidrCollection {
    pub name: Id,
    /// Location to blocks, host bits masked. A block stands in one location only.
    pub locations: BTreeMap<Id, Vec<IpNet>>,
    pub at: At,
}
