//! The server as the tests talk to it: zones in, packets in, packets out. No socket.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use fingerpost::geo::Geography;
use fingerpost::io::folder;
use fingerpost::model::zone::Visibility;
use fingerpost::model::{Shared, ZoneData};
use fingerpost::moment::Moment;
use fingerpost::problem::{Problem, Problems};
pub use fingerpost::respond::Transport;
use fingerpost::respond::rate_limit::Table;
use fingerpost::respond::{Arrival, Worker, respond};
use fingerpost::snapshot::settings::Settings;
use fingerpost::snapshot::{Parts, Snapshot, ZoneImage};
use fingerpost::wire::name::Name;
use fingerpost::zonefile::{self, Includes};

/// The time that cookies are checked against.
pub const NOW: u32 = 1_700_000_000;

pub struct Server {
    pub snapshot: Snapshot,
    pub problems: Problems,
    worker: Worker,
    reply: Vec<u8>,
}

impl Server {
    pub fn new(zones: Vec<ZoneData>, settings: Settings) -> Server {
        Server::with(zones, Shared::default(), Geography::empty(), settings, Problems::default())
    }

    /// A zone with errors is not served.
    pub fn with(
        mut zones: Vec<ZoneData>,
        shared: Shared,
        geography: Geography,
        settings: Settings,
        mut problems: Problems,
    ) -> Server {
        let mut said = Problems::default();
        let mut snapshot = Snapshot::of(&zones, shared.clone(), Geography::empty(), settings.clone(), &mut said);
        if said.errors() > 0 {
            zones.retain(|zone| {
                let mut own = Problems::default();
                Snapshot::of(
                    std::slice::from_ref(zone),
                    shared.clone(),
                    Geography::empty(),
                    settings.clone(),
                    &mut own,
                );
                own.errors() == 0
            });
            snapshot = Snapshot::of(&zones, shared, Geography::empty(), settings, &mut Problems::default());
        }
        problems.append(said);
        snapshot.check_aliases(&mut problems);
        problems.sort();
        let snapshot = snapshot.with_geography(Arc::new(geography));
        Server { problems, ..Server::of(snapshot) }
    }

    pub fn of(snapshot: Snapshot) -> Server {
        Server { snapshot, problems: Problems::default(), worker: Worker::new(1), reply: vec![0; 65_535] }
    }

    /// Claims the zones of these files that are not served: queries for them are answered SERVFAIL.
    pub fn claiming(mut self, files: Vec<(Arc<str>, (Name, Visibility))>) -> Server {
        let Snapshot { settings, key, zones, geography, shared, verdicts, .. } = &self.snapshot;
        let served: Vec<Arc<ZoneImage>> = zones.numbers().map(|zone| zones.shared_image(zone)).collect();
        let is_served = |origin: &Name, visibility: &Visibility| {
            served.iter().any(|image| image.origin == *origin && folder::meet(&image.visibility, visibility))
        };
        let names_a_zone = |file: &str| folder::names_a_zone(file.rsplit('/').next().unwrap_or_default());
        let claims = files
            .into_iter()
            .filter(|(file, (origin, visibility))| names_a_zone(file) && !is_served(origin, visibility));
        let claims = claims.map(|(file, (origin, visibility))| ZoneImage::claim(&origin, visibility, file, key));
        let claims: Vec<Arc<ZoneImage>> = claims.map(Arc::new).collect();
        if !claims.is_empty() {
            self.snapshot = Snapshot::new(Parts {
                settings: settings.clone(),
                key: *key,
                images: served.iter().cloned().chain(claims).collect(),
                geography: geography.clone(),
                shared: shared.clone(),
                verdicts: verdicts.clone(),
            });
        }
        self
    }

    /// Forces verdicts on health checks.
    pub fn force(&mut self, forced: &BTreeMap<String, bool>) {
        let mut verdicts = (*self.snapshot.verdicts).clone();
        for (id, healthy) in forced {
            verdicts.force(id, Some(*healthy), Moment::START).unwrap_or_else(|error| panic!("{error}"));
        }
        self.snapshot = self.snapshot.with_verdicts(Arc::new(verdicts));
    }

    /// Limits replies, if the settings say so.
    pub fn limited(mut self) -> Server {
        self.worker.limit_by(Arc::new(Table::new([7; 16])));
        self
    }

    /// The reply's bytes; none for silence.
    pub fn ask(&mut self, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
        self.ask_from(packet, transport, IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)))
    }

    pub fn ask_from(&mut self, packet: &[u8], transport: Transport, source: IpAddr) -> Option<Vec<u8>> {
        self.ask_at(None, packet, transport, source)
    }

    /// Asks at an address of the server's.
    pub fn ask_at(
        &mut self,
        listener: Option<&SocketAddr>,
        packet: &[u8],
        transport: Transport,
        source: IpAddr,
    ) -> Option<Vec<u8>> {
        let arrival = Arrival { packet, source, listener, transport, unix_time: NOW };
        match respond(&self.snapshot, &arrival, &mut self.worker, &mut self.reply) {
            0 => None,
            length => Some(self.reply[..length].to_vec()),
        }
    }

    /// Files by their names alone.
    pub fn problem_lines(&self) -> Vec<String> {
        let line = |problem: &Problem| {
            let folder = Path::new(&*problem.at.file).parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.map(|folder| format!("{}/", folder.display())).unwrap_or_default();
            problem.to_string().replace(&folder, "")
        };
        self.problems.iter().map(line).collect()
    }
}

struct NoIncludes;

impl Includes for NoIncludes {
    fn read(&self, _path: &str, _from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("a test's zone is one file".into())
    }
}

/// Reads a zone file.
pub fn load(origin: &str, text: &str) -> (ZoneData, Problems) {
    let name = Name::parse_absolute(origin).unwrap_or_else(|error| panic!("{origin}: {error}"));
    let mut problems = Problems::default();
    let file = format!("{}.zone", name.without_dot());
    let zone = zonefile::parse(&name, file.into(), text.as_bytes(), &NoIncludes, &mut problems);
    (zone, problems)
}
