//! Latency routing: the member whose region is nearest to the client in milliseconds.
//!
//! | client                        | chosen among the healthy (nobody healthy: among all, the last resort) |
//! |-------------------------------|------------------------------------------------------------------------|
//! | in China, `cn-north-1` there  | `cn-north-1`, whatever the latency                                     |
//! | anywhere else                 | the region of the lowest latency                                       |
//! | of a private zone             | the region of its VPC, or else the region nearest to that by distance  |
//!
//! Equal latencies go by the regions' names, so that one client always gets one answer. A region that the geography
//! doesn't know comes last. A client that nobody can place counts as standing where `geo::geography::STANDS_IN` says.
//!
//! Route 53 Developer Guide, "Latency-based routing" and "Latency-based routing in private hosted zones".

use super::{Choice, Member, MemberSet, Reason, Seen};
use crate::geo::{Geography, RegionId};
use crate::model::Id;

/// Queries from China go here while it is healthy.
const CHINAS_OWN: &str = "cn-north-1";

#[derive(Clone, Debug)]
pub struct Latency {
    everybody: MemberSet,
    members: Box<[Named]>,
    /// The member of `cn-north-1`.
    chinese: MemberSet,
}

#[derive(Clone, Debug)]
struct Named {
    name: Id,
    region: Option<RegionId>,
}

/// What decided for a region.
#[derive(Clone, PartialEq, Debug)]
pub enum Because {
    /// It has the lowest latency from the client's place.
    Lowest(crate::geo::latency::Latency),
    /// The client is in China.
    China,
    /// The VPC is in this region.
    SameRegion,
    /// Of the regions here it is nearest to the VPC's.
    Nearest { kilometres: f64 },
    /// No region here is known to the geography.
    UnknownRegion,
}

impl Latency {
    pub fn new(regions: &[&str], geography: &Geography) -> Latency {
        let chinese = (0..).zip(regions).filter(|(_, name)| **name == CHINAS_OWN).map(|(member, _)| Member(member));
        Latency {
            everybody: MemberSet::first_of(regions.len()),
            members: regions
                .iter()
                .map(|&name| Named { name: Id::from(name), region: geography.region_named(name) })
                .collect(),
            chinese: chinese.collect(),
        }
    }

    pub fn choose(&self, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        let candidates = (healthy & self.everybody).or(self.everybody);
        if let Some(own) = seen.region_only {
            return Choice::of(self.nearest(candidates, own, seen.geography));
        }
        let chinese = candidates & self.chinese;
        if !chinese.is_empty() && is_in_china(seen) {
            return Choice::of(chinese.first());
        }
        let ranks = seen.geography.ranks(seen.place);
        Choice::of(candidates.iter().min_by_key(|&member| match self.members[member.index()].region {
            Some(region) => ranks.get(region.index()).map_or(u16::MAX, |&rank| u16::from(rank)),
            None => u16::MAX,
        }))
    }

    /// The member whose region is nearest to this one on the globe: the region itself is at no distance.
    fn nearest(&self, candidates: MemberSet, own: RegionId, geography: &Geography) -> Option<Member> {
        let from = geography.spot(geography.region_place(own));
        let distance = |member: Member| {
            let region = self.members[member.index()].region;
            let to = region.and_then(|region| geography.region(region));
            // Two regions may share a city; the VPC's own still comes first.
            (region != Some(own), to.map_or(f64::INFINITY, |to| from.chord_squared(to.coordinates.spot())))
        };
        candidates.iter().min_by(|&a, &b| {
            let ((a_other, a_far), (b_other, b_far)) = (distance(a), distance(b));
            a_other.cmp(&b_other).then(a_far.total_cmp(&b_far))
        })
    }

    pub fn reason(&self, healthy: MemberSet, seen: &Seen<'_>, chosen: Choice) -> Reason {
        let Some((member, named)) = chosen.members().first().and_then(|m| Some((m, self.members.get(m.index())?)))
        else {
            return Reason::Nobody;
        };
        let because = match (named.region, seen.region_only) {
            (None, _) => Because::UnknownRegion,
            (Some(region), Some(own)) if region == own => Because::SameRegion,
            (Some(region), Some(own)) => {
                let [from, to] = [own, region].map(|id| seen.geography.spot(seen.geography.region_place(id)));
                Because::Nearest { kilometres: from.kilometres(to) }
            }
            (Some(_), None) if self.chinese.contains(member) && is_in_china(seen) => Because::China,
            (Some(region), None) => match seen.geography.latency(seen.place, region) {
                Some(latency) => Because::Lowest(latency),
                None => Because::UnknownRegion,
            },
        };
        Reason::Latency {
            region: named.name.clone(),
            because,
            placed: seen.geography.place(seen.place).coordinates.is_some(),
            last_resort: (healthy & self.everybody).is_empty(),
        }
    }
}

fn is_in_china(seen: &Seen<'_>) -> bool {
    seen.geography.place(seen.place).country == Some(*b"CN")
}
