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
