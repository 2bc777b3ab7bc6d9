//! From a zone as it was said to a zone ready for answering, and what is wrong with its meaning on the way.
//!
//! Records are gathered by owner in one pass over a hash table, then each name is written to the arena once, its sets
//! rendered behind it. Nothing is sorted but what has to be: the few records of one name.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use super::Settings;
use super::denial::Denial;
use super::draft::{APEX, Draft, Drafts};
use super::group::{Body, Group, Target};
use super::image::{Counts, Found, NODE_HEAD, Node, NodeAt, Slot, ZoneImage, home};
use super::meaning;
use super::part::{Ground, Part};
use super::signing::{self, Signing};
use super::targets;
use crate::hands::{Alone, Hands};
use crate::model::zone::{Record, Records, ZoneData};
use crate::problem::Problems;
use crate::wire::fragment::{Fragment, Renderer};
use crate::wire::hash::HashKey;
use crate::wire::layout;
use crate::wire::rtype::Type;

/// A zone's arena is addressed with 32 bits.
const ARENA_MAX: usize = u32::MAX as usize;

/// So many names are written by one hand at a time. What comes of them, some 300 KiB, stays in its cache until it is put
/// behind what the others wrote.
const PART: usize = 4096;

/// Each hand writes so many parts between two times that all are put together and records let go of.
const PARTS_FOR_EACH: usize = 8;

/// The room that zones of up to so many names take is kept for the next.
const ROOM_KEPT: usize = 1 << 12;

/// Builds the image of a zone. Its problems say whether it may be served: with an error among them it may not.
pub fn build(zone: &ZoneData, key: &HashKey, settings: &Settings, problems: &mut Problems) -> ZoneImage {
    Workshop::default().build(&mut zone.clone(), key, settings, &Alone, problems)
}

/// Where zones are built, one after the other. It keeps its room, so that a small zone takes no allocations but its own.
#[derive(Default)]
pub struct Workshop {
    drafts: Drafts,
    arena: Vec<u8>,
    /// Where each draft's node stands in the arena.
    places: Vec<u32>,
    parts: Vec<Mutex<Part>>,
    /// For the negative answers' SOA.
    renderer: Renderer,
    data: Vec<u8>,
}

impl Workshop {
    /// As the function `build`. A large zone is built by all hands, and its records are let go of as they are written; of
    /// any zone none are left.
    pub fn build(
        &mut self,
        zone: &mut ZoneData,
        key: &HashKey,
        settings: &Settings,
        hands: &dyn Hands,
        problems: &mut Problems,
    ) -> ZoneImage {
        let mut records = std::mem::take(&mut zone.records);
        self.drafts.gather(zone, &mut records, key, hands, problems);
        // Before Route 53's own name servers are added: their names may lie in a zone such as com.
        let leading = std::mem::take(&mut self.drafts.leading);
        meaning::add_defaults(zone, &mut records, &mut self.drafts, problems);
        self.drafts.find_covers();
        targets::check(zone, &records, &self.drafts, &leading, problems);
        self.drafts.leading = leading;
        self.drafts.end_lookups();
        let (groups, counts, signed, signing) = self.write(zone, &mut records, settings, hands, problems);
        if self.arena.len() > ARENA_MAX || self.drafts.too_large {
            problems.push(meaning::too_large(zone));
            let mut nothing = ZoneData::new(zone.origin.clone(), zone.files[0].clone());
            return Workshop::default().build(&mut nothing, key, settings, hands, &mut Problems::default());
        }
        records.clear();
        zone.records = records;
        write_table(&mut self.arena, &self.drafts, &self.places, |_| false);
        let mut image = ZoneImage {
            origin: zone.origin.to_lowercase(),
            visibility: zone.visibility.clone(),
            file: zone.files[0].clone(),
            negative_soa: self.negative_soa(),
            arena: Box::default(),
            places: places_for(self.drafts.len()) as u32,
            apex: NodeAt(self.places[0]),
            denial: Denial::Unsigned,
            groups: groups.into_boxed_slice(),
            counts,
            endings: signing.report(zone, problems),
            origin_labels: zone.origin.label_count() as u8,
            origin_length: zone.origin.wire().len() as u8,
        };
        // Room that is worth keeping is small enough to be copied out of.
        image.arena = match self.drafts.len() > ROOM_KEPT {
            true => std::mem::take(&mut self.arena).into_boxed_slice(),
            false => self.arena.as_slice().into(),
        };
        image.order_denial();
        if let Denial::Nsec3(_) = image.denial {
            // The owners of the chain are known now, and to a question they do not exist (RFC 5155, 7.2.8).
            let left_out = chain_links(&image, &self.drafts, &self.places);
            write_table(&mut image.arena, &self.drafts, &self.places, left_out);
        }
        meaning::check_denial(&image, zone, signed, problems);
        self.shrink();
        image
    }

    /// Writes all names and what they have into the arena.
    fn write(
        &mut self,
        zone: &ZoneData,
        records: &mut Records,
        settings: &Settings,
        hands: &dyn Hands,
        problems: &mut Problems,
    ) -> (Vec<Group>, Counts, bool, Signing) {
        let Workshop { drafts, arena, places, parts, .. } = self;
        let names = drafts.len();
        let (mut groups, mut signed, mut signing) = (Vec::new(), false, Signing::default());
        let meant_signed = signing::is_signed(records, drafts.records_of(records, drafts.get(APEX)));
        let mut counts = Counts { names: names as u32, ..Counts::default() };
        arena.clear();
        // The table stands in front, and is written once it is known where its nodes are.
        arena.resize(places_for(names) * Slot::BYTES, 0);
        places.clear();
        places.reserve(names);
        let together = if names > PART { hands.count().max(1) * PARTS_FOR_EACH } else { 1 };
        parts.resize_with(together.max(parts.len()), Mutex::default);
        let mut done_with = 0;
        for first in (0..names).step_by(PART * together) {
            let last = names.min(first + PART * together);
            let ground = Ground { zone, settings, drafts, records, arena, places, signed: meant_signed };
            let write = |number: usize| {
                let begin = first + number * PART;
                parts[number]
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .write(&ground, begin..last.min(begin + PART));
            };
            match last - first {
                0..=PART => write(0),
                more => hands.each(more.div_ceil(PART), &write),
            }
            for part in parts.iter_mut().take((last - first).div_ceil(PART)) {
                let part = part.get_mut().unwrap_or_else(PoisonError::into_inner);
                signed |= part.signed;
                signing.append(std::mem::take(&mut part.signing));
                part.append_to(arena, places, &mut groups, &mut counts);
                problems.append(std::mem::take(&mut part.problems));
            }
            // A small zone's are kept as room for the next.
            while names > PART && done_with < records.chunks() && (drafts.last_of(done_with) as usize) < last {
                records.let_go(done_with);
                done_with += 1;
            }
        }
        link(drafts, places, arena, &mut groups);
        (groups, counts, signed, signing)
    }

    /// RFC 2308, 3: a negative answer lives as long as the SOA's TTL and its MINIMUM field allow.
    fn negative_soa(&mut self) -> u32 {
        let Workshop { arena, places, renderer, data, .. } = self;
        let apex = Node::read(arena, NodeAt(places[0]));
        renderer.begin(apex.name);
        if let Some(Found::Set(at)) = apex.find(Type::SOA)
            && let Some(soa) = Fragment::read(apex.name, &arena[at.0 as usize..]).records().next()
        {
            data.clear();
            soa.data(data);
            let minimum = data.last_chunk::<4>().map_or(soa.ttl, |bytes| u32::from_be_bytes(*bytes));
            renderer.record(Type::SOA, soa.ttl.min(minimum), data);
        }
        renderer.finish(arena) as u32
    }

    fn shrink(&mut self) {
        self.drafts.shrink(ROOM_KEPT);
        if self.places.capacity() > ROOM_KEPT {
            *self = Workshop { drafts: std::mem::take(&mut self.drafts), ..Workshop::default() };
        }
    }
}

/// Turns numbers of drafts into places in the arena, now that every node has one.
fn link(drafts: &Drafts, places: &[u32], arena: &mut [u8], groups: &mut [Group]) {
    for (number, (draft, &place)) in (0..).zip(drafts.iter().zip(places)) {
        if let Some(cover) = drafts.cover(number) {
            let at = place as usize + NODE_HEAD + usize::from(draft.name_length);
            arena[at..at + 4].copy_from_slice(&places[cover as usize].to_le_bytes());
        }
    }
    for group in groups {
        group.node = NodeAt(places[group.node.0 as usize]);
        for member in &mut group.members {
            if let Body::Alias { target: Target::Here(node), .. } = &mut member.body {
                *node = NodeAt(places[node.0 as usize]);
            }
        }
    }
}

/// How many places a table over so many names has: three quarters full, so that most names lie where their hash says.
fn places_for(names: usize) -> usize {
    names * 4 / 3 + 1
}

/// Writes the hash table over all names to the front of the arena.
fn write_table(arena: &mut [u8], drafts: &Drafts, places: &[u32], left_out: impl Fn(u32) -> bool) {
    let length = places_for(places.len());
    let table = &mut arena.as_chunks_mut().0[..length];
    table.fill([0; Slot::BYTES]);
    for (number, (draft, &place)) in (0..).zip(drafts.iter().zip(places)) {
        if left_out(number) {
            continue;
        }
        let hash = draft.hash();
        let mut index = home(hash, length);
        while Slot::read(table[index]).node != 0 {
            index = if index + 1 == length { 0 } else { index + 1 };
        }
        Slot { tag: hash as u32, node: place }.write(&mut table[index]);
    }
}

/// Which names own nothing but an NSEC3 set and its signatures, and have nothing below them.
fn chain_links(image: &ZoneImage, drafts: &Drafts, places: &[u32]) -> impl Fn(u32) -> bool + use<> {
    let mut links = vec![true; drafts.len()];
    drafts.iter().filter_map(Draft::parent).for_each(|parent| links[parent as usize] = false);
    for (link, &place) in links.iter_mut().zip(places) {
        let node = image.node(NodeAt(place));
        *link &= !node.is_empty() && node.has_only(Type::NSEC3);
    }
    move |number| links[number as usize]
}

/// What records are gathered by below their owner: the type, and for signatures the type they cover.
pub(super) fn kind_of(record: &Record<'_>) -> (Type, Type) {
    match (record.rtype, record.rdata) {
        (Type::RRSIG, &[high, low, ..]) => (Type::RRSIG, Type(u16::from_be_bytes([high, low]))),
        (rtype, _) => (rtype, Type(0)),
    }
}

/// Record data by which equal records are known (RFC 2181, 5): names in it compare without regard to case.
pub(super) fn canonical_data(rtype: Type, rdata: &[u8]) -> Cow<'_, [u8]> {
    if layout::layout(rtype).is_empty() {
        return Cow::Borrowed(rdata);
    }
    let mut canonical = rdata.to_vec();
    for (_, range) in layout::names_in(rtype, rdata) {
        canonical[range].make_ascii_lowercase();
    }
    Cow::Owned(canonical)
}

/// Whether two records say the same.
pub(super) fn same_data(rtype: Type, a: &[u8], b: &[u8]) -> bool {
    a == b || (a.len() == b.len() && canonical_data(rtype, a) == canonical_data(rtype, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hands::testing::Backwards;
    use crate::model::Id;
    use crate::model::record_set::{AliasTarget, Body, RecordSet, Routing};
    use crate::problem::At;
    use crate::wire::name::Name;

    /// More names than a part has, more records than are let go of together; at the end delegations, some to servers
    /// whose addresses stand at the beginning, some with wrong ones; a group and an alias.
    fn zone() -> ZoneData {
        const NAMES: u32 = 40_000;
        let name = |text: &str| Name::parse(text, Some(&Name::parse_absolute("example").unwrap())).unwrap();
        let mut zone = ZoneData::new(name("@"), "f".into());
        let mut add = |line, owner: &str, rtype, rdata: &[u8]| {
            let owner = name(owner);
            zone.records.push(Record { owner: owner.wire(), rtype, ttl: 60 + line % 2, rdata, file: 0, line }).unwrap();
        };
        for line in 0..NAMES {
            add(line, &format!("n{line}.b{}", line % 7), Type::A, &line.to_be_bytes());
            if line % 5 == 0 {
                add(line, &format!("N{line}.b{}", line % 7), Type::A, &[line as u8 | 1; 4]);
                add(line, &format!("*.n{line}.b{}", line % 7), Type::TXT, b"\x01x");
            }
        }
        for cut in 0..5_000 {
            let server = format!("n{}.b{}", cut * 8, cut * 8 % 7);
            add(NAMES + cut, &format!("cut{cut}"), Type::NS, name(&server).wire());
            add(NAMES + cut, &format!("cut{cut}"), Type::NS, name(&format!("ns.cut{cut}")).wire());
        }
        let at = At { file: "f".into(), line: 1, column: 1, length: 0 };
        for (identifier, target) in [("one", "n0.b0"), ("two", "n39999.b1"), ("three", "nobody")] {
            let identifier = Some(Id::from(identifier));
            let alias = AliasTarget { name: name(target), zone_id: "Z".into(), evaluate_target_health: true };
            let (body, routing) = (Body::Alias(alias), Routing::Weighted { weight: 1 });
            let (name, rtype, at) = (name("www"), Type::A, at.clone());
            zone.record_sets.push(RecordSet { name, rtype, identifier, routing, health_check: None, body, at });
        }
        zone
    }

    #[test]
    fn however_many_hands_build_a_zone_it_is_the_same() {
        let (key, settings) = (HashKey::new([7; 4]), Settings::modern());
        let mut workshop = Workshop::default();
        let mut build = |hands: &dyn Hands| {
            let mut problems = Problems::default();
            let image = workshop.build(&mut zone(), &key, &settings, hands, &mut problems);
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            (image, problems)
        };
        let (alone, problems) = build(&Alone);
        assert_eq!(alone.counts.names, 1 + 7 + 40_000 + 8_000 + 5_000 + 1);
        assert!(problems.iter().any(|problem| problem.contains("has no address here")));
        for hands in [2, 3] {
            let (image, its_problems) = build(&Backwards(hands));
            assert!(image.arena == alone.arena && image.counts == alone.counts, "{hands}");
            assert_eq!(its_problems, problems);
        }
        for cut in [0, 4_999] {
            let name = Name::parse_absolute(&format!("cut{cut}.example")).unwrap();
            let node = alone.find(name.wire(), key.of(name.wire())).unwrap();
            let (servers, referral) = alone.referral(node, node.referral().unwrap());
            let addresses = referral.records().filter(|record| record.rtype == Type::A).count();
            // n0, n8, … have one address, and every fifth of them two.
            assert_eq!((servers, addresses), (2, if cut == 0 { 2 } else { 1 }));
        }
    }
}
