//! Members of a group, and sets of them as bits of one number.

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

use crate::dice::Dice;

/// Members that one group may have. Route 53 allows 100; the rest is room for `limits = "none"`.
pub const MEMBERS_MAX: usize = 128;

/// A record set's place in its group, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Member(pub u8);

impl Member {
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}

/// Up to 128 members of one group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct MemberSet(pub u128);

impl MemberSet {
    pub const NOBODY: MemberSet = MemberSet(0);

    /// The first `count` members.
    pub fn first_of(count: usize) -> MemberSet {
        match count {
            0 => MemberSet(0),
            1..MEMBERS_MAX => MemberSet((1 << count) - 1),
            _ => MemberSet(u128::MAX),
        }
    }

    pub fn of(member: Member) -> MemberSet {
        MemberSet(1_u128.checked_shl(u32::from(member.0)).unwrap_or(0))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn contains(self, member: Member) -> bool {
        self.0.checked_shr(u32::from(member.0)).unwrap_or(0) & 1 == 1
    }

    pub fn with(self, member: Member) -> MemberSet {
        self | MemberSet::of(member)
    }

    pub fn first(self) -> Option<Member> {
        (!self.is_empty()).then(|| Member(self.0.trailing_zeros() as u8))
    }

    /// The member that has `rank` others of the set before it.
    pub fn nth(self, rank: usize) -> Option<Member> {
        self.iter().nth(rank)
    }

    /// One of them, all equally likely. One alone needs no dice.
    pub fn any(self, dice: &mut dyn Dice) -> Option<Member> {
        match self.len() {
            0 | 1 => self.first(),
            several => self.nth(dice.roll(several as u32) as usize),
        }
    }

    /// These, or the others where these are nobody: the last resort, "no one is healthy, so everyone is".
    pub fn or(self, others: MemberSet) -> MemberSet {
        if self.is_empty() { others } else { self }
    }

    pub fn iter(self) -> Members {
        Members(self.0)
    }
}

impl BitAnd for MemberSet {
    type Output = MemberSet;
    fn bitand(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 & other.0)
    }
}

impl BitOr for MemberSet {
    type Output = MemberSet;
    fn bitor(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 | other.0)
    }
}

impl Sub for MemberSet {
    type Output = MemberSet;
    fn sub(self, other: MemberSet) -> MemberSet {
        MemberSet(self.0 & !other.0)
    }
}

impl IntoIterator for MemberSet {
    type Item = Member;
    type IntoIter = Members;
    fn into_iter(self) -> Members {
        self.iter()
    }
}

impl FromIterator<Member> for MemberSet {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> MemberSet {
        members.into_iter().fold(MemberSet::NOBODY, MemberSet::with)
    }
}

/// Members in order.
pub struct Members(u128);

impl Iterator for Members {
    type Item = Member;
    fn next(&mut self) -> Option<Member> {
        let next = MemberSet(self.0).first()?;
        self.0 &= self.0 - 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let set: MemberSet = [0, 5, 127].map(Member).into_iter().collect();
        assert_eq!(set.iter().map(|m| m.0).collect::<Vec<_>>(), [0, 5, 127]);
        assert_eq!((set.len(), set.first(), set.nth(2), set.nth(3)), (3, Some(Member(0)), Some(Member(127)), None));
        assert!(set.contains(Member(127)) && !set.contains(Member(126)) && !set.contains(Member(200)));
        assert_eq!(set - MemberSet::of(Member(5)) - MemberSet::of(Member(127)), MemberSet::of(Member(0)));
        assert_eq!(MemberSet::of(Member(200)), MemberSet::NOBODY);
    }

    #[test]
    fn the_first_of_a_group() {
        for (count, expected) in [(0, 0), (1, 1), (3, 7), (127, u128::MAX >> 1), (128, u128::MAX), (500, u128::MAX)] {
            assert_eq!(MemberSet::first_of(count), MemberSet(expected), "{count}");
        }
    }

    #[test]
    fn nobody_gives_way_to_the_others() {
        let (a, b) = (MemberSet(1), MemberSet(6));
        assert_eq!((a.or(b), MemberSet::NOBODY.or(b)), (a, b));
    }
}
