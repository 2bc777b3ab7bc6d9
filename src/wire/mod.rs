//! Packets: bytes to queries, answers to bytes. Only this folder touches packet bytes.

pub mod cookie;
pub mod edns;
pub mod hash;
pub mod fragment;
pub mod freshness;
pub mod layout;
pub mod name;
pub mod proxy;
pub mod query;
pub mod query_name;
pub mod rdata;
pub mod response;
pub mod rtype;
pub mod tsig;
pub mod words;

#[cfg(test)]
mod judged_by_hickory;
