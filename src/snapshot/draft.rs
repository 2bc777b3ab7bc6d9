//! A zone's names while it is being built: who has which records, who lies below whom.
//!
//! Names are hashed by as many hands as there are; then one pass puts them into a table. Of a large zone no table fits
//! into a processor's caches: the places of the next names are touched together, so that these waits for memory run side by
//! side.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;

use super::image::Flags;
use super::targets;
use crate::hands::{self, Hands};
use crate::model::ZoneData;
use crate::model::zone::{RecordId, Records};
use crate::problem::{At, Problem, Problems};
use crate::wire::hash::HashKey;
use crate::wire::name::{self, LABELS_MAX, Name, label_starts};
use crate::wire::rtype::Type;

/// No draft.
pub(super) const NONE: u32 = u32::MAX;

/// The top of the zone.
pub(super) const APEX: u32 = 0;

/// The places of so many names are touched together.
const TOGETHER: usize = 16;

/// A zone with fewer chunks of records is hashed by one hand.
const CHUNKS_WORTH_SHARING: usize = 2;

/// A drafts' table starts with this many places.
const TABLE_MIN: usize = 16;

/// A table of up to so many places is kept for the next zone.
const TABLE_KEPT: usize = 1 << 14;

/// One name. Small: there may be millions.
pub(super) struct Draft {
    /// The two halves of the hash, so that a draft takes 28 bytes and not 32.
    hash: [u32; 2],
    name: u32,
    parent: u32,
    first: RecordId,
    last: RecordId,
    pub name_length: u8,
    pub flags: u8,
}

impl Draft {
    pub fn parent(&self) -> Option<u32> {
        (self.parent != NONE).then_some(self.parent)
    }

    pub fn hash(&self) -> u64 {
        u64::from(self.hash[0]) << 32 | u64::from(self.hash[1])
    }
}

/// A place of the table: enough of the hash to be almost sure, and a number more than the draft's, so that 0 is empty.
#[derive(Clone, Copy, Default)]
struct Place {
    tag: u32,
    draft: u32,
}

/// Records in a row with one owner.
struct Run {
    owner: Owner,
    records: Range<u32>,
}

#[derive(Clone, Copy)]
enum Owner {
    /// The hash of its name.
    Inside(u64),
    OutOfZone,
}

/// All names of a zone; the apex is the first. Kept from zone to zone, so that a hundred thousand small ones cost no
/// allocations for each.
#[derive(Default)]
pub(super) struct Drafts {
    drafts: Vec<Draft>,
    names: Vec<u8>,
    /// Open addressing.
    table: Vec<Place>,
    /// The cut or DNAME that each draft lies below, the outermost where there are several; empty where there is none.
    covers: Vec<u32>,
    groups: BTreeMap<u32, BTreeMap<u16, Vec<u32>>>,
    /// Records whose targets are to be checked, with their owners.
    pub leading: Vec<(u32, RecordId)>,
    /// For each chunk of records the last draft that has one of them.
    last_of_chunk: Vec<u32>,
    /// Of the chunk of records that is being gathered.
    runs: Vec<Run>,
    origin: Vec<u8>,
    origin_hash: u64,
    origin_labels: usize,
    key: Option<HashKey>,
    /// Its names take more than can be addressed.
    pub too_large: bool,
}

impl Drafts {
    /// Gathers the records of a zone by their owners.
    pub fn gather(
        &mut self,
        zone: &ZoneData,
        records: &mut Records,
        key: &HashKey,
        hands: &dyn Hands,
        problems: &mut Problems,
    ) {
        self.begin(&zone.origin, records.len() + zone.record_sets.len() + 1, key);
        let chunks = records.chunks();
        // Hashes are made for a few chunks at a time, so that all of them never lie in memory.
        let together = if chunks < CHUNKS_WORTH_SHARING { 1 } else { hands.count().max(1) * 2 };
        for first in (0..chunks).step_by(together) {
            let those = (chunks - first).min(together);
            if those == 1 {
                let mut runs = std::mem::take(&mut self.runs);
                self.hash_runs(records, first, &mut runs);
                self.gather_chunk(zone, records, first, &runs, problems);
                self.runs = runs;
                continue;
            }
            let hashed = {
                let (drafts, records) = (&*self, &*records);
                hands::collect(hands, those, &|number| {
                    let mut runs = Vec::new();
                    drafts.hash_runs(records, first + number, &mut runs);
                    runs
                })
            };
            for (chunk, runs) in (first..).zip(hashed) {
                self.gather_chunk(zone, records, chunk, &runs, problems);
            }
        }
        for (index, set) in zone.record_sets.iter().enumerate() {
            let lower = set.name.to_lowercase();
            if !set.name.is_under(&zone.origin) {
                problems.push(out_of_zone(zone, set.name.wire(), set.at.clone()));
                continue;
            }
            let draft = self.of(lower.wire(), key.of(lower.wire()));
            self.mark(draft, set.rtype);
            self.groups.entry(draft).or_default().entry(set.rtype.0).or_default().push(index as u32);
        }
    }

    fn begin(&mut self, origin: &Name, expected: usize, key: &HashKey) {
        self.drafts.clear();
        self.drafts.reserve(expected);
        self.names.clear();
        self.covers.clear();
        self.groups.clear();
        self.leading.clear();
        self.last_of_chunk.clear();
        let places = (expected * 3 / 2).next_power_of_two().max(TABLE_MIN);
        self.table.clear();
        self.table.resize(places, Place::default());
        self.origin.clear();
        self.origin.extend(origin.wire().iter().map(u8::to_ascii_lowercase));
        self.origin_hash = key.of(&self.origin);
        self.origin_labels = origin.label_count();
        self.key = Some(*key);
        self.too_large = false;
        let apex = std::mem::take(&mut self.origin);
        self.of(&apex, self.origin_hash);
        self.origin = apex;
    }

    /// Lets go of the room that a large zone took.
    pub fn shrink(&mut self, most: usize) {
        if self.drafts.capacity() > most {
            *self = Drafts::default();
        }
    }

    fn key(&self) -> HashKey {
        self.key.unwrap_or_else(|| HashKey::new([0; 4]))
    }

    /// The owners of a chunk's records, with their hashes.
    fn hash_runs(&self, records: &Records, chunk: usize, runs: &mut Vec<Run>) {
        runs.clear();
        runs.reserve(records.ids_in(chunk).len());
        let mut before = None;
        let mut room = [0; name::NAME_MAX];
        for (number, id) in (0..).zip(records.ids_in(chunk)) {
            let (owner, place) = records.owner(id);
            match runs.last_mut() {
                Some(run) if before == Some(place) => run.records.end = number + 1,
                _ => {
                    let owner = self.hash_of(in_lower_case(owner, &mut room)).map_or(Owner::OutOfZone, Owner::Inside);
                    runs.push(Run { owner, records: number..number + 1 });
                }
            }
            before = Some(place);
        }
    }

    /// The hash of a name in lower case, if it lies in the zone.
    fn hash_of(&self, name: &[u8]) -> Option<u64> {
        let mut starts = [0; LABELS_MAX + 1];
        let count = label_starts(name, &mut starts);
        let above = starts.get(..count.checked_sub(self.origin_labels)?)?;
        let origin = above.last().map_or(0, |&last| usize::from(last) + 1 + usize::from(name[usize::from(last)]));
        if name.get(origin..)? != self.origin {
            return None;
        }
        let key = self.key();
        let hash = above.iter().rev().fold(self.origin_hash, |parent, &start| {
            let start = usize::from(start);
            key.extend(parent, &name[start..=start + usize::from(name[start])])
        });
        Some(hash)
    }

    fn gather_chunk(
        &mut self,
        zone: &ZoneData,
        records: &mut Records,
        chunk: usize,
        runs: &[Run],
        problems: &mut Problems,
    ) {
        let mut room = [0; name::NAME_MAX];
        let mut ids = records.ids_in(chunk);
        let mut last = 0;
        for (number, run) in runs.iter().enumerate() {
            if number.is_multiple_of(TOGETHER) {
                self.touch(runs.get(number..).unwrap_or_default());
            }
            let mut draft = NONE;
            for id in ids.by_ref().take(run.records.len()) {
                let record = records.get(id);
                let Owner::Inside(hash) = run.owner else {
                    problems.push(out_of_zone(zone, record.owner, zone.at(&record)));
                    continue;
                };
                if draft == NONE {
                    draft = self.of(in_lower_case(record.owner, &mut room), hash);
                    last = last.max(draft);
                }
                let rtype = record.rtype;
                self.add(records, draft, id, rtype);
            }
        }
        self.last_of_chunk.push(last);
    }

    /// Has the places of the next names read, one right after the other, so that they are waited for side by side.
    fn touch(&self, runs: &[Run]) {
        let mut read = 0;
        for run in runs.iter().take(TOGETHER) {
            if let Owner::Inside(hash) = run.owner {
                read |= self.table[hash as usize & (self.table.len() - 1)].tag;
            }
        }
        black_box(read);
    }

    /// Gives a draft one more record.
    pub fn add(&mut self, records: &mut Records, draft: u32, id: RecordId, rtype: Type) {
        self.mark(draft, rtype);
        let entry = &mut self.drafts[draft as usize];
        match entry.last {
            RecordId::NONE => entry.first = id,
            last => records.link(last, id),
        }
        entry.last = id;
        if targets::is_checked(rtype) {
            self.leading.push((draft, id));
        }
    }

    fn mark(&mut self, draft: u32, rtype: Type) {
        let flag = match rtype {
            Type::NS if draft != APEX => Flags::CUT,
            Type::DNAME => Flags::DNAME,
            Type::CNAME => Flags::CNAME,
            _ => 0,
        };
        self.drafts[draft as usize].flags |= flag;
    }

    /// The draft of a name in lower case, and those of all its ancestors, made where there are none yet.
    fn of(&mut self, name: &[u8], hash: u64) -> u32 {
        if let Some(draft) = self.lookup(name, hash) {
            return draft;
        }
        let draft = self.insert(name, hash);
        if name.len() == self.origin.len() || self.drafts.len() == 1 {
            return draft;
        }
        let mut child = draft;
        let mut at = name;
        while let Some(above) = name::parent(at) {
            let is_apex = above.len() <= self.origin.len();
            let (parent, fresh) = if is_apex {
                (APEX, false)
            } else {
                let hash = self.hash_of(above).unwrap_or_default();
                match self.lookup(above, hash) {
                    Some(known) => (known, false),
                    None => (self.insert(above, hash), true),
                }
            };
            self.drafts[child as usize].parent = parent;
            if name::is_wildcard(at) {
                self.drafts[parent as usize].flags |= Flags::WILDCARD_BELOW;
            }
            if !fresh {
                break;
            }
            (child, at) = (parent, above);
        }
        draft
    }

    fn lookup(&self, name: &[u8], hash: u64) -> Option<u32> {
        let mask = self.table.len() - 1;
        let mut index = hash as usize & mask;
        loop {
            let place = self.table[index];
            let draft = place.draft.checked_sub(1)?;
            if place.tag == (hash >> 32) as u32 {
                let entry = &self.drafts[draft as usize];
                if entry.hash() == hash && self.name(entry) == name {
                    return Some(draft);
                }
            }
            index = (index + 1) & mask;
        }
    }

    fn insert(&mut self, name: &[u8], hash: u64) -> u32 {
        if (self.drafts.len() + 1) * 4 > self.table.len() * 3 {
            let places = self.table.len() * 2;
            self.table.clear();
            self.table.resize(places, Place::default());
            for number in 0..self.drafts.len() as u32 {
                self.enter(number);
            }
        }
        if u32::try_from(self.names.len() + name.len()).is_err() {
            self.too_large = true;
            return APEX;
        }
        let number = self.drafts.len() as u32;
        self.drafts.push(Draft {
            hash: [(hash >> 32) as u32, hash as u32],
            name: self.names.len() as u32,
            parent: NONE,
            first: RecordId::NONE,
            last: RecordId::NONE,
            name_length: name.len() as u8,
            flags: 0,
        });
        self.names.extend_from_slice(name);
        self.enter(number);
        number
    }

    fn enter(&mut self, number: u32) {
        let mask = self.table.len() - 1;
        let hash = self.drafts[number as usize].hash();
        let mut index = hash as usize & mask;
        while self.table[index].draft != 0 {
            index = (index + 1) & mask;
        }
        self.table[index] = Place { tag: (hash >> 32) as u32, draft: number + 1 };
    }

    /// Finds out who lies below a cut or a DNAME.
    pub fn find_covers(&mut self) {
        const HIDES: u8 = Flags::CUT | Flags::DNAME;
        if self.drafts.iter().all(|draft| draft.flags & HIDES == 0) {
            return;
        }
        self.covers.resize(self.drafts.len(), NONE);
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
                self.covers[number] = cover;
                self.drafts[number].flags |= Flags::OCCLUDED;
            }
        }
    }

    /// Lets go of the table of a large zone in which nobody will look for a name any more: no alias, no glue.
    pub fn end_lookups(&mut self) {
        let looked_up = !self.groups.is_empty() || self.drafts.iter().any(|draft| draft.flags & Flags::CUT != 0);
        if !looked_up && self.table.len() > TABLE_KEPT {
            self.table = vec![Place::default(); TABLE_MIN];
        }
    }

    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    pub fn get(&self, number: u32) -> &Draft {
        &self.drafts[number as usize]
    }

    /// The cut or DNAME that a draft lies below; the outermost, where there are several.
    pub fn cover(&self, number: u32) -> Option<u32> {
        self.covers.get(number as usize).copied().filter(|&cover| cover != NONE)
    }

    /// The last draft that has a record of this chunk.
    pub fn last_of(&self, chunk: usize) -> u32 {
        self.last_of_chunk.get(chunk).copied().unwrap_or(NONE)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Draft> {
        self.drafts.iter()
    }

    pub fn origin(&self) -> &[u8] {
        &self.origin
    }

    pub fn name(&self, draft: &Draft) -> &[u8] {
        &self.names[draft.name as usize..draft.name as usize + usize::from(draft.name_length)]
    }

    /// The draft of a name in lower case.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.lookup(name, self.hash_of(name)?)
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
    pub fn records_of<'r>(&self, records: &'r Records, draft: &Draft) -> impl Iterator<Item = RecordId> + use<'r> {
        let mut next = draft.first;
        std::iter::from_fn(move || {
            let record = next;
            if record == RecordId::NONE {
                return None;
            }
            next = records.next(record);
            Some(record)
        })
    }

    /// The groups of a name: type, and the numbers of the record sets.
    pub fn groups_of(&self, number: u32) -> impl Iterator<Item = (Type, &[u32])> {
        self.groups.get(&number).into_iter().flatten().map(|(&rtype, sets)| (Type(rtype), &sets[..]))
    }
}

/// The name in lower case, in this room. Names fit, whoever read them.
fn in_lower_case<'r>(name: &[u8], room: &'r mut [u8; name::NAME_MAX]) -> &'r [u8] {
    let lower = &mut room[..name.len()];
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    lower
}

fn out_of_zone(zone: &ZoneData, owner: &[u8], at: At) -> Problem {
    Problem::warning(
        at,
        format!("{} lies outside the zone {}", name::Shown(owner), zone.origin),
        "nobody will ever ask this zone for it, so it is left out",
        "move it to the zone it belongs to, or check for a missing or a surplus final dot",
    )
}
