//! All zones, found by the longest end of a name that is a zone here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ahead::WORTH_BYTES;
use super::image::{ZoneImage, home};
use crate::model::Id;
use crate::model::zone::Visibility;
use crate::wire::hash::{HashKey, Hashes};
use crate::wire::name::Name;
use crate::wire::query::QueryName;
use crate::wire::words::same;

/// A zone by its number in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ZoneNumber(pub u32);

/// A VPC by its number in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VpcNumber(pub u32);

/// So many ends of a name are looked for ahead.
const ORIGINS_GUESSED: usize = 4;

/// No other zone of the same name.
const NONE: u32 = u32::MAX;

pub struct Zones {
    entries: Box<[Entry]>,
    /// Open addressing by the hash of the origin; a number more than the entry's, so that 0 is empty. Shared with the
    /// zones that this one's differ from by their contents only.
    slots: Arc<[Slot]>,
    /// The zones that have groups.
    steered: Box<[ZoneNumber]>,
    /// The VPCs that see the private zones, each zone's by themselves.
    seen_by: Arc<[Box<[VpcNumber]>]>,
    most_labels: usize,
    any_private: bool,
    any_public: bool,
    groups: u32,
    bytes: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u32,
    entry: u32,
}

/// Small: there may be a hundred thousand, and each is met where it is in no cache.
#[derive(Clone)]
struct Entry {
    image: Arc<ZoneImage>,
    /// Its groups are numbered from here among those of all zones.
    first_group: u32,
    /// Its number among the zones that have groups, if it has any.
    steered: u32,
    /// The next zone of the same name.
    next: u32,
    /// The place of the VPCs that see it, or `NONE`: everybody does.
    seen_by: u32,
}

impl Zones {
    /// Zones in the order given, which decides between public zones of the same name: the first is served.
    pub fn new(images: Vec<Arc<ZoneImage>>, key: &HashKey, vpcs: &BTreeMap<Id, VpcNumber>) -> Zones {
        let length = images.len() * 3 / 2 + 1;
        let mut slots = vec![Slot::default(); length];
        let mut entries: Vec<Entry> = Vec::with_capacity(images.len());
        let (mut steered, mut seen_by) = (Vec::new(), Vec::new());
        let (mut groups, mut most_labels) = (0, 0);
        for image in images {
            let number = entries.len() as u32;
            most_labels = most_labels.max(image.origin_labels());
            let hash = key.of(image.origin.wire());
            let mut index = home(hash, length);
            loop {
                let slot = slots[index];
                let Some(mut other) = slot.entry.checked_sub(1) else {
                    slots[index] = Slot { tag: hash as u32, entry: number + 1 };
                    break;
                };
                if slot.tag == hash as u32 && entries[other as usize].image.origin == image.origin {
                    while entries[other as usize].next != NONE {
                        other = entries[other as usize].next;
                    }
                    entries[other as usize].next = number;
                    break;
                }
                index = if index + 1 == length { 0 } else { index + 1 };
            }
            let its_vpcs = match &image.visibility {
                Visibility::Public => NONE,
                Visibility::Private(ids) => {
                    seen_by.push(ids.iter().filter_map(|id| vpcs.get(id).copied()).collect());
                    seen_by.len() as u32 - 1
                }
            };
            let (first_group, its_number) = (groups, steered.len() as u32);
            if !image.groups.is_empty() {
                steered.push(ZoneNumber(number));
            }
            groups += image.groups.len() as u32;
            entries.push(Entry { image, first_group, steered: its_number, next: NONE, seen_by: its_vpcs });
        }
        Zones {
            any_private: !seen_by.is_empty(),
            any_public: entries.iter().any(|entry| entry.seen_by == NONE),
            seen_by: seen_by.into(),
            bytes: entries.iter().map(|entry| entry.image.bytes()).sum(),
            entries: entries.into_boxed_slice(),
            slots: slots.into(),
            steered: steered.into(),
            most_labels,
            groups,
        }
    }

    /// The same with another image in the place of one: what finds zones by their names is shared. None where `old`
    /// is not among them, or the new one is not for the same name and clients.
    pub fn with(&self, key: &HashKey, old: &Arc<ZoneImage>, new: Arc<ZoneImage>) -> Option<(Zones, ZoneNumber)> {
        if old.origin != new.origin || old.visibility != new.visibility {
            return None;
        }
        let origin = old.origin.wire();
        let is_old = |number: u32| Arc::ptr_eq(&self.entries[number as usize].image, old);
        let first = self.first_at(origin, key.of(origin))?;
        let mut same_name = std::iter::successors(Some(first), |&number| {
            Some(self.entries[number as usize].next).filter(|&next| next != NONE)
        });
        let number = same_name.find(|&number| is_old(number))?;
        let mut entries = self.entries.clone();
        let (before, after) = (old.groups.len() as u32, new.groups.len() as u32);
        let bytes = (self.bytes + new.bytes()).saturating_sub(old.bytes());
        entries[number as usize].image = new;
        let steered: Box<[ZoneNumber]> = if (before == 0) == (after == 0) {
            self.steered.clone()
        } else {
            let others = self.steered.iter().copied().filter(|zone| zone.0 != number);
            let mut steered: Vec<ZoneNumber> = others.chain((after > 0).then_some(ZoneNumber(number))).collect();
            steered.sort();
            steered.into()
        };
        for later in &mut entries[number as usize + 1..] {
            later.first_group = later.first_group - before + after;
            later.steered = later.steered - u32::from(before > 0) + u32::from(after > 0);
        }
        let groups = self.groups - before + after;
        let (slots, seen_by) = (self.slots.clone(), self.seen_by.clone());
        Some((Zones { entries, slots, steered, seen_by, groups, bytes, ..*self }, ZoneNumber(number)))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether names are spread over more memory than a processor's caches hold.
    pub(super) fn is_worth_looking_ahead(&self) -> bool {
        self.bytes > WORTH_BYTES
    }

    pub fn any_private(&self) -> bool {
        self.any_private
    }

    /// How many groups all zones have.
    pub fn groups(&self) -> usize {
        self.groups as usize
    }

    /// The zones that have groups, in order.
    pub fn steered(&self) -> &[ZoneNumber] {
        &self.steered
    }

    /// The place of a zone with groups among those.
    pub fn steered_number(&self, zone: ZoneNumber) -> usize {
        self.entries[zone.0 as usize].steered as usize
    }

    /// The zone and its group that have this number among all groups.
    pub fn zone_of(&self, group: usize) -> (ZoneNumber, u32) {
        let first = |zone: ZoneNumber| self.entries[zone.0 as usize].first_group as usize;
        let after = self.steered.partition_point(|&zone| first(zone) <= group);
        let zone = self.steered[after - 1];
        (zone, (group - first(zone)) as u32)
    }

    /// All groups in the order of their numbers.
    pub fn all_groups(&self) -> impl Iterator<Item = (ZoneNumber, u32)> {
        let groups_of = |&zone: &ZoneNumber| (0..self.image(zone).groups.len() as u32).map(move |group| (zone, group));
        self.steered.iter().flat_map(groups_of)
    }

    /// The zones of some groups, and the groups' numbers there. The groups are in order, so that the next one is mostly
    /// in the same zone or the next.
    pub fn zones_of(&self, groups: &[u32]) -> impl Iterator<Item = (ZoneNumber, u32)> {
        let first = |&zone: &ZoneNumber| self.entries[zone.0 as usize].first_group;
        let mut at = 0;
        groups.iter().map(move |&group| {
            let later = self.steered.get(at + 1..).unwrap_or_default();
            let is_before = |zone: &ZoneNumber| first(zone) <= group;
            at += match later {
                [next, after, ..] if is_before(next) && is_before(after) => later.partition_point(is_before),
                [next, ..] if is_before(next) => 1,
                _ => 0,
            };
            let zone = self.steered[at];
            (zone, group - first(&zone))
        })
    }

    pub fn numbers(&self) -> impl Iterator<Item = ZoneNumber> + use<> {
        (0..self.entries.len() as u32).map(ZoneNumber)
    }

    #[inline]
    pub fn image(&self, zone: ZoneNumber) -> &ZoneImage {
        &self.entries[zone.0 as usize].image
    }

    pub fn shared_image(&self, zone: ZoneNumber) -> Arc<ZoneImage> {
        self.entries[zone.0 as usize].image.clone()
    }

    /// The number among all groups of a zone's group.
    pub fn group(&self, zone: ZoneNumber, group: u32) -> usize {
        (self.entries[zone.0 as usize].first_group + group) as usize
    }

    /// Reads the slots that tell which zone a name is in, for nothing but having them read.
    #[inline]
    pub(super) fn touch(&self, name: &QueryName, hashes: &Hashes) -> u32 {
        let slots = self.origins(name, hashes).map(|hash| self.slots[home(hash, self.slots.len())]);
        slots.fold(0, |read, slot| read ^ slot.tag)
    }

    /// The entry of the zone that a name is probably in, one more than its number, from the slots alone: a hint.
    #[inline]
    pub(super) fn guess(&self, name: &QueryName, hashes: &Hashes) -> u32 {
        self.origins(name, hashes).map(|hash| self.tagged(hash)).find(|&entry| entry != 0).unwrap_or(0)
    }

    /// The hashes of the longest ends of a name that may be zones here.
    #[inline]
    fn origins(&self, name: &QueryName, hashes: &Hashes) -> impl Iterator<Item = u64> {
        let labels = name.labels();
        hashes[labels.saturating_sub(self.most_labels)..=labels].iter().copied().take(ORIGINS_GUESSED)
    }

    /// What the first slot with this hash's tag has; 0 where there is none.
    #[inline]
    fn tagged(&self, hash: u64) -> u32 {
        let mut index = home(hash, self.slots.len());
        loop {
            let slot = self.slots[index];
            if slot.entry == 0 || slot.tag == hash as u32 {
                return slot.entry;
            }
            index = if index + 1 == self.slots.len() { 0 } else { index + 1 };
        }
    }

    /// The zone of a guess.
    #[inline]
    pub(super) fn guessed(&self, entry: u32) -> Option<&ZoneImage> {
        self.entries.get(entry.checked_sub(1)? as usize).map(|entry| &*entry.image)
    }

    /// The zone for a name, its first `skip` labels left aside. In a VPC the most specific private zone it sees comes
    /// first, and hides everything else; then the most specific public zone.
    #[inline(always)]
    pub fn find(&self, name: &QueryName, hashes: &Hashes, skip: usize, vpc: Option<VpcNumber>) -> Option<ZoneNumber> {
        if self.any_private && vpc.is_some() {
            let private = self.longest(name, hashes, skip, |entry| {
                let seen_by = self.seen_by.get(entry.seen_by as usize);
                seen_by.zip(vpc).is_some_and(|(seen_by, vpc)| seen_by.contains(&vpc))
            });
            if private.is_some() {
                return private;
            }
        }
        if !self.any_public {
            return None;
        }
        self.longest(name, hashes, skip, |entry| entry.seen_by == NONE)
    }

    #[inline(always)]
    fn longest(
        &self,
        name: &QueryName,
        hashes: &Hashes,
        skip: usize,
        seen: impl Fn(&Entry) -> bool,
    ) -> Option<ZoneNumber> {
        let labels = name.labels();
        let mut skip = labels.saturating_sub(self.most_labels).max(skip);
        while skip <= labels {
            let found = self.at(name.suffix(skip), hashes[skip], &seen);
            if found.is_some() {
                return found;
            }
            skip += 1;
        }
        None
    }

    #[inline(always)]
    fn at(&self, origin: &[u8], hash: u64, seen: impl Fn(&Entry) -> bool) -> Option<ZoneNumber> {
        let mut number = self.first_at(origin, hash)?;
        while number != NONE {
            let entry = &self.entries[number as usize];
            if seen(entry) {
                return Some(ZoneNumber(number));
            }
            number = entry.next;
        }
        None
    }

    /// Whether a zone has this name, in lower case.
    pub fn has(&self, origin: &Name, key: &HashKey) -> bool {
        self.first_at(origin.wire(), key.of(origin.wire())).is_some()
    }

    /// The first entry of a name.
    #[inline(always)]
    fn first_at(&self, origin: &[u8], hash: u64) -> Option<u32> {
        let mut index = home(hash, self.slots.len());
        loop {
            let slot = self.slots[index];
            let number = slot.entry.checked_sub(1)?;
            if slot.tag == hash as u32 && same(self.entries[number as usize].image.origin_nearby(), origin) {
                return Some(number);
            }
            index = if index + 1 == self.slots.len() { 0 } else { index + 1 };
        }
    }
}
