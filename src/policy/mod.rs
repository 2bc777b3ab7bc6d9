//! Routing policies: the healthy members of a group and who is asking go in, a choice comes out.
//!
//! Health has spoken before a policy is asked, so policies know nothing of checks, names or packets. Each file opens
//! with its truth table. The last resort is common to all: where nobody who could answer is healthy, everybody is
//! taken to be (`MemberSet::or`).

pub mod failover;
pub mod geolocation;
pub mod geoproximity;
pub mod ip_based;
pub mod latency;
pub mod member;
pub mod multivalue;
pub mod odds;
pub mod ranking;
pub mod reason;
pub mod simple;
pub mod weighted;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

pub use failover::Failover;
pub use geolocation::Geolocation;
pub use geoproximity::{BiasFormula, Geoproximity};
pub use ip_based::{IpBased, Unlisted};
pub use latency::Latency;
pub use member::{MEMBERS_MAX, Member, MemberSet};
pub use multivalue::Multivalue;
pub use odds::Odds;
pub use ranking::{Ranking, Rankings};
pub use reason::Reason;
pub use simple::Simple;
pub use weighted::Weighted;

use crate::dice::Dice;
use crate::geo::{CidrMap, Geography, PlaceId, RegionId};
use crate::model::Id;
use crate::model::record_set::Routing;

/// What a policy chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Choice {
    One(Member),
    /// Multivalue: up to eight, answering together.
    Several(MemberSet),
    /// No record is for this client.
    Nobody,
}

impl Choice {
    fn of(member: Option<Member>) -> Choice {
        member.map_or(Choice::Nobody, Choice::One)
    }

    pub fn members(self) -> MemberSet {
        match self {
            Choice::One(member) => MemberSet::of(member),
            Choice::Several(members) => members,
            Choice::Nobody => MemberSet::NOBODY,
        }
    }
}

/// Who is asking, as far as a policy may know.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub geography: &'a Geography,
    pub place: PlaceId,
    /// The client's network: what its resolver sent as EDNS Client Subnet, or else the source address alone.
    pub network: IpNet,
    /// In a private zone, the region of the VPC: it alone says where the client is.
    pub region_only: Option<RegionId>,
}

impl<'a> Seen<'a> {
    /// A client of a public zone. A network is placed by its first address.
    pub fn client(geography: &'a Geography, network: IpNet) -> Seen<'a> {
        let network = network.trunc();
        Seen { geography, place: geography.locate(network.network()), network, region_only: None }
    }

    /// A client for whom policies that go by its place aren't asked.
    pub fn unplaced(geography: &'a Geography, network: IpNet) -> Seen<'a> {
        Seen { geography, place: PlaceId::UNKNOWN, network: network.trunc(), region_only: None }
    }

    /// A client of a private zone, in a VPC of this region.
    pub fn vpc(geography: &'a Geography, network: IpNet, region: RegionId) -> Seen<'a> {
        let place = geography.region_place(region);
        Seen { geography, place, network: network.trunc(), region_only: Some(region) }
    }

    /// The length of the widest network around the client whose every place is the same to `outcome`.
    fn scope<T: PartialEq>(&self, mut outcome: impl FnMut(PlaceId) -> T) -> u8 {
        if self.region_only.is_some() {
            return 0;
        }
        let ours = outcome(self.place);
        self.geography.scope(self.network.network(), |place| outcome(place) == ours)
    }
}

/// How the members of one group share its name. Compiled against one geography: a new geography takes new policies.
#[derive(Clone, Debug)]
pub enum Policy {
    Simple(Simple),
    Weighted(Weighted),
    Failover(Failover),
    Latency(Latency),
    Geolocation(Geolocation),
    Geoproximity(Geoproximity),
    IpBased(IpBased),
    Multivalue(Multivalue),
}

/// Which policy it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Simple,
    Weighted,
    Failover,
    Latency,
    Geolocation,
    Geoproximity,
    IpBased,
    Multivalue,
}

impl Kind {
    /// In the order of their numbers.
    pub const ALL: [Kind; 8] = [
        Kind::Simple,
        Kind::Weighted,
        Kind::Failover,
        Kind::Latency,
        Kind::Geolocation,
        Kind::Geoproximity,
        Kind::IpBased,
        Kind::Multivalue,
    ];

    /// The word for it in zone files and in `explain`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Simple => "simple",
            Kind::Weighted => "weighted",
            Kind::Failover => "failover",
            Kind::Latency => "latency",
            Kind::Geolocation => "geolocation",
            Kind::Geoproximity => "geoproximity",
            Kind::IpBased => "ip-based",
            Kind::Multivalue => "multivalue",
        }
    }
}

/// What a policy is compiled with, besides its members.
#[derive(Clone, Copy)]
pub struct With<'a> {
    pub geography: &'a Geography,
    pub collections: &'a BTreeMap<Id, Arc<CidrMap>>,
    pub settings: Settings,
}

/// Where what is published about Route 53 leaves a choice; see `docs/geography.md` and `docs/differences.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    pub bias_formula: BiasFormula,
    pub unlisted_location: Unlisted,
}

/// Why members make no group. Whoever reads an operator's files has checked this before, with places and remedies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAGroup {
    Empty,
    /// More than `MEMBERS_MAX`.
    TooMany,
    /// Several policies, or several simple record sets, under one name and type.
    Mixed,
}

impl Policy {
    /// The policy of these members, in this order.
    pub fn new(members: &[&Routing], with: &With<'_>) -> Result<Policy, NotAGroup> {
        /// All members' routing as one policy's, if it is.
        fn all<'a, T>(
            members: &[&'a Routing],
            one: impl FnMut(&&'a Routing) -> Option<T>,
        ) -> Result<Vec<T>, NotAGroup> {
            members.iter().map(one).collect::<Option<Vec<T>>>().ok_or(NotAGroup::Mixed)
        }
        if members.len() > MEMBERS_MAX {
            return Err(NotAGroup::TooMany);
        }
        macro_rules! all {
            ($pattern:pat $(if $guard:expr)? => $value:expr) => {
                all(members, |member| match member {
                    $pattern $(if $guard)? => Some($value),
                    _ => None,
                })?
            };
        }
        Ok(match members.first().ok_or(NotAGroup::Empty)? {
            Routing::Simple if members.len() > 1 => return Err(NotAGroup::Mixed),
            Routing::Simple => Policy::Simple(Simple),
            Routing::Weighted { .. } => Policy::Weighted(Weighted::new(&all!(Routing::Weighted { weight } => *weight))),
            Routing::Failover(_) => Policy::Failover(Failover::new(&all!(Routing::Failover(role) => *role))),
            Routing::Latency { .. } => {
                let regions = all!(Routing::Latency { region } => &**region);
                Policy::Latency(Latency::new(&regions, with.geography))
            }
            Routing::Geolocation(_) => {
                Policy::Geolocation(Geolocation::new(&all!(Routing::Geolocation(location) => *location)))
            }
            Routing::Geoproximity { .. } => {
                let points = all!(Routing::Geoproximity { point, bias } => (point, *bias));
                Policy::Geoproximity(Geoproximity::new(&points, with.settings.bias_formula, with.geography))
            }
            Routing::IpBased { collection, .. } => {
                let map = with.collections.get(collection).cloned();
                let locations = all!(Routing::IpBased { collection: own, location } if own == collection => location);
                Policy::IpBased(IpBased::new(&locations, map, with.settings.unlisted_location))
            }
            Routing::Multivalue => {
                let members = all!(Routing::Multivalue => ());
                Policy::Multivalue(Multivalue::new(members.len()))
            }
        })
    }

    /// The same with a table for every place of the geography, where it goes by places and a table is affordable.
    pub fn ranked(mut self, members: &[&Routing], geography: &Geography, rankings: &mut Rankings) -> Policy {
        let elsewhere = IpNet::from(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let at = |place| Seen { place, ..Seen::unplaced(geography, elsewhere) };
        let mut table = |choose: &dyn Fn(MemberSet, &Seen<'_>) -> Choice| {
            let choose = |healthy, place| choose(healthy, &at(place)).members().first();
            rankings.of(format!("{members:?}"), geography.places(), members.len(), choose)
        };
        match &mut self {
            Policy::Latency(latency) => latency.ranking = table(&|healthy, seen| latency.choose(healthy, seen)),
            Policy::Geolocation(listed) => listed.ranking = table(&|healthy, seen| listed.choose(healthy, seen)),
            Policy::Geoproximity(near) => near.ranking = table(&|healthy, seen| near.choose(healthy, seen)),
            _ => {}
        }
        self
    }

    /// What the client's place says alone, if it decides and has been worked out.
    #[inline]
    fn ranking(&self) -> Option<&Ranking> {
        match self {
            Policy::Latency(latency) => latency.ranking.as_deref(),
            Policy::Geolocation(geolocation) => geolocation.ranking.as_deref(),
            Policy::Geoproximity(geoproximity) => geoproximity.ranking.as_deref(),
            _ => None,
        }
    }

    #[inline]
    pub fn kind(&self) -> Kind {
        match self {
            Policy::Simple(_) => Kind::Simple,
            Policy::Weighted(_) => Kind::Weighted,
            Policy::Failover(_) => Kind::Failover,
            Policy::Latency(_) => Kind::Latency,
            Policy::Geolocation(_) => Kind::Geolocation,
            Policy::Geoproximity(_) => Kind::Geoproximity,
            Policy::IpBased(_) => Kind::IpBased,
            Policy::Multivalue(_) => Kind::Multivalue,
        }
    }

    /// Who answers this client. Members that no group has are ignored.
    pub fn choose(&self, healthy: MemberSet, seen: &Seen<'_>, dice: &mut dyn Dice) -> Choice {
        if let (Some(ranking), None) = (self.ranking(), seen.region_only) {
            return ranking.choose(healthy, seen.place);
        }
        match self {
            Policy::Simple(simple) => simple.choose(),
            Policy::Weighted(weighted) => weighted.choose(healthy, dice),
            Policy::Failover(failover) => failover.choose(healthy),
            Policy::Latency(latency) => latency.choose(healthy, seen),
            Policy::Geolocation(geolocation) => geolocation.choose(healthy, seen),
            Policy::Geoproximity(geoproximity) => geoproximity.choose(healthy, seen),
            Policy::IpBased(ip_based) => ip_based.choose(healthy, seen),
            Policy::Multivalue(multivalue) => multivalue.choose(healthy, dice),
        }
    }

    /// Why it was them.
    pub fn reason(&self, healthy: MemberSet, seen: &Seen<'_>, chosen: Choice) -> Reason {
        match self {
            Policy::Simple(_) => Reason::Simple,
            Policy::Weighted(weighted) => weighted.reason(healthy, chosen),
            Policy::Failover(failover) => failover.reason(healthy, chosen),
            Policy::Latency(latency) => latency.reason(healthy, seen, chosen),
            Policy::Geolocation(geolocation) => geolocation.reason(healthy, seen, chosen),
            Policy::Geoproximity(geoproximity) => geoproximity.reason(healthy, seen, chosen),
            Policy::IpBased(ip_based) => ip_based.reason(healthy, seen, chosen),
            Policy::Multivalue(multivalue) => multivalue.reason(healthy),
        }
    }

    /// The length of the widest network around the client that fares alike; 0 where the client doesn't matter.
    pub fn scope(&self, healthy: MemberSet, seen: &Seen<'_>) -> u8 {
        if let Some(ranking) = self.ranking() {
            return seen.scope(|place| ranking.choose(healthy, place));
        }
        match self {
            Policy::Simple(_) | Policy::Weighted(_) | Policy::Failover(_) | Policy::Multivalue(_) => 0,
            Policy::Latency(latency) => seen.scope(|place| latency.choose(healthy, &Seen { place, ..*seen })),
            Policy::Geolocation(geolocation) => {
                seen.scope(|place| geolocation.choose(healthy, &Seen { place, ..*seen }))
            }
            Policy::Geoproximity(geoproximity) => {
                seen.scope(|place| geoproximity.choose(healthy, &Seen { place, ..*seen }))
            }
            Policy::IpBased(ip_based) => ip_based.scope(healthy, seen),
        }
    }

    /// Whether the client's place decides.
    #[inline]
    pub fn depends_on_place(&self) -> bool {
        matches!(self, Policy::Latency(_) | Policy::Geolocation(_) | Policy::Geoproximity(_))
    }

    /// Whether the client decides: its place, or the network it is in.
    #[inline]
    pub fn depends_on_client(&self) -> bool {
        self.depends_on_place() || matches!(self, Policy::IpBased(_))
    }

    /// How likely each choice is, exactly.
    pub fn odds(&self, healthy: MemberSet, seen: &Seen<'_>) -> Odds {
        match self {
            Policy::Weighted(weighted) => weighted.odds(healthy),
            Policy::Multivalue(multivalue) => multivalue.odds(healthy),
            certain => {
                // The other policies leave nothing to chance.
                let mut no_dice = crate::dice::Seeded::new(0);
                Odds::certain(certain.choose(healthy, seen, &mut no_dice).members())
            }
        }
    }
}
