//! From addresses to numbers (of places, of networks): ranges that follow each other without a gap, found by the top bits
//! of the address and a short search.

use std::fmt::Debug;
use std::ops::{BitXor, Not, Shr};

/// Ranges looked at around a client to widen its scope, at most: our limit, it bounds the work of one query.
/// Where it is reached the scope stays narrower than it could be, which is never wrong.
pub const SCOPE_RANGES_MAX: usize = 64;

/// The index has one entry per range, roughly, up to 2 to the power of this: 4 MiB.
const INDEX_BITS_MAX: u32 = 20;

/// An address as a number.
pub trait Key: Copy + Ord + Debug + Shr<u32, Output = Self> + Not<Output = Self> + BitXor<Output = Self> {
    const BITS: u32;
    const FIRST: Self;
    const LAST: Self;
    fn before(self) -> Self;
    fn after(self) -> Self;
    fn leading_zeros(self) -> u32;
    fn index(self) -> usize;
    fn or(self, other: Self) -> Self;

    /// The first and last address of the network of this length around it.
    fn network(self, length: u32) -> (Self, Self) {
        let host = if length >= Self::BITS { Self::FIRST } else { Self::LAST >> length };
        (!(!self).or(host), self.or(host))
    }
}

macro_rules! key {
    ($number:ty) => {
        impl Key for $number {
            const BITS: u32 = <$number>::BITS;
            const FIRST: $number = 0;
            const LAST: $number = <$number>::MAX;
            fn before(self) -> $number {
                self.wrapping_sub(1)
            }
            fn after(self) -> $number {
                self.wrapping_add(1)
            }
            fn leading_zeros(self) -> u32 {
                <$number>::leading_zeros(self)
            }
            fn index(self) -> usize {
                self as usize
            }
            fn or(self, other: $number) -> $number {
                self | other
            }
        }
    };
}
key!(u32);
key!(u128);

/// Ranges that follow each other without a gap, from the first address to the last: where each begins, and its number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranges<K> {
    starts: Vec<K>,
    numbers: Vec<u32>,
}

impl<K: Key> Ranges<K> {
    /// One range, of number 0.
    pub fn new() -> Ranges<K> {
        Ranges::with_room(1)
    }

    /// The same, with memory for so many ranges.
    pub fn with_room(ranges: usize) -> Ranges<K> {
        let mut new = Ranges { starts: Vec::with_capacity(ranges + 1), numbers: Vec::with_capacity(ranges + 1) };
        new.starts.push(K::FIRST);
        new.numbers.push(0);
        new
    }

    /// Begins a range, after all others; one that begins at the same address was empty, and one with the same number
    /// goes on.
    #[inline]
    pub fn push(&mut self, start: K, number: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.numbers.pop();
        }
        if self.numbers.last() != Some(&number) {
            self.starts.push(start);
            self.numbers.push(number);
        }
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// The range at or after `from` that holds an address.
    pub fn find(&self, from: usize, address: K) -> usize {
        let later = self.starts.get(from + 1..).unwrap_or_default();
        from + later.partition_point(|start| *start <= address)
    }

    pub fn number(&self, range: usize) -> u32 {
        self.numbers.get(range).copied().unwrap_or(0)
    }

    /// First and last address of a range.
    pub fn bounds(&self, range: usize) -> (K, K) {
        let first = self.starts.get(range).copied().unwrap_or(K::FIRST);
        (first, self.starts.get(range + 1).map_or(K::LAST, |next| next.before()))
    }

    /// Start and number of the ranges from one on.
    pub fn from(&self, range: usize) -> impl Iterator<Item = (K, u32)> {
        let starts = self.starts.get(range..).unwrap_or_default();
        starts.iter().copied().zip(self.numbers.get(range..).unwrap_or_default().iter().copied())
    }

    /// Two coverings of all addresses laid over each other.
    pub fn overlay(&self, above: &Ranges<K>, mut join: impl FnMut(u32, u32) -> u32) -> Ranges<K> {
        let mut joined = Ranges::with_room(self.len().max(above.len()));
        let (mut a, mut b) = (0, 0);
        loop {
            let start = self.bounds(a).0.max(above.bounds(b).0);
            joined.push(start, join(self.number(a), above.number(b)));
            match (self.starts.get(a + 1), above.starts.get(b + 1)) {
                (None, None) => return joined,
                (Some(_), None) => a += 1,
                (None, Some(_)) => b += 1,
                (Some(next), Some(other)) => {
                    a += usize::from(next <= other);
                    b += usize::from(other <= next);
                }
            }
        }
    }
}

/// Rewrites ranges in their own memory: they are read at one place and written behind it. Every command opens the
/// shipped geography, and pages of fresh memory are most of its cost.
pub(super) struct Rewrite<K> {
    ranges: Ranges<K>,
    /// The number of ranges that were written. They end before the first one that is still to be read.
    written: usize,
    /// The next range to be read, and the number of the one before.
    next: usize,
    number: u32,
}

impl<K: Key> Rewrite<K> {
    /// At any time, at most `room` ranges more may be written than were read.
    pub fn new(mut ranges: Ranges<K>, room: usize) -> Rewrite<K> {
        let len = ranges.len();
        ranges.starts.reserve_exact(room);
        ranges.numbers.reserve_exact(room);
        ranges.starts.resize(len + room, K::FIRST);
        ranges.numbers.resize(len + room, 0);
        ranges.starts.copy_within(..len, room);
        ranges.numbers.copy_within(..len, room);
        Rewrite { ranges, written: 0, next: room, number: 0 }
    }

    /// Reads up to the range that holds an address, and returns its number.
    pub fn seek(&mut self, address: K) -> u32 {
        let unread = self.ranges.starts.get(self.next..).unwrap_or_default();
        let skipped = unread.partition_point(|start| *start <= address);
        if skipped > 0 {
            self.next += skipped;
            self.number = self.ranges.number(self.next - 1);
        }
        self.number
    }

    /// Reads the next range, if it begins before an address.
    #[inline]
    pub fn read(&mut self, before: Option<K>) -> Option<(K, u32)> {
        let start = *self.ranges.starts.get(self.next)?;
        if before.is_some_and(|before| start >= before) {
            return None;
        }
        self.number = *self.ranges.numbers.get(self.next)?;
        self.next += 1;
        Some((start, self.number))
    }

    /// Begins a range after those that were written before. One with the same number as the last goes on.
    #[inline]
    pub fn write(&mut self, start: K, number: u32) {
        if self.written > 0 && self.ranges.numbers[self.written - 1] == number {
            return;
        }
        self.ranges.starts[self.written] = start;
        self.ranges.numbers[self.written] = number;
        self.written += 1;
    }

    /// The ranges that were written.
    pub fn finish(mut self) -> Ranges<K> {
        self.ranges.starts.truncate(self.written);
        self.ranges.numbers.truncate(self.written);
        self.ranges
    }
}

#[derive(Debug)]
pub(super) struct Table<K> {
    starts: Box<[K]>,
    numbers: Box<[u32]>,
    /// The range that the first address with these top bits is in.
    index: Box<[u32]>,
    shift: u32,
}

impl<K: Key> Table<K> {
    /// Of ranges in order. Addresses before the first of them have number 0.
    pub fn new(ranges: Vec<(K, u32)>) -> Table<K> {
        let mut all = Ranges::with_room(ranges.len());
        ranges.into_iter().for_each(|(start, number)| all.push(start, number));
        Table::of(all)
    }

    pub fn of(Ranges { starts, numbers }: Ranges<K>) -> Table<K> {
        let bits = starts.len().ilog2().clamp(1, INDEX_BITS_MAX);
        let shift = K::BITS - bits;
        let mut index = vec![0; (1 << bits) + 1];
        let mut filled = 0;
        for (range, start) in starts.iter().enumerate().skip(1) {
            // The buckets up to the address before this range begin in an earlier range. Most ranges have none of
            // their own.
            let bucket = (start.before() >> shift).index() + 1;
            if filled < bucket {
                index[filled..bucket].fill(range as u32 - 1);
                filled = bucket;
            }
        }
        index[filled..].fill(starts.len() as u32 - 1);
        Table { starts: starts.into(), numbers: numbers.into(), index: index.into(), shift }
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// The range that holds an address.
    pub fn find(&self, address: K) -> usize {
        let bucket = (address >> self.shift).index();
        let (low, high) = (self.index[bucket] as usize, self.index[bucket + 1] as usize);
        low + self.starts[low + 1..=high.max(low)].partition_point(|start| *start <= address)
    }

    pub fn number(&self, range: usize) -> u32 {
        self.numbers[range]
    }

    /// First and last address of a range.
    pub fn bounds(&self, range: usize) -> (K, K) {
        let last = self.starts.get(range + 1).map_or(K::LAST, |next| next.before());
        (self.starts[range], last)
    }

    /// The length of the widest network around an address whose ranges are all the same, as `same` sees their
    /// numbers. The address's own range counts as such.
    pub fn scope(&self, address: K, mut same: impl FnMut(u32) -> bool) -> u8 {
        let at = self.find(address);
        let (mut lowest, mut highest) = (at, at);
        let (mut first, mut last) = self.bounds(at);
        let mut left = SCOPE_RANGES_MAX;
        let mut admit = |range: usize| {
            left = left.saturating_sub(1);
            left > 0 && same(self.numbers[range])
        };
        loop {
            let length = widest_within(address, first, last);
            if length == 0 {
                return 0;
            }
            let (wider_first, wider_last) = address.network(length - 1);
            while first > wider_first {
                lowest -= 1;
                if !admit(lowest) {
                    return length as u8;
                }
                first = self.starts[lowest];
            }
            while last < wider_last {
                highest += 1;
                if !admit(highest) {
                    return length as u8;
                }
                last = self.bounds(highest).1;
            }
        }
    }
}

/// The length of the widest network around an address that leaves neither bound.
pub(super) fn widest_within<K: Key>(address: K, first: K, last: K) -> u32 {
    let apart = |outside: K| (address ^ outside).leading_zeros() + 1;
    let below = if first == K::FIRST { 0 } else { apart(first.before()) };
    let above = if last == K::LAST { 0 } else { apart(last.after()) };
    below.max(above)
}

/// Nested networks as ranges that cover all addresses: where networks overlap the longer one holds, of equal ones the later.
pub(super) fn flatten<K: Key, V: Copy + PartialEq>(mut networks: Vec<(K, u8, V)>, outside: V) -> Vec<(K, V)> {
    networks.sort_by_key(|&(first, length, _)| (first, length));
    let mut ranges = vec![(K::FIRST, outside)];
    let mut open: Vec<(K, V)> = Vec::new(); // networks that we are inside of, by last address
    for (first, length, value) in networks {
        close(&mut open, &mut ranges, outside, Some(first));
        push(&mut ranges, first, value);
        open.push((first.network(u32::from(length)).1, value));
    }
    close(&mut open, &mut ranges, outside, None);
    ranges
}

/// Leaves the networks that end before an address, or all of them: what was around them holds again.
fn close<K: Key, V: Copy + PartialEq>(open: &mut Vec<(K, V)>, ranges: &mut Vec<(K, V)>, outside: V, until: Option<K>) {
    while let Some(&(last, _)) = open.last()
        && until.is_none_or(|until| last < until)
    {
        open.pop();
        if last < K::LAST {
            push(ranges, last.after(), open.last().map_or(outside, |&(_, around)| around));
        }
    }
}

/// Begins a range; one that begins at the same address was empty, and one with the same value goes on.
pub(super) fn push<K: Key, V: PartialEq>(ranges: &mut Vec<(K, V)>, start: K, value: V) {
    if ranges.last().is_some_and(|(before, _)| *before == start) {
        ranges.pop();
    }
    if ranges.last().is_none_or(|(_, before)| *before != value) {
        ranges.push((start, value));
    }
}

/// Two coverings of all addresses laid over each other; neighbours that come out equal are one range.
pub(super) fn overlay<K: Key, A, B, C: PartialEq>(
    below: &[(K, A)],
    above: &[(K, B)],
    mut join: impl FnMut(&A, &B) -> C,
) -> Vec<(K, C)> {
    let mut joined = Vec::with_capacity(below.len().max(above.len()));
    let (mut below, mut above) = (below, above);
    while let ([(below_start, a), below_rest @ ..], [(above_start, b), above_rest @ ..]) = (below, above) {
        push(&mut joined, (*below_start).max(*above_start), join(a, b));
        let below_end = below_rest.first().map(|(start, _)| *start);
        let above_end = above_rest.first().map(|(start, _)| *start);
        let end = [below_end, above_end].into_iter().flatten().min();
        if below_end == end {
            below = below_rest;
        }
        if above_end == end {
            above = above_rest;
        }
    }
    joined
}
