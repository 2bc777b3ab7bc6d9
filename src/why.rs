//! The steps behind an answer. Each is made in exactly one place of the code that answers.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::geo::Place;
use crate::geo::geography::Source;
use crate::health::verdicts;
use crate::model::Id;
use crate::moment::Moment;
use crate::policy::Reason;
use crate::snapshot::access::Treatment;
use crate::wire::name::Name;
use crate::wire::rtype::{Rcode, Type};

/// One step on the way from a client and a question to an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Who the client was taken to be, and by which rule.
    Client { network: IpNet, source: IpAddr, rule: ClientRule, vpc: Option<Id> },
    /// Where that is, and which row of which file says so. Told where a policy asks.
    Place { place: Place, source: Source },
    /// The zone that answers.
    Zone { name: Name, file: Arc<str>, private: bool },
    /// The client is kept out: by this network, or because it is in none.
    Denied { source: IpAddr, rules: String, network: Option<IpNet>, treatment: Treatment },
    /// No zone here has this name.
    NoZone,
    /// The file of the zone has errors, and no earlier version of it is known.
    NotLoaded { zone: Name, file: Arc<str> },
    /// The name is delegated from here down.
    Cut { name: Name },
    /// The name doesn't exist; a wildcard answers for it.
    Wildcard { name: Name, wildcard: Name },
    /// The name is another's alias, which is asked next.
    Cname { name: Name, target: Name },
    /// Everything below a name is elsewhere.
    Dname { name: Name, target: Name },
    /// The next name lies in no zone here: the client asks on.
    LeavesHere { name: Name },
    /// The chain of names comes back to one it had, or is too long.
    ChainEnds { name: Name, length: usize },
    /// The record sets of the name and type, and the policy they are under.
    Group { name: Name, rtype: Type, policy: &'static str, members: usize },
    /// A member that isn't a candidate.
    Out { member: Id, because: Unhealthy },
    /// No member is healthy.
    NobodyHealthy,
    /// The members that answer, and why these.
    Choose {
        members: Vec<Id>,
        reason: Reason,
        /// Whom the other bias formula would have chosen.
        otherwise: Option<Id>,
    },
    /// No member is for this client.
    NobodyChosen { reason: Reason },
    /// The chosen member is an alias.
    Alias { member: Id, target: Name, evaluate_target_health: bool },
    /// An alias's target has no records of the type.
    AliasWithoutTarget { target: Name },
    /// An alias leads to a name that nobody serves here.
    Upstream { target: Name },
    /// An alias leads to a name that nobody serves here, and that has a stand-in.
    StandIn { target: Name, pattern: Id },
    /// More levels of alias than are answered.
    TooManyAliases { levels: usize },
    /// The name exists, but not with this type.
    NoData { name: Name, rtype: Type },
    /// The name doesn't exist.
    NoName { name: Name },
    /// How long resolvers may keep a set of the answer, and what says so.
    Ttl { name: Name, rtype: Type, seconds: u32, rule: TtlRule },
    /// How wide a client network fares alike: what EDNS Client Subnet calls the scope. 0 is everybody.
    Scope { network: IpNet },
    /// What goes out.
    Done { rcode: Rcode },
}

/// How the client's network was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRule {
    /// EDNS Client Subnet, from a source that is believed.
    ClientSubnet,
    /// The source address: there was no client subnet.
    Source,
    /// The source address: a client subnet from this source isn't believed.
    SourceNotBelieved,
}

/// What a TTL comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlRule {
    /// The record set's own.
    Own,
    /// That of the record set an alias led to.
    Target,
    /// The smallest of several record sets that answer together.
    Smallest,
    /// A set that a resolver gave has outlived its own (RFC 8767, 4).
    Stale,
    /// `UPSTREAM_TTL`: nobody here knows the target's own.
    Upstream,
    /// The smaller of the SOA record's TTL and its last field (RFC 2308, 5).
    Negative,
}

/// Why a member isn't a candidate.
#[derive(Clone, Debug, PartialEq)]
pub enum Unhealthy {
    Check {
        check: Id,
        since: Moment,
        /// What the verdict rests on.
        reason: verdicts::Reason,
    },
    /// An alias that evaluates its target's health, whose target has no healthy member.
    Target {
        target: Name,
        /// The checks that are unhealthy there, and since when.
        checks: Vec<(Id, Moment)>,
    },
}

/// Whoever wants to know why. The query path wants nothing, and pays nothing.
pub trait Why {
    fn step(&mut self, step: impl FnOnce() -> Step);

    /// Whether steps that take work to find are wanted.
    fn wanted(&self) -> bool;
}

/// Nobody asks.
pub struct Silent;

impl Why for Silent {
    #[inline]
    fn step(&mut self, _: impl FnOnce() -> Step) {}

    #[inline]
    fn wanted(&self) -> bool {
        false
    }
}

/// The steps in order.
impl Why for Vec<Step> {
    fn step(&mut self, step: impl FnOnce() -> Step) {
        self.push(step());
    }

    fn wanted(&self) -> bool {
        true
    }
}
