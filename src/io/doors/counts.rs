//! What happens at the encrypted doors, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    Tls,
    Https,
    Http3,
    Quic,
}

/// The words of `Door`, in their order.
pub const DOORS: [&str; 4] = ["tls", "https", "h3", "quic"];

/// How a handshake ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handshake {
    Done,
    /// The client spoke something else, or didn't like what it was shown.
    Failed,
    /// The client took too long, or had to make room.
    Abandoned,
}

/// The words of `Handshake`, in their order.
pub const HANDSHAKES: [&str; 3] = ["done", "failed", "abandoned"];

#[derive(Default)]
pub struct Counts {
    handshakes: [[AtomicU64; HANDSHAKES.len()]; DOORS.len()],
    refused: AtomicU64,
    quic_violations: AtomicU64,
}

impl Counts {
    pub fn handshake(&self, door: Door, ended: Handshake) {
        self.handshakes[door as usize][ended as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was not listened to, as too many handshakes were going on.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection broke the rules of DNS over QUIC.
    pub fn quic_violation(&self) {
        self.quic_violations.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections refused, and connections that broke the rules of DNS over QUIC.
    pub fn turned_away(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.quic_violations.load(Ordering::Relaxed))
    }

    /// Handshakes, by door and how they ended.
    pub fn handshakes(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        DOORS.into_iter().zip(&self.handshakes).flat_map(|(door, counts)| {
            let of = move |(ended, count): (_, &AtomicU64)| (door, ended, count.load(Ordering::Relaxed));
            HANDSHAKES.into_iter().zip(counts).map(of)
        })
    }
}
