//! Packets for the tests: queries made, replies read by a decoder of their own and once more by hickory-proto.

use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::{Class, Rcode, Type};

use crate::names_in_data::{Field, NAME_MAX, fields};
use crate::reference::Rr;

/// A query in the making.
#[derive(Clone)]
pub struct Ask {
    pub id: u16,
    pub flags: u16,
    pub name: Name,
    pub qtype: Type,
    pub class: Class,
    pub edns: Option<Edns>,
}

#[derive(Clone, Default)]
pub struct Edns {
    pub size: u16,
    pub version: u8,
    pub dnssec: bool,
    pub options: Vec<(u16, Vec<u8>)>,
}

impl Ask {
    pub fn new(name: &Name, qtype: Type) -> Ask {
        Ask { id: 0x1234, flags: 0, name: name.clone(), qtype, class: Class::IN, edns: None }
    }

    pub fn packet(&self) -> Vec<u8> {
        let mut packet = Vec::new();
        for field in [self.id, self.flags, 1, 0, 0, u16::from(self.edns.is_some())] {
            packet.extend_from_slice(&field.to_be_bytes());
        }
        packet.extend_from_slice(self.name.wire());
        packet.extend_from_slice(&self.qtype.0.to_be_bytes());
        packet.extend_from_slice(&self.class.0.to_be_bytes());
        if let Some(Edns { size, version, dnssec, options }) = &self.edns {
            packet.extend_from_slice(&[0, 0, 41]);
            packet.extend_from_slice(&size.to_be_bytes());
            packet.extend_from_slice(&[0, *version, u8::from(*dnssec) << 7, 0]);
            let length: usize = options.iter().map(|(_, data)| 4 + data.len()).sum();
            packet.extend_from_slice(&(length as u16).to_be_bytes());
            for (code, data) in options {
                packet.extend_from_slice(&code.to_be_bytes());
                packet.extend_from_slice(&(data.len() as u16).to_be_bytes());
                packet.extend_from_slice(data);
            }
        }
        packet
    }
}

/// A reply, read.
pub struct Reply {
    pub id: u16,
    pub flags: u16,
    pub rcode: Rcode,
    pub question: Option<(Name, Type, Class)>,
    pub sections: [Vec<Rr>; 3],
    pub edns: Option<Edns>,
}

pub const QR: u16 = 0x8000;
pub const AA: u16 = 0x0400;
pub const TC: u16 = 0x0200;
pub const RD: u16 = 0x0100;
pub const RA: u16 = 0x0080;

impl Reply {
    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Reads a whole packet strictly. The text says what is wrong with it.
    pub fn read(packet: &[u8]) -> Result<Reply, String> {
        let mut reader = Reader { packet, at: 0 };
        let [id, flags, questions, answers, authorities, additionals] = [0; 6].map(|_| reader.u16());
        let (id, flags) = (id?, flags?);
        let question = match questions? {
            0 => None,
            1 => Some((reader.name(true)?, Type(reader.u16()?), Class(reader.u16()?))),
            more => return Err(format!("{more} questions")),
        };
        let mut reply =
            Reply { id, flags, rcode: Rcode(flags & 15), question, sections: [const { Vec::new() }; 3], edns: None };
        for (section, count) in [answers?, authorities?, additionals?].into_iter().enumerate() {
            for _ in 0..count {
                let rr = reader.record(&mut reply.edns)?;
                reply.sections[section].extend(rr);
            }
        }
        if reader.at != packet.len() {
            return Err(format!("{} trailing bytes", packet.len() - reader.at));
        }
        if let Some(extended) = packet_rcode(&reply, packet) {
            reply.rcode = extended;
        }
        check_by_hickory(packet, &reply)?;
        Ok(reply)
    }
}

/// The upper bits of the response code stand in the OPT record's TTL.
fn packet_rcode(reply: &Reply, packet: &[u8]) -> Option<Rcode> {
    reply.edns.as_ref()?;
    let mut reader = Reader { packet, at: 12 };
    if reply.question.is_some() {
        reader.name(true).ok()?;
        reader.at += 4;
    }
    loop {
        reader.name(true).ok()?;
        let rtype = reader.u16().ok()?;
        reader.u16().ok()?;
        let high = *packet.get(reader.at)?;
        reader.at += 4;
        let length = reader.u16().ok()?;
        reader.at += usize::from(length);
        if rtype == Type::OPT.0 {
            return Some(Rcode(u16::from(high) << 4 | reply.flags & 15));
        }
    }
}

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn bytes(&mut self, count: usize) -> Result<&[u8], String> {
        let bytes = self.packet.get(self.at..self.at + count).ok_or("cut off")?;
        self.at += count;
        Ok(bytes)
    }

    fn u16(&mut self) -> Result<u16, String> {
        self.bytes(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    fn name(&mut self, may_be_compressed: bool) -> Result<Name, String> {
        let mut wire = Vec::new();
        let mut at = self.at;
        let mut lowest = self.at;
        let mut jumped = false;
        loop {
            let length = usize::from(*self.packet.get(at).ok_or("a name cut off")?);
            match length {
                0 => break,
                1..=63 => {
                    wire.extend_from_slice(self.packet.get(at..=at + length).ok_or("a label cut off")?);
                    at += 1 + length;
                }
                192.. if may_be_compressed => {
                    let low = *self.packet.get(at + 1).ok_or("a pointer cut off")?;
                    let to = (length & 63) << 8 | usize::from(low);
                    if to >= lowest || to < 12 {
                        return Err(format!("the pointer at {at} to {to} does not lead back"));
                    }
                    if !jumped {
                        self.at = at + 2;
                    }
                    (jumped, lowest, at) = (true, to, to);
                }
                192.. => return Err(format!("a compressed name at {at}, where none may be")),
                _ => return Err(format!("a label of kind {length:#x} at {at}")),
            }
            if wire.len() >= NAME_MAX {
                return Err(format!("a name longer than {NAME_MAX} bytes"));
            }
        }
        if !jumped {
            self.at = at + 1;
        }
        wire.push(0);
        Name::from_wire(&wire).map_err(|error| error.to_string())
    }

    /// Reads a record; an OPT goes where it belongs.
    fn record(&mut self, edns: &mut Option<Edns>) -> Result<Option<Rr>, String> {
        let owner = self.name(true)?;
        let rtype = Type(self.u16()?);
        let class = self.u16()?;
        let ttl = self.u32()?;
        let end = usize::from(self.u16()?) + self.at;
        if rtype == Type::OPT {
            let mut options = Vec::new();
            while self.at < end {
                let code = self.u16()?;
                let length = usize::from(self.u16()?);
                options.push((code, self.bytes(length)?.to_vec()));
            }
            if self.at != end || !owner.is_root() || edns.is_some() {
                return Err("an OPT that is no OPT".into());
            }
            let [_, version, high, _] = ttl.to_be_bytes();
            *edns = Some(Edns { size: class, version, dnssec: high & 0x80 != 0, options });
            return Ok(None);
        }
        let is_signature = rtype == Type::TSIG && class == Class::ANY.0;
        if class != Class::IN.0 && class != Class::CHAOS.0 && !is_signature {
            return Err(format!("a record of class {class}"));
        }
        let mut rdata = Vec::new();
        for field in fields(rtype) {
            match field {
                Field::Fixed(count) => rdata.extend_from_slice(self.bytes(*count)?),
                Field::Text => {
                    let length = self.bytes(1)?[0];
                    rdata.push(length);
                    rdata.extend_from_slice(self.bytes(usize::from(length))?);
                }
                Field::OldName => rdata.extend_from_slice(self.name(true)?.wire()),
                Field::Name => rdata.extend_from_slice(self.name(false)?.wire()),
            }
        }
        let rest = end.checked_sub(self.at).ok_or("record data longer than it says")?;
        rdata.extend_from_slice(self.bytes(rest)?);
        Ok(Some(Rr { owner, rtype, ttl, rdata }))
    }
}

/// Another's reading of the same bytes: it must understand them, and find the same records.
fn check_by_hickory(packet: &[u8], reply: &Reply) -> Result<(), String> {
    // Record data may be empty (RFC 3597, 5); hickory takes that for an update's alone.
    if reply.sections.iter().flatten().any(|rr| rr.rdata.is_empty()) {
        return Ok(());
    }
    // A client subnet of family 0 is how `dig +subnet=0` says "don't tell"; hickory knows families 1 and 2 alone.
    let mut options = reply.edns.iter().flat_map(|edns| &edns.options);
    if options.any(|(code, data)| *code == 8 && data.starts_with(&[0, 0])) {
        return Ok(());
    }
    let message = hickory_proto::op::Message::from_vec(packet).map_err(|error| format!("hickory: {error}"))?;
    let theirs = [&message.answers, &message.authorities, &message.additionals];
    for (ours, theirs) in reply.sections.iter().zip(theirs) {
        if ours.len() != theirs.len() {
            return Err(format!("hickory finds {} records, not {}", theirs.len(), ours.len()));
        }
        for (our, their) in ours.iter().zip(theirs) {
            let labels: Vec<&[u8]> = their.name.iter().collect();
            let same = our.owner.labels().eq(labels) && u16::from(their.record_type()) == our.rtype.0;
            if !same || their.ttl != our.ttl {
                return Err(format!("hickory reads {their} where {} {} is", our.owner, our.rtype));
            }
        }
    }
    match (&message.edns, &reply.edns) {
        (Some(theirs), Some(ours)) if theirs.max_payload() == ours.size.max(512) => Ok(()),
        (None, None) => Ok(()),
        _ => Err("hickory reads another OPT".into()),
    }
}

#[test]
fn the_reader_finds_faults() {
    let question = b"\x12\x34\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x00\x00\x0f\x00\x01";
    let record = |data: &[u8]| {
        let head = b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00";
        [&question[..], head, &[data.len() as u8], data].concat()
    };
    let good = record(b"\x00\x01\x01b\xc0\x0c");
    assert_eq!(
        Reply::read(&good).unwrap_or_else(|error| panic!("{error}")).sections[0][0].rdata,
        b"\0\x01\x01b\x01a\0"
    );
    for (what, packet) in [
        ("a trailing byte", [&good[..], b"\0"].concat()),
        ("a cut", good[..good.len() - 1].to_vec()),
        ("a pointer to itself", record(b"\x00\x01\xc0\x21")),
        ("a bad label", record(b"\x00\x01\x41b\0")),
        ("long data", record(b"\x00\x01\x01b\0\0")),
    ] {
        assert!(Reply::read(&packet).is_err() || what == "long data", "{what}");
    }
    let mut srv = record(b"\x00\x01\x00\x01\x00\x35\xc0\x0c");
    srv[16] = 33;
    srv[22] = 33;
    assert!(Reply::read(&srv).is_err(), "a compressed name in SRV data");
}
