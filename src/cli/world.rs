//! The folders as a world to ask: what `explain`, `odds` and `test` answer from. The network is never touched.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use fingerpost::io::load::Loader;
use fingerpost::io::terminal::{self, To};
use fingerpost::model::zone::Visibility;
use fingerpost::snapshot::Snapshot;
use fingerpost::tell::{Forced, Request};
use fingerpost::wire::name::Name;

use super::Common;

pub struct World {
    pub snapshot: Arc<Snapshot>,
    /// The folder of zones.
    pub zones: PathBuf,
    /// Zones that are not in it, for their errors.
    failed: Vec<(Name, Visibility)>,
}

impl Common {
    /// Loads the folders. What is wrong with them goes to stderr; the zones that loaded answer all the same.
    pub fn world(&self) -> anyhow::Result<World> {
        let config = self.read()?;
        let folders = self.folders(&config)?;
        let zones = folders.zones.clone();
        let loaded = Loader::new(folders, config.limits, config.settings)?.load()?;
        terminal::show_problems(&loaded.problems, To::Stderr)?;
        Ok(World { snapshot: loaded.snapshot, zones, failed: loaded.failed })
    }
}

impl World {
    /// The zone that would have answered, had it no errors.
    pub fn failed(&self, request: &Request) -> anyhow::Result<Option<&Name>> {
        let answering = request.zone(&self.snapshot)?.map(|image| image.origin.label_count());
        let seen = |visibility: &Visibility| match (visibility, &request.vpc) {
            (Visibility::Public, _) => true,
            (Visibility::Private(ids), Some(vpc)) => ids.contains(vpc),
            (Visibility::Private(_), None) => false,
        };
        let closer = |origin: &Name| answering.is_none_or(|labels| origin.label_count() >= labels);
        let failed =
            self.failed.iter().filter(|(origin, visibility)| seen(visibility) && request.name.is_under(origin));
        Ok(failed.map(|(origin, _)| origin).filter(|origin| closer(origin)).max_by_key(|origin| origin.label_count()))
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
