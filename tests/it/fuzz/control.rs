//! Bytes as dice of the simulated world: whatever happens in whatever order, it keeps its promises
//! (`tests/it/simulation.rs`).

use fingerpost::dice::{Dice, Seeded};

use super::seeds::some_bytes;
use crate::simulation::World;

/// Later steps say no more than these; a run of them takes some milliseconds.
const STEPS_MAX: usize = 2000;

/// Dice that fall as bytes say; then always on their highest side, which is what changes least.
struct Given(std::vec::IntoIter<u8>);

impl Dice for Given {
    fn roll(&mut self, sides: u32) -> u32 {
        let bytes = if sides > 256 { 2 } else { 1 };
        let mut number = 0;
        for _ in 0..bytes {
            match self.0.next() {
                Some(byte) => number = number << 8 | u32::from(byte),
                None => return sides - 1,
            }
        }
        number % sides
    }
}

pub fn run(bytes: &[u8]) {
    let mut world = World::of(1, Box::new(Given(Vec::from(bytes).into_iter())));
    for _ in 0..(bytes.len() / 2).min(STEPS_MAX) {
        world.step();
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    // What seeded dice would throw, as bytes.
    let mut seeds: Vec<Vec<u8>> = (1..9).map(|seed| some_bytes(seed, 3000)).collect();
    // Worlds that begin so, in which one kind of event is more frequent than the others.
    let mut dice = Seeded::new(9);
    for event in [0_u16, 1, 3, 6, 7, 8, 10] {
        let events = (0..400).flat_map(|_| {
            let event = if dice.roll(3) == 0 { event } else { 399 };
            [event.to_be_bytes()[0], event.to_be_bytes()[1], dice.roll(256) as u8]
        });
        let events: Vec<u8> = events.collect();
        seeds.push([some_bytes(u64::from(event), 300), events].concat());
    }
    seeds
}
