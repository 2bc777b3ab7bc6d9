//! IP-based routing: the record for the CIDR location that the client's network is in.
//!
//! A block holds a network that is as long as it or longer; a shorter network is in no single block. Records for the
//! locations of the blocks around the client, the longest block first, and the default record `*` are applicable.
//!
//! | applicable records | chosen                                                               |
//! |--------------------|----------------------------------------------------------------------|
//! | some healthy       | the healthy one of the longest block; `*` after all blocks           |
//! | none healthy       | the one of the longest block, or `*`: the last resort                |
//! | none at all        | nobody: the answer is empty                                          |
//!
//! Where the longest block belongs to a location that no record is for, `Unlisted` says whether wider blocks count.
//!
//! Route 53 Developer Guide, "IP-based routing". What happens when a location's record is unhealthy is published for
//! geolocation only; this is the same walk.

use std::sync::Arc;

use super::{Choice, Member, MemberSet, Reason, Seen};
use crate::geo::CidrMap;
use crate::geo::cidr_map::Block;
use crate::model::record_set::CidrLocation;

/// What becomes of a client whose longest block is in a location that no record of the group is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unlisted {
    /// The default record answers, if there is one.
    #[default]
    ToDefault,
    /// The next wider block that has a record counts.
    ToWider,
}

#[derive(Clone, Debug)]
pub struct IpBased {
    /// `None` where no file defines the collection: no block ever matches.
    map: Option<Arc<CidrMap>>,
    locations: Box<[CidrLocation]>,
    /// The member for each location of the collection.
    members: Box<[Option<Member>]>,
    default: Option<Member>,
    unlisted: Unlisted,
}

impl IpBased {
    pub fn new(locations: &[&CidrLocation], map: Option<Arc<CidrMap>>, unlisted: Unlisted) -> IpBased {
        let mut members = vec![None; map.as_ref().map_or(0, |map| map.locations())];
        let mut default = None;
        for (member, location) in (0..).map(Member).zip(locations) {
            let slot = match location {
                CidrLocation::Default => Some(&mut default),
                CidrLocation::Named(name) => {
                    let number = map.as_ref().and_then(|map| map.location_named(name));
                    number.and_then(|number| members.get_mut(number.index()))
                }
            };
            if let Some(slot @ None) = slot {
                *slot = Some(member);
            }
        }
        IpBased {
            map,
            locations: locations.iter().map(|&location| location.clone()).collect(),
            members: members.into(),
            default,
            unlisted,
        }
    }

    pub fn choose(&self, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        Choice::of(match &self.map {
            Some(map) => self.walk(healthy, map.around(seen.network)),
            None => self.default,
        })
    }

    /// The first healthy record along the blocks, or else the first.
    fn walk<'b>(&self, healthy: MemberSet, blocks: impl Iterator<Item = &'b Block>) -> Option<Member> {
        let mut first = None;
        for (position, block) in blocks.enumerate() {
            match self.members.get(block.location.index()).copied().flatten() {
                Some(member) if healthy.contains(member) => return Some(member),
                Some(member) => first = first.or(Some(member)),
                None if position == 0 && self.unlisted == Unlisted::ToDefault => break,
                None => {}
            }
        }
        let default = self.default.filter(|&default| healthy.contains(default));
        default.or(first).or(self.default)
    }

    /// The length of the widest network around the client that fares as the client's own address does. It is longer
    /// than the client's network where narrower blocks inside that would have told more.
    pub fn scope(&self, healthy: MemberSet, seen: &Seen<'_>) -> u8 {
        let Some(map) = &self.map else { return 0 };
        let address = seen.network.network();
        let ours = self.walk(healthy, map.holding(address));
        map.scope(address, |blocks| self.walk(healthy, blocks) == ours)
    }

    pub fn reason(&self, healthy: MemberSet, seen: &Seen<'_>, chosen: Choice) -> Reason {
        let location = |member: Member| self.locations.get(member.index()).cloned();
        let Some((member, location)) = chosen.members().first().and_then(|m| Some((m, location(m)?))) else {
            return Reason::Nobody;
        };
        let is_its = |block: &&Block| self.members.get(block.location.index()) == Some(&Some(member));
        let block = self.map.as_ref().and_then(|map| map.around(seen.network).find(is_its));
        Reason::IpBased { location, block: block.map(|block| block.network), last_resort: !healthy.contains(member) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Geography;
    use crate::geo::testing::cidr_map;
    use crate::policy::Policy;
    use crate::policy::testing::{chosen, network};

    const BLOCKS: &[(&str, &[&str])] = &[
        ("wide", &["10.0.0.0/8", "2001:db8::/32"]),
        ("narrow", &["10.1.0.0/16"]),
        ("inner", &["10.1.2.0/24", "10.1.3.0/24", "2001:db8:0:1234::/64"]),
    ];

    fn policy(locations: &[&str], unlisted: Unlisted) -> Policy {
        let of = |name: &&str| match *name {
            "*" => CidrLocation::Default,
            name => CidrLocation::Named(name.into()),
        };
        let locations: Vec<CidrLocation> = locations.iter().map(of).collect();
        let map = Arc::new(cidr_map(BLOCKS));
        Policy::IpBased(IpBased::new(&locations.iter().collect::<Vec<_>>(), Some(map), unlisted))
    }

    fn answer(locations: &[&str], down: &[&str], client: &str) -> String {
        let geography = Geography::empty();
        let up = (0..).zip(locations).filter(|(_, name)| !down.contains(name)).map(|(member, _)| Member(member));
        let chosen = chosen(&policy(locations, Unlisted::ToDefault), up.collect(), &network(&geography, client));
        chosen.map_or("nobody", |member| locations[member.index()]).to_string()
    }

    /// route53.md 2.6.1, 2.6.2, 2.6.3, 2.6.4.
    #[test]
    fn the_longest_block_around_the_client_answers() {
        let all = ["wide", "narrow", "inner", "*"];
        for (client, expected) in [
            ("10.1.2.3/32", "inner"),
            ("10.1.2.0/24", "inner"),
            ("10.1.2.0/23", "narrow"), // shorter than the block
            ("10.1.0.0/15", "wide"),
            ("10.0.0.0/7", "*"),
            ("192.0.2.1/32", "*"),
            ("2001:db8:0:1234::/64", "inner"),
            ("2001:db8:0:1234::/48", "wide"),
            ("2001:db8::/31", "*"),
        ] {
            assert_eq!(answer(&all, &[], client), expected, "{client}");
        }
    }

    /// route53.md 2.6.5: locations without a record, by either setting.
    #[test]
    fn a_location_without_a_record() {
        assert_eq!(answer(&["wide", "*"], &[], "10.1.2.3/32"), "*");
        assert_eq!(answer(&["wide"], &[], "10.1.2.3/32"), "nobody");
        assert_eq!(answer(&["wide", "*"], &[], "10.2.0.1/32"), "wide");
        let geography = Geography::empty();
        let to_wider = policy(&["*", "wide"], Unlisted::ToWider);
        assert_eq!(chosen(&to_wider, MemberSet(3), &network(&geography, "10.1.2.3/32")), Some(Member(1)));
    }

    /// route53.md 2.6.6: neither block nor default: nobody. So it is for a collection nobody defined.
    #[test]
    fn nobody_is_for_the_others() {
        assert_eq!(answer(&["wide"], &[], "192.0.2.1/32"), "nobody");
        let default = CidrLocation::Default;
        let named = CidrLocation::Named("wide".into());
        let policy = Policy::IpBased(IpBased::new(&[&named, &default], None, Unlisted::ToDefault));
        let geography = Geography::empty();
        let seen = network(&geography, "10.0.0.1/32");
        assert_eq!((chosen(&policy, MemberSet(3), &seen), policy.scope(MemberSet(3), &seen)), (Some(Member(1)), 0));
    }

    /// route53.md 2.6.8: longest, wider, default, and then the longest again: every health of four.
    #[test]
    fn the_unhealthy_give_way_to_wider_blocks() {
        let all = ["*", "inner", "wide", "narrow"];
        let walks: [(&str, &[usize]); 4] = [
            ("10.1.2.3/32", &[1, 3, 2, 0]),
            ("10.1.9.9/32", &[3, 2, 0]),
            ("10.9.9.9/32", &[2, 0]),
            ("192.0.2.1/32", &[0]),
        ];
        for (client, walk) in walks {
            for healthy in 0..16 {
                let down: Vec<&str> = (0..4).filter(|&m| healthy >> m & 1 == 0).map(|m| all[m]).collect();
                let expected = walk.iter().find(|&&m| healthy >> m & 1 == 1).unwrap_or(&walk[0]);
                assert_eq!(answer(&all, &down, client), all[*expected], "{client} {down:?}");
            }
        }
    }

    /// Neighbours that fare alike share one scope, and what fares otherwise isn't in it.
    #[test]
    fn scopes_are_as_wide_as_the_truth() {
        let all = ["wide", "narrow", "inner", "*"];
        let geography = Geography::empty();
        for (client, healthy, expected) in [
            ("10.1.2.3/32", 15, 23), // two blocks of one location, side by side
            ("10.1.3.0/24", 15, 23),
            ("10.1.2.3/32", 0b1011, 16), // inner is down: narrow answers for it too
            ("10.1.2.3/32", 0b1001, 8),
            ("10.1.2.3/32", 0b1000, 0), // all but the default are down
            ("10.1.4.1/32", 15, 22),
            ("10.2.0.1/32", 15, 15),
            ("128.0.0.1/32", 15, 1),
            ("10.1.0.0/12", 15, 16), // not specific enough: the scope says so
            ("2001:db8:0:1234::1/128", 15, 64),
        ] {
            let scope = policy(&all, Unlisted::ToDefault).scope(MemberSet(healthy), &network(&geography, client));
            assert_eq!(scope, expected, "{client} {healthy:04b}");
        }
    }

    #[test]
    fn the_reason_names_location_and_block() {
        let policy = policy(&["narrow", "*"], Unlisted::ToDefault);
        let geography = Geography::empty();
        let seen = network(&geography, "10.1.9.0/24");
        let said = |healthy, member| policy.reason(MemberSet(healthy), &seen, Choice::One(Member(member))).to_string();
        assert_eq!(said(3, 0), "location narrow, block 10.1.0.0/16");
        assert_eq!(said(2, 1), "the default location *");
    }
}
