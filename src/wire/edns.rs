//! EDNS (RFC 6891): what a query's OPT record says, and the OPT record of a reply.
//!
//! | option in a query        | read as                                                          | FORMERR when                       |
//! |--------------------------|------------------------------------------------------------------|------------------------------------|
//! | COOKIE (RFC 7873)        | client cookie, or both cookies; the first one counts             | not 8 or 16 to 40 bytes            |
//! | client subnet (RFC 7871) | network of IPv4 or IPv6, or none (family 0); the first one counts | see [`ClientSubnet`]               |
//! | NSID (RFC 5001)          | wanted; a value is forgiven                                      | –                                  |
//! | keepalive (RFC 7828)     | wanted                                                           | it has a value, which only servers send |
//! | padding (RFC 7830)       | wanted                                                           | –                                  |
//! | any other                | ignored (RFC 6891, 6.1.2)                                        | –                                  |
//!
//! An option that runs over the end of the record is FORMERR.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rtype::Type;

/// RFC 6891, 6.2.3: a smaller size in an OPT counts as this.
pub const UDP_SIZE_MIN: u16 = 512;

const NSID: u16 = 3;
const CLIENT_SUBNET: u16 = 8;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
const PADDING: u16 = 12;
const EXTENDED_ERROR: u16 = 15;

/// RFC 6891, 6.1.4: the DO bit, in the upper byte of the flags.
const DNSSEC_OK: u8 = 0x80;

/// What the OPT record of a query says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edns {
    /// What the client can take in one datagram, at least [`UDP_SIZE_MIN`].
    pub udp_size: u16,
    /// Above 0, the options were not read.
    pub version: u8,
    pub dnssec_ok: bool,
    pub cookie: Cookie,
    pub nsid: bool,
    pub client_subnet: Option<ClientSubnet>,
    /// Means something over TCP only.
    pub keepalive: bool,
    pub padding: bool,
}

/// RFC 7873, 4: the client's cookie, with the server's if it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cookie {
    None,
    Client([u8; 8]),
    Both {
        client: [u8; 8],
        server: [u8; 32],
        server_length: u8,
    },
    /// Of a length that no cookie has; the query is FORMERR.
    Malformed,
}

/// The network a query was asked from (RFC 7871).
///
/// As RFC 7871, 6 and 7.2.1 ask, it is FORMERR unless the scope is 0, the source prefix no longer than the family's
/// addresses, the address no longer and no shorter than the prefix needs, and every bit behind the prefix 0. A family
/// other than IPv4 (1) and IPv6 (2) can't be checked, and is FORMERR as BIND has it, but for family 0 with nothing in it:
/// that is how `dig +subnet=0` says "don't tell".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientSubnet {
    /// The network's first address.
    pub address: IpAddr,
    /// How many bits of it the client gave.
    pub source: u8,
    pub family: u16,
}

impl Edns {
    /// The fixed part: an OPT's class and TTL.
    #[inline]
    pub fn new(class: u16, ttl: [u8; 4]) -> Edns {
        let [_extended_rcode, version, flags, _] = ttl;
        Edns {
            udp_size: class.max(UDP_SIZE_MIN),
            version,
            dnssec_ok: flags & DNSSEC_OK != 0,
            cookie: Cookie::None,
            nsid: false,
            client_subnet: None,
            keepalive: false,
            padding: false,
        }
    }

    /// Reads the options. Returns false at the first that is malformed.
    #[inline]
    pub fn read_options(&mut self, mut rest: &[u8]) -> bool {
        while !rest.is_empty() {
            let Some((&[code_high, code_low, length_high, length_low], after)) = rest.split_first_chunk() else {
                return false;
            };
            let length = usize::from(u16::from_be_bytes([length_high, length_low]));
            let Some((value, after)) = after.split_at_checked(length) else { return false };
            rest = after;
            match u16::from_be_bytes([code_high, code_low]) {
                COOKIE if self.cookie == Cookie::None => {
                    self.cookie = Cookie::read(value);
                    if self.cookie == Cookie::Malformed {
                        return false;
                    }
                }
                CLIENT_SUBNET if self.client_subnet.is_none() => match ClientSubnet::read(value) {
                    None => return false,
                    subnet => self.client_subnet = subnet,
                },
                NSID => self.nsid = true,
                KEEPALIVE if !value.is_empty() => return false,
                KEEPALIVE => self.keepalive = true,
                PADDING => self.padding = true,
                _ => {}
            }
        }
        true
    }
}

impl Cookie {
    /// RFC 7873, 5.2.2: 8 bytes, or 8 and 8 to 32.
    fn read(value: &[u8]) -> Cookie {
        let Some((&client, rest)) = value.split_first_chunk::<8>() else { return Cookie::Malformed };
        match rest.len() {
            0 => Cookie::Client(client),
            length @ 8..=32 => {
                let mut server = [0; 32];
                server[..length].copy_from_slice(rest);
                Cookie::Both { client, server, server_length: length as u8 }
            }
            _ => Cookie::Malformed,
        }
    }
}

impl ClientSubnet {
    fn read(value: &[u8]) -> Option<ClientSubnet> {
        let (&[family_high, family_low, source, scope], bits) = value.split_first_chunk()?;
        let family = u16::from_be_bytes([family_high, family_low]);
        let longest = match family {
            0 => 0,
            1 => 32,
            2 => 128,
            _ => return None,
        };
        if scope != 0 || source > longest || bits.len() != usize::from(source).div_ceil(8) {
            return None;
        }
        // The mask is empty when the prefix ends at a byte's end.
        if bits.last().is_some_and(|last| u16::from(*last) & (0xff >> ((source - 1) % 8 + 1)) != 0) {
            return None;
        }
        let mut octets = [0; 16];
        octets.get_mut(..bits.len())?.copy_from_slice(bits);
        let [a, b, c, d, ..] = octets;
        let address = match family {
            2 => IpAddr::V6(Ipv6Addr::from(octets)),
            _ => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        };
        Some(ClientSubnet { address, source, family })
    }

    /// How many bytes of the address go into the option.
    fn bytes(&self) -> usize {
        usize::from(self.source).div_ceil(8).min(if self.address.is_ipv4() { 4 } else { 16 })
    }
}

/// The INFO-CODEs of RFC 8914, 5.2 (and its registry) that are given here.
pub mod extended_error {
    pub const OTHER: u16 = 0;
    pub const STALE_ANSWER: u16 = 3;
    pub const NOT_READY: u16 = 14;
    pub const BLOCKED: u16 = 15;
    pub const PROHIBITED: u16 = 18;
    pub const NOT_AUTHORITATIVE: u16 = 20;
    pub const NOT_SUPPORTED: u16 = 21;
    pub const NETWORK_ERROR: u16 = 23;
    pub const INVALID_DATA: u16 = 24;
    /// RFC 9824, 3.5.
    pub const INVALID_QUERY_TYPE: u16 = 30;
}

/// The OPT record of a reply. The default is one that says nothing.
#[derive(Clone, Copy, Default, Debug)]
pub struct ReplyOpt<'a> {
    pub udp_size: u16,
    /// The upper eight bits of the response code.
    pub extended_rcode: u8,
    pub dnssec_ok: bool,
    pub cookie: Option<[u8; 24]>,
    pub nsid: Option<&'a [u8]>,
    /// The query's network as it came, and how many bits of it the answer depends on.
    pub client_subnet: Option<(ClientSubnet, u8)>,
    /// RFC 7828: how long an idle connection may stay, in units of 100 ms.
    pub keepalive: Option<u16>,
    /// RFC 8914: an INFO-CODE and a text for people.
    pub extended_error: Option<(u16, &'a str)>,
    /// The length that the record is padded to (RFC 7830), as far as that is possible; see [`ReplyOpt::pad`].
    pub padding_to: Option<usize>,
}

/// RFC 6891, 6.1.2: an OPT without options: root, type, size, flags, length.
const BARE: usize = 11;
/// An option's code and length.
const OPTION: usize = 4;

// No record is empty.
#[allow(clippy::len_without_is_empty)]
impl ReplyOpt<'_> {
    /// The bytes that [`ReplyOpt::write`] takes.
    #[inline]
    pub fn len(&self) -> usize {
        let bare = self.unpadded();
        match self.padding_to {
            None => bare,
            Some(length) => length.max(bare + OPTION),
        }
    }

    /// Has the record padded so that a message, of `at` bytes so far, ends at a multiple of `block` (RFC 8467, 4.1), or
    /// at `limit` if that comes first.
    pub fn pad(&mut self, at: usize, block: usize, limit: usize) {
        let least = at + self.unpadded() + OPTION;
        if least <= limit {
            self.padding_to = Some(least.next_multiple_of(block.max(1)).min(limit) - at);
        }
    }

    fn unpadded(&self) -> usize {
        BARE + self.cookie.map_or(0, |cookie| OPTION + cookie.len())
            + self.nsid.map_or(0, |nsid| OPTION + nsid.len())
            + self.client_subnet.map_or(0, |(subnet, _)| OPTION + 4 + subnet.bytes())
            + self.keepalive.map_or(0, |_| OPTION + 2)
            + self.extended_error.map_or(0, |(_, text)| OPTION + 2 + text.len())
    }

    /// Writes the record at `at`, and returns where it ends. That it fits, the caller has seen to with [`ReplyOpt::len`];
    /// where it doesn't, nothing is written.
    #[inline]
    pub fn write(&self, out: &mut [u8], at: usize) -> usize {
        let length = self.len();
        let Some(record) = at.checked_add(length).and_then(|end| out.get_mut(at..end)) else { return at };
        let mut to = Writer { rest: record };
        let [size_high, size_low] = self.udp_size.to_be_bytes();
        let [data_high, data_low] = ((length - BARE) as u16).to_be_bytes();
        let [type_high, type_low] = Type::OPT.0.to_be_bytes();
        let flags = if self.dnssec_ok { DNSSEC_OK } else { 0 };
        to.put(&[0, type_high, type_low, size_high, size_low, self.extended_rcode, 0, flags, 0, data_high, data_low]);
        if let Some(cookie) = self.cookie {
            to.option(COOKIE, cookie.len());
            to.put(&cookie);
        }
        if let Some(nsid) = self.nsid {
            to.option(NSID, nsid.len());
            to.put(nsid);
        }
        if let Some((subnet, scope)) = self.client_subnet {
            to.option(CLIENT_SUBNET, 4 + subnet.bytes());
            to.put(&subnet.family.to_be_bytes());
            to.put(&[subnet.source, scope]);
            match subnet.address {
                IpAddr::V4(address) => to.put(address.octets().get(..subnet.bytes()).unwrap_or_default()),
                IpAddr::V6(address) => to.put(address.octets().get(..subnet.bytes()).unwrap_or_default()),
            }
        }
        if let Some(timeout) = self.keepalive {
            to.option(KEEPALIVE, 2);
            to.put(&timeout.to_be_bytes());
        }
        if let Some((code, text)) = self.extended_error {
            to.option(EXTENDED_ERROR, 2 + text.len());
            to.put(&code.to_be_bytes());
            to.put(text.as_bytes());
        }
        if self.padding_to.is_some() {
            let zeros = to.rest.len().saturating_sub(OPTION);
            to.option(PADDING, zeros);
            to.rest.fill(0);
        }
        at + length
    }
}

/// Fills a record of the right length from the front.
struct Writer<'a> {
    rest: &'a mut [u8],
}

impl Writer<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if let Some((to, rest)) = std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            to.copy_from_slice(bytes);
            self.rest = rest;
        }
    }

    #[inline]
    fn option(&mut self, code: u16, length: usize) {
        self.put(&code.to_be_bytes());
        self.put(&(length as u16).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::query::tests::bytes;
    use hickory_proto::op::Message;
    use hickory_proto::rr::rdata::opt::EdnsOption;

    fn read(options: &str) -> Option<Edns> {
        let mut edns = Edns::new(1232, [0, 0, 0, 0]);
        edns.read_options(&bytes(options)).then_some(edns)
    }

    fn subnet(address: &str, source: u8, family: u16) -> Option<ClientSubnet> {
        Some(ClientSubnet { address: address.parse().unwrap(), source, family })
    }

    #[test]
    fn the_fixed_part() {
        for (what, class, ttl, expected) in [
            ("RFC 6891 6.2.3: 0 counts as 512", 0, [0, 0, 0, 0], (512, 0, false)),
            ("RFC 6891 6.2.3: 511 counts as 512", 511, [0, 0, 0, 0], (512, 0, false)),
            ("513 bytes", 513, [0, 0, 0, 0], (513, 0, false)),
            ("65535 bytes", 65535, [0, 0, 0, 0], (65535, 0, false)),
            ("RFC 3225 3: DO", 512, [0, 0, 0x80, 0], (512, 0, true)),
            ("RFC 6891 6.1.4: all flags but DO", 512, [0, 0, 0x7f, 0xff], (512, 0, false)),
            ("the version, and an extended code", 512, [9, 7, 0, 0], (512, 7, false)),
        ] {
            let edns = Edns::new(class, ttl);
            assert_eq!((edns.udp_size, edns.version, edns.dnssec_ok), expected, "{what}");
        }
    }

    #[test]
    fn options_that_are_well_formed() {
        let plain = read("").unwrap();
        let client = Cookie::Client([1, 2, 3, 4, 5, 6, 7, 8]);
        let mut server = [0; 32];
        server[..9].fill(0xee);
        let both = Cookie::Both { client: [1, 2, 3, 4, 5, 6, 7, 8], server, server_length: 9 };
        let longest = Cookie::Both { client: [9; 8], server: [9; 32], server_length: 32 };
        for (what, options, expected) in [
            ("none", "".to_string(), plain.clone()),
            ("RFC 6891 6.1.2: unknown ones", "fde9 0003 aabbcc ffff 0000 0000 0000".into(), plain.clone()),
            (
                "RFC 7873 4: a client cookie",
                "000a 0008 0102030405060708".into(),
                Edns { cookie: client, ..plain.clone() },
            ),
            (
                "RFC 7873 4: both cookies",
                "000a 0011 0102030405060708 eeeeeeeeeeeeeeeeee".into(),
                Edns { cookie: both, ..plain.clone() },
            ),
            (
                "RFC 7873 4: the longest cookie",
                format!("000a 0028 {}", "09".repeat(40)),
                Edns { cookie: longest, ..plain.clone() },
            ),
            (
                "two cookies: the first counts",
                format!("000a 0008 0102030405060708 000a 0028 {}", "09".repeat(40)),
                Edns { cookie: client, ..plain.clone() },
            ),
            ("RFC 5001: NSID", "0003 0000".into(), Edns { nsid: true, ..plain.clone() }),
            ("NSID with a value", "0003 0002 'ab".into(), Edns { nsid: true, ..plain.clone() }),
            ("RFC 7828 3.2.1: keepalive", "000b 0000".into(), Edns { keepalive: true, ..plain.clone() }),
            ("RFC 7830: padding", "000c 0004 00000000".into(), Edns { padding: true, ..plain.clone() }),
            (
                "RFC 7871: IPv4 /24",
                "0008 0007 0001 18 00 c00002".into(),
                Edns { client_subnet: subnet("192.0.2.0", 24, 1), ..plain.clone() },
            ),
            (
                "RFC 7871: IPv4 /32",
                "0008 0008 0001 20 00 c0000201".into(),
                Edns { client_subnet: subnet("192.0.2.1", 32, 1), ..plain.clone() },
            ),
            (
                "RFC 7871: IPv4 /9",
                "0008 0006 0001 09 00 0a80".into(),
                Edns { client_subnet: subnet("10.128.0.0", 9, 1), ..plain.clone() },
            ),
            (
                "RFC 7871 7.1.2: IPv4 /0, no address",
                "0008 0004 0001 00 00".into(),
                Edns { client_subnet: subnet("0.0.0.0", 0, 1), ..plain.clone() },
            ),
            (
                "RFC 7871: IPv6 /56",
                "0008 000b 0002 38 00 20010db8000001".into(),
                Edns { client_subnet: subnet("2001:db8:0:100::", 56, 2), ..plain.clone() },
            ),
            (
                "RFC 7871: IPv6 /128",
                "0008 0014 0002 80 00 20010db8000000000000000000000001".into(),
                Edns { client_subnet: subnet("2001:db8::1", 128, 2), ..plain.clone() },
            ),
            (
                "RFC 7871 7.1.2: IPv6 /0",
                "0008 0004 0002 00 00".into(),
                Edns { client_subnet: subnet("::", 0, 2), ..plain.clone() },
            ),
            (
                "dig +subnet=0: family 0, nothing in it",
                "0008 0004 0000 00 00".into(),
                Edns { client_subnet: subnet("0.0.0.0", 0, 0), ..plain.clone() },
            ),
            (
                "two networks: the first counts",
                "0008 0005 0001 08 00 0a 0008 0005 0001 08 00 0b".into(),
                Edns { client_subnet: subnet("10.0.0.0", 8, 1), ..plain.clone() },
            ),
            (
                "several kinds",
                "0003 0000 000a 0008 0102030405060708 000b 0000".into(),
                Edns { nsid: true, cookie: client, keepalive: true, ..plain.clone() },
            ),
        ] {
            assert_eq!(read(&options), Some(expected), "{what}");
        }
    }

    #[test]
    fn options_that_are_malformed() {
        for (what, options) in [
            ("half an option code", "00".to_string()),
            ("no length", "000a 00".into()),
            ("an option beyond the record", "fde9 0003 aabb".into()),
            ("a second option beyond the record", "fde9 0001 aa 0003 0001".into()),
            ("RFC 7873 5.2.2: an empty cookie", "000a 0000".into()),
            ("RFC 7873 5.2.2: 7 bytes", format!("000a 0007 {}", "01".repeat(7))),
            ("RFC 7873 5.2.2: 9 bytes", format!("000a 0009 {}", "01".repeat(9))),
            ("RFC 7873 5.2.2: 15 bytes", format!("000a 000f {}", "01".repeat(15))),
            ("RFC 7873 5.2.2: 41 bytes", format!("000a 0029 {}", "01".repeat(41))),
            ("RFC 7828 3.2.1: keepalive with a value", "000b 0002 0064".into()),
            ("RFC 7871 6: a network cut short", "0008 0003 0001 00".into()),
            ("RFC 7871 6: a scope in a query", "0008 0007 0001 18 18 c00002".into()),
            ("RFC 7871 6: IPv4 /33", "0008 0009 0001 21 00 c000020100".into()),
            ("RFC 7871 6: IPv6 /129", "0008 0015 0002 81 00 20010db800000000000000000000000100".into()),
            ("RFC 7871 6: too few bytes", "0008 0006 0001 18 00 c000".into()),
            ("RFC 7871 6: too many bytes", "0008 0008 0001 18 00 c0000200".into()),
            ("RFC 7871 6: bits behind the prefix", "0008 0007 0001 17 00 c00003".into()),
            ("RFC 7871 6: a bit behind an IPv6 prefix", "0008 0005 0002 07 00 21".into()),
            ("a family nobody knows", "0008 0004 0003 00 00".into()),
            ("family 0 with an address", "0008 0005 0000 08 00 0a".into()),
        ] {
            assert_eq!(read(&options), None, "{what}");
        }
    }

    #[test]
    fn the_record_of_a_reply_byte_by_byte() {
        let v4 = ClientSubnet { address: "10.128.0.0".parse().unwrap(), source: 9, family: 1 };
        let v6 = ClientSubnet { address: "2001:db8::".parse().unwrap(), source: 32, family: 2 };
        let nobody = ClientSubnet { address: "0.0.0.0".parse().unwrap(), source: 0, family: 0 };
        let bare = ReplyOpt { udp_size: 1232, ..ReplyOpt::default() };
        for (what, opt, expected) in [
            ("bare", bare, "00 0029 04d0 00 00 0000 0000"),
            (
                "DO, and BADVERS",
                ReplyOpt { dnssec_ok: true, extended_rcode: 1, ..bare },
                "00 0029 04d0 01 00 8000 0000",
            ),
            (
                "a cookie",
                ReplyOpt { cookie: Some([7; 24]), ..bare },
                "00 0029 04d0 00000000 001c 000a 0018 070707070707070707070707070707070707070707070707",
            ),
            ("NSID", ReplyOpt { nsid: Some(b"ns1"), ..bare }, "00 0029 04d0 00000000 0007 0003 0003 'ns1"),
            (
                "an IPv4 network",
                ReplyOpt { client_subnet: Some((v4, 16)), ..bare },
                "00 0029 04d0 00000000 000a 0008 0006 0001 09 10 0a80",
            ),
            (
                "an IPv6 network",
                ReplyOpt { client_subnet: Some((v6, 0)), ..bare },
                "00 0029 04d0 00000000 000c 0008 0008 0002 20 00 20010db8",
            ),
            (
                "no network",
                ReplyOpt { client_subnet: Some((nobody, 0)), ..bare },
                "00 0029 04d0 00000000 0008 0008 0004 0000 00 00",
            ),
            ("keepalive", ReplyOpt { keepalive: Some(300), ..bare }, "00 0029 04d0 00000000 0006 000b 0002 012c"),
            (
                "an extended error",
                ReplyOpt { extended_error: Some((18, "no")), ..bare },
                "00 0029 04d0 00000000 0008 000f 0004 0012 'no",
            ),
            ("padding", ReplyOpt { padding_to: Some(20), ..bare }, "00 0029 04d0 00000000 0009 000c 0005 0000000000"),
            (
                "padding that is too short",
                ReplyOpt { padding_to: Some(12), ..bare },
                "00 0029 04d0 00000000 0004 000c 0000",
            ),
        ] {
            let expected = bytes(expected);
            let mut out = [0xaa; 64];
            assert_eq!(opt.len(), expected.len(), "{what}");
            assert_eq!(opt.write(&mut out, 3), 3 + expected.len(), "{what}");
            assert_eq!(out[3..3 + expected.len()], expected, "{what}");
            assert!(
                out[..3].iter().chain(&out[3 + expected.len()..]).all(|byte| *byte == 0xaa),
                "{what}: wrote elsewhere"
            );
            assert_eq!(opt.write(&mut out[..2 + expected.len()], 3), 3, "{what}: no room");
        }
    }

    #[test]
    fn messages_are_padded_to_whole_blocks() {
        for (at, block, limit, expected) in [
            (100, 468, 1232, 468),
            (457, 468, 1232, 936),
            (453, 468, 1232, 468),
            (454, 468, 1232, 936),
            (1000, 468, 1232, 1232),
            (1230, 468, 1232, 1241),
            (100, 0, 1232, 115),
        ] {
            let mut opt = ReplyOpt { udp_size: 1232, ..ReplyOpt::default() };
            opt.pad(at, block, limit);
            assert_eq!(at + opt.len(), expected, "{at} to {block}");
        }
    }

    #[test]
    fn hickory_reads_the_record_of_a_reply() {
        let network = ClientSubnet { address: "2001:db8:80::".parse().unwrap(), source: 41, family: 2 };
        let mut opt = ReplyOpt {
            udp_size: 1400,
            extended_rcode: 1,
            dnssec_ok: true,
            cookie: Some([5; 24]),
            nsid: Some(b"here"),
            client_subnet: Some((network, 48)),
            keepalive: Some(20),
            extended_error: Some((extended_error::OTHER, "why")),
            padding_to: None,
        };
        let mut packet = bytes("0001 8000 0000 0000 0000 0001");
        opt.pad(packet.len(), 128, 512);
        packet.resize(512, 0);
        let end = opt.write(&mut packet, 12);
        assert_eq!(end, 128);
        let message = Message::from_vec(&packet[..end]).unwrap();
        assert_eq!(u16::from(message.metadata.response_code), 16);
        let edns = message.edns.unwrap();
        assert_eq!((edns.max_payload(), edns.version(), edns.flags().dnssec_ok), (1400, 0, true));
        let codes: Vec<u16> = edns.options().as_ref().iter().map(|(code, _)| u16::from(*code)).collect();
        assert_eq!(codes, [10, 3, 8, 11, 15, 12]);
        let Some(EdnsOption::Subnet(subnet)) = edns.option(8.into()) else { panic!("no network") };
        assert_eq!((subnet.addr(), subnet.source_prefix(), subnet.scope_prefix()), (network.address, 41, 48));
    }
}
