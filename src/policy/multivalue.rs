//! Multivalue answer routing: up to eight healthy members answer together.
//!
//! | healthy       | chosen                                     |
//! |---------------|--------------------------------------------|
//! | one to eight  | all of them, every time                    |
//! | more          | eight of them, each eight equally likely   |
//! | none          | up to eight of all members, the same way: the last resort |
//!
//! Route 53 Developer Guide, "Multivalue answer routing". The eight are record sets: a member with several values brings
//! them all.

use super::odds::{CHOICES_MAX, Odds};
use super::{Choice, MemberSet, Reason};
use crate::dice::Dice;
use crate::dice::odds::Share;

/// Route 53 answers with up to eight.
pub const TOGETHER_MAX: usize = 8;

#[derive(Clone, Debug)]
pub struct Multivalue {
    everybody: MemberSet,
}

impl Multivalue {
    pub fn new(members: usize) -> Multivalue {
        Multivalue { everybody: MemberSet::first_of(members) }
    }

    pub fn choose(&self, healthy: MemberSet, dice: &mut dyn Dice) -> Choice {
        let candidates = self.candidates(healthy);
        let surplus = candidates.len().saturating_sub(TOGETHER_MAX);
        Choice::Several(if surplus == 0 {
            candidates
        } else if surplus < TOGETHER_MAX {
            candidates - drawn(surplus, candidates, dice)
        } else {
            drawn(TOGETHER_MAX, candidates, dice)
        })
    }

    fn candidates(&self, healthy: MemberSet) -> MemberSet {
        (healthy & self.everybody).or(self.everybody)
    }

    pub fn odds(&self, healthy: MemberSet) -> Odds {
        let candidates = self.candidates(healthy);
        let (all, together) = (candidates.len(), candidates.len().min(TOGETHER_MAX));
        let share = Share::new(together as u128, all as u128).unwrap_or(Share::ZERO);
        let each = binomial(all, together).and_then(|ways| Some((ways, Share::new(1, ways)?)));
        Odds {
            members: candidates.iter().map(|member| (member, share)).collect(),
            choices: each
                .filter(|&(ways, _)| ways <= CHOICES_MAX as u128)
                .map(|(_, share)| subsets(candidates, together).into_iter().map(|set| (set, share)).collect()),
        }
    }

    pub fn reason(&self, healthy: MemberSet) -> Reason {
        let among = self.candidates(healthy).len();
        let last_resort = (healthy & self.everybody).is_empty();
        Reason::Multivalue { chosen: among.min(TOGETHER_MAX), among, last_resort }
    }
}

/// This many of them, one after the other.
fn drawn(count: usize, mut from: MemberSet, dice: &mut dyn Dice) -> MemberSet {
    let mut drawn = MemberSet::NOBODY;
    for _ in 0..count {
        let Some(member) = from.any(dice) else { break };
        drawn = drawn.with(member);
        from = from - MemberSet::of(member);
    }
    drawn
}

/// How many ways there are to take `some` out of `all`.
pub(crate) fn binomial(all: usize, some: usize) -> Option<u128> {
    if some > all {
        return Some(0);
    }
    // Each division is exact: what stands there is itself such a number.
    (1..=some).try_fold(1_u128, |ways, step| Some(ways.checked_mul((all - some + step) as u128)? / step as u128))
}

/// All subsets of this size. The caller has made sure that they are few.
fn subsets(of: MemberSet, size: usize) -> Vec<MemberSet> {
    if size == 0 {
        return vec![MemberSet::NOBODY];
    }
    let Some(first) = of.first() else { return Vec::new() };
    let rest = of - MemberSet::of(first);
    let with_first = subsets(rest, size - 1).into_iter().map(|set| set.with(first));
    let mut all: Vec<MemberSet> = with_first.collect();
    if rest.len() >= size {
        all.extend(subsets(rest, size));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Seeded;
    use crate::dice::odds::play_all;

    /// route53.md 2.7.1.
    #[test]
    fn up_to_eight_answer_together() {
        //           members, healthy, chosen: how many, how many ways
        let table = [(3, 0b111, 3, 1), (3, 0b101, 2, 1), (3, 0, 3, 1), (8, 0xff, 8, 1), (9, 0x1ff, 8, 9), (9, 0, 8, 9)];
        for (members, healthy, chosen, ways) in table {
            let multivalue = Multivalue::new(members);
            let healthy = MemberSet(healthy);
            let played = play_all(1000, |dice| multivalue.choose(healthy, dice).members()).unwrap();
            assert_eq!(played.len(), ways);
            assert!(played.keys().all(|set| set.len() == chosen && (*set - healthy.or(*set)).is_empty()));
            let odds = multivalue.odds(healthy);
            assert_eq!(odds.choices.unwrap().into_iter().collect::<std::collections::BTreeMap<_, _>>(), played);
        }
    }

    /// route53.md 2.7.1: each eight of ten is as likely as any other, played and counted.
    #[test]
    fn each_eight_is_as_likely() {
        let multivalue = Multivalue::new(10);
        let played = play_all(1000, |dice| multivalue.choose(MemberSet(0x3ff), dice).members()).unwrap();
        assert_eq!(played.len(), 45);
        assert!(played.values().all(|share| share.to_string() == "1/45"));
        let odds = multivalue.odds(MemberSet(0x3ff));
        assert_eq!(odds.choices.unwrap().len(), 45);
        assert!(odds.members.iter().all(|(_, share)| share.to_string() == "4/5"));
    }

    #[test]
    fn many_ways_are_counted_and_not_listed() {
        let multivalue = Multivalue::new(100);
        let odds = multivalue.odds(MemberSet::first_of(100));
        assert_eq!((odds.choices, odds.members.len()), (None, 100));
        assert!(odds.members.iter().all(|(_, share)| share.to_string() == "2/25"));
        let mut dice = Seeded::new(5);
        for healthy in [MemberSet::first_of(100), MemberSet::NOBODY, MemberSet::first_of(17)] {
            let Choice::Several(chosen) = multivalue.choose(healthy, &mut dice) else { panic!() };
            assert_eq!((chosen.len(), (chosen - healthy.or(chosen)).is_empty()), (8, true));
        }
        assert_eq!(multivalue.odds(MemberSet::first_of(12)).choices.unwrap().len(), 495);
        assert_eq!(multivalue.odds(MemberSet::first_of(13)).choices, None);
    }
}
