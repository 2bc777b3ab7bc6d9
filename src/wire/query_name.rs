//! The name of a query: lower-cased, its labels found, kept in one place for every query that a worker reads.

use super::name::{LABEL_MAX, LABELS_MAX, NAME_MAX};

/// Bytes behind the longest name, so that a label can be read in whole words wherever it stands.
const PADDING: usize = 65;

/// How much is lower-cased at once: a vector register of any 64-bit machine.
const BLOCK: usize = 16;

/// The name asked for, in lower case, with the starts of its labels.
#[derive(Clone)]
pub struct QueryName {
    /// The name; what stands behind it is left from earlier ones.
    bytes: [u8; NAME_MAX + PADDING],
    /// Where each label starts, and after the last of them where the root does.
    starts: [u8; LABELS_MAX + 1],
    length: u8,
    labels: u8,
}

impl Default for QueryName {
    fn default() -> QueryName {
        QueryName::new()
    }
}

impl QueryName {
    /// The root.
    pub fn new() -> QueryName {
        QueryName { bytes: [0; NAME_MAX + PADDING], starts: [0; LABELS_MAX + 1], length: 1, labels: 0 }
    }

    /// The name in wire form, lower-cased.
    #[inline]
    pub fn wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// How many labels the name has, the root's not counted.
    #[inline]
    pub fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// The name without its first `skip` labels; the root where it has no more than these.
    #[inline]
    pub fn suffix(&self, skip: usize) -> &[u8] {
        self.wire().get(self.start(skip)..).unwrap_or(&[0])
    }

    /// Where a label starts in the name; where the root does for a label that isn't there.
    #[inline]
    pub fn start(&self, label: usize) -> usize {
        match self.starts[..=self.labels()].get(label) {
            Some(&start) => usize::from(start),
            None => usize::from(self.length) - 1,
        }
    }

    /// Takes a name that didn't come in a packet. Returns false, and holds the root, where the bytes are not exactly one name.
    pub fn set(&mut self, wire: &[u8]) -> bool {
        let whole = self.read(wire) == Some(wire.len());
        if !whole {
            self.clear();
        }
        whole
    }

    pub(super) fn clear(&mut self) {
        (self.bytes[0], self.starts[0], self.length, self.labels) = (0, 0, 1, 0);
    }

    /// Reads the uncompressed name at the front of these bytes. Returns its length; without a whole name, this is the root.
    #[inline(always)]
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<usize> {
        // A name ends, its root included, within so many bytes; a label takes two or more of them, so `starts` has room.
        let within = bytes.get(..NAME_MAX).unwrap_or(bytes);
        let (mut at, mut labels) = (0, 0);
        while let Some(&length) = within.get(at) {
            self.starts[labels % (LABELS_MAX + 1)] = at as u8;
            at += 1 + usize::from(length);
            if length == 0 {
                self.length = at as u8;
                self.labels = labels as u8;
                self.fill(bytes, at);
                return Some(at);
            }
            labels += 1;
            if usize::from(length) > LABEL_MAX {
                break;
            }
        }
        self.clear();
        None
    }

    /// Takes a name of this length, in lower case. The lengths of labels are smaller than any letter, so they need no care;
    /// neither does what stands behind the name, and is made small with it.
    #[inline]
    fn fill(&mut self, bytes: &[u8], length: usize) {
        let (Some(from), Some(to)) = (bytes.get(..length), self.bytes.get_mut(..length)) else { return };
        to.copy_from_slice(from);
        for block in self.bytes.as_chunks_mut::<BLOCK>().0.iter_mut().take(length.div_ceil(BLOCK)) {
            block.make_ascii_lowercase();
        }
    }

    /// The bytes from a label's start on, as many as the longest label has; what lies behind the name is garbage.
    #[inline]
    pub(super) fn window(&self, start: u8) -> &[u8; LABEL_MAX + 1] {
        const _: () = assert!(PADDING > LABEL_MAX);
        self.bytes[usize::from(start)..].first_chunk().expect("the padding is as long as a label")
    }

    /// The starts of the labels, and that of the root.
    #[inline]
    pub(super) fn starts(&self) -> &[u8] {
        &self.starts[..=usize::from(self.labels)]
    }
}

impl std::fmt::Debug for QueryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&super::name::Shown(self.wire()), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::Name;

    #[test]
    fn capitals_are_made_small_and_nothing_else_is() {
        for length in 1..=63 {
            for byte in 0..=255u8 {
                let mut wire = vec![length as u8];
                wire.resize(1 + length, byte);
                wire[length] = b'Z';
                wire.push(0);
                let mut name = QueryName::new();
                assert!(name.set(&wire));
                assert_eq!(name.wire(), wire.to_ascii_lowercase(), "{length} of {byte}");
            }
        }
    }

    #[test]
    fn a_name_can_be_set() {
        let mut name = QueryName::new();
        assert_eq!((name.wire(), name.labels(), name.start(0), name.suffix(7)), (&b"\0"[..], 0, 0, &b"\0"[..]));
        assert!(name.set(Name::parse_absolute("A.b").unwrap().wire()));
        assert_eq!(name.wire(), b"\x01a\x01b\0");
        for wrong in [&b""[..], b"\x01a", b"\x01a\0\0", b"\xc0\x0c"] {
            assert!(!name.set(wrong));
            assert_eq!((name.wire(), name.labels()), (&b"\0"[..], 0));
        }
    }
}
