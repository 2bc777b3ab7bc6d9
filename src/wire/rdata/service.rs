//! The parameters of SVCB and HTTPS records (RFC 9460, 2.1 and appendix A).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::base::{self, Decoder};
use super::cursor::Cursor;
use super::fields::{Fault, Field, Fields, Outcome, digits};
use super::read::word;
use super::show::quoted;

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const DOHPATH: u16 = 7;
const OHTTP: u16 = 8;
/// RFC 9460, 14.3.2: the key that stands for no key.
const INVALID: u16 = 65_535;

const KEYS: &[&str] =
    &["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];

/// More parameters than this fit no record: each takes four bytes or more of 65,535.
const PARAMETERS_MAX: usize = 16_384;

fn key_number(text: &[u8]) -> Option<u16> {
    if let Some(found) = KEYS.iter().position(|key| key.as_bytes() == text) {
        return u16::try_from(found).ok();
    }
    let number = text.strip_prefix(b"key")?;
    if number.len() > 1 && number.starts_with(b"0") {
        return None;
    }
    digits(number).and_then(|number| u16::try_from(number).ok()).filter(|&number| number != INVALID)
}

fn key_word(number: u16) -> String {
    KEYS.get(usize::from(number)).map_or_else(|| format!("key{number}"), |key| key.to_string())
}

/// Reads the parameters in any order and appends them in ascending order of their keys.
pub fn read(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let mut found: Vec<(u16, Vec<u8>, Field<'_>)> = Vec::new();
    while let Some(field) = fields.optional() {
        let (key_text, inline) = match field.bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => {
                let value = field.bytes.get(at + 1..).unwrap_or_default();
                (&field.bytes[..at], Some(Field { bytes: value, start: field.start + at + 1, ..field }))
            }
            None => (field.bytes, None),
        };
        let key = key_number(key_text).filter(|_| !field.quoted).ok_or_else(|| {
            field.is_not("a service parameter").remedy(format!("use {} or keyNNNNN", KEYS.join(", ")))
        })?;
        let mut value = inline;
        if let Some(inline) = inline
            && let Some(next) = fields.peek().filter(|next| next.quoted && next.glued)
        {
            if !inline.bytes.is_empty() {
                return Err(next.fault("a quotation mark in the middle of a value").remedy("quote the whole value"));
            }
            fields.optional();
            value = Some(next);
        }
        if let Some(next) = fields.peek().filter(|next| next.glued) {
            return Err(next.fault("something follows the quoted value directly").remedy("put a blank between them"));
        }
        let mut encoded = Vec::new();
        if key_text.starts_with(b"key") {
            encode_numbered(key, &field, value, &mut encoded)?;
        } else {
            encode(key, &field, value, &mut encoded)?;
        }
        if found.len() >= PARAMETERS_MAX {
            return Err(field.fault("the record has too many parameters"));
        }
        found.push((key, encoded, field));
    }
    found.sort_by_key(|(key, ..)| *key);
    if let Some(pair) = found.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let again = &pair[1];
        return Err(again.2.fault(format!("{} is given twice", key_word(again.0))).remedy("keep one of them"));
    }
    check_mandatory(&found)?;
    for (key, value, field) in &found {
        let length = u16::try_from(value.len()).map_err(|_| field.fault("the value is longer than 65535 bytes"))?;
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value);
    }
    Ok(())
}

fn check_mandatory(found: &[(u16, Vec<u8>, Field<'_>)]) -> Outcome<()> {
    let Some((MANDATORY, value, field)) = found.first() else { return Ok(()) };
    for pair in value.chunks_exact(2) {
        let key = u16::from_be_bytes([pair[0], pair[1]]);
        if !found.iter().any(|(other, ..)| *other == key) {
            let key = key_word(key);
            return Err(field
                .fault(format!("{key} is mandatory but missing"))
                .remedy(format!("add {key}=…, or take it out of the list")));
        }
    }
    Ok(())
}

/// RFC 9460, 2.1: the value of a key written by its number is the wire form itself.
fn encode_numbered(key: u16, field: &Field<'_>, value: Option<Field<'_>>, out: &mut Vec<u8>) -> Outcome<()> {
    if let Some(value) = value {
        value.unescape_into(out)?;
    }
    match show_value(key, &mut Cursor::new(out), &mut String::new()) {
        Some(()) => Ok(()),
        None => {
            let word = key_word(key);
            Err(value
                .unwrap_or(*field)
                .fault(format!("this is no value of {word} in wire form"))
                .remedy(format!("write {word}=…, which takes the form people read")))
        }
    }
}

fn encode(key: u16, field: &Field<'_>, value: Option<Field<'_>>, out: &mut Vec<u8>) -> Outcome<()> {
    if matches!(key, NO_DEFAULT_ALPN | OHTTP) {
        return match value {
            None => Ok(()),
            Some(value) => Err(value.fault(format!("{} takes no value", key_word(key))).remedy("write the word alone")),
        };
    }
    let value = value.filter(|value| !value.bytes.is_empty()).ok_or_else(|| {
        let word = key_word(key);
        field.fault(format!("{word} needs a value")).remedy(format!("write {word}=…"))
    })?;
    match key {
        MANDATORY => mandatory(&value, out),
        ALPN => alpn(&value, out),
        PORT => {
            out.extend_from_slice(&value.number(u16::MAX)?.to_be_bytes());
            Ok(())
        }
        IPV4HINT => hints::<Ipv4Addr>(&value, "IPv4 addresses", |address| out.extend_from_slice(&address.octets())),
        IPV6HINT => hints::<Ipv6Addr>(&value, "IPv6 addresses", |address| out.extend_from_slice(&address.octets())),
        ECH => word(Decoder::base64(), &value, "base64", out),
        _ => {
            value.unescape_into(out)?;
            if is_dohpath(out) {
                Ok(())
            } else {
                Err(value.is_not("a URI template with the variable dns (RFC 9461, 5)"))
            }
        }
    }
}

fn mandatory(value: &Field<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let mut keys = Vec::new();
    for text in value.bytes.split(|&byte| byte == b',') {
        let key = key_number(text).filter(|&key| key != MANDATORY);
        keys.push(key.ok_or_else(|| value.is_not("a list of parameters other than mandatory itself"))?);
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(value.fault("the list names a parameter twice").remedy("keep one of them"));
    }
    keys.iter().for_each(|key| out.extend_from_slice(&key.to_be_bytes()));
    Ok(())
}

/// RFC 9460, A.1: a list with escapes of its own, inside a string with escapes.
fn alpn(value: &Field<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let mut decoded = Vec::new();
    value.unescape_into(&mut decoded)?;
    let mut item = Vec::new();
    let mut bytes = decoded.into_iter();
    loop {
        let byte = bytes.next();
        match byte {
            Some(b'\\') => match bytes.next() {
                Some(escaped) => item.push(escaped),
                None => return Err(value.fault("the list of protocols ends in a backslash")),
            },
            None | Some(b',') => {
                let count = u8::try_from(item.len()).ok().filter(|&count| count > 0);
                out.push(count.ok_or_else(|| value.fault("a protocol takes from 1 to 255 bytes"))?);
                out.append(&mut item);
                if byte.is_none() {
                    return Ok(());
                }
            }
            Some(byte) => item.push(byte),
        }
    }
}

fn hints<A: std::str::FromStr>(value: &Field<'_>, wanted: &str, mut each: impl FnMut(A)) -> Outcome<()> {
    let mut start = value.start;
    for text in value.bytes.split(|&byte| byte == b',') {
        let address = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        let wrong = || -> Box<Fault> {
            let piece = Field { bytes: text, start, quoted: false, glued: false };
            piece.is_not(format!("one of the {wanted} that belong here"))
        };
        each(address.ok_or_else(wrong)?);
        start += text.len() + 1;
    }
    Ok(())
}

fn is_dohpath(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        text.split('{').skip(1).any(|rest| {
            let variables = rest.split('}').next().unwrap_or_default();
            variables.trim_start_matches(['?', '&', '/', '.', ';', '+', '#']).split(',').any(|name| name == "dns")
        })
    })
}

/// Shows the parameters, each behind a blank; none if they are not as RFC 9460 wants them.
pub fn show(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    let mut least = 0u32;
    let mut required: Vec<u16> = Vec::new();
    let mut keys: Vec<u16> = Vec::new();
    while !cursor.is_empty() {
        let (key, length) = (cursor.u16()?, cursor.u16()?);
        if u32::from(key) < least || key == INVALID {
            return None;
        }
        least = u32::from(key) + 1;
        let mut value = Cursor::new(cursor.take(usize::from(length))?);
        keys.push(key);
        out.push(' ');
        out.push_str(&key_word(key));
        if key == MANDATORY {
            let bytes = value.clone().rest();
            required = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        }
        show_value(key, &mut value, out)?;
    }
    required.iter().all(|key| keys.binary_search(key).is_ok()).then_some(())
}

fn show_value(key: u16, value: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    if matches!(key, NO_DEFAULT_ALPN | OHTTP) || (key > OHTTP && value.is_empty()) {
        return value.is_empty().then_some(());
    }
    if value.is_empty() {
        return None;
    }
    out.push('=');
    match key {
        MANDATORY => {
            let mut least = 1u32;
            list(value, out, |value| {
                let key = value.u16().filter(|&key| u32::from(key) >= least && key != INVALID)?;
                least = u32::from(key) + 1;
                Some(key_word(key))
            })
        }
        ALPN => {
            let mut text = Vec::new();
            while !value.is_empty() {
                let item = value.counted().filter(|item| !item.is_empty())?;
                if !text.is_empty() {
                    text.push(b',');
                }
                for &byte in item {
                    if matches!(byte, b',' | b'\\') {
                        text.push(b'\\');
                    }
                    text.push(byte);
                }
            }
            quoted(&text, out);
            Some(())
        }
        PORT => {
            let port = value.u16().filter(|_| value.is_empty())?;
            out.push_str(&port.to_string());
            Some(())
        }
        IPV4HINT => list(value, out, |value| value.array::<4>().map(|octets| Ipv4Addr::from(octets).to_string())),
        IPV6HINT => list(value, out, |value| value.array::<16>().map(|octets| Ipv6Addr::from(octets).to_string())),
        ECH => {
            base::base64(value.rest(), out);
            Some(())
        }
        _ => {
            let bytes = value.rest();
            quoted(bytes, out);
            (key != DOHPATH || is_dohpath(bytes)).then_some(())
        }
    }
}

fn list(
    value: &mut Cursor<'_>,
    out: &mut String,
    mut item: impl FnMut(&mut Cursor<'_>) -> Option<String>,
) -> Option<()> {
    loop {
        out.push_str(&item(value)?);
        if value.is_empty() {
            return Some(());
        }
        out.push(',');
    }
}
