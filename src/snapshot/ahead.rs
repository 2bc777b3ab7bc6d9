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

#[derive(Clone, Copy, Default)]
struct Name<'s> {
    hash: u64,
    entry: u32,
    image: Option<&'s ZoneImage>,
}

/// Asks for what the answers to these names stand in; names beyond `TOGETHER` are left out.
pub fn look<'q>(snapshot: &Snapshot, asked: impl Iterator<Item = (&'q QueryName, &'q Hashes)> + Clone) {
    let zones = &*snapshot.zones;
    if !zones.is_worth_looking_ahead() {
        return;
    }
    let asked = asked.take(TOGETHER);
    let (mut count, mut read) = (0, 0);
    for (query, hashes) in asked.clone() {
        read ^= zones.touch(query, hashes);
        count += 1;
    }
    let mut names = [Name::default(); TOGETHER];
    let Some(names) = names.get_mut(..count).filter(|names| names.len() > 1) else { return };
    // Which slot is the name's is seen once it is there: to look at the first alone is to be wrong each third time.
    for (name, (query, hashes)) in names.iter_mut().zip(asked) {
        name.hash = hashes[0];
        name.entry = zones.guess(query, hashes);
    }
    for name in names.iter_mut() {
        name.image = zones.guessed(name.entry);
    }
    let found = || names.iter().filter_map(|name| Some((name.image?, name.hash)));
    for (image, hash) in found() {
        // The origin is looked at too, to be sure of the zone.
        read ^= u32::from(image.origin_nearby()[0]) ^ image.touch_table(hash);
    }
    // The head of the node and the name behind it, then what follows: its entries, and most often its first set.
    for (image, hash) in found() {
        let node = image.guess(hash) as usize;
        read ^= u32::from(image.touch(node) ^ image.touch(node + LINE));
    }
    black_box(read);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Geography;
    use crate::model::Shared;
    use crate::model::zone::{Record, ZoneData};
    use crate::problem::Problems;
    use crate::snapshot::Settings;
    use crate::wire::hash::Hashes;
    use crate::wire::name::{LABELS_MAX, Name};
    use crate::wire::rtype::Type;

    const ZONES: u32 = 500;
    const NAMES: u32 = 20;

    /// Full tables, in which a third of all names don't lie where their hash says.
    #[test]
    fn what_is_looked_at_ahead_is_what_a_lookup_finds() {
        let zones: Vec<ZoneData> = (0..ZONES)
            .map(|number| {
                let origin = Name::parse_absolute(&format!("z{number}.example")).unwrap();
                let mut zone = ZoneData::new(origin.clone(), "f".into());
                for line in 0..NAMES {
                    let owner = Name::parse(&format!("n{line}"), Some(&origin)).unwrap();
                    let rdata = [192, 0, 2, line as u8];
                    let record = Record { owner: owner.wire(), rtype: Type::A, ttl: 60, rdata: &rdata, file: 0, line };
                    zone.records.push(record).unwrap();
                }
                zone
            })
            .collect();
        let (shared, geography) = (Shared::default(), Geography::default());
        let snapshot = Snapshot::of(&zones, shared, geography, Settings::modern(), &mut Problems::default());
        let zones = &*snapshot.zones;
        let (mut query, mut hashes): (QueryName, Hashes) = (QueryName::new(), [0; LABELS_MAX + 2]);
        for (zone, name) in (0..ZONES).flat_map(|zone| (0..NAMES).map(move |name| (zone, name))) {
            assert!(query.set(Name::parse_absolute(&format!("n{name}.z{zone}.example")).unwrap().wire()));
            query.hashes(&snapshot.key, &mut hashes);
            let found = zones.find(&query, &hashes, 0, None).unwrap();
            let guessed = zones.guessed(zones.guess(&query, &hashes)).unwrap();
            assert!(std::ptr::eq(guessed, zones.image(found)), "{zone}");
            let node = guessed.find(query.wire(), hashes[0]).unwrap();
            assert_eq!(guessed.guess(hashes[0]), node.at.number(), "{name} in {zone}");
        }
    }
}
