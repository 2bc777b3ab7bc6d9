//! Names in a row and what they have, written into an arena of their own by one of many hands, then put behind what the
//! others wrote.

use std::ops::Range;

use super::Settings;
use super::build::kind_of;
use super::draft::{Draft, Drafts};
use super::group::{Alternative, Body, Group, Target};
use super::image::{Counts, ENTRY, Entry, Flags, Found, Kind, Node, NodeAt, SetAt};
use super::meaning::Meaning;
use super::signing::Signing;
use crate::model::record_set;
use crate::model::zone::{Record, RecordId, Records, ZoneData};
use crate::policy::MEMBERS_MAX;
use crate::problem::Problems;
use crate::wire::fragment::{Fragment, Renderer};
use crate::wire::name::{Shown, is_under};
use crate::wire::rtype::Type;

/// What all who write parts of a zone look at.
pub(super) struct Ground<'a> {
    pub zone: &'a ZoneData,
    pub settings: &'a Settings,
    pub drafts: &'a Drafts,
    pub records: &'a Records,
    /// What was written before, and where the nodes of the first drafts stand there. Their records may be gone.
    pub arena: &'a [u8],
    pub places: &'a [u32],
    /// The zone is meant to be signed.
    pub signed: bool,
}

/// Names in a row, and what they have, as written into an arena of its own.
#[derive(Default)]
pub(super) struct Part {
    arena: Vec<u8>,
    places: Vec<u32>,
    renderer: Renderer,
    groups: Vec<Group>,
    counts: Counts,
    /// Some records are signatures.
    pub signed: bool,
    pub signing: Signing,
    pub problems: Problems,
    /// The records of a name: the type, for signatures the one they cover too.
    by_kind: Vec<((Type, Type), RecordId)>,
    scratch: Vec<RecordId>,
}

impl Part {
    pub fn write(&mut self, ground: &Ground<'_>, drafts: Range<usize>) {
        let mut problems = Problems::default();
        let meaning = Meaning { zone: ground.zone, records: ground.records, problems: &mut problems };
        let mut writer = Writer { ground, part: self, meaning };
        drafts.for_each(|number| writer.node(number as u32));
        self.problems = problems;
    }

    /// Puts what was written behind what is in the arena, and begins anew.
    pub fn append_to(
        &mut self,
        arena: &mut Vec<u8>,
        places: &mut Vec<u32>,
        groups: &mut Vec<Group>,
        counts: &mut Counts,
    ) {
        // An arena that grows too large is given up in the end; until then its offsets may wrap.
        let (base, first_group) = (arena.len() as u32, groups.len() as u32);
        for &place in &self.places {
            Node::relocate(&mut self.arena, NodeAt(place), base, first_group);
        }
        arena.extend_from_slice(&self.arena);
        places.extend(self.places.iter().map(|place| place.wrapping_add(base)));
        for mut group in self.groups.drain(..) {
            for member in &mut group.members {
                if let Body::Set(SetAt(at)) = &mut member.body {
                    *at = at.wrapping_add(base);
                }
            }
            groups.push(group);
        }
        counts.records += self.counts.records;
        counts.groups += self.counts.groups;
        self.arena.clear();
        self.places.clear();
        (self.counts, self.signed) = (Counts::default(), false);
    }
}

struct Writer<'a, 'g> {
    ground: &'a Ground<'g>,
    part: &'a mut Part,
    meaning: Meaning<'a>,
}

impl<'a> Writer<'a, '_> {
    fn node(&mut self, index: u32) {
        let Ground { drafts, records: all, .. } = *self.ground;
        let draft = drafts.get(index);
        let mut by_kind = std::mem::take(&mut self.part.by_kind);
        by_kind.clear();
        by_kind.extend(drafts.records_of(all, draft).map(|record| (kind_of(&all.get(record)), record)));
        if by_kind.len() > 1 {
            by_kind.sort_by_key(|&(kind, _)| kind);
        }
        let mut records = std::mem::take(&mut self.part.scratch);
        records.clear();
        records.extend(by_kind.iter().map(|&(_, record)| record));
        let sets = by_kind.chunk_by(|(one, _), (other, _)| one == other);
        let mut next = self.write_node(draft, index, sets.clone().count());
        let mut rest = &records[..];
        for set in sets {
            let (rtype, covered) = set[0].0;
            let (set, others) = rest.split_at(set.len());
            rest = others;
            let offset = self.set(draft, index, rtype, set);
            let entry = match rtype {
                Type::RRSIG => Entry { rtype: covered, kind: Kind::Signatures, offset },
                _ => Entry { rtype, kind: Kind::Set, offset },
            };
            self.part.signed |= rtype == Type::RRSIG;
            next = self.write_entry(next, entry);
        }
        for (rtype, sets) in drafts.groups_of(index) {
            let number = self.part.groups.len() as u32;
            self.group(draft, index, rtype, sets);
            next = self.write_entry(next, Entry { rtype, kind: Kind::Group, offset: number });
        }
        if draft.flags & Flags::CUT != 0 {
            let offset = self.referral(draft, &records);
            self.write_entry(next, Entry { rtype: Type::NS, kind: Kind::Referral, offset });
        }
        if self.ground.signed {
            self.check_signing(draft, index, &by_kind);
        }
        self.meaning.check_node(draft, index == 0, drafts, index, &records);
        (self.part.by_kind, self.part.scratch) = (by_kind, records);
    }

    /// Writes the node's head with room for its entries, so many of them sets; returns where these begin.
    fn write_node(&mut self, draft: &Draft, index: u32, sets: usize) -> usize {
        let Ground { drafts, .. } = *self.ground;
        let name = drafts.name(draft);
        let entries = sets + drafts.groups_of(index).count() + usize::from(draft.flags & Flags::CUT != 0);
        let arena = &mut self.part.arena;
        self.part.places.push(arena.len() as u32);
        // A name has far fewer types than 16 bits count: there are 65,536 of them, and signatures.
        let count = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
        arena.extend_from_slice(&[name.len() as u8, draft.flags, count[0], count[1]]);
        arena.extend_from_slice(name);
        if let Some(cover) = drafts.cover(index) {
            arena.extend_from_slice(&cover.to_le_bytes());
        }
        let at = arena.len();
        arena.resize(at + ENTRY * entries, 0);
        at
    }

    fn write_entry(&mut self, at: usize, Entry { rtype, kind, offset }: Entry) -> usize {
        let Some(place) = self.part.arena.get_mut(at..at + ENTRY) else { return at };
        place[..2].copy_from_slice(&rtype.0.to_le_bytes());
        place[2] = kind as u8;
        place[4..].copy_from_slice(&offset.to_le_bytes());
        at + ENTRY
    }

    /// Notes which sets of a name have no signature, and when the signatures end. Delegations and glue have none (RFC 4035,
    /// 2.2).
    fn check_signing(&mut self, draft: &Draft, index: u32, by_kind: &[((Type, Type), RecordId)]) {
        let Ground { zone, drafts, records: all, .. } = *self.ground;
        let name = drafts.name(draft);
        if draft.flags & Flags::OCCLUDED != 0 {
            return;
        }
        let at_cut = draft.flags & Flags::CUT != 0;
        let wants = |rtype: Type| rtype != Type::RRSIG && (!at_cut || matches!(rtype, Type::DS | Type::NSEC));
        let is_signed = |rtype: Type| by_kind.iter().any(|&(kind, _)| kind == (Type::RRSIG, rtype));
        let signing = &mut self.part.signing;
        for set in by_kind.chunk_by(|(one, _), (other, _)| one == other) {
            let ((rtype, _), first) = set[0];
            if wants(rtype) && !is_signed(rtype) {
                signing.unsigned(name, rtype, || zone.at(&all.get(first)));
            }
            if rtype == Type::RRSIG {
                for record in set.iter().map(|&(_, id)| all.get(id)) {
                    signing.signature(name, record.rdata, || zone.at(&record));
                }
            }
        }
        for (rtype, sets) in drafts.groups_of(index) {
            let first = &zone.record_sets[sets[0] as usize];
            // One that is there or not, by its health, may be signed.
            let may_hold = sets.len() == 1 && matches!(first.body, record_set::Body::Values { .. });
            if wants(rtype) && !(may_hold && is_signed(rtype)) {
                signing.steered(name, rtype, || first.at.clone());
            }
        }
    }

    /// Renders the plain records of one type; returns where they stand.
    fn set(&mut self, draft: &Draft, index: u32, rtype: Type, records: &[RecordId]) -> u32 {
        let Ground { drafts, records: all, settings, .. } = *self.ground;
        let Part { renderer, arena, counts, .. } = &mut *self.part;
        renderer.begin(drafts.name(draft));
        counts.records += records.len() as u32;
        if let [only] = records {
            let record = all.get(*only);
            renderer.record(rtype, record.ttl, record.rdata);
            return renderer.finish(arena) as u32;
        }
        let mut kept: Vec<Record<'_>> = self.meaning.without_duplicates(rtype, records);
        counts.records -= (records.len() - kept.len()) as u32;
        let ttl = self.meaning.one_ttl(rtype, &kept, index == 0);
        if rtype == Type::NS && settings.sorted_name_servers {
            kept.sort_by_key(by_name);
        }
        for record in &kept {
            renderer.record(rtype, ttl.unwrap_or(record.ttl), record.rdata);
        }
        renderer.finish(arena) as u32
    }

    /// Renders the record sets of one group.
    fn group(&mut self, draft: &Draft, index: u32, rtype: Type, sets: &[u32]) {
        let Ground { drafts, zone, .. } = *self.ground;
        if sets.len() > MEMBERS_MAX {
            self.meaning.too_many_members(&zone.record_sets[sets[0] as usize], sets.len());
        }
        let Part { renderer, arena, counts, .. } = &mut *self.part;
        let mut members = Vec::with_capacity(sets.len().min(MEMBERS_MAX));
        for set in sets.iter().take(MEMBERS_MAX).map(|&set| &zone.record_sets[set as usize]) {
            let body = match &set.body {
                record_set::Body::Values { ttl, rdata } => {
                    renderer.begin(drafts.name(draft));
                    rdata.iter().for_each(|data| renderer.record(rtype, *ttl, data));
                    counts.records += rdata.len() as u32;
                    Body::Set(SetAt(renderer.finish(arena) as u32))
                }
                record_set::Body::Alias(alias) => {
                    counts.records += 1;
                    let wire = alias.name.to_lowercase();
                    let target = if !is_under(wire.wire(), drafts.origin()) || drafts.is_hidden(wire.wire()) {
                        Target::Elsewhere(wire.into())
                    } else if let Some(target) = drafts.find(wire.wire()) {
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
        counts.groups += 1;
        self.part.groups.push(Group { node: NodeAt(index), rtype, members: members.into() });
    }

    /// Renders a cut's name servers with the addresses this zone has of them.
    fn referral(&mut self, draft: &Draft, records: &[RecordId]) -> u32 {
        let Ground { drafts, records: all, settings, .. } = *self.ground;
        let name = drafts.name(draft);
        let servers: Vec<RecordId> =
            records.iter().copied().filter(|&record| all.get(record).rtype == Type::NS).collect();
        let mut servers = self.meaning.without_duplicates_quietly(Type::NS, &servers);
        if settings.sorted_name_servers {
            servers.sort_by_key(by_name);
        }
        let ttl = servers.iter().map(|record| record.ttl).min().unwrap_or(0);
        self.part.renderer.begin(name);
        for server in &servers {
            self.part.renderer.record(Type::NS, ttl, server.rdata);
        }
        for server in &servers {
            let lower = server.rdata.to_ascii_lowercase();
            if !is_under(&lower, drafts.origin()) {
                continue;
            }
            let mut found = false;
            if let Some(target) = drafts.find(&lower) {
                for rtype in [Type::A, Type::AAAA] {
                    found |= self.glue(target, rtype, server.rdata);
                }
                found |= drafts.groups_of(target).next().is_some();
            }
            if !found && is_under(&lower, name) {
                self.meaning.missing_glue(server);
            }
        }
        let at = self.part.arena.len() as u32;
        let count = u16::try_from(servers.len()).unwrap_or(u16::MAX);
        self.part.arena.extend_from_slice(&count.to_le_bytes());
        self.part.renderer.finish(&mut self.part.arena);
        at
    }

    /// Adds the addresses of a name server; tells whether there are any. They come from the records, or, where these
    /// may be gone, from what was made of them.
    fn glue(&mut self, target: u32, rtype: Type, owner: &[u8]) -> bool {
        let Ground { drafts, records: all, arena, places, .. } = *self.ground;
        let renderer = &mut self.part.renderer;
        if let Some(&place) = places.get(target as usize) {
            let node = Node::read(arena, NodeAt(place));
            let Some(Found::Set(at)) = node.find(rtype) else { return false };
            for record in Fragment::read(node.name, &arena[at.0 as usize..]).records() {
                renderer.foreign_record(owner, rtype, record.ttl, record.stored());
            }
            return true;
        }
        let of_type = |record: &RecordId| all.get(*record).rtype == rtype;
        let records: Vec<RecordId> = drafts.records_of(all, drafts.get(target)).filter(of_type).collect();
        let glue = self.meaning.without_duplicates_quietly(rtype, &records);
        let ttl = glue.iter().map(|record| record.ttl).min().unwrap_or(0);
        for record in &glue {
            renderer.foreign_record(owner, rtype, ttl, record.rdata);
        }
        !glue.is_empty()
    }
}

/// Name servers in the order of their names.
fn by_name(record: &Record<'_>) -> String {
    Shown(record.rdata).to_string().to_ascii_lowercase()
}
