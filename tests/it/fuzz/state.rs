//! Any bytes as the files of the state folder: whatever is in them the server starts, forgets nothing that it understood,
//! and writes them so that it reads the same.

use std::time::Duration;

use fingerpost::control::{Control, Effect, Event, Kept, Settings};
use fingerpost::io::state::CookieSecrets;
use fingerpost::moment::Moment;

use super::seeds::some_bytes;
use crate::simulation::folder;

const NOW: Moment = Moment(1_763_700_000_000);

fn start(kept: Kept) {
    let mut dice = fingerpost::dice::Seeded::new(1);
    let pace = folder::pace(&mut dice);
    let shared = folder::checks(pace, &mut dice);
    let mut control = Control::new(Settings::default(), kept.clone(), 1, NOW);
    let mut now = NOW;
    let mut event = Event::Reloaded(shared.clone());
    for _ in 0..10 {
        for effect in control.handle(event, now).expect("neither is refused") {
            let Effect::Save(saved) = effect else { continue };
            for (id, forced) in kept.forced.iter().filter(|(_, forced)| forced.until.is_none()) {
                assert_eq!(saved.forced.get(id), Some(forced), "{id} was forced");
            }
            assert_eq!((&saved.switches, &saved.metrics), (&kept.switches, &kept.metrics));
        }
        assert!(control.next() > now);
        now = control.next().max(now.after(Duration::from_secs(1)));
        event = Event::Tick;
    }
    for (id, forced) in kept.forced.iter().filter(|(_, forced)| forced.until.is_none()) {
        if let Some(verdict) = control.verdicts().get(id) {
            assert_eq!((verdict.forced, verdict.healthy), (true, forced.healthy), "{id}");
        }
    }
}

pub fn run(bytes: &[u8]) {
    if let Some(secrets) = CookieSecrets::parse(bytes) {
        assert_eq!(CookieSecrets::parse(secrets.text().as_bytes()), Some(secrets));
    }
    if let Ok(kept) = serde_json::from_slice::<Kept>(bytes) {
        let text = serde_json::to_vec(&kept).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<Kept>(&text).ok(), Some(kept.clone()));
        start(kept);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = SEEDS.iter().map(|text| text.as_bytes().to_vec()).collect();
    // What simulated servers have on their disks after a while.
    for seed in 1..6 {
        let mut world = crate::simulation::World::of(seed, Box::new(fingerpost::dice::Seeded::new(seed)));
        (0..400).for_each(|_| world.step());
        found.push(serde_json::to_vec(world.disk()).expect("what is kept can be written"));
    }
    found.push(some_bytes(1, 100));
    found
}

const SEEDS: &[&str] = &[
    "made 1000\ncurrent 000102030405060708090a0b0c0d0e0f\nprevious none\n",
    "made 4294967295\ncurrent 000102030405060708090a0b0c0d0e0f\nprevious ffffffffffffffffffffffffffffffff\n",
    "{}",
    r#"{"saved":1763699999000,"forced":{"switch":{"healthy":false,"since":0,"until":18446744073709551615,"reason":"x"},
"endpoint-1":{"healthy":true,"since":18446744073709551615,"until":null,"reason":""}},"switches":{"switch":{"on":true,"since":1}},
"metrics":{"metric":{"state":"insufficient-data","since":2,"last_known":false}},
"verdicts":{"endpoint-2":{"healthy":true,"since":3,"own":{"local":true},"asks":"tcp://127.0.0.1:1"}}}"#,
];
