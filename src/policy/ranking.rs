//! Policies that go by the client's place, worked out ahead: for every place the order in which members come.
//!
//! | policy                                | the order of a place                                          |
//! |---------------------------------------|---------------------------------------------------------------|
//! | latency, geoproximity                 | all members, the nearest first                                |
//! | geolocation                           | the members that apply there, the smallest region first       |
//!
//! The first healthy member of the order answers; where none is healthy, the first; where there is no order, nobody. So
//! a table of small numbers stands for the policy, whoever is healthy, and a flip of health changes nothing in it.
//! Groups whose members say the same share one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Choice, Member, MemberSet};
use crate::geo::PlaceId;

/// Steps that the tables of all groups may take to make: ours, about a second's half. A group beyond it goes without,
/// and its policy is asked for each query.
const STEPS_MAX: usize = 1 << 24;

/// Bytes that the orders of one table may take: ours, it has to stay in a cache.
const ORDERS_MAX: usize = 1 << 20;

/// Ends an order that has not all members; no member has this number.
const END: u8 = u8::MAX;

#[derive(Debug)]
pub struct Ranking {
    /// For each place where its order begins.
    places: Box<[u32]>,
    /// Members, the first to answer first; each order ends with `END`.
    orders: Box<[u8]>,
}

impl Ranking {
    /// Asks a policy for every place: who of these members comes first, and who once they are gone?
    pub fn new(
        places: usize,
        members: usize,
        choose: impl Fn(MemberSet, PlaceId) -> Option<Member>,
    ) -> Option<Ranking> {
        let mut known = BTreeMap::<Vec<u8>, u32>::new();
        let (mut starts, mut orders) = (Vec::with_capacity(places), Vec::new());
        let mut order = Vec::with_capacity(members + 1);
        for place in (0..places as u32).map(PlaceId) {
            order.clear();
            let mut left = MemberSet::first_of(members);
            while let Some(next) = choose(left, place).filter(|&next| left.contains(next)) {
                order.push(next.0);
                left = left - MemberSet::of(next);
                if left.is_empty() {
                    break;
                }
            }
            order.push(END);
            let start = match known.get(&order) {
                Some(&start) => start,
                None => {
                    let start = orders.len() as u32;
                    orders.extend_from_slice(&order);
                    known.insert(order.clone(), start);
                    start
                }
            };
            starts.push(start);
            if orders.len() > ORDERS_MAX {
                return None;
            }
        }
        Some(Ranking { places: starts.into(), orders: orders.into() })
    }

    /// Who answers at a place.
    #[inline]
    pub fn choose(&self, healthy: MemberSet, place: PlaceId) -> Choice {
        let start = self.places.get(place.index()).map_or(self.orders.len(), |&start| start as usize);
        let order = self.orders.get(start..).unwrap_or_default();
        let mut first = None;
        for &member in order.iter().take_while(|&&member| member != END) {
            let member = Member(member);
            if healthy.contains(member) {
                return Choice::One(member);
            }
            first = first.or(Some(member));
        }
        Choice::of(first)
    }
}

/// Makes the tables of a snapshot's groups, one for all groups that say the same.
#[derive(Default)]
pub struct Rankings {
    known: BTreeMap<String, Option<Arc<Ranking>>>,
    steps: usize,
}

impl Rankings {
    /// The table of members that `says` tells apart.
    pub fn of(
        &mut self,
        says: String,
        places: usize,
        members: usize,
        choose: impl Fn(MemberSet, PlaceId) -> Option<Member>,
    ) -> Option<Arc<Ranking>> {
        if let Some(ranking) = self.known.get(&says) {
            return ranking.clone();
        }
        let steps = places.saturating_mul(members).saturating_mul(members);
        let ranking = if self.steps.saturating_add(steps) <= STEPS_MAX {
            self.steps += steps;
            Ranking::new(places, members, choose).map(Arc::new)
        } else {
            None
        };
        self.known.insert(says, ranking.clone());
        ranking
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::testing::shipped;
    use crate::model::record_set::{Location, Point, Routing};
    use crate::policy::{Policy, Seen, Settings, With};

    const WORLD: &str = "network,continent,country,subdivision,latitude,longitude,region\n\
        1.0.0.0/8,,US,CA,,,\n2.0.0.0/8,,US,NY,,,\n3.0.0.0/8,,CN,,,,\n4.0.0.0/8,,DE,,,,\n5.0.0.0/8,,JP,,,,\n\
        6.0.0.0/8,EU,,,,,\n7.0.0.0/8,,BR,,-23,-46,\n8.0.0.0/8,,AU,,-33,151,ap-southeast-2\n";

    /// Every place, every health: the table says what the policy says.
    #[test]
    fn a_table_stands_for_its_policy() {
        let geography = shipped(WORLD);
        let regions = ["us-east-1", "cn-north-1", "eu-west-1", "moon-1", "sa-east-1"];
        let latency = regions.map(|region| Routing::Latency { region: region.into() });
        let near = [0, 40, -30, 0, 10].map(|bias| (Point::Region(regions[bias as usize % 5].into()), bias));
        let near = near.map(|(point, bias)| Routing::Geoproximity { point, bias });
        let locations = [
            Location::Continent(*b"EU"),
            Location::Subdivision { country: *b"US", subdivision: *b"CA" },
            Location::Country(*b"US"),
            Location::Country(*b"DE"),
            Location::Default,
        ];
        let listed = locations.map(Routing::Geolocation);
        for (routing, members) in [(&latency[..], 5), (&near, 5), (&listed, 5), (&listed[..4], 4)] {
            let members_of: Vec<&Routing> = routing.iter().collect();
            let with = With { geography: &geography, collections: &BTreeMap::new(), settings: Settings::default() };
            let plain = Policy::new(&members_of, &with).expect("a group");
            let ranked = plain.clone().ranked(&members_of, &geography, &mut Rankings::default());
            for place in (0..geography.places() as u32).map(PlaceId) {
                for healthy in (0..1 << members).map(MemberSet) {
                    let seen = Seen { place, ..Seen::client(&geography, "1.1.1.1/32".parse().expect("a network")) };
                    let mut dice = crate::dice::Seeded::new(0);
                    let expected = plain.choose(healthy, &seen, &mut dice);
                    assert_eq!(ranked.choose(healthy, &seen, &mut dice), expected, "{routing:?} {place:?} {healthy:?}");
                }
            }
        }
    }

    #[test]
    fn groups_that_say_the_same_share_a_table() {
        let mut rankings = Rankings::default();
        let first = |healthy: MemberSet, _| healthy.first();
        let one = rankings.of("a".into(), 10, 2, first).expect("a table");
        let same = rankings.of("a".into(), 10, 2, first).expect("a table");
        let other = rankings.of("b".into(), 10, 2, first).expect("a table");
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        assert!(rankings.of("large".into(), STEPS_MAX, 2, first).is_none());
    }
}
