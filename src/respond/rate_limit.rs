//! Response rate limiting: how many like replies each client network has had lately, in a table of fixed size.
//!
//! A forged source turns a server's replies against whoever has that address. What a victim gets is alike, reply for
//! reply, and comes at a rate that no resolver asks at. So like replies are counted by client network: each account
//! earns its rate every second, up to one second's worth, and pays one for every reply. Below zero replies are
//! dropped, or cut so that a real client comes again over TCP. A flood runs up debt, down to a window's worth.
//!
//! | an account                          | a reply to it            |
//! |-------------------------------------|--------------------------|
//! | not in the table                    | is sent, and it is       |
//! | with credit                         | is sent                  |
//! | without, its window not yet over    | is over the limit        |
//!
//! Threads share the table and need no lock: an account is one word, and where two write at once a reply may go
//! uncounted. The clock may jump either way: accounts are then full, once.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use crate::snapshot::rate_limit::{Kind, RateLimit};

/// Accounts in all: 512 KiB, which stays in a processor's second cache. When it is full, who owes least goes.
const ACCOUNTS: usize = LINES * WAYS;
const LINES: usize = 8192;
/// Places an account can have: those of a cache line.
const WAYS: usize = 8;

/// Threads read the clock once a batch, so one may be a little behind another.
const BEHIND_MAX: u16 = 8;

// An account: who it is of, the second of its last reply, and what it has, counted from ZERO.
const TAG_SHIFT: u32 = 40;
const STAMP_SHIFT: u32 = 24;
const BALANCE_MASK: u64 = (1 << STAMP_SHIFT) - 1;
const ZERO: i64 = 1 << 23;

/// What is replied, as far as it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    pub kind: Kind,
    /// Of the zone, the node in it and the type asked for, whatever makes replies of this kind differ; or zeros.
    pub zone: u32,
    pub node: u32,
    pub rtype: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Within,
    Over,
}

/// The accounts. One for all threads that answer.
pub struct Table {
    hasher: SipHasher13,
    lines: Box<[Line]>,
    /// Whose reply was over the limit last, for the log.
    last_over: AtomicU64,
}

#[repr(align(64))]
#[derive(Default)]
struct Line([AtomicU64; WAYS]);

impl Table {
    /// The key is drawn at random, so that nobody can choose whose account is displaced.
    pub fn new(key: [u8; 16]) -> Table {
        Table {
            hasher: SipHasher13::new_with_key(&key),
            lines: (0..LINES).map(|_| Line::default()).collect(),
            last_over: AtomicU64::new(0),
        }
    }

    /// How many bytes it takes, now and ever.
    pub const BYTES: usize = ACCOUNTS * size_of::<u64>();

    /// Counts a reply that is to be sent, by its kind and among all.
    pub fn count(&self, limit: &RateLimit, source: IpAddr, reply: Reply, now: u32) -> Verdict {
        let all = Reply { kind: Kind::All, zone: 0, node: 0, rtype: 0 };
        let entries = [reply, all].map(|reply| self.entry(limit, source, reply));
        // Both lines are looked at before either is written to, so that the waits for them run side by side.
        black_box(entries.each_ref().map(|entry| entry.line[0].load(Ordering::Relaxed)));
        let [one, all] = entries.map(|entry| entry.pay(limit.window, now as u16));
        if one == Verdict::Over || all == Verdict::Over {
            self.last_over.store(shortened(source, limit), Ordering::Relaxed);
            return Verdict::Over;
        }
        Verdict::Within
    }

    /// The client network whose reply was over the limit last, if there was one.
    pub fn last_over(&self) -> Option<IpAddr> {
        match self.last_over.load(Ordering::Relaxed) {
            0 => None,
            word if word >> 32 == V4_MARK => Some(IpAddr::from((word as u32).to_be_bytes())),
            word => Some(IpAddr::from((u128::from(word) << 64).to_be_bytes())),
        }
    }

    fn entry(&self, limit: &RateLimit, source: IpAddr, reply: Reply) -> Entry<'_> {
        let hash = self.hasher.hash(&key(source, limit, reply));
        // The lower bits choose the line, the upper ones tell accounts in it apart; an empty place has no tag.
        let line = &self.lines[hash as usize % LINES].0;
        let rate = i64::from(limit.per_second[reply.kind as usize]);
        Entry { line, tag: (hash >> TAG_SHIFT).max(1), rate }
    }
}

/// What a reply is counted by.
struct Entry<'t> {
    /// Where its account is, or will be.
    line: &'t [AtomicU64; WAYS],
    tag: u64,
    /// How many there may be in a second; 0: as many as anybody wants.
    rate: i64,
}

impl Entry<'_> {
    fn pay(&self, window: u16, stamp: u16) -> Verdict {
        if self.rate == 0 {
            return Verdict::Within;
        }
        for place in self.line {
            let word = place.load(Ordering::Relaxed);
            if word >> TAG_SHIFT == self.tag {
                return draw(place, word, stamp, self.rate, window);
            }
        }
        self.open(stamp);
        Verdict::Within
    }

    /// Takes the place of the account idle for longest, and of those as idle as that, which owes least.
    fn open(&self, stamp: u16) {
        let idle = |place: &&AtomicU64| match place.load(Ordering::Relaxed) {
            0 => u64::MAX,
            word => u64::from(age(word, stamp)) << STAMP_SHIFT | word & BALANCE_MASK,
        };
        if let Some(place) = self.line.iter().max_by_key(idle) {
            place.store(account(self.tag, stamp, self.rate - 1), Ordering::Relaxed);
        }
    }
}

/// Takes the price of one reply from an account that was there.
fn draw(place: &AtomicU64, word: u64, stamp: u16, rate: i64, window: u16) -> Verdict {
    let age = age(word, stamp);
    let before = (word & BALANCE_MASK) as i64 - ZERO;
    let floor = -rate * i64::from(window);
    if age == 0 {
        if before > floor {
            place.fetch_sub(1, Ordering::Relaxed);
        }
        return if before > 0 { Verdict::Within } else { Verdict::Over };
    }
    let balance = (before + rate * i64::from(age)).min(rate) - 1;
    let new = account(word >> TAG_SHIFT, stamp, balance.max(floor));
    // Where another thread was faster, its account stands.
    let _ = place.compare_exchange(word, new, Ordering::Relaxed, Ordering::Relaxed);
    if balance >= 0 { Verdict::Within } else { Verdict::Over }
}

fn account(tag: u64, stamp: u16, balance: i64) -> u64 {
    tag << TAG_SHIFT | u64::from(stamp) << STAMP_SHIFT | (balance + ZERO) as u64
}

/// Seconds since the account's last reply.
fn age(word: u64, stamp: u16) -> u16 {
    let age = stamp.wrapping_sub((word >> STAMP_SHIFT) as u16);
    if age > u16::MAX - BEHIND_MAX { 0 } else { age }
}

const KEY: usize = 8 + 4 + 4 + 2 + 1;

fn key(source: IpAddr, limit: &RateLimit, reply: Reply) -> [u8; KEY] {
    let mut key = [0; KEY];
    key[..8].copy_from_slice(&shortened(source, limit).to_le_bytes());
    key[8..12].copy_from_slice(&reply.zone.to_le_bytes());
    key[12..16].copy_from_slice(&reply.node.to_le_bytes());
    key[16..18].copy_from_slice(&reply.rtype.to_le_bytes());
    key[18] = reply.kind as u8;
    key
}

/// Where an IPv6 network would begin with 2000::/3 or another number of those in use, an IPv4 network has this.
const V4_MARK: u64 = 0xffff_ffff;

/// The client's network in one word: nobody is told apart by more than 64 bits of an IPv6 address.
fn shortened(source: IpAddr, limit: &RateLimit) -> u64 {
    match source {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(limit.ipv4_prefix.min(32))).unwrap_or(0);
            V4_MARK << 32 | u64::from(address.to_bits() & mask)
        }
        IpAddr::V6(address) => {
            let mask = u64::MAX.checked_shl(64 - u32::from(limit.ipv6_prefix.min(64))).unwrap_or(0);
            (address.to_bits() >> 64) as u64 & mask
        }
    }
}

#[cfg(test)]
mod tests;
