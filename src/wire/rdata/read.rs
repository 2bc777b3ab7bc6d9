//! Record data from presentation form, piece by piece.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::base::{BadText, Decoder};
use super::fields::{Fault, Field, Fields, Outcome, period};
use super::mnemonic::{self, Words};
use super::shape::Piece;
use super::stamp;
use super::{bitmap, gateway, location, prefixes, service};
use crate::wire::rtype::Type;

pub fn read(piece: Piece, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    match piece {
        Piece::U8 => out.push(fields.required("a number")?.number(u8::MAX)?),
        Piece::U16 => put_u16(fields.required("a number")?.number(u16::MAX)?, out),
        Piece::KeyFlags => put_u16(key_flags(&fields.required("the flags of the key")?)?, out),
        Piece::KeyProtocol => out.push(word_or_u8(fields, mnemonic::KEY_PROTOCOLS, "a protocol")?),
        Piece::U32 => out.extend_from_slice(&fields.required("a number")?.number(u32::MAX)?.to_be_bytes()),
        Piece::U64 => out.extend_from_slice(&fields.required("a number")?.number(u64::MAX)?.to_be_bytes()),
        Piece::Period => {
            let field = fields.required("a time in seconds")?;
            let seconds = period(field.bytes).and_then(|seconds| u32::try_from(seconds).ok());
            let seconds = seconds.ok_or_else(|| field.is_not("a time in seconds, plain or with units as 1h30m"))?;
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        Piece::Stamp => {
            let field = fields.required("a time as YYYYMMDDHHmmSS")?;
            let seconds = stamp::read(field.bytes).ok_or_else(|| field.is_not("a time as YYYYMMDDHHmmSS"))?;
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        Piece::RecordType => {
            let field = fields.required("a record type")?;
            let found = field.text().and_then(Type::parse).ok_or_else(|| field.is_not("a record type"))?;
            put_u16(found.0, out);
        }
        Piece::Algorithm => out.push(word_or_u8(fields, mnemonic::ALGORITHMS, "an algorithm")?),
        Piece::DigestType => out.push(word_or_u8(fields, mnemonic::DIGESTS, "a digest type")?),
        Piece::DsyncScheme => out.push(word_or_u8(fields, mnemonic::DSYNC_SCHEMES, "a scheme")?),
        Piece::CertType => {
            let field = fields.required("a certificate type")?;
            let found = mnemonic::number(mnemonic::CERT_TYPES, field.bytes);
            put_u16(found.map_or_else(|| field.number(u16::MAX), Ok)?, out);
        }
        Piece::Ipv4 => {
            let field = fields.required("an IPv4 address")?;
            out.extend_from_slice(&ipv4(&field)?.octets());
        }
        Piece::Ipv6 => {
            let field = fields.required("an IPv6 address")?;
            out.extend_from_slice(&ipv6(&field)?.octets());
        }
        Piece::Name => fields.required("a domain name")?.name_into(fields.origin, out)?,
        Piece::Text => text(&fields.required("a string")?, out)?,
        Piece::Texts => {
            text(&fields.required("a string")?, out)?;
            while let Some(field) = fields.optional() {
                text(&field, out)?;
            }
        }
        Piece::TextOrNothing => {
            if let Some(field) = fields.optional() {
                text(&field, out)?;
            }
        }
        Piece::Digits => {
            let field = fields.required("an X.121 address")?;
            if field.bytes.len() < 4 || !field.bytes.iter().all(u8::is_ascii_digit) {
                return Err(field.is_not("an X.121 address: four digits or more"));
            }
            text(&field, out)?;
        }
        Piece::Decimal => {
            let field = fields.required("a number of degrees or metres")?;
            if !is_decimal(field.bytes) {
                return Err(field.is_not("a decimal number"));
            }
            text(&field, out)?;
        }
        Piece::Tag => {
            let field = fields.required("a tag")?;
            if !is_tag(field.bytes) {
                return Err(field.is_not("a tag: letters and digits only, as issue or iodef"));
            }
            text(&field, out)?;
        }
        Piece::LongText => fields.required("a string")?.unescape_into(out)?,
        Piece::Hex => rest(Decoder::hex(), "hexadecimal digits", fields, out)?,
        Piece::Base64 => rest(Decoder::base64(), "base64", fields, out)?,
        Piece::Base64OrNothing => match fields.peek() {
            None => {}
            Some(field) if field.is("-") => drop(fields.optional()),
            Some(_) => rest(Decoder::base64(), "base64", fields, out)?,
        },
        Piece::Salt => {
            let field = fields.required("a salt")?;
            match field.is("-") {
                true => out.push(0),
                false => counted(&field, Decoder::hex(), "hexadecimal digits, or - for no salt", out)?,
            }
        }
        Piece::Hash => counted(&fields.required("a hash")?, Decoder::base32(), "a hash in base32", out)?,
        Piece::TypeBitmap => bitmap::read(fields, out)?,
        Piece::OldTypeBitmap => bitmap::read_old(fields, out)?,
        Piece::Eui48 => groups(&fields.required("an EUI-48 address")?, 6, 2, b'-', "an EUI-48 address", out)?,
        Piece::Eui64 => groups(&fields.required("an EUI-64 address")?, 8, 2, b'-', "an EUI-64 address", out)?,
        Piece::Locator => {
            let wanted = "four groups of up to four hexadecimal digits";
            groups(&fields.required("a locator")?, 4, 4, b':', wanted, out)?;
        }
        Piece::Nsap => nsap(&fields.required("an NSAP address")?, out)?,
        Piece::Location => location::read(fields, out)?,
        Piece::Prefixes => prefixes::read(fields, out)?,
        Piece::Services => services(fields, out)?,
        Piece::ServiceParameters => service::read(fields, out)?,
        Piece::IpsecGateway => gateway::read_ipsec(fields, out)?,
        Piece::AmtRelay => gateway::read_relay(fields, out)?,
        Piece::HostIdentity => host_identity(fields, out)?,
    }
    Ok(())
}

fn put_u16(value: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn word_or_u8(fields: &mut Fields<'_>, words: Words, wanted: &str) -> Outcome<u8> {
    let field = fields.required(wanted)?;
    match mnemonic::number(words, field.bytes).and_then(|number| u8::try_from(number).ok()) {
        Some(number) => Ok(number),
        None => {
            field.number(u8::MAX).map_err(|_| field.is_not(format!("{wanted}: a number up to 255 or its mnemonic")))
        }
    }
}

/// A number, hexadecimal too, or words with bars between them (RFC 2535, 7.1).
fn key_flags(field: &Field<'_>) -> Outcome<u16> {
    let text = field.text().unwrap_or_default();
    if let Some(found) = text.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
        return Ok(found);
    }
    if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        let words = text.split('|').map(|word| mnemonic::number(mnemonic::KEY_FLAGS, word.as_bytes()));
        let flags = words.reduce(|all, each| Some(all? | each?)).flatten();
        return flags.ok_or_else(|| field.is_not("a number from 0 to 65535 or flags by name, as ZONE|KSK"));
    }
    field.number(u16::MAX)
}

pub fn ipv4(field: &Field<'_>) -> Outcome<Ipv4Addr> {
    quick_ipv4(field.bytes).ok_or_else(|| field.is_not("an IPv4 address"))
}

/// Four decimal numbers without leading zeros.
fn quick_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let (mut index, mut value, mut length) = (0, 0u32, 0);
    for &byte in text {
        match byte {
            b'0'..=b'9' if length == 0 || (value > 0 && length < 3) => {
                value = value * 10 + u32::from(byte - b'0');
                length += 1;
            }
            b'.' if length > 0 && index < 3 => {
                octets[index] = u8::try_from(value).ok()?;
                (index, value, length) = (index + 1, 0, 0);
            }
            _ => return None,
        }
    }
    if index != 3 || length == 0 {
        return None;
    }
    octets[3] = u8::try_from(value).ok()?;
    Some(Ipv4Addr::from(octets))
}

pub fn ipv6(field: &Field<'_>) -> Outcome<Ipv6Addr> {
    let address = quick_ipv6(field.bytes).or_else(|| field.text().and_then(|text| text.parse().ok()));
    address.ok_or_else(|| field.is_not("an IPv6 address"))
}

/// Groups of hexadecimal digits, `::` once at most. Anything else is left to the library, mistakes and rare forms alike.
fn quick_ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0u16; 8];
    let (mut count, mut gap, mut at) = (0, None, 0);
    if text.starts_with(b"::") {
        (gap, at) = (Some(0), 2);
    }
    while at < text.len() {
        let (mut value, mut digits) = (0u32, 0);
        while let Some(digit) = text.get(at).and_then(|&byte| char::from(byte).to_digit(16)) {
            value = value << 4 | digit;
            (digits, at) = (digits + 1, at + 1);
            if digits > 4 {
                return None;
            }
        }
        if digits == 0 {
            return None;
        }
        *groups.get_mut(count)? = value as u16;
        count += 1;
        match text.get(at..)? {
            [] => break,
            [b':', b':', ..] if gap.is_none() => (gap, at) = (Some(count), at + 2),
            [b':', next, ..] if *next != b':' => at += 1,
            _ => return None,
        }
    }
    match gap {
        None if count == 8 => {}
        // RFC 4291, 2.2: the gap stands for one group or more.
        Some(gap) if count < 8 => {
            groups.copy_within(gap..count, 8 - (count - gap));
            groups[gap..8 - (count - gap)].fill(0);
        }
        _ => return None,
    }
    Some(Ipv6Addr::from(groups))
}

/// Appends a character string behind its length.
pub fn text(field: &Field<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let start = out.len();
    out.push(0);
    field.unescape_into(out)?;
    set_count(field, start, out, "a string takes at most 255 bytes", "split it into several strings")
}

/// Fills in the length of what was appended since `start`.
fn set_count(field: &Field<'_>, start: usize, out: &mut [u8], what: &str, remedy: &str) -> Outcome<()> {
    let length = out.len() - start - 1;
    match (u8::try_from(length), out.get_mut(start)) {
        (Ok(count), Some(place)) => {
            *place = count;
            Ok(())
        }
        _ => Err(field.fault(what).why(format!("this one has {length}")).remedy(remedy)),
    }
}

/// Reads encoded bytes to the end of the record; blanks between them don't count.
pub fn rest(mut decoder: Decoder, wanted: &str, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let mut last = fields.required(wanted)?;
    let (first, start) = (last, out.len());
    loop {
        decode(&mut decoder, &last, wanted, out)?;
        match fields.optional() {
            Some(field) => last = field,
            None => break,
        }
    }
    // Quotes with nothing between them are a field, and no data.
    if out.len() == start && last.bytes.is_empty() {
        return Err(first.is_not(wanted));
    }
    decoder.finish().map_err(|_| unfinished(&last, wanted))
}

pub fn word(mut decoder: Decoder, field: &Field<'_>, wanted: &str, out: &mut Vec<u8>) -> Outcome<()> {
    decode(&mut decoder, field, wanted, out)?;
    decoder.finish().map_err(|_| unfinished(field, wanted))
}

fn unfinished(field: &Field<'_>, wanted: &str) -> Box<Fault> {
    field.fault(format!("here {wanted} end in the middle of a byte")).remedy("check that nothing was cut off")
}

fn decode(decoder: &mut Decoder, field: &Field<'_>, wanted: &str, out: &mut Vec<u8>) -> Outcome<()> {
    decoder.read(field.bytes, out).map_err(|bad| match bad {
        BadText::At(at) => {
            Fault::new(field.start + at, field.start + at + 1, format!("this character is no part of {wanted}"))
        }
        BadText::Unfinished => unfinished(field, wanted),
    })
}

/// Appends decoded bytes behind their length.
fn counted(field: &Field<'_>, decoder: Decoder, wanted: &str, out: &mut Vec<u8>) -> Outcome<()> {
    let start = out.len();
    out.push(0);
    word(decoder, field, wanted, out)?;
    if out.len() == start + 1 {
        return Err(field.is_not(wanted));
    }
    set_count(field, start, out, "at most 255 bytes fit here", "write a shorter one")
}

/// `count` groups of hexadecimal digits. Two digits must be two; four may be fewer.
fn groups(field: &Field<'_>, count: usize, width: usize, between: u8, wanted: &str, out: &mut Vec<u8>) -> Outcome<()> {
    let mut seen = 0;
    for group in field.bytes.split(|&byte| byte == between) {
        let fits = group.len() == width || (width == 4 && (1..4).contains(&group.len()));
        let value = std::str::from_utf8(group).ok().filter(|text| !text.starts_with('+'));
        let value = value.and_then(|text| u16::from_str_radix(text, 16).ok()).filter(|_| fits);
        let value = value.ok_or_else(|| field.is_not(wanted))?;
        match width {
            2 => out.push(value as u8),
            _ => put_u16(value, out),
        }
        seen += 1;
    }
    if seen == count { Ok(()) } else { Err(field.is_not(wanted)) }
}

/// RFC 1706: `0x` and pairs of digits, with dots anywhere between them.
fn nsap(field: &Field<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let wanted = "an NSAP address: 0x and hexadecimal digits";
    let digits = field.bytes.strip_prefix(b"0x").or_else(|| field.bytes.strip_prefix(b"0X"));
    let digits = digits.ok_or_else(|| field.is_not(wanted))?;
    let start = out.len();
    let mut decoder = Decoder::hex();
    for group in digits.split(|&byte| byte == b'.') {
        decoder.read(group, out).map_err(|_| field.is_not(wanted))?;
    }
    decoder.finish().map_err(|_| field.is_not(wanted))?;
    if out.len() > start { Ok(()) } else { Err(field.is_not(wanted)) }
}

/// RFC 1035, 3.4.2: a protocol and a bit for each port.
fn services(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    out.push(word_or_u8(fields, mnemonic::PROTOCOLS, "a protocol")?);
    let start = out.len();
    while let Some(field) = fields.optional() {
        let port = match mnemonic::number(mnemonic::SERVICES, field.bytes) {
            Some(port) => port,
            None => field.number(u16::MAX).map_err(|_| field.is_not("a port number or a well-known service"))?,
        };
        let at = start + usize::from(port / 8);
        if out.len() <= at {
            out.resize(at + 1, 0);
        }
        out[at] |= 0x80 >> (port % 8);
    }
    Ok(())
}

/// RFC 8005, 6: algorithm, identity tag, key and rendezvous servers; the lengths travel in front.
fn host_identity(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let algorithm: u8 = fields.required("a key algorithm")?.number(u8::MAX)?;
    let start = out.len();
    out.extend_from_slice(&[0, algorithm, 0, 0]);
    let tag = fields.required("a host identity tag")?;
    word(Decoder::hex(), &tag, "hexadecimal digits", out)?;
    let tag_length = out.len() - start - 4;
    let key = fields.required("a public key")?;
    word(Decoder::base64(), &key, "base64", out)?;
    let key_length = out.len() - start - 4 - tag_length;
    match (u8::try_from(tag_length), u16::try_from(key_length)) {
        (Ok(tag_length @ 1..), Ok(key_length @ 1..)) => {
            out[start] = tag_length;
            out[start + 2..start + 4].copy_from_slice(&key_length.to_be_bytes());
        }
        (Err(_) | Ok(0), _) => return Err(tag.fault("a host identity tag takes from 1 to 255 bytes")),
        _ => return Err(key.fault("a public key takes from 1 to 65535 bytes")),
    }
    while let Some(server) = fields.optional() {
        server.name_into(fields.origin, out)?;
    }
    Ok(())
}

pub fn is_tag(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_alphanumeric)
}

/// A sign, digits and one point.
pub fn is_decimal(bytes: &[u8]) -> bool {
    let unsigned = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    unsigned.iter().any(u8::is_ascii_digit)
        && unsigned.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.')
        && unsigned.iter().filter(|&&byte| byte == b'.').count() <= 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn addresses_are_those_of_the_library(text in "[0-9a-f:]{0,12}|([0-9a-f]{0,5}:{1,2}){0,9}[0-9A-F]{0,4}|[0-9.]{0,16}") {
            let library: Option<Ipv6Addr> = text.parse().ok();
            if let Some(quick) = quick_ipv6(text.as_bytes()) {
                prop_assert_eq!(Some(quick), library);
            }
            let library: Option<Ipv4Addr> = text.parse().ok();
            prop_assert_eq!(quick_ipv4(text.as_bytes()), library);
        }
    }
}
