//! What a group's answers rest on: the health checks of its records, and those behind its aliases.

use std::collections::BTreeSet;

use super::Snapshot;
use super::fold::{Elsewhere, elsewhere};
use super::group::{Body, Group, Target};
use super::image::Found;
use super::zones::ZoneNumber;
use crate::model::Id;
use crate::wire::query::QueryName;

impl Snapshot {
    /// The health checks that decide who is healthy in a group of this zone.
    pub fn checks_behind<'s>(&'s self, zone: ZoneNumber, group: &'s Group) -> BTreeSet<&'s Id> {
        let mut checks = BTreeSet::new();
        let mut seen: Vec<&Group> = Vec::new();
        let mut waiting = vec![(zone, group)];
        while let Some((zone, group)) = waiting.pop() {
            // Aliases may lead in a circle.
            if seen.iter().any(|known| std::ptr::eq(*known, group)) {
                continue;
            }
            seen.push(group);
            for member in &group.members {
                checks.extend(member.health_check.as_ref());
                if let Body::Alias { target, evaluate_target_health: true } = &member.body {
                    waiting.extend(self.target_group(zone, group, target));
                }
            }
        }
        checks
    }

    /// The group that an alias of this group leads to, if it leads to one.
    fn target_group<'s>(&'s self, zone: ZoneNumber, of: &Group, target: &Target) -> Option<(ZoneNumber, &'s Group)> {
        let (zone, found) = match target {
            Target::Here(node) => (zone, self.image(zone).node(*node).find(of.rtype)?),
            Target::Missing(_) => return None,
            Target::Elsewhere(name) => {
                let mut outside = QueryName::new();
                outside.set(name.wire());
                match elsewhere(&self.zones, &self.key, &mut outside, of.rtype, &mut Vec::new()) {
                    Elsewhere::Served(zone, _, found) => (zone, found),
                    Elsewhere::NoData | Elsewhere::Unknown => return None,
                }
            }
        };
        match found {
            Found::Group(group) => Some((zone, &self.image(zone).groups[group as usize])),
            Found::Set(_) => None,
        }
    }
}
