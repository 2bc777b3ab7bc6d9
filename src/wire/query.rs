//! A query, read from a packet: everything a hostile network can put into one ends here.
//!
//! [`Query::read`] fills a query in place and says what is due: an answer, a refusal with its code, or silence.
//!
//! | packet                                               | reply                                   |
//! |------------------------------------------------------|-----------------------------------------|
//! | shorter than a header, or itself a response          | silence, lest two servers answer forever |
//! | opcode other than QUERY                              | NOTIMP; signed, NOTAUTH                 |
//! | no question, but a cookie option (RFC 7873, 5.4)     | a cookie, and nothing else              |
//! | otherwise not one question (RFC 9619)                | FORMERR                                 |
//! | cut short, overlong, or with bytes left over         | FORMERR                                 |
//! | a pointer or an unknown label type in the question   | FORMERR                                 |
//! | answers or authority (but for the SOA of an IXFR)    | FORMERR                                 |
//! | two OPTs, an OPT below a name, a bad option          | FORMERR                                 |
//! | an EDNS version above 0                              | BADVERS                                 |
//! | a TSIG, last of all                                  | NOTAUTH: there are no keys here ([`Tsig`]) |
//! | a type that nobody can ask for                       | FORMERR or NOTIMP, see [`unaskable`]    |
//!
//! TC, AA, RA, Z, AD and the response code of a query mean nothing, and are ignored.

use super::edns::{Cookie, Edns};
use super::name::{LABEL_MAX, NAME_MAX};
pub use super::query_name::QueryName;
use super::rtype::{Class, Rcode, Type};
use super::tsig::Tsig;

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
    /// With what the query is signed, if it is.
    pub tsig: Option<Tsig>,
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
    /// NOTAUTH means a TSIG; the reply carries one, too.
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
            tsig: None,
        }
    }

    /// Reads a packet over whatever this held before.
    #[inline]
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
        self.tsig = None;
        let counts = Counts::read(counts);
        if self.opcode != OPCODE_QUERY || counts.questions() != 1 {
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
            if counts.questions() == 1
                && let Ok(at) = self.read_question(packet)
            {
                // A signature comes before all else (RFC 8945, 5.2).
                if self.read_sections(packet, at, counts).is_ok() && self.tsig.is_some() {
                    return Read::Refuse(Rcode::NOTAUTH);
                }
            }
            return Read::Refuse(Rcode::NOTIMP);
        }
        if counts.questions() > 1 {
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
    #[inline]
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
    #[inline]
    fn read_records(&mut self, packet: &[u8], at: usize, counts: Counts) -> Result<(), Rcode> {
        if counts.only_questions() {
            return if at == packet.len() { Ok(()) } else { Err(Rcode::FORMERR) };
        }
        // RFC 1995, 3: an IXFR says in its authority section which version of the zone the client has.
        let authorities = if self.rtype == Type::IXFR && counts.questions() == 1 { 1 } else { 0 };
        if counts.answers() != 0 || counts.authorities() > authorities {
            return Err(Rcode::FORMERR);
        }
        self.read_sections(packet, at, counts)
    }

    fn read_sections(&mut self, packet: &[u8], mut at: usize, counts: Counts) -> Result<(), Rcode> {
        for _ in 0..u32::from(counts.answers()) + u32::from(counts.authorities()) {
            let record = Record::read(packet, at).ok_or(Rcode::FORMERR)?;
            if self.rtype == Type::IXFR && record.rtype != Type::SOA {
                return Err(Rcode::FORMERR);
            }
            at = record.end;
        }
        for left in (0..counts.additionals()).rev() {
            let record = Record::read(packet, at).ok_or(Rcode::FORMERR)?;
            match record.rtype {
                Type::OPT => self.read_opt(&record)?,
                // RFC 8945, 5.1: a TSIG anywhere but at the very end, and so a second one, is an error.
                Type::TSIG if left == 0 => {
                    self.tsig = Some(Tsig::read(packet, at, &record).ok_or(Rcode::FORMERR)?);
                }
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
        if self.tsig.is_some() {
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

/// The header's four counts, as they stand in it: the usual packet is told by one look at all of them.
#[derive(Clone, Copy)]
struct Counts(u64);

impl Counts {
    fn read(bytes: [u8; 8]) -> Counts {
        Counts(u64::from_be_bytes(bytes))
    }

    fn questions(self) -> u16 {
        (self.0 >> 48) as u16
    }

    fn answers(self) -> u16 {
        (self.0 >> 32) as u16
    }

    fn authorities(self) -> u16 {
        (self.0 >> 16) as u16
    }

    fn additionals(self) -> u16 {
        self.0 as u16
    }

    /// Whether nothing follows the questions.
    fn only_questions(self) -> bool {
        self.0 << 16 == 0
    }
}

/// A record in a packet, its owner passed over.
pub(super) struct Record<'a> {
    owner_is_root: bool,
    pub rtype: Type,
    pub class: u16,
    pub ttl: [u8; 4],
    pub data: &'a [u8],
    pub end: usize,
}

impl<'a> Record<'a> {
    #[inline]
    pub fn read(packet: &'a [u8], at: usize) -> Option<Record<'a>> {
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
pub(super) fn owner_end(packet: &[u8], start: usize) -> Option<usize> {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Bytes written as hexadecimal digits and, after an apostrophe, as text; `|` only helps to read.
    pub fn bytes(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for token in text.split_whitespace().filter(|token| *token != "|") {
            match token.strip_prefix('\'') {
                Some(ascii) => bytes.extend(ascii.bytes()),
                None => bytes.extend(
                    (0..token.len())
                        .step_by(2)
                        .map(|at| u8::from_str_radix(&token[at..at + 2], 16).expect("hexadecimal")),
                ),
            }
        }
        bytes
    }

    fn read(text: &str) -> (Read, Query) {
        let mut query = Query::new();
        let read = query.read(&bytes(text));
        (read, query)
    }

    const QUERY: Read = Read::Query;
    const FORMERR: Read = Read::Refuse(Rcode::FORMERR);
    const NOTIMP: Read = Read::Refuse(Rcode::NOTIMP);
    const BADVERS: Read = Read::Refuse(Rcode::BADVERS);
    const NOTAUTH: Read = Read::Refuse(Rcode::NOTAUTH);

    #[test]
    fn a_query_is_taken_apart() {
        let (read, query) =
            read("abcd 0110 0001 0000 0000 0001 | 03 'wWw 07 'EXAMPLE 00 001c 0001 | 00 0029 04d0 00008000 0000");
        assert_eq!(read, QUERY);
        assert_eq!((query.id, query.opcode, query.recursion_desired, query.checking_disabled), (0xabcd, 0, true, true));
        assert_eq!((query.question_end, query.rtype, query.class), (29, Type::AAAA, Class::IN));
        assert_eq!(query.name.wire(), b"\x03www\x07example\0");
        assert_eq!((query.name.labels(), query.name.start(1), query.name.start(2)), (2, 4, 12));
        assert_eq!((query.name.suffix(1), query.name.suffix(2)), (&b"\x07example\0"[..], &b"\0"[..]));
        let edns = query.edns.unwrap();
        assert_eq!((edns.udp_size, edns.version, edns.dnssec_ok, edns.cookie), (1232, 0, true, Cookie::None));
    }

    /// Headers, counts and questions.
    #[test]
    fn what_is_due_to_a_header_and_a_question() {
        let long = |last: &str| {
            format!(
                "0001 0000 0001 0000 0000 0000 | {} {last} 00 0001 0001",
                format!("3f '{} ", "x".repeat(63)).repeat(3)
            )
        };
        for (what, packet, expected, question_end) in [
            ("nothing at all", "", Read::Silence, 12),
            ("11 bytes", "0001 0000 0001 0000 0000 00", Read::Silence, 12),
            ("a response", "0001 8000 0001 0000 0000 0000 | 00 0001 0001", Read::Silence, 12),
            ("a response to an unknown opcode", "0001 f800 0000 0000 0000 0000", Read::Silence, 12),
            ("the root", "0001 0000 0001 0000 0000 0000 | 00 0002 0001", QUERY, 17),
            ("TC, AA, RA, Z, AD and a code", "0001 06ef 0001 0000 0000 0000 | 00 0002 0001", QUERY, 17),
            ("class CHAOS", "0001 0000 0001 0000 0000 0000 | 00 0010 0003", QUERY, 17),
            ("class 0", "0001 0000 0001 0000 0000 0000 | 00 0010 0000", QUERY, 17),
            (
                "RFC 1035 4.1.1: IQUERY",
                "0001 0800 0000 0001 0000 0000 | 00 0001 0001 00000000 0004 c0000201",
                NOTIMP,
                12,
            ),
            ("RFC 1035 4.1.1: STATUS", "0001 1000 0000 0000 0000 0000", NOTIMP, 12),
            ("opcode 3, unassigned", "0001 1800 0001 0000 0000 0000 | 01 'a 00 0001 0001", NOTIMP, 19),
            ("RFC 1996: NOTIFY", "0001 2400 0001 0000 0000 0000 | 01 'a 00 0006 0001", NOTIMP, 19),
            (
                "RFC 2136: UPDATE",
                "0001 2800 0001 0000 0001 0000 | 01 'a 00 0006 0001 | c00c 00ff 00ff 00000000 0000",
                NOTIMP,
                19,
            ),
            ("RFC 8490: DSO", "0001 3000 0000 0000 0000 0000 | 0001 0004 00003a98", NOTIMP, 12),
            ("RFC 8906 3.1.4: opcode 15", "0001 7800 0000 0000 0000 0000", NOTIMP, 12),
            ("an opcode with a broken question", "0001 2400 0001 0000 0000 0000 | c00c 0006 0001", NOTIMP, 12),
            ("RFC 9619: no question", "0001 0000 0000 0000 0000 0000", FORMERR, 12),
            ("RFC 9619: no question by the count", "0001 0000 0000 0000 0000 0000 | 00 0001 0001", FORMERR, 12),
            ("RFC 9619: two questions", "0001 0000 0002 0000 0000 0000 | 00 0001 0001 | 00 001c 0001", FORMERR, 12),
            ("RFC 9619: 65535 questions", "0001 0000 ffff 0000 0000 0000 | 00 0001 0001", FORMERR, 12),
            ("no name", "0001 0000 0001 0000 0000 0000", FORMERR, 12),
            ("a name that ends in a label", "0001 0000 0001 0000 0000 0000 | 03 'ww", FORMERR, 12),
            ("a name without the root", "0001 0000 0001 0000 0000 0000 | 03 'www", FORMERR, 12),
            ("no type", "0001 0000 0001 0000 0000 0000 | 00", FORMERR, 12),
            ("half a class", "0001 0000 0001 0000 0000 0000 | 00 0001 00", FORMERR, 12),
            ("a pointer to itself", "0001 0000 0001 0000 0000 0000 | c00c 0001 0001", FORMERR, 12),
            ("a pointer into the header", "0001 0000 0001 0000 0000 0000 | 01 'a c004 0001 0001", FORMERR, 12),
            ("label type 0x40", "0001 0000 0001 0000 0000 0000 | 41 'a 00 0001 0001", FORMERR, 12),
            ("label type 0x80", "0001 0000 0001 0000 0000 0000 | 80 'a 00 0001 0001", FORMERR, 12),
            ("RFC 1035 2.3.4: a name of 255 bytes", &long(&format!("3d '{}", "y".repeat(61))), QUERY, 271),
            ("RFC 1035 2.3.4: a name of 256 bytes", &long(&format!("3e '{}", "y".repeat(62))), FORMERR, 12),
            ("RFC 1035 2.3.4: a name of 257 bytes", &long(&format!("3f '{}", "y".repeat(63))), FORMERR, 12),
            (
                "127 labels",
                &format!("0001 0000 0001 0000 0000 0000 | {} 00 0001 0001", "01 'a ".repeat(127)),
                QUERY,
                271,
            ),
            (
                "128 labels",
                &format!("0001 0000 0001 0000 0000 0000 | {} 00 0001 0001", "01 'a ".repeat(128)),
                FORMERR,
                12,
            ),
            ("RFC 2181 11: any byte in a label", "0001 0000 0001 0000 0000 0000 | 04 002eff20 00 0001 0001", QUERY, 22),
            ("a byte left over", "0001 0000 0001 0000 0000 0000 | 00 0001 0001 00", FORMERR, 17),
        ] {
            let (read, query) = read(packet);
            assert_eq!((read, query.question_end), (expected, question_end), "{what}");
        }
    }

    #[test]
    fn types_that_are_never_data() {
        for (what, rtype, expected) in [
            ("type 0 is reserved, and simply not there", "0000", QUERY),
            ("RFC 6891: OPT is no type to ask for", "0029", FORMERR),
            ("RFC 9824 3.5: NXNAME must not be asked for", "0080", FORMERR),
            ("an unassigned question type", "0081", NOTIMP),
            ("the last unassigned question type", "00f8", NOTIMP),
            ("RFC 2930: TKEY", "00f9", NOTIMP),
            ("RFC 8945: TSIG", "00fa", NOTIMP),
            ("RFC 1995: IXFR", "00fb", QUERY),
            ("RFC 5936: AXFR", "00fc", QUERY),
            ("RFC 1035 3.2.3: MAILB", "00fd", NOTIMP),
            ("RFC 1035 3.2.3: MAILA", "00fe", NOTIMP),
            ("RFC 8482: ANY", "00ff", QUERY),
            ("URI, behind the question types", "0100", QUERY),
            ("an unassigned data type", "ff00", QUERY),
        ] {
            let (read, query) = read(&format!("0001 0000 0001 0000 0000 0000 | 01 'a 00 {rtype} 0001"));
            assert_eq!((read, query.question_end), (expected, 19), "{what}");
        }
    }

    /// Records behind the question. In all of these it is whole.
    #[test]
    fn what_is_due_to_the_records_of_a_query() {
        let a = "0001 0001 00000000 0004 c0000201";
        let soa = "0006 0001 00000000 0016 00 00 00000001 00000002 00000003 00000004 00000005";
        let opt = "00 0029 0200 00000000 0000";
        let tsig = "01 'k 00 00fa 00ff 00000000 0011 00 0000 00000000 012c 0000 0001 0000 0000";
        let long_owner = format!("{} 00", format!("3f '{} ", "x".repeat(63)).repeat(4));
        for (what, rtype, answers_authorities, additionals, records, expected, edns) in [
            ("an answer", "0001", "0001 0000", 0, format!("00 {a}"), FORMERR, false),
            ("an answer by the count", "0001", "0001 0000", 0, String::new(), FORMERR, false),
            ("an authority", "0001", "0000 0001", 0, format!("00 {soa}"), FORMERR, false),
            ("RFC 1995 3: IXFR with its SOA", "00fb", "0000 0001", 0, format!("c00c {soa}"), QUERY, false),
            ("RFC 1995 3: IXFR with its SOA and OPT", "00fb", "0000 0001", 1, format!("c00c {soa} {opt}"), QUERY, true),
            ("RFC 1995 3: IXFR without a SOA", "00fb", "0000 0000", 0, String::new(), QUERY, false),
            ("IXFR with another record", "00fb", "0000 0001", 0, format!("c00c {a}"), FORMERR, false),
            ("IXFR with two SOAs", "00fb", "0000 0002", 0, format!("c00c {soa} c00c {soa}"), FORMERR, false),
            ("IXFR with an answer", "00fb", "0001 0000", 0, format!("c00c {soa}"), FORMERR, false),
            ("AXFR with a SOA", "00fc", "0000 0001", 0, format!("c00c {soa}"), FORMERR, false),
            ("RFC 6891 6.1.1: one OPT", "0001", "0000 0000", 1, opt.into(), QUERY, true),
            ("RFC 6891 6.1.1: two OPTs", "0001", "0000 0000", 2, format!("{opt} {opt}"), FORMERR, true),
            ("RFC 6891 6.1.1: OPT before others", "0001", "0000 0000", 2, format!("{opt} c00c {a}"), QUERY, true),
            ("RFC 6891 6.1.1: OPT after others", "0001", "0000 0000", 2, format!("c00c {a} {opt}"), QUERY, true),
            ("RFC 6891 6.1.2: an OPT below a name", "0001", "0000 0000", 1, format!("01 'x {opt}"), FORMERR, false),
            (
                "RFC 6891 6.1.2: an OPT below a pointer",
                "0001",
                "0000 0000",
                1,
                format!("c00e {}", &opt[3..]),
                FORMERR,
                false,
            ),
            ("RFC 6891 6.1.3: version 1", "0001", "0000 0000", 1, "00 0029 0200 00010000 0000".into(), BADVERS, true),
            (
                "RFC 6891 6.1.3: version 255, its own options",
                "0001",
                "0000 0000",
                1,
                "00 0029 0200 00ff8000 0003 abcdef".into(),
                BADVERS,
                true,
            ),
            ("RFC 6891 6.1.4: unknown flags", "0001", "0000 0000", 1, "00 0029 0200 00007fff 0000".into(), QUERY, true),
            ("an extended code in a query", "0001", "0000 0000", 1, "00 0029 0200 ff000000 0000".into(), QUERY, true),
            (
                "RFC 6891 7: a bad option is told with an OPT",
                "0001",
                "0000 0000",
                1,
                "00 0029 0200 00000000 0004 000a 0001".into(),
                FORMERR,
                true,
            ),
            ("an OPT cut short", "0001", "0000 0000", 1, "00 0029 0200 00000000 00".into(), FORMERR, false),
            (
                "an OPT that overruns the packet",
                "0001",
                "0000 0000",
                1,
                "00 0029 0200 00000000 0001".into(),
                FORMERR,
                false,
            ),
            ("an OPT and a byte left over", "0001", "0000 0000", 1, format!("{opt} 00"), FORMERR, true),
            ("an OPT that isn't counted", "0001", "0000 0000", 0, opt.into(), FORMERR, false),
            ("an OPT that is counted but missing", "0001", "0000 0000", 1, String::new(), FORMERR, false),
            ("RFC 8945 5.1: a TSIG at the end", "0001", "0000 0000", 1, tsig.into(), NOTAUTH, false),
            ("RFC 8945 5.1: a TSIG behind OPT", "0001", "0000 0000", 2, format!("{opt} {tsig}"), NOTAUTH, true),
            ("RFC 8945 5.1: a TSIG before OPT", "0001", "0000 0000", 2, format!("{tsig} {opt}"), FORMERR, false),
            (
                "RFC 8945 5.2: a TSIG that says nothing",
                "0001",
                "0000 0000",
                1,
                "00 00fa 00ff 00000000 0000".into(),
                FORMERR,
                false,
            ),
            ("RFC 8945 5.1: two TSIGs", "0001", "0000 0000", 2, format!("{tsig} {tsig}"), FORMERR, false),
            ("other additional records", "0001", "0000 0000", 2, format!("c00c {a} 01 'b c00c {a}"), QUERY, false),
            ("RFC 2931: a SIG(0)", "0001", "0000 0000", 1, "00 0018 00ff 00000000 0000".into(), QUERY, false),
            ("an owner's pointer to itself, not followed", "0001", "0000 0000", 1, format!("c013 {a}"), QUERY, false),
            ("half a pointer", "0001", "0000 0000", 1, "c0".into(), FORMERR, false),
            ("an owner of a strange label type", "0001", "0000 0000", 1, format!("4161 00 {a}"), FORMERR, false),
            ("an owner of 257 bytes", "0001", "0000 0000", 1, format!("{long_owner} {a}"), FORMERR, false),
            ("65535 records by the count", "0001", "0000 0000", 65535, format!("c00c {a}"), FORMERR, false),
        ] {
            let packet =
                format!("0001 0000 0001 {answers_authorities} {additionals:04x} | 01 'a 00 {rtype} 0001 | {records}");
            let (read, query) = read(&packet);
            assert_eq!((read, query.question_end, query.edns.is_some()), (expected, 19, edns), "{what}");
        }
    }

    #[test]
    fn rfc_7873_5_4_a_query_for_a_cookie_has_no_question() {
        for (what, counts, records, expected) in [
            (
                "a client cookie",
                "0000 0000 0000 0001",
                "00 0029 0200 00000000 000c 000a 0008 0102030405060708",
                Read::CookieOnly,
            ),
            (
                "both cookies",
                "0000 0000 0000 0001",
                "00 0029 0200 00000000 0014 000a 0010 0102030405060708 0102030405060708",
                Read::CookieOnly,
            ),
            ("a malformed cookie", "0000 0000 0000 0001", "00 0029 0200 00000000 0005 000a 0001 01", FORMERR),
            ("no cookie", "0000 0000 0000 0001", "00 0029 0200 00000000 0000", FORMERR),
            (
                "a cookie of another version",
                "0000 0000 0000 0001",
                "00 0029 0200 00010000 000c 000a 0008 0102030405060708",
                BADVERS,
            ),
            (
                "a cookie and a byte left over",
                "0000 0000 0000 0001",
                "00 0029 0200 00000000 000c 000a 0008 0102030405060708 00",
                FORMERR,
            ),
            (
                "a cookie and an authority",
                "0000 0000 0001 0001",
                "00 0006 0001 00000000 0000 00 0029 0200 00000000 000c 000a 0008 0102030405060708",
                FORMERR,
            ),
        ] {
            assert_eq!(read(&format!("0001 0000 {counts} {records}")).0, expected, "{what}");
        }
    }

    #[test]
    fn nothing_is_left_of_the_query_before() {
        let full = bytes(
            "abcd 0110 0001 0000 0000 0002 | 03 'www 07 'example 00 001c 0003 | 00 0029 04d0 00008000 000c 000a 0008 0102030405060708 | 00 00fa 00ff 00000000 0011 00 0000 00000000 0000 0000 0001 0000 0000",
        );
        for text in [
            "0001 0000 0001 0000 0000 0000 | 01 'a 00 0001 0001",
            "0001 0000 0001 0000 0000 0000 | c00c 0001 0001",
            "0001 0000 0001 0000 0000 0000 | 01",
            "0001 0000 0000 0000 0000 0000",
            "0001 0000 0002 0000 0000 0000",
            "0001 2000 0000 0000 0000 0000",
        ] {
            let (mut used, mut fresh) = (Query::new(), Query::new());
            used.read(&full);
            assert_eq!(used.read(&bytes(text)), fresh.read(&bytes(text)), "{text}");
            assert_eq!(
                (used.name.wire(), &used.edns, used.tsig),
                (fresh.name.wire(), &fresh.edns, fresh.tsig),
                "{text}"
            );
            assert_eq!((used.question_end, used.name.labels()), (fresh.question_end, fresh.name.labels()), "{text}");
        }
    }
}
