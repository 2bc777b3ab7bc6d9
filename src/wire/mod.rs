//! Packets: bytes to queries, answers to bytes. Only this folder touches packet bytes.

pub mod cookie;
pub mod edns;
pub mod hash;
pub mod layout;
pub mod name;
pub mod query;
pub mod rdata;
pub mod response;
pub mod rtype;
