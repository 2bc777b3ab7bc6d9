//! What came of asking an endpoint once, told in Route 53's words (`route53.md` 3.7.5) where it has some.

use std::fmt;
use std::net::IpAddr;

use http::StatusCode;

/// One probe's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub finding: Finding,
    /// The address that was asked; none where a name led to none.
    pub resolved: Option<IpAddr>,
    pub latency: Latency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A TCP check: somebody accepts connections.
    Connected,
    /// A status; 200 to 399 is healthy, redirects are not followed (3.3.2, 3.3.3).
    Answered(u16),
    /// A good status, and the text is where it should be.
    Matched(u16),
    /// A good status, but the text is not in the first 5,120 bytes.
    NotMatched(u16),
    /// A good status, but its body did not come, or cannot be read.
    NoBody(u16, BodyFailure),
    Failed(Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFailure {
    Timeout,
    Broken,
    Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name leads to no address.
    Resolution(NameFailure),
    ConnectTimeout,
    Refused,
    Unreachable,
    /// The connection could not be made for a reason of this machine's.
    Connect,
    /// The checker's source address is not one of this machine's.
    Source,
    TlsTimeout,
    /// The endpoint sent this alert.
    TlsAlert(u8),
    /// What came is no TLS that we understand.
    Tls,
    /// The certificate has to be valid, and is not.
    Certificate(CertificateFault),
    StatusTimeout,
    /// The connection ended before there was a status.
    Closed,
    HeaderTooLong,
    NotHttp,
    /// The probe itself broke down; the endpoint is not known to be at fault.
    Internal,
}

/// Why a name leads to no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFailure {
    NotAName,
    NoSuchName,
    NoIpv4,
    /// Neither IPv4 nor, where that is wanted, IPv6.
    NoAddress,
    NoAnswer,
    /// This machine says of no resolver.
    NoResolver,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    Expired,
    NotYetValid,
    /// Nobody whom this machine trusts has signed it.
    UnknownIssuer,
    OtherName,
    Revoked,
    /// It is what an authority signs with, and no server's: most self-signed ones are.
    Authority,
    Other,
    /// This machine trusts nobody: it has no root certificates.
    NoRoots,
}

/// How long the phases took, in microseconds; those that were not come to are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// From when the probe was due to when it began. No part of `total`: the endpoint is not at fault.
    pub late: u32,
    pub connect: u32,
    pub tls: u32,
    pub first_byte: u32,
    pub total: u32,
}

impl Finding {
    pub fn is_healthy(self) -> bool {
        match self {
            Finding::Connected | Finding::Matched(_) => true,
            Finding::Answered(status) => (200..400).contains(&status),
            Finding::NotMatched(_) | Finding::NoBody(..) | Finding::Failed(_) => false,
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Finding::Answered(status)
            | Finding::Matched(status)
            | Finding::NotMatched(status)
            | Finding::NoBody(status, _) => Some(status),
            Finding::Connected | Finding::Failed(_) => None,
        }
    }
}

impl Outcome {
    pub fn is_healthy(&self) -> bool {
        self.finding.is_healthy()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_healthy() { "Success: " } else { "Failure: " })?;
        if let Finding::Failed(failure) = self.finding {
            write!(f, "{failure}")?;
            return match (self.resolved, failure) {
                (Some(address), _) => write!(f, " Resolved IP: {address}."),
                (None, _) => Ok(()),
            };
        }
        if let Some(status) = self.finding.status() {
            write!(f, "HTTP Status Code: {status}. ")?;
        }
        if let Some(address) = self.resolved {
            write!(f, "Resolved IP: {address}. ")?;
        }
        f.write_str(match self.finding {
            Finding::Connected => "The connection was established.",
            Finding::NotMatched(_) => "The search string is not in the first 5120 bytes of the response body.",
            Finding::NoBody(_, BodyFailure::Timeout) => "The response body did not arrive within the timeout limit.",
            Finding::NoBody(_, BodyFailure::Broken) => "The connection ended within the response body.",
            Finding::NoBody(_, BodyFailure::Encoding) => "The response body cannot be decoded.",
            Finding::Answered(status) | Finding::Matched(status) => phrase(status),
            Finding::Failed(_) => "",
        })
    }
}

fn phrase(status: u16) -> &'static str {
    let known = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    known.unwrap_or("Unknown status")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Resolution(why) => return write!(f, "DNS resolution failed: {why}."),
            Failure::ConnectTimeout => "The health checker could not establish a connection within the timeout limit.",
            Failure::Refused => "The health checker could not establish a connection: it was refused.",
            Failure::Unreachable => "The health checker could not establish a connection: the address is unreachable.",
            Failure::Connect => "The health checker could not establish a connection.",
            Failure::Source => "The health checker's source address is not one of this machine's.",
            Failure::TlsTimeout => "The SSL handshake did not finish within the timeout limit.",
            Failure::TlsAlert(alert) => return write!(f, "SSL alert {}.", Alert(*alert)),
            Failure::Tls => "The SSL handshake failed.",
            Failure::Certificate(fault) => return write!(f, "The SSL certificate is not valid: {fault}."),
            Failure::StatusTimeout => "The endpoint did not return an HTTP status code within the timeout limit.",
            Failure::Closed => "The connection ended before an HTTP status code arrived.",
            Failure::HeaderTooLong => "The HTTP response headers are longer than 16384 bytes.",
            Failure::NotHttp => "The endpoint did not return a valid HTTP response.",
            Failure::Internal => "The health checker could not do its work.",
        })
    }
}

impl fmt::Display for NameFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameFailure::NotAName => "this is no domain name",
            NameFailure::NoSuchName => "there is no such name",
            NameFailure::NoIpv4 => "the name has no IPv4 address",
            NameFailure::NoAddress => "the name has no address",
            NameFailure::NoAnswer => "no resolver gave an answer",
            NameFailure::NoResolver => "this machine names no resolver",
        })
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CertificateFault::Expired => "it has expired",
            CertificateFault::NotYetValid => "its time has not begun",
            CertificateFault::UnknownIssuer => "nobody trusted by this machine has signed it",
            CertificateFault::OtherName => "it is for another name",
            CertificateFault::Revoked => "it is revoked",
            CertificateFault::Authority => "it is an authority's own, as many self-signed ones are, and no server's",
            CertificateFault::Other => "it is not a server's certificate in order",
            CertificateFault::NoRoots => "this machine has no root certificates to trust",
        })
    }
}

/// A TLS alert under its name in RFC 8446, 6.
struct Alert(u8);

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            10 => "unexpected_message",
            20 => "bad_record_mac",
            40 => "handshake_failure",
            42 => "bad_certificate",
            47 => "illegal_parameter",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            90 => "user_canceled",
            109 => "missing_extension",
            112 => "unrecognized_name",
            116 => "certificate_required",
            120 => "no_application_protocol",
            other => return write!(f, "{other}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// route53.md 3.7.5.
    #[test]
    fn rule_3_7_5_outcomes_in_route_53s_words() {
        let here: Option<IpAddr> = Some([192, 0, 2, 2].into());
        for (finding, resolved, words) in [
            (Finding::Answered(200), here, "Success: HTTP Status Code: 200. Resolved IP: 192.0.2.2. OK"),
            (Finding::Answered(301), here, "Success: HTTP Status Code: 301. Resolved IP: 192.0.2.2. Moved Permanently"),
            (Finding::Matched(399), here, "Success: HTTP Status Code: 399. Resolved IP: 192.0.2.2. Unknown status"),
            (
                Finding::Answered(503),
                here,
                "Failure: HTTP Status Code: 503. Resolved IP: 192.0.2.2. Service Unavailable",
            ),
            (
                Finding::Failed(Failure::ConnectTimeout),
                None,
                "Failure: The health checker could not establish a connection within the timeout limit.",
            ),
            (Finding::Failed(Failure::TlsAlert(40)), None, "Failure: SSL alert handshake_failure."),
            (
                Finding::Failed(Failure::Resolution(NameFailure::NoSuchName)),
                None,
                "Failure: DNS resolution failed: there is no such name.",
            ),
            (
                Finding::Failed(Failure::Certificate(CertificateFault::Expired)),
                here,
                "Failure: The SSL certificate is not valid: it has expired. Resolved IP: 192.0.2.2.",
            ),
            (Finding::Connected, here, "Success: Resolved IP: 192.0.2.2. The connection was established."),
        ] {
            assert_eq!(Outcome { finding, resolved, latency: Latency::default() }.to_string(), words);
        }
    }

    /// route53.md 3.3.2 and 3.3.3.
    #[test]
    fn rules_3_3_2_and_3_3_3_200_to_399_is_healthy() {
        for (status, healthy) in [(199, false), (200, true), (301, true), (399, true), (400, false), (999, false)] {
            assert_eq!(Finding::Answered(status).is_healthy(), healthy, "{status}");
        }
    }
}
