//! fingerpost: an authoritative DNS server that routes the way Amazon Route 53 does, and says why.
//!
//! Health filters. Policy chooses. Whatever an answer depends on is an argument.
//!
//! The modules stand in the order of what they build on: each imports only from those above it.

pub mod printable;
pub mod glob;
pub mod problem;
pub mod wire;
pub mod dice;
pub mod moment;
pub mod hands;
pub mod model;
pub mod geo;
pub mod health;
pub mod policy;
pub mod snapshot;
pub mod why;
pub mod answer;
pub mod respond;
pub mod control;
pub mod zonefile;
pub mod route53;
pub mod tell;
pub mod routing_test;
pub mod config;
pub mod upstream;
pub mod io;
