//! Help for tests of policies.

use super::{Member, MemberSet, Policy, Seen};
use crate::dice::odds::play_all;
use crate::geo::Geography;

/// Who answers, of a policy that leaves nothing to chance.
pub fn chosen(policy: &Policy, healthy: MemberSet, seen: &Seen<'_>) -> Option<Member> {
    let outcomes = play_all(1, |dice| policy.choose(healthy, seen, dice)).expect("it rolled dice");
    outcomes.into_keys().next().and_then(|choice| choice.members().first())
}

pub fn client<'a>(geography: &'a Geography, address: &str) -> Seen<'a> {
    Seen::client(geography, address.parse::<std::net::IpAddr>().expect("an address").into())
}

pub fn network<'a>(geography: &'a Geography, network: &str) -> Seen<'a> {
    Seen::client(geography, network.parse().expect("a network"))
}

pub fn in_vpc<'a>(geography: &'a Geography, address: &str, region: &str) -> Seen<'a> {
    let network = address.parse::<std::net::IpAddr>().expect("an address").into();
    Seen::vpc(geography, network, geography.region_named(region).expect("a region"))
}
