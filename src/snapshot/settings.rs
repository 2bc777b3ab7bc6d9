//! The settings an answer depends on: how one profile differs from another, each difference by itself.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::access::Access;
use super::rate_limit::RateLimit;
use super::stand_in::StandIns;
use crate::policy::Unlisted;
use crate::wire::cookie::Secrets;

/// RFC 9715 and the DNS flag day 2020: what fits IPv6's smallest packet with room for its headers.
pub const UDP_PAYLOAD_MODERN: u16 = 1232;

/// What Route 53's servers advertise and send.
pub const UDP_PAYLOAD_ROUTE53: u16 = 4096;

/// An EDNS option's length has 16 bits and shares the reply with the answer; no identity needs more than this.
pub const NSID_MAX: usize = 255;

/// One TXT string (RFC 1035 3.3.14).
pub const CHAOS_TEXT_MAX: usize = 255;

/// Everything besides zones, geography and health that an answer depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A positive answer carries no NS set of its zone in AUTHORITY.
    pub minimal_responses: bool,
    /// NS sets are listed by name in ASCII order, wherever they stand.
    pub sorted_name_servers: bool,
    pub any: Any,
    pub answer_order: AnswerOrder,
    /// What server cookies are made and checked with; none: cookies are neither answered nor asked for.
    pub cookie_secrets: Option<Secrets>,
    /// What an NSID option is answered with; none: it is not. At most `NSID_MAX` bytes.
    pub nsid: Option<Box<[u8]>>,
    /// RFC 8914.
    pub extended_errors: bool,
    /// A REFUSED reply to a query with EDNS carries an OPT record too.
    pub refused_opt: bool,
    /// The largest reply over UDP, and the size our OPT record advertises; at least 512.
    pub udp_payload_max: u16,
    /// The largest reply over UDP to who shows no valid cookie: a forged source makes no more of it.
    pub udp_max_without_cookie: u16,
    pub rate_limit: RateLimit,
    /// Who may ask; none: everybody.
    pub access: Option<Box<Access>>,
    /// The CHAOS text of `version.bind` and `version.server`; none: REFUSED. At most `CHAOS_TEXT_MAX` bytes.
    pub chaos_version: Option<Box<str>>,
    /// The CHAOS text of `hostname.bind` and `id.server`; none: REFUSED. At most `CHAOS_TEXT_MAX` bytes.
    pub chaos_identity: Option<Box<str>>,
    /// From whom an EDNS Client Subnet is believed.
    pub ecs_from: EcsFrom,
    /// The idle timeout told to TCP clients that ask (RFC 7828), in tenths of a second; none: it is not told.
    pub tcp_keepalive: Option<u16>,
    /// The same for clients over TLS.
    pub tls_keepalive: Option<u16>,
    pub geoproximity_formula: GeoproximityFormula,
    /// Who answers a client whose longest CIDR block is in a location without a record.
    pub unlisted_location: Unlisted,
    /// What a lab answers in place of names outside.
    pub stand_ins: Arc<StandIns>,
}

/// What a query for ANY gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Any {
    /// One record set of the name (RFC 8482 4.1).
    Minimal,
    /// Every record set of the name.
    Full,
}

/// In which order the records of one set are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerOrder {
    /// Each reply starts at another record.
    Random,
    /// As the zone lists them.
    Fixed,
}

/// From whom an EDNS Client Subnet is believed; from anybody else it is read, checked and not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EcsFrom {
    Everyone,
    Networks(Vec<IpNet>),
}

impl EcsFrom {
    pub fn believes(&self, source: IpAddr) -> bool {
        match self {
            EcsFrom::Everyone => true,
            EcsFrom::Networks(networks) => networks.iter().any(|network| network.contains(&source)),
        }
    }
}

/// AWS published two formulas for what a bias does to a distance (`docs/differences.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeoproximityFormula {
    Of2026,
    Of2023,
}

impl Settings {
    /// What today's RFCs and operators advise.
    pub fn modern() -> Settings {
        Settings {
            minimal_responses: true,
            sorted_name_servers: false,
            any: Any::Minimal,
            answer_order: AnswerOrder::Random,
            cookie_secrets: None,
            nsid: None,
            extended_errors: true,
            refused_opt: true,
            udp_payload_max: UDP_PAYLOAD_MODERN,
            udp_max_without_cookie: u16::MAX,
            rate_limit: RateLimit::default(),
            access: None,
            chaos_version: Some(concat!("fingerpost ", env!("CARGO_PKG_VERSION")).into()),
            chaos_identity: None,
            ecs_from: EcsFrom::Everyone,
            tcp_keepalive: Some(100),
            tls_keepalive: Some(300),
            geoproximity_formula: GeoproximityFormula::Of2026,
            unlisted_location: Unlisted::ToDefault,
            stand_ins: Arc::default(),
        }
    }

    /// What Route 53's servers were seen to do.
    pub fn route53() -> Settings {
        Settings {
            minimal_responses: false,
            sorted_name_servers: true,
            any: Any::Full,
            extended_errors: false,
            refused_opt: false,
            udp_payload_max: UDP_PAYLOAD_ROUTE53,
            chaos_version: None,
            tcp_keepalive: None,
            tls_keepalive: None,
            ..Settings::modern()
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::modern()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecs_is_believed_from_the_named_networks_only() {
        let some = EcsFrom::Networks(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        for (who, source, believed) in [
            (&EcsFrom::Everyone, "198.51.100.1", true),
            (&some, "192.0.2.1", true),
            (&some, "198.51.100.1", false),
            (&some, "2001:db8::1", true),
            (&some, "::ffff:192.0.2.1", false),
        ] {
            assert_eq!(who.believes(source.parse().unwrap()), believed, "{source}");
        }
    }
}
