//! The exact odds of one group's choice.

use super::member::{Member, MemberSet};
use crate::dice::odds::Share;

/// More choices than this are not listed one by one: `odds --json` leaves whole answers out beyond it.
pub const CHOICES_MAX: usize = 1000;

#[derive(Clone, PartialEq, Debug)]
pub struct Odds {
    /// How likely each member is to be among the chosen. Those who can't be are left out.
    pub members: Vec<(Member, Share)>,
    /// Each possible choice; `None` where there are more than `CHOICES_MAX`.
    pub choices: Option<Vec<(MemberSet, Share)>>,
}

impl Odds {
    /// One choice, whatever the dice say.
    pub fn certain(chosen: MemberSet) -> Odds {
        Odds {
            members: chosen.iter().map(|member| (member, Share::ONE)).collect(),
            choices: Some(vec![(chosen, Share::ONE)]),
        }
    }

    /// One member each time.
    pub fn one_of(members: Vec<(Member, Share)>) -> Odds {
        let choices = members.iter().map(|&(member, share)| (MemberSet::of(member), share)).collect();
        Odds { members, choices: Some(choices) }
    }
}
