//! The server against the reference: random worlds, random questions, the same answers.
//!
//! `FINGERPOST_PAIRS` says how many pairs of world and question to try, `FINGERPOST_SEED` where to begin. What
//! disagrees is made as small as it can be and printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use fingerpost::model::ZoneData;
use fingerpost::snapshot::settings::{Any, Settings};
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::{Class, Type};

use crate::message::{self, Ask, Edns, Reply};
use crate::names_in_data::addressed;
use crate::random_zones::{Plain, Question, Random, question, show, world};
use crate::reference::{self, Manner, Reference, Rr};
use crate::server::{Server, Transport};

const PAIRS: usize = 120_000;
const PAIRS_A_WORLD: usize = 60;
/// So many kinds of disagreement are reported; more would be the same again.
const KINDS_MAX: usize = 6;

fn from_environment(name: &str, otherwise: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => otherwise,
    }
}

#[test]
fn the_server_agrees_with_the_reference() {
    let pairs = from_environment("FINGERPOST_PAIRS", PAIRS);
    let seed = from_environment("FINGERPOST_SEED", 1);
    let mut seen = BTreeMap::<String, usize>::new();
    let mut wrong = BTreeMap::<String, String>::new();
    for number in 0..pairs.div_ceil(PAIRS_A_WORLD) {
        let seed = (seed as u64) << 32 | number as u64;
        let mut random = Random::new(seed);
        let zones = world(&mut random);
        let settings = settings(&mut random);
        let mut bench = Bench::new(&zones, &settings);
        for _ in 0..PAIRS_A_WORLD {
            let asked = Asked::random(&mut random, &zones);
            match bench.disagreement(&asked) {
                Ok(kind) => *seen.entry(kind).or_default() += 1,
                Err(what) if wrong.len() < KINDS_MAX && !wrong.contains_key(&kind_of(&what)) => {
                    let report = smallest(zones.clone(), &settings, &asked, &what);
                    wrong.insert(kind_of(&what), format!("seed {seed}: {report}"));
                }
                Err(_) => {}
            }
        }
    }
    let reports: Vec<String> = wrong.into_values().collect();
    assert!(reports.is_empty(), "{} kinds of disagreement:\n\n{}", reports.len(), reports.join("\n"));
    println!("{seen:#?}");
    if pairs >= 10_000 {
        for kind in ["NOERROR AA answer", "NOERROR AA no data", "NXDOMAIN AA no data", "NOERROR referral", "REFUSED"] {
            assert!(seen.get(kind).is_some_and(|&count| count > pairs / 200), "too few of {kind}: {seen:#?}");
        }
    }
}

/// The first line of a report without what differs from world to world.
fn kind_of(what: &str) -> String {
    let first = what.lines().next().unwrap_or_default();
    first.split(' ').filter(|word| !word.contains(|c: char| c == '.' || c.is_ascii_digit())).collect()
}

pub fn settings(random: &mut Random) -> Settings {
    let mut settings = if random.one_in(2) { Settings::modern() } else { Settings::route53() };
    settings.any = if random.one_in(2) { Any::Minimal } else { Any::Full };
    settings
}

#[derive(Clone)]
pub struct Asked {
    question: Question,
    dnssec: bool,
    /// The size a UDP client says it can take; 0 for one without EDNS.
    limit: u16,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked { question: Question { name, qtype }, dnssec, limit } = self;
        write!(f, "{name} {qtype}, DO {dnssec}, size {limit}")
    }
}

impl Asked {
    pub fn random(random: &mut Random, zones: &[Plain]) -> Asked {
        Asked {
            question: question(random, zones),
            dnssec: random.one_in(2),
            limit: *random.pick(&[0, 0, 0, 300, 512, 700, 900, 1232, 4096]),
        }
    }
}

/// One world, served and understood.
pub struct Bench {
    server: Server,
    reference: Reference,
    settings: Settings,
}

impl Bench {
    pub fn new(zones: &[Plain], settings: &Settings) -> Bench {
        let data: Vec<ZoneData> = zones.iter().map(Plain::data).collect();
        let reference = Reference::new(&data);
        let server = Server::new(data, settings.clone());
        Bench { server, reference, settings: settings.clone() }
    }

    /// What kind of answer both gave, or how they differ.
    pub fn disagreement(&mut self, asked: &Asked) -> Result<String, String> {
        if self.server.problems.errors() > 0 {
            return Err(format!("the world is refused: {}", self.server.problem_lines().join("; ")));
        }
        let Asked { question, dnssec, limit } = asked;
        let manner = Manner { dnssec: *dnssec, minimal: self.settings.minimal_responses };
        let expected = self.reference.answer(&question.name, question.qtype, manner);
        let mut ask = Ask::new(&question.name, question.qtype);
        ask.flags = message::RD;
        ask.edns = dnssec.then(|| Edns { size: 1232, dnssec: true, ..Edns::default() });
        let (whole, length) = self.exchange(&ask, Transport::Tcp)?;
        compare(&whole, &expected, question, self.settings.any)
            .map_err(|what| format!("{what}\n--- expected\n{}--- got\n{}", shown(&expected), read(&whole)))?;
        if *limit > 0 {
            ask.edns = Some(Edns { size: *limit, dnssec: *dnssec, ..Edns::default() });
        }
        let (fitted, _) = self.exchange(&ask, Transport::Udp)?;
        let limit = self.limit(&ask, Transport::Udp);
        let has_room = length - opt_length(&whole) + opt_length(&fitted) <= limit;
        if question.qtype != Type::ANY {
            fits(&whole, &fitted, has_room).map_err(|what| {
                format!("over UDP at {limit}: {what}\n--- whole\n{}--- got\n{}", read(&whole), read(&fitted))
            })?;
        }
        let data = if whole.sections[0].is_empty() { " no data" } else { " answer" };
        Ok(match (whole.has(message::AA), expected.authority.is_empty()) {
            (true, _) => format!("{} AA{data}", whole.rcode),
            (false, false) => format!("{} referral", whole.rcode),
            (false, true) => whole.rcode.to_string(),
        })
    }

    /// The longest reply that the client takes and the server sends (RFC 6891, 6.2.3 to 6.2.5).
    fn limit(&self, ask: &Ask, transport: Transport) -> usize {
        match (transport, &ask.edns) {
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(edns)) => usize::from(edns.size.clamp(512, self.settings.udp_payload_max)),
            _ => 65_535,
        }
    }

    /// Asks and reads, and checks what is true of every reply.
    fn exchange(&mut self, ask: &Ask, transport: Transport) -> Result<(Reply, usize), String> {
        let packet = self.server.ask(&ask.packet(), transport).ok_or("silence")?;
        let reply = Reply::read(&packet).map_err(|what| format!("{what} in {}", crate::random_zones::hex(&packet)))?;
        let limit = self.limit(ask, transport);
        let question = reply.question.as_ref().map(|(name, qtype, class)| (name.wire(), *qtype, *class));
        for (right, what) in [
            (packet.len() <= limit, "longer than the client can take"),
            (reply.id == ask.id, "another ID"),
            (reply.has(message::QR), "no QR"),
            (reply.flags & 0x7800 == 0, "another opcode"),
            (reply.has(message::RD) == (ask.flags & message::RD != 0), "RD is not copied"),
            (reply.flags & 0x00f0 == 0, "RA, Z, AD or CD is set"),
            (question == Some((ask.name.wire(), ask.qtype, Class::IN)), "another question"),
            (reply.edns.is_none() || ask.edns.is_some(), "an OPT nobody asked for"),
            (transport == Transport::Udp || !reply.has(message::TC), "TC over TCP"),
        ] {
            if !right {
                return Err(format!("{what}\n{}", read(&reply)));
            }
        }
        Ok((reply, packet.len()))
    }
}

fn opt_length(reply: &Reply) -> usize {
    let options = |edns: &Edns| edns.options.iter().map(|(_, data)| 4 + data.len()).sum::<usize>();
    reply.edns.as_ref().map_or(0, |edns| 11 + options(edns))
}

pub fn compare(got: &Reply, expected: &reference::Reply, question: &Question, any: Any) -> Result<(), String> {
    if got.rcode != expected.rcode && !expected.cut_short {
        return Err(format!("rcode {} should be {}", got.rcode, expected.rcode));
    }
    if got.has(message::AA) != expected.authoritative {
        return Err(format!("AA should be {}", expected.authoritative));
    }
    let due = [&expected.answer, &expected.authority, &expected.additional];
    for (section, (due, records)) in
        ["answer", "authority", "additional"].into_iter().zip(due.into_iter().zip(&got.sections))
    {
        let set: BTreeSet<Rr> = records.iter().cloned().collect();
        // A question for signatures may get those of a DNAME on the way twice, as that and as signatures.
        if set.len() != records.len() && question.qtype != Type::RRSIG {
            return Err(format!("{section} has a record twice"));
        }
        if expected.cut_short {
            // Where an endless chain is cut is the server's choice, but it must come from the zone.
            if section == "answer" && (set.is_empty() || !set.is_subset(due)) {
                return Err("the cut chain has records of its own".into());
            }
            continue;
        }
        if question.qtype == Type::ANY && any == Any::Minimal && section == "answer" {
            minimal_any(&set, due)?;
            continue;
        }
        if question.qtype == Type::ANY && any == Any::Minimal && section == "additional" && set.is_subset(due) {
            continue;
        }
        if question.qtype == Type::RRSIG && section == "additional" {
            continue;
        }
        // Of all sets of an apex the one that is given may be another than NS; then that stands beside it.
        let servers = |rr: &&Rr| rr.rtype == Type::NS || rr.covered() == Some(Type::NS);
        let beside = question.qtype == Type::ANY && any == Any::Minimal && section == "authority";
        let set: BTreeSet<Rr> = if beside && !got.sections[0].iter().any(|rr| servers(&rr)) {
            set.into_iter().filter(|rr| !servers(&rr) || due.contains(rr)).collect()
        } else {
            set
        };
        // What a wildcard stands in for in the answer may count as said, or not.
        let counts = |rr: &&Rr| section != "additional" || !rr.owner.is_wildcard();
        if let Some(rr) = due.difference(&set).find(counts) {
            return Err(format!("{section} lacks {}", show(rr)));
        }
        if let Some(rr) = set.difference(due).find(counts) {
            return Err(format!("{section} has {}", show(rr)));
        }
    }
    Ok(())
}

/// RFC 8482, 4.1: one set of the name is enough of an answer to ANY, a whole one.
fn minimal_any(got: &BTreeSet<Rr>, due: &BTreeSet<Rr>) -> Result<(), String> {
    let (got, due) = (sets(got), sets(due));
    for (key, records) in &got {
        if due.get(key) != Some(records) {
            return Err(format!("ANY has a set that is not the zone's: {key:?}"));
        }
    }
    let plain = |sets: &BTreeMap<SetKey, BTreeSet<Rr>>| sets.keys().filter(|key| key.1 != Type::RRSIG).count();
    let steps = due.keys().filter(|key| key.1 == Type::DNAME).count();
    match (plain(&got), plain(&due)) {
        (0, 0) => Ok(()),
        (1, _) => Ok(()),
        (many, all) if steps > 0 && many > 0 && many <= all => Ok(()),
        (many, all) => Err(format!("ANY has {many} sets of {all}, and should have one")),
    }
}

type SetKey = (Name, Type, Option<Type>);

fn sets(records: &BTreeSet<Rr>) -> BTreeMap<SetKey, BTreeSet<Rr>> {
    let mut sets = BTreeMap::<SetKey, BTreeSet<Rr>>::new();
    for rr in records {
        sets.entry((rr.owner.clone(), rr.rtype, rr.covered())).or_default().insert(rr.clone());
    }
    sets
}

/// Whether a UDP reply is the whole one cut as RFC 2181, 9 and RFC 9471 have it.
pub fn fits(whole: &Reply, fitted: &Reply, has_room: bool) -> Result<(), String> {
    if whole.rcode != fitted.rcode || whole.has(message::AA) != fitted.has(message::AA) {
        return Err("another rcode or AA".into());
    }
    let (mut lacks, mut may_lack) = (false, false);
    for (section, (all, kept)) in whole.sections.iter().zip(&fitted.sections).enumerate() {
        let all: BTreeSet<Rr> = all.iter().cloned().collect();
        let kept: BTreeSet<Rr> = kept.iter().cloned().collect();
        let (all, kept) = (sets(&all), sets(&kept));
        for (key, records) in &kept {
            if all.get(key) != Some(records) {
                return Err(format!("half a set, or one that was not there: {key:?}"));
            }
        }
        for (key, _) in all.iter().filter(|(key, _)| !kept.contains_key(key)) {
            // Beside an answer the zone's own servers are an addition; at the end of a chain others may be the answer.
            let servers = key.1 == Type::NS || key.2 == Some(Type::NS);
            match section {
                1 if servers && !whole.sections[0].is_empty() => may_lack = true,
                0 | 1 => lacks = true,
                // At the end of a chain it may be a referral's, or the zone's own.
                _ if whole.has(message::AA) => may_lack |= is_below_its_cut(whole, &key.0),
                _ => lacks |= is_below_its_cut(whole, &key.0),
            }
            if has_room {
                return Err(format!("{key:?} would have fitted"));
            }
        }
    }
    match (lacks, fitted.has(message::TC)) {
        (true, false) => Err("something required is left out without TC".into()),
        (false, true) if !may_lack => Err("TC, and nothing required is left out".into()),
        _ => Ok(()),
    }
}

/// RFC 9471: the addresses of a referral's name servers that lie below the cut.
fn is_below_its_cut(reply: &Reply, owner: &Name) -> bool {
    reply.sections[1].iter().filter(|rr| rr.rtype == Type::NS).any(|rr| {
        let named = addressed(rr.rtype, &rr.rdata).and_then(|wire| Name::from_wire(wire).ok());
        named.is_some_and(|named| named == *owner && owner.is_under(&rr.owner))
    })
}

/// Takes away whatever can be taken away while something still disagrees.
fn smallest(mut zones: Vec<Plain>, settings: &Settings, asked: &Asked, what: &str) -> String {
    let mut what = what.to_string();
    let disagrees = |zones: &[Plain]| Bench::new(zones, settings).disagreement(asked).err();
    let mut smaller = true;
    while smaller {
        smaller = false;
        let mut candidates: Vec<Vec<Plain>> = Vec::new();
        for (z, zone) in zones.iter().enumerate() {
            if zones.len() > 1 {
                let mut fewer = zones.clone();
                fewer.remove(z);
                candidates.push(fewer);
            }
            if zone.signing != crate::signed::Signing::None {
                let mut fewer = zones.clone();
                fewer[z].signing = crate::signed::Signing::None;
                candidates.push(fewer);
            }
            for r in 1..zone.records.len() {
                let only_ns = zone.records[r].rtype == Type::NS
                    && zone.records.iter().filter(|rr| rr.rtype == Type::NS && rr.owner == zone.origin).count() == 1;
                if !(only_ns && zone.records[r].owner == zone.origin) {
                    let mut fewer = zones.clone();
                    fewer[z].records.remove(r);
                    candidates.push(fewer);
                }
            }
        }
        if let Some((fewer, still)) =
            candidates.into_iter().find_map(|fewer| Some((disagrees(&fewer)?, fewer))).map(|(a, b)| (b, a))
        {
            (zones, what, smaller) = (fewer, still, true);
        }
    }
    let mut text = format!("{what}\n");
    for zone in &zones {
        text.push_str(&zone.text());
    }
    let Asked { question, dnssec, limit } = asked;
    let Settings { any, minimal_responses, .. } = settings;
    writeln!(
        text,
        "asked {} {} do={dnssec} size={limit} any={any:?} minimal={minimal_responses}",
        question.name, question.qtype
    )
    .expect("strings take all");
    text
}

pub fn read(reply: &Reply) -> String {
    let aa = if reply.has(message::AA) { " AA" } else { "" };
    let tc = if reply.has(message::TC) { " TC" } else { "" };
    let mut text = format!("{}{aa}{tc}\n", reply.rcode);
    for (title, section) in ["answer", "authority", "additional"].into_iter().zip(&reply.sections) {
        for rr in section {
            writeln!(text, "  {title}: {}", show(rr)).expect("strings take all");
        }
    }
    text
}

pub fn shown(reply: &reference::Reply) -> String {
    let aa = if reply.authoritative { " AA" } else { "" };
    let mut text = format!("{}{aa}\n", reply.rcode);
    let sections = [&reply.answer, &reply.authority, &reply.additional];
    for (title, section) in ["answer", "authority", "additional"].into_iter().zip(sections) {
        for rr in section {
            writeln!(text, "  {title}: {}", show(rr)).expect("strings take all");
        }
    }
    text
}
