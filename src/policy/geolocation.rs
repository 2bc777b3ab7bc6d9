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

use std::sync::Arc;

use super::{Choice, Member, MemberSet, Ranking, Reason, Seen};
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
    pub(super) ranking: Option<Arc<Ranking>>,
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
            ranking: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::testing::geography;
    use crate::policy::Policy;
    use crate::policy::testing::{chosen, client, in_vpc};

    /// `US-CA`, `US`, `continent NA` or `*`.
    fn location(text: &str) -> Location {
        let code = |text: &str| crate::geo::place::code(text).unwrap();
        match (text.strip_prefix("continent "), text.split_once('-')) {
            (Some(continent), _) => Location::Continent(code(continent)),
            (None, Some((country, subdivision))) => {
                Location::Subdivision { country: code(country), subdivision: code(subdivision) }
            }
            (None, None) if text == "*" => Location::Default,
            (None, None) => Location::Country(code(text)),
        }
    }

    const WORLD: &str = "network,continent,country,subdivision\n\
        1.0.0.0/8,,US,CA\n2.0.0.0/8,,US,NY\n3.0.0.0/8,,US,\n4.0.0.0/8,,DE,\n5.0.0.0/8,,PR,\n6.0.0.0/8,EU,,\n\
        7.0.0.0/8,,AF,\n8.0.0.0/8,,NG,\n9.0.0.0/8,,TR,\n10.0.0.0/8,,EH,\n11.0.0.0/8,,NA,\n12.0.0.0/8,,UA,\n";

    /// Who answers, by location.
    fn answer(locations: &[&str], down: &[&str], address: &str) -> String {
        let geography = geography(WORLD, "", "");
        let policy = Geolocation::new(&locations.iter().map(|text| location(text)).collect::<Vec<_>>());
        let up = (0..).zip(locations).filter(|(_, place)| !down.contains(place)).map(|(member, _)| Member(member));
        let chosen = chosen(&Policy::Geolocation(policy), up.collect(), &client(&geography, address));
        chosen.map_or("nobody", |member| locations[member.index()]).to_string()
    }

    const CALIFORNIA: &str = "1.1.1.1";
    const NEW_YORK: &str = "2.1.1.1";
    const NO_STATE: &str = "3.1.1.1";
    const GERMANY: &str = "4.1.1.1";
    const PUERTO_RICO: &str = "5.1.1.1";
    const EUROPE: &str = "6.1.1.1";
    const NOWHERE: &str = "200.1.1.1";

    /// route53.md 2.4.1 and 2.4.2.
    #[test]
    fn the_smallest_region_answers() {
        let all = ["*", "continent NA", "US", "US-CA", "continent EU", "DE"];
        for (address, expected) in [
            (CALIFORNIA, "US-CA"),
            (NEW_YORK, "US"),
            (NO_STATE, "US"),
            (GERMANY, "DE"),
            (PUERTO_RICO, "continent NA"),
            (EUROPE, "continent EU"),
            (NOWHERE, "*"),
        ] {
            assert_eq!(answer(&all, &[], address), expected, "{address}");
        }
    }

    /// route53.md 2.4.3: without a default, a client in no listed place gets no answer.
    #[test]
    fn nobody_is_for_the_others() {
        assert_eq!(answer(&["US", "DE"], &[], NOWHERE), "nobody");
        assert_eq!(answer(&["US", "DE"], &[], EUROPE), "nobody");
        assert_eq!(answer(&["US", "*"], &[], NOWHERE), "*");
        let geography = geography(WORLD, "", "");
        let policy = Policy::Geolocation(Geolocation::new(&[location("US")]));
        let reason = policy.reason(MemberSet(1), &client(&geography, NOWHERE), Choice::Nobody);
        assert_eq!(reason.to_string(), "no record is for this client");
    }

    /// route53.md 2.4.4.
    #[test]
    fn states_dont_catch_the_rest_of_the_country() {
        assert_eq!(answer(&["US-CA", "US-NY"], &[], NO_STATE), "nobody");
        assert_eq!(answer(&["US-CA", "US-NY", "*"], &[], NO_STATE), "*");
        assert_eq!(answer(&["US", "PR"], &[], PUERTO_RICO), "PR");
        assert_eq!(answer(&["US", "*"], &[], PUERTO_RICO), "*");
    }

    /// route53.md 2.4.5 and 2.4.6: continents and countries may share a code.
    #[test]
    fn one_code_two_places() {
        let both = ["continent AF", "AF", "continent AS", "continent NA", "NA"];
        assert_eq!(answer(&both, &[], "7.1.1.1"), "AF");
        assert_eq!(answer(&both, &["AF"], "7.1.1.1"), "continent AS");
        assert_eq!(answer(&both, &[], "8.1.1.1"), "continent AF");
        assert_eq!(answer(&both, &[], "11.1.1.1"), "NA");
        assert_eq!(answer(&both, &[], CALIFORNIA), "continent NA");
        assert_eq!(answer(&["continent EU", "continent AS"], &[], "9.1.1.1"), "continent EU"); // Türkiye
        assert_eq!(answer(&["UA", "continent EU"], &[], "12.1.1.1"), "UA");
        assert_eq!(answer(&["continent AF", "*"], &[], "10.1.1.1"), "*"); // Western Sahara is in no continent
    }

    /// route53.md 2.4.7: every health of six records, for a client of each kind.
    #[test]
    fn the_unhealthy_give_way_to_larger_regions() {
        let all = ["US-CA", "US", "continent NA", "*", "DE", "continent EU"];
        let walks: [(&str, &[usize]); 6] = [
            (CALIFORNIA, &[0, 1, 2, 3]),
            (NEW_YORK, &[1, 2, 3]),
            (PUERTO_RICO, &[2, 3]),
            (GERMANY, &[4, 5, 3]),
            (EUROPE, &[5, 3]),
            (NOWHERE, &[3]),
        ];
        for (address, walk) in walks {
            for healthy in 0..64 {
                let down: Vec<&str> = (0..6).filter(|&m| healthy >> m & 1 == 0).map(|m| all[m]).collect();
                let expected = walk.iter().find(|&&m| healthy >> m & 1 == 1).unwrap_or(&walk[0]);
                assert_eq!(answer(&all, &down, address), all[*expected], "{address} {down:?}");
            }
        }
        // The only healthy record is for elsewhere: it stays out of it.
        assert_eq!(answer(&["US", "DE"], &["DE"], GERMANY), "DE");
    }

    /// route53.md 2.4.8.
    #[test]
    fn a_vpc_is_where_its_region_is() {
        let geography = geography(WORLD, "", "");
        let policy = Policy::Geolocation(Geolocation::new(&["DE", "*"].map(location)));
        let seen = in_vpc(&geography, "1.1.1.1", "eu-central-1");
        assert_eq!(chosen(&policy, MemberSet(3), &seen), Some(Member(0)));
        assert_eq!(chosen(&policy, MemberSet(2), &seen), Some(Member(1)));
        assert_eq!(policy.scope(MemberSet(3), &seen), 0);
    }

    #[test]
    fn the_reason_names_who_was_passed_over() {
        let geography = geography(WORLD, "", "");
        let policy = Policy::Geolocation(Geolocation::new(&["US-CA", "US", "continent NA"].map(location)));
        let seen = client(&geography, CALIFORNIA);
        let said = |healthy, member| policy.reason(MemberSet(healthy), &seen, Choice::One(Member(member))).to_string();
        assert_eq!(said(7, 0), "for US-CA");
        assert_eq!(said(4, 2), "for continent NA, as US-CA is unhealthy, as country US is unhealthy");
        assert_eq!(said(0, 0), "for US-CA; the last resort, as no record for this client is healthy");
    }
}
