//! Answering allocates nothing: a counting allocator watches while every sample zone's every kind of answer is given.
//! And opening the built-in geography allocates little.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use fingerpost::config::Config;
use fingerpost::geo::{GeoFile, Geography};
use fingerpost::io::folder;
use fingerpost::model::Limits;
use fingerpost::problem::Problems;
use fingerpost::respond::{Arrival, Transport, Worker, respond};
use fingerpost::snapshot::{Settings, Snapshot};
use fingerpost::wire::cookie::Secrets;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::Type;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
    BYTES.with(|count| count.set(count.get() + bytes));
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches a thread's own cell, which needs no
// memory and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the allocator's contract, and it is passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn packet(name: &str, rtype: Type, options: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!options.is_empty())];
    packet.extend_from_slice(Name::parse_absolute(name).expect("a name").wire());
    packet.extend_from_slice(&rtype.0.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if !options.is_empty() {
        packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.len() as u8]);
        packet.extend_from_slice(options);
    }
    packet
}

#[test]
fn no_answer_allocates() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let loaded = folder::load(&root.join("zones"), Limits::Route53, &|_, _| {}).expect("the sample zones");
    let zones: Vec<_> = loaded.zones.into_iter().filter_map(|zone| zone.built).map(|zone| zone.data).collect();
    let places = std::fs::read(root.join("geo/places.csv")).expect("places.csv");
    let rules = "[access]\ndeny = [\"192.0.2.0/24\"]\n[access.listener.\"192.0.2.53:53\"]\nallow = [\"198.51.100.0/24\"]\n\
                 [access.zone.\"example.com\"]\nallow = [\"198.51.100.7\"]\n";
    let (guarded, _) = Config::read(rules, "rules", std::path::Path::new(""));
    assert!(guarded.settings.access.is_some());
    let listener = "192.0.2.53:53".parse().expect("an address");
    let profiles = [Settings::modern(), Settings::route53(), guarded.settings];
    for settings in profiles {
        let secrets = Secrets { current: [7; 16], previous: None };
        let settings = Settings { cookie_secrets: Some(secrets), ..settings };
        let mut problems = Problems::default();
        let (geography, _) = Geography::build(vec![GeoFile { name: "places.csv".into(), bytes: places.clone() }]);
        let snapshot = Snapshot::of(&zones, loaded.shared.clone(), geography, settings, &mut problems);
        assert_eq!(problems.errors(), 0);
        let mut worker = Worker::new(1);
        let mut out = vec![0; 65_535];
        let cookie = [&[0, 10, 0, 8][..], &[1; 8]].concat();
        let subnet = [0, 8, 0, 8, 0, 1, 28, 0, 192, 0, 2, 0];
        let both = [&cookie[..], &subnet[..]].concat();
        let asked = [
            ("simple.example.com", Type::A),
            ("www.example.com", Type::A),
            ("WWW.Example.com", Type::A),
            ("shop.example.com", Type::A),
            ("api.example.com", Type::A),
            ("geo.example.com", Type::A),
            ("near.example.com", Type::A),
            ("isp.example.com", Type::A),
            ("many.example.com", Type::A),
            ("app.example.com", Type::A),
            ("docs.example.com", Type::A),
            ("a.b.dev.example.com", Type::A),
            ("x.lab.example.com", Type::A),
            ("X.Lab.example.com", Type::A),
            ("x.old.example.com", Type::A),
            ("example.com", Type::MX),
            ("example.com", Type::ANY),
            ("example.com", Type::SOA),
            ("nothing.example.com", Type::A),
            ("www.example.com", Type::MX),
            ("www.example.org", Type::A),
            ("www.example.net", Type::A),
            ("example.com", Type::AXFR),
        ];
        for (name, rtype) in asked {
            for options in [&[][..], &cookie, &both] {
                let packet = packet(name, rtype, options);
                let clients = ["198.51.100.7", "198.51.100.8", "192.0.2.1"];
                for (transport, source) in
                    [Transport::Udp, Transport::Tcp].into_iter().flat_map(|one| clients.map(|client| (one, client)))
                {
                    let source = source.parse().expect("an address");
                    let listener = Some(&listener);
                    let arrival = Arrival { packet: &packet, source, listener, transport, unix_time: 1_700_000_000 };
                    let before = ALLOCATIONS.with(Cell::get);
                    let length = respond(&snapshot, &arrival, &mut worker, &mut out);
                    let after = ALLOCATIONS.with(Cell::get);
                    assert!(length >= packet.len().min(12), "{name} {rtype}");
                    assert_eq!(after - before, 0, "{name} {rtype} allocates");
                }
            }
        }
    }
}

/// Every command opens the built-in geography, and pages of fresh memory cost most of that. So little is allocated
/// besides the tables that stay: ranges of 8 bytes (IPv4) and 20 (IPv6), and an index of 4 bytes for each at most.
#[test]
fn the_built_in_geography_is_opened_in_the_memory_of_its_tables() {
    let before = BYTES.with(Cell::get);
    let (geography, _) = Geography::shipped();
    let allocated = BYTES.with(Cell::get) - before;
    let (v4, v6) = geography.ranges();
    let tables = v4 * (8 + 4) + v6 * (20 + 4);
    assert!(allocated < tables + tables / 8, "{allocated} bytes for tables of {tables}");
}
