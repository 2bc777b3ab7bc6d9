//! Loads after the first, from folders on the disk: however many files were touched, what is served is what a fresh load
//! of the folder serves.

use std::path::Path;

use fingerpost::io::folder::Touched;
use fingerpost::io::load::{Folders, Loaded, Loader};
use fingerpost::model::Limits;
use fingerpost::snapshot::Settings;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::Type;

use crate::message::Ask;
use crate::server::{Server, Transport};

const ZONES: usize = 40;

fn loader(folder: &Path, geo: Option<&Path>) -> Loader {
    let folders = Folders { zones: folder.to_path_buf(), geo: geo.map(Path::to_path_buf) };
    Loader::new(folders, Limits::Route53, Settings::default()).expect("a loader")
}

fn write(folder: &Path, zone: usize, version: usize, records: usize) {
    let more: String = (0..records).map(|number| format!("n{number} 60 IN A 192.0.2.1\n")).collect();
    let text = format!(
        "@ 60 IN SOA ns1 host 1 7200 3600 1209600 300\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\nwww 60 IN A 192.0.2.{version}\n{more}"
    );
    // Another file each time, since two versions within one tick of the clock may be of one size.
    let next = folder.join("next");
    std::fs::write(&next, text).expect("a file");
    std::fs::rename(&next, folder.join(format!("z{zone}.example.zone"))).expect("its place");
}

/// What each zone says of www, and how much is served.
fn told(loaded: &Loaded) -> (Vec<Option<Vec<u8>>>, usize, u64) {
    let mut server = Server::of((*loaded.snapshot).clone());
    let asked = (0..ZONES).map(|zone| {
        let name = Name::parse_absolute(&format!("www.z{zone}.example.")).expect("a name");
        server.ask(&Ask::new(&name, Type::A).packet(), Transport::Udp)
    });
    (asked.collect(), loaded.zones, loaded.records)
}

#[test]
fn one_edited_zone_or_many_are_served_as_a_fresh_load_serves_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    (0..ZONES).for_each(|zone| write(here, zone, 1, zone % 3));
    let mut own = loader(here, None);
    let mut before = told(&own.load().expect("a load"));
    for (version, edited) in [(2, 1), (3, 16), (4, 17), (5, ZONES)] {
        let files: Vec<usize> = (0..edited).map(|number| (number * 7 + version) % ZONES).collect();
        files.iter().for_each(|&zone| write(here, zone, version, version + zone % 2));
        let paths = files.iter().map(|zone| here.join(format!("z{zone}.example.zone")));
        let loaded = own.load_touched(&Touched::Files(paths.collect())).expect("a load");
        assert_eq!((loaded.fresh, loaded.changed), (edited, true), "{edited} edited");
        let now = told(&loaded);
        assert_eq!(now, told(&loader(here, None).load().expect("a load")), "{edited} edited");
        let differ = now.0.iter().zip(&before.0).filter(|(now, before)| now != before).count();
        assert_eq!(differ, edited, "each edited zone answers otherwise, and no other");
        before = now;
    }
}

#[test]
fn another_geography_is_served_without_a_look_at_the_zones() {
    let (zones, geo) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    (0..ZONES).for_each(|zone| write(zones.path(), zone, 1, 0));
    let steered = "www 60 IN A 192.0.2.8 ; AWS routing=\"GEOLOCATION\" countryCode=\"DE\" identifier=\"de\"\n\
                   www 60 IN A 192.0.2.9 ; AWS routing=\"GEOLOCATION\" countryCode=\"*\" identifier=\"all\"\n";
    let apex = "@ 60 IN SOA ns1 host 1 7200 3600 1209600 300\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\n";
    std::fs::write(zones.path().join("z0.example.zone"), apex.to_string() + steered).expect("a file");
    let places = |country: &str| {
        let next = zones.path().join("next");
        let text = format!(
            "network,continent,country,subdivision,latitude,longitude,region\n198.51.100.0/24,,{country},,,,\n"
        );
        std::fs::write(&next, text).expect("a file");
        std::fs::rename(&next, geo.path().join("places.csv")).expect("its place");
    };
    let touched = |file: &Path| Touched::Files([file.to_path_buf()].into());
    let answer = |loaded: &Loaded| told(loaded).0[0].clone().and_then(|reply| reply.last().copied());

    places("FR");
    let mut own = loader(zones.path(), Some(geo.path()));
    assert_eq!(answer(&own.load().expect("a load")), Some(9), "a client in France");
    places("DE");
    let places_file = geo.path().join("places.csv");
    let loaded = own.load_touched(&touched(&places_file)).expect("a load");
    assert_eq!(
        (answer(&loaded), loaded.fresh, loaded.changed),
        (Some(8), 0, true),
        "the same client is in Germany now"
    );
    assert_eq!(told(&loaded), told(&loader(zones.path(), Some(geo.path())).load().expect("a load")));

    places("nowhere");
    let loaded = own.load_touched(&touched(&places_file)).expect("a load");
    assert_eq!((answer(&loaded), loaded.changed), (Some(8), false), "what cannot be read changes nothing");
    assert!(loaded.problems.errors() > 0, "and is told");

    // And a zone with it.
    places("FR");
    write(zones.path(), 1, 7, 0);
    let both = [places_file, zones.path().join("z1.example.zone")];
    let loaded = own.load_touched(&Touched::Files(both.into())).expect("a load");
    assert_eq!((answer(&loaded), loaded.fresh, loaded.problems.errors()), (Some(9), 1, 0));
    assert_eq!(told(&loaded), told(&loader(zones.path(), Some(geo.path())).load().expect("a load")));
}
