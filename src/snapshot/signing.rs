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

    fn report(self, zone: &ZoneData, is: &str, are: &str, why: &str, remedy: &str, problems: &mut Problems) {
        let Some((at, set)) = self.first else { return };
        let what = match self.count {
            1 => format!("{set} {is} in the signed zone {}", zone.origin),
            count => format!("{count} record sets {are} in the signed zone {}, {set} is the first", zone.origin),
        };
        problems.push(Problem::warning(at, what, why, remedy));
    }
}

/// The signature of a zone that ends first.
pub(super) struct FirstToEnd {
    expiration: u32,
    at: At,
    set: String,
}

/// What the signatures of a zone, or of a part of it, show.
#[derive(Default)]
pub(super) struct Signing {
    unsigned: Tally,
    steered: Tally,
    first_to_end: Option<FirstToEnd>,
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
        if self.first_to_end.as_ref().is_none_or(|first| left(expiration, first.expiration) < 0) {
            let covered = Type(u16::from_be_bytes([rdata[0], rdata[1]]));
            let set = format!("{} {covered}", Shown(name));
            self.first_to_end = Some(FirstToEnd { expiration, at: at(), set });
        }
    }

    pub fn append(&mut self, later: Signing) {
        let Signing { unsigned, steered, first_to_end } = later;
        self.unsigned.append(unsigned);
        self.steered.append(steered);
        let first = [self.first_to_end.take(), first_to_end].into_iter().flatten();
        self.first_to_end = first.reduce(|one, other| match left(other.expiration, one.expiration) {
            ..0 => other,
            _ => one,
        });
    }

    /// Reports what holds whatever the time is. Returns the signature that ends first.
    pub fn report(self, zone: &ZoneData, problems: &mut Problems) -> Option<Box<FirstToEnd>> {
        let bogus = "validating resolvers answer SERVFAIL for it";
        self.unsigned.report(
            zone,
            "has no signature",
            "have no signature",
            bogus,
            "sign the zone again, as a whole",
            problems,
        );
        self.steered.report(
            zone,
            "is steered",
            "are steered",
            "no signature holds for an answer that changes: validating resolvers answer SERVFAIL for it",
            "move the steered names to an unsigned zone of their own, delegated without DS",
            problems,
        );
        self.first_to_end.map(Box::new)
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
        self.first_to_end.is_some()
    }

    /// Adds warnings of signatures that have ended by `now`, in seconds since 1970, or end soon.
    pub fn check_signatures(&self, now: u32, problems: &mut Problems) {
        let Some(first) = self.first_to_end.as_deref() else { return };
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
        let number = |count: usize| if count == 1 { "a signature".into() } else { format!("{count} signatures") };
        let verb = |count: usize, one: &'static str, more: &'static str| if count == 1 { one } else { more };
        if ended > 0 {
            let what = format!(
                "{} of {origin} {} ended, the first on {}, over {}",
                number(ended),
                verb(ended, "has", "have"),
                stamp::show(first.expiration),
                first.set
            );
            let why = "validating resolvers answer SERVFAIL for what they sign";
            problems.push(Problem::warning(first.at.clone(), what, why, remedy));
        }
        if let Some(next) = next {
            let at = match ended {
                0 => first.at.clone(),
                _ => At { file: self.file.clone(), line: 1, column: 1, length: 0 },
            };
            let end = verb(soon, "ends", "end");
            let what = format!("{} of {origin} {end} within 7 days, the first on {}", number(soon), stamp::show(next));
            let why = "after that validating resolvers answer SERVFAIL";
            problems.push(Problem::warning(at, what, why, remedy));
        }
    }
}
