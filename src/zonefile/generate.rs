//! `$GENERATE range owner [TTL] [class] type data`: one line, many records, as BIND reads it.
//!
//! In the owner and the data `$` stands for the counter, `${offset,width,radix}` for a changed form of it, and `\$` or
//! `$$` for a dollar sign. The radix is `d`, `o`, `x`, `X`, or `n` and `N` for hexadecimal digits in reverse with dots
//! between them. So it is in the identifier and the health check of an `; AWS` comment.

use super::reader::{Kind, Reader};
use super::source::Source;
use crate::model::Id;
use crate::wire::rdata;
use crate::wire::rdata::entry::Entry;
use crate::wire::rdata::fields::{Fault, Field, Fields, Outcome, digits};

/// All the lines of one zone may generate this many records: a whole 10.0.0.0/10, one by one.
const GENERATED_MAX: u64 = 1 << 22;

/// All the lines of one zone may generate this many bytes of text.
const GENERATED_BYTES_MAX: u64 = 512 << 20;

/// BIND's limit on the width of a counter.
const WIDTH_MAX: u64 = 255;

struct Range {
    start: i64,
    stop: i64,
    step: usize,
}

/// A part of a template.
#[derive(Debug, PartialEq)]
enum Part<'a> {
    Text(&'a [u8]),
    Counter { offset: i64, width: usize, radix: u8 },
}

impl Reader<'_> {
    pub fn generate(&mut self, source: &Source<'_>, mut fields: Fields<'_>, entry: &Entry) -> Outcome<()> {
        const FORM: &str = "write: $GENERATE 1-10 host-$ A 192.0.2.$";
        let with_form = |fault: Box<Fault>| fault.remedy(FORM);
        let field = fields.required("a range").map_err(with_form)?;
        let range = range(field.bytes).ok_or_else(|| {
            field.is_not("a range").remedy("write it as start-stop or start-stop/step, start not above stop")
        })?;
        let count = ((range.stop - range.start) as u64) / (range.step as u64) + 1;
        self.generated += count;
        if self.generated > GENERATED_MAX {
            return Err(field
                .fault(format!("the zone's $GENERATE lines make more than {GENERATED_MAX} records"))
                .remedy("make the range smaller"));
        }
        let owner_field = fields.required("an owner").map_err(with_form)?;
        let owner_parts = template(owner_field.bytes, owner_field.start)?;
        let header = self.header(&mut fields)?;
        let Kind::Record(rtype) = header.kind else {
            return Err(field.fault("$GENERATE makes no aliases").remedy("write each alias on its own line"));
        };
        fields.clone().required("its data").map_err(with_form)?;
        let Some((start, end)) = fields.rest() else { return Ok(()) };
        let annotation = self.annotation(source.text, entry)?;
        let data_text = data_text(source.text, &fields, start, end);
        let data_parts = template(&data_text, start)?;

        let (mut line, mut owner, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let mut expanded = Entry::default();
        for counter in (range.start..=range.stop).step_by(range.step) {
            let blame = |fault: Box<Fault>, start, end| {
                let why = match fault.why.is_empty() {
                    true => format!("where $ is {counter}"),
                    false => format!("{}, where $ is {counter}", fault.why),
                };
                Fault::new(start, end, fault.what).why(why).remedy(fault.remedy)
            };
            let owner_end = owner_field.start + owner_field.bytes.len();
            line.clear();
            expand(&owner_parts, counter, &mut line).ok_or_else(|| blame(negative(), owner_field.start, owner_end))?;
            let name = Field { bytes: &line, start: 0, quoted: owner_field.quoted, glued: false };
            owner.clear();
            self.generated_text += line.len() as u64;
            name.name_into(&source.origin, &mut owner).map_err(|fault| blame(fault, owner_field.start, owner_end))?;
            line.clear();
            expand(&data_parts, counter, &mut line).ok_or_else(|| blame(negative(), start, end))?;
            self.generated_bytes += line.len() as u64;
            if self.generated_bytes > GENERATED_BYTES_MAX {
                return Err(field
                    .fault("the zone's $GENERATE lines make too much data")
                    .remedy("make the range smaller"));
            }
            self.generated_text += line.len() as u64;
            if self.generated_text > self.includes.bytes_left() {
                return Err(field
                    .fault("the zone's $GENERATE lines make too much data")
                    .why("with what they write the zone has more bytes than zone_bytes_max allows")
                    .remedy("make the range smaller"));
            }
            let next = expanded.scan(&line, 0);
            if next < line.len() {
                let fault = Fault::new(0, 0, "the data spreads over two lines");
                return Err(blame(fault.remedy("write it on one line"), start, end));
            }
            if let Some(fault) = expanded.fault.take() {
                return Err(blame(fault, start, end));
            }
            data.clear();
            rdata::read(rtype, &mut Fields::new(&line, &expanded, &source.origin), &mut data)
                .map_err(|fault| blame(fault, start, end))?;
            let ttl = self.ttl(header.ttl, rtype, &data, entry);
            match &annotation {
                None => self.plain(source, &owner, ttl, rtype, &data, entry)?,
                Some((annotation, place)) => {
                    let mut annotation = annotation.clone();
                    for id in [&mut annotation.identifier, &mut annotation.health_check].into_iter().flatten() {
                        *id = counted(id, counter).map_err(|fault| blame(fault, place.0, place.1))?;
                    }
                    self.value(source, &owner, ttl, rtype, &data, annotation, *place)?;
                }
            }
        }
        Ok(())
    }
}

/// An identifier with the counter in it.
fn counted(id: &Id, counter: i64) -> Outcome<Id> {
    if !id.contains('$') {
        return Ok(id.clone());
    }
    let mut out = Vec::new();
    expand(&template(id.as_bytes(), 0)?, counter, &mut out).ok_or_else(negative)?;
    Ok(String::from_utf8_lossy(&out).as_ref().into())
}

fn negative() -> Box<Fault> {
    Fault::new(0, 0, "the counter with its offset goes out of range").remedy("change the range or the offset")
}

/// The data as it is to be read after expansion. One quoted string means what is inside it, as with BIND.
fn data_text(text: &[u8], fields: &Fields<'_>, start: usize, end: usize) -> Vec<u8> {
    let mut rest = fields.clone();
    match (rest.optional(), rest.peek()) {
        (Some(only), None) if only.quoted => {
            let mut out = Vec::with_capacity(only.bytes.len());
            let mut bytes = only.bytes.iter().copied().peekable();
            while let Some(byte) = bytes.next() {
                if byte != b'\\' {
                    out.push(byte);
                } else if bytes.peek() == Some(&b'"') {
                    out.extend(bytes.next());
                } else {
                    out.push(byte);
                    out.extend(bytes.next());
                }
            }
            out
        }
        _ => text.get(start..end).unwrap_or_default().to_vec(),
    }
}

fn range(text: &[u8]) -> Option<Range> {
    let dash = text.iter().position(|&byte| byte == b'-')?;
    let rest = text.get(dash + 1..)?;
    let (stop, step) = match rest.iter().position(|&byte| byte == b'/') {
        Some(slash) => (rest.get(..slash)?, digits(rest.get(slash + 1..)?)?),
        None => (rest, 1),
    };
    let (start, stop) = (digits(text.get(..dash)?)?, digits(stop)?);
    let most = u64::from(u32::MAX >> 1);
    if start > stop || stop > most || step == 0 || step > most {
        return None;
    }
    Some(Range { start: start as i64, stop: stop as i64, step: step as usize })
}

/// Cuts a template into parts. `at` is where it stands, for faults.
fn template(text: &[u8], at: usize) -> Outcome<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let (mut from, mut index) = (0, 0);
    while let Some(&byte) = text.get(index) {
        if byte == b'\\' {
            index += 2;
            continue;
        }
        if byte != b'$' {
            index += 1;
            continue;
        }
        parts.push(Part::Text(&text[from..index]));
        match text.get(index + 1) {
            Some(b'$') => {
                parts.push(Part::Text(b"\\$"));
                index += 2;
            }
            Some(b'{') => {
                let rest = &text[index + 2..];
                let close = rest.iter().position(|&byte| byte == b'}');
                let part = close.and_then(|close| modifier(&rest[..close]));
                let end = index + 3 + close.unwrap_or(rest.len().saturating_sub(1));
                parts.push(part.ok_or_else(|| {
                    Fault::new(at + index, at + end, "this counter has no form").remedy(
                        "write ${offset}, ${offset,width} or ${offset,width,radix} with radix d, o, x, X, n or N",
                    )
                })?);
                index = end;
            }
            _ => {
                parts.push(Part::Counter { offset: 0, width: 0, radix: b'd' });
                index += 1;
            }
        }
        from = index;
    }
    parts.push(Part::Text(text.get(from..).unwrap_or_default()));
    Ok(parts)
}

fn modifier(text: &[u8]) -> Option<Part<'static>> {
    let mut pieces = text.split(|&byte| byte == b',').map(|piece| piece.trim_ascii());
    let offset = pieces.next()?;
    let (sign, magnitude) = match offset {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    let offset = sign * digits(magnitude).filter(|&value| value <= u64::from(u32::MAX))? as i64;
    let width = pieces.next().map_or(Some(0), digits).filter(|&width| width <= WIDTH_MAX)? as usize;
    let radix = match pieces.next() {
        None => b'd',
        Some(&[radix @ (b'd' | b'o' | b'x' | b'X' | b'n' | b'N')]) => radix,
        Some(_) => return None,
    };
    pieces.next().is_none().then_some(Part::Counter { offset, width, radix })
}

fn expand(parts: &[Part<'_>], counter: i64, out: &mut Vec<u8>) -> Option<()> {
    use std::io::Write;
    for part in parts {
        match *part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Counter { offset, width, radix } => {
                let value = counter.checked_add(offset).filter(|value| (0..=i64::from(u32::MAX)).contains(value))?;
                // Writing to a vector cannot fail.
                let _ = match radix {
                    b'd' => write!(out, "{value:0width$}"),
                    b'o' => write!(out, "{value:0width$o}"),
                    b'x' => write!(out, "{value:0width$x}"),
                    b'X' => write!(out, "{value:0width$X}"),
                    radix => {
                        nibbles(value as u64, width, radix == b'N', out);
                        Ok(())
                    }
                };
            }
        }
    }
    Some(())
}

/// Hexadecimal digits, the last one first, dots between them; the width counts the dots.
fn nibbles(mut value: u64, mut width: usize, upper: bool, out: &mut Vec<u8>) {
    let digits = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    loop {
        out.push(digits[(value & 15) as usize]);
        value >>= 4;
        width = width.saturating_sub(1);
        if width > 0 || value != 0 {
            out.push(b'.');
            width = width.saturating_sub(1);
        }
        if width == 0 && value == 0 {
            return;
        }
    }
}
