//! Record data in presentation form, piece by piece. Data that cannot be shown is not valid: this is the check too.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::base;
use super::cursor::Cursor;
use super::mnemonic::{self, Words};
use super::read::{is_decimal, is_tag};
use super::shape::Piece;
use super::{bitmap, gateway, location, prefixes, service, stamp};
use crate::wire::name::Shown;
use crate::wire::rtype::Type;

/// Appends one piece; none if the data is not as the piece has to be.
pub fn show(piece: Piece, cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    match piece {
        Piece::U8 | Piece::KeyProtocol | Piece::Algorithm | Piece::DigestType => number(cursor.u8()?, out),
        Piece::U16 | Piece::KeyFlags => number(cursor.u16()?, out),
        Piece::U32 | Piece::Period => number(cursor.u32()?, out),
        Piece::U64 => number(cursor.u64()?, out),
        Piece::Stamp => out.push_str(&stamp::show(cursor.u32()?)),
        Piece::RecordType => number(Type(cursor.u16()?), out),
        Piece::CertType => word(mnemonic::CERT_TYPES, cursor.u16()?, out),
        Piece::DsyncScheme => word(mnemonic::DSYNC_SCHEMES, u16::from(cursor.u8()?), out),
        Piece::Ipv4 => number(Ipv4Addr::from(cursor.array::<4>()?), out),
        Piece::Ipv6 => number(Ipv6Addr::from(cursor.array::<16>()?), out),
        Piece::Name => number(Shown(cursor.name()?), out),
        Piece::Text => quoted(cursor.counted()?, out),
        Piece::Texts => {
            quoted(cursor.counted()?, out);
            while !cursor.is_empty() {
                out.push(' ');
                quoted(cursor.counted()?, out);
            }
        }
        Piece::TextOrNothing => {
            if !cursor.is_empty() {
                quoted(cursor.counted()?, out);
            }
        }
        Piece::Digits => {
            let digits = cursor.counted().filter(|digits| digits.len() >= 4 && digits.iter().all(u8::is_ascii_digit));
            quoted(digits?, out);
        }
        Piece::Decimal => quoted(cursor.counted().filter(|text| is_decimal(text))?, out),
        Piece::Tag => out.push_str(std::str::from_utf8(cursor.counted().filter(|tag| is_tag(tag))?).ok()?),
        Piece::LongText => quoted(cursor.rest(), out),
        Piece::Hex => base::hex(some(cursor.rest())?, out),
        Piece::Base64 => base::base64(some(cursor.rest())?, out),
        Piece::Base64OrNothing => base::base64(cursor.rest(), out),
        Piece::Salt => match cursor.counted()? {
            [] => out.push('-'),
            salt => base::hex(salt, out),
        },
        Piece::Hash => base::base32(some(cursor.counted()?)?, out),
        Piece::TypeBitmap => bitmap::show(cursor, out)?,
        Piece::OldTypeBitmap => bitmap::show_old(cursor, out)?,
        Piece::Eui48 => groups(cursor.take(6)?, out),
        Piece::Eui64 => groups(cursor.take(8)?, out),
        Piece::Locator => {
            let [a, b, c, d] = [cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?];
            out.push_str(&format!("{a:04x}:{b:04x}:{c:04x}:{d:04x}"));
        }
        Piece::Nsap => {
            out.push_str("0x");
            base::hex(some(cursor.rest())?, out);
        }
        Piece::Location => location::show(cursor, out)?,
        Piece::Prefixes => prefixes::show(cursor, out)?,
        Piece::Services => services(cursor, out)?,
        Piece::ServiceParameters => service::show(cursor, out)?,
        Piece::IpsecGateway => gateway::show_ipsec(cursor, out)?,
        Piece::AmtRelay => gateway::show_relay(cursor, out)?,
        Piece::HostIdentity => host_identity(cursor, out)?,
    }
    Some(())
}

fn some(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

fn number(value: impl std::fmt::Display, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn word(words: Words, value: u16, out: &mut String) {
    match mnemonic::word(words, value) {
        Some(word) => out.push_str(word),
        None => number(value, out),
    }
}

/// A string in quotation marks, with escapes where they are needed.
pub fn quoted(bytes: &[u8], out: &mut String) {
    out.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => number(format_args!("\\{byte:03}"), out),
        }
    }
    out.push('"');
}

fn groups(bytes: &[u8], out: &mut String) {
    for (at, byte) in bytes.iter().enumerate() {
        let between = if at == 0 { "" } else { "-" };
        number(format_args!("{between}{byte:02x}"), out);
    }
}

fn services(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    number(cursor.u8()?, out);
    let bits = cursor.rest();
    // 65,536 ports fill 8,192 bytes.
    if bits.len() > 8_192 || bits.last() == Some(&0) {
        return None;
    }
    for (first, byte) in (0u32..).step_by(8).zip(bits) {
        for bit in 0..8 {
            if byte & (0x80 >> bit) != 0 {
                number(format_args!(" {}", first + bit), out);
            }
        }
    }
    Some(())
}

fn host_identity(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    let (tag_length, algorithm, key_length) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
    number(format_args!("{algorithm} "), out);
    base::hex(some(cursor.take(usize::from(tag_length))?)?, out);
    out.push(' ');
    base::base64(some(cursor.take(usize::from(key_length))?)?, out);
    while !cursor.is_empty() {
        number(format_args!(" {}", Shown(cursor.name()?)), out);
    }
    Some(())
}
