//! Golden packets: `tests/packets/*.txt`, hex beside text. `UPDATE=1 cargo test` rewrites what came back.
//!
//! A case is a paragraph. It opens with `#` lines that say what it shows, may change a setting (`setting nsid=ns1`),
//! and asks: `udp` or `tcp`, from an address if that matters, then the query's bytes. These are hexadecimal, or a
//! label in quotes, which stands for its length and its letters; behind `;` a line says what it means. The reply
//! follows, taken to pieces; `silence` is an answer too.

use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use fingerpost::wire::name::Shown;
use fingerpost::wire::rdata;
use fingerpost::wire::rtype::{Class, Rcode, Type};

use crate::names_in_data::{Field, fields};
use crate::server::{Server, Transport};
use crate::settings;
use crate::text::{self, read_zone};

/// What all golden packets are asked of.
const ZONE: &str = include_str!("../packets/example.zone");

pub struct Case {
    pub comment: String,
    pub settings: Vec<String>,
    pub transport: Transport,
    pub source: Option<IpAddr>,
    /// The lines of the query, as written.
    pub asked: Vec<String>,
    pub packet: Vec<u8>,
    pub reply: String,
}

/// The cases of a file.
pub fn read(file: &str) -> Result<Vec<Case>, String> {
    file.split("\n\n").map(|part| part.trim_matches('\n')).filter(|part| !part.is_empty()).map(case).collect()
}

fn case(paragraph: &str) -> Result<Case, String> {
    let mut case = Case {
        comment: String::new(),
        settings: Vec::new(),
        transport: Transport::Udp,
        source: None,
        asked: Vec::new(),
        packet: Vec::new(),
        reply: String::new(),
    };
    let mut in_reply = false;
    for line in paragraph.lines() {
        if line == "reply" || line == "silence" {
            in_reply = true;
        }
        if in_reply {
            case.reply.push_str(line);
            case.reply.push('\n');
        } else if line.starts_with('#') {
            writeln!(case.comment, "{line}").expect("strings take all");
        } else if let Some(setting) = line.strip_prefix("setting ") {
            case.settings.push(setting.to_string());
        } else if let Some(bytes) = line.strip_prefix("  ") {
            case.packet.extend(text::bytes(bytes)?);
            case.asked.push(line.to_string());
        } else {
            let mut words = line.split_whitespace();
            case.transport = match words.next() {
                Some("udp") => Transport::Udp,
                Some("tcp") => Transport::Tcp,
                _ => return Err(format!("what is {line:?}?")),
            };
            case.source =
                words.next().map(|word| word.parse().map_err(|_| format!("{word} is no address"))).transpose()?;
            case.asked.push(line.to_string());
        }
    }
    if case.packet.is_empty() && !case.asked.iter().any(|line| line == "  ; nothing") {
        return Err(format!("no query in\n{paragraph}"));
    }
    Ok(case)
}

/// The case with what came back now.
fn played(case: &Case) -> Result<String, String> {
    let mut settings = settings::quiet();
    for setting in &case.settings {
        settings::change(&mut settings, setting)?;
    }
    let mut server = Server::new(vec![read_zone("example.", ZONE)?], settings);
    let source = case.source.unwrap_or_else(|| IpAddr::from([198, 51, 100, 7]));
    let reply = server.ask_from(&case.packet, case.transport, source);
    let mut shown = case.comment.clone();
    for setting in &case.settings {
        writeln!(shown, "setting {setting}").expect("strings take all");
    }
    for line in &case.asked {
        writeln!(shown, "{line}").expect("strings take all");
    }
    match reply {
        None => shown.push_str("silence\n"),
        Some(packet) => {
            crate::message::Reply::read(&packet).map_err(|what| format!("{what} in the reply to\n{shown}"))?;
            write!(shown, "reply\n{}", Pieces { packet: &packet, at: 0 }.show()).expect("strings take all");
        }
    }
    Ok(shown)
}

/// A reply taken to pieces, one line each. It was read strictly before, so what is asked for is there.
struct Pieces<'a> {
    packet: &'a [u8],
    at: usize,
}

const FLAGS: [(u16, &str); 7] =
    [(0x8000, "qr"), (0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0020, "ad"), (0x0010, "cd")];

impl Pieces<'_> {
    fn show(mut self) -> String {
        let mut text = String::new();
        let id = self.u16();
        let flags = self.u16();
        let counts = [0; 4].map(|_| self.u16());
        let set: Vec<&str> = FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
        let opcode = flags >> 11 & 15;
        let rcode = Rcode(flags & 15);
        line(&mut text, &self.packet[..12], &format!("id {id:04x}, {}, opcode {opcode}, {rcode}", set.join(" ")));
        for _ in 0..counts[0] {
            let start = self.at;
            let name = self.name();
            let (rtype, class) = (Type(self.u16()), Class(self.u16()));
            line(
                &mut text,
                &self.packet[start..self.at],
                &format!("{} {} {}", Shown(&name), shown_class(class), rtype),
            );
        }
        for (section, count) in ["answer", "authority", "additional"].into_iter().zip(&counts[1..]) {
            for _ in 0..*count {
                self.record(&mut text, section);
            }
        }
        text
    }

    fn record(&mut self, text: &mut String, section: &str) {
        let start = self.at;
        let owner = self.name();
        let (rtype, class) = (Type(self.u16()), self.u16());
        let (high, low) = (self.u16(), self.u16());
        let length = usize::from(self.u16());
        let end = self.at + length;
        if rtype == Type::OPT {
            let said = format!(
                "{section}: OPT, size {class}, rcode high {}, version {}, flags {low:04x}",
                high >> 8,
                high & 255
            );
            line(text, &self.packet[start..self.at], &said);
            while self.at < end {
                let start = self.at;
                let (code, length) = (self.u16(), usize::from(self.u16()));
                self.at += length;
                line(text, &self.packet[start..self.at], text::option_name(code));
            }
            return;
        }
        let ttl = u32::from(high) << 16 | u32::from(low);
        let data = self.data(rtype, end);
        let said = format!("{section}: {} {ttl} {} {rtype} {data}", Shown(&owner), shown_class(Class(class)));
        line(text, &self.packet[start..end], &said);
    }

    fn data(&mut self, rtype: Type, end: usize) -> String {
        let mut whole = Vec::new();
        for field in fields(rtype) {
            match field {
                Field::Fixed(count) => whole.extend_from_slice(self.bytes(*count)),
                Field::Text => {
                    let length = self.packet[self.at];
                    whole.extend_from_slice(self.bytes(1 + usize::from(length)));
                }
                Field::OldName | Field::Name => whole.extend(self.name()),
            }
        }
        let rest = end - self.at;
        whole.extend_from_slice(self.bytes(rest));
        rdata::show(rtype, &whole)
    }

    fn bytes(&mut self, count: usize) -> &[u8] {
        self.at += count;
        &self.packet[self.at - count..self.at]
    }

    fn u16(&mut self) -> u16 {
        let bytes = self.bytes(2);
        u16::from_be_bytes([bytes[0], bytes[1]])
    }

    /// The name here, its pointers followed.
    fn name(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        let mut at = self.at;
        let mut end = None;
        loop {
            let length = usize::from(self.packet[at]);
            if length >= 0xc0 {
                end.get_or_insert(at + 2);
                at = (length & 0x3f) << 8 | usize::from(self.packet[at + 1]);
                continue;
            }
            wire.extend_from_slice(&self.packet[at..=at + length]);
            at += 1 + length;
            if length == 0 {
                self.at = end.unwrap_or(at);
                return wire;
            }
        }
    }
}

fn shown_class(class: Class) -> String {
    match class {
        Class::IN => "IN".into(),
        Class::CHAOS => "CH".into(),
        Class(number) => format!("CLASS{number}"),
    }
}

/// Bytes in pairs, sixteen a line, the meaning beside the first.
fn line(text: &mut String, bytes: &[u8], meaning: &str) {
    for (number, part) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = part.chunks(2).map(crate::random_zones::hex).collect();
        let hex = hex.join(" ");
        let line = if number == 0 { format!("  {hex:<39}  ; {meaning}") } else { format!("  {hex}") };
        writeln!(text, "{}", line.trim_end()).expect("strings take all");
    }
}

pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packets");
    text::files(&folder, "txt")
}

#[test]
fn golden_packets_are_answered_as_written() {
    let mut count = 0;
    for path in files() {
        let file = fs::read_to_string(&path).expect("a file of packets");
        let cases = read(&file).unwrap_or_else(|what| panic!("{}: {what}", path.display()));
        count += cases.len();
        let now: Vec<String> =
            cases.iter().map(|case| played(case).unwrap_or_else(|what| panic!("{}: {what}", path.display()))).collect();
        text::expect(&path, &file, &now.join("\n"));
    }
    assert!(count > 20, "only {count} golden packets");
}
