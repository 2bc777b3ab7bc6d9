//! A zone, ready for answering: one flat arena of a hash table over its names, their nodes, and rendered sets. All that
//! a small zone has stands in a few lines of memory next to each other.
//!
//! ```text
//! slot   | tag 4 | node 4 |
//! node   | name length 1 | flags 1 | entries 2 | name ... | cover 4, if occluded | entry ... |
//! entry  | type 2 | kind 1 | unused 1 | offset 4 |
//! ```
//!
//! An entry leads to a rendered set ([`Fragment`]), to the signatures over a set, to a referral ready to be sent, or
//! to a group that a policy chooses from. Numbers are little-endian, names are in lower case. A lookup touches a slot
//! of the table and the node it leads to.

use std::sync::Arc;

use super::denial::Denial;
use super::group::Group;
use super::signing::Endings;
use crate::model::zone::Visibility;
use crate::wire::fragment::Fragment;
use crate::wire::name::Name;
use crate::wire::rtype::Type;
use crate::wire::words::same;

/// An immutable zone. What a lookup reads of it stands in front, in this order, and so mostly in one line of memory.
#[repr(C)]
pub struct ZoneImage {
    pub(super) arena: Box<[u8]>,
    /// How many places the table has.
    pub(super) places: u32,
    pub(super) apex: NodeAt,
    /// The SOA with the TTL that negative answers give it (RFC 2308, 3).
    pub(super) negative_soa: u32,
    pub(super) origin_labels: u8,
    /// In bytes.
    pub(super) origin_length: u8,
    pub groups: Box<[Group]>,
    pub origin: Name,
    pub visibility: Visibility,
    /// The file it was read from.
    pub file: Arc<str>,
    pub(super) denial: Denial,
    pub counts: Counts,
    /// When its signatures end; none without signatures.
    pub(super) endings: Option<Box<Endings>>,
}

/// How much a zone holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub names: u32,
    pub records: u32,
    pub groups: u32,
}

/// One place of the hash table, which the arena begins with: enough of the hash to be almost sure, and the node. At 0
/// there is the table, so no node is.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(super) struct Slot {
    pub tag: u32,
    pub node: u32,
}

impl Slot {
    pub(super) const BYTES: usize = 8;

    #[inline]
    pub(super) fn read([a, b, c, d, e, f, g, h]: [u8; Slot::BYTES]) -> Slot {
        Slot { tag: u32::from_le_bytes([a, b, c, d]), node: u32::from_le_bytes([e, f, g, h]) }
    }

    pub(super) fn write(self, bytes: &mut [u8; Slot::BYTES]) {
        bytes[..4].copy_from_slice(&self.tag.to_le_bytes());
        bytes[4..].copy_from_slice(&self.node.to_le_bytes());
    }
}

/// Where a node stands in its zone's arena.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeAt(pub(super) u32);

impl NodeAt {
    /// Different for each node of a zone.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// What is known of a node without looking at its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(pub(super) u8);

impl Flags {
    /// Has NS and isn't the apex: from here down somebody else is asked.
    pub const CUT: u8 = 1;
    /// Has a DNAME: what is below is elsewhere.
    pub const DNAME: u8 = 2;
    /// Has a CNAME.
    pub const CNAME: u8 = 4;
    /// Has a child `*`.
    pub const WILDCARD_BELOW: u8 = 8;
    /// Lies below a cut or a DNAME.
    pub const OCCLUDED: u8 = 16;

    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    Set = 0,
    Group = 1,
    /// RRSIGs; the entry's type is the one they cover.
    Signatures = 2,
    /// NS and glue, rendered together for the cut's referral.
    Referral = 3,
}

const SET: u8 = Kind::Set as u8;
const GROUP: u8 = Kind::Group as u8;

/// What a node has of a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    Set(SetAt),
    /// By its number among the zone's groups.
    Group(u32),
}

/// Where a rendered set stands in its zone's arena.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SetAt(pub(super) u32);

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub rtype: Type,
    pub kind: Kind,
    pub offset: u32,
}

pub(super) const NODE_HEAD: usize = 4;
pub(super) const ENTRY: usize = 8;
const COVER: usize = 4;

/// A node, borrowed.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    arena: &'a [u8],
    pub at: NodeAt,
    pub flags: Flags,
    entries: u16,
    pub name: &'a [u8],
}

impl<'a> Node<'a> {
    #[inline]
    pub(super) fn read(arena: &'a [u8], at: NodeAt) -> Node<'a> {
        let start = at.0 as usize;
        let head = &arena[start..start + NODE_HEAD];
        let end = start + NODE_HEAD + usize::from(head[0]);
        Node {
            arena,
            at,
            flags: Flags(head[1]),
            entries: u16::from_le_bytes([head[2], head[3]]),
            name: &arena[start + NODE_HEAD..end],
        }
    }

    fn after_name(&self) -> usize {
        self.at.0 as usize + NODE_HEAD + self.name.len()
    }

    /// The cut or DNAME that it lies below, if it does.
    #[inline]
    pub fn cover(&self) -> Option<NodeAt> {
        if !self.flags.has(Flags::OCCLUDED) {
            return None;
        }
        let at = self.after_name();
        Some(NodeAt(read_u32(self.arena, at)))
    }

    fn first_entry(&self) -> usize {
        self.after_name() + if self.flags.has(Flags::OCCLUDED) { COVER } else { 0 }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> + 'a {
        let start = self.first_entry();
        let bytes = &self.arena[start..start + ENTRY * usize::from(self.entries)];
        bytes.chunks_exact(ENTRY).map(|entry| Entry {
            rtype: Type(u16::from_le_bytes([entry[0], entry[1]])),
            kind: match entry[2] {
                0 => Kind::Set,
                1 => Kind::Group,
                2 => Kind::Signatures,
                _ => Kind::Referral,
            },
            offset: u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]),
        })
    }

    /// An empty non-terminal has nothing of its own.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// What it has of a type.
    #[inline]
    pub fn find(&self, rtype: Type) -> Option<Found> {
        let start = self.after_name() + if self.flags.has(Flags::OCCLUDED) { COVER } else { 0 };
        let bytes = self.arena.get(start..start + ENTRY * usize::from(self.entries))?;
        let [low, high] = rtype.0.to_le_bytes();
        bytes.as_chunks::<ENTRY>().0.iter().find_map(|&[type_low, type_high, kind, _, a, b, c, d]| {
            if [type_low, type_high] != [low, high] {
                return None;
            }
            let offset = u32::from_le_bytes([a, b, c, d]);
            match kind {
                SET => Some(Found::Set(SetAt(offset))),
                GROUP => Some(Found::Group(offset)),
                _ => None,
            }
        })
    }

    /// All it has, signatures left out.
    pub fn sets(&self) -> impl Iterator<Item = (Type, Found)> + 'a {
        self.entries()
            .filter(|entry| matches!(entry.kind, Kind::Set | Kind::Group))
            .map(|entry| (entry.rtype, found(entry)))
    }

    /// The signatures over its set of a type.
    pub fn signatures(&self, covered: Type) -> Option<SetAt> {
        self.entries()
            .find(|entry| entry.rtype == covered && entry.kind == Kind::Signatures)
            .map(|entry| SetAt(entry.offset))
    }

    /// The signatures over all its sets.
    pub fn all_signatures(&self) -> impl Iterator<Item = SetAt> + 'a {
        self.entries().filter(|entry| entry.kind == Kind::Signatures).map(|entry| SetAt(entry.offset))
    }

    /// Whether it has a set of this type, or signatures over one, and nothing else.
    pub(super) fn has_only(&self, rtype: Type) -> bool {
        self.entries().all(|entry| entry.rtype == rtype && matches!(entry.kind, Kind::Set | Kind::Signatures))
    }

    /// Moves what a node's entries lead to so far behind, in an arena that is to stand behind another, and the numbers of
    /// its groups.
    pub(super) fn relocate(arena: &mut [u8], at: NodeAt, base: u32, first_group: u32) {
        let node = Node::read(arena, at);
        let (start, count) = (node.first_entry(), usize::from(node.entries));
        for entry in arena[start..start + ENTRY * count].chunks_exact_mut(ENTRY) {
            let (kind, offset) = entry.split_at_mut(4);
            let by = if kind[2] == Kind::Group as u8 { first_group } else { base };
            let old = read_u32(offset, 0);
            offset.copy_from_slice(&old.wrapping_add(by).to_le_bytes());
        }
    }

    /// A cut's whole referral.
    pub fn referral(&self) -> Option<ReferralAt> {
        self.entries().find(|entry| entry.kind == Kind::Referral).map(|entry| ReferralAt(entry.offset))
    }
}

fn found(entry: Entry) -> Found {
    match entry.kind {
        Kind::Group => Found::Group(entry.offset),
        _ => Found::Set(SetAt(entry.offset)),
    }
}

/// Where a referral stands in its zone's arena: a count of name servers, then a fragment of these and their glue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReferralAt(u32);

fn read_u32(arena: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([arena[at], arena[at + 1], arena[at + 2], arena[at + 3]])
}

impl ZoneImage {
    pub fn node(&self, at: NodeAt) -> Node<'_> {
        Node::read(&self.arena, at)
    }

    pub fn apex(&self) -> Node<'_> {
        self.node(self.apex)
    }

    /// The node of a name in lower case, by the name's hash.
    #[inline(always)]
    pub fn find(&self, name: &[u8], hash: u64) -> Option<Node<'_>> {
        self.probe(hash, |node| same(node.name, name))
    }

    /// The wildcard right below a name, by the wildcard's hash.
    pub fn find_wildcard(&self, parent: &[u8], hash: u64) -> Option<Node<'_>> {
        self.probe(hash, |node| node.name.strip_prefix(b"\x01*").is_some_and(|rest| same(rest, parent)))
    }

    /// The node with this hash that is the one looked for.
    #[inline(always)]
    fn probe(&self, hash: u64, is_it: impl Fn(&Node<'_>) -> bool) -> Option<Node<'_>> {
        let tag = hash as u32;
        let mut index = home(hash, self.places());
        loop {
            let slot = self.slot(index);
            if slot.node == 0 {
                return None;
            }
            if slot.tag == tag {
                let node = self.node(NodeAt(slot.node));
                if is_it(&node) {
                    return Some(node);
                }
            }
            index = if index + 1 == self.places() { 0 } else { index + 1 };
        }
    }

    #[inline]
    fn places(&self) -> usize {
        self.places as usize
    }

    #[inline]
    fn slot(&self, index: usize) -> Slot {
        Slot::read(self.arena.as_chunks().0[index])
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.arena.as_chunks().0.iter().take(self.places()).map(|&slot| Slot::read(slot))
    }

    /// Reads the place of the table that this hash leads to, for nothing but having it read.
    #[inline]
    pub(super) fn touch_table(&self, hash: u64) -> u32 {
        self.slot(home(hash, self.places())).tag
    }

    /// Where a name with this hash probably stands, from the table alone; 0 is nowhere.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> u32 {
        let mut index = home(hash, self.places());
        loop {
            let slot = self.slot(index);
            if slot.node == 0 || slot.tag == hash as u32 {
                return slot.node;
            }
            index = if index + 1 == self.places() { 0 } else { index + 1 };
        }
    }

    /// Its origin, in lower case, from where its records stand too: a lookup has that memory at hand, or soon needs it.
    #[inline(always)]
    pub(super) fn origin_nearby(&self) -> &[u8] {
        let start = self.apex.0 as usize + NODE_HEAD;
        self.arena.get(start..start + usize::from(self.origin_length)).unwrap_or_default()
    }

    /// A byte of the arena, for nothing but having it read.
    #[inline]
    pub(super) fn touch(&self, at: usize) -> u8 {
        self.arena.get(at).copied().unwrap_or(0)
    }

    pub fn origin_labels(&self) -> usize {
        usize::from(self.origin_labels)
    }

    #[inline]
    pub fn set<'a>(&'a self, owner: Node<'a>, at: SetAt) -> Fragment<'a> {
        Fragment::read(owner.name, &self.arena[at.0 as usize..])
    }

    /// A set, if it has no compressed names: then it is the same whoever owns it, and no owner is looked up for it.
    #[inline(always)]
    pub fn plain_set(&self, at: SetAt) -> Option<Fragment<'_>> {
        Fragment::read_plain(self.arena.get(at.0 as usize..)?)
    }

    /// Whether a set has more than one record.
    #[inline]
    pub fn has_several(&self, at: SetAt) -> bool {
        self.arena.get(at.0 as usize..).is_some_and(Fragment::has_several)
    }

    /// The TTL of a set's first record, which all its records share.
    #[inline]
    pub fn ttl(&self, at: SetAt) -> Option<u32> {
        Fragment::first_ttl(&self.arena[at.0 as usize..])
    }

    /// The SOA as negative answers show it.
    pub fn negative_soa(&self) -> SetAt {
        SetAt(self.negative_soa)
    }

    /// How many name servers a referral has, and these with their glue.
    pub fn referral<'a>(&'a self, cut: Node<'a>, at: ReferralAt) -> (u16, Fragment<'a>) {
        let start = at.0 as usize;
        let servers = u16::from_le_bytes([self.arena[start], self.arena[start + 1]]);
        (servers, Fragment::read(cut.name, &self.arena[start + 2..]))
    }

    pub fn denial(&self) -> &Denial {
        &self.denial
    }

    pub fn is_signed(&self) -> bool {
        !matches!(self.denial, Denial::Unsigned)
    }

    /// Every node, in no particular order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.slots().filter(|slot| slot.node != 0).map(|slot| self.node(NodeAt(slot.node)))
    }

    /// What it takes in memory, groups left out.
    pub fn bytes(&self) -> usize {
        self.arena.len() + size_of::<ZoneImage>()
    }
}

/// Where the search for a hash begins in a table of this length.
pub(super) fn home(hash: u64, length: usize) -> usize {
    (((hash >> 32) * length as u64) >> 32) as usize
}
