//! Small nasty zones, and questions about them: a tiny alphabet of labels, so that wildcards, empty non-terminals,
//! cuts, DNAMEs, loops, occluded data and overlapping zones meet all the time. One seed, one world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use fingerpost::model::ZoneData;
use fingerpost::model::zone::Record;
use fingerpost::wire::name::{NAME_MAX, Name};
use fingerpost::wire::rtype::Type;

use crate::names_in_data;
use crate::reference::{Labels, Rr, canonical, labels, name};
use crate::signed::{Signing, sign};

/// Numbers that only depend on a seed (SplitMix64), or on bytes that somebody gave.
pub enum Random {
    Seed(u64),
    /// One byte a number, as long as there are any; then nothing but zero.
    Bytes(std::vec::IntoIter<u8>),
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random::Seed(seed)
    }

    pub fn bytes(given: &[u8]) -> Random {
        Random::Bytes(Vec::from(given).into_iter())
    }

    fn next(&mut self) -> u64 {
        let state = match self {
            Random::Seed(state) => state,
            Random::Bytes(left) => return left.next().map_or(0, u64::from),
        };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A zone as an operator would write it, before signing.
#[derive(Clone)]
pub struct Plain {
    pub origin: Name,
    pub signing: Signing,
    pub records: Vec<Rr>,
}

impl Plain {
    pub fn data(&self) -> ZoneData {
        let file = format!("{}.zone", self.origin.without_dot());
        let mut data = ZoneData::new(self.origin.clone(), file.into());
        for (line, rr) in (1..).zip(sign(&self.origin, &self.records, &self.signing)) {
            let Rr { owner, rtype, ttl, rdata } = &rr;
            let record = Record { owner: owner.wire(), rtype: *rtype, ttl: *ttl, rdata, file: 0, line };
            data.records.push(record).expect("a small zone");
        }
        data
    }

    /// Master-file text, record data as RFC 3597 writes it: what a reproducer is made of.
    pub fn text(&self) -> String {
        let mut text = format!("; zone {} {:?}\n", self.origin, self.signing);
        for rr in &self.records {
            writeln!(text, "{}", show(rr)).expect("strings take all");
        }
        text
    }
}

/// A record for people: names shown as names, the rest in hexadecimal.
pub fn show(rr: &Rr) -> String {
    let mut data = String::new();
    let mut at = 0;
    for range in names_in_data::names(rr.rtype, &rr.rdata) {
        let named = Name::from_wire(&rr.rdata[range.clone()]).map(|name| name.to_string()).unwrap_or_default();
        write!(data, " {}{named}", hex(&rr.rdata[at..range.start])).expect("strings take all");
        at = range.end;
    }
    format!("{} {} {}{data} {}", rr.owner, rr.ttl, rr.rtype, hex(&rr.rdata[at..]))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Debug)]
pub struct Question {
    pub name: Name,
    pub qtype: Type,
}

const QTYPES: &[Type] = &[
    Type::A,
    Type::A,
    Type::AAAA,
    Type::NS,
    Type::CNAME,
    Type::DNAME,
    Type::SOA,
    Type::MX,
    Type::TXT,
    Type::SRV,
    Type::DS,
    Type::DS,
    Type::HTTPS,
    Type::NSEC,
    Type::RRSIG,
    Type::DNSKEY,
    Type::NSEC3PARAM,
    Type::NSEC3,
    Type::NAPTR,
    Type(65280),
];

/// The types of records at ordinary names; steering ones come often.
const RTYPES: &[Type] = &[
    Type::A,
    Type::A,
    Type::A,
    Type::AAAA,
    Type::NS,
    Type::NS,
    Type::CNAME,
    Type::CNAME,
    Type::CNAME,
    Type::DNAME,
    Type::MX,
    Type::TXT,
    Type::SRV,
    Type::DS,
    Type::HTTPS,
    Type::NAPTR,
    Type(65280),
];

fn label(random: &mut Random) -> Vec<u8> {
    match random.below(120) {
        0..=29 => b"a".to_vec(),
        30..=59 => b"b".to_vec(),
        60..=84 => b"c".to_vec(),
        85..=109 => b"*".to_vec(),
        110..=114 => b"B".to_vec(),
        115 => b"\0".to_vec(),
        116 => b"\xff".to_vec(),
        117 => b"aa".to_vec(),
        118 => b"*a".to_vec(),
        _ => vec![b'x'; 63],
    }
}

/// `labels` from the left in front of `under`; `under` itself where that would be too long for a name.
fn prefixed(prefix: &[Vec<u8>], under: &Name) -> Name {
    let mut wire = Vec::new();
    for label in prefix {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.extend_from_slice(under.wire());
    if wire.len() <= NAME_MAX { Name::from_wire(&wire).expect("labels before a name") } else { under.clone() }
}

fn name_under(random: &mut Random, under: &Name, deepest: usize) -> Name {
    let prefix: Vec<Vec<u8>> = (0..random.below(deepest + 1)).map(|_| label(random)).collect();
    prefixed(&prefix, under)
}

fn parse(text: &str) -> Name {
    Name::parse_absolute(text).expect("a name in the tests")
}

/// Names that data may point to: mostly in one of the zones, sometimes nowhere, sometimes very long.
fn target(random: &mut Random, origins: &[Name]) -> Name {
    match random.below(40) {
        0 => parse("nowhere.test."),
        1 => Name::root(),
        2 => {
            let long = vec![vec![b'x'; 63]; 3];
            prefixed(&long, random.pick(origins))
        }
        _ => {
            let origin = random.pick(origins).clone();
            name_under(random, &origin, 3)
        }
    }
}

fn rdata(random: &mut Random, rtype: Type, origins: &[Name]) -> Vec<u8> {
    // 65 and 97 are one letter in two cases: numbers must not compare like names.
    let small = *random.pick(&[0, 1, 2, 65, 97]);
    let to = target(random, origins);
    let to = to.wire();
    match rtype {
        Type::A => vec![192, 0, 2, small],
        Type::AAAA => [&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[small]].concat(),
        Type::NS | Type::CNAME | Type::DNAME => to.to_vec(),
        Type::MX | Type::HTTPS => [&[0, small.max(1)][..], to].concat(),
        Type::SRV => [&[0, 1, 0, small, 0, 53][..], to].concat(),
        Type::NAPTR => [&[0, 1, 0, small, 1, b'A', 0, 0][..], to].concat(),
        Type::TXT => vec![1, small],
        Type::DS => [&[0, small, 8, 2][..], &[7; 32]].concat(),
        _ => vec![small; usize::from(small % 4)],
    }
}

pub const ORIGINS: &[&str] = &["a.", "a.", "b.a.", "c.b.a.", "c.", "a.c.", "*.a.", "a.b.c.a.", "."];

pub fn world(random: &mut Random) -> Vec<Plain> {
    let mut origins: BTreeSet<Name> = BTreeSet::new();
    for _ in 0..=random.below(3) {
        origins.insert(parse(random.pick::<&str>(ORIGINS)));
    }
    let origins: Vec<Name> = origins.into_iter().collect();
    origins.iter().map(|origin| zone(random, origin, &origins, 14)).collect()
}

pub fn zone(random: &mut Random, origin: &Name, origins: &[Name], names: usize) -> Plain {
    let mut records = Vec::new();
    let mut push = |random: &mut Random, owner: &Name, rtype: Type, rdata: Vec<u8>| {
        let ttl = *random.pick(&[0, 60, 300, 300, 300, 3600]);
        records.push(Rr { owner: owner.clone(), rtype, ttl, rdata });
    };
    let mut soa = [b"\x02ns\0".as_slice(), b"\x04root\0"].concat();
    for field in [7, 3600, 600, 86400, *random.pick(&[0, 60, 900, 86400u32])] {
        soa.extend_from_slice(&field.to_be_bytes());
    }
    push(random, origin, Type::SOA, soa);
    for _ in 0..=random.below(2) {
        let data = rdata(random, Type::NS, origins);
        push(random, origin, Type::NS, data);
    }
    for _ in 0..random.below(names) {
        let owner = name_under(random, origin, 3);
        let rtype = *random.pick(RTYPES);
        for _ in 0..=random.below(2) {
            let data = rdata(random, rtype, origins);
            push(random, &owner, rtype, data);
        }
    }
    let signing = match random.below(8) {
        0 | 1 => Signing::Nsec,
        2 | 3 => Signing::Nsec3 {
            salt: vec![0xab; random.below(3)],
            iterations: random.below(3) as u16,
            opt_out: random.one_in(2),
        },
        _ => Signing::None,
    };
    Plain { origin: origin.clone(), signing, records: lawful(origin, records) }
}

/// Leaves out what makes a zone one that is not served (data beside a CNAME or below a DNAME, a second CNAME, DNAME
/// or SOA), and what no RFC gives a meaning to (a cut or a DNAME at a wildcard, a cut at a DNAME, DS at the apex).
pub fn lawful(origin: &Name, records: Vec<Rr>) -> Vec<Rr> {
    let mut at: BTreeMap<Labels, Vec<Rr>> = BTreeMap::new();
    let apex = labels(origin);
    for rr in records {
        let owner = labels(&rr.owner);
        let node = at.entry(owner.clone()).or_default();
        let has = |rtype: Type| node.iter().any(|other| other.rtype == rtype);
        let wildcard = owner.last().is_some_and(|label| label == b"*");
        let twice = node.iter().any(|other| {
            other.rtype == rr.rtype && canonical(other.rtype, &other.rdata) == canonical(rr.rtype, &rr.rdata)
        });
        let unlawful = match rr.rtype {
            Type::CNAME => owner == apex || !node.is_empty(),
            Type::DNAME => has(Type::DNAME) || has(Type::CNAME) || wildcard || (owner != apex && has(Type::NS)),
            Type::NS => has(Type::CNAME) || (owner != apex && (wildcard || has(Type::DNAME))),
            Type::DS => has(Type::CNAME) || owner == apex,
            Type::SOA => owner != apex || has(Type::SOA),
            _ => has(Type::CNAME),
        };
        if !unlawful && !twice {
            node.push(rr);
        }
    }
    let dnames: Vec<Labels> = at
        .iter()
        .filter(|(_, node)| node.iter().any(|rr| rr.rtype == Type::DNAME))
        .map(|(owner, _)| owner.clone())
        .collect();
    at.retain(|owner, _| !dnames.iter().any(|dname| owner.len() > dname.len() && owner.starts_with(dname)));
    at.into_values().flatten().collect()
}

/// Asks where something is likely to be wrong: at, above, below and beside the names that the zones mention.
pub fn question(random: &mut Random, zones: &[Plain]) -> Question {
    let zone = random.pick(zones);
    let signed = if random.one_in(16) { sign(&zone.origin, &zone.records, &zone.signing) } else { Vec::new() };
    let rr = random.pick(if signed.is_empty() { &zone.records } else { &signed });
    let near = match names_in_data::names(rr.rtype, &rr.rdata).pop() {
        Some(range) if random.one_in(4) => Name::from_wire(&rr.rdata[range]).expect("a name in the data"),
        _ => rr.owner.clone(),
    };
    let asked = match random.below(12) {
        0..=2 => near,
        3..=6 => prefixed(&[label(random)], &near),
        7 => prefixed(&[label(random), label(random)], &near),
        8 => near.parent().unwrap_or(near),
        9 => {
            let beside = near.parent().unwrap_or(near);
            prefixed(&[label(random)], &beside)
        }
        10 => {
            let long: Vec<Vec<u8>> = (0..1 + random.below(3)).map(|_| vec![b'x'; 63]).collect();
            prefixed(&long, &near)
        }
        _ => name_under(random, &zone.origin, 4),
    };
    let asked = if random.one_in(6) { name(&labels(&asked)) } else { shuffled_case(random, &asked) };
    let qtype = if random.one_in(4) { rr.rtype } else { *random.pick(QTYPES) };
    Question { name: asked, qtype }
}

fn shuffled_case(random: &mut Random, asked: &Name) -> Name {
    let shown = asked.labels().map(|label| {
        let turn = |byte: &u8| if random.one_in(4) { byte.to_ascii_uppercase() } else { *byte };
        label.iter().map(turn).collect::<Vec<u8>>()
    });
    let shown: Vec<Vec<u8>> = shown.collect();
    prefixed(&shown, &Name::root())
}

#[test]
fn worlds_come_from_their_seed_and_have_all_that_is_nasty() {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..300 {
        let zones = world(&mut Random::new(seed));
        let again = world(&mut Random::new(seed));
        for (zone, other) in zones.iter().zip(&again) {
            assert_eq!(zone.text(), other.text());
            for rr in &zone.records {
                let below = rr.owner != zone.origin;
                let kind = match rr.rtype {
                    Type::NS if below => "cut",
                    Type::DNAME => "DNAME",
                    Type::CNAME => "CNAME",
                    Type::DS => "DS",
                    _ if rr.owner.is_wildcard() => "wildcard",
                    _ => continue,
                };
                *kinds.entry(kind).or_default() += 1;
            }
        }
        *kinds.entry(if zones.len() > 1 { "several zones" } else { "one zone" }).or_default() += 1;
    }
    for kind in ["cut", "DNAME", "CNAME", "DS", "wildcard", "several zones", "one zone"] {
        assert!(kinds.get(kind).is_some_and(|&count| count > 50), "too few of {kind}: {kinds:?}");
    }
}
