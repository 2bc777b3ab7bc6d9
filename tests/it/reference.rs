//! The answer, slowly and plainly: RFC 1034, 4.3.2, step by step as later RFCs amended it.
//!
//! Nothing is prepared but a tree of records for each zone, and every question is put to that tree afresh. The
//! server is compared with this, so nothing here is shared with it: not its walk, not its hashes, not its table of the
//! names in record data, nor how it takes names apart and compares them. A `Name` carries bytes here, a `Type` a number.
//! Simple records only; who gets which steered record is for the policies' own tests.

use std::collections::{BTreeMap, BTreeSet};

use fingerpost::model::ZoneData;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::{Rcode, Type};

use crate::denial::{self, Denial};
use crate::names_in_data::{self, NAME_MAX};

/// CNAME and DNAME steps that are followed for one question, as the server's documentation states.
pub const CHAIN_MAX: usize = 16;

/// A name's labels from the root down, in lower case: these sort in canonical order (RFC 4034, 6.1).
pub type Labels = Vec<Vec<u8>>;

pub fn labels(name: &Name) -> Labels {
    labels_of(name.wire()).expect("a name is made of labels")
}

/// The same of a name's bytes; none where they are no name.
fn labels_of(wire: &[u8]) -> Option<Labels> {
    names_in_data::name_length(wire).filter(|&length| length == wire.len())?;
    let (mut labels, mut rest) = (Labels::new(), wire);
    while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, after) = after.split_at_checked(usize::from(length))?;
        labels.insert(0, label.to_ascii_lowercase());
        rest = after;
    }
    Some(labels)
}

pub fn name(labels: &[Vec<u8>]) -> Name {
    let mut wire = Vec::new();
    for label in labels.iter().rev() {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire).expect("labels of a name make a name")
}

/// One resource record. Records compare by meaning: the case of names does not count.
#[derive(Clone)]
pub struct Rr {
    pub owner: Name,
    pub rtype: Type,
    pub ttl: u32,
    pub rdata: Vec<u8>,
}

impl Rr {
    fn key(&self) -> (Labels, Type, u32, Vec<u8>) {
        (labels(&self.owner), self.rtype, self.ttl, canonical(self.rtype, &self.rdata))
    }

    /// The type that an RRSIG signs.
    pub fn covered(&self) -> Option<Type> {
        match self.rdata[..] {
            [high, low, ..] if self.rtype == Type::RRSIG => Some(Type(u16::from_be_bytes([high, low]))),
            _ => None,
        }
    }
}

impl PartialEq for Rr {
    fn eq(&self, other: &Rr) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Rr {}

impl PartialOrd for Rr {
    fn partial_cmp(&self, other: &Rr) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rr {
    fn cmp(&self, other: &Rr) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Record data with the names in it in lower case.
pub fn canonical(rtype: Type, rdata: &[u8]) -> Vec<u8> {
    let mut bytes = rdata.to_vec();
    for range in names_in_data::names(rtype, rdata) {
        bytes[range].make_ascii_lowercase();
    }
    bytes
}

/// How a question is put, and which of the allowed ways of answering is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The DO bit.
    pub dnssec: bool,
    /// Whether the apex NS set, and the addresses of what an answer names, are left out.
    pub minimal: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    pub rcode: Rcode,
    pub authoritative: bool,
    pub answer: BTreeSet<Rr>,
    pub authority: BTreeSet<Rr>,
    pub additional: BTreeSet<Rr>,
    /// An endless chain was cut at the limit.
    pub cut_short: bool,
}

pub struct Reference {
    /// Longest origin first, so that the first match is the most specific zone.
    zones: Vec<Zone>,
}

#[derive(Default)]
pub struct Node {
    sets: BTreeMap<Type, Vec<Rr>>,
}

impl Node {
    /// Takes out the sets that the NSEC3 chain is made of: these are no data of the name (RFC 5155, 7.2.8).
    pub fn take_nsec3(&mut self) -> Option<Node> {
        let set = self.sets.remove(&Type::NSEC3)?;
        let mut chain = Node { sets: BTreeMap::from([(Type::NSEC3, set)]) };
        if let Some(signatures) = self.sets.remove(&Type::RRSIG) {
            let (own, others) = signatures.into_iter().partition(|rr| rr.covered() == Some(Type::NSEC3));
            chain.sets.insert(Type::RRSIG, own);
            self.sets.insert(Type::RRSIG, others);
            self.sets.retain(|_, set: &mut Vec<Rr>| !set.is_empty());
        }
        Some(chain)
    }

    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    pub fn set(&self, rtype: Type) -> Option<&[Rr]> {
        self.sets.get(&rtype).map(Vec::as_slice)
    }

    fn has(&self, rtype: Type) -> bool {
        self.sets.contains_key(&rtype)
    }

    pub fn signatures(&self, covered: Type) -> impl Iterator<Item = &Rr> {
        let all = self.set(Type::RRSIG).unwrap_or_default();
        all.iter().filter(move |signature| signature.covered() == Some(covered))
    }

    fn add(&mut self, rr: Rr) {
        let set = self.sets.entry(rr.rtype).or_default();
        let data = canonical(rr.rtype, &rr.rdata);
        let same = |other: &Rr| other.covered() == rr.covered();
        // One TTL for a set: the smallest (RFC 2181, 5.2). Signatures follow what they sign.
        let ttl = set.iter().filter(|other| same(other)).map(|other| other.ttl).fold(rr.ttl, u32::min);
        if !set.iter().any(|other| canonical(other.rtype, &other.rdata) == data) {
            set.push(rr.clone());
        }
        for other in set.iter_mut().filter(|other| same(other)) {
            other.ttl = ttl;
        }
    }
}

pub struct Zone {
    pub origin: Labels,
    pub nodes: BTreeMap<Labels, Node>,
    pub denial: Denial,
}

impl Zone {
    fn new(data: &ZoneData) -> Zone {
        let mut nodes: BTreeMap<Labels, Node> = BTreeMap::new();
        for record in data.records.iter() {
            let owner = Name::from_wire(record.owner).expect("owners are names");
            let node = nodes.entry(labels(&owner)).or_default();
            node.add(Rr { owner, rtype: record.rtype, ttl: record.ttl, rdata: record.rdata.to_vec() });
        }
        let origin = labels(&data.origin);
        let denial = denial::of(&origin, &mut nodes);
        Zone { origin, nodes, denial }
    }

    /// A name exists if it or any name below it owns a record (RFC 4592, 2.2).
    pub fn exists(&self, at: &[Vec<u8>]) -> bool {
        self.nodes.range(at.to_vec()..).next().is_some_and(|(found, _)| found.starts_with(at))
    }

    fn is_signed(&self) -> bool {
        !matches!(self.denial, Denial::None)
    }
}

/// What one turn of the algorithm comes to.
enum Turn {
    Done,
    /// A CNAME or DNAME leads on.
    On(Name),
}

impl Reference {
    pub fn new(zones: &[ZoneData]) -> Reference {
        let mut zones: Vec<Zone> = zones.iter().map(Zone::new).collect();
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.origin.len()));
        Reference { zones }
    }

    pub fn answer(&self, question: &Name, qtype: Type, manner: Manner) -> Reply {
        let mut talk = Talk::new(manner);
        let mut name = question.clone();
        let mut seen = BTreeSet::new();
        let mut before: Option<&Zone> = None;
        for turn in 0.. {
            let zone = self.zone_for(&name, qtype);
            // A chain that leaves the zones here, or comes round, ends in the zone that it was in.
            let Some(zone) = zone.filter(|_| seen.insert(labels(&name))) else {
                match before {
                    None => talk.reply.rcode = Rcode::REFUSED,
                    Some(zone) => talk.own_servers(zone),
                }
                break;
            };
            if turn == 0 {
                talk.reply.authoritative = true;
            }
            if turn >= CHAIN_MAX {
                talk.reply.cut_short = true;
                break;
            }
            before = Some(zone);
            match talk.turn(zone, &name, qtype, turn == 0) {
                Turn::Done => break,
                Turn::On(target) => name = target,
            }
        }
        talk.finish()
    }

    /// Step 2: the nearest ancestor zone. A DS set belongs to the parent's side of a cut (RFC 4035, 3.1.4.1).
    fn zone_for(&self, name: &Name, qtype: Type) -> Option<&Zone> {
        let asked = labels(name);
        let mut above = self.zones.iter().filter(|zone| asked.starts_with(&zone.origin));
        let nearest = above.next()?;
        if qtype == Type::DS && nearest.origin == asked {
            return above.next().or(Some(nearest));
        }
        Some(nearest)
    }
}

/// The reply as it grows.
pub struct Talk {
    manner: Manner,
    pub reply: Reply,
}

impl Talk {
    fn new(manner: Manner) -> Talk {
        let reply = Reply {
            rcode: Rcode::NOERROR,
            authoritative: false,
            answer: BTreeSet::new(),
            authority: BTreeSet::new(),
            additional: BTreeSet::new(),
            cut_short: false,
        };
        Talk { manner, reply }
    }

    /// Step 3: match down, label by label, in one zone.
    fn turn(&mut self, zone: &Zone, name: &Name, qtype: Type, first: bool) -> Turn {
        let asked = labels(name);
        for depth in zone.origin.len()..=asked.len() {
            let Some(node) = zone.nodes.get(&asked[..depth]) else { continue };
            let here = depth == asked.len();
            // 3b: a cut. The DS set at the cut is the parent's own.
            if depth > zone.origin.len() && node.has(Type::NS) && !(here && qtype == Type::DS) {
                self.referral(zone, &asked[..depth], node, first);
                return Turn::Done;
            }
            // RFC 6672, 3.2: names below a DNAME, not the owner itself.
            if !here && let Some([dname, ..]) = node.set(Type::DNAME) {
                return self.redirect(zone, node, dname, name, qtype);
            }
        }
        let empty = Node::default();
        if zone.exists(&asked) {
            // 3a: the whole name is matched.
            let node = zone.nodes.get(&asked).unwrap_or(&empty);
            return self.matched(zone, node, name, qtype, None);
        }
        // 3c: the closest encloser's wildcard, if it exists (RFC 4592, 3.3).
        let closest = (zone.origin.len()..asked.len()).rev().find(|&depth| zone.exists(&asked[..depth]));
        let closest = &asked[..closest.unwrap_or(zone.origin.len())];
        let mut wildcard = closest.to_vec();
        wildcard.push(b"*".to_vec());
        if zone.exists(&wildcard) {
            let node = zone.nodes.get(&wildcard).unwrap_or(&empty);
            return self.matched(zone, node, name, qtype, Some(closest));
        }
        // RFC 6604: a chain that ends in a name that does not exist says so too.
        self.reply.rcode = Rcode::NXDOMAIN;
        self.negative(zone);
        self.prove(|proof| denial::no_name(zone, &asked, closest, proof));
        Turn::Done
    }

    /// The node that answers is found: the name's own, or the wildcard below `closest`.
    fn matched(&mut self, zone: &Zone, node: &Node, name: &Name, qtype: Type, closest: Option<&[Vec<u8>]>) -> Turn {
        let asked = labels(name);
        // RFC 4035, 2.5: signatures and NSEC stand beside a CNAME.
        let beside_cname = [Type::CNAME, Type::ANY, Type::RRSIG, Type::NSEC].contains(&qtype);
        let alias = if beside_cname { None } else { node.set(Type::CNAME) };
        let types: Vec<Type> = match alias {
            Some(_) => vec![Type::CNAME],
            None if qtype == Type::ANY => node.sets.keys().copied().filter(|&t| t != Type::RRSIG).collect(),
            None => node.sets.keys().copied().filter(|&t| t == qtype).collect(),
        };
        if types.is_empty() {
            self.negative(zone);
            self.prove(|proof| match closest {
                None => denial::no_data(zone, &asked, proof),
                Some(closest) => denial::wildcard_no_data(zone, &asked, closest, proof),
            });
            return Turn::Done;
        }
        for &rtype in &types {
            put(&mut self.reply.answer, self.manner.dnssec, node, rtype, Some(name));
            // A resolver that asks for the name servers wants to reach them (RFC 8109, 4.1): all servers tell it how.
            if rtype == Type::NS || !self.manner.minimal {
                self.additional(zone, node, rtype, rtype == Type::NS);
            }
        }
        if let Some(closest) = closest {
            self.prove(|proof| denial::wildcard_answer(zone, &asked, closest, proof));
        }
        if let Some([cname, ..]) = alias {
            return Turn::On(Name::from_wire(&cname.rdata).expect("a CNAME holds a name"));
        }
        let says_it_already = types.contains(&Type::NS) && asked == zone.origin;
        if !says_it_already {
            self.own_servers(zone);
        }
        Turn::Done
    }

    /// Beside an answer, the name servers of the zone that gave it, unless answers are minimal.
    fn own_servers(&mut self, zone: &Zone) {
        if !self.manner.minimal {
            let apex = &zone.nodes[&zone.origin];
            put(&mut self.reply.authority, self.manner.dnssec, apex, Type::NS, None);
            self.additional(zone, apex, Type::NS, true);
        }
    }

    /// RFC 6672, 3.2: the DNAME and the CNAME that follows from it, or YXDOMAIN where the new name is too long.
    fn redirect(&mut self, zone: &Zone, node: &Node, dname: &Rr, name: &Name, qtype: Type) -> Turn {
        put(&mut self.reply.answer, self.manner.dnssec, node, Type::DNAME, None);
        let kept = name.wire().len() - dname.owner.wire().len();
        let target = [&name.wire()[..kept], &dname.rdata].concat();
        // RFC 6672, 2.2: the new name may be too long to be one.
        match Some(target).filter(|target| target.len() <= NAME_MAX) {
            Some(rdata) => {
                let target = Name::from_wire(&rdata).expect("labels before a name make a name");
                let synthesized = Rr { owner: name.clone(), rtype: Type::CNAME, ttl: dname.ttl, rdata };
                self.reply.answer.insert(synthesized);
                // That CNAME is what a question for CNAME asks for: NSD, Knot and BIND stop here.
                if qtype == Type::CNAME {
                    self.own_servers(zone);
                    return Turn::Done;
                }
                Turn::On(target)
            }
            None => {
                self.reply.rcode = Rcode::YXDOMAIN;
                Turn::Done
            }
        }
    }

    /// The child's name servers with their glue, and what shows whether the child is signed (RFC 4035, 3.1.4).
    fn referral(&mut self, zone: &Zone, cut: &[Vec<u8>], node: &Node, first: bool) {
        if first {
            self.reply.authoritative = false;
        }
        put(&mut self.reply.authority, false, node, Type::NS, None);
        self.additional(zone, node, Type::NS, true);
        if self.manner.dnssec && zone.is_signed() {
            if node.has(Type::DS) {
                put(&mut self.reply.authority, true, node, Type::DS, None);
            } else {
                self.prove(|proof| denial::no_data(zone, cut, proof));
            }
        }
    }

    /// RFC 2308, 2 and 3: the SOA, which lives as long as the answer may be remembered.
    fn negative(&mut self, zone: &Zone) {
        let apex = &zone.nodes[&zone.origin];
        let Some([soa, ..]) = apex.set(Type::SOA) else { return };
        let minimum = soa.rdata.last_chunk().map(|bytes| u32::from_be_bytes(*bytes)).expect("a whole SOA");
        let ttl = soa.ttl.min(minimum);
        self.reply.authority.insert(Rr { ttl, ..soa.clone() });
        if self.manner.dnssec {
            for signature in apex.signatures(Type::SOA) {
                self.reply.authority.insert(Rr { ttl: signature.ttl.min(minimum), ..signature.clone() });
            }
        }
    }

    fn prove(&mut self, with: impl FnOnce(&mut BTreeSet<Rr>)) {
        if self.manner.dnssec {
            with(&mut self.reply.authority);
        }
    }

    /// Addresses that the zone knows of the names that a set mentions; glue only where the cut needs it.
    fn additional(&mut self, zone: &Zone, node: &Node, rtype: Type, glue: bool) {
        for rr in node.set(rtype).unwrap_or_default() {
            let Some(target) = names_in_data::addressed(rtype, &rr.rdata) else { continue };
            let mut target = labels_of(target).expect("a name in the data");
            // RFC 9460, 2.5: a service binding that names the root means its own owner.
            if target.is_empty() && [Type::SVCB, Type::HTTPS].contains(&rtype) {
                target = labels(&rr.owner);
            }
            if !glue && self.hidden(zone, &target) {
                continue;
            }
            let Some(found) = zone.nodes.get(&target).filter(|_| target.starts_with(&zone.origin)) else { continue };
            for address in [Type::A, Type::AAAA] {
                let dnssec = self.manner.dnssec && !self.hidden(zone, &target);
                put(&mut self.reply.additional, dnssec, found, address, None);
            }
        }
    }

    /// Whether a name lies at or below a cut, or below a DNAME.
    fn hidden(&self, zone: &Zone, at: &[Vec<u8>]) -> bool {
        (zone.origin.len()..=at.len()).any(|depth| {
            zone.nodes.get(&at[..depth]).is_some_and(|node| {
                (depth > zone.origin.len() && node.has(Type::NS)) || (depth < at.len() && node.has(Type::DNAME))
            })
        })
    }

    /// What an answer says is not said again as an addition.
    fn finish(mut self) -> Reply {
        let Reply { answer, authority, additional, .. } = &mut self.reply;
        additional.retain(|rr| !answer.contains(rr) && !authority.contains(rr));
        self.reply
    }
}

/// Puts a set into a section, with its signatures where they are wanted; `owner` is the name a wildcard stands for.
pub fn put(section: &mut BTreeSet<Rr>, dnssec: bool, node: &Node, rtype: Type, owner: Option<&Name>) {
    let signatures = node.signatures(rtype).filter(|_| dnssec && rtype != Type::RRSIG);
    for rr in node.set(rtype).unwrap_or_default().iter().chain(signatures) {
        let owner = owner.unwrap_or(&rr.owner).clone();
        section.insert(Rr { owner, ..rr.clone() });
    }
}
