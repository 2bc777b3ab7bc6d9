//! Any bytes as a file of routing tests: nothing panics, every problem has its place, and what is read runs, over a world
//! with every policy in it.

use std::cell::OnceCell;

use fingerpost::problem::Problems;
use fingerpost::routing_test;
use fingerpost::snapshot::Snapshot;

use super::seeds;

thread_local! {
    static SNAPSHOT: OnceCell<Snapshot> = const { OnceCell::new() };
}

pub fn run(bytes: &[u8]) {
    let mut problems = Problems::default();
    let tests = routing_test::read("fuzz".into(), bytes, &mut problems);
    seeds::all_inside(&problems, bytes);
    SNAPSHOT.with(|snapshot| {
        let outcomes = routing_test::run(&tests, snapshot.get_or_init(|| seeds::lab().snapshot));
        assert_eq!(outcomes.len(), tests.len());
        for outcome in outcomes {
            let mut told = Problems::default();
            outcome.problems.into_iter().for_each(|problem| told.push(problem));
            seeds::all_inside(&told, bytes);
        }
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut files = seeds::blocks("docs/routing-tests.md");
    files.extend(seeds::files("zones", "toml"));
    files
}
