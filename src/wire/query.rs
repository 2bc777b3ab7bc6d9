//! A query, read from a packet: everything a hostile network can put into one ends here.
//!
//! [`Query::read`] fills a query in place and says what is due: an answer, a refusal with its code, or silence.
//!
//! | packet                                               | reply                                   |
//! |------------------------------------------------------|-----------------------------------------|
//! | shorter than a header, or itself a response          | silence, lest two servers answer forever |
//! | opcode other than QUERY                              | NOTIMP                                  |
//! | no question, but a cookie option (RFC 7873, 5.4)     | a cookie, and nothing else              |
//! | otherwise not one question (RFC 9619)                | FORMERR                                 |
//! | cut short, overlong, or with bytes left over         | FORMERR                                 |
//! | a pointer or an unknown label type in the question   | FORMERR                                 |
//! | answers or authority (but for the SOA of an IXFR)    | FORMERR                                 |
//! | two OPTs, an OPT below a name, a bad option          | FORMERR                                 |
//! | an EDNS version above 0                              | BADVERS                                 |
//! | a TSIG, last of all                                  | NOTAUTH: there are no keys here         |
//! | a type that nobody can ask for                       | FORMERR or NOTIMP, see [`unaskable`]    |
//!
//! TC, AA, RA, Z, AD and the response code of a query mean nothing, and are ignored.

use super::edns::{Cookie, Edns};
use super::name::{LABEL_MAX, LABELS_MAX, NAME_MAX};
use super::rtype::{Class, Rcode, Type};

/// RFC 1035, 4.1.1: a message begins with 12 bytes of header.
pub const HEADER: usize = 12;
/// RFC 1035, 4.1.1: the opcode of a standard query.
pub const OPCODE_QUERY: u8 = 0;

/// A query as read from a packet. One per worker, filled anew for each packet, so that nothing is zeroed or allocated.
///
/// After [`Read::Refuse`] it holds what was read so far: an `edns` that is there asks for an OPT in the reply too.
#[derive(Clone, Debug)]
pub struct Query {
    pub id: u16,
    pub opcode: u8,
    pub recursion_desired: bool,
    pub checking_disabled: bool,
    /// Where the question ends in the packet; 12 where there is no whole one. It is echoed as it came: `packet[12..question_end]`.
    pub question_end: usize,
    pub name: QueryName,
    pub rtype: Type,
    pub class: Class,
    pub edns: Option<Edns>,
    /// Whether the query is signed (RFC 8945).
    pub tsig: bool,
}

/// What is due to a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// A query to answer.
    Query,
    /// RFC 7873, 5.4: no question, only a cookie to be given. The reply is NOERROR, without a question.
    CookieOnly,
    /// No reply.
    Silence,
    /// A reply with this code, the header and the question (where it was whole) echoed.
    ///
    /// NOTAUTH means a TSIG: RFC 8945, 5.2.1 asks for a reply that carries an unsigned TSIG with error BADKEY.
    Refuse(Rcode),
}

impl Default for Query {
    fn default() -> Query {
        Query::new()
    }
}

impl Query {
    pub fn new() -> Query {
        Query {
            id: 0,
            opcode: OPCODE_QUERY,
            recursion_desired: false,
            checking_disabled: false,
            question_end: HEADER,
            name: QueryName::new(),
            rtype: Type(0),
            class: Class(0),
            edns: None,
            tsig: false,
        }
    }

    /// Reads a packet over whatever this held before.
    pub fn read(&mut self, packet: &[u8]) -> Read {
        let Some(header) = packet.first_chunk::<HEADER>() else { return Read::Silence };
        let &[id_high, id_low, flags_high, flags_low, counts @ ..] = header;
        if flags_high & 0x80 != 0 {
            return Read::Silence;
        }
        self.id = u16::from_be_bytes([id_high, id_low]);
        self.opcode = flags_high >> 3 & 0x0f;
        self.recursion_desired = flags_high & 0x01 != 0;
        self.checking_disabled = flags_low & 0x10 != 0;
        self.question_end = HEADER;
        self.edns = None;
        self.tsig = false;
        let counts = Counts::read(counts);
        if self.opcode != OPCODE_QUERY || counts.questions != 1 {
            return self.read_unusual(packet, counts);
        }
        let outcome = self.read_question(packet).and_then(|at| self.read_records(packet, at, counts));
        match outcome.and_then(|()| self.unanswerable()) {
            Ok(()) => Read::Query,
            Err(rcode) => Read::Refuse(rcode),
        }
    }

    /// Other opcodes, and queries without a question or with several.
    #[cold]
    fn read_unusual(&mut self, packet: &[u8], counts: Counts) -> Read {
        self.name.clear();
        (self.rtype, self.class) = (Type(0), Class(0));
        if self.opcode != OPCODE_QUERY {
            // Whatever the opcode makes of its sections, a question is echoed and EDNS answered if they can be made out.
            if counts.questions == 1
                && let Ok(at) = self.read_question(packet)
            {
                let _ = self.read_sections(packet, at, counts);
            }
            return Read::Refuse(Rcode::NOTIMP);
        }
        if counts.questions > 1 {
            return Read::Refuse(Rcode::FORMERR);
        }
        let outcome = self.read_records(packet, HEADER, counts).and_then(|()| self.unanswerable());
        match (outcome, &self.edns) {
            (Err(rcode), _) => Read::Refuse(rcode),
            (Ok(()), Some(Edns { cookie: Cookie::Client(_) | Cookie::Both { .. }, .. })) => Read::CookieOnly,
            (Ok(()), _) => Read::Refuse(Rcode::FORMERR),
        }
    }

    /// Returns where the question ends.
    fn read_question(&mut self, packet: &[u8]) -> Result<usize, Rcode> {
        let length = packet.get(HEADER..).and_then(|bytes| self.name.read(bytes)).ok_or(Rcode::FORMERR)?;
        let at = HEADER + length;
        let &[type_high, type_low, class_high, class_low] =
            packet.get(at..).and_then(|bytes| bytes.first_chunk()).ok_or(Rcode::FORMERR)?;
        self.rtype = Type(u16::from_be_bytes([type_high, type_low]));
        self.class = Class(u16::from_be_bytes([class_high, class_low]));
        self.question_end = at + 4;
        Ok(self.question_end)
    }

    /// Reads the sections of a query from `at` to the packet's end.
    fn read_records(&mut self, packet: &[u8], at: usize, counts: Counts) -> Result<(), Rcode> {
        // RFC 1995, 3: an IXFR says in its authority section which version of the zone the client has.
        let authorities = if self.rtype == Type::IXFR && counts.questions == 1 { 1 } else { 0 };
        if counts.answers != 0 || counts.authorities > authorities {
            return Err(Rcode::FORMERR);
        }
        self.read_sections(packet, at, counts)
    }

    fn read_sections(&mut self, packet: &[u8], mut at: usize, counts: Counts) -> Result<(), Rcode> {
        for _ in 0..u32::from(counts.answers) + u32::from(counts.authorities) {
            let record = Record::read(packet, at).ok_or(Rcode::FORMERR)?;
            if self.rtype == Type::IXFR && record.rtype != Type::SOA {
                return Err(Rcode::FORMERR);
            }
            at = record.end;
        }
        for left in (0..counts.additionals).rev() {
            let record = Record::read(packet, at).ok_or(Rcode::FORMERR)?;
            match record.rtype {
                Type::OPT => self.read_opt(&record)?,
                // RFC 8945, 5.1: a TSIG anywhere but at the very end, and so a second one, is an error.
                Type::TSIG if left == 0 => self.tsig = true,
                Type::TSIG => return Err(Rcode::FORMERR),
                _ => {}
            }
            at = record.end;
        }
        if at == packet.len() { Ok(()) } else { Err(Rcode::FORMERR) }
    }

    /// RFC 6891, 6.1.1: one OPT at most, below the root.
    fn read_opt(&mut self, record: &Record<'_>) -> Result<(), Rcode> {
        if self.edns.is_some() || !record.owner_is_root {
            return Err(Rcode::FORMERR);
        }
        let edns = self.edns.insert(Edns::new(record.class, record.ttl));
        // What the options of a later version look like, nobody knows yet: that query is answered with BADVERS.
        if edns.version == 0 && !edns.read_options(record.data) { Err(Rcode::FORMERR) } else { Ok(()) }
    }

    /// What a packet that could be read asks for in vain.
    fn unanswerable(&self) -> Result<(), Rcode> {
        if self.edns.as_ref().is_some_and(|edns| edns.version > 0) {
            return Err(Rcode::BADVERS);
        }
        if self.tsig {
            return Err(Rcode::NOTAUTH);
        }
        match unaskable(self.rtype) {
            None => Ok(()),
            Some(rcode) => Err(rcode),
        }
    }
}

/// RFC 9824, 3.4: a type that only ever stands in NSEC bitmaps.
const NXNAME: Type = Type(128);

/// The reply to questions for types that are never data.
///
/// OPT is a part of the message, and NXNAME must not be asked for (RFC 9824, 3.5): both are FORMERR. ANY, AXFR and IXFR
/// are for the server to decide. What else lies among the question and transaction types (RFC 6895, 3.1: TKEY and TSIG,
/// the obsolete MAILA and MAILB, unassigned numbers) asks for something that this server doesn't do: NOTIMP.
pub fn unaskable(rtype: Type) -> Option<Rcode> {
    if !rtype.is_meta() {
        return None;
    }
    match rtype {
        Type::OPT | NXNAME => Some(Rcode::FORMERR),
        Type::ANY | Type::AXFR | Type::IXFR => None,
        _ => Some(Rcode::NOTIMP),
    }
}

#[derive(Clone, Copy)]
struct Counts {
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Counts {
    fn read(bytes: [u8; 8]) -> Counts {
        let [a, b, c, d, e, f, g, h] = bytes;
        Counts {
            questions: u16::from_be_bytes([a, b]),
            answers: u16::from_be_bytes([c, d]),
            authorities: u16::from_be_bytes([e, f]),
            additionals: u16::from_be_bytes([g, h]),
        }
    }
}

/// A record in a packet, its owner passed over.
struct Record<'a> {
    owner_is_root: bool,
    rtype: Type,
    class: u16,
    ttl: [u8; 4],
    data: &'a [u8],
    end: usize,
}

impl<'a> Record<'a> {
    #[inline]
    fn read(packet: &'a [u8], at: usize) -> Option<Record<'a>> {
        let owner_is_root = *packet.get(at)? == 0;
        let at = if owner_is_root { at + 1 } else { owner_end(packet, at)? };
        let &[type_high, type_low, class_high, class_low, a, b, c, d, length_high, length_low] =
            packet.get(at..)?.first_chunk()?;
        let start = at + 10;
        let end = start + usize::from(u16::from_be_bytes([length_high, length_low]));
        Some(Record {
            owner_is_root,
            rtype: Type(u16::from_be_bytes([type_high, type_low])),
            class: u16::from_be_bytes([class_high, class_low]),
            ttl: [a, b, c, d],
            data: packet.get(start..end)?,
            end,
        })
    }
}

/// The end of an owner name. Compression is legal here; a pointer ends the name, and is never followed.
#[cold]
fn owner_end(packet: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let length = usize::from(*packet.get(at)?);
        match length {
            0 => return Some(at + 1),
            1..=LABEL_MAX => at += 1 + length,
            0xc0.. => return packet.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
        if at - start >= NAME_MAX {
            return None;
        }
    }
}

/// Bytes behind the longest name, so that a label can be read in whole words wherever it stands.
const PADDING: usize = 65;

/// The name asked for, in lower case, with the starts of its labels.
#[derive(Clone)]
pub struct QueryName {
    /// The name; what stands behind it is left from earlier ones.
    bytes: [u8; NAME_MAX + PADDING],
    /// Where each label starts, and after the last of them where the root does.
    starts: [u8; LABELS_MAX + 1],
    length: u8,
    labels: u8,
}

impl Default for QueryName {
    fn default() -> QueryName {
        QueryName::new()
    }
}

impl QueryName {
    /// The root.
    pub fn new() -> QueryName {
        QueryName { bytes: [0; NAME_MAX + PADDING], starts: [0; LABELS_MAX + 1], length: 1, labels: 0 }
    }

    /// The name in wire form, lower-cased.
    #[inline]
    pub fn wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// How many labels the name has, the root's not counted.
    #[inline]
    pub fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// The name without its first `skip` labels; the root where it has no more than these.
    #[inline]
    pub fn suffix(&self, skip: usize) -> &[u8] {
        self.wire().get(self.start(skip)..).unwrap_or(&[0])
    }

    /// Where a label starts in the name; where the root does for a label that isn't there.
    #[inline]
    pub fn start(&self, label: usize) -> usize {
        match self.starts[..=self.labels()].get(label) {
            Some(&start) => usize::from(start),
            None => usize::from(self.length) - 1,
        }
    }

    /// Takes a name that didn't come in a packet. Returns false, and holds the root, where the bytes are not exactly one name.
    pub fn set(&mut self, wire: &[u8]) -> bool {
        let whole = self.read(wire) == Some(wire.len());
        if !whole {
            self.clear();
        }
        whole
    }

    fn clear(&mut self) {
        (self.bytes[0], self.starts[0], self.length, self.labels) = (0, 0, 1, 0);
    }

    /// Reads the uncompressed name at the front of these bytes. Returns its length; without a whole name, this is the root.
    #[inline]
    fn read(&mut self, bytes: &[u8]) -> Option<usize> {
        let (mut at, mut labels) = (0, 0);
        loop {
            let Some(&length) = bytes.get(at) else { break };
            // Labels take two bytes or more, so there are never more than LABELS_MAX of them before this.
            self.starts[labels] = at as u8;
            if length == 0 {
                self.length = at as u8 + 1;
                self.labels = labels as u8;
                self.fill(&bytes[..=at]);
                return Some(at + 1);
            }
            at += 1 + usize::from(length);
            labels += 1;
            // The root still has to follow.
            if usize::from(length) > LABEL_MAX || at >= NAME_MAX {
                break;
            }
        }
        self.clear();
        None
    }

    /// Copies a name in lower case. The lengths of labels are smaller than any letter, so they need no care.
    #[inline]
    fn fill(&mut self, name: &[u8]) {
        let (words, rest) = name.as_chunks::<8>();
        for (to, word) in self.bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *to = lower_word(*word);
        }
        if rest.is_empty() {
            return;
        }
        // The last word overlaps the one before it, which is cheaper than going on byte by byte.
        match (name.last_chunk::<8>(), self.bytes.get_mut(..name.len()).and_then(|to| to.last_chunk_mut::<8>())) {
            (Some(word), Some(to)) => *to = lower_word(*word),
            _ => self.bytes.iter_mut().zip(rest).for_each(|(to, byte)| *to = byte.to_ascii_lowercase()),
        }
    }

    /// Eight bytes of the name from here on; what lies behind the name is garbage.
    #[inline]
    pub(super) fn word_at(&self, start: u8, offset: u8) -> u64 {
        let at = usize::from(start) + usize::from(offset);
        self.bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word))
    }

    /// The starts of the labels, and that of the root.
    #[inline]
    pub(super) fn starts(&self) -> &[u8] {
        &self.starts[..=usize::from(self.labels)]
    }
}

impl std::fmt::Debug for QueryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&super::name::Shown(self.wire()), f)
    }
}

/// Eight bytes with their ASCII capitals made small, all at once.
#[inline]
fn lower_word(bytes: [u8; 8]) -> [u8; 8] {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let low = word & !HIGH;
    // Adding what is missing to 128 carries into a byte's high bit from that letter on, and never beyond the byte.
    let from_a = low + ONES * (0x80 - b'A' as u64);
    let beyond_z = low + ONES * (0x7f - b'Z' as u64);
    let capitals = (from_a & !beyond_z) & !word & HIGH;
    (word | capitals >> 2).to_le_bytes()
}
