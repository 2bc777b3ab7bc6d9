//! What one worker counts. It alone writes; whoever reads sums over the workers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::Chosen;
use crate::policy::Kind;
use crate::wire::rtype::Rcode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {
    Udp,
    Tcp,
    Tls,
    Https,
    Http3,
    Quic,
    /// Packets that get no reply.
    Silent,
    Truncated,
    /// Times that a worker looked for messages.
    Batches,
    /// Replies over the rate limit: not sent, sent cut, sent whole all the same, sent because it is a dry run.
    LimitDropped,
    LimitSlipped,
    LimitLeaked,
    LimitDryRun,
    /// Messages of clients that are kept out: refused, or passed over.
    DeniedRefused,
    DeniedDropped,
}

/// The names of `Counter`, in their order.
pub const NAMES: [&str; 15] = [
    "udp",
    "tcp",
    "tls",
    "https",
    "h3",
    "quic",
    "silent",
    "truncated",
    "batches",
    "limit-dropped",
    "limit-slipped",
    "limit-leaked",
    "limit-dry-run",
    "denied-refused",
    "denied-dropped",
];
/// … of them, those that are transports.
pub const TRANSPORTS: [Counter; 6] =
    [Counter::Udp, Counter::Tcp, Counter::Tls, Counter::Https, Counter::Http3, Counter::Quic];
/// From whom policies chose, by `Chosen`.
pub const REASONS: [&str; 4] = ["all-healthy", "some-unhealthy", "nobody-healthy", "nobody-for-client"];
/// Response codes up to BADCOOKIE.
pub const RCODES: usize = 24;

#[derive(Default)]
#[repr(align(128))]
pub struct Counters {
    counters: [AtomicU64; NAMES.len()],
    policies: [[AtomicU64; REASONS.len()]; Kind::ALL.len()],
    rcodes: [AtomicU64; RCODES],
}

impl Counters {
    #[inline]
    pub fn add(&self, counter: Counter) {
        bump(&self.counters[counter as usize]);
    }

    #[inline]
    pub fn rcode(&self, rcode: Rcode) {
        bump(&self.rcodes[usize::from(rcode.0).min(RCODES - 1)]);
    }

    #[inline]
    pub fn policy(&self, policy: Kind, chosen: Chosen) {
        bump(&self.policies[policy as usize][chosen as usize]);
    }

    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].load(Ordering::Relaxed)
    }

    /// Replies by response code.
    pub fn rcodes(&self) -> impl Iterator<Item = (Rcode, u64)> + '_ {
        (0..).map(Rcode).zip(self.rcodes.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Answers by policy and by reason.
    pub fn policies(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        let policies = Kind::ALL.into_iter().map(Kind::word).zip(&self.policies);
        policies.flat_map(|(policy, counts)| {
            let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
            REASONS.into_iter().zip(counts).map(move |(reason, count)| (policy, reason, count))
        })
    }
}

/// Only one thread writes, so a plain load and store will do, which costs no more than an addition.
#[inline]
fn bump(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
