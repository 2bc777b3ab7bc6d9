//! Any bytes as `places.csv`, `latency.csv` or `regions.csv`, whichever their columns say: nothing panics, every problem
//! has its place, and where there is no error an address is placed by the longest network of the file that holds it.

use std::net::IpAddr;

use fingerpost::geo::{GeoFile, Geography, Source};
use ipnet::IpNet;

use super::seeds;

fn name(bytes: &[u8]) -> &'static str {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let header = lines.find(|line| !line.is_empty() && !line.starts_with(b"#")).unwrap_or_default();
    let has = |word: &[u8]| header.windows(word.len()).any(|window| window == word);
    match (has(b"network"), has(b"milliseconds")) {
        (true, _) => "places.csv",
        (_, true) => "latency.csv",
        _ => "regions.csv",
    }
}

fn is_row(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

/// The one network that a line names; none where it is not that plain.
fn network(line: &str) -> Option<IpNet> {
    let mut networks = line.split(',').filter_map(|cell| {
        let cell = cell.trim().trim_matches('"').trim();
        cell.parse::<IpNet>().ok().or_else(|| cell.parse::<IpAddr>().ok().map(IpNet::from))
    });
    let only = networks.next()?;
    networks.next().is_none().then(|| only.trunc())
}

/// By every line of the file, slowly.
fn check_places(geography: &Geography, text: &str) {
    let lines = text.lines().enumerate().filter(|(_, line)| is_row(line));
    // The first is the header, which says nothing of anybody.
    let networks: Vec<(usize, IpNet)> =
        lines.skip(1).filter_map(|(at, line)| Some((at + 1, network(line)?))).take(64).collect();
    let ends = networks.iter().flat_map(|(_, network)| [network.network(), network.broadcast()]);
    for address in ends {
        let longest = networks.iter().filter(|(_, network)| network.contains(&address));
        let longest = longest.map(|(_, network)| network.prefix_len()).max();
        match geography.source(address) {
            Source::Row { line, .. } => {
                let row = networks.iter().find(|(at, _)| *at == line as usize);
                let told = row.filter(|(_, network)| network.contains(&address));
                assert!(told.is_some(), "{address} is placed by line {line}, which is not about it");
                assert_eq!(told.map(|(_, network)| network.prefix_len()), longest, "{address} by line {line}");
            }
            other => panic!("{address} is placed by {other:?}, and not by its row"),
        }
    }
}

pub fn run(bytes: &[u8]) {
    let name = name(bytes);
    let (geography, problems) = Geography::build(vec![GeoFile { name: name.into(), bytes: bytes.to_vec() }]);
    seeds::all_inside(&problems, bytes);
    let plain = std::str::from_utf8(bytes).ok().filter(|text| {
        let lines = text.lines().filter(|line| is_row(line));
        // Quoted cells may hold anything; those lines are for the reader's own tests.
        let rows = lines.skip(1).collect::<Vec<_>>();
        !text.contains('"') && rows.len() <= 64 && rows.iter().all(|row| network(row).is_some())
    });
    if let (Some(text), 0, "places.csv") = (plain, problems.errors(), name) {
        check_places(&geography, text);
    }
    for address in ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1"] {
        let place = geography.locate(address.parse().expect("an address"));
        assert!(place.index() < geography.places());
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut found = seeds::files("geo", "csv");
    let scenarios = seeds::scenario_files().into_iter().filter(|(name, _)| name.ends_with(".csv"));
    found.extend(scenarios.map(|(_, text)| text.into_bytes()));
    found.push(b"network,continent,country,subdivision,latitude,longitude,region\n10.0.0.0/8,,DE,,,,\n10.1.0.0/16,EU,,,51.5,-0.1,eu-west-2\n10.1.2.3,,US,CA,,,\n2001:db8::/32,AS,JP,,,,x\n".to_vec());
    found.push(b"from,region,milliseconds\n10.0.0.0/8,eu-west-1,12.5\nUS-CA,us-west-1,3\nDE,eu-central-1,1e1\nAF,af-south-1,40\neu-west-1,us-east-1,70\n".to_vec());
    found.push(
        b"region,latitude,longitude,continent,country,subdivision\nmoon-1,0.1,-179.9,,,\neu-west-1,53,-8,EU,IE,\n"
            .to_vec(),
    );
    found
}
