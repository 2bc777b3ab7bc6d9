//! Where a name leads in a zone: to a node, a wildcard, a cut, or nowhere (RFC 1034, 4.3.2; RFC 4592, 3.3).

use super::image::{Flags, Node, ZoneImage};
use crate::wire::hash::{HashKey, Hashes};
use crate::wire::query::QueryName;
use crate::wire::rtype::Type;

/// Where a name leads in a zone.
pub enum Located<'z> {
    Exact(Node<'z>),
    /// The wildcard that answers for the name, and the closest encloser right above it.
    Wildcard {
        wildcard: Node<'z>,
        encloser: Node<'z>,
    },
    Cut(Node<'z>),
    Dname(Node<'z>),
    NoName {
        encloser: Node<'z>,
    },
}

/// Where a name leads in a zone that it lies in.
#[inline(always)]
pub fn locate<'z>(image: &'z ZoneImage, name: &QueryName, hashes: &Hashes, rtype: Type, key: &HashKey) -> Located<'z> {
    if let Some(node) = image.find(name.wire(), hashes[0]) {
        return match node.cover() {
            Some(cover) => covered(image.node(cover)),
            None if node.flags.has(Flags::CUT) && rtype != Type::DS => Located::Cut(node),
            None => Located::Exact(node),
        };
    }
    let above = name.labels() - image.origin_labels();
    for (skip, &hash) in hashes[..=above].iter().enumerate().skip(1) {
        let Some(node) = image.find(name.suffix(skip), hash) else { continue };
        if let Some(cover) = node.cover() {
            return covered(image.node(cover));
        }
        if node.flags.has(Flags::CUT | Flags::DNAME) {
            return covered(node);
        }
        if node.flags.has(Flags::WILDCARD_BELOW) {
            let hash = key.extend(hash, b"\x01*");
            if let Some(wildcard) = image.find_wildcard(node.name, hash) {
                return Located::Wildcard { wildcard, encloser: node };
            }
        }
        return Located::NoName { encloser: node };
    }
    // The apex is a node, so this is for a name outside the zone, which nobody asks it for.
    Located::NoName { encloser: image.apex() }
}

fn covered(cover: Node<'_>) -> Located<'_> {
    if cover.flags.has(Flags::CUT) { Located::Cut(cover) } else { Located::Dname(cover) }
}
