//! Looking ahead: the memory that several answers stand in, asked for all at once.
//!
//! A name is found along a chain of places, each known from the one before: the zone's slot, its entry, its image, the
//! name's slot, its node, the set. Where zones are large none of these is in a cache, and the processor waits for memory
//! at each. Here every step is taken for all names before the next one is: the loads of one step do not depend on each
//! other, so that their waits run side by side. Plain loads do it, nothing has to be unsafe. What comes of it is a hint
//! alone: answers are found as ever.

use std::hint::black_box;

use super::Snapshot;
use super::image::ZoneImage;
use crate::wire::hash::Hashes;
use crate::wire::query::QueryName;

/// How many names are looked for at once. As many loads as a processor has under way; more gain nothing (measured).
pub const TOGETHER: usize = 16;

/// Bytes that the processor loads at once.
const LINE: usize = 64;

/// Zones that take less than this stay in the processor's own caches: looking ahead would gain nothing.
pub(super) const WORTH_BYTES: usize = 256 << 10;

#[derive(Clone, Copy)]
struct Name<'s> {
    hash: u64,
    entry: u32,
    node: u32,
    image: Option<&'s ZoneImage>,
}

/// Asks for what the answers to these names stand in; names beyond `TOGETHER` are left out.
pub fn look<'q>(snapshot: &Snapshot, asked: impl Iterator<Item = (&'q QueryName, &'q Hashes)>) {
    let zones = &*snapshot.zones;
    if !zones.is_worth_looking_ahead() {
        return;
    }
    let mut names = [Name { hash: 0, entry: 0, node: 0, image: None }; TOGETHER];
    let mut count = 0;
    for (name, (query, hashes)) in names.iter_mut().zip(asked) {
        name.hash = hashes[0];
        name.entry = zones.first_guess(query, hashes);
        count += 1;
    }
    let names = &mut names[..count];
    if count < 2 {
        return;
    }
    for name in names.iter_mut() {
        name.image = zones.guessed(name.entry);
    }
    let mut bytes = 0;
    for name in names.iter_mut() {
        if let Some(image) = name.image {
            // The origin is looked at too, to be sure of the zone.
            bytes ^= image.origin_nearby()[0];
            name.node = image.first_guess(name.hash);
        }
    }
    // The head of the node and the name behind it, then what follows: its entries, and most often its first set.
    for name in names.iter() {
        if let Some(image) = name.image {
            bytes ^= image.touch(name.node as usize) ^ image.touch(name.node as usize + LINE);
        }
    }
    black_box(bytes);
}
