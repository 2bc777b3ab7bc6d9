//! Fragments: record sets rendered to wire form ahead of time, ready to be linked into a reply.
//!
//! A fragment is rendered as if it followed a question that asks for its owner's name:
//!
//! ```text
//! 0          12              12+N       16+N
//! | header   | owner's name  | type etc | the fragment's records ...
//! ```
//!
//! Every record's owner is the pointer `C0 0C`. Compressed names in record data point at the question or at the
//! fragment itself; their positions are listed as *fixups*. Linking copies the bytes and moves those pointers, as a
//! linker relocates object code: pointers into the question move with the end of the real question (the owner is a
//! suffix of it), pointers into the fragment move with the fragment. Where question and owner are the same name,
//! nothing moves at all, and serving is a copy.
//!
//! Compression keeps the case of names (RFC 4343): it is against exactly equal bytes, and a question that came in
//! another case than the owner's takes the way through `expand` instead.

use super::layout::{Piece, names_in};
use super::name::{LABELS_MAX, NAME_MAX, label_starts, labels};
use super::rtype::{Class, Type};

/// Where the question's name stands in every message.
pub const QUESTION_AT: usize = 12;
/// What follows the question's name: type and class.
const QUESTION_TAIL: usize = 4;
/// Compression pointers have 14 bits (RFC 1035, 4.1.4).
pub const POINTER_MAX: usize = 0x3fff;
/// The fixed part of a record behind its owner's name: type, class, TTL, data length.
pub const RECORD_FIXED: usize = 10;
/// An owner pointer and the fixed part.
pub const RECORD_HEAD: usize = 2 + RECORD_FIXED;
/// Where the TTL stands in a record: behind an owner pointer, type and class.
const TTL_AT: usize = 6;
/// The header of a stored fragment.
const STORED_HEAD: usize = 8;

/// A rendered set, borrowed from an arena.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Lower-case wire form of the name it was rendered for.
    pub owner: &'a [u8],
    /// How many records.
    pub count: u16,
    /// Positions in `bytes` of pointers in record data, two bytes each, least first.
    fixups: &'a [u8],
    pub bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The TTL of the first record of a stored fragment.
    #[inline]
    pub fn first_ttl(stored: &[u8]) -> Option<u32> {
        let (&[count_low, count_high, fixups_low, fixups_high, ..], rest) =
            stored.split_first_chunk::<STORED_HEAD>()?;
        let fixup_bytes = 2 * usize::from(u16::from_le_bytes([fixups_low, fixups_high]));
        let ttl = rest.get(fixup_bytes + TTL_AT..)?.first_chunk()?;
        if [count_low, count_high] == [0, 0] { None } else { Some(u32::from_be_bytes(*ttl)) }
    }

    /// Whether a stored fragment has more than one record.
    #[inline]
    pub fn has_several(stored: &[u8]) -> bool {
        stored.first_chunk().is_some_and(|count| u16::from_le_bytes(*count) > 1)
    }

    /// Reads a fragment that `render` stored.
    #[inline]
    pub fn read(owner: &'a [u8], stored: &'a [u8]) -> Fragment<'a> {
        let count = u16::from_le_bytes([stored[0], stored[1]]);
        let fixup_bytes = 2 * usize::from(u16::from_le_bytes([stored[2], stored[3]]));
        let length = u32::from_le_bytes([stored[4], stored[5], stored[6], stored[7]]) as usize;
        let (fixups, rest) = stored[STORED_HEAD..].split_at(fixup_bytes);
        Fragment { owner, count, fixups, bytes: &rest[..length] }
    }

    /// Reads a stored fragment if it is plain: then it doesn't matter whom it was rendered for.
    #[inline(always)]
    pub fn read_plain(stored: &'a [u8]) -> Option<Fragment<'a>> {
        let (head, rest) = stored.split_first_chunk::<STORED_HEAD>()?;
        let &[count_low, count_high, 0, 0, a, b, c, d] = head else { return None };
        let bytes = rest.get(..u32::from_le_bytes([a, b, c, d]) as usize)?;
        Some(Fragment { owner: &[], count: u16::from_le_bytes([count_low, count_high]), fixups: &[], bytes })
    }

    /// A fragment without compressed names reads the same in every message.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.fixups.is_empty()
    }

    /// Copies a plain fragment, with the record in front that `spin` says, to a place that is as long.
    #[inline(always)]
    pub fn copy_turned(&self, spin: u32, place: &mut [u8]) {
        if self.count > 1 && spin != 0 {
            let (front, back) = self.bytes.split_at(self.turn(spin));
            place[..back.len()].copy_from_slice(back);
            place[back.len()..].copy_from_slice(front);
        } else {
            place.copy_from_slice(self.bytes);
        }
    }

    /// Where the record begins that a turned set starts with.
    fn turn(&self, spin: u32) -> usize {
        let first = ((u64::from(spin) * u64::from(self.count)) >> 32) as usize;
        // Sets of addresses have records of one length.
        let each = RECORD_HEAD + usize::from(u16::from_be_bytes([self.bytes[10], self.bytes[11]]));
        if each * usize::from(self.count) == self.bytes.len() && matches!(each, 16 | 28) {
            return first * each;
        }
        self.records().take(first).map(|record| RECORD_HEAD + record.stored().len()).sum()
    }

    /// Whether it is a CNAME alone.
    #[inline]
    pub fn is_cname(&self) -> bool {
        self.count == 1 && self.bytes.get(2..4) == Some(&Type::CNAME.0.to_be_bytes())
    }

    pub fn fixups(&self) -> impl Iterator<Item = usize> + 'a {
        self.fixups.chunks_exact(2).map(|pair| usize::from(u16::from_le_bytes([pair[0], pair[1]])))
    }

    /// Where this fragment was rendered to stand.
    pub fn home(&self) -> usize {
        QUESTION_AT + self.owner.len() + QUESTION_TAIL
    }

    /// The records one by one.
    pub fn records(&self) -> impl Iterator<Item = Rendered<'a>> + 'a {
        let fragment = *self;
        let mut at = 0;
        std::iter::from_fn(move || {
            let head = fragment.bytes.get(at..at + RECORD_HEAD)?;
            let start = at + RECORD_HEAD;
            let end = start + usize::from(u16::from_be_bytes([head[10], head[11]]));
            at = end;
            Some(Rendered {
                rtype: Type(u16::from_be_bytes([head[2], head[3]])),
                ttl: u32::from_be_bytes([head[6], head[7], head[8], head[9]]),
                fragment,
                start,
                end,
            })
        })
    }

    /// Appends the uncompressed form of the name at `at` in `bytes`; returns where it ends there.
    fn expand(&self, at: usize, into: &mut Vec<u8>) -> usize {
        let (mut position, mut end, mut in_owner) = (at, None, false);
        // A rendered name has at most a pointer for each label, and it always points backwards.
        for _ in 0..2 * LABELS_MAX {
            let source = if in_owner { self.owner } else { self.bytes };
            let length = usize::from(source[position]);
            if length >= 0xc0 {
                let target = (length & 0x3f) << 8 | usize::from(source[position + 1]);
                end.get_or_insert(position + 2);
                in_owner = target < self.home();
                position = if in_owner { target - QUESTION_AT } else { target - self.home() };
                continue;
            }
            into.extend_from_slice(&source[position..=position + length]);
            position += 1 + length;
            if length == 0 {
                break;
            }
        }
        end.unwrap_or(position)
    }
}

/// One record of a fragment.
#[derive(Clone, Copy)]
pub struct Rendered<'a> {
    pub rtype: Type,
    pub ttl: u32,
    fragment: Fragment<'a>,
    start: usize,
    end: usize,
}

impl<'a> Rendered<'a> {
    /// Its data as it stands in the fragment; uncompressed where the fragment is plain.
    pub fn stored(&self) -> &'a [u8] {
        &self.fragment.bytes[self.start..self.end]
    }

    /// Appends its data with all names written out.
    pub fn data(&self, into: &mut Vec<u8>) {
        if self.fragment.is_plain() {
            into.extend_from_slice(self.stored());
            return;
        }
        let mut at = self.start;
        for &piece in super::layout::layout(self.rtype) {
            match piece {
                Piece::Bytes(count) => {
                    into.extend_from_slice(&self.fragment.bytes[at..(at + count).min(self.end)]);
                    at += count;
                }
                Piece::CompressibleName | Piece::PlainName => at = self.fragment.expand(at, into),
                Piece::Text => {
                    let count = 1 + usize::from(self.fragment.bytes[at]);
                    into.extend_from_slice(&self.fragment.bytes[at..at + count]);
                    at += count;
                }
            }
        }
        into.extend_from_slice(&self.fragment.bytes[at.min(self.end)..self.end]);
    }
}

/// Renders sets into an arena. Kept from set to set, so that a million of them cost no million allocations.
#[derive(Default)]
pub struct Renderer {
    bytes: Vec<u8>,
    fixups: Vec<u16>,
    /// Where names written out in this fragment have their labels, as positions in the virtual message.
    known: Vec<u16>,
    count: u16,
    owner: Vec<u8>,
    /// How many labels of the owner are not to be pointed at: one for a wildcard, which answers for other names.
    skip: usize,
}

/// Names are looked for among at most this many earlier label positions; a set of thousands is not worth more.
const KNOWN_MAX: usize = 64;

impl Renderer {
    /// Begins a fragment for `owner`, in lower case.
    pub fn begin(&mut self, owner: &[u8]) {
        self.bytes.clear();
        self.fixups.clear();
        self.known.clear();
        self.count = 0;
        self.owner.clear();
        self.owner.extend_from_slice(owner);
        self.skip = usize::from(super::name::is_wildcard(owner));
    }

    /// Adds a record that the fragment's owner has.
    pub fn record(&mut self, rtype: Type, ttl: u32, rdata: &[u8]) {
        self.bytes.extend_from_slice(&[0xc0, QUESTION_AT as u8]);
        self.fixed_and_data(rtype, ttl, rdata);
    }

    /// Adds a record of another owner, as glue: the owner is written like a name in record data.
    pub fn foreign_record(&mut self, owner: &[u8], rtype: Type, ttl: u32, rdata: &[u8]) {
        self.name(owner, true);
        self.fixed_and_data(rtype, ttl, rdata);
    }

    fn fixed_and_data(&mut self, rtype: Type, ttl: u32, rdata: &[u8]) {
        self.bytes.extend_from_slice(&rtype.0.to_be_bytes());
        self.bytes.extend_from_slice(&Class::IN.0.to_be_bytes());
        self.bytes.extend_from_slice(&ttl.to_be_bytes());
        let length_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        let mut at = 0;
        if !super::layout::layout(rtype).is_empty() {
            for (piece, range) in names_in(rtype, rdata) {
                self.bytes.extend_from_slice(&rdata[at..range.start]);
                self.name(&rdata[range.clone()], piece == Piece::CompressibleName);
                at = range.end;
            }
        }
        self.bytes.extend_from_slice(&rdata[at..]);
        let length = (self.bytes.len() - length_at - 2) as u16;
        self.bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        self.count = self.count.saturating_add(1);
    }

    fn name(&mut self, name: &[u8], compress: bool) {
        let home = QUESTION_AT + self.owner.len() + QUESTION_TAIL;
        let mut starts = [0; LABELS_MAX + 1];
        let count = label_starts(name, &mut starts);
        for (index, &start) in starts[..count].iter().enumerate() {
            let suffix = &name[usize::from(start)..];
            if compress && let Some(target) = self.position_of(suffix, home) {
                // Fixups are kept in 16 bits; behind that a name is written out.
                if let Ok(at) = u16::try_from(self.bytes.len()) {
                    self.fixups.push(at);
                    self.bytes.extend_from_slice(&(0xc000 | target as u16).to_be_bytes());
                    return;
                }
            }
            let position = home + self.bytes.len();
            if position <= POINTER_MAX && self.known.len() < KNOWN_MAX {
                self.known.push(position as u16);
            }
            let end = if index + 1 < count { usize::from(starts[index + 1]) } else { name.len() - 1 };
            self.bytes.extend_from_slice(&name[usize::from(start)..end]);
        }
        self.bytes.push(0);
    }

    /// Where in the virtual message exactly this name can be pointed at.
    fn position_of(&self, suffix: &[u8], home: usize) -> Option<usize> {
        let mut at = 0;
        let mut skipped = 0;
        while self.owner.len() - at >= suffix.len() && self.owner[at] != 0 {
            if skipped >= self.skip && self.owner[at..] == *suffix {
                return Some(QUESTION_AT + at);
            }
            at += 1 + usize::from(self.owner[at]);
            skipped += 1;
        }
        let view = Fragment { owner: &self.owner, count: 0, fixups: &[], bytes: &self.bytes };
        let known = self.known.iter().map(|&known| usize::from(known));
        known.into_iter().find(|&known| view.spells(known - home, suffix))
    }

    /// Appends the finished fragment to an arena; returns where it begins there.
    pub fn finish(&mut self, arena: &mut Vec<u8>) -> usize {
        let at = arena.len();
        arena.extend_from_slice(&self.count.to_le_bytes());
        arena.extend_from_slice(&(self.fixups.len() as u16).to_le_bytes());
        arena.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        for fixup in &self.fixups {
            arena.extend_from_slice(&fixup.to_le_bytes());
        }
        arena.extend_from_slice(&self.bytes);
        at
    }
}

impl Fragment<'_> {
    /// Whether the name at `at` in `bytes` is exactly `name`, case included.
    fn spells(&self, at: usize, name: &[u8]) -> bool {
        let (mut position, mut in_owner) = (at, false);
        let mut wanted = labels(name);
        for _ in 0..NAME_MAX {
            let source = if in_owner { self.owner } else { self.bytes };
            let Some(&length) = source.get(position) else { return false };
            let length = usize::from(length);
            if length >= 0xc0 {
                let Some(&low) = source.get(position + 1) else { return false };
                let target = (length & 0x3f) << 8 | usize::from(low);
                in_owner = target < self.home();
                position = if in_owner { target - QUESTION_AT } else { target - self.home() };
                continue;
            }
            match wanted.next() {
                None => return length == 0,
                Some(label) if source.get(position + 1..position + 1 + length) == Some(label) && length > 0 => {}
                Some(_) => return false,
            }
            position += 1 + length;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::Name;

    fn wire(text: &str) -> Vec<u8> {
        Name::parse_absolute(text).unwrap().wire().to_vec()
    }

    fn rendered(owner: &str, rtype: Type, data: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let (mut renderer, mut arena) = (Renderer::default(), Vec::new());
        let owner = wire(owner);
        renderer.begin(&owner);
        data.iter().for_each(|data| renderer.record(rtype, 60, data));
        renderer.finish(&mut arena);
        (owner, arena)
    }

    #[test]
    fn names_in_data_point_at_the_owner_and_at_each_other() {
        let data = [wire("ns1.example.com"), wire("ns2.ns1.example.com"), wire("ns.other"), wire("Ns.Example.com")];
        let (owner, arena) = rendered("example.com", Type::NS, &data);
        let fragment = Fragment::read(&owner, &arena);
        let lengths: Vec<usize> = fragment.records().map(|record| record.stored().len()).collect();
        assert_eq!(lengths, [6, 6, 10, 13], "the last differs in case, so only its `com` is pointed at");
        assert_eq!(fragment.fixups().count(), 3);
        for (record, data) in fragment.records().zip(&data) {
            let mut expanded = Vec::new();
            record.data(&mut expanded);
            assert_eq!(&expanded, data);
        }
    }

    #[test]
    fn a_wildcard_points_at_its_parent_only() {
        let data = [[&[0, 10][..], &wire("*.example.")].concat()];
        let (owner, arena) = rendered("*.example", Type::MX, &data);
        let fragment = Fragment::read(&owner, &arena);
        let record = fragment.records().next().unwrap();
        assert_eq!(record.stored(), [0, 10, 1, b'*', 0xc0, 14]);
    }

    #[test]
    fn a_set_without_names_is_plain() {
        let (owner, arena) = rendered("a", Type::A, &[vec![192, 0, 2, 1], vec![192, 0, 2, 2]]);
        let fragment = Fragment::read(&owner, &arena);
        assert!(fragment.is_plain());
        assert_eq!((fragment.count, fragment.bytes.len()), (2, 32));
    }
}
