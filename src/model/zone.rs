//! A hosted zone as its file tells it: plain records in one flat arena, steered record sets beside them.

use std::sync::Arc;

use super::Id;
use super::record_set::RecordSet;
use crate::problem::At;
use crate::wire::name::Name;
use crate::wire::rtype::Type;

/// Who may see a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    #[default]
    Public,
    /// The VPCs that see it; nobody else does.
    Private(Vec<Id>),
}

#[derive(Clone, Debug, Default)]
pub struct ZoneData {
    pub origin: Name,
    pub visibility: Visibility,
    /// The files it was read from, the zone's own first; `Record::file` counts into it.
    pub files: Vec<Arc<str>>,
    pub records: Records,
    /// Records with a routing policy or a health check, and aliases.
    pub record_sets: Vec<RecordSet>,
}

impl ZoneData {
    pub fn new(origin: Name, file: Arc<str>) -> ZoneData {
        ZoneData {
            origin,
            visibility: Visibility::Public,
            files: vec![file],
            records: Records::default(),
            record_sets: Vec::new(),
        }
    }

    /// The place of a plain record, for a problem about it.
    pub fn at(&self, record: &Record<'_>) -> At {
        let file = self.files[usize::from(record.file)].clone();
        At { file, line: record.line, column: 1, length: 0 }
    }
}

/// Plain records, in file order. Flat, because a zone may hold millions; in chunks, so that those that are done with can
/// be let go of, and that what several hands have read becomes one without copying.
#[derive(Clone, Debug, Default)]
pub struct Records {
    chunks: Vec<Chunk>,
    length: usize,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    last_owner: (u32, u8),
}

/// So many records are let go of together.
const CHUNK_BITS: u32 = 15;
const CHUNK: usize = 1 << CHUNK_BITS;

/// A usual line of a zone file. Room for records is taken by it, to be enlarged where lines are shorter.
const TEXT_OF_A_RECORD: usize = 32;

/// Room for so many records, and so many bytes of them, is kept for the next zone.
const ENTRIES_KEPT: usize = 1 << 12;
const BYTES_KEPT: usize = 1 << 16;

/// A record by its place in its zone: in file order, with gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId(u32);

impl RecordId {
    /// No record.
    pub const NONE: RecordId = RecordId(u32::MAX);

    fn new(chunk: usize, place: usize) -> RecordId {
        RecordId((chunk << CHUNK_BITS | place) as u32)
    }

    fn chunk(self) -> usize {
        (self.0 >> CHUNK_BITS) as usize
    }

    fn place(self) -> usize {
        self.0 as usize & (CHUNK - 1)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    owner: u32,
    rdata: u32,
    ttl: u32,
    line: u32,
    /// The next record of the same owner, once they have been gathered.
    next: RecordId,
    rtype: u16,
    rdata_length: u16,
    file: u16,
    owner_length: u8,
}

/// One plain record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Wire form, in the case it was written in.
    pub owner: &'a [u8],
    pub rtype: Type,
    pub ttl: u32,
    /// Wire form, names not compressed.
    pub rdata: &'a [u8],
    pub file: u16,
    pub line: u32,
}

/// A zone's records are numbered with 32 bits.
#[derive(Debug, PartialEq, Eq)]
pub struct ZoneTooLarge;

impl Records {
    /// None yet, with room for those that a text of this length may hold.
    pub fn expected_of(text_length: usize) -> Records {
        let entries = (text_length / TEXT_OF_A_RECORD + 1).min(CHUNK);
        let bytes = text_length.min(CHUNK * TEXT_OF_A_RECORD);
        let chunk =
            Chunk { entries: Vec::with_capacity(entries), bytes: Vec::with_capacity(bytes), last_owner: (0, 0) };
        Records { chunks: vec![chunk], length: 0 }
    }

    /// Lets go of all records, and keeps the room that few take.
    pub fn clear(&mut self) {
        self.length = 0;
        self.chunks.truncate(1);
        match self.chunks.first_mut() {
            Some(chunk) if chunk.entries.capacity() <= ENTRIES_KEPT && chunk.bytes.capacity() <= BYTES_KEPT => {
                chunk.entries.clear();
                chunk.bytes.clear();
                chunk.last_owner = (0, 0);
            }
            _ => self.chunks.clear(),
        }
    }

    /// Takes room for those that a text of this length may hold, unless there is room from others before.
    pub fn expect(&mut self, text_length: usize) {
        let kept = self.chunks.first().is_some_and(|chunk| chunk.bytes.capacity() > 0);
        if !kept || text_length > BYTES_KEPT {
            *self = Records::expected_of(text_length);
        }
    }

    /// Appends a record. An owner equal to the one before shares its bytes.
    pub fn push(&mut self, record: Record<'_>) -> Result<RecordId, ZoneTooLarge> {
        if self.chunks.last().is_none_or(|chunk| chunk.entries.len() == CHUNK) {
            // The last number is nobody's.
            if self.chunks.len() + 1 >= 1 << (u32::BITS - CHUNK_BITS) {
                return Err(ZoneTooLarge);
            }
            self.chunks.push(Chunk::default());
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        chunk.push(record)?;
        self.length += 1;
        Ok(RecordId::new(number, chunk.entries.len() - 1))
    }

    /// Appends the records of what was read beside.
    pub fn append(&mut self, other: Records) -> Result<(), ZoneTooLarge> {
        if self.chunks.len() + other.chunks.len() >= 1 << (u32::BITS - CHUNK_BITS) {
            return Err(ZoneTooLarge);
        }
        self.chunks.extend(other.chunks);
        self.length += other.length;
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The numbers of a chunk's records.
    pub fn ids_in(&self, chunk: usize) -> impl ExactSizeIterator<Item = RecordId> + use<> {
        let length = self.chunks.get(chunk).map_or(0, |chunk| chunk.entries.len());
        (0..length).map(move |place| RecordId::new(chunk, place))
    }

    /// Forgets the records of a chunk; nobody may ask for them any more.
    pub fn let_go(&mut self, chunk: usize) {
        if let Some(chunk) = self.chunks.get_mut(chunk) {
            *chunk = Chunk::default();
        }
    }

    pub fn get(&self, id: RecordId) -> Record<'_> {
        let chunk = &self.chunks[id.chunk()];
        chunk.record(&chunk.entries[id.place()])
    }

    /// The record that follows under the same owner.
    pub fn next(&self, id: RecordId) -> RecordId {
        self.chunks[id.chunk()].entries[id.place()].next
    }

    /// Says which record follows one under the same owner.
    pub fn link(&mut self, id: RecordId, next: RecordId) {
        self.chunks[id.chunk()].entries[id.place()].next = next;
    }

    /// The owner of a record, and where its bytes stand: records of one owner that follow each other share them.
    pub fn owner(&self, id: RecordId) -> (&[u8], u32) {
        let chunk = &self.chunks[id.chunk()];
        let entry = &chunk.entries[id.place()];
        (chunk.owner(entry), entry.owner)
    }

    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.chunks.iter().flat_map(|chunk| chunk.entries.iter().map(|entry| chunk.record(entry)))
    }
}

impl Chunk {
    fn push(&mut self, record: Record<'_>) -> Result<(), ZoneTooLarge> {
        let (owner, owner_length) = self.last_owner;
        let before = &self.bytes[owner as usize..owner as usize + usize::from(owner_length)];
        if before != record.owner {
            let at = u32::try_from(self.bytes.len()).map_err(|_| ZoneTooLarge)?;
            self.bytes.extend_from_slice(record.owner);
            self.last_owner = (at, record.owner.len() as u8);
        }
        let rdata = u32::try_from(self.bytes.len()).map_err(|_| ZoneTooLarge)?;
        self.bytes.extend_from_slice(record.rdata);
        let rdata_length = u16::try_from(record.rdata.len()).map_err(|_| ZoneTooLarge)?;
        self.entries.push(Entry {
            owner: self.last_owner.0,
            owner_length: self.last_owner.1,
            rdata,
            rdata_length,
            ttl: record.ttl,
            line: record.line,
            next: RecordId::NONE,
            rtype: record.rtype.0,
            file: record.file,
        });
        Ok(())
    }

    fn owner(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.owner as usize..entry.owner as usize + usize::from(entry.owner_length)]
    }

    fn record(&self, entry: &Entry) -> Record<'_> {
        let rdata = entry.rdata as usize;
        Record {
            owner: self.owner(entry),
            rtype: Type(entry.rtype),
            ttl: entry.ttl,
            rdata: &self.bytes[rdata..rdata + usize::from(entry.rdata_length)],
            file: entry.file,
            line: entry.line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_went_in() {
        let mut records = Records::default();
        let all = [
            (&b"\x01a\0"[..], Type::A, &[192, 0, 2, 1][..]),
            (b"\x01a\0", Type::TXT, b"\x00"),
            (b"\x01A\0", Type::A, b""),
        ];
        for (line, (owner, rtype, rdata)) in (1..).zip(all) {
            records.push(Record { owner, rtype, ttl: 60, rdata, file: 0, line }).unwrap();
        }
        let back: Vec<_> = records.iter().map(|record| (record.owner, record.rtype, record.rdata)).collect();
        assert_eq!(back, all);
        assert_eq!(records.chunks[0].bytes.len(), 3 + 4 + 1 + 3);
    }

    #[test]
    fn chunks_follow_each_other_and_can_be_let_go_of() {
        let record = |line| Record { owner: b"\x01a\0", rtype: Type::A, ttl: 60, rdata: b"1234", file: 0, line };
        let count = CHUNK as u32 + 3;
        let mut records = Records::default();
        for line in 0..count {
            records.push(record(line)).unwrap();
        }
        let mut beside = Records::default();
        for line in count..count + 2 {
            beside.push(record(line)).unwrap();
        }
        records.append(beside).unwrap();
        records.push(record(count + 2)).unwrap();
        assert_eq!((records.len(), records.chunks()), (count as usize + 3, 3));
        assert!(records.iter().map(|record| record.line).eq(0..count + 3));
        let ids: Vec<RecordId> = (0..3).flat_map(|chunk| records.ids_in(chunk)).collect();
        assert!(ids.is_sorted() && ids.iter().map(|&id| records.get(id).line).eq(0..count + 3));
        records.let_go(0);
        assert_eq!(records.get(ids[CHUNK]).line, count - 3);
        assert_eq!(records.ids_in(0).len(), 0);
    }
}
