//! Whether a signed zone is signed as a whole, and for how long. All findings are warnings: the zone is served as it is.

use super::denial::Denial;
use super::image::{Node, ZoneImage};
use crate::model::zone::{RecordId, Records, ZoneData};
use crate::problem::{At, Problem, Problems};
use crate::wire::name::Shown;
use crate::wire::rdata::stamp;
use crate::wire::rtype::Type;

/// Ours: a signature that ends within seven days is reported. Signers renew theirs earlier than that.
const ENDS_SOON: i32 = 7 * 24 * 60 * 60;

/// Ours: of so many times at which signatures of a zone end, one signature each is known with its place.
const PLACES_MAX: usize = 32;

/// Where the expiration of an RRSIG stands (RFC 4034, 3.1).
const EXPIRATION: std::ops::Range<usize> = 8..12;

/// Whether a zone is meant to be signed, by the records of its apex.
pub(super) fn is_signed(records: &Records, apex: impl Iterator<Item = RecordId>) -> bool {
    let mut types = apex.map(|id| records.get(id).rtype);
    types.any(|rtype| matches!(rtype, Type::DNSKEY | Type::RRSIG | Type::NSEC | Type::NSEC3PARAM))
}

/// Sets with one cause: how many, and the first.
#[derive(Default)]
pub(super) struct Tally {
    count: usize,
    first: Option<(At, String)>,
}

impl Tally {
    fn add(&mut self, name: &[u8], rtype: Type, at: impl FnOnce() -> At) {
        self.count += 1;
        self.first.get_or_insert_with(|| (at(), format!("{} {rtype}", Shown(name))));
    }

    fn append(&mut self, later: Tally) {
        self.count += later.count;
        self.first = self.first.take().or(later.first);
    }

    fn report(self, zone: &ZoneData, [is, are]: [&str; 2], why: &str, remedy: &str) -> Option<Problem> {
        let (at, set) = self.first?;
        let what = match self.count {
            1 => format!("{set} {is} in the signed zone {}", zone.origin),
            count => format!("{count} record sets {are} in the signed zone {}, {set} is the first", zone.origin),
        };
        Some(Problem::warning(at, what, why, remedy))
    }
}

/// A signature with its place.
struct Ending {
    expiration: u32,
    at: At,
    set: String,
}

/// Some of a zone's signatures, in the order in which they end: the first, and one for each of the other times at which
/// signatures end. If there are too many of these times, those that lie close to another are left out.
#[derive(Default)]
pub(super) struct Endings(Vec<Ending>);

impl Endings {
    fn add(&mut self, expiration: u32, ending: impl FnOnce() -> Ending) {
        let Endings(all) = self;
        let place = all.partition_point(|one| left(one.expiration, expiration) < 0);
        if all.get(place).is_some_and(|one| one.expiration == expiration) {
            return;
        }
        all.insert(place, ending());
        if all.len() > PLACES_MAX {
            let gap = |at: &usize| left(all[*at].expiration, all[*at - 1].expiration);
            let closest = (1..all.len()).min_by_key(gap);
            if let Some(at) = closest {
                all.remove(at);
            }
        }
    }

    fn first(&self) -> Option<&Ending> {
        self.0.first()
    }

    /// The known signature that ends first at this time or later; the last of all if there is none.
    fn at_or_after(&self, time: u32) -> Option<&Ending> {
        self.0.iter().find(|one| left(one.expiration, time) >= 0).or(self.0.last())
    }
}

/// What the signatures of a zone, or of a part of it, show.
#[derive(Default)]
pub(super) struct Signing {
    unsigned: Tally,
    steered: Tally,
    endings: Endings,
}

impl Signing {
    pub fn unsigned(&mut self, name: &[u8], rtype: Type, at: impl FnOnce() -> At) {
        self.unsigned.add(name, rtype, at);
    }

    pub fn steered(&mut self, name: &[u8], rtype: Type, at: impl FnOnce() -> At) {
        self.steered.add(name, rtype, at);
    }

    pub fn signature(&mut self, name: &[u8], rdata: &[u8], at: impl FnOnce() -> At) {
        let Some(expiration) = expiration(rdata) else { return };
        self.endings.add(expiration, || {
            let covered = Type(u16::from_be_bytes([rdata[0], rdata[1]]));
            Ending { expiration, at: at(), set: format!("{} {covered}", Shown(name)) }
        });
    }

    pub fn append(&mut self, later: Signing) {
        let Signing { unsigned, steered, endings: Endings(endings) } = later;
        self.unsigned.append(unsigned);
        self.steered.append(steered);
        endings.into_iter().for_each(|ending| self.endings.add(ending.expiration, || ending));
    }

    /// Reports what holds whatever the time is. Returns when the signatures end.
    pub fn report(self, zone: &ZoneData, problems: &mut Problems) -> Option<Box<Endings>> {
        let why = "validating resolvers answer SERVFAIL for it";
        let remedy = "sign the zone again, as a whole";
        let unsigned = self.unsigned.report(zone, ["has no signature", "have no signature"], why, remedy);
        unsigned.into_iter().for_each(|problem| problems.push(problem.code("not-signed")));
        let why = "no signature holds for an answer that changes: validating resolvers answer SERVFAIL for it";
        let remedy = "move the steered names to an unsigned zone of their own, delegated without DS";
        let steered = self.steered.report(zone, ["is steered", "are steered"], why, remedy);
        steered.into_iter().for_each(|problem| problems.push(problem.code("steered-in-signed-zone")));
        self.endings.first().is_some().then(|| Box::new(self.endings))
    }
}

/// Seconds from `now` to then, in the arithmetic of RFC 1982 (RFC 4034, 3.1.5).
fn left(then: u32, now: u32) -> i32 {
    then.wrapping_sub(now).cast_signed()
}

fn expiration(rdata: &[u8]) -> Option<u32> {
    rdata.get(EXPIRATION)?.try_into().ok().map(u32::from_be_bytes)
}

impl ZoneImage {
    /// Whether it has signatures, which end some day.
    pub fn has_signatures(&self) -> bool {
        self.endings.is_some()
    }

    /// Adds warnings of signatures that have ended by `now`, in seconds since 1970, or end soon.
    pub fn check_signatures(&self, now: u32, problems: &mut Problems) {
        let Some(endings) = self.endings.as_deref() else { return };
        let Some(first) = endings.first() else { return };
        if left(first.expiration, now) >= ENDS_SOON {
            return;
        }
        let (mut ended, mut soon, mut next) = (0_usize, 0_usize, None);
        let mut count = |node: Node<'_>| {
            for set in node.all_signatures().map(|at| self.set(node, at)) {
                for expiration in set.records().filter_map(|record| expiration(record.stored())) {
                    match left(expiration, now) {
                        ..0 => ended += 1,
                        0..ENDS_SOON => {
                            soon += 1;
                            next = next.filter(|&next| left(next, expiration) <= 0).or(Some(expiration));
                        }
                        _ => {}
                    }
                }
            }
        };
        self.nodes().for_each(&mut count);
        if let Denial::Nsec3(nsec3) = self.denial() {
            // The owners of the chain are not in the table.
            nsec3.chain.iter().map(|&(_, at)| self.node(at)).filter(|node| node.has_only(Type::NSEC3)).for_each(count);
        }
        let (origin, remedy) = (&self.origin, "sign the zone again");
        if ended > 0 {
            let (time, set) = (stamp::show(first.expiration), &first.set);
            let what = match ended {
                1 => format!("a signature of {origin} ended on {time}, over {set}"),
                _ => format!("{ended} signatures of {origin} have ended, the first on {time}, over {set}"),
            };
            let why = "validating resolvers answer SERVFAIL for what they sign";
            problems.push(Problem::warning(first.at.clone(), what, why, remedy).code("signature-ended"));
        }
        if let Some(next) = next {
            let at = endings.at_or_after(next).unwrap_or(first).at.clone();
            let time = stamp::show(next);
            let what = match soon {
                1 => format!("a signature of {origin} ends within 7 days, on {time}"),
                _ => format!("{soon} signatures of {origin} end within 7 days, the first on {time}"),
            };
            let why = "after that validating resolvers answer SERVFAIL";
            problems.push(Problem::warning(at, what, why, remedy).code("signature-ends-soon"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endings(times: impl Iterator<Item = u32>) -> Endings {
        let mut endings = Endings::default();
        for expiration in times {
            let at = At { file: "a.zone".into(), line: expiration, column: 1, length: 0 };
            endings.add(expiration, || Ending { expiration, at, set: String::new() });
        }
        endings
    }

    #[test]
    fn the_signature_that_ends_next_is_known_with_its_place() {
        let few = endings([30, 10, 20, 10].into_iter());
        assert_eq!(few.0.iter().map(|one| one.at.line).collect::<Vec<_>>(), [10, 20, 30]);
        let next = |time| few.at_or_after(time).map(|one| one.expiration);
        assert_eq!([0, 10, 11, 31].map(next), [Some(10), Some(10), Some(20), Some(30)]);
        assert!(endings([].into_iter()).at_or_after(0).is_none());
    }

    #[test]
    fn of_many_signatures_the_places_stay_few_and_spread() {
        let spread = 8;
        let many = endings((0..10_000).map(|at| at * 7919 % 10_000));
        assert_eq!(many.0.len(), PLACES_MAX);
        assert_eq!(many.first().map(|one| one.expiration), Some(0));
        for time in (0..9_000).step_by(100) {
            let found = many.at_or_after(time).map(|one| one.expiration - time);
            assert!(found.is_some_and(|after| after <= 10_000 / PLACES_MAX as u32 * spread), "{time}: {found:?}");
        }
    }
}
