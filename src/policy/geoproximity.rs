//! Geoproximity routing: the member nearest to the client, distances stretched or shrunk by each member's bias.
//!
//! | healthy members | chosen                                                  |
//! |-----------------|---------------------------------------------------------|
//! | some            | the healthy one at the least biased distance            |
//! | none            | the one at the least biased distance: the last resort   |
//!
//! | bias         | biased distance, 2026 guide | biased distance, 2023 guide |
//! |--------------|-----------------------------|-----------------------------|
//! | positive, 0  | actual × (1 − bias/100)     | the same                    |
//! | negative     | actual × (1 − bias/100)     | actual ÷ (1 + bias/100)     |
//!
//! Distance is along the great circle. At equal distances the first member in the group wins. A client that nobody can
//! place counts as standing where `geo::geography::STANDS_IN` says.
//!
//! Route 53 Developer Guide, "Geoproximity routing", in its texts of April 2026 and April 2023, which differ.

use std::sync::Arc;

use super::{Choice, Member, MemberSet, Ranking, Reason, Seen};
use crate::geo::{Coordinates, Geography, Spot};
use crate::model::record_set::Point;

/// How a bias stretches a distance. Both texts are AWS's; which one is in use there can't be told from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BiasFormula {
    /// The text of 2026: always `actual × (1 − bias/100)`.
    #[default]
    Developer2026,
    /// The text of 2023: a negative bias divides, `actual ÷ (1 + bias/100)`.
    Developer2023,
}

impl BiasFormula {
    /// What a bias multiplies the distance with.
    pub fn factor(self, bias: i8) -> f64 {
        let share = f64::from(bias.clamp(-99, 99)) / 100.0;
        match self {
            BiasFormula::Developer2023 if bias < 0 => 1.0 / (1.0 + share),
            _ => 1.0 - share,
        }
    }

    fn other(self) -> BiasFormula {
        match self {
            BiasFormula::Developer2026 => BiasFormula::Developer2023,
            BiasFormula::Developer2023 => BiasFormula::Developer2026,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Geoproximity {
    everybody: MemberSet,
    members: Box<[Standing]>,
    formula: BiasFormula,
    /// Nobody has a bias: straight lines through the globe then tell who is nearest.
    unbiased: bool,
    pub(super) ranking: Option<Arc<Ranking>>,
}

#[derive(Clone, Debug)]
struct Standing {
    /// `None` where the geography doesn't know the region: such a member is farther than all others.
    spot: Option<Spot>,
    bias: i8,
    factor: f64,
}

impl Geoproximity {
    pub fn new(members: &[(&Point, i8)], formula: BiasFormula, geography: &Geography) -> Geoproximity {
        let spot = |point: &Point| match point {
            Point::Region(name) | Point::LocalZone(name) => {
                let region = geography.region(geography.region_named(name)?)?;
                Some(region.coordinates.spot())
            }
            &Point::Coordinates { latitude, longitude } => Some(Coordinates::new(latitude, longitude)?.spot()),
        };
        Geoproximity {
            everybody: MemberSet::first_of(members.len()),
            members: members
                .iter()
                .map(|&(point, bias)| Standing { spot: spot(point), bias, factor: formula.factor(bias) })
                .collect(),
            formula,
            unbiased: members.iter().all(|&(_, bias)| bias == 0),
            ranking: None,
        }
    }

    pub fn choose(&self, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        let client = seen.geography.spot(seen.place);
        Choice::of(if self.unbiased {
            self.least(healthy, |standing| standing.spot.map(|spot| client.chord_squared(spot)))
        } else {
            self.least(healthy, |standing| standing.spot.map(|spot| client.kilometres(spot) * standing.factor))
        })
    }

    fn least(&self, healthy: MemberSet, measure: impl Fn(&Standing) -> Option<f64>) -> Option<Member> {
        let mut nearest = None;
        for member in (healthy & self.everybody).or(self.everybody) {
            let distance = measure(&self.members[member.index()]).unwrap_or(f64::INFINITY);
            if nearest.is_none_or(|(_, least)| distance < least) {
                nearest = Some((member, distance));
            }
        }
        nearest.map(|(member, _)| member)
    }

    pub fn reason(&self, healthy: MemberSet, seen: &Seen<'_>, chosen: Choice) -> Reason {
        let Some((member, standing)) = chosen.members().first().and_then(|m| Some((m, self.members.get(m.index())?)))
        else {
            return Reason::Nobody;
        };
        let client = seen.geography.spot(seen.place);
        let other = self.formula.other();
        let by_the_other =
            self.least(healthy, |member| Some(client.kilometres(member.spot?) * other.factor(member.bias)));
        let kilometres = standing.spot.map(|spot| client.kilometres(spot));
        Reason::Geoproximity {
            kilometres,
            bias: standing.bias,
            biased: kilometres.map(|actual| actual * standing.factor),
            formula: self.formula,
            by_the_other_formula: by_the_other.filter(|&other| other != member),
            placed: seen.geography.place(seen.place).coordinates.is_some(),
            last_resort: (healthy & self.everybody).is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::testing::geography;
    use crate::policy::Policy;
    use crate::policy::testing::{chosen, client, in_vpc};

    fn point(latitude: f64, longitude: f64) -> Point {
        Point::Coordinates { latitude, longitude }
    }

    fn policy(members: &[(Point, i8)], formula: BiasFormula, geography: &Geography) -> Policy {
        let members: Vec<(&Point, i8)> = members.iter().map(|(point, bias)| (point, *bias)).collect();
        Policy::Geoproximity(Geoproximity::new(&members, formula, geography))
    }

    const AT_ZERO: &str = "network,latitude,longitude\n1.0.0.0/8,0,0\n";

    /// route53.md 2.5.1: regions, local zones and coordinates; 2.5.2: the nearest answers.
    #[test]
    fn the_nearest_answers() {
        let world = "network,latitude,longitude\n1.0.0.0/8,-34,-58\n2.0.0.0/8,40,-80\n3.0.0.0/8,36,140\n";
        let geography = geography(world, "", "");
        let members = [
            (Point::Region("us-east-1".into()), 0),
            (Point::LocalZone("us-east-1-bue-1".into()), 0),
            (point(35.68, 139.69), 0),
            (Point::Region("moon-1".into()), 0),
        ];
        let policy = policy(&members, BiasFormula::default(), &geography);
        for (address, expected) in [("1.1.1.1", 1), ("2.1.1.1", 0), ("3.1.1.1", 2)] {
            assert_eq!(
                chosen(&policy, MemberSet(15), &client(&geography, address)),
                Some(Member(expected)),
                "{address}"
            );
        }
        assert_eq!(chosen(&policy, MemberSet(8), &client(&geography, "1.1.1.1")), Some(Member(3)));
    }

    /// route53.md 2.5.3: both texts of the guide, row by row.
    #[test]
    fn the_bias_by_both_texts() {
        let table = [
            (99, 0.01, 0.01),
            (50, 0.5, 0.5),
            (25, 0.75, 0.75),
            (10, 0.9, 0.9),
            (0, 1.0, 1.0),
            (-10, 1.1, 1.0 / 0.9),
            (-25, 1.25, 4.0 / 3.0),
            (-50, 1.5, 2.0),
            (-99, 1.99, 100.0),
        ];
        for (bias, of_2026, of_2023) in table {
            assert!((BiasFormula::Developer2026.factor(bias) - of_2026).abs() < 1e-9, "{bias}");
            assert!((BiasFormula::Developer2023.factor(bias) - of_2023).abs() < 1e-9, "{bias}");
        }
        // A at 1.7 times the distance of B, which has bias -50: 1.5 against 2.
        let geography = geography(AT_ZERO, "", "");
        let members = [(point(0.0, 17.0), 0), (point(0.0, -10.0), -50)];
        let seen = client(&geography, "1.1.1.1");
        for (formula, expected) in [(BiasFormula::Developer2026, 1), (BiasFormula::Developer2023, 0)] {
            let policy = policy(&members, formula, &geography);
            assert_eq!(chosen(&policy, MemberSet(3), &seen), Some(Member(expected)));
            let reason = policy.reason(MemberSet(3), &seen, Choice::One(Member(expected)));
            let Reason::Geoproximity { by_the_other_formula, .. } = reason else { panic!() };
            assert_eq!(by_the_other_formula, Some(Member(1 - expected)));
        }
    }

    /// route53.md 2.5.4: the guide's example, 150 km with bias +50 against 100 km.
    #[test]
    fn the_example_of_the_guide() {
        let geography = geography(AT_ZERO, "", "");
        let seen = client(&geography, "1.1.1.1");
        let degrees = |kilometres: f64| (kilometres / 6371.0088).to_degrees();
        for (bias, expected) in [(50, 0), (0, 1)] {
            let members = [(point(0.0, degrees(150.0)), bias), (point(0.0, degrees(-100.0)), 0)];
            let policy = policy(&members, BiasFormula::default(), &geography);
            assert_eq!(chosen(&policy, MemberSet(3), &seen), Some(Member(expected)), "{bias}");
            let said = policy.reason(MemberSet(3), &seen, Choice::One(Member(0))).to_string();
            assert!(bias == 0 || said == "nearest, 150 km with bias +50 counts as 75 km", "{said}");
        }
    }

    /// route53.md 2.5.5: a bias on Oregon draws the west of Brazil to it, or sends the Midwest away.
    #[test]
    fn the_map_of_the_guide() {
        let world = "network,country,latitude,longitude\n1.0.0.0/8,BR,-13,-56\n2.0.0.0/8,US,32.8,-96.8\n3.0.0.0/8,CA,45.5,-73.6\n";
        let geography = geography(world, "", "");
        let points = ["us-west-2", "eu-central-1", "ap-northeast-1", "af-south-1", "me-south-1"];
        let answer = |bias, address| {
            let members =
                points.map(|region| (Point::Region(region.into()), if region == "us-west-2" { bias } else { 0 }));
            let policy = policy(&members, BiasFormula::default(), &geography);
            points[chosen(&policy, MemberSet(31), &client(&geography, address)).unwrap().index()]
        };
        assert_eq!((answer(0, "1.1.1.1"), answer(25, "1.1.1.1")), ("af-south-1", "us-west-2"));
        assert_eq!((answer(0, "2.1.1.1"), answer(25, "2.1.1.1")), ("us-west-2", "us-west-2"));
        assert_eq!((answer(0, "3.1.1.1"), answer(-70, "3.1.1.1")), ("us-west-2", "eu-central-1"));
    }

    /// route53.md 2.5.6: every health of four, biased and not, against distances sorted by hand.
    #[test]
    fn the_next_nearest_takes_over() {
        let geography = geography(AT_ZERO, "", "");
        let seen = client(&geography, "1.1.1.1");
        let at = [30.0, 10.0, -20.0, 40.0].map(|longitude| point(0.0, longitude));
        for (biases, order) in [([0; 4], [1, 2, 0, 3]), ([90, 0, 0, 90], [0, 3, 1, 2])] {
            let members: Vec<_> = at.iter().cloned().zip(biases).collect();
            let policy = policy(&members, BiasFormula::default(), &geography);
            for healthy in 0..16_u128 {
                let expected = order.iter().find(|&&member| healthy >> member & 1 == 1).unwrap_or(&order[0]);
                assert_eq!(chosen(&policy, MemberSet(healthy), &seen), Some(Member(*expected)), "{healthy:04b}");
            }
        }
    }

    /// route53.md 2.5.7: private zones, by the region of the VPC; 2.5.8: clients nobody can place.
    #[test]
    fn vpcs_and_the_unplaced() {
        let geography = geography(AT_ZERO, "", "");
        let members = [(Point::Region("eu-west-1".into()), 0), (Point::Region("us-east-1".into()), 0)];
        let policy = policy(&members, BiasFormula::default(), &geography);
        let seen = in_vpc(&geography, "1.1.1.1", "eu-central-1");
        assert_eq!(chosen(&policy, MemberSet(3), &seen), Some(Member(0)));
        assert_eq!(policy.scope(MemberSet(3), &seen), 0);
        let seen = client(&geography, "9.9.9.9");
        assert_eq!(chosen(&policy, MemberSet(3), &seen), Some(Member(1)));
        let said = policy.reason(MemberSet(3), &seen, Choice::One(Member(1))).to_string();
        assert_eq!(said, "nearest, 0 km; the client's whereabouts are unknown and count as N. Virginia");
    }
}
