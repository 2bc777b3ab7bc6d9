//! Bytes as questions that make sense, put to a fixed rich world over TCP and UDP: the server answers as the reference
//! does, and what UDP has no room for is cut as RFC 2181 and RFC 9471 have it.

use std::cell::RefCell;

use fingerpost::snapshot::settings::Settings;

use super::respond::{all_settings, rich_world};
use super::seeds::some_bytes;
use crate::agreement::{Asked, Bench};
use crate::random_zones::{Plain, Random};

const QUESTIONS_MAX: usize = 8;

struct World {
    zones: Vec<Plain>,
    benches: Vec<(Settings, Bench)>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(world());
}

fn world() -> World {
    let zones = rich_world();
    let benches = all_settings().into_iter().map(|settings| {
        let bench = Bench::new(&zones, &settings);
        (settings, bench)
    });
    World { benches: benches.collect(), zones }
}

pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let mut random = Random::bytes(rest);
    WORLD.with_borrow_mut(|World { zones, benches }| {
        let count = benches.len();
        let (_, bench) = &mut benches[usize::from(*choice) % count];
        for _ in 0..(rest.len() / 8).clamp(1, QUESTIONS_MAX) {
            let asked = Asked::random(&mut random, zones);
            bench.disagreement(&asked).unwrap_or_else(|what| panic!("{asked}: {what}"));
        }
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    (1..65).map(|seed| some_bytes(seed, 60)).collect()
}
