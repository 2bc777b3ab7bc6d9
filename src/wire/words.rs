//! Bytes read and compared in whole words. Names are short: a call of the C library's `memcmp` costs more than comparing
//! them does, and takes longer where they happen to lie near the end of a page.

/// What is compared at once: a vector register of any 64-bit machine.
const BLOCK: usize = 16;

/// Whether both are the same bytes.
#[inline(always)]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    // The two ends, which overlap or meet in most names.
    one.len() == other.len()
        && match ends::<BLOCK>(one, other) {
            Some(same) => same && (one.len() <= 2 * BLOCK || same_blocks(one, other)),
            None => ends::<8>(one, other).unwrap_or_else(|| word(one) == word(other)),
        }
}

/// Whether so many bytes are the same at both ends, if there are as many.
#[inline(always)]
fn ends<const N: usize>(one: &[u8], other: &[u8]) -> Option<bool> {
    Some(one.first_chunk::<N>()? == other.first_chunk()? && one.last_chunk::<N>()? == other.last_chunk()?)
}

/// Whether all whole blocks are the same.
fn same_blocks(one: &[u8], other: &[u8]) -> bool {
    one.as_chunks::<BLOCK>().0.iter().zip(other.as_chunks().0).all(|(block, other)| block == other)
}

/// Up to eight bytes as a number, zeros standing for what is missing. Nothing is read beyond them.
#[inline]
pub(super) fn word(bytes: &[u8]) -> u64 {
    if let Some(whole) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*whole);
    }
    // Two halves that overlap where there are fewer than eight bytes: the bytes that both have are equal.
    if let (Some(front), Some(back)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (front, back) = (u64::from(u32::from_le_bytes(*front)), u64::from(u32::from_le_bytes(*back)));
        return front | back << (8 * (bytes.len() - 4));
    }
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_where_none_differs() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..bytes.len() {
            let one = &bytes[..length];
            let mut other = one.to_vec();
            assert!(same(one, &other), "{length}");
            for at in 0..length {
                other[at] ^= 0x20;
                assert!(!same(one, &other), "{length}, {at}");
                other[at] ^= 0x20;
            }
            assert!(!same(one, &bytes[..length ^ 1]), "{length}");
        }
    }
}
