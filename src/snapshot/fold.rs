//! Health folded into candidates: for each group, which of its members are healthy now.
//!
//! A record is as healthy as its check; an alias that evaluates its target's health is healthy while the target is,
//! and a group is while one of its members is (Route 53 Developer Guide, "How Amazon Route 53 chooses records when
//! health checking is configured"). The walk is from the leaves up, each group once.

use super::group::{Alternative, Body, Target};
use super::image::{Found, Node};
use super::locate::{Located, locate};
use super::zones::{ZoneNumber, Zones};
use crate::health::verdicts::Verdicts;
use crate::policy::{Member, MemberSet};
use crate::wire::hash::HashKey;
use crate::wire::name::LABELS_MAX;
use crate::wire::query::QueryName;
use crate::wire::rtype::Type;

/// Eight levels of alias are answered; a ninth is an error when the zone is loaded (Route 53 documents three). An
/// alias through other zones that comes back to itself ends here too.
pub const ALIAS_LEVELS_MAX: usize = 8;

/// Aliases from zone to zone are not checked when they are loaded; a walk along them ends here.
const RECURSION_MAX: usize = 64;

/// The healthy members of every group, by the group's number among all.
pub fn healthy_members(zones: &Zones, verdicts: &Verdicts, key: &HashKey) -> Box<[MemberSet]> {
    let (folded, name, data) = (vec![Folded::Not; zones.groups()], QueryName::new(), Vec::new());
    let mut fold = Fold { zones, verdicts, key, folded, name, data };
    for zone in zones.numbers() {
        for group in 0..zones.image(zone).groups.len() as u32 {
            fold.group(zone, group, 0);
        }
    }
    let healthy = fold.folded.into_iter().map(|folded| match folded {
        Folded::Members(members) => members,
        Folded::Not | Folded::Begun => MemberSet::NOBODY,
    });
    healthy.collect()
}

#[derive(Clone, Copy)]
enum Folded {
    Not,
    /// Its members are being looked at: an alias that leads back here leads in a circle.
    Begun,
    Members(MemberSet),
}

struct Fold<'a> {
    zones: &'a Zones,
    verdicts: &'a Verdicts,
    key: &'a HashKey,
    folded: Vec<Folded>,
    name: QueryName,
    data: Vec<u8>,
}

impl Fold<'_> {
    fn group(&mut self, zone: ZoneNumber, group: u32, level: usize) -> MemberSet {
        let number = self.zones.group(zone, group);
        match self.folded[number] {
            Folded::Members(known) => return known,
            Folded::Begun => return MemberSet::NOBODY,
            Folded::Not => self.folded[number] = Folded::Begun,
        }
        let zones = self.zones;
        let group = &zones.image(zone).groups[group as usize];
        let mut healthy = MemberSet::NOBODY;
        for (member, alternative) in (0..).map(Member).zip(&group.members) {
            if self.is_healthy(zone, group.rtype, alternative, level) {
                healthy = healthy.with(member);
            }
        }
        self.folded[number] = Folded::Members(healthy);
        healthy
    }

    fn is_healthy(&mut self, zone: ZoneNumber, rtype: Type, member: &Alternative, level: usize) -> bool {
        if member.health_check.as_ref().is_some_and(|check| !self.verdicts.healthy(check)) {
            return false;
        }
        match &member.body {
            Body::Alias { target, evaluate_target_health: true } => {
                level < RECURSION_MAX && self.is_target_healthy(zone, rtype, target, level + 1)
            }
            _ => true,
        }
    }

    fn is_target_healthy(&mut self, zone: ZoneNumber, rtype: Type, target: &Target, level: usize) -> bool {
        match target {
            Target::Here(node) => {
                let found = self.zones.image(zone).node(*node).find(rtype);
                found.is_some_and(|found| self.is_found_healthy(zone, found, level))
            }
            Target::Missing(_) => false,
            Target::Elsewhere(name) => {
                self.name.set(name.wire());
                match elsewhere(self.zones, self.key, &mut self.name, rtype, &mut self.data) {
                    Elsewhere::Served(zone, _, found) => self.is_found_healthy(zone, found, level),
                    Elsewhere::NoData => false,
                    // What isn't served here counts as healthy: nothing is known against it.
                    Elsewhere::Unknown => true,
                }
            }
        }
    }

    fn is_found_healthy(&mut self, zone: ZoneNumber, found: Found, level: usize) -> bool {
        match found {
            Found::Set(_) => true,
            Found::Group(group) => !self.group(zone, group, level).is_empty(),
        }
    }
}

/// Where a name outside an alias's zone leads among the zones here.
pub enum Elsewhere<'z> {
    Served(ZoneNumber, Node<'z>, Found),
    /// It is served here, and has nothing of the type.
    NoData,
    /// Nobody here knows it.
    Unknown,
}

/// What the public zones here have of a name; a CNAME there is followed, and `name` becomes the last one looked for.
/// `data` is a place to write to, and left as it was.
pub(super) fn elsewhere<'z>(
    zones: &'z Zones,
    key: &HashKey,
    name: &mut QueryName,
    rtype: Type,
    data: &mut Vec<u8>,
) -> Elsewhere<'z> {
    let mut hashes = [0; LABELS_MAX + 2];
    for _ in 0..ALIAS_LEVELS_MAX {
        name.hashes(key, &mut hashes);
        let Some(zone) = zones.find(name, &hashes, 0, None) else { return Elsewhere::Unknown };
        let image = zones.image(zone);
        let node = match locate(image, name, &hashes, rtype, key) {
            Located::Exact(node) | Located::Wildcard { wildcard: node, .. } => node,
            Located::NoName { .. } => return Elsewhere::NoData,
            // Its own name servers know, or whoever the DNAME leads to.
            Located::Cut(_) | Located::Dname(_) => return Elsewhere::Unknown,
        };
        if let Some(found) = node.find(rtype) {
            return Elsewhere::Served(zone, node, found);
        }
        let Some(Found::Set(set)) = node.find(Type::CNAME) else { return Elsewhere::NoData };
        let Some(record) = image.set(node, set).records().next() else { return Elsewhere::NoData };
        let start = data.len();
        record.data(data);
        name.set(&data[start..]);
        data.truncate(start);
    }
    Elsewhere::NoData
}
