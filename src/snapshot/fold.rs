//! Health folded into candidates: for each group, which of its members are healthy now.
//!
//! A record is as healthy as its check; an alias that evaluates its target's health is healthy while the target is,
//! and a group is while one of its members is (Route 53 Developer Guide, "How Amazon Route 53 chooses records when
//! health checking is configured"). The walk is from the leaves up, each group once.
//!
//! The first walk notes which groups go by which check, and which follow others through aliases. When a check turns,
//! these are folded again and no others, and what did not change is shared with the fold before.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::group::{Alternative, Body, Target};
use super::image::{Found, Node};
use super::locate::{Located, locate};
use super::zones::{ZoneNumber, Zones};
use crate::health::verdicts::Verdicts;
use crate::model::Id;
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

/// So many groups change together: a flip copies chunks of 16 KiB, however many groups there are. Ours.
const CHUNK: usize = 1024;

/// The healthy members of every group, by the group's number among all.
#[derive(Clone)]
pub struct Healthy {
    chunks: Arc<[Arc<[MemberSet]>]>,
    roots: Arc<Roots>,
}

/// What the healthy members of groups rest on, the same as long as zones are.
#[derive(Default)]
struct Roots {
    /// The groups that have a record which goes by the check.
    by_check: HashMap<Id, Vec<u32>>,
    /// The groups that follow a group through an alias.
    followers: HashMap<u32, Vec<u32>>,
    /// A walk along aliases was cut short: where it begins then matters, so that all have to be folded together.
    cut_short: bool,
}

impl Healthy {
    /// Folds every group.
    pub fn fold(zones: &Zones, verdicts: &Verdicts, key: &HashKey) -> Healthy {
        let states = vec![State::Not; zones.groups()];
        let mut fold = Fold::new(zones, verdicts, key, States::All(states));
        let mut members = Vec::with_capacity(zones.groups());
        for &zone in zones.steered() {
            for group in 0..zones.image(zone).groups.len() as u32 {
                members.push(fold.group(zone, group, 0));
            }
        }
        Healthy { chunks: members.chunks(CHUNK).map(Arc::from).collect(), roots: Arc::new(fold.roots) }
    }

    /// The same zones' under other verdicts: what goes by a check that turned is folded again.
    pub fn refold(&self, zones: &Zones, before: &Verdicts, verdicts: &Verdicts, key: &HashKey) -> Healthy {
        let Some(turned) = verdicts.turned_since(before).filter(|_| !self.roots.cut_short) else {
            return Healthy::fold(zones, verdicts, key);
        };
        let due = self.roots.resting_on(turned);
        if due.is_empty() {
            return self.clone();
        }
        let states = States::Due { others: self, due: due.iter().map(|&group| (group, State::Not)).collect() };
        let mut fold = Fold::new(zones, verdicts, key, states);
        let mut chunks = self.chunks.to_vec();
        // In the order of a fold of all, so that aliases in a circle are entered at the same place.
        for number in due {
            let (zone, group) = zones.zone_of(number as usize);
            let members = fold.group(zone, group, 0);
            if members != self.get(number as usize) {
                let (chunk, place) = place_of(number as usize);
                Arc::make_mut(&mut chunks[chunk])[place] = members;
            }
        }
        if fold.roots.cut_short {
            return Healthy::fold(zones, verdicts, key);
        }
        Healthy { chunks: chunks.into(), roots: self.roots.clone() }
    }

    #[inline]
    pub fn get(&self, group: usize) -> MemberSet {
        let (chunk, place) = place_of(group);
        self.chunks[chunk][place]
    }

    /// The groups whose healthy members may be others than in `before`, a fold of the same zones.
    pub fn differing(&self, before: &Healthy) -> impl Iterator<Item = usize> {
        let chunks = (0..).zip(self.chunks.iter().zip(before.chunks.iter()));
        let differing = chunks.filter(|(_, (chunk, before))| !Arc::ptr_eq(chunk, before));
        differing.flat_map(|(number, (chunk, _))| number * CHUNK..number * CHUNK + chunk.len())
    }
}

fn place_of(group: usize) -> (usize, usize) {
    (group / CHUNK, group % CHUNK)
}

impl Roots {
    /// The groups that go by one of these checks, and those that follow them, near and far.
    fn resting_on<'i>(&self, checks: impl IntoIterator<Item = &'i Id>) -> BTreeSet<u32> {
        let mut fresh: Vec<u32> =
            checks.into_iter().filter_map(|check| self.by_check.get(check)).flatten().copied().collect();
        let mut due = BTreeSet::new();
        while let Some(group) = fresh.pop() {
            if due.insert(group) {
                fresh.extend(self.followers.get(&group).into_iter().flatten());
            }
        }
        due
    }
}

#[derive(Clone, Copy)]
enum State {
    Not,
    /// Its members are being looked at: an alias that leads back here leads in a circle.
    Begun,
    Members(MemberSet),
}

/// What is known of the groups on a walk.
enum States<'a> {
    All(Vec<State>),
    /// These are folded again, all others are as they were.
    Due {
        others: &'a Healthy,
        due: HashMap<u32, State>,
    },
}

impl States<'_> {
    fn get(&self, group: usize) -> State {
        match self {
            States::All(all) => all[group],
            States::Due { others, due } => {
                due.get(&(group as u32)).copied().unwrap_or_else(|| State::Members(others.get(group)))
            }
        }
    }

    fn set(&mut self, group: usize, state: State) {
        match self {
            States::All(all) => all[group] = state,
            States::Due { due, .. } => _ = due.insert(group as u32, state),
        }
    }
}

struct Fold<'a> {
    zones: &'a Zones,
    verdicts: &'a Verdicts,
    key: &'a HashKey,
    states: States<'a>,
    roots: Roots,
    name: QueryName,
    data: Vec<u8>,
}

impl<'a> Fold<'a> {
    fn new(zones: &'a Zones, verdicts: &'a Verdicts, key: &'a HashKey, states: States<'a>) -> Fold<'a> {
        let (roots, name, data) = (Roots::default(), QueryName::new(), Vec::new());
        Fold { zones, verdicts, key, states, roots, name, data }
    }

    fn group(&mut self, zone: ZoneNumber, group: u32, level: usize) -> MemberSet {
        let number = self.zones.group(zone, group);
        match self.states.get(number) {
            State::Members(known) => return known,
            State::Begun => return MemberSet::NOBODY,
            State::Not => self.states.set(number, State::Begun),
        }
        let zones = self.zones;
        let group = &zones.image(zone).groups[group as usize];
        let mut healthy = MemberSet::NOBODY;
        for (member, alternative) in (0..).map(Member).zip(&group.members) {
            self.note(number, alternative);
            if self.is_healthy(zone, group.rtype, number, alternative, level) {
                healthy = healthy.with(member);
            }
        }
        self.states.set(number, State::Members(healthy));
        healthy
    }

    /// Notes by which check a record goes, whatever the check says now.
    fn note(&mut self, group: usize, member: &Alternative) {
        if let (States::All(_), Some(check)) = (&self.states, &member.health_check) {
            match self.roots.by_check.get_mut(check) {
                Some(groups) => groups.push(group as u32),
                None => _ = self.roots.by_check.insert(check.clone(), vec![group as u32]),
            }
        }
    }

    fn is_healthy(&mut self, zone: ZoneNumber, rtype: Type, number: usize, member: &Alternative, level: usize) -> bool {
        let leads = match &member.body {
            Body::Alias { target, evaluate_target_health: true } => self.follow(zone, rtype, target),
            _ => Leads::Well,
        };
        if let (States::All(_), Leads::To(zone, group)) = (&self.states, leads) {
            let followed = self.zones.group(zone, group) as u32;
            self.roots.followers.entry(followed).or_default().push(number as u32);
        }
        if member.health_check.as_ref().is_some_and(|check| !self.verdicts.healthy(check)) {
            return false;
        }
        match leads {
            Leads::Well => true,
            Leads::Nowhere => false,
            Leads::To(..) if level == RECURSION_MAX => {
                self.roots.cut_short = true;
                false
            }
            Leads::To(zone, group) => !self.group(zone, group, level + 1).is_empty(),
        }
    }

    fn follow(&mut self, zone: ZoneNumber, rtype: Type, target: &Target) -> Leads {
        let (zone, found) = match target {
            Target::Here(node) => (zone, self.zones.image(zone).node(*node).find(rtype)),
            Target::Missing(_) => return Leads::Nowhere,
            Target::Elsewhere(name) => {
                self.name.set(name.wire());
                match elsewhere(self.zones, self.key, &mut self.name, rtype, &mut self.data) {
                    Elsewhere::Served(zone, _, found) => (zone, Some(found)),
                    Elsewhere::NoData => return Leads::Nowhere,
                    // What isn't served here counts as healthy: nothing is known against it.
                    Elsewhere::Unknown => return Leads::Well,
                }
            }
        };
        match found {
            None => Leads::Nowhere,
            Some(Found::Set(_)) => Leads::Well,
            Some(Found::Group(group)) => Leads::To(zone, group),
        }
    }
}

/// Where an alias leads, as far as its health goes.
#[derive(Clone, Copy)]
enum Leads {
    /// To what is always healthy.
    Well,
    Nowhere,
    To(ZoneNumber, u32),
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
