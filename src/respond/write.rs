//! An answer's items, written set by set.

use crate::answer::{Answer, Item, Owner, What};
use crate::snapshot::Snapshot;
use crate::snapshot::image::{Found, Node};
use crate::snapshot::zones::ZoneNumber;
use crate::wire::fragment::QUESTION_AT;
use crate::wire::layout::target;
use crate::wire::name::{NAME_MAX, is_under};
use crate::wire::response::{Full, Owner as Under, Response, Section, Written};
use crate::wire::rtype::Type;

/// The usual answer, one set under the question's own name, is copied behind the question as it stands. None, and nothing
/// of use in `out`, where there is more to it.
#[inline(always)]
pub fn alone(snapshot: &Snapshot, answer: &Answer, echoed: &[u8], out: &mut [u8]) -> Option<Written> {
    let [item] = &answer.items[..] else { return None };
    let (What::Set { zone, set, .. }, Owner::Question(0), None) = (item.what, item.owner, item.ttl) else {
        return None;
    };
    let set = snapshot.image(zone).plain_set(set)?;
    let (question, rest) = out.split_at_mut_checked(echoed.len())?;
    let place = rest.get_mut(..set.bytes.len())?;
    question.copy_from_slice(echoed);
    set.copy_turned(item.spin, place);
    let mut counts = [0; 3];
    counts[item.section as usize] = set.count;
    Some(Written { length: echoed.len() + set.bytes.len(), counts })
}

/// Writes all items that fit. Returns whether one is missing that had to be there. `spare` is room for a name.
#[inline]
pub fn items(snapshot: &Snapshot, answer: &Answer, response: &mut Response<'_, '_>, spare: &mut Vec<u8>) -> bool {
    for item in &answer.items {
        match write(snapshot, answer, item, response, spare) {
            Ok(()) => {}
            Err(Full) if item.required => return true,
            Err(Full) => {}
        }
    }
    false
}

#[inline]
fn write(
    snapshot: &Snapshot,
    answer: &Answer,
    item: &Item,
    response: &mut Response<'_, '_>,
    spare: &mut Vec<u8>,
) -> Result<(), Full> {
    match item.what {
        What::Set { zone, node, set, aligned, .. } => {
            let image = snapshot.image(zone);
            if let Owner::Question(skip) = item.owner
                && let Some(set) = image.plain_set(set)
            {
                let owner_at = QUESTION_AT + usize::from(skip);
                return response.plain_set(item.section, owner_at, set, item.ttl, item.spin);
            }
            let node = image.node(node);
            let owner = owner(answer, item.owner, node);
            response.set(item.section, owner, aligned, image.set(node, set), item.ttl, item.spin)
        }
        What::Outside { at } => {
            let Some(set) = snapshot.upstream.set(at) else { return Ok(()) };
            let owner = match item.owner {
                Owner::Question(skip) => Under::Question(skip),
                Owner::Named(at) => Under::Name(answer.name(at)),
                // An alias answers under the name that was asked for.
                Owner::Node => return Ok(()),
            };
            response.set(item.section, owner, false, set, item.ttl, item.spin)
        }
        What::Cname { target, ttl } => {
            let owner = match item.owner {
                Owner::Question(skip) => Under::Question(skip),
                Owner::Named(at) => Under::Name(answer.name(at)),
                Owner::Node => return Ok(()),
            };
            response.record(item.section, owner, Type::CNAME, ttl, answer.name(target))
        }
        What::Referral { zone, cut, referral } => {
            let image = snapshot.image(zone);
            let cut = image.node(cut);
            let (servers, fragment) = image.referral(cut, referral);
            let Owner::Question(skip) = item.owner else { return Ok(()) };
            match response.referral(skip, servers, fragment) {
                Ok(()) => Ok(()),
                // It doesn't fit as a whole, or the question isn't in lower case: one set after the other, then.
                Err(Full) => referral_by_sets(snapshot, zone, cut, skip, response, spare),
            }
        }
    }
}

#[inline]
fn owner<'a>(answer: &'a Answer, owner: Owner, node: Node<'a>) -> Under<'a> {
    match owner {
        Owner::Question(skip) => Under::Question(skip),
        Owner::Named(at) => Under::Name(answer.name(at)),
        Owner::Node => Under::Name(node.name),
    }
}

/// The order of a referral's addresses: whether they are of servers below the cut, and which come together.
const GLUE: [(bool, &[Type]); 3] = [(true, &[Type::A, Type::AAAA]), (false, &[Type::A]), (false, &[Type::AAAA])];

/// The servers, and of their addresses what fits. Names are compressed against the question and each other, which
/// costs time but fits where the rendered referral doesn't. The addresses of servers below the cut come first and must
/// fit (RFC 9471). Of the other servers IPv4 addresses come first, so that more of them have one.
#[cold]
fn referral_by_sets(
    snapshot: &Snapshot,
    zone: ZoneNumber,
    cut: Node<'_>,
    skip: u8,
    response: &mut Response<'_, '_>,
    spare: &mut Vec<u8>,
) -> Result<(), Full> {
    let image = snapshot.image(zone);
    let Some(Found::Set(servers)) = cut.find(Type::NS) else { return Ok(()) };
    let servers = image.set(cut, servers);
    // Not aligned: the rendered set knows nothing of the question's labels below the cut.
    response.set(Section::Authority, Under::Question(skip), false, servers, None, 0)?;
    let mut missing = false;
    for (below, rtypes) in GLUE {
        for server in servers.records() {
            spare.clear();
            server.data(spare);
            let Some(name) = target(Type::NS, spare) else { continue };
            let mut lower = [0; NAME_MAX];
            let lower = &mut lower[..name.len()];
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            if is_under(lower, cut.name) != below || !is_under(lower, image.origin.wire()) {
                continue;
            }
            let Some(node) = image.find(lower, snapshot.key.of(lower)) else { continue };
            for &rtype in rtypes {
                if let Some(Found::Set(set)) = node.find(rtype) {
                    let set = image.set(node, set);
                    let written = response.set(Section::Additional, Under::Name(name), false, set, None, 0);
                    missing |= written.is_err() && below;
                }
            }
        }
    }
    if missing { Err(Full) } else { Ok(()) }
}
