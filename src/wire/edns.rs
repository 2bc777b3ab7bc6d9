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
}

/// The INFO-CODEs of RFC 8914, 5.2 (and its registry) that are given here.
pub mod extended_error {
    pub const OTHER: u16 = 0;
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
