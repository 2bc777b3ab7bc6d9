//! What is fuzzed: functions that take any bytes and panic where something is wrong with what was made of them.
//!
//! `fuzz/run` drives them with libFuzzer. Here each takes its seeds, and every input in `fuzz/seeds/TARGET/`, among
//! them those that once broke something.

pub mod seeds;

mod admin;
mod annotation;
mod control;
mod doh;
mod dump;
mod events;
mod mmdb;
mod options;
mod pieces;
mod places;
mod probe;
mod prometheus;
mod proxy;
mod query;
mod question;
mod ranges;
mod rdata;
mod respond;
mod routing_test;
mod settings;
mod shared;
mod state;
mod stream;
mod upstream;
mod world;
mod zonefile;

pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// What it begins with, made from the project's own files.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: &[Target] = &[
    Target { name: "admin", run: admin::run, seeds: admin::seeds },
    Target { name: "annotation", run: annotation::run, seeds: annotation::seeds },
    Target { name: "control", run: control::run, seeds: control::seeds },
    Target { name: "doh", run: doh::run, seeds: doh::seeds },
    Target { name: "dump", run: dump::run, seeds: dump::seeds },
    Target { name: "events", run: events::run, seeds: events::seeds },
    Target { name: "mmdb", run: mmdb::run, seeds: mmdb::seeds },
    Target { name: "options", run: options::run, seeds: options::seeds },
    Target { name: "places", run: places::run, seeds: places::seeds },
    Target { name: "probe", run: probe::run, seeds: probe::seeds },
    Target { name: "prometheus", run: prometheus::run, seeds: prometheus::seeds },
    Target { name: "proxy", run: proxy::run, seeds: proxy::seeds },
    Target { name: "query", run: query::run, seeds: query::seeds },
    Target { name: "question", run: question::run, seeds: question::seeds },
    Target { name: "ranges", run: ranges::run, seeds: ranges::seeds },
    Target { name: "rdata", run: rdata::run, seeds: rdata::seeds },
    Target { name: "respond", run: respond::run, seeds: respond::seeds },
    Target { name: "routing-test", run: routing_test::run, seeds: routing_test::seeds },
    Target { name: "settings", run: settings::run, seeds: settings::seeds },
    Target { name: "shared", run: shared::run, seeds: shared::seeds },
    Target { name: "state", run: state::run, seeds: state::seeds },
    Target { name: "stream", run: stream::run, seeds: stream::seeds },
    Target { name: "upstream", run: upstream::run, seeds: upstream::seeds },
    Target { name: "world", run: world::run, seeds: world::seeds },
    Target { name: "zonefile", run: zonefile::run, seeds: zonefile::seeds },
];

#[test]
fn every_target_takes_its_seeds() {
    for target in TARGETS {
        let inputs = seeds::all(target);
        assert!(inputs.len() > 1, "{} has no seeds", target.name);
        for (name, bytes) in inputs {
            let taken = std::panic::catch_unwind(|| (target.run)(&bytes));
            assert!(taken.is_ok(), "{} does not take {name}", target.name);
        }
    }
}
