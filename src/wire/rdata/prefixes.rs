//! APL: lists of address prefixes (RFC 3123).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::cursor::Cursor;
use super::fields::{Field, Fields, Outcome, digits};

const IPV4: u16 = 1;
const IPV6: u16 = 2;
const NEGATED: u8 = 0x80;

pub fn read(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    while let Some(field) = fields.optional() {
        item(&field, out).ok_or_else(|| field.is_not("an address prefix, as 1:192.0.2.0/24 or !2:2001:db8::/32"))?;
    }
    Ok(())
}

fn item(field: &Field<'_>, out: &mut Vec<u8>) -> Option<()> {
    let text = field.text()?;
    let (negated, text) = text.strip_prefix('!').map_or((0, text), |rest| (NEGATED, rest));
    let (family, text) = text.split_once(':')?;
    let (address, length) = text.split_once('/')?;
    let length = digits(length.as_bytes())?;
    let (family, octets, most) = match digits(family.as_bytes())? {
        1 => (IPV4, address.parse::<Ipv4Addr>().ok()?.octets().to_vec(), 32),
        2 => (IPV6, address.parse::<Ipv6Addr>().ok()?.octets().to_vec(), 128),
        _ => return None,
    };
    if length > most {
        return None;
    }
    // RFC 3123, 4: trailing zero bytes are not sent.
    let used = octets.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(&family.to_be_bytes());
    out.extend_from_slice(&[length as u8, negated | used as u8]);
    out.extend_from_slice(&octets[..used]);
    Some(())
}

/// Shows the prefixes, each behind a blank.
pub fn show(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    while !cursor.is_empty() {
        let (family, length, count) = (cursor.u16()?, cursor.u8()?, cursor.u8()?);
        let bytes = cursor.take(usize::from(count & !NEGATED))?;
        if bytes.last() == Some(&0) {
            return None;
        }
        let mut octets = [0u8; 16];
        octets.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let [a, b, c, d, ..] = octets;
        let address = match family {
            IPV4 if bytes.len() <= 4 && length <= 32 => Ipv4Addr::new(a, b, c, d).to_string(),
            IPV6 if length <= 128 => Ipv6Addr::from(octets).to_string(),
            _ => return None,
        };
        let sign = if count & NEGATED == 0 { "" } else { "!" };
        out.push_str(&format!(" {sign}{family}:{address}/{length}"));
    }
    Some(())
}
