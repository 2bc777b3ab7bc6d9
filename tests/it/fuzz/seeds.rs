//! Where inputs come from: golden packets, zones, scenarios, and the folder of inputs that are worth keeping.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use fingerpost::dice::{Dice, Seeded};
use fingerpost::geo::{GeoFile, Geography};
use fingerpost::io::folder;
use fingerpost::model::{Limits, Shared, ZoneData};
use fingerpost::problem::Problems;
use fingerpost::snapshot::Settings;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::Target;
use crate::packets::{self, Case};
use crate::server::Server;
use crate::text;

/// Seeds of a target under their names: those made here, and those kept in `fuzz/seeds/`.
pub fn all(target: &Target) -> Vec<(String, Vec<u8>)> {
    let made = (target.seeds)().into_iter().enumerate().map(|(number, bytes)| (format!("seed {number}"), bytes));
    let mut kept: Vec<PathBuf> = match fs::read_dir(root().join("fuzz/seeds").join(target.name)) {
        Ok(entries) => entries.map(|entry| entry.expect("an entry").path()).collect(),
        Err(_) => Vec::new(),
    };
    kept.sort();
    let kept = kept.into_iter().map(|path| (path.display().to_string(), fs::read(&path).expect("a seed")));
    made.chain(kept).collect()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.join("..") } else { here.to_path_buf() }
}

/// All golden packets.
pub fn golden() -> Vec<Case> {
    let files = text::files(&root().join("tests/packets"), "txt");
    files.iter().flat_map(|path| packets::read(&read(path)).expect("golden packets")).collect()
}

/// The text of all files in a folder of the project that end so.
pub fn files(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    text::files(&root().join(folder), extension).iter().map(|path| read(path).into_bytes()).collect()
}

/// The files that scenarios write: their names and their texts.
pub fn scenario_files() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for path in text::files(&root().join("tests/scenarios"), "scn") {
        let mut within = false;
        for line in read(&path).lines() {
            if let Some(name) = line.strip_prefix("file ").or_else(|| line.strip_prefix("zone ")) {
                found.push((name.to_string(), String::new()));
                within = true;
            } else if line.is_empty() || line == "----" {
                within = false;
            } else if let (true, Some((_, text))) = (within, found.last_mut()) {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

/// All zone files there are, and those that scenarios write.
pub fn zones() -> Vec<Vec<u8>> {
    let of_scenarios = scenario_files().into_iter().filter(|(name, _)| !name.contains(".csv"));
    let mut zones: Vec<Vec<u8>> = of_scenarios.map(|(_, text)| text.into_bytes()).collect();
    for folder in ["zones", "tests/zones", "tests/packets"] {
        zones.extend(files(folder, "zone"));
    }
    zones
}

/// The blocks of TOML in a document.
pub fn blocks(document: &str) -> Vec<Vec<u8>> {
    let text = read(&root().join(document));
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("toml\n"));
    blocks.map(|block| block.as_bytes().to_vec()).collect()
}

/// What the example folders hold: zones with every policy, what they share, and a small geography.
pub fn lab_parts() -> (Vec<ZoneData>, Shared, Geography) {
    let loaded = folder::load(&root().join("zones"), Limits::default(), &|_, _| ()).expect("the example zones");
    let zones = loaded.zones.into_iter().filter_map(|zone| zone.built).map(|zone| zone.data).collect();
    let file = |name: &str| GeoFile { name: name.into(), bytes: read(&root().join("geo").join(name)).into_bytes() };
    let (geography, problems) = Geography::build(vec![file("places.csv"), file("latency.csv")]);
    assert_eq!((loaded.problems.errors(), problems.errors()), (0, 0));
    (zones, loaded.shared, geography)
}

/// The example folders, served.
pub fn lab() -> Server {
    let (zones, shared, geography) = lab_parts();
    Server::with(zones, shared, geography, Settings::modern(), Problems::default())
}

/// Bytes that only depend on a number.
pub fn some_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut dice = Seeded::new(seed);
    (0..count).map(|_| dice.roll(256) as u8).collect()
}

/// Every problem stands somewhere in the file it is about.
pub fn all_inside(problems: &Problems, bytes: &[u8]) {
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
    for problem in problems.iter() {
        let (line, column) = (problem.at.line as usize, problem.at.column as usize);
        assert!((1..=lines).contains(&line) && (1..=bytes.len() + 1).contains(&column), "{problem}");
    }
}

/// A body in the codings that a probe understands.
pub fn encoded(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    fn with<W: Write>(mut encoder: W, body: &[u8], finish: impl FnOnce(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
        encoder.write_all(body).and_then(|()| finish(encoder)).expect("memory takes all")
    }
    let best = Compression::best();
    vec![
        ("gzip", with(GzEncoder::new(Vec::new(), best), body, GzEncoder::finish)),
        ("deflate", with(ZlibEncoder::new(Vec::new(), best), body, ZlibEncoder::finish)),
        ("deflate", with(DeflateEncoder::new(Vec::new(), best), body, DeflateEncoder::finish)),
    ]
}

/// A MaxMind database of these nodes, be they sound or not: each side is a node, or the nodes' count and nothing, or
/// the count and 16 more than a place in the data.
pub fn database(record_size: u8, ip_version: u8, nodes: &[[usize; 2]], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &[left, right] in nodes {
        let [left, right] = [left as u32, right as u32].map(u32::to_be_bytes);
        match record_size {
            24 => bytes.extend([&left[1..], &right[1..]].concat()),
            28 => bytes.extend([&left[1..], &[left[0] << 4 | right[0] & 15], &right[1..]].concat()),
            _ => bytes.extend([left, right].concat()),
        }
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com\xe9");
    let mut field = |key: &str, value: &[u8]| {
        bytes.push(0x40 | key.len() as u8);
        bytes.extend(key.as_bytes());
        bytes.extend(value);
    };
    field("binary_format_major_version", &[0xa1, 2]);
    field("binary_format_minor_version", &[0xa0]);
    field("ip_version", &[0xa1, ip_version]);
    field("record_size", &[0xa1, record_size]);
    field("node_count", &[&[0xc4], &(nodes.len() as u32).to_be_bytes()[..]].concat());
    field("build_epoch", &[1, 2, 1]);
    field("database_type", b"\x44Test");
    field("languages", &[0, 4]);
    field("description", &[0xe0]);
    bytes
}

/// A database whose one record is a list of two that both point to the list below, and so on: it says little, and takes
/// two to the power of `depth` steps to whoever follows every pointer.
pub fn bombs(depth: usize) -> Vec<u8> {
    let mut data = b"\x42DE".to_vec();
    let mut below = 0;
    for _ in 0..depth {
        let at = data.len();
        data.extend([2, 4]);
        (0..2).for_each(|_| data.extend([0x20 | (below >> 8) as u8, below as u8]));
        below = at;
    }
    database(24, 6, &[[17 + below, 17 + below]], &data)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
