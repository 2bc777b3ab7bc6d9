//! What people are told of answers: the exact odds of each, and every step that led to one.
//!
//! Both are plain data that serialise: the command line prints them, a running server sends them, tests compare them.

pub mod explain;
pub mod odds;
pub mod record;
mod steps;
mod text;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

pub use explain::{Explanation, explain, explain_unless};
pub use odds::{Odds, TooMuch, odds, odds_unless};
pub use record::Record;

use crate::answer::Client;
use crate::health::verdicts::UnknownCheck;
use crate::model::Id;
use crate::moment::Moment;
use crate::problem::nearest;
use crate::snapshot::{Snapshot, ZoneImage};
use crate::why::ClientRule;
use crate::wire::name::{LABELS_MAX, Name};
use crate::wire::query::{Query, unaskable};
use crate::wire::rtype::{Class, Type};
use crate::zonefile::{Foreign, foreign};

/// Who asks where nobody is named: this machine.
const NOBODY_NAMED: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A question, and who asks it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub name: Name,
    pub rtype: Type,
    pub from: Option<From>,
    pub vpc: Option<Id>,
    /// The address that is asked, whose access rules may be others.
    pub listener: Option<SocketAddr>,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The address a query comes from.
    Address(IpAddr),
    /// A network, as EDNS Client Subnet carries it.
    Network(IpNet),
}

/// Which health checks to take as down, and which as up, whatever is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    pub down: Vec<String>,
    pub up: Vec<String>,
}

/// Why there is no answer to tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    BadName(String),
    UnknownType(String),
    /// A type that isn't asked for records.
    NotAQuestion(Type),
    BadFrom(String),
    UnknownVpc {
        id: String,
        meant: Option<String>,
    },
    UnknownCheck(UnknownCheck),
    UpAndDown(String),
    TooMuch(TooMuch),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::BadName(what) => f.write_str(what),
            Refused::UnknownType(text) => match foreign(text) {
                Some(Foreign { why, asked_as, write, .. }) => {
                    write!(f, "{text:?} is not a record type: {why}; ask for {asked_as}, and in a zone file {write}")
                }
                None => write!(f, "{text:?} is not a record type; write a mnemonic, as AAAA, or a number, as TYPE65"),
            },
            Refused::NotAQuestion(rtype) => write!(f, "{rtype} is not a question that records answer"),
            Refused::BadFrom(text) => {
                write!(f, "{text:?} is neither an address, as 198.51.100.7, nor a network, as 198.51.100.0/24")
            }
            Refused::UnknownVpc { id, meant } => {
                write!(f, "no VPC is called {id:?}")?;
                match meant {
                    Some(meant) => write!(f, ", did you mean {meant:?}?"),
                    None => write!(f, "; zones and vpcs.toml name VPCs"),
                }
            }
            Refused::UnknownCheck(unknown) => unknown.fmt(f),
            Refused::UpAndDown(id) => write!(f, "the health check {id:?} is to be both up and down"),
            Refused::TooMuch(too_much) => too_much.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl Request {
    /// Reads a request from words: the name may omit its final dot.
    pub fn read(name: &str, rtype: &str, from: Option<&str>, vpc: Option<&str>) -> Result<Request, Refused> {
        let bad_name = |why| Refused::BadName(format!("{name:?} is not a name: {why}"));
        let name = Name::parse_absolute(name).map_err(bad_name)?.to_lowercase();
        let rtype = Type::parse(rtype).ok_or_else(|| Refused::UnknownType(rtype.to_string()))?;
        if unaskable(rtype).is_some() || matches!(rtype, Type::AXFR | Type::IXFR) {
            return Err(Refused::NotAQuestion(rtype));
        }
        let from = from.map(str::parse).transpose()?;
        Ok(Request { name, rtype, from, vpc: vpc.map(Id::from), listener: None })
    }

    fn query(&self) -> Query {
        let mut query = Query::new();
        query.name.set(self.name.wire());
        query.rtype = self.rtype;
        query.class = Class::IN;
        query
    }

    /// The zone that answers, if there is one.
    pub fn zone<'s>(&self, snapshot: &'s Snapshot) -> Result<Option<&'s ZoneImage>, Refused> {
        let client = self.client(snapshot)?;
        let mut hashes = [0; LABELS_MAX + 2];
        let name = self.query().name;
        name.hashes(&snapshot.key, &mut hashes);
        Ok(snapshot.zones.find(&name, &hashes, 0, client.vpc).map(|zone| snapshot.image(zone)))
    }

    fn client(&self, snapshot: &Snapshot) -> Result<Client, Refused> {
        let mut client = match self.from {
            None => Client::at(snapshot, NOBODY_NAMED),
            Some(From::Address(address)) => Client::at(snapshot, address),
            // Whoever sends nothing of the address wants no part in this (RFC 7871, 7.1.2).
            Some(From::Network(network)) if network.prefix_len() == 0 => Client::at(snapshot, NOBODY_NAMED),
            Some(From::Network(network)) => {
                let network = network.trunc();
                Client { network, rule: ClientRule::ClientSubnet, ..Client::at(snapshot, NOBODY_NAMED) }
            }
        };
        if let Some(access) = &snapshot.settings.access {
            client.denied = access.at_door(client.source, self.listener.as_ref());
        }
        if let Some(id) = &self.vpc {
            client.vpc = Some(snapshot.vpc_named(id).ok_or_else(|| Refused::UnknownVpc {
                id: id.to_string(),
                meant: nearest(id, snapshot.vpc_ids()).map(str::to_string),
            })?);
        }
        Ok(client)
    }
}

impl FromStr for From {
    type Err = Refused;

    fn from_str(text: &str) -> Result<From, Refused> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(From::Address(address.to_canonical()));
        }
        text.parse().map(From::Network).map_err(|_| Refused::BadFrom(text.to_string()))
    }
}

impl Forced {
    pub fn is_empty(&self) -> bool {
        self.down.is_empty() && self.up.is_empty()
    }

    /// The snapshot with these verdicts: a forced child moves the checks that count it.
    pub fn onto(&self, snapshot: &Snapshot) -> Result<Snapshot, Refused> {
        if let Some(id) = self.down.iter().find(|id| self.up.contains(id)) {
            return Err(Refused::UpAndDown(id.clone()));
        }
        let mut verdicts = (*snapshot.verdicts).clone();
        let down = self.down.iter().map(|id| (id, false));
        for (id, healthy) in down.chain(self.up.iter().map(|id| (id, true))) {
            verdicts.force(id, Some(healthy), Moment::START).map_err(Refused::UnknownCheck)?;
        }
        Ok(snapshot.with_verdicts(Arc::new(verdicts)))
    }
}

#[cfg(test)]
mod tests;
