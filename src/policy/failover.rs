//! Failover routing: the primary answers while it is healthy, the secondary when it isn't.
//!
//! | primary              | secondary          | chosen    |
//! |----------------------|--------------------|-----------|
//! | healthy, or no check | any                | primary   |
//! | unhealthy            | healthy, or no check | secondary |
//! | unhealthy            | unhealthy          | primary: the last resort |
//! | unhealthy            | (none)             | primary: the last resort |
//! | (none)               | any                | secondary |
//!
//! Route 53 Developer Guide, "How Amazon Route 53 chooses records when health checking is configured" and "Active-passive
//! failover". A group with only one of the two is not described there; the last resort answers.

use super::{Choice, Member, MemberSet, Reason};
use crate::model::record_set::Role;

#[derive(Clone, Debug)]
pub struct Failover {
    everybody: MemberSet,
    primaries: MemberSet,
}

impl Failover {
    pub fn new(roles: &[Role]) -> Failover {
        let primaries = (0..).zip(roles).filter(|&(_, &role)| role == Role::Primary).map(|(member, _)| Member(member));
        Failover { everybody: MemberSet::first_of(roles.len()), primaries: primaries.collect() }
    }

    pub fn choose(&self, healthy: MemberSet) -> Choice {
        let healthy = healthy & self.everybody;
        let order = (healthy & self.primaries).or(healthy).or(self.primaries).or(self.everybody);
        Choice::of(order.first())
    }

    pub fn reason(&self, healthy: MemberSet, chosen: Choice) -> Reason {
        let Some(member) = chosen.members().first() else { return Reason::Nobody };
        let role = if self.primaries.contains(member) { Role::Primary } else { Role::Secondary };
        Reason::Failover { role, last_resort: !healthy.contains(member) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// route53.md 2.8.1: the table of the Developer Guide; and 2.8.3: groups of one.
    #[test]
    fn the_table() {
        use Role::{Primary as P, Secondary as S};
        //             roles    healthy  chosen
        let table: [(&[Role], &[u8], u8); 12] = [
            (&[P, S], &[0, 1], 0),
            (&[P, S], &[0], 0),
            (&[P, S], &[1], 1),
            (&[P, S], &[], 0),
            (&[S, P], &[0, 1], 1),
            (&[S, P], &[1], 1),
            (&[S, P], &[0], 0),
            (&[S, P], &[], 1),
            (&[P], &[0], 0),
            (&[P], &[], 0),
            (&[S], &[0], 0),
            (&[S], &[], 0),
        ];
        for (roles, healthy, expected) in table {
            let healthy = healthy.iter().map(|&member| Member(member)).collect();
            assert_eq!(Failover::new(roles).choose(healthy), Choice::One(Member(expected)), "{roles:?} {healthy:?}");
        }
    }

    #[test]
    fn the_reason_tells_the_role_and_the_last_resort() {
        let failover = Failover::new(&[Role::Primary, Role::Secondary]);
        for (healthy, role, last_resort) in
            [(3, Role::Primary, false), (2, Role::Secondary, false), (0, Role::Primary, true)]
        {
            let healthy = MemberSet(healthy);
            let reason = failover.reason(healthy, failover.choose(healthy));
            assert_eq!(reason, Reason::Failover { role, last_resort });
        }
    }
}
