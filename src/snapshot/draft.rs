//! A zone's names while it is being built: who has which records, who lies below whom.

use std::collections::BTreeMap;

use super::image::Flags;
use crate::model::zone::ZoneData;
use crate::problem::{At, Problem, Problems};
use crate::wire::hash::HashKey;
use crate::wire::name::{self, LABELS_MAX, Name, is_under, label_starts};
use crate::wire::rtype::Type;

/// No draft, no record.
pub(super) const NONE: u32 = u32::MAX;

/// One name.
pub(super) struct Draft {
    pub hash: u64,
    name: u32,
    pub name_length: u8,
    pub flags: u8,
    parent: u32,
    first: u32,
    last: u32,
    /// The cut or DNAME it lies below; the outermost, where there are several.
    pub cover: u32,
}

impl Draft {
    pub fn parent(&self) -> Option<u32> {
        (self.parent != NONE).then_some(self.parent)
    }
}

/// All names of a zone; the apex is the first.
pub(super) struct Drafts {
    drafts: Vec<Draft>,
    names: Vec<u8>,
    /// Open addressing over the drafts, a number more than the draft's, so that 0 is empty.
    table: Vec<u32>,
    /// For each plain record the next one of the same owner.
    next: Vec<u32>,
    groups: BTreeMap<u32, BTreeMap<u16, Vec<u32>>>,
    key: HashKey,
    origin: Name,
    origin_hash: u64,
    origin_labels: usize,
}

impl Drafts {
    /// Gathers the records of a zone by their owners.
    pub fn gather(zone: &ZoneData, key: &HashKey, problems: &mut Problems) -> Drafts {
        let origin = zone.origin.to_lowercase();
        let origin_hash = key.of(origin.wire());
        let expected = zone.records.len() + zone.record_sets.len() + 1;
        let mut drafts = Drafts {
            drafts: Vec::with_capacity(expected),
            names: Vec::with_capacity(expected * 16),
            table: vec![0; (expected * 3 / 2).next_power_of_two()],
            next: vec![NONE; zone.records.len()],
            groups: BTreeMap::new(),
            key: *key,
            origin_labels: origin.label_count(),
            origin_hash,
            origin,
        };
        let apex = drafts.origin.clone();
        drafts.of(apex.wire());
        let mut owner: &[u8] = &[];
        let mut draft = 0;
        let mut lower = Vec::with_capacity(name::NAME_MAX);
        for (index, record) in zone.records.iter().enumerate() {
            if !std::ptr::eq(record.owner, owner) {
                owner = record.owner;
                lower.clear();
                lower.extend(owner.iter().map(u8::to_ascii_lowercase));
                draft = if is_under(&lower, drafts.origin.wire()) { drafts.of(&lower) } else { NONE };
            }
            if draft == NONE {
                problems.push(out_of_zone(zone, owner, zone.at(&record)));
                continue;
            }
            drafts.add(draft, index as u32, record.rtype);
        }
        for (index, set) in zone.record_sets.iter().enumerate() {
            let lower = set.name.to_lowercase();
            if !set.name.is_under(&zone.origin) {
                problems.push(out_of_zone(zone, set.name.wire(), set.at.clone()));
                continue;
            }
            let draft = drafts.of(lower.wire());
            drafts.mark(draft, set.rtype);
            drafts.groups.entry(draft).or_default().entry(set.rtype.0).or_default().push(index as u32);
        }
        drafts
    }

    fn add(&mut self, draft: u32, record: u32, rtype: Type) {
        self.mark(draft, rtype);
        let entry = &mut self.drafts[draft as usize];
        match entry.last {
            NONE => entry.first = record,
            last => self.next[last as usize] = record,
        }
        entry.last = record;
    }

    fn mark(&mut self, draft: u32, rtype: Type) {
        self.drafts[draft as usize].flags |= match rtype {
            Type::NS if draft != 0 => Flags::CUT,
            Type::DNAME => Flags::DNAME,
            Type::CNAME => Flags::CNAME,
            _ => 0,
        };
    }

    /// The draft of a name in lower case, and those of all its ancestors, made where there are none yet.
    fn of(&mut self, name: &[u8]) -> u32 {
        let mut starts = [0; LABELS_MAX + 1];
        let count = label_starts(name, &mut starts);
        let above = count.saturating_sub(self.origin_labels);
        let mut hashes = [0; LABELS_MAX + 1];
        hashes[above] = self.origin_hash;
        for index in (0..above).rev() {
            let end = if index + 1 < count { usize::from(starts[index + 1]) } else { name.len() - 1 };
            hashes[index] = self.key.extend(hashes[index + 1], &name[usize::from(starts[index])..end]);
        }
        let mut child: Option<u32> = None;
        let mut found = NONE;
        for (index, &hash) in hashes[..=above].iter().enumerate() {
            let start = if index < count { usize::from(starts[index]) } else { name.len() - 1 };
            let suffix = &name[start..];
            let (draft, fresh) = match self.lookup(suffix, hash) {
                Some(draft) => (draft, false),
                None => (self.insert(suffix, hash), true),
            };
            if let Some(child) = child {
                self.drafts[child as usize].parent = draft;
                if name::is_wildcard(self.name(&self.drafts[child as usize])) {
                    self.drafts[draft as usize].flags |= Flags::WILDCARD_BELOW;
                }
            }
            if index == 0 {
                found = draft;
            }
            if !fresh {
                break;
            }
            child = Some(draft);
        }
        found
    }

    fn lookup(&self, name: &[u8], hash: u64) -> Option<u32> {
        let mask = self.table.len() - 1;
        let mut index = hash as usize & mask;
        loop {
            let draft = self.table[index].checked_sub(1)?;
            let entry = &self.drafts[draft as usize];
            if entry.hash == hash && self.name(entry) == name {
                return Some(draft);
            }
            index = (index + 1) & mask;
        }
    }

    fn insert(&mut self, name: &[u8], hash: u64) -> u32 {
        if (self.drafts.len() + 1) * 4 > self.table.len() * 3 {
            self.table = vec![0; self.table.len() * 2];
            for number in 0..self.drafts.len() as u32 {
                self.enter(number);
            }
        }
        let number = self.drafts.len() as u32;
        self.drafts.push(Draft {
            hash,
            name: self.names.len() as u32,
            name_length: name.len() as u8,
            flags: 0,
            parent: NONE,
            first: NONE,
            last: NONE,
            cover: NONE,
        });
        self.names.extend_from_slice(name);
        self.enter(number);
        number
    }

    fn enter(&mut self, number: u32) {
        let mask = self.table.len() - 1;
        let mut index = self.drafts[number as usize].hash as usize & mask;
        while self.table[index] != 0 {
            index = (index + 1) & mask;
        }
        self.table[index] = number + 1;
    }

    /// Finds out who lies below a cut or a DNAME.
    pub fn find_covers(&mut self) {
        const HIDES: u8 = Flags::CUT | Flags::DNAME;
        if self.drafts.iter().all(|draft| draft.flags & HIDES == 0) {
            return;
        }
        for number in 0..self.drafts.len() {
            let mut cover = NONE;
            let mut above = self.drafts[number].parent;
            while above != NONE {
                let ancestor = &self.drafts[above as usize];
                if ancestor.flags & HIDES != 0 {
                    cover = above;
                }
                above = ancestor.parent;
            }
            if cover != NONE {
                self.drafts[number].cover = cover;
                self.drafts[number].flags |= Flags::OCCLUDED;
            }
        }
    }

    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    pub fn get(&self, number: u32) -> &Draft {
        &self.drafts[number as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Draft> {
        self.drafts.iter()
    }

    pub fn origin(&self) -> &[u8] {
        self.origin.wire()
    }

    pub fn name(&self, draft: &Draft) -> &[u8] {
        &self.names[draft.name as usize..draft.name as usize + usize::from(draft.name_length)]
    }

    /// The draft of a name in lower case.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.lookup(name, self.key.of(name))
    }

    /// Whether a name in lower case lies at or below a cut, or below a DNAME: others answer for it.
    pub fn is_hidden(&self, name: &[u8]) -> bool {
        let mut above = Some(name);
        while let Some(at) = above {
            if let Some(number) = self.find(at) {
                let covers = if at == name { Flags::CUT } else { Flags::CUT | Flags::DNAME };
                return self.get(number).flags & (covers | Flags::OCCLUDED) != 0;
            }
            above = name::parent(at);
        }
        false
    }

    /// The plain records of a name, in file order.
    pub fn records_of(&self, draft: &Draft) -> impl Iterator<Item = u32> + '_ {
        let mut next = draft.first;
        std::iter::from_fn(move || {
            let record = next;
            next = *self.next.get(record as usize)?;
            Some(record)
        })
    }

    /// The groups of a name: type, and the numbers of the record sets.
    pub fn groups_of(&self, number: u32) -> impl Iterator<Item = (Type, &[u32])> {
        self.groups.get(&number).into_iter().flatten().map(|(&rtype, sets)| (Type(rtype), &sets[..]))
    }
}

fn out_of_zone(zone: &ZoneData, owner: &[u8], at: At) -> Problem {
    Problem::warning(
        at,
        format!("{} lies outside the zone {}", name::Shown(owner), zone.origin),
        "nobody will ever ask this zone for it, so it is left out",
        "move it to the zone it belongs to, or check for a missing or a surplus final dot",
    )
}
