//! Reads the entries of a zone file one after the other: records here, directives and routing in the files beside.

use std::collections::HashMap;
use std::sync::Arc;

use super::foreign::foreign;
use super::routing::GroupKey;
use super::source::Source;
use super::{Includes, annotation, pieces};
use crate::hands::Hands;
use crate::model::ZoneData;
use crate::model::zone::{Record, Records, Visibility};
use crate::problem::{Problems, Severity, nearest};
use crate::wire::name::Name;
use crate::wire::rdata;
use crate::wire::rdata::entry::Entry;
use crate::wire::rdata::fields::{Fault, Field, Fields, Outcome, period};
use crate::wire::rtype::{Class, Type};

/// RFC 2181, 8: a TTL has 31 bits; one with the 32nd bit set counts as 0.
pub const TTL_MAX: u32 = i32::MAX as u32;

/// NSD's default, for a zone file that never says a TTL.
const TTL_UNSAID: u32 = 3_600;

/// Parentheses that are never closed make the reader start anew behind them; more often than this it gives up.
const UNCLOSED_MAX: u32 = 50;

pub struct Reader<'a> {
    pub zone: ZoneData,
    pub includes: &'a dyn Includes,
    pub problems: &'a mut Problems,
    /// Warnings about the entry being read.
    pub warnings: Vec<Fault>,
    /// What `$TTL` set, or the minimum of an SOA without a TTL.
    pub default_ttl: Option<u32>,
    /// The last TTL that a record said itself (RFC 1035, 5.1).
    pub last_ttl: Option<u32>,
    pub warned_of_ttl: bool,
    /// Whether a record said a TTL, and whether one before that went by what stands before the text that is read here.
    pub said_ttl: bool,
    pub leaned_on_ttl: bool,
    /// What is read is a piece of a file, by itself, and needs more than that: it has to be read in its turn.
    pub alone: bool,
    pub gave_up: bool,
    /// Whether the zone has said `AWS hostedzone`.
    pub introduced: bool,
    /// The files being read behind the zone's own, each including the next.
    pub open: Vec<Arc<str>>,
    pub included: u32,
    pub generated: u64,
    pub generated_bytes: u64,
    /// The owners and the data that `$GENERATE` lines wrote, in bytes.
    pub generated_text: u64,
    /// The steered record set that a name, type and identifier belong to.
    pub groups: HashMap<GroupKey, usize>,
    unclosed: u32,
    full: bool,
    entry: Entry,
    rdata: Vec<u8>,
}

/// The room that reading takes. Kept from zone to zone, so that a hundred thousand small ones don't each take it anew.
#[derive(Default)]
pub struct Room {
    entry: Entry,
    rdata: Vec<u8>,
    origin: Vec<u8>,
    owner: Vec<u8>,
    records: Records,
    files: Vec<Arc<str>>,
}

impl Room {
    /// Takes a zone that nobody needs any more.
    pub fn take_back(&mut self, zone: ZoneData) {
        (self.records, self.files) = (zone.records, zone.files);
        self.records.clear();
        self.files.clear();
    }
}

/// Room for the data of so many bytes, and for so many tokens, is kept for the next zone.
const DATA_KEPT: usize = 1 << 16;
const TOKENS_KEPT: usize = 1 << 12;

/// What stands between a record's owner and its data.
pub struct Header {
    pub ttl: Option<u32>,
    pub kind: Kind,
}

pub enum Kind {
    Record(Type),
    /// `AWS ALIAS`.
    Alias,
}

/// Reads a zone; a large file is read by all hands.
pub fn read(
    origin: &Name,
    file: Arc<str>,
    text: &[u8],
    includes: &dyn Includes,
    hands: &dyn Hands,
    room: &mut Room,
    problems: &mut Problems,
) -> ZoneData {
    let Room { entry, rdata, origin: its_origin, owner, mut records, mut files } = std::mem::take(room);
    records.expect(text.len());
    files.push(file.clone());
    let (origin, visibility) = (origin.clone(), Visibility::Public);
    let zone = ZoneData { origin, visibility, files, records, record_sets: Vec::new() };
    let mut reader = Reader::new(zone, includes, problems);
    (reader.entry, reader.rdata) = (entry, rdata);
    let mut source = Source::new(text, file, 0, its_origin, owner);
    source.origin.clear();
    source.origin.extend_from_slice(reader.zone.origin.wire());
    source.owner.clear();
    pieces::read(&mut reader, &mut source, hands, pieces::USUAL);
    reader.file(&mut source);
    let Reader { zone, entry, rdata, .. } = reader;
    let Source { origin, owner, .. } = source;
    if entry.tokens.capacity() <= TOKENS_KEPT && rdata.capacity() <= DATA_KEPT {
        *room = Room { entry, rdata, origin, owner, ..Room::default() };
    }
    zone
}

impl<'a> Reader<'a> {
    pub fn new(zone: ZoneData, includes: &'a dyn Includes, problems: &'a mut Problems) -> Reader<'a> {
        Reader {
            open: Vec::new(),
            zone,
            includes,
            problems,
            warnings: Vec::new(),
            default_ttl: None,
            last_ttl: None,
            warned_of_ttl: false,
            said_ttl: false,
            leaned_on_ttl: false,
            alone: false,
            gave_up: false,
            introduced: false,
            included: 0,
            generated: 0,
            generated_bytes: 0,
            generated_text: 0,
            groups: HashMap::new(),
            unclosed: 0,
            full: false,
            entry: Entry::default(),
            rdata: Vec::new(),
        }
    }
}

impl Reader<'_> {
    pub fn file(&mut self, source: &mut Source<'_>) {
        self.until(source, source.text.len());
    }

    /// Reads the entries that begin before `end`.
    pub fn until(&mut self, source: &mut Source<'_>, end: usize) {
        // An entry that includes a file is read on behind that.
        let mut entry = std::mem::take(&mut self.entry);
        self.until_by(source, end, &mut entry);
        self.entry = entry;
    }

    fn until_by(&mut self, source: &mut Source<'_>, end: usize, entry: &mut Entry) {
        let end = end.min(source.text.len());
        while source.start < end && !self.full && !self.gave_up && self.unclosed < UNCLOSED_MAX {
            let next = entry.scan(source.text, source.start);
            if self.alone && needs_its_turn(source.text, entry) {
                self.gave_up = true;
                return;
            }
            let outcome = match entry.fault.take() {
                None if entry.tokens.is_empty() && entry.annotations.is_empty() => Ok(()),
                None => self.entry(source, entry),
                Some(fault) => {
                    self.owner_of_broken(source, entry);
                    Err(fault)
                }
            };
            if let Err(fault) = outcome {
                self.problems.push(source.problem(Severity::Error, *fault));
            }
            for fault in self.warnings.drain(..) {
                self.problems.push(source.problem(Severity::Warning, fault));
            }
            source.start = next;
            source.line = source.line.saturating_add(entry.lines);
            self.unclosed += u32::from(entry.unclosed);
        }
    }

    fn entry(&mut self, source: &mut Source<'_>, entry: &Entry) -> Outcome<()> {
        let Some(first) = entry.tokens.first() else { return self.lone_comment(source, entry) };
        if !first.quoted && source.text.get(first.start) == Some(&b'$') {
            return self.directive(source, entry);
        }
        self.record(source, entry)
    }

    /// An entry that can't be read may still name the owner that the blank ones behind it mean.
    fn owner_of_broken(&mut self, source: &mut Source<'_>, entry: &Entry) {
        let directive = entry.tokens.first().is_some_and(|first| source.text.get(first.start) == Some(&b'$'));
        if !directive && !entry.tokens.is_empty() {
            // Whatever is wrong with the name too, one problem is enough for an entry.
            let _ = self.owner(source, entry);
        }
    }

    /// Takes the owner that the entry names; a blank one means that of the record before.
    fn owner(&mut self, source: &mut Source<'_>, entry: &Entry) -> Outcome<()> {
        let Source { text, origin, owner, .. } = source;
        let field = Fields::new(text, entry, origin).required("an owner")?;
        if !entry.blank_start {
            owner.clear();
            return field.name_into(origin, owner);
        }
        if owner.is_empty() && self.alone {
            // It stands before the piece, maybe.
            self.gave_up = true;
        } else if owner.is_empty() {
            // As NSD does; BIND refuses the file.
            owner.extend_from_slice(origin);
            self.warnings.push(
                *field
                    .fault("this record has no owner, so the origin is taken")
                    .why("the line starts with a blank, and no record stands before it")
                    .remedy("start the line with @"),
            );
        }
        Ok(())
    }

    fn record(&mut self, source: &mut Source<'_>, entry: &Entry) -> Outcome<()> {
        self.owner(source, entry)?;
        let source = &*source;
        let mut fields = Fields::new(source.text, entry, &source.origin);
        if !entry.blank_start {
            fields.optional();
        }
        let header = self.header(&mut fields)?;
        let annotation = self.annotation(source.text, entry)?;
        let rtype = match header.kind {
            Kind::Alias if self.alone => {
                self.gave_up = true;
                return Ok(());
            }
            Kind::Alias => return self.alias(source, fields, header.ttl, annotation),
            Kind::Record(rtype) => rtype,
        };
        let mut data = std::mem::take(&mut self.rdata);
        data.clear();
        let mut outcome = rdata::read(rtype, &mut fields, &mut data);
        if outcome.is_ok() {
            let ttl = self.ttl(header.ttl, rtype, &data, entry);
            outcome = match annotation {
                None => self.plain(source, &source.owner, ttl, rtype, &data, entry),
                Some((annotation, place)) => self.value(source, &source.owner, ttl, rtype, &data, annotation, place),
            };
        }
        self.rdata = data;
        outcome
    }

    pub fn plain(
        &mut self,
        source: &Source<'_>,
        owner: &[u8],
        ttl: u32,
        rtype: Type,
        rdata: &[u8],
        entry: &Entry,
    ) -> Outcome<()> {
        let record = Record { owner, rtype, ttl, rdata, file: source.number, line: source.line };
        self.zone.records.push(record).map(drop).map_err(|_| {
            self.full = true;
            let start = entry.tokens.first().map_or(0, |token| token.start);
            Fault::new(start, start, "the zone is too large")
                .why("its records take more than 4 GiB")
                .remedy("split it by delegating parts of it")
        })
    }

    /// TTL and class in either order, then the type.
    pub fn header(&mut self, fields: &mut Fields<'_>) -> Outcome<Header> {
        let (mut ttl, mut class) = (None, None);
        loop {
            let field = fields
                .required("a record type")
                .map_err(|fault| fault.remedy("write: name TTL IN type data, where TTL and IN may be left out"))?;
            if class.is_none() {
                match field.bytes {
                    [b'I' | b'i', b'N' | b'n'] => {
                        class = Some(Class::IN);
                        continue;
                    }
                    b"AWS" => {
                        let form = "write: name AWS ALIAS A target $self false";
                        let word = fields.required("the word ALIAS").map_err(|fault| fault.remedy(form))?;
                        if !word.is("ALIAS") {
                            return Err(word.is_not("the word ALIAS").remedy(form));
                        }
                        return Ok(Header { ttl, kind: Kind::Alias });
                    }
                    _ => {}
                }
            }
            if let Some(rtype) = record_type(&field) {
                if rtype.is_meta() || rtype.0 == 0 {
                    return Err(field
                        .fault(format!("{rtype} stands for a question or a transaction"))
                        .why("so no record can have this type")
                        .remedy("remove the line"));
                }
                return Ok(Header { ttl, kind: Kind::Record(rtype) });
            }
            if ttl.is_none() && field.bytes.first().is_some_and(u8::is_ascii_digit) {
                let value = self.ttl_value(&field);
                // A TTL of gdnsd may have two values, as 300/30. Its word for the type decides what to write.
                if value.is_err()
                    && let Ok(next) = fields.required("a record type")
                    && foreign(&String::from_utf8_lossy(next.bytes)).is_some()
                {
                    return Err(not_a_type(&next));
                }
                ttl = Some(value?);
                continue;
            }
            match field.text().and_then(Class::parse) {
                Some(Class::IN) if class.is_none() => class = Some(Class::IN),
                Some(_) => {
                    return Err(field
                        .fault(format!("class {} is not served", String::from_utf8_lossy(field.bytes)))
                        .why("zones here are of class IN")
                        .remedy("write IN, or leave the class out"));
                }
                None => return Err(not_a_type(&field)),
            }
        }
    }

    /// A TTL as it is written: seconds, or with units.
    pub fn ttl_value(&mut self, field: &Field<'_>) -> Outcome<u32> {
        let value = period(field.bytes).and_then(|seconds| u32::try_from(seconds).ok());
        let value = value
            .ok_or_else(|| field.is_not("a TTL").remedy("write seconds up to 2147483647, or units as in 1w2d3h4m5s"))?;
        if value <= TTL_MAX {
            return Ok(value);
        }
        self.warnings.push(
            *field
                .fault(format!("the TTL {value} counts as 0"))
                .why("the largest is 2147483647 (RFC 2181, 8)")
                .remedy("write a smaller one"),
        );
        Ok(0)
    }

    /// The TTL of a record: its own, else what `$TTL` says (RFC 2308, 4), else that of the record before
    /// (RFC 1035, 5.1), else, of an SOA, its minimum, as BIND takes it.
    pub fn ttl(&mut self, own: Option<u32>, rtype: Type, rdata: &[u8], entry: &Entry) -> u32 {
        if let Some(ttl) = own {
            self.last_ttl = own;
            self.said_ttl = true;
            return ttl;
        }
        self.leaned_on_ttl |= self.default_ttl.is_none() && !self.said_ttl;
        if let Some(ttl) = self.default_ttl.or(self.last_ttl) {
            return ttl;
        }
        if rtype == Type::SOA
            && let Some(&minimum) = rdata.last_chunk::<4>()
        {
            let minimum = u32::from_be_bytes(minimum);
            let ttl = if minimum > TTL_MAX { 0 } else { minimum };
            self.default_ttl = Some(ttl);
            self.warn_of_ttl(entry, format!("no TTL is given, so the SOA's minimum of {ttl} is the default"));
            return ttl;
        }
        self.warn_of_ttl(entry, format!("no TTL is given, so it is {TTL_UNSAID}"));
        TTL_UNSAID
    }

    fn warn_of_ttl(&mut self, entry: &Entry, what: String) {
        if !std::mem::replace(&mut self.warned_of_ttl, true)
            && let Some(first) = entry.tokens.first()
        {
            let fault = Fault::new(first.start, first.end, what).why("servers differ in what they take");
            self.warnings.push(*fault.remedy("put $TTL 3600, say, at the top of the file"));
        }
    }

    /// The annotation of an entry, wherever in it the comment stands, and its place in the text.
    pub fn annotation(
        &mut self,
        text: &[u8],
        entry: &Entry,
    ) -> Outcome<Option<(annotation::Annotation, (usize, usize))>> {
        if entry.annotations.is_empty() {
            return Ok(None);
        }
        self.annotation_said(text, entry)
    }
}

/// Whether an entry means something to others than itself and the blank owners behind it.
fn needs_its_turn(text: &[u8], entry: &Entry) -> bool {
    let is_directive = entry.tokens.first().is_some_and(|first| !first.quoted && text.get(first.start) == Some(&b'$'));
    is_directive || entry.unclosed || !entry.annotations.is_empty()
}

/// A type, the common ones first.
fn record_type(field: &Field<'_>) -> Option<Type> {
    match field.bytes {
        _ if field.quoted => None,
        b"A" => Some(Type::A),
        b"AAAA" => Some(Type::AAAA),
        b"NS" => Some(Type::NS),
        b"CNAME" => Some(Type::CNAME),
        b"MX" => Some(Type::MX),
        b"TXT" => Some(Type::TXT),
        b"PTR" => Some(Type::PTR),
        b"SRV" => Some(Type::SRV),
        b"DS" => Some(Type::DS),
        b"RRSIG" => Some(Type::RRSIG),
        b"NSEC" => Some(Type::NSEC),
        b"NSEC3" => Some(Type::NSEC3),
        [first, ..] if first.is_ascii_digit() => None,
        _ => field.text().and_then(Type::parse),
    }
}

fn not_a_type(field: &Field<'_>) -> Box<Fault> {
    let fault = field.is_not("a record type");
    let word = String::from_utf8_lossy(field.bytes).to_ascii_uppercase();
    if let Some(foreign) = foreign(&word) {
        return fault.why(foreign.why).remedy(foreign.write);
    }
    match nearest(&word, Type::mnemonics()) {
        Some(meant) => fault.remedy(format!("did you mean {meant}?")),
        None => fault.remedy("write a type as A or MX, one without a mnemonic as TYPE1234"),
    }
}
