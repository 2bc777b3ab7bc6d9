//! The model and the verdicts, frozen for answering.
//!
//! A snapshot never changes: whoever answers holds one, and a change of zones, geography or health makes another that
//! shares what stayed the same.

pub mod access;
mod across;
pub mod ahead;
mod behind;
mod build;
mod claim;
pub mod denial;
mod draft;
pub mod fold;
pub mod group;
pub mod image;
pub mod locate;
mod meaning;
mod networks;
mod part;
pub mod rate_limit;
pub mod settings;
mod signing;
pub mod stand_in;
mod targets;
pub mod upstream;
pub mod zones;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

pub use build::{Workshop, build};
use fold::Healthy;
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
use crate::wire::name::{Name, Shown};

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
    /// For each zone that has groups, their policies.
    policies: Arc<[Arc<[Policy]>]>,
    healthy: Healthy,
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
        let mut compiler = Compiler::new(&geography, &shared, &settings);
        let policies = zones.steered().iter().map(|&zone| compiler.policies(zones.image(zone))).collect();
        let healthy = Healthy::fold(&zones, &verdicts, &key);
        Snapshot {
            settings,
            key,
            zones: Arc::new(zones),
            geography,
            shared,
            verdicts,
            upstream: Arc::default(),
            policies,
            healthy,
            vpcs: Arc::new(vpcs),
        }
        .with_stand_ins()
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

    /// The same with another image of one zone: everything else is shared. None where `old` is not in it, or the zone
    /// is not for the same name and clients.
    pub fn with_zone(&self, old: &Arc<ZoneImage>, new: Arc<ZoneImage>) -> Option<Snapshot> {
        let (zones, changed) = self.zones.with(&self.key, old, new)?;
        let mut compiler = Compiler::new(&self.geography, &self.shared, &self.settings);
        let policies = zones.steered().iter().map(|&zone| match zone {
            zone if zone == changed => compiler.policies(zones.image(zone)),
            same => self.policies[self.zones.steered_number(same)].clone(),
        });
        let policies = policies.collect();
        let healthy = Healthy::fold(&zones, &self.verdicts, &self.key);
        let snapshot = Snapshot { zones: Arc::new(zones), policies, healthy, ..self.clone() };
        Some(snapshot.with_stand_ins())
    }

    /// The same with other verdicts: zones, policies and geography are shared, and who is healthy in groups that go by
    /// no check that turned.
    pub fn with_verdicts(&self, verdicts: Arc<Verdicts>) -> Snapshot {
        let healthy = self.healthy.refold(&self.zones, &self.verdicts, &verdicts, &self.key);
        Snapshot { verdicts, healthy, ..self.clone() }
    }

    /// The same with another geography: zones are shared, policies made anew.
    pub fn with_geography(&self, geography: Arc<Geography>) -> Snapshot {
        let mut compiler = Compiler::new(&geography, &self.shared, &self.settings);
        let policies = self.zones.steered().iter().map(|&zone| compiler.policies(self.image(zone))).collect();
        Snapshot { geography, policies, ..self.clone() }
    }

    /// The same with other settings that change no rendered byte (cookies' secrets, say).
    pub fn with_settings(&self, settings: Arc<Settings>) -> Snapshot {
        let same = settings.stand_ins == self.settings.stand_ins;
        let snapshot = Snapshot { settings, ..self.clone() };
        if same { snapshot } else { snapshot.with_stand_ins() }
    }

    /// The groups that choose among other members than in `before`, a snapshot of the same zones, with their names.
    pub fn steered_otherwise<'s>(
        &'s self,
        before: &'s Snapshot,
    ) -> impl Iterator<Item = (Shown<'s>, ZoneNumber, &'s group::Group)> {
        let same = Arc::ptr_eq(&self.zones, &before.zones);
        let differing = self.healthy.differing(&before.healthy).filter(move |_| same);
        differing.filter_map(move |number| {
            let (healthy, before) = (self.healthy.get(number), before.healthy.get(number));
            if healthy == before {
                return None;
            }
            let (zone, group) = self.zones.zone_of(number);
            let image = self.image(zone);
            let group = &image.groups[group as usize];
            // With nobody healthy everybody is a candidate.
            let all = MemberSet::first_of(group.members.len());
            let candidates = |healthy: MemberSet| if healthy.is_empty() { all } else { healthy };
            let same = candidates(healthy) == candidates(before);
            (!same).then(|| (Shown(image.node(group.node).name), zone, group))
        })
    }

    /// All groups, with their names.
    pub fn groups(&self) -> impl Iterator<Item = (Name, &group::Group)> {
        self.zones.steered().iter().flat_map(move |&zone| {
            let image = self.image(zone);
            image
                .groups
                .iter()
                .filter_map(move |group| Name::from_wire(image.node(group.node).name).ok().map(|name| (name, group)))
        })
    }

    /// How many groups go by this check, and of the first `most` of them the name, the group and its healthy members.
    pub fn groups_going_by<'s>(
        &'s self,
        check: &str,
        most: usize,
    ) -> (usize, impl Iterator<Item = (Shown<'s>, &'s group::Group, MemberSet)>) {
        let groups = self.healthy.going_by(check);
        let first = &groups[..most.min(groups.len())];
        let shown = first.iter().zip(self.zones.zones_of(first)).map(|(&number, (zone, group))| {
            let image = self.image(zone);
            let group = &image.groups[group as usize];
            (Shown(image.node(group.node).name), group, self.healthy.get(number as usize))
        });
        (groups.len(), shown)
    }

    pub fn image(&self, zone: ZoneNumber) -> &ZoneImage {
        self.zones.image(zone)
    }

    /// The policy of a zone's group, and its healthy members.
    #[inline]
    pub fn candidates(&self, zone: ZoneNumber, group: u32) -> (&Policy, MemberSet) {
        let policies = &self.policies[self.zones.steered_number(zone)];
        (&policies[group as usize], self.healthy.get(self.zones.group(zone, group)))
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

/// What policies are made with.
struct Compiler<'a> {
    geography: &'a Geography,
    collections: BTreeMap<Id, Arc<CidrMap>>,
    settings: policy::Settings,
    rankings: policy::Rankings,
}

impl<'a> Compiler<'a> {
    fn new(geography: &'a Geography, shared: &Shared, settings: &Settings) -> Compiler<'a> {
        let collections = shared.collections.iter();
        Compiler {
            geography,
            collections: collections.map(|(name, one)| (name.clone(), Arc::new(CidrMap::new(one)))).collect(),
            settings: policy::Settings {
                bias_formula: match settings.geoproximity_formula {
                    settings::GeoproximityFormula::Of2026 => BiasFormula::Developer2026,
                    settings::GeoproximityFormula::Of2023 => BiasFormula::Developer2023,
                },
                unlisted_location: settings.unlisted_location,
            },
            rankings: policy::Rankings::default(),
        }
    }

    /// The policies of a zone's groups. A group that makes no policy has been reported as an error before; should it
    /// be served all the same, its first member stands for it.
    fn policies(&mut self, image: &ZoneImage) -> Arc<[Policy]> {
        let with = policy::With { geography: self.geography, collections: &self.collections, settings: self.settings };
        let policy = |group: &group::Group| {
            let routing: Vec<_> = group.members.iter().map(|member| &member.routing).collect();
            let policy = Policy::new(&routing, &with).unwrap_or(Policy::Simple(Simple));
            policy.ranked(&routing, self.geography, &mut self.rankings)
        };
        image.groups.iter().map(policy).collect()
    }
}
