//! Record data: from presentation form to wire form and back, for every type (RFC 1035, 5.1, and each type's own RFC).
//!
//! What a type is made of stands in one table, `shape.rs`; reading, showing and checking follow it. Wire form here
//! never has compressed names. Types without a shape, and any type on demand, are written as `\# length hex`
//! (RFC 3597, 5).

pub mod entry;
pub mod fields;

mod base;
mod bitmap;
mod cursor;
mod gateway;
mod location;
mod mnemonic;
mod prefixes;
mod read;
mod service;
mod shape;
mod show;
pub mod stamp;

#[cfg(test)]
mod tests;

use cursor::Cursor;
use entry::Entry;
use fields::{Fault, Fields, Outcome};
use shape::{Piece, shape};

use super::name::Name;
use super::rtype::Type;

/// RFC 1035, 3.2.1: the length of record data travels in 16 bits.
pub const RDATA_MAX: usize = 65_535;

/// Reads all the fields left as data of this type and appends its wire form. On a fault `out` is as it was.
pub fn read(rtype: Type, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let start = out.len();
    let outcome = read_data(rtype, fields, out);
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

fn read_data(rtype: Type, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let start = out.len();
    let first = fields.peek();
    if let Some(field) = first
        && field.bytes == b"\\#"
        && !field.quoted
    {
        return read_opaque(rtype, fields, out);
    }
    let Some(shape) = shape(rtype) else {
        let at = fields.required("its data")?;
        return Err(at
            .fault(format!("{rtype} has no presentation form of its own"))
            .remedy("write its data as \\# length hexadecimal-digits (RFC 3597)"));
    };
    for &piece in shape.pieces {
        read::read(piece, fields, out).map_err(|fault| with_example(fault, rtype, shape.example))?;
    }
    fields.finish().map_err(|fault| with_example(fault, rtype, shape.example))?;
    if out.len() - start > RDATA_MAX
        && let Some(field) = first
    {
        return Err(field.fault("the data of a record takes at most 65535 bytes").remedy("split the record"));
    }
    Ok(())
}

fn with_example(fault: Box<Fault>, rtype: Type, example: &str) -> Box<Fault> {
    if fault.remedy.is_empty() { fault.remedy(format!("write it like: {rtype} {example}")) } else { fault }
}

/// RFC 3597, 5: `\# length hexadecimal-digits`.
fn read_opaque(rtype: Type, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let start = out.len();
    fields.optional();
    let length = fields.required("the length of the data")?;
    let count: u16 = length.number(u16::MAX)?;
    let first = fields.peek();
    if first.is_some() {
        read::rest(base::Decoder::hex(), "hexadecimal digits", fields, out)?;
    }
    let found = out.len() - start;
    if found != usize::from(count) {
        return Err(length
            .fault(format!("the data is {found} bytes long, not {count}"))
            .remedy("correct the length, or look for digits cut off"));
    }
    if !is_valid(rtype, out.get(start..).unwrap_or_default()) {
        let at = first.unwrap_or(length);
        return Err(at
            .fault(format!("these bytes are not the data of a record of type {rtype}"))
            .why("resolvers would reject the whole answer")
            .remedy("write the data in the type's own form"));
    }
    Ok(())
}

/// Reads data that stands alone, as `10 mail.example.com.`.
pub fn parse(rtype: Type, text: &str, origin: &Name) -> Outcome<Vec<u8>> {
    let mut entry = Entry::default();
    let end = entry.scan(text.as_bytes(), 0);
    if let Some(fault) = entry.fault {
        return Err(fault);
    }
    if end < text.len() {
        return Err(
            Fault::new(end, text.len(), "the data goes on behind its end").remedy("write one value, on one line")
        );
    }
    let mut out = Vec::new();
    read(rtype, &mut Fields::new(text.as_bytes(), &entry, origin.wire()), &mut out)?;
    Ok(out)
}

/// Presentation form, one line, names absolute. Data that is not valid is shown as RFC 3597 has it.
pub fn show(rtype: Type, rdata: &[u8]) -> String {
    let mut out = String::new();
    if append(rtype, rdata, &mut out).is_none() {
        out = format!("\\# {} ", rdata.len());
        base::hex(rdata, &mut out);
        out.truncate(out.trim_end().len());
    }
    out
}

/// Whether these bytes are data of this type. Any bytes are, for a type that is not known.
pub fn is_valid(rtype: Type, rdata: &[u8]) -> bool {
    rdata.len() <= RDATA_MAX && (shape(rtype).is_none() || append(rtype, rdata, &mut String::new()).is_some())
}

fn append(rtype: Type, rdata: &[u8], out: &mut String) -> Option<()> {
    let mut cursor = Cursor::new(rdata);
    for (at, &piece) in shape(rtype)?.pieces.iter().enumerate() {
        // These put a blank before each of their items.
        let spaced =
            matches!(piece, Piece::TypeBitmap | Piece::OldTypeBitmap | Piece::Prefixes | Piece::ServiceParameters);
        if at > 0 && !spaced {
            out.push(' ');
        }
        show::show(piece, &mut cursor, out)?;
    }
    let kept = out.trim_matches(' ').len();
    if kept < out.len() {
        *out = out.trim_matches(' ').to_string();
    }
    cursor.is_empty().then_some(())
}
