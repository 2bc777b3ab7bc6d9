//! The PROXY protocol, version 2: what a proxy says ahead of a client's bytes, so that the client is not forgotten.
//!
//! | command, family                    | the client is                       |
//! |------------------------------------|-------------------------------------|
//! | LOCAL                              | the proxy itself, which only checks |
//! | PROXY, IPv4 or IPv6                | whom the header names               |
//! | PROXY, unspecified or Unix sockets | not told: the proxy, then           |
//!
//! Whether the client's bytes came by stream or datagram is not held against anybody: a proxy may have changed it.
//! Anything else is no header. "The PROXY protocol", section 2.2 (HAProxy, revision of 2020).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, and the length of what follows.
pub const HEAD: usize = 16;

/// The longest header that is read. Addresses take 36 bytes; the rest are notes, which are passed over. Ours.
pub const LENGTH_MAX: usize = 2048;

const VERSION: u8 = 2;
const LOCAL: u8 = 0;
const PROXY: u8 = 1;

/// Where whose address begins after the head: two addresses and two ports.
const IPV4_LENGTH: usize = 12;
const IPV6_LENGTH: usize = 36;
const UNIX_LENGTH: usize = 216;

/// A header that was understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Whom it names, if anybody.
    pub client: Option<IpAddr>,
    /// Its bytes; what the client said begins behind them.
    pub length: usize,
}

/// How long the header is that begins so; none if it is none, or too long.
pub fn length(head: &[u8; HEAD]) -> Option<usize> {
    let [.., version_and_command, family, high, low] = *head;
    let length = HEAD + usize::from(u16::from_be_bytes([high, low]));
    let known = head.starts_with(&SIGNATURE)
        && version_and_command >> 4 == VERSION
        && matches!(version_and_command & 15, LOCAL | PROXY)
        && family >> 4 <= 3
        && family & 15 <= 2;
    (known && length <= LENGTH_MAX).then_some(length)
}

/// Reads the header that the bytes begin with.
pub fn read(bytes: &[u8]) -> Option<Header> {
    let head: &[u8; HEAD] = bytes.first_chunk()?;
    let length = length(head)?;
    let rest = bytes.get(HEAD..length)?;
    let header = |client| Some(Header { client, length });
    if head[12] & 15 == LOCAL {
        return header(None);
    }
    // A family without a protocol, or the other way round, names nobody.
    if head[13] & 15 == 0 {
        return header(None);
    }
    match head[13] >> 4 {
        1 if rest.len() >= IPV4_LENGTH => header(Some(Ipv4Addr::from(*rest.first_chunk::<4>()?).into())),
        // An IPv4 client of a proxy that knows only IPv6 is an IPv4 client.
        2 if rest.len() >= IPV6_LENGTH => {
            header(Some(IpAddr::from(Ipv6Addr::from(*rest.first_chunk::<16>()?)).to_canonical()))
        }
        0 => header(None),
        3 if rest.len() >= UNIX_LENGTH => header(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::query::tests::bytes;

    const MAGIC: &str = "0d0a0d0a 00 0d0a 'QUIT 0a";

    fn client(text: &str) -> Option<Option<IpAddr>> {
        Some(Some(text.parse().unwrap()))
    }

    #[test]
    fn who_is_named() {
        let v4 = "000c c0000201 c6336402 1234 0035";
        let v6 = format!("0024 20010db8{}01 20010db8{}02 1234 0035", "00".repeat(11), "00".repeat(11));
        for (what, text, expected) in [
            ("TCP over IPv4", format!("21 11 {v4}"), client("192.0.2.1")),
            ("UDP over IPv4", format!("21 12 {v4}"), client("192.0.2.1")),
            ("TCP over IPv6", format!("21 21 {v6}"), client("2001:db8::1")),
            ("with a note behind", "21 11 0010 c0000201 c6336402 1234 0035 04 0001 00".into(), client("192.0.2.1")),
            (
                "IPv4 in IPv6",
                format!("21 22 0024 {}ffff c0000201 {} 1234 0035", "00".repeat(10), "00".repeat(16)),
                client("192.0.2.1"),
            ),
            ("LOCAL", format!("20 11 {v4}"), Some(None)),
            ("LOCAL, nothing said", "20 00 0000".into(), Some(None)),
            ("PROXY, nobody", "21 00 0000".into(), Some(None)),
            ("Unix sockets", format!("21 31 00d8 {}", "00".repeat(216)), Some(None)),
            ("Unix sockets, too short", "21 31 0001 00".into(), None),
            ("IPv4, too short", "21 11 000b c0000201 c6336402 1234 00".into(), None),
            ("IPv6, too short", format!("21 21 {v4}"), None),
            ("less than it says", "21 11 000d c0000201 c6336402 1234 0035".into(), None),
            ("version 1", format!("11 11 {v4}"), None),
            ("version 3", format!("31 11 {v4}"), None),
            ("an unknown command", format!("22 11 {v4}"), None),
            ("an unknown family", format!("21 41 {v4}"), None),
            ("an unknown protocol", format!("21 13 {v4}"), None),
            ("too long", format!("21 11 07f1 {}", "00".repeat(2033)), None),
        ] {
            let read = read(&bytes(&format!("{MAGIC} {text}")));
            assert_eq!(read.map(|header| header.client), expected, "{what}");
        }
        assert_eq!(read(b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), None, "version 1, in text");
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn what_the_client_said_begins_behind_it() {
        let packet = bytes(&format!("{MAGIC} 21 11 000f c0000201 c6336402 1234 0035 04 0000 'hello"));
        let header = read(&packet).unwrap();
        assert_eq!(&packet[header.length..], b"hello");
    }
}
