//! Geolocation routing: the record for the smallest region that the client is in.
//!
//! A record is applicable when it is for the client's state, country or continent, or for everybody (the default).
//! Records for elsewhere never answer, even when they alone are healthy.
//!
//! | applicable records | chosen                                               |
//! |--------------------|------------------------------------------------------|
//! | some healthy       | the healthy one for the smallest region              |
//! | none healthy       | the one for the smallest region: the last resort     |
//! | none at all        | nobody: the answer is empty                          |
//!
//! Route 53 Developer Guide, "Geolocation routing" and "Values specific for geolocation records".

use super::{Choice, Member, MemberSet, Reason, Seen};
use crate::geo::{Code, Place};
use crate::model::record_set::Location;

#[derive(Clone, Debug)]
pub struct Geolocation {
    locations: Box<[Location]>,
    /// Each sorted, to be searched.
    subdivisions: Box<[((Code, Code), Member)]>,
    countries: Box<[(Code, Member)]>,
    continents: Box<[(Code, Member)]>,
    default: Option<Member>,
}

impl Geolocation {
    pub fn new(locations: &[Location]) -> Geolocation {
        let (mut subdivisions, mut countries, mut continents, mut default) = (vec![], vec![], vec![], None);
        for (member, location) in (0..).map(Member).zip(locations) {
            match *location {
                Location::Subdivision { country, subdivision } => subdivisions.push(((country, subdivision), member)),
                Location::Country(country) => countries.push((country, member)),
                Location::Continent(continent) => continents.push((continent, member)),
                Location::Default => default = default.or(Some(member)),
            }
        }
        subdivisions.sort();
        countries.sort();
        continents.sort();
        Geolocation {
            locations: locations.into(),
            subdivisions: subdivisions.into(),
            countries: countries.into(),
            continents: continents.into(),
            default,
        }
    }

    pub fn choose(&self, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        let applicable = self.applicable(seen.geography.place(seen.place));
        let smallest_first = || applicable.into_iter().flatten();
        Choice::of(smallest_first().find(|&member| healthy.contains(member)).or_else(|| smallest_first().next()))
    }

    /// The records that may answer a client at a place, the smallest region first.
    fn applicable(&self, place: &Place) -> [Option<Member>; 4] {
        [
            place.country.zip(place.subdivision).and_then(|both| find(&self.subdivisions, both)),
            place.country.and_then(|country| find(&self.countries, country)),
            place.continent.and_then(|continent| find(&self.continents, continent)),
            self.default,
        ]
    }

    pub fn reason(&self, healthy: MemberSet, seen: &Seen<'_>, chosen: Choice) -> Reason {
        let location = |member: Member| self.locations.get(member.index()).copied();
        let Some((member, location_of)) = chosen.members().first().and_then(|m| Some((m, location(m)?))) else {
            return Reason::Nobody;
        };
        let last_resort = !healthy.contains(member);
        let applicable = self.applicable(seen.geography.place(seen.place)).into_iter().flatten();
        let passed_over = applicable.take_while(|&smaller| smaller != member).filter_map(location).collect();
        Reason::Geolocation { location: location_of, passed_over, last_resort }
    }
}

fn find<K: Ord + Copy>(sorted: &[(K, Member)], key: K) -> Option<Member> {
    let found = sorted.binary_search_by_key(&key, |&(key, _)| key).ok()?;
    sorted.get(found).map(|&(_, member)| member)
}
