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

use super::{Choice, Member, MemberSet, Reason, Seen};
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
