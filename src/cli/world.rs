//! The folders as a world to ask: what `explain`, `odds` and `test` answer from. The network is never touched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use fingerpost::io::load::Loader;
use fingerpost::io::terminal::{self, To};
use fingerpost::model::record_set::Routing;
use fingerpost::model::zone::Visibility;
use fingerpost::problem::{Problem, Problems};
use fingerpost::snapshot::{Snapshot, ZoneImage};
use fingerpost::tell::{Forced, Request};
use fingerpost::wire::name::Name;

use super::Common;

pub struct World {
    pub snapshot: Arc<Snapshot>,
    /// The folder of zones.
    pub zones: PathBuf,
    /// Zones that loaded, and their records.
    pub loaded_zones: usize,
    pub records: u64,
    loader: Loader,
    problems: Problems,
    /// Zones that are not in it, for their errors.
    failed: Vec<(Name, Visibility)>,
}

impl Common {
    /// Loads the folders. Zones with errors are left out; the others answer all the same.
    pub fn world(&self) -> anyhow::Result<World> {
        let config = self.read()?;
        let folders = self.folders(&config)?;
        let zones = folders.zones.clone();
        let mut loader = Loader::new(folders, config.limits, config.settings)?.bounded(config.zone_bytes_max);
        let loaded = loader.load()?;
        Ok(World {
            snapshot: loaded.snapshot,
            zones,
            loaded_zones: loaded.zones,
            records: loaded.records,
            loader,
            problems: loaded.problems.without_consequences(),
            failed: loaded.failed,
        })
    }
}

impl World {
    /// Writes all problems of the folders to stderr.
    pub fn show_problems(&self) {
        // A reader that has gone away misses nothing.
        let _ = terminal::show_problems(&self.problems, To::Stderr);
    }

    /// Writes the problems of the zone that a request is about to stderr, and those of the shared files that it uses.
    pub fn show_problems_of(&self, request: &Request) -> anyhow::Result<()> {
        let image = request.zone(&self.snapshot)?;
        let mut files = BTreeSet::new();
        let failed = self.failed_zone(request)?;
        if let Some((origin, visibility)) = failed {
            files.extend(self.loader.files_of(origin, visibility));
        } else if let Some(image) = image {
            files.extend(self.loader.files_of(&image.origin, &image.visibility));
        }
        // Nothing is known of what a zone uses that could not be built.
        let uses = match (failed, image) {
            (Some(_), _) => Uses { health: true, collections: true, vpcs: true, geography: true },
            (None, Some(image)) => Uses::of(image),
            (None, None) => Uses::default(),
        };
        let mut shown = Problems::default();
        let concerned = |problem: &&Problem| files.contains(&problem.at.file) || uses.file(&problem.at.file);
        self.problems.iter().filter(concerned).for_each(|problem| shown.push(problem.clone()));
        let _ = terminal::show_problems(&shown, To::Stderr);
        Ok(())
    }

    /// The zone that would have answered, had it no errors.
    pub fn failed(&self, request: &Request) -> anyhow::Result<Option<&Name>> {
        Ok(self.failed_zone(request)?.map(|(origin, _)| origin))
    }

    fn failed_zone(&self, request: &Request) -> anyhow::Result<Option<&(Name, Visibility)>> {
        let answering = request.zone(&self.snapshot)?.map(|image| image.origin.label_count());
        let seen = |visibility: &Visibility| match (visibility, &request.vpc) {
            (Visibility::Public, _) => true,
            (Visibility::Private(ids), Some(vpc)) => ids.contains(vpc),
            (Visibility::Private(_), None) => false,
        };
        let closer = |origin: &Name| answering.is_none_or(|labels| origin.label_count() >= labels);
        let failed =
            self.failed.iter().filter(|(origin, visibility)| seen(visibility) && request.name.is_under(origin));
        Ok(failed.filter(|(origin, _)| closer(origin)).max_by_key(|(origin, _)| origin.label_count()))
    }
}

/// The shared files that a zone's answers depend on.
#[derive(Default)]
struct Uses {
    health: bool,
    collections: bool,
    vpcs: bool,
    geography: bool,
}

impl Uses {
    fn of(image: &ZoneImage) -> Uses {
        let mut uses = Uses { vpcs: image.visibility != Visibility::Public, ..Uses::default() };
        for member in image.groups.iter().flat_map(|group| &group.members) {
            uses.health |= member.health_check.is_some();
            match member.routing {
                Routing::IpBased { .. } => uses.collections = true,
                Routing::Latency { .. } | Routing::Geolocation(_) | Routing::Geoproximity { .. } => {
                    uses.geography = true;
                }
                Routing::Simple | Routing::Weighted { .. } | Routing::Failover(_) | Routing::Multivalue => {}
            }
        }
        uses
    }

    fn file(&self, file: &str) -> bool {
        let path = Path::new(file);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(file);
        match (name, path.extension().and_then(|ending| ending.to_str())) {
            ("health-checks.toml" | "health-checks.json" | "health-check-tags.json", _) => self.health,
            ("cidr-collections.toml" | "cidr-collections.json", _) => self.collections,
            ("vpcs.toml", _) => self.vpcs,
            (_, Some("csv" | "mmdb" | "ranges")) => self.geography,
            _ => false,
        }
    }
}

/// Which health checks to take as down, which as up.
#[derive(Args)]
pub struct WorldFlags {
    /// Take this health check as down; may be repeated. Without it every check is as it is at first
    #[arg(long, value_name = "ID")]
    down: Vec<String>,
    /// Take this health check as up; may be repeated
    #[arg(long, value_name = "ID")]
    up: Vec<String>,
}

impl WorldFlags {
    pub fn forced(&self) -> Forced {
        Forced { down: self.down.clone(), up: self.up.clone() }
    }
}
