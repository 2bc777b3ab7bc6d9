//! A keyed hash of lower-cased names in wire form, made from the last label to the first: one pass gives the hash of a
//! name and of every name above it.
//!
//! Up to 16 bytes go into one multiplication of 64 by 64 bits, whose halves are folded together: a usual label takes one. A
//! second one ends each label, so that every bit of the name reaches every bit of the hash. The key is random and never
//! shown, and hashes aren't either, so nobody outside can prepare names that collide.

use super::name::{LABELS_MAX, label_starts};
use super::query_name::QueryName;
use super::words::word;

/// What a worker keeps of one name: a hash for each label skipped, and that of the root.
pub type Hashes = [u64; LABELS_MAX + 2];

/// The key, drawn at random when the server starts. All who look up in one table share it.
#[derive(Clone, Copy)]
pub struct HashKey {
    root: u64,
    low: u64,
    high: u64,
    end: u64,
}

/// Digits of pi, so that a key of zeros (in a test, say) spreads bits as well as any.
const PI: [u64; 4] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];
/// The next digits, for the factor that ends a label.
const FACTOR: u64 = 0x4528_21e6_38d0_1377;

impl HashKey {
    pub fn new(random: [u64; 4]) -> HashKey {
        let [root, low, high, end] = random;
        HashKey { root: root ^ PI[0], low: low ^ PI[1], high: high ^ PI[2], end: end ^ PI[3] }
    }

    /// The hash of the root, which all others grow from.
    #[inline]
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The hash of a name from that of its parent and its first label, with the length in front. The label is lower-cased.
    #[inline]
    pub fn extend(&self, parent: u64, label_with_length: &[u8]) -> u64 {
        let mut hash = parent;
        for block in label_with_length.chunks(16) {
            let (low, high) = block.split_at(block.len().min(8));
            hash = self.take(hash, word(low), word(high));
        }
        self.end_label(hash)
    }

    /// The hash of a lower-cased name in wire form.
    pub fn of(&self, wire: &[u8]) -> u64 {
        let mut starts = [0; LABELS_MAX + 1];
        let count = label_starts(wire, &mut starts);
        let starts = starts.get(..count).unwrap_or_default();
        starts.iter().rev().fold(self.root, |parent, &start| {
            let start = usize::from(start);
            let length = wire.get(start).map_or(0, |&length| usize::from(length));
            self.extend(parent, wire.get(start..=start + length).unwrap_or_default())
        })
    }

    #[inline]
    fn take(&self, hash: u64, low: u64, high: u64) -> u64 {
        fold(hash ^ low ^ self.low, high ^ self.high)
    }

    #[inline]
    fn end_label(&self, hash: u64) -> u64 {
        fold(hash ^ self.end, FACTOR)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Keys stay out of logs.
impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey")
    }
}

impl QueryName {
    /// Fills `out[skip]` with the hash of the name without its first `skip` labels, up to the root's at `out[labels]`.
    /// What lies behind that is left as it was.
    #[inline]
    pub fn hashes(&self, key: &HashKey, out: &mut Hashes) {
        let starts = self.starts();
        let Some((root, out)) = out.get_mut(..starts.len()).and_then(<[u64]>::split_last_mut) else { return };
        let mut hash = key.root;
        *root = hash;
        for (out, &start) in out.iter_mut().zip(starts).rev() {
            let mut window: &[u8] = self.window(start);
            let mut left = window[0] + 1;
            while let (17.., Some((block, rest))) = (left, window.split_first_chunk()) {
                let (low, high) = words(block);
                hash = key.take(hash, low, high);
                (left, window) = (left - 16, rest);
            }
            let (low, high) = window.first_chunk().map_or((0, 0), words);
            let (low_mask, high_mask) = MASKS[usize::from(left) % MASKS.len()];
            hash = key.end_label(key.take(hash, low & low_mask, high & high_mask));
            *out = hash;
        }
    }
}

/// Sixteen bytes as two numbers.
#[inline]
fn words(block: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    (both as u64, (both >> 64) as u64)
}

/// What is kept of sixteen bytes, by the number of those that count.
const MASKS: [(u64, u64); 32] = {
    let mut masks = [(u64::MAX, u64::MAX); 32];
    let mut bytes = 0;
    while bytes < 16 {
        let mask = (1u128 << (8 * bytes)) - 1;
        masks[bytes] = (mask as u64, (mask >> 64) as u64);
        bytes += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::{Name, parent};
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn keys() -> [HashKey; 3] {
        [
            HashKey::new([0; 4]),
            HashKey::new([u64::MAX; 4]),
            HashKey::new([0x8c5a_93f1_6b2e_04d7, 0x1f83_d9ab_fb41_bd6b, 0x5be0_cd19_137e_2179, 3]),
        ]
    }

    fn name(text: &str) -> Name {
        Name::parse_absolute(text).unwrap()
    }

    proptest! {
        #[test]
        fn every_way_to_a_hash_gives_the_same(
            labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..=63), 0..=6),
            before in prop::collection::vec(any::<u8>(), 63),
        ) {
            let mut wire = Vec::new();
            for label in labels.iter().filter(|label| !label.is_empty()) {
                if wire.len() + label.len() < 254 {
                    wire.push(label.len() as u8);
                    wire.extend(label.to_ascii_lowercase());
                }
            }
            wire.push(0);
            let mut query_name = QueryName::new();
            // What an earlier name has left behind must not count.
            let mut earlier: Vec<u8> = (0..3).flat_map(|_| std::iter::once(63).chain(before.iter().copied())).collect();
            earlier.push(0);
            prop_assert!(query_name.set(&earlier));
            prop_assert!(query_name.set(&wire));
            for key in keys() {
                let mut out = [0; LABELS_MAX + 2];
                query_name.hashes(&key, &mut out);
                let mut rest = wire.as_slice();
                for (skip, hash) in out.iter().enumerate().take(query_name.labels() + 1) {
                    prop_assert_eq!(*hash, key.of(rest), "skipping {}", skip);
                    prop_assert_eq!(rest, query_name.suffix(skip));
                    rest = parent(rest).unwrap_or(&[0]);
                }
            }
        }
    }

    #[test]
    fn names_that_look_alike_differ() {
        for key in keys() {
            let texts = [
                ".",
                "a",
                "a.a",
                "aa",
                r"\000",
                r"\000.\000",
                r"a\000",
                r"\001a",
                r"\000a",
                "ab.c",
                "a.bc",
                "abc",
                "c.ab",
            ];
            let long =
                ["x".repeat(15), "x".repeat(16), "x".repeat(17), format!("{}.x", "x".repeat(15)), "x".repeat(63)];
            let hashes: HashSet<u64> = texts
                .iter()
                .copied()
                .chain(long.iter().map(String::as_str))
                .map(|text| key.of(name(text).wire()))
                .collect();
            assert_eq!(hashes.len(), texts.len() + long.len());
        }
    }

    #[test]
    fn a_million_names_in_sequence_do_not_collide() {
        let key = keys()[2];
        let zone = key.of(name("example.com.").wire());
        let mut hashes: Vec<u64> = (0..1_000_000u32)
            .map(|number| {
                let label = format!("host{number}");
                let mut with_length = vec![label.len() as u8];
                with_length.extend(label.bytes());
                key.extend(zone, &with_length)
            })
            .collect();
        // A table uses a part of the bits: any 20 of them are as if drawn at random, in which case a million throws into
        // 2^20 places hit 644,526 of them with a deviation of 316. Ten times that doesn't happen by chance.
        for shift in [0, 7, 20, 33, 44] {
            let places: HashSet<u64> = hashes.iter().map(|hash| hash >> shift & 0xf_ffff).collect();
            assert!(places.len().abs_diff(644_526) < 3_160, "{} places from bit {shift}", places.len());
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 1_000_000);
    }

    /// A change of any bit of the name changes each bit of the hash in about half of the cases.
    #[test]
    fn every_bit_of_a_name_reaches_every_bit_of_its_hash() {
        const TRIALS: u32 = 4096;
        for key in keys() {
            for length in [3usize, 8, 20] {
                for bit in 0..8 * length {
                    let mut flips = [0u32; 64];
                    let mut state = 0x9e37_79b9_7f4a_7c15u64 ^ bit as u64;
                    for _ in 0..TRIALS {
                        let mut label = vec![length as u8];
                        while label.len() <= length {
                            // xorshift: any varied input will do.
                            state ^= state << 13;
                            state ^= state >> 7;
                            state ^= state << 17;
                            label.push((state >> 24) as u8);
                        }
                        let before = key.extend(key.root(), &label);
                        label[1 + bit / 8] ^= 1 << (bit % 8);
                        let changed = before ^ key.extend(key.root(), &label);
                        for (position, flips) in flips.iter_mut().enumerate() {
                            *flips += (changed >> position & 1) as u32;
                        }
                    }
                    for (position, flips) in flips.iter().enumerate() {
                        let share = f64::from(*flips) / f64::from(TRIALS);
                        assert!((0.42..0.58).contains(&share), "{length} bytes, bit {bit} to {position}: {share}");
                    }
                }
            }
        }
    }
}
