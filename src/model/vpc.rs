//! VPCs: client networks with a region, who see the private zones they are associated with.

use ipnet::IpNet;

use super::Id;
use crate::problem::At;

#[derive(Clone, Debug, PartialEq)]
pub struct Vpc {
    pub id: Id,
    pub region: Option<Id>,
    pub networks: Vec<IpNet>,
    pub at: At,
}
