//! A hosted zone as its file tells it: plain records in one flat arena, steered record sets beside them.

use std::sync::Arc;

use super::Id;
use super::record_set::RecordSet;
use crate::problem::At;
use crate::wire::name::Name;
use crate::wire::rtype::Type;

/// Who may see a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    Public,
    /// The VPCs that see it; nobody else does.
    Private(Vec<Id>),
}

#[derive(Clone, Debug)]
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

/// Plain records, in file order. Flat, because a zone may hold millions.
#[derive(Clone, Debug, Default)]
pub struct Records {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    last_owner: (u32, u8),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    owner: u32,
    rdata: u32,
    ttl: u32,
    line: u32,
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

/// The records of one zone must fit offsets of 32 bits.
#[derive(Debug, PartialEq, Eq)]
pub struct ZoneTooLarge;

impl Records {
    /// Appends a record. An owner equal to the one before shares its bytes.
    pub fn push(&mut self, record: Record<'_>) -> Result<(), ZoneTooLarge> {
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
            rtype: record.rtype.0,
            file: record.file,
        });
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, index: usize) -> Record<'_> {
        let entry = &self.entries[index];
        let (owner, rdata) = (entry.owner as usize, entry.rdata as usize);
        Record {
            owner: &self.bytes[owner..owner + usize::from(entry.owner_length)],
            rtype: Type(entry.rtype),
            ttl: entry.ttl,
            rdata: &self.bytes[rdata..rdata + usize::from(entry.rdata_length)],
            file: entry.file,
            line: entry.line,
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        (0..self.len()).map(|index| self.get(index))
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
        assert_eq!(records.bytes.len(), 3 + 4 + 1 + 3);
    }
}
