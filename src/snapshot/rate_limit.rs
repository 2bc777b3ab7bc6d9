//! How many like replies a client's network may have in a second: the settings of response rate limiting.

use std::net::IpAddr;

use ipnet::IpNet;

/// What counts together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Records of one name and type; of a wildcard, whatever name it stood in for.
    Answer,
    /// Servers of one delegation.
    Referral,
    /// A name that has no records of the type.
    NoData,
    /// A name that one zone doesn't have, whichever it is.
    NoName,
    /// REFUSED, FORMERR, SERVFAIL and their like, whatever was asked.
    Error,
    /// All of them.
    All,
}

/// How many kinds there are.
pub const KINDS: usize = 6;

/// Settings allow no more replies in a second, so that what a bucket counts fits.
pub const PER_SECOND_MAX: u16 = 10_000;

/// Settings allow no longer windows, in seconds, for the same reason.
pub const WINDOW_MAX: u16 = 600;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub mode: Mode,
    /// By `Kind`; 0 is no limit.
    pub per_second: [u16; KINDS],
    /// Seconds of debt a client can run into: so long it has to keep still after a flood.
    pub window: u16,
    /// One in so many replies over the limit is sent cut, so that a real client comes again over TCP; 0: none.
    pub slip: u16,
    /// One in so many is sent whole; 0: none.
    pub leak: u16,
    /// Clients count by networks of so many bits.
    pub ipv4_prefix: u8,
    pub ipv6_prefix: u8,
    pub exempt: Vec<IpNet>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Off,
    /// Everything is counted and sent.
    DryRun,
    On,
}

impl RateLimit {
    pub fn exempts(&self, source: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(&source))
    }
}

/// Off, as in BIND and Knot: a limit that nobody asked for would look like packet loss in every load test. Its other
/// values are what those who operate large servers publish: BIND's slip and window, Knot's 20 replies.
impl Default for RateLimit {
    fn default() -> RateLimit {
        let mut per_second = [20; KINDS];
        per_second[Kind::All as usize] = 0;
        RateLimit {
            mode: Mode::Off,
            per_second,
            window: 15,
            slip: 2,
            leak: 0,
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            exempt: Vec::new(),
        }
    }
}
