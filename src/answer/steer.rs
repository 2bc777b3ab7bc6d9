//! Where policies choose: groups, their members, and the aliases between them.

use std::sync::Arc;

use super::walk::{Walk, wire_name};
use super::{Chooser, Chosen, Item, Junction, Owner, Upstream, What};
use crate::geo::Source;
use crate::model::Id;
use crate::moment::Moment;
use crate::policy::{Choice, Member, MemberSet, Policy, Reason, Seen};
use crate::snapshot::Snapshot;
use crate::snapshot::fold::{ALIAS_LEVELS_MAX, Elsewhere};
use crate::snapshot::group::{Alternative, Body, Group, Target};
use crate::snapshot::image::{Found, Node};
use crate::snapshot::upstream::{Heard, Outside, STALE_TTL};
use crate::snapshot::zones::ZoneNumber;
use crate::why::{ClientRule, Step, Unhealthy, Why};
use crate::wire::name::Name;
use crate::wire::query::QueryName;
use crate::wire::response::Section;
use crate::wire::rtype::Type;

/// So many checks are named for one alias that is unhealthy by its target.
const CHECKS_TOLD_MAX: usize = 8;

/// Members below one alias among which these checks are looked for; ours. Trees of aliases can have any number of ways.
const MEMBERS_LOOKED_AT_MAX: usize = 10_000;

impl<'s, C: Chooser, W: Why> Walk<'s, '_, C, W> {
    /// Gives what a node has of a type to the current name. False: there is nothing for this client.
    #[inline(always)]
    pub fn give(&mut self, zone: ZoneNumber, node: Node<'s>, rtype: Type, found: Found, level: usize) -> bool {
        match found {
            Found::Set(set) => {
                self.push_set(zone, node, rtype, set, None);
                true
            }
            Found::Group(group) => self.steer(zone, node, rtype, group, level),
        }
    }

    fn steer(&mut self, zone: ZoneNumber, node: Node<'s>, rtype: Type, number: u32, level: usize) -> bool {
        let snapshot = self.snapshot;
        let group = &snapshot.image(zone).groups[number as usize];
        let (policy, healthy) = snapshot.candidates(zone, number);
        // Placing a client takes time: it is done for those policies that ask, and for whoever wants to know why.
        let seen = if policy.depends_on_place() || self.why.wanted() {
            self.seen(zone)
        } else {
            Seen::unplaced(&snapshot.geography, self.client.network)
        };
        self.answer.policy = Some(policy.kind());
        self.answer.by_client |= policy.depends_on_client();
        if self.why.wanted() {
            if policy.depends_on_place() {
                self.tell_place(zone, &seen);
            }
            self.tell_group(zone, node, group, healthy);
        }
        self.chooser.arrive(&Junction { zone, group: number, level, chased: self.chased, answer: self.answer });
        let choice = self.chooser.choose(policy, healthy, &seen);
        self.answer.chosen = match choice {
            Choice::Nobody => Chosen::Nobody,
            _ if healthy.is_empty() => Chosen::LastResort,
            _ if healthy.len() < group.members.len() => Chosen::Healthy,
            _ => Chosen::AllHealthy,
        };
        if self.client.rule == ClientRule::ClientSubnet || self.why.wanted() {
            self.answer.scope = self.answer.scope.max(policy.scope(healthy, &seen));
        }
        if self.why.wanted() {
            self.tell_choice(group, policy, healthy, &seen, choice);
        }
        match choice {
            Choice::Nobody => false,
            Choice::One(member) => match group.members.get(member.index()) {
                Some(member) => self.member(zone, node, rtype, member, level),
                None => false,
            },
            Choice::Several(members) => self.several(zone, node, rtype, group, members),
        }
    }

    /// One record set, or whatever its alias leads to.
    fn member(&mut self, zone: ZoneNumber, node: Node<'s>, rtype: Type, member: &'s Alternative, level: usize) -> bool {
        let (target, evaluate_target_health) = match &member.body {
            Body::Set(set) => {
                self.push_set(zone, node, rtype, *set, None);
                return true;
            }
            Body::Alias { target, evaluate_target_health } => (target, *evaluate_target_health),
        };
        let snapshot = self.snapshot;
        self.why.step(|| Step::Alias {
            member: member.label().into(),
            target: target_name(snapshot, zone, target),
            evaluate_target_health,
        });
        if level >= ALIAS_LEVELS_MAX {
            self.why.step(|| Step::TooManyAliases { levels: level });
            return false;
        }
        let reached = match target {
            Target::Here(at) => {
                let node = snapshot.image(zone).node(*at);
                node.find(rtype).map(|found| (zone, node, found))
            }
            Target::Missing(_) => None,
            Target::Elsewhere(name) => {
                let mut outside = QueryName::new();
                outside.set(name.wire());
                match snapshot.elsewhere(&mut outside, rtype, &mut self.answer.names) {
                    Elsewhere::Served(zone, node, found) => Some((zone, node, found)),
                    Elsewhere::NoData => None,
                    Elsewhere::Unknown => return self.upstream(outside.wire(), rtype),
                }
            }
        };
        match reached {
            Some((zone, node, found)) => self.give(zone, node, rtype, found, level + 1),
            None => {
                self.why.step(|| Step::AliasWithoutTarget { target: target_name(snapshot, zone, target) });
                false
            }
        }
    }

    /// A name that nobody serves here: what a resolver said of it last, if it has said anything.
    fn upstream(&mut self, name: &[u8], rtype: Type) -> bool {
        let snapshot = self.snapshot;
        self.why.step(|| match stand_in(snapshot, name, rtype) {
            Some(pattern) => Step::StandIn { target: wire_name(name), pattern },
            None => Step::Upstream { target: wire_name(name) },
        });
        let owner: Owner = self.owner();
        match self.snapshot.upstream.heard(name, rtype) {
            Heard::Set { at, stale } => {
                self.answer.stale |= stale;
                let spin = self.any_spin();
                self.push(Item {
                    section: Section::Answer,
                    owner,
                    what: What::Outside { at },
                    ttl: stale.then_some(STALE_TTL),
                    required: true,
                    spin,
                });
                true
            }
            Heard::NoData => {
                self.why.step(|| Step::AliasWithoutTarget { target: wire_name(name) });
                false
            }
            Heard::Unknown => {
                let target = self.answer.keep_name(name);
                self.answer.upstream = Some(Upstream { target, owner, rtype });
                true
            }
        }
    }

    /// Several record sets, answering together under one TTL: the smallest.
    fn several(&mut self, zone: ZoneNumber, node: Node<'s>, rtype: Type, group: &'s Group, members: MemberSet) -> bool {
        let image = self.snapshot.image(zone);
        let set_of = |member: Member| match group.members.get(member.index())?.body {
            Body::Set(set) => Some(set),
            Body::Alias { .. } => None,
        };
        let ttls = members.iter().filter_map(|member| image.ttl(set_of(member)?));
        let (least, most) = ttls.fold((u32::MAX, 0), |(least, most), ttl| (least.min(ttl), most.max(ttl)));
        let ttl = (least != most).then_some(least);
        let first = ((u64::from(self.chooser.spin()) * members.len() as u64) >> 32) as usize;
        let plain = self.chased.is_none() && !self.dnssec;
        let mut item = None;
        for member in members.iter().skip(first).chain(members.iter().take(first)) {
            let Some(set) = set_of(member) else { continue };
            if !plain {
                self.push_set(zone, node, rtype, set, ttl);
                continue;
            }
            // Without a chain or signatures, sets of one name differ in nothing but where they stand.
            let mut item = *item.get_or_insert_with(|| self.item(zone, node, rtype, set, ttl));
            if let What::Set { set: stands_at, .. } = &mut item.what {
                *stands_at = set;
            }
            item.spin = self.spin(zone, set);
            self.push(item);
        }
        true
    }

    /// The client as policies see it: by its network, or in a private zone by its VPC's region.
    fn seen(&mut self, zone: ZoneNumber) -> Seen<'s> {
        let snapshot = self.snapshot;
        let private = snapshot.image(zone).visibility != crate::model::zone::Visibility::Public;
        if let Some((of_private, seen)) = self.seen
            && of_private == private
        {
            return seen;
        }
        let region = if private { self.client.vpc.and_then(|vpc| snapshot.vpc_region(vpc)) } else { None };
        let geography = &*snapshot.geography;
        let seen = match region {
            Some(region) => Seen::vpc(geography, self.client.network, region),
            None => Seen::client(geography, self.client.network),
        };
        self.seen = Some((private, seen));
        seen
    }

    /// Once for each zone: a chain may lead from a private zone to a public one.
    fn tell_place(&mut self, zone: ZoneNumber, seen: &Seen<'s>) {
        let geography = &*self.snapshot.geography;
        if self.placed.replace(zone) == Some(zone) {
            return;
        }
        let region = seen.region_only.and_then(|region| geography.region(region));
        self.why.step(|| Step::Place {
            place: *geography.place(seen.place),
            source: match region {
                Some(region) => Source::Region(region.name.clone()),
                None => geography.source(seen.network.network()),
            },
        });
    }

    fn tell_group(&mut self, zone: ZoneNumber, node: Node<'s>, group: &'s Group, healthy: MemberSet) {
        let snapshot = self.snapshot;
        self.why.step(|| Step::Group {
            name: wire_name(node.name),
            rtype: group.rtype,
            policy: group.policy_word(),
            members: group.members.len(),
        });
        for (member, alternative) in (0..).map(Member).zip(&group.members) {
            if !healthy.contains(member) {
                self.why.step(|| Step::Out {
                    member: alternative.label().into(),
                    because: why_unhealthy(snapshot, zone, group.rtype, alternative),
                });
            }
        }
        if healthy.is_empty() {
            self.why.step(|| Step::NobodyHealthy);
        }
    }

    fn tell_choice(&mut self, group: &Group, policy: &Policy, healthy: MemberSet, seen: &Seen<'_>, choice: Choice) {
        let reason = policy.reason(healthy, seen, choice);
        let label = |member: Member| Some(group.members.get(member.index())?.label().into());
        let members: Vec<_> = choice.members().iter().filter_map(label).collect();
        let otherwise = match reason {
            Reason::Geoproximity { by_the_other_formula: Some(other), .. } => label(other),
            _ => None,
        };
        self.why.step(|| match choice {
            Choice::Nobody => Step::NobodyChosen { reason },
            _ => Step::Choose { members, reason, otherwise },
        });
    }
}

fn target_name(snapshot: &Snapshot, zone: ZoneNumber, target: &Target) -> Name {
    match target {
        Target::Here(at) => wire_name(snapshot.image(zone).node(*at).name),
        Target::Missing(name) | Target::Elsewhere(name) => (**name).clone(),
    }
}

/// The pattern of the stand-in that answers for a name outside.
fn stand_in(snapshot: &Snapshot, name: &[u8], rtype: Type) -> Option<Id> {
    let outside = Outside { name: Arc::new(wire_name(name)), rtype };
    let stand_in = snapshot.settings.stand_ins.of(&outside)?;
    snapshot.upstream.is_stand_in(name, rtype).then(|| Id::from(&*stand_in.pattern))
}

fn why_unhealthy(snapshot: &Snapshot, zone: ZoneNumber, rtype: Type, member: &Alternative) -> Unhealthy {
    if let Some(check) = &member.health_check
        && let Some(verdict) = snapshot.verdicts.get(check)
        && !verdict.healthy
    {
        return Unhealthy::Check { check: check.clone(), since: verdict.since, reason: verdict.reason };
    }
    let Body::Alias { target, .. } = &member.body else {
        return Unhealthy::Target { target: Name::root(), checks: Vec::new() };
    };
    let mut checks = Vec::new();
    below(snapshot, zone, rtype, target, 1, &mut checks, &mut { MEMBERS_LOOKED_AT_MAX });
    Unhealthy::Target { target: target_name(snapshot, zone, target), checks }
}

/// The unhealthy checks below an alias, each once.
fn below(
    snapshot: &Snapshot,
    zone: ZoneNumber,
    rtype: Type,
    target: &Target,
    level: usize,
    checks: &mut Vec<(Id, Moment)>,
    left: &mut usize,
) {
    let found = match target {
        Target::Here(at) => snapshot.image(zone).node(*at).find(rtype).map(|found| (zone, found)),
        Target::Missing(_) => None,
        Target::Elsewhere(name) => {
            let mut outside = QueryName::new();
            outside.set(name.wire());
            match snapshot.elsewhere(&mut outside, rtype, &mut Vec::new()) {
                Elsewhere::Served(zone, _, found) => Some((zone, found)),
                Elsewhere::NoData | Elsewhere::Unknown => None,
            }
        }
    };
    let Some((zone, Found::Group(number))) = found else { return };
    for member in &snapshot.image(zone).groups[number as usize].members {
        if checks.len() >= CHECKS_TOLD_MAX || *left == 0 {
            return;
        }
        *left -= 1;
        let unhealthy = member.health_check.as_ref().filter(|check| !snapshot.verdicts.healthy(check));
        match (unhealthy, &member.body) {
            (Some(check), _) => {
                let since = snapshot.verdicts.get(check).map_or(Moment::START, |verdict| verdict.since);
                if checks.iter().all(|(known, _)| known != check) {
                    checks.push((check.clone(), since));
                }
            }
            (None, Body::Alias { target, .. }) if level < ALIAS_LEVELS_MAX => {
                below(snapshot, zone, rtype, target, level + 1, checks, left);
            }
            (None, _) => {}
        }
    }
}
