//! All zones, found by the longest end of a name that is a zone here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::image::{ZoneImage, home};
use crate::model::Id;
use crate::model::zone::Visibility;
use crate::wire::hash::{HashKey, Hashes};
use crate::wire::query::QueryName;

/// A zone by its number in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ZoneNumber(pub u32);

/// A VPC by its number in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VpcNumber(pub u32);

/// No other zone of the same name.
const NONE: u32 = u32::MAX;

pub struct Zones {
    entries: Box<[Entry]>,
    /// Open addressing by the hash of the origin; a number more than the entry's, so that 0 is empty.
    slots: Box<[Slot]>,
    most_labels: usize,
    any_private: bool,
    any_public: bool,
    groups: u32,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u32,
    entry: u32,
}

struct Entry {
    image: Arc<ZoneImage>,
    /// Its groups are numbered from here among those of all zones.
    first_group: u32,
    /// The next zone of the same name.
    next: u32,
    /// The VPCs that see it; none: everybody does.
    vpcs: Option<Box<[VpcNumber]>>,
}

impl Zones {
    /// Zones in the order given, which decides between public zones of the same name: the first is served.
    pub fn new(images: Vec<Arc<ZoneImage>>, key: &HashKey, vpcs: &BTreeMap<Id, VpcNumber>) -> Zones {
        let length = images.len() * 3 / 2 + 1;
        let mut slots = vec![Slot::default(); length].into_boxed_slice();
        let mut entries: Vec<Entry> = Vec::with_capacity(images.len());
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
            let seen_by = match &image.visibility {
                Visibility::Public => None,
                Visibility::Private(ids) => Some(ids.iter().filter_map(|id| vpcs.get(id).copied()).collect()),
            };
            let first_group = groups;
            groups += image.groups.len() as u32;
            entries.push(Entry { image, first_group, next: NONE, vpcs: seen_by });
        }
        Zones {
            any_private: entries.iter().any(|entry| entry.vpcs.is_some()),
            any_public: entries.iter().any(|entry| entry.vpcs.is_none()),
            entries: entries.into_boxed_slice(),
            slots,
            most_labels,
            groups,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn any_private(&self) -> bool {
        self.any_private
    }

    /// How many groups all zones have.
    pub fn groups(&self) -> usize {
        self.groups as usize
    }

    pub fn numbers(&self) -> impl Iterator<Item = ZoneNumber> + use<> {
        (0..self.entries.len() as u32).map(ZoneNumber)
    }

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

    /// The zone for a name, its first `skip` labels left aside. In a VPC the most specific private zone it sees comes
    /// first, and hides everything else; then the most specific public zone.
    #[inline]
    pub fn find(&self, name: &QueryName, hashes: &Hashes, skip: usize, vpc: Option<VpcNumber>) -> Option<ZoneNumber> {
        if self.any_private && vpc.is_some() {
            let private = self.longest(name, hashes, skip, |entry| match (&entry.vpcs, vpc) {
                (Some(seen_by), Some(vpc)) => seen_by.contains(&vpc),
                _ => false,
            });
            if private.is_some() {
                return private;
            }
        }
        if !self.any_public {
            return None;
        }
        self.longest(name, hashes, skip, |entry| entry.vpcs.is_none())
    }

    #[inline]
    fn longest(
        &self,
        name: &QueryName,
        hashes: &Hashes,
        skip: usize,
        seen: impl Fn(&Entry) -> bool,
    ) -> Option<ZoneNumber> {
        let labels = name.labels();
        (labels.saturating_sub(self.most_labels).max(skip)..=labels)
            .find_map(|skip| self.at(name.suffix(skip), hashes[skip], &seen))
    }

    fn at(&self, origin: &[u8], hash: u64, seen: impl Fn(&Entry) -> bool) -> Option<ZoneNumber> {
        let mut index = home(hash, self.slots.len());
        loop {
            let slot = self.slots[index];
            let mut number = slot.entry.checked_sub(1)?;
            if slot.tag == hash as u32 && self.entries[number as usize].image.origin.wire() == origin {
                while number != NONE {
                    let entry = &self.entries[number as usize];
                    if seen(entry) {
                        return Some(ZoneNumber(number));
                    }
                    number = entry.next;
                }
                return None;
            }
            index = if index + 1 == self.slots.len() { 0 } else { index + 1 };
        }
    }
}
