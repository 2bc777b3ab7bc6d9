//! Exact odds: a choice is made once for every way the dice can fall, and fractions are added up. Nothing is sampled.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::Dice;

/// An exact share of all outcomes, in lowest terms: never above 1 when it is a probability.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Share {
    numerator: u128,
    denominator: u128,
}

impl Share {
    pub const ZERO: Share = Share { numerator: 0, denominator: 1 };
    pub const ONE: Share = Share { numerator: 1, denominator: 1 };

    /// `None` where the denominator is zero.
    pub fn new(numerator: u128, denominator: u128) -> Option<Share> {
        let divisor = greatest_common_divisor(numerator, denominator);
        (denominator != 0).then(|| Share { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// One of `ways`, all alike.
    pub fn one_of(ways: u32) -> Share {
        Share { numerator: 1, denominator: u128::from(ways.max(1)) }
    }

    pub fn numerator(self) -> u128 {
        self.numerator
    }

    pub fn denominator(self) -> u128 {
        self.denominator
    }

    /// `None` where it doesn't fit 128 bits.
    pub fn plus(self, other: Share) -> Option<Share> {
        let divisor = greatest_common_divisor(self.denominator, other.denominator);
        let (left, right) = (self.denominator / divisor, other.denominator / divisor);
        let numerator = self.numerator.checked_mul(right)?.checked_add(other.numerator.checked_mul(left)?)?;
        Share::new(numerator, self.denominator.checked_mul(right)?)
    }

    /// `None` where it doesn't fit 128 bits.
    pub fn times(self, other: Share) -> Option<Share> {
        let crossed = Share::new(self.numerator, other.denominator)?;
        let other = Share::new(other.numerator, self.denominator)?;
        Some(Share {
            numerator: crossed.numerator.checked_mul(other.numerator)?,
            denominator: crossed.denominator.checked_mul(other.denominator)?,
        })
    }
}

impl Ord for Share {
    /// By whole parts, then by the fractions left over turned upside down: exact, and nothing overflows.
    fn cmp(&self, other: &Share) -> Ordering {
        let (mut left, mut right) = ((self.numerator, self.denominator), (other.numerator, other.denominator));
        let mut turned = false;
        loop {
            let whole = (left.0 / left.1).cmp(&(right.0 / right.1));
            let rests = (left.0 % left.1, right.0 % right.1);
            let ordering = match (whole, rests) {
                (Ordering::Equal, (0, 0)) => Ordering::Equal,
                (Ordering::Equal, (0, _)) => Ordering::Less,
                (Ordering::Equal, (_, 0)) => Ordering::Greater,
                (Ordering::Equal, (left_rest, right_rest)) => {
                    (left, right) = ((left.1, left_rest), (right.1, right_rest));
                    turned = !turned;
                    continue;
                }
                (unequal, _) => unequal,
            };
            return if turned { ordering.reverse() } else { ordering };
        }
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Share) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Calls `choose` once for every way the dice can fall, and gives each outcome its exact share.
/// `None` where that takes more than `limit` calls, or a share doesn't fit its 128 bits.
/// `choose` must depend on nothing but its dice.
pub fn play_all<T: Ord>(limit: usize, mut choose: impl FnMut(&mut dyn Dice) -> T) -> Option<BTreeMap<T, Share>> {
    let mut script = Script::default();
    let mut shares: BTreeMap<T, Share> = BTreeMap::new();
    for _ in 0..limit {
        let outcome = choose(&mut script);
        let share = script.share()?;
        let sum = shares.entry(outcome).or_insert(Share::ZERO);
        *sum = sum.plus(share)?;
        if !script.advance() {
            return Some(shares);
        }
    }
    None
}

/// Dice that count through every sequence of rolls, like an odometer.
#[derive(Default)]
struct Script {
    /// Value and sides of each roll so far.
    rolls: Vec<(u32, u32)>,
    position: usize,
}

impl Script {
    /// How likely the sequence just played is.
    fn share(&self) -> Option<Share> {
        let ways = self.rolls.iter().try_fold(1_u128, |ways, &(_, sides)| ways.checked_mul(u128::from(sides)))?;
        Share::new(1, ways)
    }

    /// Moves to the next sequence; false after the last.
    fn advance(&mut self) -> bool {
        self.position = 0;
        while let Some((value, sides)) = self.rolls.pop() {
            if value + 1 < sides {
                self.rolls.push((value + 1, sides));
                return true;
            }
        }
        false
    }
}

impl Dice for Script {
    fn roll(&mut self, sides: u32) -> u32 {
        if self.position == self.rolls.len() {
            self.rolls.push((0, sides.max(1)));
        }
        let (value, expected) = self.rolls[self.position];
        debug_assert_eq!(sides.max(1), expected, "a choice that depends on more than its dice has no odds");
        self.position += 1;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T: Ord + fmt::Debug>(shares: Option<BTreeMap<T, Share>>) -> String {
        let shares = shares.unwrap();
        let parts: Vec<_> = shares.iter().map(|(outcome, share)| format!("{outcome:?} {share}")).collect();
        parts.join(", ")
    }

    #[test]
    fn every_way_is_played() {
        assert_eq!(text(play_all(10, |_| 'a')), "'a' 1");
        assert_eq!(text(play_all(10, |dice| dice.roll(3))), "0 1/3, 1 1/3, 2 1/3");
        assert_eq!(text(play_all(100, |dice| dice.roll(6) + dice.roll(6) > 2)), "false 1/6, true 5/6");
        // Later rolls may depend on earlier ones.
        let uneven = play_all(10, |dice| if dice.roll(2) == 0 { 'a' } else { ['b', 'c', 'd'][dice.roll(3) as usize] });
        assert_eq!(text(uneven), "'a' 1/2, 'b' 1/6, 'c' 1/6, 'd' 1/6");
    }

    #[test]
    fn too_many_ways_are_given_up() {
        assert!(play_all(6, |dice| dice.roll(6)).is_some());
        assert!(play_all(5, |dice| dice.roll(6)).is_none());
        assert!(play_all(5, |dice| (0..5).map(|_| dice.roll(u32::MAX)).max()).is_none());
    }

    #[test]
    fn shares_are_exact() {
        let share = |n, d| Share::new(n, d).unwrap();
        assert_eq!(share(6, 8).to_string(), "3/4");
        assert_eq!(share(5, 5).to_string(), "1");
        assert_eq!(Share::ZERO.to_string(), "0");
        assert_eq!(Share::new(1, 0), None);
        assert_eq!(share(1, 6).plus(share(1, 3)), Some(share(1, 2)));
        assert_eq!(share(2, 3).times(share(3, 4)), Some(share(1, 2)));
        assert_eq!(share(1, u128::MAX).times(share(1, 2)), None);
        assert_eq!(share(1, u128::MAX).plus(share(1, u128::MAX - 1)), None);
    }

    #[test]
    fn shares_have_an_order() {
        let share = |n, d| Share::new(n, d).unwrap();
        let ordered = [
            Share::ZERO,
            share(1, u128::MAX),
            share(1, 3),
            share(3, 8),
            share(2, 5),
            share(1, 2),
            share(2, 3),
            Share::ONE,
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a} and {b}");
            }
        }
    }
}
