//! Whether record sets make sense together: Route 53's rules for groups (`route53.md` 1.1, 1.2, 2, 4), and what is
//! legal but regretted.

mod aliases;
mod checks;
mod codes;
mod regrets;

use std::collections::{BTreeMap, HashMap};

pub use checks::health_checks;

use super::record_set::{Body, CidrLocation, Location, Point, RecordSet, Role, Routing};
use super::zone::Visibility;
use super::{Limits, Shared, ZoneData};
use crate::problem::{At, Problem, Problems, nearest};
use crate::wire::name::{self, Name};
use crate::wire::rtype::Type;

/// Route 53 allows 100 steered record sets of one name and type.
const GROUP_MAX: usize = 100;
/// Route 53 allows 30 geoproximity record sets of one name and type.
const GEOPROXIMITY_GROUP_MAX: usize = 30;
/// Route 53's set identifiers have at most 128 characters.
const IDENTIFIER_MAX: usize = 128;

/// Checks a zone's record sets, each by itself, in its group, and through its aliases.
pub fn record_sets(zone: &mut ZoneData, shared: &Shared, limits: Limits, problems: &mut Problems) {
    if zone.record_sets.is_empty() {
        return;
    }
    let groups = Groups::of(zone);
    let mut checker = Checker { zone, shared, limits, groups: &groups, problems };
    for set in &checker.zone.record_sets {
        checker.one(set);
    }
    for group in &groups.all {
        checker.group(group);
        checker.regrets(group);
    }
    checker.aliases();
}

/// The record sets of one name and type.
struct Group<'z> {
    name: &'z Name,
    rtype: Type,
    members: Vec<&'z RecordSet>,
}

struct Groups<'z> {
    all: Vec<Group<'z>>,
    by_name: HashMap<(&'z Name, Type), usize>,
    /// Plain records at the names of record sets, at alias targets and above them: the first of each type.
    plain: HashMap<Vec<u8>, Vec<(Type, At)>>,
}

impl<'z> Groups<'z> {
    fn of(zone: &'z ZoneData) -> Groups<'z> {
        let mut all: Vec<Group> = Vec::new();
        let mut by_name: HashMap<(&Name, Type), usize> = HashMap::new();
        let mut plain: HashMap<Vec<u8>, Vec<(Type, At)>> = HashMap::new();
        for set in &zone.record_sets {
            let at = *by_name.entry((&set.name, set.rtype)).or_insert_with(|| {
                all.push(Group { name: &set.name, rtype: set.rtype, members: Vec::new() });
                all.len() - 1
            });
            all[at].members.push(set);
            plain.entry(set.name.wire().to_ascii_lowercase()).or_default();
            if let Body::Alias(alias) = &set.body {
                let mut above = Some(alias.name.wire());
                while let Some(wire) = above.filter(|wire| wire.len() > zone.origin.wire().len()) {
                    plain.entry(wire.to_ascii_lowercase()).or_default();
                    above = name::parent(wire);
                }
                plain.entry(zone.origin.wire().to_ascii_lowercase()).or_default();
            }
        }
        let mut owner = Vec::new();
        for record in zone.records.iter() {
            owner.clear();
            owner.extend(record.owner.iter().map(u8::to_ascii_lowercase));
            if let Some(types) = plain.get_mut(&owner)
                && !types.iter().any(|(rtype, _)| *rtype == record.rtype)
            {
                types.push((record.rtype, zone.at(&record)));
            }
        }
        Groups { all, by_name, plain }
    }

    fn group(&self, name: &Name, rtype: Type) -> Option<usize> {
        self.by_name.get(&(name, rtype)).copied()
    }

    fn plain(&self, name: &[u8]) -> &[(Type, At)] {
        self.plain.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}

struct Checker<'c> {
    zone: &'c ZoneData,
    shared: &'c Shared,
    limits: Limits,
    groups: &'c Groups<'c>,
    problems: &'c mut Problems,
}

impl<'c> Checker<'c> {
    fn error(&mut self, at: &At, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::error(at.clone(), what, why, remedy));
    }

    fn warning(&mut self, at: &At, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::warning(at.clone(), what, why, remedy));
    }

    fn one(&mut self, set: &RecordSet) {
        let (at, rtype, word) = (&set.at, set.rtype, set.routing.word());
        let shown = format!("{} {rtype}", set.name);
        if set.routing != Routing::Simple {
            if matches!(rtype, Type::NS | Type::SOA | Type::DS) {
                let why = format!("a record set of type {rtype} is always simple");
                self.error(at, format!("{shown} has {word} routing"), why, "take the routing away");
            }
            if set.identifier.is_none() {
                self.error(at, format!("{shown} has no identifier"), format!("{word} routing needs one"), "add one");
            }
        }
        if let (Some(identifier), Limits::Route53) = (&set.identifier, self.limits)
            && identifier.chars().count() > IDENTIFIER_MAX
        {
            let why = format!("Route 53 allows {IDENTIFIER_MAX} characters");
            self.error(at, format!("the identifier of {shown} is too long"), why, "shorten it");
        }
        match (&set.routing, &set.body) {
            (Routing::Multivalue, Body::Alias(_)) => {
                let why = "an alias cannot be one of many values";
                self.error(at, format!("{shown} is an alias with multivalue routing"), why, "choose another routing");
            }
            (Routing::Multivalue, _) if rtype == Type::CNAME => {
                let why = "a name has one CNAME, never several";
                self.error(at, format!("{shown} has multivalue routing"), why, "choose another routing");
            }
            _ => {}
        }
        if let Body::Alias(_) = &set.body {
            if matches!(rtype, Type::NS | Type::SOA) {
                let why = format!("Route 53 has no aliases of type {rtype}");
                self.error(at, format!("{shown} is an alias"), why, "write the records out");
            }
            if rtype == Type::CNAME && set.name == self.zone.origin {
                let why = "a CNAME cannot stand beside the SOA and NS records";
                self.error(
                    at,
                    format!("{shown} is an alias to a CNAME at the top of the zone"),
                    why,
                    "make it an alias of type A or AAAA",
                );
            }
        }
        self.place(set, &shown);
        if let Some(check) = &set.health_check
            && !self.shared.health_checks.contains_key(check)
        {
            let remedy = match nearest(check, self.shared.health_checks.keys().map(|id| &**id)) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => "define it in health-checks.toml".to_string(),
            };
            self.warning(
                at,
                format!("no file defines health check {check:?}"),
                format!("{shown} counts as healthy"),
                remedy,
            );
        }
    }

    /// What a routing policy refers to: regions, countries, collections.
    fn place(&mut self, set: &RecordSet, shown: &str) {
        let at = &set.at;
        match &set.routing {
            Routing::Latency { region } | Routing::Geoproximity { point: Point::Region(region), .. } => {
                if let Some(remedy) = codes::not_a_region(region) {
                    let why = "it is found only if regions.csv names it";
                    self.warning(at, format!("{region:?} is not a region of Route 53's"), why, remedy);
                }
            }
            Routing::Geolocation(location) if self.limits == Limits::Route53 => {
                if let Some((what, remedy)) = codes::not_a_location(location) {
                    self.error(at, what, "no client would ever be there", remedy);
                }
            }
            Routing::IpBased { collection, location } => {
                if matches!(self.zone.visibility, Visibility::Private(_)) {
                    let why = "Route 53 locates clients of a private zone by their VPC";
                    self.error(
                        at,
                        format!("{shown} has ip-based routing in a private zone"),
                        why,
                        "choose another routing",
                    );
                }
                let Some(known) = self.shared.collections.get(collection) else {
                    let remedy = match nearest(collection, self.shared.collections.keys().map(|id| &**id)) {
                        Some(meant) => format!("did you mean {meant:?}?"),
                        None => "define it in cidr-collections.toml".to_string(),
                    };
                    let why = format!("no client is in a location of it, so {shown} answers nobody but the default");
                    return self.warning(at, format!("no file defines collection {collection:?}"), why, remedy);
                };
                if let CidrLocation::Named(location) = location
                    && !known.locations.contains_key(location)
                {
                    let remedy = match nearest(location, known.locations.keys().map(|id| &**id)) {
                        Some(meant) => format!("did you mean {meant:?}?"),
                        None => format!("give {location:?} blocks in {}", known.at.file),
                    };
                    let what = format!("collection {collection:?} has no location {location:?}");
                    self.warning(at, what, "this record answers nobody", remedy);
                }
            }
            _ => {}
        }
    }

    fn group(&mut self, group: &Group<'c>) {
        let shown = format!("{} {}", group.name, group.rtype);
        let Some((first, rest)) = group.members.split_first() else { return };
        let line = |at: &At| format!("{}:{}", at.file, at.line);
        if let Some((_, plain)) = self.groups.plain(group.name.wire()).iter().find(|(rtype, _)| *rtype == group.rtype) {
            let what = format!("{shown} is said with {} here and plainly in {}", manner(first), line(plain));
            let remedy = "say the same on every line, or take the plain ones away";
            self.error(&first.at, what, "all records of one name and type follow one policy", remedy);
        }
        for member in rest {
            if std::mem::discriminant(&member.routing) != std::mem::discriminant(&first.routing) {
                let what = format!(
                    "{shown} has {} routing here and {} in {}",
                    member.routing.word(),
                    first.routing.word(),
                    line(&first.at)
                );
                self.error(&member.at, what, "all record sets of one name and type follow one policy", "choose one");
            }
        }
        if let (Routing::Simple, [second, ..]) = (&first.routing, rest) {
            let why = format!("{} says it already", line(&first.at));
            self.error(&second.at, format!("{shown} is said twice"), why, "join the two, or give both a routing");
        }
        self.distinct(group, &shown, |set| set.identifier.as_deref().map(|id| format!("identifier {id:?}")));
        self.distinct(group, &shown, |set| distinction(&set.routing));
        if let Routing::IpBased { collection: first_collection, .. } = &first.routing {
            for member in rest {
                if let Routing::IpBased { collection, .. } = &member.routing
                    && collection != first_collection
                {
                    let what = format!(
                        "{shown} uses collection {collection:?} here and {first_collection:?} in {}",
                        line(&first.at)
                    );
                    self.error(
                        &member.at,
                        what,
                        "all record sets of one name and type use one",
                        "put the locations into one collection",
                    );
                }
            }
        }
        if let Routing::Weighted { .. } = first.routing {
            let ttl = |set: &RecordSet| match set.body {
                Body::Values { ttl, .. } => Some(ttl),
                Body::Alias(_) => None,
            };
            let known = group.members.iter().find_map(|set| ttl(set));
            for member in &group.members {
                if let (Some(known), Some(ttl)) = (known, ttl(member))
                    && known != ttl
                {
                    let why = "weighted record sets of one name and type have one TTL";
                    self.error(
                        &member.at,
                        format!("{shown} has TTL {ttl} here and {known} elsewhere"),
                        why,
                        format!("write {known}"),
                    );
                }
            }
        }
        let most = match first.routing {
            Routing::Geoproximity { .. } => GEOPROXIMITY_GROUP_MAX,
            _ => GROUP_MAX,
        };
        if let (Some(member), Limits::Route53) = (group.members.get(most), self.limits) {
            let what = format!("{shown} has {} record sets", group.members.len());
            let remedy = "make a tree of aliases, or set limits = \"none\"";
            self.error(&member.at, what, format!("Route 53 allows {most}"), remedy);
        }
    }

    /// Reports members of which `of` says the same.
    fn distinct(&mut self, group: &Group<'c>, shown: &str, of: impl Fn(&RecordSet) -> Option<String>) {
        let mut seen: BTreeMap<String, &At> = BTreeMap::new();
        for member in &group.members {
            let Some(said) = of(member) else { continue };
            if let Some(first) = seen.get(&said) {
                let why = format!("{}:{} has it already", first.file, first.line);
                self.error(&member.at, format!("{shown} has {said} twice"), why, "each may stand once in a group");
            } else {
                seen.insert(said, &member.at);
            }
        }
    }
}

/// How a record set is not plain.
fn manner(set: &RecordSet) -> String {
    match (&set.routing, &set.body) {
        (Routing::Simple, Body::Alias(_)) => "an alias".to_string(),
        (Routing::Simple, Body::Values { .. }) => "a health check".to_string(),
        (routing, _) => format!("{} routing", routing.word()),
    }
}

/// What may stand only once in a group of this policy.
fn distinction(routing: &Routing) -> Option<String> {
    match routing {
        Routing::Simple | Routing::Weighted { .. } | Routing::Multivalue => None,
        Routing::Failover(Role::Primary) => Some("a primary".to_string()),
        Routing::Failover(Role::Secondary) => Some("a secondary".to_string()),
        Routing::Latency { region } => Some(format!("region {region:?}")),
        Routing::Geolocation(location) => Some(match location {
            Location::Default => "the default location".to_string(),
            Location::Continent(code) => format!("continent {}", codes::text(code)),
            Location::Country(code) => format!("country {}", codes::text(code)),
            Location::Subdivision { country, subdivision } => {
                format!("subdivision {}-{}", codes::text(country), codes::text(subdivision))
            }
        }),
        Routing::Geoproximity { point, .. } => Some(match point {
            Point::Region(region) => format!("region {region:?}"),
            Point::LocalZone(group) => format!("local zone {group:?}"),
            Point::Coordinates { latitude, longitude } => format!("coordinates {latitude},{longitude}"),
        }),
        Routing::IpBased { location: CidrLocation::Default, .. } => Some("location \"*\"".to_string()),
        Routing::IpBased { location: CidrLocation::Named(location), .. } => Some(format!("location {location:?}")),
    }
}

#[cfg(test)]
mod tests;
