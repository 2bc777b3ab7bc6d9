//! Zones signed on paper: signatures are made-up bytes, but the chains of NSEC and NSEC3 are the real ones.

use std::collections::{BTreeMap, BTreeSet};

use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::Type;

use crate::denial::{base32, hash};
use crate::reference::{Labels, Rr, labels, name};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    None,
    Nsec,
    Nsec3 { salt: Vec<u8>, iterations: u16, opt_out: bool },
}

/// A zone's records with the keys, signatures and chain that a signer would add.
pub fn sign(origin: &Name, records: &[Rr], signing: &Signing) -> Vec<Rr> {
    let mut signed = records.to_vec();
    if *signing == Signing::None {
        return signed;
    }
    let apex = labels(origin);
    let key = [&[1, 1, 3, 8][..], &[9; 32]].concat();
    signed.push(Rr { owner: origin.clone(), rtype: Type::DNSKEY, ttl: 300, rdata: key });
    if let Signing::Nsec3 { salt, iterations, .. } = signing {
        let rdata = parameters(0, *iterations, salt);
        signed.push(Rr { owner: origin.clone(), rtype: Type::NSEC3PARAM, ttl: 0, rdata });
    }

    let mut nodes: BTreeMap<Labels, BTreeMap<Type, u32>> = BTreeMap::new();
    for rr in &signed {
        let ttl = nodes.entry(labels(&rr.owner)).or_default().entry(rr.rtype).or_insert(rr.ttl);
        *ttl = rr.ttl.min(*ttl);
    }
    let cut = |at: &Labels| *at != apex && nodes.get(at).is_some_and(|types| types.contains_key(&Type::NS));
    let dname = |at: &Labels| nodes.get(at).is_some_and(|types| types.contains_key(&Type::DNAME));
    let hidden =
        |at: &Labels| (apex.len()..at.len()).any(|depth| cut(&at[..depth].into()) || dname(&at[..depth].into()));

    // What the zone is authoritative for, and of which of its types.
    let mut own: BTreeMap<Labels, BTreeMap<Type, u32>> = BTreeMap::new();
    for (at, types) in nodes.iter().filter(|(at, _)| !hidden(at)) {
        let mut types = types.clone();
        if cut(at) {
            types.retain(|&rtype, _| rtype == Type::NS || rtype == Type::DS);
        }
        own.insert(at.clone(), types);
    }
    let chain = match signing {
        Signing::None => Vec::new(),
        Signing::Nsec => nsec_chain(&mut own),
        Signing::Nsec3 { salt, iterations, opt_out } => {
            let head = parameters(u8::from(*opt_out), *iterations, salt);
            nsec3_chain(&mut own, &apex, &head, *opt_out, |at| hash(at, salt, *iterations))
        }
    };
    let mut signatures = Vec::new();
    for (at, types) in &own {
        for (&rtype, &ttl) in types.iter().filter(|&(&rtype, _)| !(cut(at) && rtype == Type::NS)) {
            signatures.push(signature(at, rtype, ttl, origin));
        }
    }
    signed.extend(chain);
    signed.extend(signatures);
    signed
}

/// Made-up, but of the right shape, and another one for each set.
fn signature(at: &Labels, rtype: Type, ttl: u32, origin: &Name) -> Rr {
    let owner = name(at);
    let wildcard = usize::from(at.last().is_some_and(|label| label == b"*"));
    let mut rdata = rtype.0.to_be_bytes().to_vec();
    rdata.extend_from_slice(&[8, (at.len() - wildcard) as u8]);
    for field in [ttl, 2_000_000_000, 1_700_000_000] {
        rdata.extend_from_slice(&field.to_be_bytes());
    }
    rdata.extend_from_slice(&[0x12, 0x34]);
    rdata.extend_from_slice(origin.wire());
    rdata.extend_from_slice(&crate::sha1::sha1(&[owner.wire(), &rtype.0.to_be_bytes()].concat()));
    Rr { owner, rtype: Type::RRSIG, ttl, rdata }
}

fn nsec_chain(own: &mut BTreeMap<Labels, BTreeMap<Type, u32>>) -> Vec<Rr> {
    let owners: Vec<Labels> = own.keys().cloned().collect();
    let mut chain = Vec::new();
    for (position, at) in owners.iter().enumerate() {
        let next = name(&owners[(position + 1) % owners.len()]);
        let types = own.get_mut(at).expect("an owner");
        types.insert(Type::NSEC, 60);
        let shown = types.keys().copied().chain([Type::RRSIG]).collect();
        let rdata = [next.wire(), &bitmap(shown)].concat();
        chain.push(Rr { owner: name(at), rtype: Type::NSEC, ttl: 60, rdata });
    }
    chain
}

fn nsec3_chain(
    own: &mut BTreeMap<Labels, BTreeMap<Type, u32>>,
    apex: &Labels,
    head: &[u8],
    opt_out: bool,
    hash: impl Fn(&[Vec<u8>]) -> Vec<u8>,
) -> Vec<Rr> {
    let mut hashed: BTreeMap<Vec<u8>, BTreeSet<Type>> = BTreeMap::new();
    for (at, types) in own.iter() {
        let unsigned_cut = at != apex && types.contains_key(&Type::NS) && !types.contains_key(&Type::DS);
        if opt_out && unsigned_cut {
            continue;
        }
        let mut shown: BTreeSet<Type> = types.keys().copied().collect();
        if !unsigned_cut {
            shown.insert(Type::RRSIG);
        }
        hashed.insert(hash(at), shown);
        // Empty non-terminals own nothing but have their hash in the chain (RFC 5155, 7.1).
        for depth in apex.len()..at.len() {
            hashed.entry(hash(&at[..depth])).or_default();
        }
    }
    let hashes: Vec<Vec<u8>> = hashed.keys().cloned().collect();
    let mut chain = Vec::new();
    for (position, (own_hash, shown)) in hashed.into_iter().enumerate() {
        let next = &hashes[(position + 1) % hashes.len()];
        let mut at = apex.clone();
        at.push(base32(&own_hash));
        let rdata = [head, &[next.len() as u8], next, &bitmap(shown)].concat();
        chain.push(Rr { owner: name(&at), rtype: Type::NSEC3, ttl: 60, rdata });
        own.insert(at, BTreeMap::from([(Type::NSEC3, 60)]));
    }
    chain
}

fn parameters(flags: u8, iterations: u16, salt: &[u8]) -> Vec<u8> {
    [&[1, flags][..], &iterations.to_be_bytes(), &[salt.len() as u8], salt].concat()
}

/// RFC 4034, 4.1.2.
fn bitmap(types: BTreeSet<Type>) -> Vec<u8> {
    let mut windows: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for Type(number) in types {
        let [window, low] = number.to_be_bytes();
        let bits = windows.entry(window).or_default();
        bits.resize(bits.len().max(usize::from(low / 8) + 1), 0);
        bits[usize::from(low / 8)] |= 0x80 >> (low % 8);
    }
    windows.into_iter().flat_map(|(window, bits)| [vec![window, bits.len() as u8], bits].concat()).collect()
}

#[test]
fn the_bitmap_is_that_of_rfc_4034() {
    let types = [Type::A, Type::MX, Type::RRSIG, Type::NSEC, Type(1234)].into();
    let mut expected = vec![0, 6, 0x40, 0x01, 0, 0, 0, 3, 4, 0x1b];
    expected.extend_from_slice(&[0; 26]);
    expected.push(0x20);
    assert_eq!(bitmap(types), expected);
}
