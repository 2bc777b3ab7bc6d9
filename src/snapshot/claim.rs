//! A zone that a file claims and that cannot be served: its file has errors, and no earlier version is known.
//!
//! Such a zone has one node, its apex, which looks like a delegation without name servers. Every name in the zone leads
//! there, so the query path needs no test for it: the answer is made where a referral without servers would end.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Snapshot;
use super::denial::Denial;
use super::image::{Counts, Flags, NODE_HEAD, NodeAt, Slot, ZoneImage, home};
use crate::model::zone::Visibility;
use crate::wire::fragment::Renderer;
use crate::wire::hash::HashKey;
use crate::wire::name::Name;

/// Places of the hash table over the apex. One stays empty, which ends every search.
const PLACES: usize = 2;

impl ZoneImage {
    /// The image of a claimed zone. Queries for its names are answered SERVFAIL.
    pub fn claim(origin: &Name, visibility: Visibility, file: Arc<str>, key: &HashKey) -> ZoneImage {
        let origin = origin.to_lowercase();
        let wire = origin.wire();
        let apex = (PLACES * Slot::BYTES) as u32;
        let mut arena = vec![0; PLACES * Slot::BYTES];
        let hash = key.of(wire);
        if let Some(place) = arena.as_chunks_mut().0.get_mut(home(hash, PLACES)) {
            Slot { tag: hash as u32, node: apex }.write(place);
        }
        // The apex covers itself, so that a query for its DS records ends here too.
        let head: [u8; NODE_HEAD] = [wire.len() as u8, Flags::CUT | Flags::OCCLUDED, 0, 0];
        arena.extend_from_slice(&head);
        arena.extend_from_slice(wire);
        arena.extend_from_slice(&apex.to_le_bytes());
        let mut renderer = Renderer::default();
        renderer.begin(wire);
        let negative_soa = renderer.finish(&mut arena) as u32;
        ZoneImage {
            arena: arena.into(),
            places: PLACES as u32,
            apex: NodeAt(apex),
            negative_soa,
            origin_labels: origin.label_count() as u8,
            origin_length: wire.len() as u8,
            groups: Box::default(),
            visibility,
            file,
            denial: Denial::Unsigned,
            counts: Counts::default(),
            endings: None,
            origin,
        }
    }

    /// Whether it is a claim. The apex of a served zone is never a delegation.
    pub fn is_claim(&self) -> bool {
        self.apex().flags.has(Flags::CUT)
    }
}

impl Snapshot {
    /// The files whose zones are claimed and not served.
    pub fn claims(&self) -> BTreeSet<&str> {
        let images = self.zones.numbers().map(|zone| self.image(zone));
        images.filter(|image| image.is_claim()).map(|image| &*image.file).collect()
    }
}
