//! Addresses with ports, as settings and flags write them: `192.0.2.53:53`, `[::1]:53`, `localhost:53`, `:53`, and each
//! without its port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use toml::de::DeValue;

use super::{Value, Wrong, text, wrong};

/// The port of DNS over UDP and TCP (RFC 1035).
pub const DNS: u16 = 53;
/// The port of DNS over TLS (RFC 7858) and over QUIC (RFC 9250).
pub const DNS_OVER_TLS: u16 = 853;
/// The port of DNS over HTTPS (RFC 8484).
pub const HTTPS: u16 = 443;
/// The usual port of the admin port. Ours.
pub const ADMIN: u16 = 5380;

enum Host {
    /// Every address of this machine.
    Any,
    /// The loopback addresses of both families.
    Localhost,
    One(SocketAddr),
}

fn read(text: &str, port: u16) -> Option<(Host, u16)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((Host::One(address), address.port()));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ip = bare.map_or_else(|| text.parse().ok(), |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6));
    if let Some(ip) = ip {
        return Some((Host::One(SocketAddr::new(ip, port)), port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?),
        None => (text, port),
    };
    match host {
        "" if text.starts_with(':') => Some((Host::Any, port)),
        _ if host.eq_ignore_ascii_case("localhost") => Some((Host::Localhost, port)),
        _ => None,
    }
}

fn both(ipv4: Ipv4Addr, ipv6: Ipv6Addr, port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::new(ipv4.into(), port), SocketAddr::new(ipv6.into(), port)]
}

fn no_address(text: &str) -> String {
    format!("\"{text}\" is not an address and port, like 192.0.2.1:53, [2001:db8::1]:53, localhost:53 or :53")
}

/// The addresses to listen on. Without a port it is `port`.
pub fn listeners(text: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match read(text, port) {
        Some((Host::Any, port)) => Ok(both(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED, port)),
        Some((Host::Localhost, port)) => Ok(both(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST, port)),
        Some((Host::One(address), _)) => Ok(vec![address]),
        None => Err(no_address(text)),
    }
}

/// The addresses of a server to ask. Without a port it is `port`.
pub fn servers(text: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match read(text, port) {
        Some((Host::Any, _)) => Err(format!("\"{text}\" names no server, like 192.0.2.1:53 or localhost:53")),
        _ => listeners(text, port),
    }
}

/// The one address of a server to ask; `localhost` is its IPv4 address.
pub fn server(text: &str, port: u16) -> Result<SocketAddr, String> {
    servers(text, port)?.into_iter().next().ok_or_else(|| no_address(text))
}

/// Whether this is the IPv6 half of a pair, `localhost` or all addresses, whose IPv4 half is there too: a machine without
/// IPv6 goes without.
pub fn has_twin(address: &SocketAddr, all: &[SocketAddr]) -> bool {
    let twin = match address.ip() {
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Ipv4Addr::LOCALHOST,
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv4Addr::UNSPECIFIED,
        _ => return false,
    };
    all.contains(&SocketAddr::new(twin.into(), address.port()))
}

type Read = fn(&str, u16) -> Result<Vec<SocketAddr>, String>;

fn list(value: &Value<'_>, port: u16, read: Read) -> Result<Vec<SocketAddr>, Wrong> {
    let one = |value: &Value<'_>| read(text(value)?, port).map_err(|what| Wrong { span: value.span(), what });
    match value.get_ref() {
        DeValue::Array(items) if items.is_empty() => wrong(value, "there is no address here"),
        DeValue::Array(items) => {
            let mut all = Vec::new();
            for item in items.iter() {
                all.extend(one(item)?);
            }
            Ok(all)
        }
        _ => one(value),
    }
}

/// One address to listen on, or a list.
pub(super) fn listening(value: &Value<'_>, port: u16) -> Result<Vec<SocketAddr>, Wrong> {
    list(value, port, listeners)
}

/// One server to ask, or a list.
pub(super) fn asked(value: &Value<'_>) -> Result<Vec<SocketAddr>, Wrong> {
    list(value, DNS, servers)
}

/// The one address that a table's key names.
pub(super) fn in_key(text: &str, span: Range<usize>) -> Result<SocketAddr, Wrong> {
    match listeners(text, DNS).as_deref() {
        Ok([address]) => Ok(*address),
        Ok(_) => Err(Wrong { span, what: format!("\"{text}\" is more than one address; write a table for each") }),
        Err(what) => Err(Wrong { span, what: what.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(read: Result<Vec<SocketAddr>, String>) -> String {
        match read {
            Ok(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(what) => what,
        }
    }

    #[test]
    fn an_address_may_be_a_word_or_lack_its_port() {
        for (text, expected) in [
            ("127.0.0.1:5300", "127.0.0.1:5300"),
            ("127.0.0.1", "127.0.0.1:53"),
            ("[::1]:5300", "[::1]:5300"),
            ("[::1]", "[::1]:53"),
            ("::1", "[::1]:53"),
            ("localhost", "127.0.0.1:53 [::1]:53"),
            ("LOCALHOST:5300", "127.0.0.1:5300 [::1]:5300"),
            (":5300", "0.0.0.0:5300 [::]:5300"),
        ] {
            assert_eq!(shown(listeners(text, DNS)), expected, "{text}");
        }
        for text in
            ["", ":", "5300", "host:53", "127.0.0.1:", "127.0.0.1:65536", ":+53", "[127.0.0.1]", "[::1", "localhost:"]
        {
            let told = shown(listeners(text, DNS));
            assert!(told.starts_with(&format!("\"{text}\" is not an address and port, like ")), "{text}: {told}");
        }
        assert_eq!(shown(servers("localhost", DNS)), "127.0.0.1:53 [::1]:53");
        assert_eq!(shown(servers(":53", DNS)), "\":53\" names no server, like 192.0.2.1:53 or localhost:53");
    }

    #[test]
    fn the_ipv6_half_of_a_pair_may_be_missing() {
        let all = listeners("localhost:1", DNS).unwrap();
        assert!(!has_twin(&all[0], &all) && has_twin(&all[1], &all) && !has_twin(&all[1], &all[1..]));
        let other = listeners(":2", DNS).unwrap();
        assert!(has_twin(&other[1], &other) && !has_twin(&other[1], &all));
    }
}
