//! Sets of record types as NSEC, NSEC3 and CSYNC carry them (RFC 4034, 4.1.2): windows of 256 types, each a bit map.

use super::cursor::Cursor;
use super::fields::{Fields, Outcome};
use crate::wire::rtype::Type;

const WINDOW_BYTES: usize = 32;

fn record_type(field: &super::fields::Field<'_>) -> Outcome<Type> {
    field.text().and_then(Type::parse).ok_or_else(|| field.is_not("a record type"))
}

/// Reads types to the end of the record, in any order.
pub fn read(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let mut first = [0u8; WINDOW_BYTES];
    // Only a few types have numbers above 255, so this is hardly ever used.
    let mut others: Vec<u16> = Vec::new();
    while let Some(field) = fields.optional() {
        let Type(number) = record_type(&field)?;
        match first.get_mut(usize::from(number / 8)) {
            Some(byte) => *byte |= 0x80 >> (number % 8),
            None => others.push(number),
        }
    }
    window(0, &first, out);
    others.sort_unstable();
    for same in others.chunk_by(|a, b| a >> 8 == b >> 8) {
        let mut bits = [0u8; WINDOW_BYTES];
        for number in same {
            bits[usize::from(number & 0xff) / 8] |= 0x80 >> (number % 8);
        }
        window((same[0] >> 8) as u8, &bits, out);
    }
    Ok(())
}

fn window(number: u8, bits: &[u8; WINDOW_BYTES], out: &mut Vec<u8>) {
    let used = bits.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if used > 0 {
        out.extend_from_slice(&[number, used as u8]);
        out.extend_from_slice(&bits[..used]);
    }
}

/// Shows the types, each behind a blank; none if the bit maps are not well-formed.
pub fn show(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    let mut least = 0;
    while !cursor.is_empty() {
        let (window, count) = (cursor.u8()?, cursor.u8()?);
        if u16::from(window) < least || !(1..=WINDOW_BYTES as u8).contains(&count) {
            return None;
        }
        least = u16::from(window) + 1;
        let bits = cursor.take(usize::from(count))?;
        if bits.last() == Some(&0) {
            return None;
        }
        show_bits(u16::from(window) << 8, bits, out);
    }
    Some(())
}

fn show_bits(first: u16, bits: &[u8], out: &mut String) {
    for (number, byte) in (0u16..).step_by(8).zip(bits) {
        for bit in 0..8 {
            if byte & (0x80 >> bit) != 0 {
                out.push(' ');
                out.push_str(&Type(first + number + bit).to_string());
            }
        }
    }
}

/// NXT's one bit map (RFC 2535, 5.2): types up to 127.
pub fn read_old(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let mut bits = [0u8; 16];
    while let Some(field) = fields.optional() {
        let Type(number) = record_type(&field)?;
        match bits.get_mut(usize::from(number / 8)) {
            Some(byte) if number > 0 => *byte |= 0x80 >> (number % 8),
            _ => return Err(field.fault("an NXT record lists the types from 1 to 127 only")),
        }
    }
    let used = bits.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(&bits[..used]);
    Ok(())
}

pub fn show_old(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    let bits = cursor.rest();
    if bits.len() > 16 || bits.last() == Some(&0) || bits.first().is_some_and(|byte| byte & 0x80 != 0) {
        return None;
    }
    show_bits(0, bits, out);
    Some(())
}
