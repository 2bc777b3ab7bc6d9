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

fn loader(folder: &Path) -> Loader {
    let folders = Folders { zones: folder.to_path_buf(), geo: None };
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
    let mut own = loader(here);
    let mut before = told(&own.load().expect("a load"));
    for (version, edited) in [(2, 1), (3, 16), (4, 17), (5, ZONES)] {
        let files: Vec<usize> = (0..edited).map(|number| (number * 7 + version) % ZONES).collect();
        files.iter().for_each(|&zone| write(here, zone, version, version + zone % 2));
        let paths = files.iter().map(|zone| here.join(format!("z{zone}.example.zone")));
        let loaded = own.load_touched(&Touched::Files(paths.collect())).expect("a load");
        assert_eq!((loaded.fresh, loaded.changed), (edited, true), "{edited} edited");
        let now = told(&loaded);
        assert_eq!(now, told(&loader(here).load().expect("a load")), "{edited} edited");
        let differ = now.0.iter().zip(&before.0).filter(|(now, before)| now != before).count();
        assert_eq!(differ, edited, "each edited zone answers otherwise, and no other");
        before = now;
    }
}
