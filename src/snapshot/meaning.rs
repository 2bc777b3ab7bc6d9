//! Whether a zone makes sense: what the RFCs ask of a zone's contents, and Route 53's defaults where they are missing.

use super::build::{canonical_data, kind_of, same_data};
use super::denial::{Denial, NSEC3_ITERATIONS_MAX};
use super::draft::{APEX, Draft, Drafts};
use super::image::{Flags, ZoneImage};
use crate::model::record_set::RecordSet;
use crate::model::zone::{Record, RecordId, Records, Visibility, ZoneData, ZoneTooLarge};
use crate::policy::MEMBERS_MAX;
use crate::problem::{At, Problem, Problems, Severity};
use crate::wire::name::{Name, Shown};
use crate::wire::rtype::Type;

/// Route 53's TTL for the SOA record that it makes.
const DEFAULT_SOA_TTL: u32 = 900;
/// Route 53's TTL for the NS records that it makes.
const DEFAULT_NS_TTL: u32 = 172_800;
/// Up to so many records of one set are compared each with each; more are sorted first.
const PAIRWISE_MAX: usize = 16;

/// Adds an SOA and apex NS, Route 53's own, where the zone has none.
pub(super) fn add_defaults(zone: &ZoneData, records: &mut Records, drafts: &mut Drafts, problems: &mut Problems) {
    let origin = zone.origin.wire();
    let (mut soa, mut ns) = (false, false);
    for record in drafts.records_of(records, drafts.get(APEX)) {
        let rtype = records.get(record).rtype;
        (soa, ns) = (soa || rtype == Type::SOA, ns || rtype == Type::NS);
    }
    if soa && ns {
        return;
    }
    let servers = default_servers(zone);
    let mut add =
        |rtype, ttl, rdata: &[u8]| match records.push(Record { owner: origin, rtype, ttl, rdata, file: 0, line: 1 }) {
            Ok(id) => drafts.add(records, APEX, id, rtype),
            Err(ZoneTooLarge) => problems.push(too_large(zone)),
        };
    if !soa {
        add(Type::SOA, DEFAULT_SOA_TTL, &default_soa(&servers[0]));
    }
    if !ns {
        servers.iter().for_each(|server| add(Type::NS, DEFAULT_NS_TTL, server.wire()));
    }
    let what = match (soa, ns) {
        (false, false) => "SOA or NS",
        (false, true) => "SOA",
        _ => "NS",
    };
    problems.push(Problem::warning(
        file_start(zone),
        format!("the zone {} has no {what} at its apex", zone.origin),
        "it gets the ones that Route 53 would make",
        "add them if the zone is to be delegated to",
    ));
}

pub(super) fn too_large(zone: &ZoneData) -> Problem {
    Problem::error(
        file_start(zone),
        format!("zone {} is too large", zone.origin),
        "its records take more than 4 GiB",
        "delegate a part of it to a zone of its own",
    )
}

fn file_start(zone: &ZoneData) -> At {
    At { file: zone.files[0].clone(), line: 1, column: 1, length: 0 }
}

/// Four names of Route 53's pattern (one for each of its top-level domains), always the same ones for a zone.
fn default_servers(zone: &ZoneData) -> [Name; 4] {
    let blocks = [(0, "com"), (512, "net"), (1024, "org"), (1536, "co.uk")];
    let private = matches!(zone.visibility, Visibility::Private(_));
    // FNV-1a: these names are for everybody to see, and must not change from one start to the next.
    let seed = zone.origin.wire().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    let mut shift = 0;
    blocks.map(|(base, domain)| {
        let within = if private { 0 } else { seed >> shift & 511 };
        shift += 16;
        let text = format!("ns-{}.awsdns-{:02}.{domain}.", base + within, within / 8);
        Name::parse_absolute(&text).unwrap_or_else(|_| Name::root())
    })
}

fn default_soa(server: &Name) -> Vec<u8> {
    let mailbox = Name::parse_absolute("awsdns-hostmaster.amazon.com.").unwrap_or_else(|_| Name::root());
    let mut rdata = [server.wire(), mailbox.wire()].concat();
    for number in [1_u32, 7200, 900, 1_209_600, 86_400] {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    rdata
}

/// Checks sets and names as they are built.
pub(super) struct Meaning<'a> {
    pub zone: &'a ZoneData,
    pub records: &'a Records,
    pub problems: &'a mut Problems,
}

impl<'a> Meaning<'a> {
    /// The records of one set, each once, with a warning for each that is left out.
    pub fn without_duplicates(&mut self, rtype: Type, records: &[RecordId]) -> Vec<Record<'a>> {
        let zone = self.zone;
        let (kept, duplicates) = split_duplicates(self.records, rtype, records);
        for (record, first) in duplicates {
            self.problems.push(Problem::warning(
                zone.at(&record),
                format!("{} {rtype} is said twice with the same data", Shown(record.owner)),
                format!("line {} says it already; a set holds each record once (RFC 2181, 5)", first.line),
                "remove one",
            ));
        }
        kept
    }

    /// The same for records whose duplicates are told elsewhere.
    pub fn without_duplicates_quietly(&self, rtype: Type, records: &[RecordId]) -> Vec<Record<'a>> {
        split_duplicates(self.records, rtype, records).0
    }

    /// The TTL of a set; none for signatures, which have their own.
    pub fn one_ttl(&mut self, rtype: Type, records: &[Record<'_>], at_apex: bool) -> Option<u32> {
        if rtype == Type::RRSIG {
            return None;
        }
        let least = records.iter().map(|record| record.ttl).min()?;
        if let Some(other) = records.iter().find(|record| record.ttl != least) {
            self.problems.push(Problem::warning(
                self.zone.at(other),
                format!("{} {rtype} has records with different TTLs", Shown(other.owner)),
                format!("all records of a set share one (RFC 2181, 5.2): the smallest, {least}, is served"),
                "give them the same TTL",
            ));
        }
        if rtype == Type::SOA && at_apex && records.len() > 1 {
            self.problems.push(Problem::error(
                self.zone.at(&records[1]),
                format!("the zone {} has {} SOA records", self.zone.origin, records.len()),
                "a zone has exactly one (RFC 1035, 5.2)",
                "keep the right one",
            ));
        }
        if matches!(rtype, Type::CNAME | Type::DNAME) && records.len() > 1 {
            self.problems.push(Problem::error(
                self.zone.at(&records[1]),
                format!("{} has {} {rtype} records", Shown(records[1].owner), records.len()),
                format!("a name has at most one {rtype} (RFC 2181, 10.1; RFC 6672, 2.4)"),
                "keep the right one",
            ));
        }
        Some(least)
    }

    pub fn too_many_members(&mut self, set: &RecordSet, count: usize) {
        self.problems.push(Problem::error(
            set.at.clone(),
            format!("{} {} has {count} record sets", set.name, set.rtype),
            format!("a group has at most {MEMBERS_MAX} members"),
            "make a tree: aliases to groups of fewer",
        ));
    }

    pub fn missing_glue(&mut self, server: &Record<'_>) {
        self.problems.push(Problem::warning(
            self.zone.at(server),
            format!("the name server {} has no address here", Shown(server.rdata)),
            "it lies below the delegation itself, so nobody can find it without glue",
            "add an A or AAAA record for it to this zone",
        ));
    }

    /// What may stand together at one name. `records` are those of the name, by type.
    pub fn check_node(&mut self, draft: &Draft, at_apex: bool, drafts: &Drafts, number: u32, records: &[RecordId]) {
        let zone = self.zone;
        let all = self.records;
        let record = |&id: &RecordId| all.get(id);
        if draft.flags & Flags::CNAME != 0 {
            self.check_cname(at_apex, drafts, number, records);
        }
        if !at_apex && let Some(soa) = records.iter().map(record).find(|record| record.rtype == Type::SOA) {
            self.problems.push(Problem::error(
                zone.at(&soa),
                format!("{} has an SOA record but is not the top of the zone {}", Shown(soa.owner), zone.origin),
                "an SOA record says where a zone begins (RFC 1034, 4.2.1)",
                format!("move what is below it to a file of its own, {}.zone", Shown(soa.owner)),
            ));
        }
        if let Some(cover) = drafts.cover(number) {
            let cover = drafts.get(cover);
            // An NSEC3 chain lies below an apex with a DNAME, and is no data to a question.
            let chain = |record: &Record<'_>| kind_of(record).0 == Type::NSEC3 || kind_of(record).1 == Type::NSEC3;
            let hidden = records.iter().map(record).filter(|record| !chain(record)).find(|record| {
                cover.flags & Flags::CUT == 0 || !matches!(record.rtype, Type::A | Type::AAAA | Type::RRSIG)
            });
            if let Some(hidden) = hidden {
                let (thing, why) = match cover.flags & Flags::CUT {
                    0 => ("DNAME", "a DNAME moves all names below it (RFC 6672, 2.4)"),
                    _ => ("delegation", "only glue may stand below a delegation (RFC 1034, 4.2.1)"),
                };
                // RFC 6672 forbids the one; the other is clutter that every server passes over.
                let severity = if thing == "DNAME" { Severity::Error } else { Severity::Warning };
                let what = format!("{} {} is never answered", Shown(hidden.owner), hidden.rtype);
                let why = format!("it lies below the {thing} at {}: {why}", Shown(drafts.name(cover)));
                let problem = Problem::error(zone.at(&hidden), what, why, "remove one of them");
                self.problems.push(Problem { severity, ..problem });
            }
        }
        if draft.flags & (Flags::CUT | Flags::OCCLUDED) == Flags::CUT {
            self.check_cut(records);
        }
        self.check_reach(draft, drafts, number);
    }

    /// Plain records where others are asked. Addresses may be glue.
    fn check_cut(&mut self, records: &[RecordId]) {
        const BELONG: [Type; 7] = [Type::NS, Type::DS, Type::RRSIG, Type::NSEC, Type::KEY, Type::A, Type::AAAA];
        let zone = self.zone;
        let all = self.records;
        let plain = records.iter().map(|&id| all.get(id));
        if let Some(beside) = plain.into_iter().find(|record| !BELONG.contains(&kind_of(record).0)) {
            self.problems.push(Problem::warning(
                zone.at(&beside),
                format!("{} {} is never answered", Shown(beside.owner), beside.rtype),
                "the name is delegated: its own name servers are asked (RFC 1034, 4.2.1)",
                "move it there, or remove one of them",
            ));
        }
    }

    /// Record sets where others are asked: no policy ever chooses among them.
    fn check_reach(&mut self, draft: &Draft, drafts: &Drafts, number: u32) {
        let cover = match drafts.cover(number) {
            Some(cover) => drafts.get(cover),
            None if draft.flags & Flags::CUT != 0 => draft,
            None => return,
        };
        let Some((rtype, sets)) = drafts.groups_of(number).find(|(rtype, _)| *rtype != Type::DS) else { return };
        let set = &self.zone.record_sets[sets[0] as usize];
        let thing = if cover.flags & Flags::CUT != 0 { "delegation" } else { "DNAME" };
        self.problems.push(Problem::warning(
            set.at.clone(),
            format!("{} {rtype} is never answered", set.name),
            format!("the {thing} at {} leads its clients elsewhere", Shown(drafts.name(cover))),
            "move it there, or remove one of them",
        ));
    }

    fn check_cname(&mut self, at_apex: bool, drafts: &Drafts, number: u32, records: &[RecordId]) {
        let zone = self.zone;
        let beside = |rtype: Type| !matches!(rtype, Type::CNAME | Type::RRSIG | Type::NSEC | Type::KEY);
        let all = self.records;
        let plain = records.iter().map(|&id| all.get(id));
        let cname = plain.clone().find(|record| record.rtype == Type::CNAME);
        let mut at = cname.map(|record| zone.at(&record));
        let mut other = plain.clone().find(|record| beside(record.rtype)).map(|record| record.rtype);
        for (rtype, sets) in drafts.groups_of(number) {
            if beside(rtype) {
                other.get_or_insert(rtype);
            } else if rtype == Type::CNAME {
                at.get_or_insert_with(|| zone.record_sets[sets[0] as usize].at.clone());
                if cname.is_some() {
                    other.get_or_insert(Type::CNAME);
                }
            }
        }
        if let (Some(at), Some(other)) = (at, other) {
            let name = Shown(drafts.name(drafts.get(number)));
            let remedy = if at_apex {
                "use an alias (`AWS ALIAS`) at the apex: it has the SOA and NS records beside it"
            } else {
                "use an alias (`AWS ALIAS`), or move the other records"
            };
            self.problems.push(Problem::error(
                at,
                format!("{name} has a CNAME and other data ({other})"),
                "a CNAME stands alone (RFC 1034, 3.6.2)",
                remedy,
            ));
        }
    }
}

type Split<'a> = (Vec<Record<'a>>, Vec<(Record<'a>, Record<'a>)>);

/// Each record once, and the surplus ones with the first of their kind.
fn split_duplicates<'a>(all: &'a Records, rtype: Type, records: &[RecordId]) -> Split<'a> {
    let all: Vec<Record<'a>> = records.iter().map(|&id| all.get(id)).collect();
    let mut duplicate_of = vec![None; all.len()];
    if all.len() <= PAIRWISE_MAX {
        for later in 1..all.len() {
            duplicate_of[later] = (0..later).find(|&first| same_data(rtype, all[first].rdata, all[later].rdata));
        }
    } else {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_cached_key(|&index| (canonical_data(rtype, all[index].rdata), index));
        let mut first = order[0];
        for &index in &order[1..] {
            if same_data(rtype, all[first].rdata, all[index].rdata) {
                duplicate_of[index] = Some(first);
            } else {
                first = index;
            }
        }
    }
    let mut split = (Vec::with_capacity(all.len()), Vec::new());
    for (record, duplicate) in all.iter().zip(duplicate_of) {
        match duplicate {
            None => split.0.push(*record),
            Some(first) => split.1.push((*record, all[first])),
        }
    }
    split
}

/// Whether a signed zone's chain of denial can be served.
pub(super) fn check_denial(image: &ZoneImage, zone: &ZoneData, signed: bool, problems: &mut Problems) {
    match image.denial() {
        Denial::Nsec3(chain) if chain.iterations > NSEC3_ITERATIONS_MAX => problems.push(Problem::error(
            file_start(zone),
            format!("the NSEC3 chain of {} has {} extra iterations", zone.origin, chain.iterations),
            format!(
                "each costs the server for every query; RFC 9276 wants 0, this server takes {NSEC3_ITERATIONS_MAX}"
            ),
            "sign the zone again with 0 iterations",
        )),
        Denial::Unsigned if signed => problems.push(Problem::warning(
            file_start(zone),
            format!("the zone {} has signatures but neither NSEC nor NSEC3 records", zone.origin),
            "validators will not believe its negative answers",
            "sign it as a whole",
        )),
        _ => {}
    }
}
