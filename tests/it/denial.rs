//! The reference's proofs that something is not there: NSEC (RFC 4035, 3.1.3) and NSEC3 (RFC 5155, 7.2).
//!
//! The chain is only searched, front to back, by the definition of "matches" and "covers".

use std::collections::{BTreeMap, BTreeSet};

use fingerpost::wire::rtype::Type;

use crate::reference::{Labels, Node, Rr, Zone, name, put};
use crate::sha1::sha1;

pub enum Denial {
    None,
    Nsec,
    Nsec3(Nsec3),
}

pub struct Nsec3 {
    pub salt: Vec<u8>,
    pub iterations: u16,
    /// The chain: hash to the set whose owner spells it.
    pub chain: BTreeMap<Vec<u8>, Node>,
}

impl Nsec3 {
    pub fn hash(&self, at: &[Vec<u8>]) -> Vec<u8> {
        hash(at, &self.salt, self.iterations)
    }

    fn matches(&self, at: &[Vec<u8>]) -> bool {
        self.chain.contains_key(&self.hash(at))
    }
}

/// RFC 5155, 5.
pub fn hash(at: &[Vec<u8>], salt: &[u8], iterations: u16) -> Vec<u8> {
    let mut digest = sha1(&[name(at).wire(), salt].concat()).to_vec();
    for _ in 0..iterations {
        digest = sha1(&[&digest, salt].concat()).to_vec();
    }
    digest
}

/// How a zone denies, by what it holds. Takes the NSEC3 sets out of the tree: to a question they are not there.
pub fn of(origin: &Labels, nodes: &mut BTreeMap<Labels, Node>) -> Denial {
    let Some(apex) = nodes.get(origin) else { return Denial::None };
    if apex.signatures(Type::SOA).next().is_none() {
        return Denial::None;
    }
    let Some([parameters, ..]) = apex.set(Type::NSEC3PARAM) else {
        return if apex.set(Type::NSEC).is_some() { Denial::Nsec } else { Denial::None };
    };
    let iterations = u16::from_be_bytes([parameters.rdata[2], parameters.rdata[3]]);
    let salt = parameters.rdata[5..].to_vec();
    let mut chain = BTreeMap::new();
    for (at, node) in nodes.iter_mut() {
        if let Some(link) = node.take_nsec3()
            && let Some(hash) = at.last().and_then(|label| base32_decode(label))
        {
            chain.insert(hash, link);
        }
    }
    nodes.retain(|_, node| !node.is_empty());
    Denial::Nsec3(Nsec3 { salt, iterations, chain })
}

/// RFC 4035, 3.1.3.2; RFC 5155, 7.2.2.
pub fn no_name(zone: &Zone, asked: &[Vec<u8>], closest: &[Vec<u8>], proof: &mut BTreeSet<Rr>) {
    match &zone.denial {
        Denial::None => {}
        Denial::Nsec => {
            nsec_for(zone, asked, proof);
            nsec_for(zone, &wildcard_of(closest), proof);
        }
        Denial::Nsec3(nsec3) => {
            let encloser = closest_provable(zone, nsec3, asked, proof);
            nsec3_covering(nsec3, &wildcard_of(encloser), proof);
        }
    }
}

/// RFC 4035, 3.1.3.1; RFC 5155, 7.2.3 and 7.2.4. `asked` exists.
pub fn no_data(zone: &Zone, asked: &[Vec<u8>], proof: &mut BTreeSet<Rr>) {
    match &zone.denial {
        Denial::None => {}
        Denial::Nsec => nsec_for(zone, asked, proof),
        Denial::Nsec3(nsec3) if nsec3.matches(asked) => nsec3_matching(nsec3, asked, proof),
        // An unsigned delegation in an Opt-Out span, or a name that only leads to such.
        Denial::Nsec3(nsec3) => {
            closest_provable(zone, nsec3, asked, proof);
        }
    }
}

/// RFC 4035, 3.1.3.4; RFC 5155, 7.2.5.
pub fn wildcard_no_data(zone: &Zone, asked: &[Vec<u8>], closest: &[Vec<u8>], proof: &mut BTreeSet<Rr>) {
    match &zone.denial {
        Denial::None => {}
        Denial::Nsec => {
            nsec_for(zone, asked, proof);
            nsec_for(zone, &wildcard_of(closest), proof);
        }
        Denial::Nsec3(nsec3) => {
            closest_provable(zone, nsec3, asked, proof);
            nsec3_matching(nsec3, &wildcard_of(closest), proof);
        }
    }
}

/// RFC 4035, 3.1.3.3; RFC 5155, 7.2.6: that no closer match exists.
pub fn wildcard_answer(zone: &Zone, asked: &[Vec<u8>], closest: &[Vec<u8>], proof: &mut BTreeSet<Rr>) {
    match &zone.denial {
        Denial::None => {}
        Denial::Nsec => nsec_for(zone, asked, proof),
        Denial::Nsec3(nsec3) => nsec3_covering(nsec3, &asked[..closest.len() + 1], proof),
    }
}

fn wildcard_of(encloser: &[Vec<u8>]) -> Labels {
    let mut wildcard = encloser.to_vec();
    wildcard.push(b"*".to_vec());
    wildcard
}

/// The NSEC that matches a name or covers it: the last in canonical order that is not behind it.
fn nsec_for(zone: &Zone, at: &[Vec<u8>], proof: &mut BTreeSet<Rr>) {
    let mut found = zone.nodes.iter().filter(|(_, node)| node.set(Type::NSEC).is_some());
    let before = found.rfind(|(owner, _)| owner.as_slice() <= at);
    if let Some((_, node)) = before {
        put(proof, true, node, Type::NSEC, None);
    }
}

/// The NSEC3 of exactly this name's hash.
fn nsec3_matching(nsec3: &Nsec3, at: &[Vec<u8>], proof: &mut BTreeSet<Rr>) {
    if let Some(node) = nsec3.chain.get(&nsec3.hash(at)) {
        put(proof, true, node, Type::NSEC3, None);
    }
}

/// The NSEC3 whose span a name's hash lies in; the last one's reaches round to the first.
fn nsec3_covering(nsec3: &Nsec3, at: &[Vec<u8>], proof: &mut BTreeSet<Rr>) {
    let hash = nsec3.hash(at);
    let before = nsec3.chain.iter().rfind(|(owner, _)| **owner < hash).or(nsec3.chain.last_key_value());
    if let Some((_, node)) = before {
        put(proof, true, node, Type::NSEC3, None);
    }
}

/// RFC 5155, 7.2.1: the NSEC3 of the closest provable encloser, and the one that covers the next closer name.
/// Returns that encloser.
fn closest_provable<'a>(zone: &Zone, nsec3: &Nsec3, at: &'a [Vec<u8>], proof: &mut BTreeSet<Rr>) -> &'a [Vec<u8>] {
    let depth = (zone.origin.len()..at.len())
        .rev()
        .find(|&depth| zone.exists(&at[..depth]) && nsec3.matches(&at[..depth]))
        .unwrap_or(zone.origin.len());
    nsec3_matching(nsec3, &at[..depth], proof);
    if depth < at.len() {
        nsec3_covering(nsec3, &at[..depth + 1], proof);
    }
    &at[..depth]
}

const BASE32_HEX: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// RFC 4648, 7, without padding: 20 bytes are exactly 32 characters.
pub fn base32(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for group in bytes.chunks(5) {
        let number = group.iter().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
        for place in (0..8).rev() {
            text.push(BASE32_HEX[(number >> (5 * place)) as usize & 31]);
        }
    }
    text
}

fn base32_decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for group in text.chunks(8) {
        let mut number = 0u64;
        for character in group.to_ascii_lowercase() {
            number = number << 5 | BASE32_HEX.iter().position(|&digit| digit == character)? as u64;
        }
        bytes.extend_from_slice(&number.to_be_bytes()[3..]);
    }
    Some(bytes)
}

#[test]
fn the_hash_is_that_of_rfc_5155_appendix_a() {
    let salt = [0xaa, 0xbb, 0xcc, 0xdd];
    for (text, hashed) in [
        ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
        ("*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ("2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"),
    ] {
        let at = crate::reference::labels(&fingerpost::wire::name::Name::parse_absolute(text).unwrap());
        let digest = hash(&at, &salt, 12);
        assert_eq!(String::from_utf8(base32(&digest)).unwrap(), hashed, "{text}");
        assert_eq!(base32_decode(hashed.as_bytes()).unwrap(), digest);
    }
}
