//! An operator's folders, as scenarios write them: put on the disk for a moment and read as the server reads them.

use std::collections::BTreeMap;
use std::path::Path;

use fingerpost::geo::{GeoFile, Geography};
use fingerpost::io::folder::{self, LoadedZone};
use fingerpost::model::Limits;
use fingerpost::snapshot::settings::Settings;

use crate::server::Server;

/// Files of both folders by name; the tables of geography are told by their ending.
#[derive(Default)]
pub struct Folders {
    pub files: BTreeMap<String, String>,
}

/// What each zone file holds: plain records, and record sets.
pub type Counts = BTreeMap<String, (usize, usize)>;

impl Folders {
    pub fn serve(&self, settings: Settings) -> (Server, Counts) {
        let dir = tempfile::tempdir().expect("a folder for a while");
        let (tables, zones): (Vec<_>, Vec<_>) = self.files.iter().partition(|(name, _)| name.ends_with(".csv"));
        for (name, text) in zones {
            std::fs::write(dir.path().join(name), text).expect("a file in it");
        }
        let table =
            |(name, text): (&String, &String)| GeoFile { name: name.as_str().into(), bytes: text.clone().into() };
        let (geography, mut problems) = Geography::build(tables.into_iter().map(table).collect());
        let folder = folder::load(dir.path(), Limits::default(), &|_, _| ()).expect("the folder just made");
        problems.append(folder.problems);
        let claims: Vec<_> =
            folder.zones.iter().zip(0..).map(|(zone, place)| (zone.file.clone(), folder.seen.zone(place))).collect();
        let read: Vec<LoadedZone> = folder.zones.into_iter().filter_map(|zone| zone.built).collect();
        let count = |LoadedZone { data, .. }: &LoadedZone| {
            let file = Path::new(&*data.files[0]).file_name().unwrap_or_default().to_string_lossy().into_owned();
            (file, (data.records.len(), data.record_sets.len()))
        };
        let counts = read.iter().map(count).collect();
        let zones = read.into_iter().filter(|zone| !zone.failed).map(|zone| zone.data).collect();
        let server = Server::with(zones, folder.shared, geography, settings, problems);
        (server.claiming(claims), counts)
    }
}
