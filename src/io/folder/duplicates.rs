//! What only all files together show: two that claim one zone, VPCs that nobody described, regions that disagree.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::{Held, Memory, SeenZone, State, Zone, files};
use crate::model::zone::Visibility;
use crate::model::{Id, Shared};
use crate::problem::{At, Problem, Problems};
use crate::wire::name::Name;

/// A zone belongs to one file: the one that it is served from, or else the first by name. A private zone for other VPCs
/// is another zone.
pub fn same_zone<T>(zones: &mut [Zone<T>], seen: &[SeenZone], memory: &dyn Memory, problems: &mut Problems) {
    let who: Vec<(Name, Visibility)> = seen.iter().map(SeenZone::is).collect();
    // Few names have several files, and there may be a hundred thousand names.
    let mut first: HashMap<&Name, usize> = HashMap::with_capacity(zones.len());
    let mut several: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, (origin, _)) in who.iter().enumerate() {
        match first.entry(origin) {
            Entry::Vacant(vacant) => _ = vacant.insert(index),
            Entry::Occupied(first) => several.entry(*first.get()).or_insert_with(|| vec![*first.get()]).push(index),
        }
    }
    for mut claims in several.into_values() {
        claims.sort_by_cached_key(|&index| (held(memory, seen[index].name(), &who[index]), index));
        let mut holders: Vec<usize> = Vec::with_capacity(claims.len());
        for index in claims {
            let (origin, visibility) = &who[index];
            let Some(&holder) = holders.iter().find(|&&holder| meet(&who[holder].1, visibility)) else {
                holders.push(index);
                continue;
            };
            let what = format!("the zone {origin} is claimed by {} too", zones[holder].file);
            let why = "a zone belongs to one file; the other one is served";
            let zone = &mut zones[index];
            fail(zone);
            let problem = Problem::error(files::whole(&zone.file), what, why, "keep one of the two");
            problems.push(problem.code("zone-claimed-twice"));
        }
    }
}

/// How firmly a file holds the zone that it claims.
fn held(memory: &dyn Memory, name: &str, (origin, visibility): &(Name, Visibility)) -> Held {
    match memory.served(name) {
        Some((served, same)) if served == *origin && same == *visibility => Held::Same,
        Some((served, part)) if served == *origin && meet(&part, visibility) => Held::Partly,
        _ => Held::No,
    }
}

/// Whether a file's name is a zone's as we would write it, so that no other file of the folder can be named after the same.
pub fn is_only_name(file_name: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    file_name.strip_suffix(".zone").is_some_and(|zone| !zone.ends_with('.') && zone.bytes().all(plain))
}

pub fn meet(one: &Visibility, other: &Visibility) -> bool {
    match (one, other) {
        (Visibility::Public, Visibility::Public) => true,
        (Visibility::Private(one), Visibility::Private(other)) => one.iter().any(|vpc| other.contains(vpc)),
        _ => false,
    }
}

/// Takes the regions that zones' dumps tell of VPCs; one that another file contradicts fails its zone.
pub fn vpc_regions<T>(zones: &mut [Zone<T>], seen: &[SeenZone], shared: &mut Shared, problems: &mut Problems) {
    for (zone, told) in zones.iter_mut().zip(seen.iter().map(SeenZone::vpcs)) {
        for vpc in told {
            let Some(known) = shared.vpcs.get_mut(&vpc.id) else {
                shared.vpcs.insert(vpc.id.clone(), vpc.clone());
                continue;
            };
            match (&known.region, &vpc.region) {
                (Some(one), Some(other)) if one != other => {
                    let what = format!("VPC {:?} is in {other:?} here", vpc.id);
                    let why = format!("{}:{} says {one:?}", known.at.file, known.at.line);
                    fail(zone);
                    let problem = Problem::error(vpc.at.clone(), what, why, "correct one of the two");
                    problems.push(problem.code("vpc-region-differs"));
                }
                (None, Some(_)) => known.region = vpc.region.clone(),
                _ => {}
            }
        }
    }
}

pub fn unknown_vpcs(seen: &[SeenZone], shared: &Shared, problems: &mut Problems) {
    for zone in seen {
        let Some(Visibility::Private(vpcs)) = zone.more.as_ref().map(|more| &more.visibility) else { continue };
        for id in vpcs.iter().filter(|id| shared.vpcs.get(*id).is_none_or(|vpc| vpc.networks.is_empty())) {
            let what = format!("VPC {id:?} has no client networks");
            let why = "no query is taken to come from it, except with --vpc";
            let remedy = format!("say which they are in vpcs.toml: [vpc.{id}] networks = [\"10.0.0.0/16\"]");
            problems.push(Problem::warning(files::whole(&zone.file), what, why, remedy).code("vpc-without-networks"));
        }
    }
}

pub fn said_before(what: &str, id: &Id, at: &At, first: &At) -> Problem {
    let why = format!("{}:{} says it first", first.file, first.line);
    Problem::error(at.clone(), format!("{what} {id:?} is said twice"), why, "keep one of the two")
}

fn fail<T>(zone: &mut Zone<T>) {
    zone.state = State::Failed;
    zone.built = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_nobody_elses() {
        for name in ["example.com.zone", "_x-1.example.zone", ".zone"] {
            assert!(is_only_name(name), "{name}");
        }
        // The same zone as another file's, or as one that only its contents tell.
        for name in
            ["Example.com.zone", "example.com..zone", "..zone", "@.zone", "ex\\097mple.com.zone", "example.com.json"]
        {
            assert!(!is_only_name(name), "{name}");
        }
    }
}
