//! From a zone as it was said to a zone ready for answering, and what is wrong with its meaning on the way.
//!
//! Records are gathered by owner in one pass over a hash table, then each name is written to the arena once, its sets
//! rendered behind it. Nothing is sorted but what has to be: the few records of one name.

use std::borrow::Cow;

use super::Settings;
use super::denial::Denial;
use super::draft::{Draft, Drafts, NONE};
use super::group::{Alternative, Body, Group, Target};
use super::image::{Counts, ENTRY, Entry, Flags, Kind, NODE_HEAD, NodeAt, SetAt, Slot, ZoneImage, home};
use super::meaning::{self, Meaning};
use crate::model::record_set;
use crate::model::zone::{Record, ZoneData};
use crate::policy::MEMBERS_MAX;
use crate::problem::{Problem, Problems};
use crate::wire::fragment::Renderer;
use crate::wire::hash::HashKey;
use crate::wire::layout;
use crate::wire::name::is_under;
use crate::wire::rtype::Type;

/// A zone's arena is addressed with 32 bits.
const ARENA_MAX: usize = u32::MAX as usize;

/// Builds the image of a zone. Its problems say whether it may be served: with an error among them it may not.
pub fn build(zone: &ZoneData, key: &HashKey, settings: &Settings, problems: &mut Problems) -> ZoneImage {
    let zone = &meaning::with_defaults(zone, problems);
    let mut drafts = Drafts::gather(zone, key, problems);
    drafts.find_covers();
    let mut builder = Builder {
        zone,
        settings,
        meaning: Meaning { zone, problems },
        drafts: &drafts,
        arena: Vec::with_capacity(zone.records.len() * 64 + 64),
        renderer: Renderer::default(),
        places: vec![0; drafts.len()],
        groups: Vec::new(),
        counts: Counts { names: drafts.len() as u32, ..Counts::default() },
        scratch: Vec::new(),
    };
    // Nothing stands at 0: an empty slot says so.
    builder.arena.push(0);
    for index in 0..drafts.len() {
        builder.node(index as u32);
    }
    builder.link();
    let negative_soa = builder.negative_soa();
    if builder.arena.len() > ARENA_MAX {
        let at = crate::problem::At { file: zone.files[0].clone(), line: 1, column: 1, length: 0 };
        problems.push(Problem::error(
            at,
            format!("zone {} takes more than 4 GiB", zone.origin),
            "its arena is addressed with 32 bits",
            "delegate a part of it to a zone of its own",
        ));
        return build(
            &ZoneData::new(zone.origin.clone(), zone.files[0].clone()),
            key,
            settings,
            &mut Problems::default(),
        );
    }
    let Builder { arena, places, groups, counts, .. } = builder;
    let mut image = ZoneImage {
        origin: zone.origin.to_lowercase(),
        visibility: zone.visibility.clone(),
        file: zone.files[0].clone(),
        arena: arena.into_boxed_slice(),
        slots: table(&drafts, &places, |_| false),
        apex: NodeAt(places[0]),
        negative_soa,
        denial: Denial::Unsigned,
        groups: groups.into_boxed_slice(),
        counts,
        origin_labels: zone.origin.label_count() as u8,
    };
    image.order_denial();
    if let Denial::Nsec3(_) = image.denial {
        // The owners of the chain are known now, and to a question they do not exist (RFC 5155, 7.2.8).
        image.slots = table(&drafts, &places, chain_links(zone, &drafts));
    }
    meaning::check_denial(&image, zone, problems);
    image
}

/// The hash table over all names: three quarters full, so that most names lie where their hash says.
fn table(drafts: &Drafts, places: &[u32], left_out: impl Fn(u32) -> bool) -> Box<[Slot]> {
    let length = places.len() * 4 / 3 + 1;
    let mut slots = vec![Slot::default(); length].into_boxed_slice();
    for (number, (draft, &place)) in (0..).zip(drafts.iter().zip(places)) {
        if left_out(number) {
            continue;
        }
        let mut index = home(draft.hash, length);
        while slots[index].node != 0 {
            index = if index + 1 == length { 0 } else { index + 1 };
        }
        slots[index] = Slot { tag: draft.hash as u32, node: place };
    }
    slots
}

/// Which names own nothing but an NSEC3 set and its signatures, and have nothing below them.
fn chain_links<'d>(zone: &'d ZoneData, drafts: &'d Drafts) -> impl Fn(u32) -> bool + 'd {
    let mut parents = vec![false; drafts.len()];
    drafts.iter().filter_map(Draft::parent).for_each(|parent| parents[parent as usize] = true);
    move |number| {
        let own = |record| kind_of(&zone.records.get(record as usize));
        let only = |kind| matches!(kind, (Type::NSEC3, _) | (Type::RRSIG, Type::NSEC3));
        let mut records = drafts.records_of(drafts.get(number)).map(own).peekable();
        !parents[number as usize]
            && drafts.groups_of(number).next().is_none()
            && records.peek().is_some()
            && records.all(only)
    }
}

struct Builder<'a> {
    zone: &'a ZoneData,
    settings: &'a Settings,
    meaning: Meaning<'a>,
    drafts: &'a Drafts,
    arena: Vec<u8>,
    renderer: Renderer,
    /// Where each draft's node stands in the arena.
    places: Vec<u32>,
    groups: Vec<Group>,
    counts: Counts,
    scratch: Vec<u32>,
}

impl<'a> Builder<'a> {
    fn node(&mut self, index: u32) {
        let draft = self.drafts.get(index);
        let mut records = std::mem::take(&mut self.scratch);
        records.clear();
        records.extend(self.drafts.records_of(draft));
        if records.len() > 1 {
            let zone = self.zone;
            records.sort_by_key(|&record| kind_of(&zone.records.get(record as usize)));
        }
        let entries = self.write_node(draft, index, &records);
        let mut next = entries;
        let mut rest = &records[..];
        while let Some(&first) = rest.first() {
            let (rtype, covered) = kind_of(&self.zone.records.get(first as usize));
            let zone = self.zone;
            let same = |&&record: &&u32| kind_of(&zone.records.get(record as usize)) == (rtype, covered);
            let (set, others) = rest.split_at(rest.iter().take_while(same).count());
            rest = others;
            let offset = self.set(draft, index, rtype, set);
            let entry = match rtype {
                Type::RRSIG => Entry { rtype: covered, kind: Kind::Signatures, offset },
                _ => Entry { rtype, kind: Kind::Set, offset },
            };
            next = self.write_entry(next, entry);
        }
        for (rtype, sets) in self.drafts.groups_of(index) {
            let number = self.groups.len() as u32;
            self.group(draft, index, rtype, sets);
            next = self.write_entry(next, Entry { rtype, kind: Kind::Group, offset: number });
        }
        if draft.flags & Flags::CUT != 0 {
            let offset = self.referral(draft, index, &records);
            self.write_entry(next, Entry { rtype: Type::NS, kind: Kind::Referral, offset });
        }
        self.meaning.check_node(draft, index == 0, self.drafts, index, &records);
        self.scratch = records;
    }

    /// Writes the node's head with room for its entries; returns where these begin.
    fn write_node(&mut self, draft: &Draft, index: u32, records: &[u32]) -> usize {
        let name = self.drafts.name(draft);
        let mut entries = self.drafts.groups_of(index).count() + usize::from(draft.flags & Flags::CUT != 0);
        let mut last = None;
        for &record in records {
            let kind = kind_of(&self.zone.records.get(record as usize));
            entries += usize::from(last != Some(kind));
            last = Some(kind);
        }
        self.places[index as usize] = self.arena.len() as u32;
        // A name has far fewer types than 16 bits count: there are 65,536 of them, and signatures.
        let count = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
        self.arena.extend_from_slice(&[name.len() as u8, draft.flags, count[0], count[1]]);
        self.arena.extend_from_slice(name);
        if draft.flags & Flags::OCCLUDED != 0 {
            self.arena.extend_from_slice(&draft.cover.to_le_bytes());
        }
        let at = self.arena.len();
        self.arena.resize(at + ENTRY * entries, 0);
        at
    }

    fn write_entry(&mut self, at: usize, Entry { rtype, kind, offset }: Entry) -> usize {
        let Some(place) = self.arena.get_mut(at..at + ENTRY) else { return at };
        place[..2].copy_from_slice(&rtype.0.to_le_bytes());
        place[2] = kind as u8;
        place[4..].copy_from_slice(&offset.to_le_bytes());
        at + ENTRY
    }

    /// Renders the plain records of one type; returns where they stand.
    fn set(&mut self, draft: &Draft, index: u32, rtype: Type, records: &[u32]) -> u32 {
        let name = self.drafts.name(draft);
        let zone = self.zone;
        self.renderer.begin(name);
        self.counts.records += records.len() as u32;
        if let [only] = records {
            let record = zone.records.get(*only as usize);
            self.renderer.record(rtype, record.ttl, record.rdata);
            return self.renderer.finish(&mut self.arena) as u32;
        }
        let mut kept: Vec<Record<'_>> = self.meaning.without_duplicates(rtype, records);
        self.counts.records -= (records.len() - kept.len()) as u32;
        let ttl = self.meaning.one_ttl(rtype, &kept, index == 0);
        if rtype == Type::NS && self.settings.sorted_name_servers {
            kept.sort_by_key(|record| crate::wire::name::Shown(record.rdata).to_string().to_ascii_lowercase());
        }
        for record in &kept {
            self.renderer.record(rtype, ttl.unwrap_or(record.ttl), record.rdata);
        }
        self.renderer.finish(&mut self.arena) as u32
    }

    /// Renders the record sets of one group.
    fn group(&mut self, draft: &Draft, index: u32, rtype: Type, sets: &[u32]) {
        let name = self.drafts.name(draft);
        let zone = self.zone;
        if sets.len() > MEMBERS_MAX {
            self.meaning.too_many_members(&zone.record_sets[sets[0] as usize], sets.len());
        }
        let mut members = Vec::with_capacity(sets.len().min(MEMBERS_MAX));
        for set in sets.iter().take(MEMBERS_MAX).map(|&set| &zone.record_sets[set as usize]) {
            let body = match &set.body {
                record_set::Body::Values { ttl, rdata } => {
                    self.renderer.begin(name);
                    rdata.iter().for_each(|data| self.renderer.record(rtype, *ttl, data));
                    self.counts.records += rdata.len() as u32;
                    Body::Set(SetAt(self.renderer.finish(&mut self.arena) as u32))
                }
                record_set::Body::Alias(alias) => {
                    self.counts.records += 1;
                    let wire = alias.name.to_lowercase();
                    let target = if !is_under(wire.wire(), self.drafts.origin()) || self.drafts.is_hidden(wire.wire()) {
                        Target::Elsewhere(wire.into())
                    } else if let Some(target) = self.drafts.find(wire.wire()) {
                        // The draft's number, until every node has its place.
                        Target::Here(NodeAt(target))
                    } else {
                        Target::Missing(wire.into())
                    };
                    Body::Alias { target, evaluate_target_health: alias.evaluate_target_health }
                }
            };
            members.push(Alternative {
                identifier: set.identifier.clone(),
                routing: set.routing.clone(),
                health_check: set.health_check.clone(),
                body,
                at: set.at.clone(),
            });
        }
        self.counts.groups += 1;
        self.groups.push(Group { node: NodeAt(index), rtype, members: members.into() });
    }

    /// Renders a cut's name servers with the addresses this zone has of them.
    fn referral(&mut self, draft: &Draft, index: u32, records: &[u32]) -> u32 {
        let zone = self.zone;
        let name = self.drafts.name(draft);
        self.renderer.begin(name);
        let servers: Vec<u32> =
            records.iter().copied().filter(|&record| zone.records.get(record as usize).rtype == Type::NS).collect();
        let mut servers = self.meaning.without_duplicates_quietly(Type::NS, &servers);
        if self.settings.sorted_name_servers {
            servers.sort_by_key(|record| crate::wire::name::Shown(record.rdata).to_string().to_ascii_lowercase());
        }
        let ttl = servers.iter().map(|record| record.ttl).min().unwrap_or(0);
        for server in &servers {
            self.renderer.record(Type::NS, ttl, server.rdata);
        }
        for server in &servers {
            let lower = server.rdata.to_ascii_lowercase();
            if !is_under(&lower, self.drafts.origin()) {
                continue;
            }
            let mut found = false;
            if let Some(target) = self.drafts.find(&lower) {
                for rtype in [Type::A, Type::AAAA] {
                    let all: Vec<u32> = self
                        .drafts
                        .records_of(self.drafts.get(target))
                        .filter(|&record| zone.records.get(record as usize).rtype == rtype)
                        .collect();
                    let glue = self.meaning.without_duplicates_quietly(rtype, &all);
                    let ttl = glue.iter().map(|record| record.ttl).min().unwrap_or(0);
                    for record in &glue {
                        self.renderer.foreign_record(server.rdata, rtype, ttl, record.rdata);
                        found = true;
                    }
                }
                found |= self.drafts.groups_of(target).next().is_some();
            }
            if !found && is_under(&lower, name) {
                self.meaning.missing_glue(server, index);
            }
        }
        let at = self.arena.len() as u32;
        let count = u16::try_from(servers.len()).unwrap_or(u16::MAX);
        self.arena.extend_from_slice(&count.to_le_bytes());
        self.renderer.finish(&mut self.arena);
        at
    }

    /// Turns numbers of drafts into places in the arena, now that every node has one.
    fn link(&mut self) {
        for (draft, &place) in self.drafts.iter().zip(&self.places) {
            if draft.cover != NONE {
                let at = place as usize + NODE_HEAD + usize::from(draft.name_length);
                let cover = self.places[draft.cover as usize];
                self.arena[at..at + 4].copy_from_slice(&cover.to_le_bytes());
            }
        }
        for group in &mut self.groups {
            group.node = NodeAt(self.places[group.node.0 as usize]);
            for member in &mut group.members {
                if let Body::Alias { target: Target::Here(node), .. } = &mut member.body {
                    *node = NodeAt(self.places[node.0 as usize]);
                }
            }
        }
    }

    /// RFC 2308, 3: a negative answer lives as long as the SOA's TTL and its MINIMUM field allow.
    fn negative_soa(&mut self) -> u32 {
        let apex = self.drafts.get(0);
        let zone = self.zone;
        let soa = self
            .drafts
            .records_of(apex)
            .map(|record| zone.records.get(record as usize))
            .find(|record| record.rtype == Type::SOA);
        self.renderer.begin(self.drafts.name(apex));
        if let Some(soa) = soa {
            let minimum = soa.rdata.last_chunk::<4>().map_or(soa.ttl, |bytes| u32::from_be_bytes(*bytes));
            self.renderer.record(Type::SOA, soa.ttl.min(minimum), soa.rdata);
        }
        self.renderer.finish(&mut self.arena) as u32
    }
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
