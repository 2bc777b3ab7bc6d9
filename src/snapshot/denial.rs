//! What a signed zone has to prove that something isn't there: its NSEC or NSEC3 chain, in order, for searching.

use sha1::{Digest, Sha1};

use super::image::{NodeAt, ZoneImage};
use crate::wire::name::canonical_cmp;
use crate::wire::rtype::Type;

/// RFC 5155, 10.3 allows 2500 rounds at most, RFC 9276 wants none. More cost a server too much for each query.
pub const NSEC3_ITERATIONS_MAX: u16 = 500;

/// The length of a SHA-1 hash, the only kind there is (RFC 5155, 11).
pub const HASH: usize = 20;

pub enum Denial {
    Unsigned,
    /// The nodes with an NSEC set, in canonical order.
    Nsec(Box<[NodeAt]>),
    Nsec3(Nsec3),
}

pub struct Nsec3 {
    pub salt: Box<[u8]>,
    pub iterations: u16,
    /// The hashes that the owners of the chain stand for, in order, with the owners' nodes.
    pub chain: Box<[([u8; HASH], NodeAt)]>,
}

impl Nsec3 {
    /// RFC 5155, 5. The name is in lower case.
    pub fn hash(&self, name: &[u8]) -> [u8; HASH] {
        let mut digest: [u8; HASH] = Sha1::new().chain_update(name).chain_update(&self.salt).finalize().into();
        for _ in 0..self.iterations {
            digest = Sha1::new().chain_update(digest).chain_update(&self.salt).finalize().into();
        }
        digest
    }

    /// The node whose NSEC3 has exactly this hash.
    pub fn matching(&self, hash: &[u8; HASH]) -> Option<NodeAt> {
        self.chain.binary_search_by(|(other, _)| other.cmp(hash)).ok().map(|index| self.chain[index].1)
    }

    /// The node whose NSEC3 spans this hash; the last one spans the ends.
    pub fn covering(&self, hash: &[u8; HASH]) -> Option<NodeAt> {
        let above = self.chain.partition_point(|(other, _)| other < hash);
        let index = if above == 0 { self.chain.len().checked_sub(1)? } else { above - 1 };
        Some(self.chain[index].1)
    }
}

impl ZoneImage {
    /// The node of the NSEC at or before a name in lower case.
    pub fn nsec_before(&self, name: &[u8]) -> Option<NodeAt> {
        let Denial::Nsec(chain) = &self.denial else { return None };
        let above = chain.partition_point(|&at| canonical_cmp(self.node(at).name, name).is_le());
        above.checked_sub(1).map(|index| chain[index])
    }

    /// Orders the zone's chain of denial, NSEC3 where there is an NSEC3PARAM at the apex, else NSEC.
    pub(super) fn order_denial(&mut self) {
        if let Some(parameters) = self.nsec3_parameters() {
            self.denial = Denial::Nsec3(parameters);
            return;
        }
        let mut chain: Vec<NodeAt> =
            self.nodes().filter(|node| node.find(Type::NSEC).is_some()).map(|node| node.at).collect();
        if chain.is_empty() {
            return;
        }
        chain.sort_by(|&a, &b| canonical_cmp(self.node(a).name, self.node(b).name));
        self.denial = Denial::Nsec(chain.into_boxed_slice());
    }

    fn nsec3_parameters(&self) -> Option<Nsec3> {
        let apex = self.apex();
        let super::image::Found::Set(at) = apex.find(Type::NSEC3PARAM)? else { return None };
        let record = self.set(apex, at).records().next()?;
        let data = record.stored();
        let (&[1, _, high, low, salt_length], rest) = data.split_first_chunk::<5>()? else { return None };
        let salt = rest.get(..usize::from(salt_length))?;
        let iterations = u16::from_be_bytes([high, low]);
        let mut chain: Vec<([u8; HASH], NodeAt)> = self
            .nodes()
            .filter(|node| node.find(Type::NSEC3).is_some())
            .filter_map(|node| Some((hash_in(node.name)?, node.at)))
            .collect();
        chain.sort_by_key(|&(hash, _)| hash);
        (!chain.is_empty()).then(|| Nsec3 { salt: salt.into(), iterations, chain: chain.into_boxed_slice() })
    }
}

/// The hash that the first label of an NSEC3's owner spells in base32hex (RFC 5155, 3).
fn hash_in(owner: &[u8]) -> Option<[u8; HASH]> {
    let label = owner.get(1..1 + usize::from(*owner.first()?))?;
    if label.len() != HASH * 8 / 5 {
        return None;
    }
    let mut hash = [0; HASH];
    for (index, &letter) in label.iter().enumerate() {
        let value = match letter {
            b'0'..=b'9' => letter - b'0',
            b'a'..=b'v' => letter - b'a' + 10,
            _ => return None,
        };
        for bit in 0..5 {
            if value >> (4 - bit) & 1 == 1 {
                let position = index * 5 + bit;
                hash[position / 8] |= 0x80 >> (position % 8);
            }
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_in_rfc_5155_appendix_a() {
        let parameters = Nsec3 { salt: vec![0xaa, 0xbb, 0xcc, 0xdd].into(), iterations: 12, chain: Vec::new().into() };
        for (name, hash) in [
            (&b"\x07example\0"[..], "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            (b"\x01a\x07example\0", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ] {
            let owner = [&[32][..], hash.as_bytes(), b"\0"].concat();
            assert_eq!(Some(parameters.hash(name)), hash_in(&owner));
        }
    }
}
