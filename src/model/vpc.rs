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

impl Vpc {
    /// Whether a text can be a VPC's id wherever one is written: in a dump, and among others in a zone file's comment.
    pub fn is_id(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'"' | b'\\');
        !text.is_empty() && text.bytes().all(plain)
    }
}
