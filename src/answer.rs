//! The data plane: who asks what, and what is the answer. RFC 1034, 4.3.2, as later RFCs amended it.
//!
//! An [`Answer`] is a list of references into the snapshot: which sets go into which section, under whose name. It is
//! kept by its worker from query to query, so that answering allocates nothing.

mod complete;
pub mod denial;
mod steer;
mod walk;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::dice::Dice;
use crate::policy::{self, Choice, MemberSet, Policy, Seen};
use crate::snapshot::Snapshot;
use crate::snapshot::access::Denied;
use crate::snapshot::image::{NodeAt, ReferralAt, SetAt};
use crate::snapshot::upstream::OutsideAt;
use crate::snapshot::zones::{VpcNumber, ZoneNumber};
use crate::why::{ClientRule, Silent, Why};
use crate::wire::hash::Hashes;
use crate::wire::name::LABELS_MAX;
use crate::wire::query::{Query, QueryName};
use crate::wire::response::Section;
use crate::wire::rtype::{Rcode, Type};

/// A chain of CNAMEs and DNAMEs is followed so far. Resolvers give up at about as many.
pub const CHAIN_MAX: usize = 16;

/// An alias to a name that nobody serves here has this TTL: so have Amazon's load balancers, which most of them name.
pub const UPSTREAM_TTL: u32 = 60;

/// Who is asking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Client {
    /// Where the packet came from.
    pub source: IpAddr,
    /// The network that policies see: the client subnet, or the source address alone.
    pub network: IpNet,
    pub rule: ClientRule,
    /// The VPC it stands in, which decides what private zones it sees.
    pub vpc: Option<VpcNumber>,
    /// Whether it is kept out where it asks, whatever it asks for.
    pub denied: Option<Denied>,
}

impl Client {
    /// A client known by its source address only.
    pub fn at(snapshot: &Snapshot, source: IpAddr) -> Client {
        let vpc = if snapshot.zones.any_private() { snapshot.vpc_of(source) } else { None };
        Client { source, network: IpNet::from(source), rule: ClientRule::Source, vpc, denied: None }
    }
}

/// What is to be written, by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub section: Section,
    pub owner: Owner,
    pub what: What,
    /// In place of the set's own TTL.
    pub ttl: Option<u32>,
    /// A referral's glue has to fit, or the reply is truncated (RFC 9471); other additional sets may be left out.
    pub required: bool,
    /// Which record comes first, where the order may change.
    pub spin: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The question's name without so many bytes in front.
    Question(u8),
    /// One of `Answer::names`.
    Named(NameAt),
    /// The node's own name.
    Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Set {
        zone: ZoneNumber,
        node: NodeAt,
        set: SetAt,
        rtype: Type,
        /// The node's name ends as the question does, so the set can be linked.
        aligned: bool,
    },
    /// A cut's servers and glue in one.
    Referral { zone: ZoneNumber, cut: NodeAt, referral: ReferralAt },
    /// A CNAME that a DNAME made.
    Cname { target: NameAt, ttl: u32 },
    /// What a resolver said of a name outside that an alias leads to.
    Outside { at: OutsideAt },
}

/// An alias to a name that nobody serves here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upstream {
    pub target: NameAt,
    pub owner: Owner,
    pub rtype: Type,
}

/// A name kept in `Answer::names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameAt {
    start: u32,
    length: u8,
}

/// An answer, and what finding it needs. One per worker.
pub struct Answer {
    pub rcode: Rcode,
    pub authoritative: bool,
    pub items: Vec<Item>,
    /// How many bits of the client's address the answer depends on.
    pub scope: u8,
    /// A policy that chose depends on the client, whatever it chose.
    pub by_client: bool,
    /// The zone that had the last word.
    pub zone: Option<ZoneNumber>,
    /// An alias that led to a name nobody serves here, where that is all there is to say.
    pub upstream: Option<Upstream>,
    /// What an alias led to has outlived its TTL.
    pub stale: bool,
    /// The policy of the last group asked, for counting.
    pub policy: Option<policy::Kind>,
    /// From whom it chose, for counting.
    pub chosen: Chosen,
    pub chain_broken: bool,
    /// By whose rules the client is kept out, where that is the answer.
    pub denied: Option<Denied>,
    /// The node that has no records of the type, where that is the answer.
    pub no_data_at: Option<NodeAt>,
    names: Vec<u8>,
    /// The name that a chain has come to, and its hashes.
    chased: QueryName,
    chased_hashes: Hashes,
}

impl Default for Answer {
    fn default() -> Answer {
        Answer::new()
    }
}

impl Answer {
    pub fn new() -> Answer {
        Answer {
            rcode: Rcode::NOERROR,
            authoritative: false,
            items: Vec::with_capacity(256),
            scope: 0,
            by_client: false,
            zone: None,
            upstream: None,
            stale: false,
            policy: None,
            chosen: Chosen::AllHealthy,
            chain_broken: false,
            denied: None,
            no_data_at: None,
            names: Vec::with_capacity((CHAIN_MAX + 4) * 256),
            chased: QueryName::new(),
            chased_hashes: [0; LABELS_MAX + 2],
        }
    }

    fn reset(&mut self) {
        self.rcode = Rcode::NOERROR;
        self.authoritative = false;
        self.items.clear();
        self.scope = 0;
        self.by_client = false;
        self.zone = None;
        self.upstream = None;
        self.stale = false;
        self.policy = None;
        self.chain_broken = false;
        self.denied = None;
        self.no_data_at = None;
        self.names.clear();
    }

    pub fn name(&self, at: NameAt) -> &[u8] {
        &self.names[at.start as usize..at.start as usize + usize::from(at.length)]
    }

    /// All names kept so far, one after the other.
    pub fn names(&self) -> &[u8] {
        &self.names
    }

    fn keep_name(&mut self, wire: &[u8]) -> NameAt {
        let at = NameAt { start: self.names.len() as u32, length: wire.len() as u8 };
        self.names.extend_from_slice(wire);
        at
    }

    /// Whether anything stands in the answer section.
    pub fn has_answer(&self) -> bool {
        self.items.iter().any(|item| item.section == Section::Answer)
    }
}

/// From whom a policy chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// All were healthy.
    AllHealthy,
    /// Some were not, and had no part in it.
    Healthy,
    /// Nobody was healthy, so everybody had a part in it.
    LastResort,
    /// None was for this client.
    Nobody,
}

/// The place of a choice: of the same client and question, the rest of the answer depends on nothing else.
pub struct Junction<'a> {
    pub zone: ZoneNumber,
    /// The group's number in its zone.
    pub group: u32,
    /// How many aliases led here.
    pub level: usize,
    /// The name that a chain has come to.
    pub chased: Option<NameAt>,
    /// The answer so far.
    pub answer: &'a Answer,
}

/// Who decides where a policy leaves it to chance: dice, or somebody who wants to see every way they can fall.
pub trait Chooser {
    fn choose(&mut self, policy: &Policy, healthy: MemberSet, seen: &Seen<'_>) -> Choice;

    /// The place of the choice that comes next. Dice do not depend on it.
    #[inline(always)]
    fn arrive(&mut self, _at: &Junction<'_>) {}

    fn spin(&mut self) -> u32;
}

impl<D: Dice> Chooser for D {
    #[inline]
    fn choose(&mut self, policy: &Policy, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        policy.choose(healthy, seen, self)
    }

    #[inline]
    fn spin(&mut self) -> u32 {
        Dice::spin(self)
    }
}

/// The answer to a query of class IN.
pub fn answer(snapshot: &Snapshot, query: &Query, client: &Client, dice: &mut impl Chooser, answer: &mut Answer) {
    explain(snapshot, query, client, dice, answer, &mut Silent);
}

/// The same where the hashes of the query's name are known.
pub fn answer_hashed(
    snapshot: &Snapshot,
    query: &Query,
    hashes: &Hashes,
    client: &Client,
    dice: &mut impl Chooser,
    answer: &mut Answer,
) {
    answer.reset();
    walk::Walk::new(snapshot, query, hashes, client, dice, answer, &mut Silent).go();
}

/// The same, telling why.
pub fn explain(
    snapshot: &Snapshot,
    query: &Query,
    client: &Client,
    chooser: &mut impl Chooser,
    answer: &mut Answer,
    why: &mut impl Why,
) {
    let mut hashes = [0; LABELS_MAX + 2];
    query.name.hashes(&snapshot.key, &mut hashes);
    answer.reset();
    walk::Walk::new(snapshot, query, &hashes, client, chooser, answer, why).go();
}
