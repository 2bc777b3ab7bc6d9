//! Bytes as small nasty zones and as questions about them: the server answers as the reference does.

use super::seeds::some_bytes;
use crate::agreement::{Asked, Bench, settings};
use crate::random_zones::{Random, world};

const QUESTIONS: usize = 12;

pub fn run(bytes: &[u8]) {
    let mut random = Random::bytes(bytes);
    let zones = world(&mut random);
    let settings = settings(&mut random);
    let mut bench = Bench::new(&zones, &settings);
    for _ in 0..QUESTIONS {
        let asked = Asked::random(&mut random, &zones);
        if let Err(what) = bench.disagreement(&asked) {
            let zones: String = zones.iter().map(|zone| zone.text()).collect();
            panic!("{zones}{asked}: {what}");
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    (1..65).map(|seed| some_bytes(seed, 500)).collect()
}
