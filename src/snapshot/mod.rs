//! The model and the verdicts, frozen for answering.
//!
//! A snapshot never changes: whoever answers holds one, and a change of zones, geography or health makes another that
//! shares what stayed the same.

mod across;
mod build;
pub mod denial;
mod draft;
pub mod fold;
pub mod group;
pub mod image;
pub mod locate;
mod meaning;
pub mod rate_limit;
pub mod settings;
pub mod upstream;
pub mod zones;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

pub use build::build;
pub use image::ZoneImage;
pub use settings::Settings;
use upstream::Upstream;
use zones::{VpcNumber, ZoneNumber, Zones};

use crate::geo::{CidrMap, Geography, RegionId};
use crate::health::verdicts::Verdicts;
use crate::model::zone::{Visibility, ZoneData};
use crate::model::{Id, Shared};
use crate::policy::{self, BiasFormula, MemberSet, Policy, Simple};
use crate::problem::Problems;
use crate::wire::hash::HashKey;
use crate::wire::name::Name;

/// All that answers depend on.
#[derive(Clone)]
pub struct Snapshot {
    pub settings: Arc<Settings>,
    pub key: HashKey,
    pub zones: Arc<Zones>,
    pub geography: Arc<Geography>,
    pub shared: Arc<Shared>,
    pub verdicts: Arc<Verdicts>,
    /// What is known of names outside that aliases lead to; at first nothing.
    pub upstream: Arc<Upstream>,
    policies: Arc<[Policy]>,
    healthy: Arc<[MemberSet]>,
    vpcs: Arc<Vpcs>,
}

/// VPCs by number, and the networks that say who is in which.
#[derive(Default)]
struct Vpcs {
    by_id: BTreeMap<Id, VpcNumber>,
    ids: Vec<Id>,
    regions: Vec<Option<Id>>,
    /// Longest prefix first.
    networks: Vec<(IpNet, VpcNumber)>,
}

/// What a snapshot is made of.
pub struct Parts {
    pub settings: Arc<Settings>,
    pub key: HashKey,
    pub images: Vec<Arc<ZoneImage>>,
    pub geography: Arc<Geography>,
    pub shared: Arc<Shared>,
    pub verdicts: Arc<Verdicts>,
}

impl Snapshot {
    pub fn new(parts: Parts) -> Snapshot {
        let Parts { settings, key, images, geography, shared, verdicts } = parts;
        let vpcs = Vpcs::of(&shared, &images);
        let zones = Zones::new(images, &key, &vpcs.by_id);
        let policies = policies(&zones, &geography, &shared, &settings);
        let healthy = fold::healthy_members(&zones, &verdicts, &key);
        Snapshot {
            settings,
            key,
            zones: Arc::new(zones),
            geography,
            shared,
            verdicts,
            upstream: Arc::default(),
            policies: policies.into(),
            healthy: healthy.into(),
            vpcs: Arc::new(vpcs),
        }
    }

    /// A snapshot of zones as they were read, for tools and tests; problems of meaning go to `problems`.
    pub fn of(
        zones: &[ZoneData],
        shared: Shared,
        geography: Geography,
        settings: Settings,
        problems: &mut Problems,
    ) -> Snapshot {
        let key = HashKey::new([0; 4]);
        let images = zones.iter().map(|zone| Arc::new(build(zone, &key, &settings, problems))).collect();
        let verdicts = Arc::new(Verdicts::new(&shared.health_checks));
        Snapshot::new(Parts {
            settings: Arc::new(settings),
            key,
            images,
            geography: Arc::new(geography),
            shared: Arc::new(shared),
            verdicts,
        })
    }

    /// The same with other verdicts: zones, policies and geography are shared.
    pub fn with_verdicts(&self, verdicts: Arc<Verdicts>) -> Snapshot {
        let healthy = fold::healthy_members(&self.zones, &verdicts, &self.key);
        Snapshot { verdicts, healthy: healthy.into(), ..self.clone() }
    }

    /// The same with another geography: zones are shared, policies made anew.
    pub fn with_geography(&self, geography: Arc<Geography>) -> Snapshot {
        let policies = policies(&self.zones, &geography, &self.shared, &self.settings);
        Snapshot { geography, policies: policies.into(), ..self.clone() }
    }

    /// The same with other settings that change no rendered byte (cookies' secrets, say).
    pub fn with_settings(&self, settings: Arc<Settings>) -> Snapshot {
        Snapshot { settings, ..self.clone() }
    }

    /// The groups that choose among other members than in `before`, a snapshot of the same zones, with their names.
    pub fn steered_otherwise<'s>(&'s self, before: &'s Snapshot) -> impl Iterator<Item = (Name, &'s group::Group)> {
        let same = Arc::ptr_eq(&self.zones, &before.zones);
        let groups = self.zones.numbers().filter(move |_| same).flat_map(move |zone| {
            let image = self.image(zone);
            (0..).zip(image.groups.iter()).map(move |(number, group)| (zone, image, number, group))
        });
        groups.filter_map(move |(zone, image, number, group)| {
            let number = self.zones.group(zone, number);
            // With nobody healthy everybody is a candidate.
            let all = MemberSet::first_of(group.members.len());
            let candidates = |healthy: MemberSet| if healthy.is_empty() { all } else { healthy };
            let same = candidates(self.healthy[number]) == candidates(before.healthy[number]);
            if same { None } else { Name::from_wire(image.node(group.node).name).ok().map(|name| (name, group)) }
        })
    }

    /// All groups, with their names.
    pub fn groups(&self) -> impl Iterator<Item = (Name, &group::Group)> {
        self.zones.numbers().flat_map(move |zone| {
            let image = self.image(zone);
            image
                .groups
                .iter()
                .filter_map(move |group| Name::from_wire(image.node(group.node).name).ok().map(|name| (name, group)))
        })
    }

    /// The groups in which a record goes by this health check, with their names.
    pub fn names_checked_by<'s>(&'s self, check: &'s str) -> impl Iterator<Item = (Name, &'s group::Group)> {
        self.groups()
            .filter(move |(_, group)| group.members.iter().any(|member| member.health_check.as_deref() == Some(check)))
    }

    pub fn image(&self, zone: ZoneNumber) -> &ZoneImage {
        self.zones.image(zone)
    }

    /// The policy of a zone's group, and its healthy members.
    #[inline]
    pub fn candidates(&self, zone: ZoneNumber, group: u32) -> (&Policy, MemberSet) {
        let number = self.zones.group(zone, group);
        (&self.policies[number], self.healthy[number])
    }

    /// The VPC whose networks an address is in, the longest deciding.
    pub fn vpc_of(&self, address: IpAddr) -> Option<VpcNumber> {
        self.vpcs.networks.iter().find(|(network, _)| network.contains(&address)).map(|&(_, vpc)| vpc)
    }

    pub fn vpc_named(&self, id: &str) -> Option<VpcNumber> {
        self.vpcs.by_id.get(id).copied()
    }

    pub fn vpc_ids(&self) -> impl Iterator<Item = &str> {
        self.vpcs.ids.iter().map(|id| &**id)
    }

    pub fn vpc_id(&self, vpc: VpcNumber) -> &str {
        &self.vpcs.ids[vpc.0 as usize]
    }

    /// The region of a VPC, where it has one that the geography knows.
    pub fn vpc_region(&self, vpc: VpcNumber) -> Option<RegionId> {
        self.geography.region_named(self.vpcs.regions[vpc.0 as usize].as_deref()?)
    }
}

impl Vpcs {
    fn of(shared: &Shared, images: &[Arc<ZoneImage>]) -> Vpcs {
        let mut vpcs = Vpcs::default();
        for vpc in shared.vpcs.values() {
            let number = vpcs.add(&vpc.id, vpc.region.clone());
            vpcs.networks.extend(vpc.networks.iter().map(|&network| (network, number)));
        }
        // A VPC without networks can still be asked for by its name.
        for image in images {
            if let Visibility::Private(ids) = &image.visibility {
                ids.iter().for_each(|id| _ = vpcs.add(id, None));
            }
        }
        vpcs.networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        vpcs
    }

    fn add(&mut self, id: &Id, region: Option<Id>) -> VpcNumber {
        let next = VpcNumber(self.ids.len() as u32);
        *self.by_id.entry(id.clone()).or_insert_with(|| {
            self.ids.push(id.clone());
            self.regions.push(region);
            next
        })
    }
}

/// The policies of all groups. A group that makes no policy has been reported as an error before; should it be served
/// all the same, its first member stands for it.
fn policies(zones: &Zones, geography: &Geography, shared: &Shared, settings: &Settings) -> Vec<Policy> {
    let collections: BTreeMap<Id, Arc<CidrMap>> = shared
        .collections
        .iter()
        .map(|(name, collection)| (name.clone(), Arc::new(CidrMap::new(collection))))
        .collect();
    let choices = policy::Settings {
        bias_formula: match settings.geoproximity_formula {
            settings::GeoproximityFormula::Of2026 => BiasFormula::Developer2026,
            settings::GeoproximityFormula::Of2023 => BiasFormula::Developer2023,
        },
        unlisted_location: settings.unlisted_location,
    };
    let with = policy::With { geography, collections: &collections, settings: choices };
    let mut policies = Vec::with_capacity(zones.groups());
    for zone in zones.numbers() {
        for group in &zones.image(zone).groups {
            let routing: Vec<_> = group.members.iter().map(|member| &member.routing).collect();
            policies.push(Policy::new(&routing, &with).unwrap_or(Policy::Simple(Simple)));
        }
    }
    policies
}
