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

use std::sync::Arc;

use super::{Choice, Member, MemberSet, Ranking, Reason, Seen};
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
    pub(super) ranking: Option<Arc<Ranking>>,
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
            ranking: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::testing::{geography, shipped};
    use crate::policy::testing::{chosen, client, in_vpc};
    use crate::policy::{Policy, Seen};

    fn policy(regions: &[&str], geography: &Geography) -> Policy {
        Policy::Latency(Latency::new(regions, geography))
    }

    /// Who answers a client, by region.
    fn answer(regions: &[&str], down: &[&str], seen: &Seen<'_>) -> String {
        let up = (0..).zip(regions).filter(|(_, region)| !down.contains(region)).map(|(member, _)| Member(member));
        let chosen = chosen(&policy(regions, seen.geography), up.collect(), seen);
        chosen.map_or("nobody", |member| regions[member.index()]).to_string()
    }

    /// route53.md 2.3.1, with the guide's examples: London goes to Ireland, Chicago to Ohio.
    #[test]
    fn the_lowest_latency_answers() {
        let london_and_chicago =
            "network,country,latitude,longitude\n1.0.0.0/8,GB,51.5,-0.1\n2.0.0.0/8,US,41.9,-87.6\n";
        for geography in [shipped(london_and_chicago), geography(london_and_chicago, "", "")] {
            let seen = client(&geography, "1.1.1.1");
            assert_eq!(answer(&["us-east-2", "us-west-1", "eu-west-1"], &[], &seen), "eu-west-1");
            let seen = client(&geography, "2.2.2.2");
            assert_eq!(answer(&["us-west-2", "eu-west-1", "us-east-2"], &[], &seen), "us-east-2");
        }
    }

    /// route53.md 2.3.1: measured latencies count, wherever the region is.
    #[test]
    fn measured_beats_near() {
        let geography = geography(
            "network,country,subdivision,region\n1.0.0.0/8,DE,,\n2.0.0.0/8,US,CA,\n3.0.0.0/8,FR,,eu-north-1\n",
            "from,region,milliseconds\n\
             1.2.0.0/16,ap-northeast-1,1\n1.2.3.0/24,sa-east-1,0\nDE,us-east-1,3\nDE,ap-northeast-1,500\n\
             EU,us-west-1,2.5\nUS-CA,eu-west-1,1\nUS,eu-west-1,900\nUS,eu-west-2,0.5\neu-north-1,af-south-1,0\n",
            "",
        );
        let regions =
            ["eu-central-1", "us-east-1", "us-west-1", "ap-northeast-1", "sa-east-1", "eu-west-1", "af-south-1"];
        for (address, without, expected) in [
            ("1.2.3.4", &[][..], "sa-east-1"),             // the longest network
            ("1.2.3.4", &["sa-east-1"], "ap-northeast-1"), // the wider network's row, not the country's
            ("1.2.4.4", &[], "ap-northeast-1"),
            ("1.3.0.1", &[], "us-west-1"), // 2.5 ms from the continent's row, 3 ms from the country's
            ("1.3.0.1", &["us-west-1"], "us-east-1"),
            ("2.0.0.1", &[], "eu-west-1"),  // the state's row hides the country's
            ("3.0.0.1", &[], "af-south-1"), // by the client's region
            ("9.9.9.9", &[], "us-east-1"),  // nowhere: estimated from N. Virginia
        ] {
            assert_eq!(answer(&regions, without, &client(&geography, address)), expected, "{address} {without:?}");
        }
    }

    /// route53.md 2.3.2.
    #[test]
    fn china_keeps_its_own() {
        let geography = geography(
            "network,country\n1.0.0.0/8,CN\n2.0.0.0/8,KP\n",
            "from,region,milliseconds\nCN,us-east-1,1\n",
            "",
        );
        let regions = ["us-east-1", "cn-north-1"];
        assert_eq!(answer(&regions, &[], &client(&geography, "1.1.1.1")), "cn-north-1");
        assert_eq!(answer(&regions, &["cn-north-1"], &client(&geography, "1.1.1.1")), "us-east-1");
        assert_eq!(answer(&["us-east-1", "ap-northeast-1"], &[], &client(&geography, "1.1.1.1")), "us-east-1");
        let seen = client(&geography, "1.1.1.1");
        let policy = policy(&regions, &geography);
        let reason = policy.reason(MemberSet(3), &seen, Choice::One(Member(1)));
        assert_eq!(reason.to_string(), "cn-north-1 answers clients in China");
    }

    /// route53.md 2.3.3: every health of three regions.
    #[test]
    fn the_next_best_takes_over() {
        let geography = geography("network,country\n1.0.0.0/8,DE\n", "", "");
        let regions = ["ap-northeast-1", "eu-central-1", "us-east-1"];
        let order = [1, 2, 0];
        for healthy in 0..8_u128 {
            let expected = order.iter().find(|&&member| healthy >> member & 1 == 1).unwrap_or(&1);
            let chosen = chosen(&policy(&regions, &geography), MemberSet(healthy), &client(&geography, "1.1.1.1"));
            assert_eq!(chosen, Some(Member(*expected)), "{healthy:03b}");
        }
    }

    /// route53.md 2.3.4.
    #[test]
    fn a_vpc_goes_to_its_own_region_or_the_nearest() {
        let latency = "from,region,milliseconds\neu-west-2,us-east-1,0\n";
        let geography = geography("network,country\n10.0.0.0/8,AU\n", latency, "");
        let seen = in_vpc(&geography, "10.0.0.1", "eu-west-2");
        assert_eq!(answer(&["us-east-1", "eu-west-2", "eu-west-1"], &[], &seen), "eu-west-2");
        assert_eq!(answer(&["us-east-1", "eu-west-2", "eu-west-1"], &["eu-west-2"], &seen), "eu-west-1");
        assert_eq!(answer(&["us-east-1", "eu-central-1"], &[], &seen), "eu-central-1");
        assert_eq!(policy(&["us-east-1", "eu-west-2"], &geography).scope(MemberSet(3), &seen), 0);
    }

    /// route53.md 2.3.5: the shipped regions are those that latency records may name.
    #[test]
    fn every_region_is_known() {
        let regions = "us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 eu-west-1 eu-west-2 eu-west-3 eu-central-1 \
            eu-central-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-northeast-1 ap-northeast-2 ap-northeast-3 \
            eu-north-1 sa-east-1 cn-north-1 cn-northwest-1 ap-east-1 me-south-1 me-central-1 ap-south-1 ap-south-2 \
            af-south-1 eu-south-1 eu-south-2 ap-southeast-4 il-central-1 ca-west-1 ap-southeast-5 mx-central-1 \
            ap-southeast-7 us-gov-east-1 us-gov-west-1 ap-east-2 ap-southeast-6 eusc-de-east-1";
        let geography = geography("network\n", "", "");
        assert_eq!(regions.split_whitespace().filter(|name| geography.region_named(name).is_some()).count(), 39);
        assert_eq!(geography.ranks(crate::geo::PlaceId::UNKNOWN).len(), 39);
    }

    /// route53.md 2.3.6: a client that nobody can place counts as standing in N. Virginia, and it says so.
    #[test]
    fn the_unplaced_stand_in_virginia() {
        let geography = geography("network\n", "", "");
        let seen = client(&geography, "9.9.9.9");
        assert_eq!(answer(&["eu-west-1", "us-east-2"], &[], &seen), "us-east-2");
        let reason =
            policy(&["eu-west-1", "us-east-2"], &geography).reason(MemberSet(3), &seen, Choice::One(Member(1)));
        let said = reason.to_string();
        assert!(said.starts_with("us-east-2 has the lowest latency, 20 ms estimated from the distance;"), "{said}");
        assert!(said.ends_with("the client's whereabouts are unknown and count as N. Virginia"), "{said}");
    }

    #[test]
    fn a_region_nobody_knows_comes_last() {
        let geography = geography("network,country\n1.0.0.0/8,DE\n", "", "");
        let seen = client(&geography, "1.1.1.1");
        assert_eq!(answer(&["moon-1", "ap-southeast-2"], &[], &seen), "ap-southeast-2");
        assert_eq!(answer(&["moon-1", "ap-southeast-2"], &["ap-southeast-2"], &seen), "moon-1");
    }
}
