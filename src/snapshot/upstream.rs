//! Names outside all zones here that aliases lead to, and what a resolver said of them last.
//!
//! The table is made beside the queries and swapped in with a snapshot, so that a query looks up and never asks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Snapshot;
use super::fold::{self, Elsewhere};
use super::group::{Body, Target};
use super::image::home;
use crate::wire::fragment::{Fragment, Renderer};
use crate::wire::hash::HashKey;
use crate::wire::name::Name;
use crate::wire::query::QueryName;
use crate::wire::rtype::Type;

/// So many names outside are kept up to date; more would keep a resolver busier than clients keep us. Ours.
pub const TARGETS_MAX: usize = 10_000;

/// The data of one name and type; no load balancer has so many addresses, and all of these names together take no more
/// than 40 MB. Ours.
pub const DATA_MAX: usize = 4096;

/// RFC 8767, 4: what has outlived its TTL is handed on for 30 seconds at a time.
pub const STALE_TTL: u32 = 30;

/// A name outside, in lower case, and the type wanted of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Outside {
    pub name: Arc<Name>,
    pub rtype: Type,
}

/// The names outside that aliases lead to.
#[derive(Default, Debug)]
pub struct Outsides {
    pub all: BTreeSet<Outside>,
    /// How many there are beyond `TARGETS_MAX`.
    pub left_out: usize,
}

/// What was said of a name outside: its records, rendered, or that it has none of the type.
#[derive(PartialEq, Eq, Debug)]
pub struct Said {
    stored: Option<Box<[u8]>>,
}

impl Said {
    pub fn nothing() -> Said {
        Said { stored: None }
    }

    /// Records with uncompressed data, all under one TTL.
    pub fn records(outside: &Outside, ttl: u32, data: &[Vec<u8>]) -> Said {
        let (mut renderer, mut stored) = (Renderer::default(), Vec::new());
        renderer.begin(outside.name.wire());
        data.iter().for_each(|data| renderer.record(outside.rtype, ttl, data));
        renderer.finish(&mut stored);
        Said { stored: Some(stored.into()) }
    }
}

/// All that is known of names outside.
pub struct Upstream {
    key: HashKey,
    /// Open addressing by the hash of name and type; an entry's number and one, so that 0 is empty.
    slots: Box<[Slot]>,
    entries: Box<[Entry]>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u32,
    entry: u32,
}

struct Entry {
    outside: Outside,
    said: Arc<Said>,
    standing: Standing,
}

/// What the word on a name outside is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Fresh,
    /// It has outlived its TTL.
    Stale,
    /// No resolver said it: the settings name it for a lab.
    StandIn,
}

/// An entry by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutsideAt(u32);

/// What there is to say of a name outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nobody has said anything yet.
    Unknown,
    /// It has nothing of the type.
    NoData,
    /// A stale set has outlived its TTL.
    Set { at: OutsideAt, stale: bool },
}

/// Nothing is known.
impl Default for Upstream {
    fn default() -> Upstream {
        Upstream::new(HashKey::new([0; 4]), std::iter::empty())
    }
}

impl Upstream {
    pub fn new(key: HashKey, said: impl Iterator<Item = (Outside, Arc<Said>, Standing)>) -> Upstream {
        let entries: Box<[Entry]> = said.map(|(outside, said, standing)| Entry { outside, said, standing }).collect();
        let length = if entries.is_empty() { 0 } else { entries.len() * 3 / 2 + 1 };
        let mut slots = vec![Slot::default(); length].into_boxed_slice();
        for (number, entry) in (1..).zip(&entries) {
            let hash = hash_of(&key, entry.outside.name.wire(), entry.outside.rtype);
            let mut index = home(hash, length);
            while slots[index].entry != 0 {
                index = if index + 1 == length { 0 } else { index + 1 };
            }
            slots[index] = Slot { tag: hash as u32, entry: number };
        }
        Upstream { key, slots, entries }
    }

    /// What was said of a name in lower case.
    pub fn heard(&self, name: &[u8], rtype: Type) -> Heard {
        let Some((number, entry)) = self.entry(name, rtype) else { return Heard::Unknown };
        match entry.said.stored {
            None => Heard::NoData,
            Some(_) => Heard::Set { at: OutsideAt(number), stale: entry.standing == Standing::Stale },
        }
    }

    /// Whether a stand-in of the settings answers for a name in lower case.
    pub fn is_stand_in(&self, name: &[u8], rtype: Type) -> bool {
        self.entry(name, rtype).is_some_and(|(_, entry)| entry.standing == Standing::StandIn)
    }

    pub fn has_stand_ins(&self) -> bool {
        self.entries.iter().any(|entry| entry.standing == Standing::StandIn)
    }

    /// What resolvers said.
    pub(super) fn heard_of(&self) -> impl Iterator<Item = (Outside, Arc<Said>, Standing)> {
        let heard = self.entries.iter().filter(|entry| entry.standing != Standing::StandIn);
        heard.map(|entry| (entry.outside.clone(), entry.said.clone(), entry.standing))
    }

    fn entry(&self, name: &[u8], rtype: Type) -> Option<(u32, &Entry)> {
        if self.slots.is_empty() {
            return None;
        }
        let hash = hash_of(&self.key, name, rtype);
        let mut index = home(hash, self.slots.len());
        loop {
            let slot = self.slots[index];
            let number = slot.entry.checked_sub(1)?;
            let entry = &self.entries[number as usize];
            if slot.tag == hash as u32 && entry.outside.rtype == rtype && entry.outside.name.wire() == name {
                return Some((number, entry));
            }
            index = if index + 1 == self.slots.len() { 0 } else { index + 1 };
        }
    }

    /// The records of a set, as if they stood at the name outside.
    pub fn set(&self, at: OutsideAt) -> Option<Fragment<'_>> {
        let entry = self.entries.get(at.0 as usize)?;
        Some(Fragment::read(entry.outside.name.wire(), entry.said.stored.as_deref()?))
    }

    /// How many names and types something is known of.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn hash_of(key: &HashKey, name: &[u8], rtype: Type) -> u64 {
    key.extend(key.of(name), &rtype.0.to_be_bytes())
}

impl Snapshot {
    /// What the public zones here have of a name, as `fold::elsewhere` finds it.
    pub fn elsewhere(&self, name: &mut QueryName, rtype: Type, data: &mut Vec<u8>) -> Elsewhere<'_> {
        fold::elsewhere(&self.zones, &self.key, name, rtype, data)
    }

    /// The names outside all zones here that aliases lead to.
    pub fn upstream_targets(&self) -> Outsides {
        let mut outsides = Outsides::default();
        let (mut name, mut data) = (QueryName::new(), Vec::new());
        let groups = self.zones.steered().iter().flat_map(|&zone| &self.image(zone).groups);
        for (group, member) in groups.flat_map(|group| group.members.iter().map(move |member| (group, member))) {
            let Body::Alias { target: Target::Elsewhere(target), .. } = &member.body else { continue };
            name.set(target.wire());
            if let Elsewhere::Unknown = self.elsewhere(&mut name, group.rtype, &mut data)
                && let Ok(name) = Name::from_wire(name.wire())
            {
                let outside = Outside { name: Arc::new(name), rtype: group.rtype };
                if outsides.all.len() < TARGETS_MAX {
                    outsides.all.insert(outside);
                } else if !outsides.all.contains(&outside) {
                    outsides.left_out += 1;
                }
            }
        }
        outsides
    }

    /// The same with other knowledge of names outside.
    pub fn with_upstream(&self, upstream: Arc<Upstream>) -> Snapshot {
        Snapshot { upstream, ..self.clone() }.with_stand_ins()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(name: &str, rtype: Type) -> Outside {
        Outside { name: Arc::new(Name::parse_absolute(name).unwrap()), rtype }
    }

    #[test]
    fn what_was_said_is_found_by_name_and_type() {
        for count in [0, 1, 2, 3, 100] {
            let all: Vec<_> = (0..count)
                .flat_map(|number| [Type::A, Type::AAAA].map(|rtype| outside(&format!("lb{number}.example"), rtype)))
                .collect();
            let table = all.iter().enumerate().map(|(number, outside)| {
                let said = match number % 3 {
                    0 => Said::nothing(),
                    _ => Said::records(outside, 60, &[vec![192, 0, 2, number as u8]]),
                };
                let standing = if number % 2 == 0 { Standing::Stale } else { Standing::Fresh };
                (outside.clone(), Arc::new(said), standing)
            });
            let table = Upstream::new(HashKey::new([7; 4]), table);
            assert_eq!(table.len(), all.len());
            for (number, outside) in all.iter().enumerate() {
                match (number % 3, table.heard(outside.name.wire(), outside.rtype)) {
                    (0, heard) => assert_eq!(heard, Heard::NoData),
                    (_, Heard::Set { at, stale }) => {
                        assert_eq!(stale, number % 2 == 0);
                        let records: Vec<_> =
                            table.set(at).unwrap().records().map(|one| one.stored().to_vec()).collect();
                        assert_eq!(records, [[192, 0, 2, number as u8]]);
                    }
                    (_, heard) => panic!("{outside:?}: {heard:?}"),
                }
                assert_eq!(table.heard(outside.name.wire(), Type::MX), Heard::Unknown);
            }
            assert_eq!(table.heard(b"\x02no\0", Type::A), Heard::Unknown);
        }
    }
}
