//! Answers, written as packets: fragments linked where they fit, names compressed where they don't.
//!
//! A reply is written straight into the caller's buffer. Sets go in whole or not at all.

use super::fragment::{Fragment, POINTER_MAX, QUESTION_AT, RECORD_FIXED, RECORD_HEAD, Rendered};
use super::layout::{Piece, layout};
use super::name::{LABELS_MAX, label_starts, wire_len};
use super::query::HEADER;
use super::rtype::{Class, Type};
use super::words::same;

/// Names that later ones are compressed against; those of a large reply beyond this are written out.
const KNOWN_MAX: usize = 128;
/// A name on the wire follows at most this many pointers: one for each label.
const HOPS_MAX: usize = LABELS_MAX;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Section {
    Answer,
    Authority,
    Additional,
}

/// Whose name a set is written under.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// The question's name without this many bytes in front: itself, or an ancestor.
    Question(u8),
    /// Any name.
    Name(&'a [u8]),
}

/// A set didn't fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// What names a reply has so far. One per worker: it is reset, not made, for each reply.
pub struct Known {
    positions: [u16; KNOWN_MAX],
    count: usize,
    scratch: Vec<u8>,
}

impl Default for Known {
    fn default() -> Known {
        Known { positions: [0; KNOWN_MAX], count: 0, scratch: Vec::with_capacity(1024) }
    }
}

/// A reply being written.
pub struct Response<'o, 'k> {
    out: &'o mut [u8],
    length: usize,
    /// No set may go beyond this.
    limit: usize,
    question_name: usize,
    /// The question's name in lower case, as fragments are rendered.
    lower: &'k [u8],
    counts: [u16; 3],
    known: &'k mut Known,
    question_known: bool,
    /// Where the name stands that the CNAME linked last points at; 0 where none was.
    target: usize,
}

impl<'o, 'k> Response<'o, 'k> {
    /// Begins with the question's header and the question, as they came. `lower` is the question's name in lower case.
    #[inline]
    pub fn begin(out: &'o mut [u8], limit: usize, question: &[u8], lower: &'k [u8], known: &'k mut Known) -> Self {
        let length = question.len().min(out.len());
        out[..length].copy_from_slice(&question[..length]);
        known.count = 0;
        Response {
            limit: limit.min(out.len()),
            out,
            length,
            question_name: lower.len(),
            lower,
            counts: [0; 3],
            known,
            question_known: false,
            target: 0,
        }
    }

    pub fn length(&self) -> usize {
        self.length
    }

    pub fn count(&self, section: Section) -> u16 {
        self.counts[section as usize]
    }

    /// The space that is left for sets.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.length)
    }

    /// Adds a set. `aligned`: the fragment was rendered for a name whose end is the question's end.
    /// `spin` says which record comes first, where the order may change; `ttl` replaces the set's own.
    #[inline]
    pub fn set(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        aligned: bool,
        fragment: Fragment<'_>,
        ttl: Option<u32>,
        spin: u32,
    ) -> Result<(), Full> {
        let start = self.length;
        match owner {
            Owner::Question(skip) if fragment.is_plain() => {
                return self.plain_set(section, QUESTION_AT + usize::from(skip), fragment, ttl, spin);
            }
            Owner::Question(skip) if aligned && self.in_reach(&fragment) && self.is_lower() => {
                self.link(fragment, QUESTION_AT + usize::from(skip), fragment.count)?;
            }
            // What a CNAME points at comes right behind it: its name stands there already.
            Owner::Name(name) if self.target != 0 && fragment.is_plain() && self.spells(self.target as u16, name) => {
                return self.plain_set(section, self.target, fragment, ttl, spin);
            }
            _ => self.spell(owner, fragment)?,
        }
        self.added(section, start, fragment, ttl);
        Ok(())
    }

    /// Adds a set without compressed names, under the name that stands at `owner_at`.
    #[inline(always)]
    pub fn plain_set(
        &mut self,
        section: Section,
        owner_at: usize,
        fragment: Fragment<'_>,
        ttl: Option<u32>,
        spin: u32,
    ) -> Result<(), Full> {
        let start = self.length;
        let end = start + fragment.bytes.len();
        if end > self.limit {
            return Err(Full);
        }
        let place = &mut self.out[start..end];
        fragment.copy_turned(spin, place);
        if owner_at != QUESTION_AT {
            point_at(owner_at, place, fragment.count);
        }
        self.length = end;
        self.added(section, start, fragment, ttl);
        Ok(())
    }

    /// A set was written from `start` on.
    #[inline]
    fn added(&mut self, section: Section, start: usize, fragment: Fragment<'_>, ttl: Option<u32>) {
        self.counts[section as usize] += fragment.count;
        if let Some(ttl) = ttl {
            self.replace_ttls(start, fragment.count, ttl);
        }
        self.target = match fragment.is_cname() && start + RECORD_HEAD <= POINTER_MAX {
            true if self.out[start] >= 0xc0 => start + RECORD_HEAD,
            _ => 0,
        };
    }

    /// Whether the question came in lower case.
    fn is_lower(&self) -> bool {
        self.out.get(QUESTION_AT..QUESTION_AT + self.lower.len()).is_some_and(|asked| same(asked, self.lower))
    }

    /// Adds a referral: `servers` records for AUTHORITY, glue for ADDITIONAL. `skip` leads from the question to the cut.
    pub fn referral(&mut self, skip: u8, servers: u16, fragment: Fragment<'_>) -> Result<(), Full> {
        if !self.is_lower() || !self.in_reach(&fragment) {
            return Err(Full);
        }
        self.link(fragment, QUESTION_AT + usize::from(skip), servers)?;
        self.counts[Section::Authority as usize] += servers;
        self.counts[Section::Additional as usize] += fragment.count - servers;
        Ok(())
    }

    /// Adds one record with data that is whole as it stands, save for names at its layout's places.
    pub fn record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: Type,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        let before = (self.length, self.known.count);
        let outcome = self.record_parts(owner, rtype, ttl, rdata);
        match outcome {
            Ok(()) => self.counts[section as usize] += 1,
            Err(Full) => (self.length, self.known.count) = before,
        }
        outcome
    }

    /// Whether pointers moved with this fragment still have 14 bits.
    fn in_reach(&self, fragment: &Fragment<'_>) -> bool {
        self.length + fragment.bytes.len() <= POINTER_MAX
    }

    /// Copies a fragment in and moves its pointers. The first `owned` records are the owner's.
    fn link(&mut self, fragment: Fragment<'_>, owner_at: usize, owned: u16) -> Result<(), Full> {
        let (start, end) = (self.length, self.length + fragment.bytes.len());
        if end > self.limit {
            return Err(Full);
        }
        let place = &mut self.out[start..end];
        place.copy_from_slice(fragment.bytes);
        if owner_at != QUESTION_AT {
            point_at(owner_at, place, owned);
        }
        let home = fragment.home();
        let question_shift = self.question_name - fragment.owner.len();
        let fragment_shift = start.wrapping_sub(home);
        if question_shift | fragment_shift != 0 {
            for fixup in fragment.fixups() {
                let pointer = usize::from(u16::from_be_bytes([place[fixup] & 0x3f, place[fixup + 1]]));
                let shift = if pointer < home { question_shift } else { fragment_shift };
                let moved = pointer.wrapping_add(shift) | 0xc000;
                place[fixup..fixup + 2].copy_from_slice(&(moved as u16).to_be_bytes());
            }
        }
        self.length = end;
        Ok(())
    }

    /// Writes a fragment's records one by one, names compressed against what the reply has.
    fn spell(&mut self, owner: Owner<'_>, fragment: Fragment<'_>) -> Result<(), Full> {
        let before = (self.length, self.known.count);
        for record in fragment.records() {
            if self.spell_record(owner, &record).is_err() {
                (self.length, self.known.count) = before;
                return Err(Full);
            }
        }
        Ok(())
    }

    fn spell_record(&mut self, owner: Owner<'_>, record: &Rendered<'_>) -> Result<(), Full> {
        let mut data = std::mem::take(&mut self.known.scratch);
        data.clear();
        record.data(&mut data);
        let outcome = self.record_parts(owner, record.rtype, record.ttl, &data);
        self.known.scratch = data;
        outcome
    }

    fn record_parts(&mut self, owner: Owner<'_>, rtype: Type, ttl: u32, rdata: &[u8]) -> Result<(), Full> {
        match owner {
            Owner::Question(skip) => {
                let pointer = 0xc000 | (QUESTION_AT + usize::from(skip)) as u16;
                self.put(&pointer.to_be_bytes())?;
            }
            Owner::Name(name) => self.put_name(name, true)?,
        }
        self.put(&rtype.0.to_be_bytes())?;
        self.put(&Class::IN.0.to_be_bytes())?;
        self.put(&ttl.to_be_bytes())?;
        let length_at = self.length;
        self.put(&[0, 0])?;
        let mut at = 0;
        for &piece in layout(rtype) {
            let rest = rdata.get(at..).unwrap_or_default();
            let taken = match piece {
                Piece::Bytes(count) => count.min(rest.len()),
                Piece::Text => rest.first().map_or(0, |&count| 1 + usize::from(count)).min(rest.len()),
                Piece::CompressibleName | Piece::PlainName => {
                    let Some(length) = wire_len(rest) else { break };
                    self.put_name(&rest[..length], piece == Piece::CompressibleName)?;
                    at += length;
                    continue;
                }
            };
            self.put(&rest[..taken])?;
            at += taken;
        }
        self.put(rdata.get(at..).unwrap_or_default())?;
        let length = (self.length - length_at - 2) as u16;
        self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.length + bytes.len();
        if end > self.limit {
            return Err(Full);
        }
        self.out[self.length..end].copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    fn put_name(&mut self, name: &[u8], compress: bool) -> Result<(), Full> {
        if !self.question_known {
            self.know_question();
        }
        let mut starts = [0; LABELS_MAX + 1];
        let count = label_starts(name, &mut starts);
        // Labels of this very name can't be pointed at before all of it is there.
        let whole = self.known.count;
        for index in 0..count {
            let start = usize::from(starts[index]);
            if compress && let Some(position) = self.position_of(&name[start..], whole) {
                return self.put(&(0xc000 | position).to_be_bytes());
            }
            let position = self.length;
            let end = if index + 1 < count { usize::from(starts[index + 1]) } else { name.len() - 1 };
            self.put(&name[start..end])?;
            if position <= POINTER_MAX && self.known.count < KNOWN_MAX {
                self.known.positions[self.known.count] = position as u16;
                self.known.count += 1;
            }
        }
        self.put(&[0])
    }

    /// The question's labels are there to be pointed at, before anything else.
    fn know_question(&mut self) {
        self.question_known = true;
        let mut at = QUESTION_AT;
        let end = QUESTION_AT + self.question_name;
        while at < end && self.out[at] != 0 && self.known.count < KNOWN_MAX {
            self.known.positions[self.known.count] = at as u16;
            self.known.count += 1;
            at += 1 + usize::from(self.out[at]);
        }
    }

    /// Where exactly this name stands already, case included.
    fn position_of(&self, name: &[u8], whole: usize) -> Option<u16> {
        self.known.positions[..whole].iter().copied().find(|&position| self.spells(position, name))
    }

    fn spells(&self, position: u16, name: &[u8]) -> bool {
        let (mut at, mut wanted, mut hops) = (usize::from(position), 0, 0);
        loop {
            let length = usize::from(self.out[at]);
            if length >= 0xc0 {
                hops += 1;
                if hops > HOPS_MAX {
                    return false;
                }
                at = (length & 0x3f) << 8 | usize::from(self.out[at + 1]);
                continue;
            }
            let end = at + 1 + length;
            let label = &self.out[at..end];
            if !name.get(wanted..wanted + 1 + length).is_some_and(|wanted| same(wanted, label)) {
                return false;
            }
            if length == 0 {
                return true;
            }
            at = end;
            wanted += 1 + length;
        }
    }

    fn replace_ttls(&mut self, start: usize, count: u16, ttl: u32) {
        let mut at = start;
        for _ in 0..count {
            while self.out[at] != 0 && self.out[at] < 0xc0 {
                at += 1 + usize::from(self.out[at]);
            }
            at += if self.out[at] == 0 { 1 } else { 2 };
            self.out[at + 4..at + 8].copy_from_slice(&ttl.to_be_bytes());
            at += RECORD_FIXED + usize::from(u16::from_be_bytes([self.out[at + 8], self.out[at + 9]]));
        }
    }

    /// Takes back everything after `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        (self.length, self.counts, self.target) = (mark.length, mark.counts, 0);
        self.known.count = mark.known;
        self.question_known = mark.question_known;
    }

    pub fn mark(&self) -> Mark {
        Mark { length: self.length, counts: self.counts, known: self.known.count, question_known: self.question_known }
    }

    /// Ends the sets: where they end, and how many records each section has.
    #[inline]
    pub fn end(self) -> Written {
        Written { length: self.length, counts: self.counts }
    }
}

/// What was written of a reply: where it ends, and how many records each section has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    pub length: usize,
    pub counts: [u16; 3],
}

/// Writes the header's flags and counts.
#[inline]
pub fn seal(out: &mut [u8], flags: [u8; 2], questions: u16, counts: [u16; 3]) {
    let Some(header) = out.first_chunk_mut::<HEADER>() else { return };
    let [answers, authorities, additionals] = counts.map(u16::to_be_bytes);
    let [id_high, id_low, ..] = *header;
    let questions = questions.to_be_bytes();
    *header = [
        id_high,
        id_low,
        flags[0],
        flags[1],
        questions[0],
        questions[1],
        answers[0],
        answers[1],
        authorities[0],
        authorities[1],
        additionals[0],
        additionals[1],
    ];
}

/// A point in a reply to come back to.
#[derive(Clone, Copy)]
pub struct Mark {
    length: usize,
    counts: [u16; 3],
    known: usize,
    question_known: bool,
}

/// Makes the first so many records of a linked set those of the name that stands at `owner_at`.
fn point_at(owner_at: usize, place: &mut [u8], records: u16) {
    let mut at = 0;
    for _ in 0..records {
        place[at] = 0xc0 | (owner_at >> 8) as u8;
        place[at + 1] = owner_at as u8;
        at += RECORD_HEAD + usize::from(u16::from_be_bytes([place[at + 10], place[at + 11]]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fragment::Renderer;
    use crate::wire::name::Name;

    fn wire(text: &str) -> Vec<u8> {
        Name::parse_absolute(text).unwrap().wire().to_vec()
    }

    fn question(name: &str) -> Vec<u8> {
        [&[0; 12][..], &wire(name), &[0, 1, 0, 1]].concat()
    }

    /// The reply's records as hickory reads them.
    fn reply(asked: &str, write: impl FnOnce(&mut Response<'_, '_>)) -> Vec<String> {
        let (mut out, mut known) = ([0; 4096], Known::default());
        let lower = wire(&asked.to_ascii_lowercase());
        let mut response = Response::begin(&mut out, 4096, &question(asked), &lower, &mut known);
        write(&mut response);
        let Written { length, counts } = response.end();
        seal(&mut out, [0x84, 0], 1, counts);
        let message = hickory_proto::op::Message::from_vec(&out[..length]).unwrap();
        message
            .all_sections()
            .map(|record| format!("{} {} {}", record.name, record.record_type(), record.data))
            .collect()
    }

    fn fragment<'a>(owner: &'a [u8], arena: &'a mut Vec<u8>, rtype: Type, data: &[Vec<u8>]) -> Fragment<'a> {
        let mut renderer = Renderer::default();
        renderer.begin(owner);
        data.iter().for_each(|data| renderer.record(rtype, 60, data));
        renderer.finish(arena);
        Fragment::read(owner, arena)
    }

    #[test]
    fn a_fragment_links_wherever_it_stands_and_however_the_question_is_written() {
        let data = [wire("ns1.example.com"), wire("ns2.example.com"), wire("ns1.sub.ns.example.org")];
        let (owner, mut arena) = (wire("example.com"), Vec::new());
        let set = fragment(&owner, &mut arena, Type::NS, &data);
        for (asked, skip) in [("example.com", 0), ("a.b.example.com", 4), ("A.b.exAMple.com", 4)] {
            let all = reply(asked, |response| {
                response.set(Section::Answer, Owner::Question(skip), true, set, None, 0).unwrap();
                response.set(Section::Authority, Owner::Question(skip), true, set, None, 0).unwrap();
                response.set(Section::Additional, Owner::Name(&wire("x.org")), false, set, Some(7), 0).unwrap();
            });
            let suffix = &asked[usize::from(skip)..];
            let mut expected: Vec<String> = Vec::new();
            for owner in [suffix, suffix, "x.org"] {
                for target in ["ns1.example.com", "ns2.example.com", "ns1.sub.ns.example.org"] {
                    expected.push(format!("{owner}. NS {target}."));
                }
            }
            assert_eq!(all, expected, "{asked}");
        }
    }

    #[test]
    fn a_set_goes_in_whole_or_not_at_all() {
        let (owner, mut arena) = (wire("a"), Vec::new());
        let set = fragment(&owner, &mut arena, Type::TXT, &[vec![3, 1, 2, 3], vec![3, 4, 5, 6]]);
        let (mut out, mut known) = ([0; 512], Known::default());
        let asked = question("a");
        for (limit, fits) in [(19 + 32, true), (19 + 31, false)] {
            for owner in [Owner::Question(0), Owner::Name(&wire("b"))] {
                let limit = if matches!(owner, Owner::Name(_)) { limit + 1 } else { limit };
                let lower = wire("a");
                let mut response = Response::begin(&mut out, limit, &asked, &lower, &mut known);
                let outcome = response.set(Section::Answer, owner, false, set, None, 0);
                assert_eq!(outcome.is_ok(), fits, "{limit}");
                assert_eq!(response.length() == 19, !fits);
            }
        }
    }

    #[test]
    fn a_name_that_repeats_its_labels_is_not_pointed_at_before_it_is_whole() {
        let names = ["a.a.a.a", "b.b.a.a", "a.b.b.a.a"];
        let all = reply("x", |response| {
            for name in names {
                response.record(Section::Answer, Owner::Name(&wire(name)), Type::NS, 1, &wire(name)).unwrap();
            }
        });
        assert_eq!(all, names.map(|name| format!("{name}. NS {name}.")));
    }

    #[test]
    fn a_turned_set_starts_elsewhere() {
        let (owner, mut arena) = (wire("a"), Vec::new());
        let data: Vec<Vec<u8>> = (1..=4).map(|last| vec![192, 0, 2, last]).collect();
        let set = fragment(&owner, &mut arena, Type::A, &data);
        let firsts: Vec<String> = (0..4)
            .map(|quarter| {
                let spin = (quarter << 30) + 1;
                let all = reply("a", |r| r.set(Section::Answer, Owner::Question(0), true, set, None, spin).unwrap());
                assert_eq!(all.len(), 4);
                all[0].clone()
            })
            .collect();
        assert_eq!(firsts, ["a. A 192.0.2.1", "a. A 192.0.2.2", "a. A 192.0.2.3", "a. A 192.0.2.4"]);
    }
}
