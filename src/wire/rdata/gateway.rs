//! Gateways that are an address or a name, as the type before them says: IPSECKEY (RFC 4025) and AMTRELAY (RFC 8777).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::cursor::Cursor;
use super::fields::{Field, Fields, Outcome};
use super::read::{ipv4, ipv6};
use crate::wire::name::Shown;

const NONE: u8 = 0;
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const NAME: u8 = 3;

/// Bit 0 of AMTRELAY's type byte: discovery is optional.
const DISCOVERY: u8 = 0x80;

pub fn read_ipsec(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    out.push(fields.required("a precedence")?.number(u8::MAX)?);
    let kind = kind(&fields.required("a gateway type")?)?;
    let algorithm: u8 = fields.required("an algorithm")?.number(u8::MAX)?;
    out.extend_from_slice(&[kind, algorithm]);
    let gateway = fields.required("a gateway")?;
    if kind == NONE && gateway.bytes != b"." {
        return Err(gateway.fault("a gateway of type 0 is written as a dot"));
    }
    read(kind, &gateway, fields.origin, out)
}

pub fn read_relay(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    out.push(fields.required("a precedence")?.number(u8::MAX)?);
    let optional: u8 = fields.required("a discovery bit")?.number(1)?;
    let kind = kind(&fields.required("a relay type")?)?;
    out.push(kind | if optional == 1 { DISCOVERY } else { 0 });
    if kind != NONE {
        let relay = fields.required("a relay")?;
        return read(kind, &relay, fields.origin, out);
    }
    // RFC 8777, 4.3.1: a relay of type 0 is written as a dot; some leave it out.
    match fields.peek() {
        Some(relay) if relay.bytes == b"." => drop(fields.optional()),
        Some(relay) => return Err(relay.fault("a relay of type 0 is written as a dot")),
        None => {}
    }
    Ok(())
}

fn kind(field: &Field<'_>) -> Outcome<u8> {
    field.number(NAME).map_err(|_| field.is_not("a gateway type: 0 none, 1 IPv4, 2 IPv6, 3 a name"))
}

fn read(kind: u8, field: &Field<'_>, origin: &[u8], out: &mut Vec<u8>) -> Outcome<()> {
    match kind {
        IPV4 => out.extend_from_slice(&ipv4(field)?.octets()),
        IPV6 => out.extend_from_slice(&ipv6(field)?.octets()),
        NAME => field.name_into(origin, out)?,
        _ => {}
    }
    Ok(())
}

pub fn show_ipsec(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    let (precedence, kind, algorithm) = (cursor.u8()?, cursor.u8()?, cursor.u8()?);
    out.push_str(&format!("{precedence} {kind} {algorithm} {}", show(kind, cursor)?));
    Some(())
}

pub fn show_relay(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    let (precedence, kind) = (cursor.u8()?, cursor.u8()?);
    let optional = u8::from(kind & DISCOVERY != 0);
    let kind = kind & !DISCOVERY;
    out.push_str(&format!("{precedence} {optional} {kind} {}", show(kind, cursor)?));
    Some(())
}

fn show(kind: u8, cursor: &mut Cursor<'_>) -> Option<String> {
    match kind {
        NONE => Some(".".to_string()),
        IPV4 => cursor.array::<4>().map(|octets| Ipv4Addr::from(octets).to_string()),
        IPV6 => cursor.array::<16>().map(|octets| Ipv6Addr::from(octets).to_string()),
        NAME => cursor.name().map(|name| Shown(name).to_string()),
        _ => None,
    }
}
