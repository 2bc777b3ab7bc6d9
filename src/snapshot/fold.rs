//! Health folded into candidates: for each group, which of its members are healthy now.
//!
//! A record is as healthy as its check; an alias that evaluates its target's health is healthy while the target is,
//! and a group is while one of its members is (Route 53 Developer Guide, "How Amazon Route 53 chooses records when
//! health checking is configured"). The walk is from the leaves up, each group once.
//!
//! The first fold notes which groups go by which check, and which follow others through aliases. When a check turns,
//! these are folded again and no others, and what did not change is shared with the fold before.

use std::collections::HashMap;
use std::sync::Arc;

use super::group::Target;
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
    /// Which checks are healthy, by their numbers in `roots`.
    checks: Arc<[bool]>,
}

/// What the healthy members of groups rest on, the same as long as zones are.
#[derive(Default)]
struct Roots {
    /// The checks that records go by, numbered: a flip then looks up no names but those of checks that turned.
    numbers: HashMap<Id, u32>,
    /// The groups that have a record which goes by the check of a number, each once.
    by_check: Vec<Vec<u32>>,
    /// What each record's health rests on, group after group.
    members: Vec<Rests>,
    /// Where the records of each group begin in `members`, and where the last one's end.
    first_member: Vec<u32>,
    /// The groups that follow a group through an alias.
    followers: HashMap<u32, Vec<u32>>,
    /// A walk along aliases was cut short: where it begins then matters, so that all have to be folded together.
    cut_short: bool,
}

/// What the health of a record rests on, in four bytes: ten thousand groups are folded from memory that lies in a row,
/// instead of from their records, which lie anywhere.
#[derive(Clone, Copy)]
struct Rests(u32);

impl Rests {
    /// The number of no check.
    const NO_CHECK: u32 = u32::MAX >> 1;
    /// On what its alias leads to as well.
    const FOLLOWS: u32 = !Rests::NO_CHECK;

    fn on(check: u32, follows: bool) -> Rests {
        Rests(check | if follows { Rests::FOLLOWS } else { 0 })
    }

    fn check(self) -> u32 {
        self.0 & Rests::NO_CHECK
    }

    fn follows(self) -> bool {
        self.0 & Rests::FOLLOWS != 0
    }
}

impl Healthy {
    /// Folds every group.
    pub fn fold(zones: &Zones, verdicts: &Verdicts, key: &HashKey) -> Healthy {
        let mut roots = Roots::default();
        let mut checks = Vec::new();
        for (number, (zone, group)) in (0..).zip(zones.all_groups()) {
            roots.first_member.push(roots.members.len() as u32);
            for member in &zones.image(zone).groups[group as usize].members {
                let check = member.health_check.as_ref().map_or(Rests::NO_CHECK, |check| {
                    roots.number(check).unwrap_or_else(|| {
                        checks.push(verdicts.healthy(check));
                        roots.add(check)
                    })
                });
                roots.members.push(Rests::on(check, member.followed().is_some()));
                if let Some(groups) = roots.by_check.get_mut(check as usize)
                    && groups.last() != Some(&number)
                {
                    groups.push(number);
                }
            }
        }
        roots.first_member.push(roots.members.len() as u32);
        let states = States { others: None, chunks: all_of(zones.groups(), || Some(unknown())) };
        let mut fold = Fold::new(zones, key, states, &roots, &checks);
        let members: Vec<MemberSet> = zones.all_groups().map(|(zone, group)| fold.group(zone, group, 0)).collect();
        let Fold { followers, cut_short, .. } = fold;
        (roots.followers, roots.cut_short) = (followers, cut_short);
        Healthy {
            chunks: members.chunks(CHUNK).map(Arc::from).collect(),
            roots: Arc::new(roots),
            checks: checks.into(),
        }
    }

    /// The same zones' under other verdicts: what goes by a check that turned is folded again.
    pub fn refold(&self, zones: &Zones, before: &Verdicts, verdicts: &Verdicts, key: &HashKey) -> Healthy {
        let Some(turned) = verdicts.turned_since(before).filter(|_| !self.roots.cut_short) else {
            return Healthy::fold(zones, verdicts, key);
        };
        let mut checks = self.checks.clone();
        let mut numbers = Vec::new();
        for check in turned {
            let Some(number) = self.roots.number(check) else { continue };
            numbers.push(number);
            Arc::make_mut(&mut checks)[number as usize] = verdicts.healthy(check);
        }
        if numbers.is_empty() {
            return self.clone();
        }
        let mut states = States { others: Some(self), chunks: all_of(zones.groups(), || None) };
        let due = self.roots.resting_on(numbers, &mut states);
        let mut fold = Fold::new(zones, key, states, &self.roots, &checks);
        let mut chunks = self.chunks.to_vec();
        // In the order of a fold of all, so that aliases in a circle are entered at the same place.
        for (number, (zone, group)) in due.iter().zip(zones.zones_of(&due)) {
            let members = fold.group(zone, group, 0);
            if members != self.get(*number as usize) {
                let (chunk, place) = place_of(*number as usize);
                Arc::make_mut(&mut chunks[chunk])[place] = members;
            }
        }
        if fold.cut_short {
            return Healthy::fold(zones, verdicts, key);
        }
        Healthy { chunks: chunks.into(), roots: self.roots.clone(), checks }
    }

    #[inline]
    pub fn get(&self, group: usize) -> MemberSet {
        let (chunk, place) = place_of(group);
        self.chunks[chunk][place]
    }

    /// The groups that have a record which goes by this check, in their order.
    pub fn going_by(&self, check: &str) -> &[u32] {
        let number = self.roots.numbers.get(check);
        number.and_then(|&number| self.roots.by_check.get(number as usize)).map_or(&[], Vec::as_slice)
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

/// One for each chunk of so many groups.
fn all_of<T>(groups: usize, one: impl FnMut() -> T) -> Vec<T> {
    std::iter::repeat_with(one).take(groups.div_ceil(CHUNK)).collect()
}

fn unknown() -> Box<[State]> {
    [State::Not; CHUNK].into()
}

impl Roots {
    fn number(&self, check: &Id) -> Option<u32> {
        self.numbers.get(check).copied()
    }

    /// What the records of a group rest on.
    fn members_of(&self, group: usize) -> &[Rests] {
        match self.first_member[group..] {
            [first, end, ..] => &self.members[first as usize..end as usize],
            _ => &[],
        }
    }

    fn add(&mut self, check: &Id) -> u32 {
        let number = self.by_check.len() as u32;
        self.numbers.insert(check.clone(), number);
        self.by_check.push(Vec::new());
        number
    }

    /// The groups that go by one of these checks, and those that follow them, near and far; nothing is known of their
    /// states any more.
    fn resting_on(&self, checks: Vec<u32>, states: &mut States<'_>) -> Vec<u32> {
        let groups = |&check: &u32| self.by_check.get(check as usize).into_iter().flatten();
        let mut fresh: Vec<u32> = checks.iter().flat_map(groups).copied().collect();
        let mut due = Vec::with_capacity(fresh.len());
        while let Some(group) = fresh.pop() {
            if states.forget(group as usize) {
                due.push(group);
                if !self.followers.is_empty() {
                    fresh.extend(self.followers.get(&group).into_iter().flatten());
                }
            }
        }
        due.sort_unstable();
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
struct States<'a> {
    /// Groups in chunks that are not here are as they were there.
    others: Option<&'a Healthy>,
    chunks: Vec<Option<Box<[State]>>>,
}

impl States<'_> {
    fn get(&self, group: usize) -> State {
        let (chunk, place) = place_of(group);
        match (&self.chunks[chunk], self.others) {
            (Some(chunk), _) => chunk[place],
            (None, Some(others)) => State::Members(others.get(group)),
            (None, None) => State::Not,
        }
    }

    fn set(&mut self, group: usize, state: State) {
        let (chunk, place) = place_of(group);
        let others = self.others;
        let states = self.chunks[chunk].get_or_insert_with(|| {
            let mut states = unknown();
            let known = others.map_or(&[][..], |others| &others.chunks[chunk]);
            states.iter_mut().zip(known).for_each(|(state, &members)| *state = State::Members(members));
            states
        });
        states[place] = state;
    }

    /// False where it was forgotten already.
    fn forget(&mut self, group: usize) -> bool {
        let known = !matches!(self.get(group), State::Not);
        if known {
            self.set(group, State::Not);
        }
        known
    }
}

struct Fold<'a> {
    zones: &'a Zones,
    key: &'a HashKey,
    states: States<'a>,
    roots: &'a Roots,
    checks: &'a [bool],
    /// Noted on a walk through all groups, for the roots of later ones.
    followers: HashMap<u32, Vec<u32>>,
    cut_short: bool,
    name: QueryName,
    data: Vec<u8>,
}

impl<'a> Fold<'a> {
    fn new(zones: &'a Zones, key: &'a HashKey, states: States<'a>, roots: &'a Roots, checks: &'a [bool]) -> Fold<'a> {
        let (name, data) = (QueryName::new(), Vec::new());
        Fold { zones, key, states, roots, checks, followers: HashMap::new(), cut_short: false, name, data }
    }

    fn group(&mut self, zone: ZoneNumber, group: u32, level: usize) -> MemberSet {
        let number = self.zones.group(zone, group);
        match self.states.get(number) {
            State::Members(known) => return known,
            State::Begun => return MemberSet::NOBODY,
            State::Not => self.states.set(number, State::Begun),
        }
        let roots = self.roots;
        let mut healthy = MemberSet::NOBODY;
        for (member, &rests) in (0..).map(Member).zip(roots.members_of(number)) {
            let mut well = self.checks.get(rests.check() as usize) != Some(&false);
            if rests.follows() {
                // Whatever its check says: later folds go by who follows whom.
                let leads = self.leads(zone, group, member);
                well = well && self.is_well(leads, level);
            }
            if well {
                healthy = healthy.with(member);
            }
        }
        self.states.set(number, State::Members(healthy));
        healthy
    }

    /// Where the alias of a member leads. A walk through all groups notes who follows whom.
    fn leads(&mut self, zone: ZoneNumber, group: u32, member: Member) -> Leads {
        let (zones, number) = (self.zones, self.zones.group(zone, group));
        let group = &zones.image(zone).groups[group as usize];
        let Some(target) = group.members[member.index()].followed() else { return Leads::Well };
        let leads = self.follow(zone, group.rtype, target);
        if let (None, Leads::To(zone, group)) = (self.states.others, leads) {
            let followed = zones.group(zone, group) as u32;
            self.followers.entry(followed).or_default().push(number as u32);
        }
        leads
    }

    fn is_well(&mut self, leads: Leads, level: usize) -> bool {
        match leads {
            Leads::Well => true,
            Leads::Nowhere => false,
            Leads::To(..) if level == RECURSION_MAX => {
                self.cut_short = true;
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
