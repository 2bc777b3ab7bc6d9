//! What is fuzzed: functions that take any bytes and panic where something is wrong with what was made of them.
//!
//! `fuzz/run` drives them with libFuzzer. Here each takes its seeds, and every input in `fuzz/seeds/TARGET/`, among
//! them those that once broke something.

pub mod seeds;

mod proxy;
mod query;
mod respond;
mod zonefile;

pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// What it begins with, made from the project's own files.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: &[Target] = &[
    Target { name: "proxy", run: proxy::run, seeds: proxy::seeds },
    Target { name: "query", run: query::run, seeds: query::seeds },
    Target { name: "respond", run: respond::run, seeds: respond::seeds },
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
