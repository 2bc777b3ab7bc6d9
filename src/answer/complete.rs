//! What stands beside an answer: glue, and in full responses the zone's name servers and the addresses clients will want.

use super::walk::Walk;
use super::{Chooser, Item, Owner, What};
use crate::snapshot::image::{Flags, Found, Node, SetAt};
use crate::snapshot::zones::ZoneNumber;
use crate::why::Why;
use crate::wire::layout::target;
use crate::wire::name::is_under;
use crate::wire::response::Section;
use crate::wire::rtype::{Rcode, Type};

/// The addresses of at most so many names are added: more would not fit most replies, and each costs a lookup.
const TARGETS_MAX: usize = 32;

impl<'s, C: Chooser, W: Why> Walk<'s, '_, C, W> {
    /// Adds to a positive answer what a full response has. A minimal one is ready as it is, save that whoever asks for
    /// name servers is told how to reach them: so do all servers, and priming relies on it (RFC 8109, 4.1).
    pub fn complete(&mut self) {
        let minimal = self.snapshot.settings.minimal_responses;
        if (minimal && self.query.rtype != Type::NS) || self.answer.rcode != Rcode::NOERROR {
            return;
        }
        // Proofs may stand in AUTHORITY beside the servers, an SOA or a referral may not.
        let leads_away = |item: &Item| match item.what {
            What::Set { rtype, .. } => matches!(rtype, Type::SOA | Type::NS),
            What::Referral { .. } => true,
            What::Cname { .. } | What::Outside { .. } => false,
        };
        let mut authority = self.answer.items.iter().filter(|item| item.section == Section::Authority);
        let ends_here = !authority.any(leads_away);
        if let Some(zone) = self.answer.zone
            && ends_here
            && !minimal
            && self.answer.has_answer()
        {
            self.name_servers(zone);
        }
        let mut targets = 0;
        let mut index = 0;
        while let Some(item) = self.answer.items.get(index).copied() {
            index += 1;
            if let What::Set { zone, node, set, rtype, .. } = item.what
                && item.section != Section::Additional
                && (!minimal || (item.section == Section::Answer && rtype == Type::NS))
            {
                let node = self.snapshot.image(zone).node(node);
                self.addresses(zone, node, rtype, set, &mut targets);
            }
        }
    }

    fn name_servers(&mut self, zone: ZoneNumber) {
        let apex = self.snapshot.image(zone).apex();
        let Some(Found::Set(set)) = apex.find(Type::NS) else { return };
        let there =
            self.answer.items.iter().any(
                |item| matches!(item.what, What::Set { zone: other, set: same, .. } if (other, same) == (zone, set)),
            );
        if there {
            return;
        }
        let inside = self.chased.is_none() || is_under(self.query.name.wire(), apex.name);
        let (owner, aligned) = if inside {
            (Owner::Question((self.query.name.wire().len() - apex.name.len()) as u8), true)
        } else {
            (Owner::Node, false)
        };
        let signatures = if self.dnssec { apex.signatures(Type::NS) } else { None };
        for (rtype, set) in [Some((Type::NS, set)), signatures.map(|set| (Type::RRSIG, set))].into_iter().flatten() {
            self.push(Item {
                section: Section::Authority,
                owner,
                what: What::Set { zone, node: apex.at, set, rtype, aligned },
                ttl: None,
                required: false,
                spin: 0,
            });
        }
    }

    /// The addresses of the names that a set's data points at, from the same zone.
    fn addresses(&mut self, zone: ZoneNumber, node: Node<'s>, rtype: Type, set: SetAt, targets: &mut usize) {
        let image = self.snapshot.image(zone);
        if crate::wire::layout::layout(rtype).is_empty() {
            return;
        }
        for record in image.set(node, set).records() {
            let mut data = [0; 1 + crate::wire::name::NAME_MAX];
            let Some(length) = self.target_of(rtype, &record, &mut data) else { return };
            // A service binding that names the root means its own owner (RFC 9460, 2.5).
            let wanted =
                if length == 1 && matches!(rtype, Type::SVCB | Type::HTTPS) { node.name } else { &data[..length] };
            if !is_under(wanted, image.origin.wire()) || *targets >= TARGETS_MAX {
                continue;
            }
            *targets += 1;
            if let Some(found) = image.find(wanted, self.snapshot.key.of(wanted)) {
                let glue_only = found.flags.has(Flags::OCCLUDED | Flags::CUT);
                if rtype == Type::NS || !glue_only {
                    self.push_addresses(zone, found, false);
                }
            }
        }
    }

    /// The lower-cased name that a record points at; returns its length.
    fn target_of(
        &mut self,
        rtype: Type,
        record: &crate::wire::fragment::Rendered<'_>,
        into: &mut [u8; 1 + crate::wire::name::NAME_MAX],
    ) -> Option<usize> {
        let start = self.answer.names.len();
        record.data(&mut self.answer.names);
        let length = target(rtype, &self.answer.names[start..]).map(|name| {
            into[..name.len()].copy_from_slice(name);
            into[..name.len()].make_ascii_lowercase();
            name.len()
        });
        self.answer.names.truncate(start);
        length
    }

    /// A cut's glue: without the addresses of servers below the cut itself nobody finds them (RFC 9471).
    pub fn glue(&mut self, zone: ZoneNumber, cut: Node<'s>, set: SetAt) {
        let image = self.snapshot.image(zone);
        for record in image.set(cut, set).records().take(TARGETS_MAX) {
            let mut data = [0; 1 + crate::wire::name::NAME_MAX];
            let Some(length) = self.target_of(Type::NS, &record, &mut data) else { continue };
            let server = &data[..length];
            if is_under(server, image.origin.wire())
                && let Some(found) = image.find(server, self.snapshot.key.of(server))
            {
                self.push_addresses(zone, found, is_under(server, cut.name));
            }
        }
    }

    fn push_addresses(&mut self, zone: ZoneNumber, node: Node<'s>, required: bool) {
        for rtype in [Type::A, Type::AAAA] {
            let Some(Found::Set(set)) = node.find(rtype) else { continue };
            let said =
                |item: &Item| matches!(item.what, What::Set { zone: of, set: same, .. } if (of, same) == (zone, set));
            if self.answer.items.iter().any(said) {
                continue;
            }
            let mut sets = [Some((rtype, set)), None];
            if self.dnssec && !node.flags.has(Flags::OCCLUDED) {
                sets[1] = node.signatures(rtype).map(|set| (Type::RRSIG, set));
            }
            for (rtype, set) in sets.into_iter().flatten() {
                self.push(Item {
                    section: Section::Additional,
                    owner: Owner::Node,
                    what: What::Set { zone, node: node.at, set, rtype, aligned: false },
                    ttl: None,
                    required,
                    spin: 0,
                });
            }
        }
    }
}
