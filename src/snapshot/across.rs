//! What is wrong with aliases and shows only when all zones are there: targets in other zones that are missing, and
//! circles through several zones. Within a zone both are found when it is read.

use std::collections::BTreeSet;

use super::Snapshot;
use super::fold::{Elsewhere, elsewhere};
use super::group::{Alternative, Body, Target};
use super::image::Found;
use super::zones::ZoneNumber;
use crate::problem::{Problem, Problems};
use crate::wire::name::Name;
use crate::wire::query::QueryName;
use crate::wire::rtype::Type;

/// A group, by its zone and its number there.
type GroupAt = (ZoneNumber, u32);

/// Ours: so many outside names of a zone stand in the warning about them.
const OUTSIDE_NAMED_MAX: usize = 3;

/// Where an alias leads.
enum Leads {
    /// To a group that may lead on.
    To(GroupAt),
    /// To records, or out of here.
    Out,
    /// To nothing, in a zone that is served here.
    Nowhere,
}

impl Snapshot {
    /// Adds what is wrong with aliases from zone to zone.
    pub fn check_aliases(&self, problems: &mut Problems) {
        let mut walked = vec![Walked::No; self.zones.groups()];
        for &zone in self.zones.steered() {
            for group in 0..self.image(zone).groups.len() as u32 {
                self.walk((zone, group), &mut walked, problems);
            }
        }
    }

    /// Adds a warning for each zone with aliases to outside names that nothing here can answer; `is_known` says which
    /// outside names can be. Names in zones that are served here are checked by `check_aliases`.
    pub fn check_outside(&self, is_known: &dyn Fn(&Name) -> bool, problems: &mut Problems) {
        for &zone in self.zones.steered() {
            let (mut count, mut first, mut names) = (0_usize, None, BTreeSet::new());
            for group in &self.image(zone).groups {
                for member in &group.members {
                    let Body::Alias { target: Target::Elsewhere(target), .. } = &member.body else { continue };
                    let mut name = QueryName::new();
                    name.set(target.wire());
                    let found = elsewhere(&self.zones, &self.key, &mut name, group.rtype, &mut Vec::new());
                    // Behind CNAMEs of zones here it may be another name.
                    let outside = Name::from_wire(name.wire()).unwrap_or_else(|_| (**target).clone());
                    if matches!(found, Elsewhere::Unknown) && !is_known(&outside) {
                        count += 1;
                        first.get_or_insert_with(|| member.at.clone());
                        if names.len() < OUTSIDE_NAMED_MAX {
                            names.insert(outside);
                        }
                    }
                }
            }
            let Some(at) = first else { continue };
            let origin = &self.image(zone).origin;
            let names: Vec<String> = names.iter().map(Name::to_string).collect();
            let (one, names) = (count == 1, names.join(", "));
            let what = match one {
                true => format!("an alias of {origin} leads to {names}, a name outside, and no resolver is configured"),
                false => format!(
                    "{count} aliases of {origin} lead to names outside ({names}), and no resolver is configured"
                ),
            };
            let why = "no zone here serves such a name, so the answer is SERVFAIL";
            let remedy = "name a resolver in fingerpost.toml, as upstream = [\"192.0.2.1:53\"]";
            problems.push(Problem::warning(at, what, why, remedy).code("no-resolver"));
        }
    }

    /// Follows all aliases from a group, each group once, without recursion.
    fn walk(&self, start: GroupAt, walked: &mut [Walked], problems: &mut Problems) {
        let number = |(zone, group): GroupAt| self.zones.group(zone, group);
        if walked[number(start)] != Walked::No {
            return;
        }
        walked[number(start)] = Walked::Within;
        // Groups on the way, each with the member to look at next.
        let mut way = vec![(start, 0)];
        while let Some((at, next)) = way.last_mut() {
            let at = *at;
            let members = &self.image(at.0).groups[at.1 as usize].members;
            let Some(member) = members.get(*next) else {
                walked[number(at)] = Walked::Done;
                way.pop();
                continue;
            };
            *next += 1;
            match self.leads(at, member) {
                Leads::Out => {}
                Leads::Nowhere => problems.push(self.missing(at, member)),
                Leads::To(target) => match walked[number(target)] {
                    Walked::Done => {}
                    Walked::No => {
                        walked[number(target)] = Walked::Within;
                        way.push((target, 0));
                    }
                    Walked::Within => {
                        let from = way.iter().position(|(on_way, _)| *on_way == target).unwrap_or_default();
                        let path: Vec<String> = way[from..].iter().map(|(on_way, _)| self.shown(*on_way)).collect();
                        let what = format!("aliases lead in a circle: {} -> {}", path.join(" -> "), self.shown(target));
                        let (why, remedy) = ("no query would find an end", "let one of them lead elsewhere");
                        problems.push(Problem::error(member.at.clone(), what, why, remedy));
                    }
                },
            }
        }
    }

    fn leads(&self, (zone, group): GroupAt, member: &Alternative) -> Leads {
        let rtype = self.image(zone).groups[group as usize].rtype;
        let found = match &member.body {
            Body::Alias { target: Target::Here(node), .. } => {
                self.image(zone).node(*node).find(rtype).map(|found| (zone, found))
            }
            Body::Alias { target: Target::Elsewhere(target), .. } => {
                let mut name = QueryName::new();
                name.set(target.wire());
                match elsewhere(&self.zones, &self.key, &mut name, rtype, &mut Vec::new()) {
                    Elsewhere::Served(zone, _, found) => Some((zone, found)),
                    Elsewhere::NoData => return Leads::Nowhere,
                    Elsewhere::Unknown => None,
                }
            }
            Body::Alias { target: Target::Missing(_), .. } | Body::Set(_) => None,
        };
        match found {
            Some((zone, Found::Group(group))) => Leads::To((zone, group)),
            _ => Leads::Out,
        }
    }

    fn missing(&self, at: GroupAt, member: &Alternative) -> Problem {
        let target = match &member.body {
            Body::Alias { target: Target::Elsewhere(name), .. } => name.to_string(),
            _ => String::new(),
        };
        let what = format!("the alias {} leads to {target}, which is not there", self.shown(at));
        let why = format!("its zone is served here, and has no {} of that name", self.rtype(at));
        Problem::warning(member.at.clone(), what, why, "add it there, or correct the alias's target")
    }

    fn rtype(&self, (zone, group): GroupAt) -> Type {
        self.image(zone).groups[group as usize].rtype
    }

    fn shown(&self, at: GroupAt) -> String {
        let image = self.image(at.0);
        let name = image.node(image.groups[at.1 as usize].node).name;
        format!("{} {}", Name::from_wire(name).unwrap_or_else(|_| Name::root()), self.rtype(at))
    }
}

/// How far a walk has come with a group.
#[derive(Clone, Copy, PartialEq)]
enum Walked {
    No,
    /// Its aliases are being followed: to meet it again is a circle.
    Within,
    Done,
}
