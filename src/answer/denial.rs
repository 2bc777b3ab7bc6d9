//! Proofs that something isn't there, from a zone that came signed (RFC 4035, 3.1.3 and 3.1.4; RFC 5155, 7.2).

use super::walk::{Walk, current_wire};
use super::{Chooser, Item, Owner, What};
use crate::snapshot::denial::{Denial, Nsec3};
use crate::snapshot::image::{Found, Node, NodeAt};
use crate::snapshot::zones::ZoneNumber;
use crate::why::Why;
use crate::wire::name::{NAME_MAX, parent};
use crate::wire::response::Section;
use crate::wire::rtype::Type;

impl<'s, C: Chooser, W: Why> Walk<'s, '_, C, W> {
    /// The name doesn't exist, and no wildcard covers it.
    pub fn prove_no_name(&mut self, zone: ZoneNumber, encloser: Node<'s>) {
        let image = self.snapshot.image(zone);
        match image.denial() {
            Denial::Unsigned => {}
            Denial::Nsec(_) => {
                let covering = image.nsec_before(current_wire(self.chased, self.query, self.answer));
                self.push_denial(zone, covering, Type::NSEC);
                let wildcard = wildcard_below(encloser.name);
                self.push_denial(zone, image.nsec_before(wildcard.wire()), Type::NSEC);
            }
            Denial::Nsec3(chain) => {
                if let Some(proven) = self.prove_encloser(zone, chain, encloser.name) {
                    let wildcard = wildcard_below(proven);
                    let covering = chain.covering(&chain.hash(wildcard.wire()));
                    self.push_denial(zone, covering, Type::NSEC3);
                }
            }
        }
    }

    /// The name exists without the type; with an encloser, the node is the wildcard that stands for it.
    pub fn prove_no_data(&mut self, zone: ZoneNumber, node: Node<'s>, encloser: Option<Node<'s>>) {
        let image = self.snapshot.image(zone);
        match (image.denial(), encloser) {
            (Denial::Unsigned, _) => {}
            (Denial::Nsec(_), None) => self.push_denial(zone, image.nsec_before(node.name), Type::NSEC),
            (Denial::Nsec(_), Some(_)) => {
                self.push_denial(zone, image.nsec_before(node.name), Type::NSEC);
                let covering = image.nsec_before(current_wire(self.chased, self.query, self.answer));
                self.push_denial(zone, covering, Type::NSEC);
            }
            (Denial::Nsec3(chain), None) => match chain.matching(&chain.hash(node.name)) {
                Some(matching) => self.push_denial(zone, Some(matching), Type::NSEC3),
                // Only a delegation without DS in an opt-out span has no NSEC3 of its own (RFC 5155, 7.2.4).
                None => {
                    if let Some(above) = parent(node.name) {
                        self.prove_encloser(zone, chain, above);
                    }
                }
            },
            (Denial::Nsec3(chain), Some(encloser)) => {
                self.prove_encloser(zone, chain, encloser.name);
                self.push_denial(zone, chain.matching(&chain.hash(node.name)), Type::NSEC3);
            }
        }
    }

    /// The name was made from a wildcard: it doesn't exist itself.
    pub fn prove_expansion(&mut self, zone: ZoneNumber, encloser: Option<Node<'s>>) {
        let image = self.snapshot.image(zone);
        let Some(encloser) = encloser else { return };
        let name = current_wire(self.chased, self.query, self.answer);
        match image.denial() {
            Denial::Unsigned => {}
            Denial::Nsec(_) => {
                let covering = image.nsec_before(name);
                self.push_denial(zone, covering, Type::NSEC);
            }
            Denial::Nsec3(chain) => {
                let covering = chain.covering(&chain.hash(next_closer(name, encloser.name)));
                self.push_denial(zone, covering, Type::NSEC3);
            }
        }
    }

    /// The DS set of a cut, or the proof that there is none.
    pub fn prove_delegation(&mut self, zone: ZoneNumber, cut: Node<'s>) {
        let image = self.snapshot.image(zone);
        if let Some(Found::Set(_)) = cut.find(Type::DS) {
            self.push_authority(zone, cut, Type::DS);
            return;
        }
        match image.denial() {
            Denial::Unsigned => {}
            Denial::Nsec(_) => self.push_denial(zone, image.nsec_before(cut.name), Type::NSEC),
            Denial::Nsec3(chain) => match chain.matching(&chain.hash(cut.name)) {
                Some(matching) => self.push_denial(zone, Some(matching), Type::NSEC3),
                None => {
                    if let Some(above) = parent(cut.name) {
                        self.prove_encloser_of(zone, chain, cut.name, above);
                    }
                }
            },
        }
    }

    fn prove_encloser<'e>(&mut self, zone: ZoneNumber, chain: &Nsec3, encloser: &'e [u8]) -> Option<&'e [u8]> {
        let mut name = [0; NAME_MAX];
        let wire = current_wire(self.chased, self.query, self.answer);
        let length = wire.len();
        name[..length].copy_from_slice(wire);
        self.prove_encloser_of(zone, chain, &name[..length], encloser)
    }

    /// RFC 5155, 7.2.1: that the closest encloser exists, and the name one label closer doesn't. In an opt-out span
    /// names that lead only to insecure delegations have no NSEC3, so the search goes up.
    fn prove_encloser_of<'e>(
        &mut self,
        zone: ZoneNumber,
        chain: &Nsec3,
        name: &[u8],
        encloser: &'e [u8],
    ) -> Option<&'e [u8]> {
        let mut encloser = encloser;
        loop {
            if let Some(matching) = chain.matching(&chain.hash(encloser)) {
                self.push_denial(zone, Some(matching), Type::NSEC3);
                let covering = chain.covering(&chain.hash(next_closer(name, encloser)));
                self.push_denial(zone, covering, Type::NSEC3);
                return Some(encloser);
            }
            encloser = parent(encloser)?;
        }
    }

    /// Adds an NSEC or NSEC3 set with its signatures, once.
    fn push_denial(&mut self, zone: ZoneNumber, at: Option<NodeAt>, rtype: Type) {
        let Some(at) = at else { return };
        let there = self.answer.items.iter().any(|item| {
            matches!(item.what, What::Set { zone: other, node, rtype: set, .. } if (other, node, set) == (zone, at, rtype))
                && item.section == Section::Authority
        });
        if !there {
            self.push_authority(zone, self.snapshot.image(zone).node(at), rtype);
        }
    }

    fn push_authority(&mut self, zone: ZoneNumber, node: Node<'s>, rtype: Type) {
        let sets = [
            node.find(rtype).and_then(|found| if let Found::Set(set) = found { Some((rtype, set)) } else { None }),
            node.signatures(rtype).map(|set| (Type::RRSIG, set)),
        ];
        for (rtype, set) in sets.into_iter().flatten() {
            self.push(Item {
                section: Section::Authority,
                owner: Owner::Node,
                what: What::Set { zone, node: node.at, set, rtype, aligned: false },
                ttl: None,
                required: true,
                spin: 0,
            });
        }
    }
}

/// A name that was put together.
struct Built {
    bytes: [u8; NAME_MAX + 2],
    length: usize,
}

impl Built {
    fn wire(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn wildcard_below(name: &[u8]) -> Built {
    let mut bytes = [0; NAME_MAX + 2];
    bytes[..2].copy_from_slice(b"\x01*");
    bytes[2..2 + name.len()].copy_from_slice(name);
    Built { bytes, length: 2 + name.len() }
}

/// The ancestor of a name (or itself) that is one label longer than its encloser.
fn next_closer<'a>(name: &'a [u8], encloser: &[u8]) -> &'a [u8] {
    let mut closer = name;
    while let Some(above) = parent(closer) {
        if above.len() <= encloser.len() {
            break;
        }
        closer = above;
    }
    closer
}
