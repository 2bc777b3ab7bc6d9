//! Weighted routing: members are chosen in proportion to their weights.
//! A weight of 0 means standby: chosen only when no heavier member is healthy.
//!
//! | healthy, weight > 0 | healthy, weight 0 | chosen among                                    |
//! |---------------------|-------------------|-------------------------------------------------|
//! | some                | any               | the healthy heavy ones, in proportion           |
//! | none                | some              | the healthy standbys, equally                   |
//! | none                | none              | all heavy ones, in proportion: the last resort  |
//! | (no heavy members)  | none              | all members, equally: the last resort           |
//!
//! Route 53 Developer Guide, "Weighted routing" and "How Amazon Route 53 chooses records when health checking is
//! configured".

use super::odds::Odds;
use super::{Choice, Member, MemberSet, Reason};
use crate::dice::Dice;
use crate::dice::odds::Share;

#[derive(Clone, Debug)]
pub struct Weighted {
    everybody: MemberSet,
    /// Those with a weight above 0.
    heavy: MemberSet,
    weights: Box<[u8]>,
    /// For each member, the weights up to and with its own. The last is the weight of all.
    sums: Box<[u32]>,
}

impl Weighted {
    pub fn new(weights: &[u8]) -> Weighted {
        let heavy = (0..).zip(weights).filter(|&(_, &weight)| weight > 0).map(|(member, _)| Member(member)).collect();
        let sums = weights.iter().scan(0, |sum, &weight| {
            *sum += u32::from(weight);
            Some(*sum)
        });
        Weighted { everybody: MemberSet::first_of(weights.len()), heavy, weights: weights.into(), sums: sums.collect() }
    }

    pub fn choose(&self, healthy: MemberSet, dice: &mut dyn Dice) -> Choice {
        let eligible = self.eligible(healthy);
        Choice::of(if (eligible & self.heavy).is_empty() { eligible.any(dice) } else { self.by_weight(eligible, dice) })
    }

    /// Who the draw is among: the table above.
    fn eligible(&self, healthy: MemberSet) -> MemberSet {
        let healthy = healthy & self.everybody;
        (healthy & self.heavy).or(healthy).or(self.heavy).or(self.everybody)
    }

    fn by_weight(&self, eligible: MemberSet, dice: &mut dyn Dice) -> Option<Member> {
        if eligible.len() == 1 {
            return eligible.first();
        }
        let drawn = dice.roll(self.weight_of(eligible));
        if eligible == self.heavy {
            let member = self.sums.partition_point(|&sum| sum <= drawn);
            return u8::try_from(member).ok().map(Member);
        }
        let mut left = drawn;
        eligible.iter().find(|member| {
            let weight = u32::from(self.weights[member.index()]);
            let found = left < weight;
            left = left.saturating_sub(weight);
            found
        })
    }

    fn weight_of(&self, members: MemberSet) -> u32 {
        if members == self.heavy {
            return self.sums.last().copied().unwrap_or(0);
        }
        members.iter().map(|member| u32::from(self.weights[member.index()])).sum()
    }

    pub fn odds(&self, healthy: MemberSet) -> Odds {
        let eligible = self.eligible(healthy);
        let share = |member: Member| match self.weight_of(eligible) {
            0 => Share::one_of(eligible.len() as u32),
            total => Share::new(u128::from(self.weights[member.index()]), u128::from(total)).unwrap_or(Share::ZERO),
        };
        Odds::one_of(eligible.iter().map(|member| (member, share(member))).collect())
    }

    pub fn reason(&self, healthy: MemberSet, chosen: Choice) -> Reason {
        let eligible = self.eligible(healthy);
        let Some(member) = chosen.members().first() else { return Reason::Nobody };
        Reason::Weighted {
            weight: self.weights.get(member.index()).copied().unwrap_or(0),
            total: self.weight_of(eligible),
            among: eligible.len(),
            last_resort: (healthy & self.everybody).is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::odds::play_all;

    /// Odds as `m0 3/4, m1 1/4`, once by playing every fall of the dice and once by arithmetic: they must agree.
    fn odds(weights: &[u8], healthy: &[u8]) -> String {
        let weighted = Weighted::new(weights);
        let healthy = healthy.iter().map(|&member| Member(member)).collect();
        let played = play_all(100_000, |dice| weighted.choose(healthy, dice).members().first()).unwrap();
        let played: Vec<_> = played.iter().map(|(member, share)| format!("{} {share}", member.unwrap())).collect();
        let counted = weighted.odds(healthy);
        let counted: Vec<_> = counted.members.iter().map(|(member, share)| format!("{member} {share}")).collect();
        assert_eq!(played, counted);
        played.join(", ")
    }

    /// route53.md 2.2.1 and 2.2.2.
    #[test]
    fn a_share_is_weight_by_sum() {
        assert_eq!(odds(&[1, 255], &[0, 1]), "m0 1/256, m1 255/256");
        assert_eq!(odds(&[4, 5, 5, 6], &[0, 1, 2, 3]), "m0 1/5, m1 1/4, m2 1/4, m3 3/10");
        assert_eq!(odds(&[3, 1, 1], &[0, 1, 2]), "m0 3/5, m1 1/5, m2 1/5");
        assert_eq!(odds(&[7], &[0]), "m0 1");
    }

    /// route53.md 2.2.3.
    #[test]
    fn zero_weight_is_standby() {
        assert_eq!(odds(&[3, 0, 1], &[0, 1, 2]), "m0 3/4, m2 1/4");
        assert_eq!(odds(&[3, 0, 0], &[1, 2]), "m1 1/2, m2 1/2");
        assert_eq!(odds(&[0, 0, 0], &[0, 1, 2]), "m0 1/3, m1 1/3, m2 1/3");
        assert_eq!(odds(&[0, 0, 0], &[1]), "m1 1");
    }

    /// route53.md 2.2.4.
    #[test]
    fn weights_of_the_unhealthy_are_left_out() {
        assert_eq!(odds(&[10, 20, 20], &[0, 1]), "m0 1/3, m1 2/3");
        assert_eq!(odds(&[10, 20, 20], &[1]), "m1 1");
    }

    /// route53.md 2.2.5: the Developer Guide's table for weights 1, 1 and 0.
    #[test]
    fn the_table_of_the_guide() {
        //                third has a check, healthy members, answers
        let table: [(bool, &[u8], &str); 8] = [
            (true, &[2], "m2 1"),
            (true, &[], "m0 1/2, m1 1/2"),
            (true, &[1], "m1 1"),
            (true, &[0, 1], "m0 1/2, m1 1/2"),
            (true, &[0, 1, 2], "m0 1/2, m1 1/2"),
            (false, &[0, 1, 2], "m0 1/2, m1 1/2"),
            (false, &[2], "m2 1"),
            (false, &[1, 2], "m1 1"),
        ];
        for (checked, healthy, expected) in table {
            // A member without a check is always healthy.
            assert!(checked || healthy.contains(&2));
            assert_eq!(odds(&[1, 1, 0], healthy), expected, "{healthy:?}");
        }
    }

    /// route53.md 2.2.5, 3.2.2.
    #[test]
    fn nobody_healthy_is_everybody_healthy() {
        assert_eq!(odds(&[3, 0, 1], &[]), "m0 3/4, m2 1/4");
        assert_eq!(odds(&[0, 0], &[]), "m0 1/2, m1 1/2");
    }

    /// Every subset of six members, against the table read once more in other words.
    #[test]
    fn all_health_of_six() {
        let weights = [0, 5, 0, 2, 3, 0];
        for bits in 0..64_u128 {
            let is_healthy = |member: usize| bits >> member & 1 == 1;
            let tiers: [&dyn Fn(usize) -> bool; 3] =
                [&|member| is_healthy(member) && weights[member] > 0, &|member| is_healthy(member), &|member| {
                    weights[member] > 0
                }];
            let tier = tiers.iter().find(|tier| (0..6).any(tier)).unwrap();
            let expected: Vec<Member> = (0..6).filter(|&member| tier(member)).map(|m| Member(m as u8)).collect();
            let odds = Weighted::new(&weights).odds(MemberSet(bits));
            assert_eq!(odds.members.iter().map(|(member, _)| *member).collect::<Vec<_>>(), expected, "{bits:06b}");
        }
    }
}
