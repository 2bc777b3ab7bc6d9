//! The control plane of health in a simulated world: endpoints that flap, probes that take their time, reloads, forced
//! states that end, other checkers, pauses, clocks that are set back, and crashes between any two effects. Everything
//! follows from one seed, and a day takes a moment.
//!
//! `SIMULATED_DAYS=365 SIMULATION_SEED=1000 cargo test --test it simulated_world` runs for as long as you like, other
//! worlds from another seed on. With `SIMULATION_TRACE=1` and `-- --nocapture` it tells what happens.

// Said in full, because the fuzzer takes this file by its path.
#[path = "simulation/expected.rs"]
mod expected;
#[path = "simulation/folder.rs"]
pub mod folder;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fingerpost::control::{
    Control, Effect, Event, GATHER, Kept, MetricState, Observation, SAVE_AFTER, SPREAD, Settings, VERDICT_AGE_MAX,
};
use fingerpost::dice::{Dice, Seeded};
use fingerpost::health::finding::{Failure, Finding, Latency, Outcome};
use fingerpost::health::verdicts::{Reason, Verdicts};
use fingerpost::model::health_check::{HealthCheck, Kind};
use fingerpost::model::{Id, Shared, ZoneData};
use fingerpost::moment::Moment;
use fingerpost::snapshot::{Parts, Snapshot};

use expected::{Checks, Expected, Told};
use folder::Pace;

const RUN_TIME: Duration = Duration::from_secs(1800);
/// Three weeks.
const RUNS: u64 = 21 * RUNS_A_DAY;
const RUNS_A_DAY: u64 = 86_400 / RUN_TIME.as_secs();
/// A probe takes this long at most: connecting, status and body have 8 seconds together.
const PROBE_MAX: u32 = 8000;

pub struct World {
    seed: u64,
    dice: Box<dyn Dice>,
    pace: Pace,
    now: Moment,
    control: Control,
    shared: Arc<Shared>,
    zone: ZoneData,
    /// Probes on their way back.
    returning: BTreeMap<(Moment, u64), (Id, Outcome)>,
    up: BTreeMap<Id, bool>,
    expected: Checks,
    told: Told,
    disk: Kept,
    /// On its way to the disk; what comes later replaces it.
    saving: Option<Kept>,
    /// Somebody forces this check, and waits.
    unanswered: Option<Id>,
    snapshot: Snapshot,
    /// How long the server has run, between its crashes.
    served: Duration,
    crashes: u32,
    /// Each event is printed.
    traced: bool,
}

impl World {
    fn new(seed: u64) -> World {
        World::of(seed, Box::new(Seeded::new(seed)))
    }

    /// A world in which everything is as the dice fall. The seed is for what they do not decide.
    pub fn of(seed: u64, mut dice: Box<dyn Dice>) -> World {
        let pace = folder::pace(&mut *dice);
        let shared = folder::checks(pace, &mut *dice);
        let zone = folder::zone(&mut *dice);
        let now = Moment(1_000_000_000);
        let mut world = World {
            seed,
            pace,
            now,
            control: Control::new(Settings::default(), Kept::default(), seed, now),
            snapshot: folder::snapshot(&zone, &shared),
            shared: Arc::default(),
            zone,
            returning: BTreeMap::new(),
            up: BTreeMap::new(),
            expected: Checks::default(),
            told: Told::default(),
            disk: Kept::default(),
            saving: None,
            unanswered: None,
            served: Duration::ZERO,
            crashes: 0,
            traced: std::env::var_os("SIMULATION_TRACE").is_some(),
            dice,
        };
        world.reload(shared);
        world
    }

    pub fn disk(&self) -> &Kept {
        &self.disk
    }

    /// Hands over an event, and does what comes of it; once in `peril` times the server ends somewhere between.
    /// Returns whether all was done, so that somebody who waits is answered.
    fn tell(&mut self, event: Event, peril: u32) -> bool {
        if self.traced && !matches!(event, Event::Tick | Event::Reloaded(_)) {
            println!("{} {event:?}", self.now);
        }
        // Whoever sets something is answered when it is on the disk; nobody else waits for that.
        let waits = matches!(event, Event::Force { .. } | Event::Switch { .. } | Event::Metric { .. });
        let effects =
            self.control.handle(event, self.now).unwrap_or_else(|refused| panic!("seed {}: {refused}", self.seed));
        let dies = self.dice.roll(peril) == 0;
        let done = if dies { self.dice.roll(effects.len() as u32 + 1) as usize } else { effects.len() };
        for effect in effects.into_iter().take(done) {
            match effect {
                Effect::Save(kept) => self.saving = Some(kept),
                Effect::Publish { verdicts, .. } => self.publish(verdicts),
                Effect::Query { .. } => panic!("no metric here follows a query"),
                Effect::Probe { check, number, due, .. } => self.ask(&check, number, due),
                Effect::Report(observation) => self.report(&observation),
                Effect::Stale(_) => {}
            }
        }
        if !dies && waits || self.dice.roll(4) == 0 {
            self.save();
        }
        let saved = self.saving.as_ref().unwrap_or(&self.disk);
        self.told.forget_what_ended(saved, self.now);
        if self.traced && dies {
            println!("{} the server ends after {done} effects", self.now);
        }
        if dies {
            self.crash();
        }
        !dies
    }

    fn publish(&mut self, verdicts: Arc<Verdicts>) {
        self.snapshot = self.snapshot.with_verdicts(verdicts);
    }

    /// What is on its way to the disk arrives there.
    fn save(&mut self) {
        if let Some(kept) = self.saving.take() {
            self.disk = kept;
        }
    }

    /// What is on the disk, or soon will be.
    fn saved(&self) -> &Kept {
        self.saving.as_ref().unwrap_or(&self.disk)
    }

    /// What others are told is what this server's own results have come to.
    fn report(&mut self, observation: &Observation) {
        let expected = self.expected.get(&observation.id).expect("a check that is there");
        assert_eq!(expected.own, Some(observation.healthy), "seed {}: {} is told", self.seed, observation.id);
    }

    fn ask(&mut self, check: &HealthCheck, number: u64, due: Moment) {
        let up = self.up.entry(check.id.clone()).or_insert(true);
        if self.dice.roll(self.pace.flaps) == 0 {
            *up = !*up;
        }
        let finding = if *up { Finding::Connected } else { Finding::Failed(Failure::Refused) };
        let took = if self.dice.roll(5) == 0 { self.dice.roll(PROBE_MAX) } else { self.dice.roll(20) };
        let outcome = Outcome { finding, resolved: None, latency: Latency::default() };
        let back = self.now.after(Duration::from_millis(u64::from(took)));
        self.returning.insert((back, number), (check.id.clone(), outcome));
        let expected = self.expected.get(&check.id).expect("a check that is there");
        let interval = expected.interval().unwrap_or_else(|| panic!("seed {}: {} is asked", self.seed, check.id));
        let soonest = expected.due.map_or(Moment::START, |due| due.after(interval / 2));
        assert!(due >= soonest, "seed {}: {} is asked for {due} and not from {soonest} on", self.seed, check.id);
        (expected.asked, expected.due) = (self.now, Some(due));
    }

    fn reload(&mut self, shared: Arc<Shared>) {
        let before = std::mem::replace(&mut self.shared, shared.clone());
        self.expected.reload(&shared, self.now);
        let kind = |shared: &Shared, id: &Id| shared.health_checks.get(id).map(|check| check.kind.clone());
        self.returning.retain(|_, (id, _)| {
            let now = kind(&shared, id);
            now.is_some() && now == kind(&before, id)
        });
        self.snapshot = folder::snapshot(&self.zone, &shared);
        self.tell(Event::Reloaded(shared), 20);
    }

    /// The server ends and starts anew, with nothing but its disk.
    fn crash(&mut self) {
        self.crashes += 1;
        match self.dice.roll(2) {
            0 => self.save(),
            _ => self.saving = None,
        }
        // What had ended, and was not yet off the disk, comes back until it ends again.
        for (id, forced) in &self.disk.forced {
            // Of what nobody was answered yet, it is seen later which of the two it came to.
            if !self.told.forced.contains_key(id) && self.unanswered.as_ref() != Some(id) {
                let until = forced.until.map(Moment);
                assert!(until.is_some(), "seed {}: {id} was let go, and is forced again", self.seed);
                self.told.forced.insert(id.clone(), (forced.healthy, until));
            }
        }
        if self.traced {
            println!("{} a crash; saved at {}: {:?}", self.now, Moment(self.disk.saved), self.disk.verdicts);
        }
        let most = folder::pick(&[2_000, 20_000, 900_000], &mut *self.dice);
        let away = Duration::from_millis(u64::from(self.dice.roll(most)));
        // Now and then somebody sets the clock right.
        self.now =
            if self.dice.roll(8) == 0 { Moment(self.now.0 - away.as_millis() as u64) } else { self.now.after(away) };
        let too_old = self.now.since(Moment(self.disk.saved)) > VERDICT_AGE_MAX;
        self.control = Control::new(Settings::default(), self.disk.clone(), self.seed, self.now);
        self.returning.clear();
        self.expected.restart(&self.disk, too_old, self.now);
        self.snapshot = folder::snapshot(&self.zone, &self.shared);
        self.tell(Event::Reloaded(self.shared.clone()), 20);
    }

    /// Something happens, or nothing does until the next thing that is due.
    pub fn step(&mut self) {
        let id = {
            let any = self.dice.roll(self.shared.health_checks.len() as u32) as usize;
            self.shared.health_checks.keys().nth(any).cloned().expect("some check")
        };
        match self.dice.roll(400) {
            0 => {
                if self.dice.roll(2) == 0 {
                    self.zone = folder::zone(&mut *self.dice);
                }
                let shared = folder::edited(&self.shared, self.pace, &mut *self.dice);
                self.reload(shared);
            }
            1 => self.crash(),
            2..=5 => self.force(id),
            6 => self.switch(),
            7 => self.meter(),
            8..=9 => self.observe(id),
            10 => self.pause(),
            _ => self.advance(),
        }
        self.look();
    }

    fn force(&mut self, id: Id) {
        let healthy = folder::pick(&[None, Some(true), Some(false)], &mut *self.dice);
        let lasting = (self.dice.roll(2) == 0).then(|| Duration::from_secs(u64::from(self.dice.roll(600))));
        let before = self.told.forced.get(&id).copied();
        let after = healthy.map(|healthy| (healthy, lasting.map(|lasting| self.now.after(lasting))));
        self.unanswered = Some(id.clone());
        let answered = self.tell(Event::Force { id: id.clone(), healthy, lasting, reason: "a test".into() }, 20);
        self.unanswered = None;
        let kept = self.saved().forced.get(&id).map(|forced| (forced.healthy, forced.until.map(Moment)));
        let has_end = |state: &Option<(bool, Option<Moment>)>| state.is_some_and(|(_, until)| until.is_some());
        let ended = |state: &Option<(bool, Option<Moment>)>| has_end(state) && lasting == Some(Duration::ZERO);
        // Nobody was answered: it was set or it was not, and may have come to its end since.
        let fits = match answered {
            true => kept == after || kept.is_none() && ended(&after),
            false => kept == after || kept == before || kept.is_none() && (has_end(&before) || has_end(&after)),
        };
        assert!(fits, "seed {}: {id} is kept as {kept:?} after {before:?} and {after:?}", self.seed);
        match kept {
            Some(state) => _ = self.told.forced.insert(id, state),
            None => _ = self.told.forced.remove(&id),
        }
    }

    fn switch(&mut self) {
        let on = self.dice.roll(2) == 0;
        let answered = self.tell(Event::Switch { id: "switch".into(), on }, 20);
        let kept = self.saved().switches.get("switch").map(|switch| switch.on);
        if answered || kept == Some(on) {
            self.told.switch = Some(on);
        }
    }

    fn meter(&mut self) {
        let state =
            folder::pick(&[MetricState::Ok, MetricState::Alarm, MetricState::InsufficientData], &mut *self.dice);
        let answered = self.tell(Event::Metric { id: "metric".into(), state }, 20);
        let kept = self.saved().metrics.get("metric").map(|metered| metered.state);
        if answered || kept == Some(state) {
            self.told.set_metric(state);
        }
    }

    fn observe(&mut self, id: Id) {
        if !id.starts_with("endpoint") {
            return;
        }
        let checker: Id = folder::pick(&["paris", "tokyo", "lima", "cairo", "oslo", "perth"], &mut *self.dice).into();
        let healthy = self.dice.roll(3) == 0;
        let event = Event::Observed { id: id.clone(), checker: checker.clone(), healthy, reason: "".into() };
        if self.tell(event, 20) {
            self.expected.get(&id).expect("a check that is there").hear(checker, healthy, self.now);
        }
    }

    /// The machine sleeps, or is busy with other things.
    fn pause(&mut self) {
        let most = Duration::from_millis(u64::from(self.dice.roll(120_000)));
        self.wait_until(self.now.after(most));
        while self.returning.keys().next().is_some_and(|(at, _)| *at <= self.now) {
            self.advance();
            self.expected.grow_older(Settings::default().heard_age, &self.told, self.now);
        }
        self.tell(Event::Tick, 4000);
    }

    fn wait_until(&mut self, at: Moment) {
        self.served += at.since(self.now);
        self.now = self.now.max(at);
    }

    fn advance(&mut self) {
        let due = self.control.next();
        match self.returning.first_key_value() {
            Some((&(at, number), _)) if at <= due || at <= self.now => {
                self.wait_until(at);
                let Some((id, outcome)) = self.returning.remove(&(at, number)) else { return };
                if let Some(expected) = self.expected.get(&id) {
                    expected.observe(outcome.is_healthy());
                    expected.asked = self.now;
                }
                self.tell(Event::Probed { id, number, outcome }, 4000);
            }
            _ => {
                self.wait_until(due);
                self.tell(Event::Tick, 4000);
            }
        }
    }

    /// What must always hold.
    fn look(&mut self) {
        let (seed, now) = (self.seed, self.now);
        for (id, (_, until)) in &self.told.forced {
            // The state of a check that is away for a while ends when it is back.
            let ended = until.is_some_and(|until| until <= now) && self.shared.health_checks.contains_key(id);
            assert!(!ended, "seed {seed}: {id} is forced beyond its end at {now}");
        }
        assert!(self.control.next() > now, "seed {seed}: something due at {now} was not done");
        self.expected.grow_older(Settings::default().heard_age, &self.told, now);
        for expected in &self.expected.0 {
            if let Some(interval) = expected.interval() {
                let late = expected.asked.after(interval * 2 + SPREAD + Duration::from_millis(u64::from(PROBE_MAX)));
                let (id, asked) = (&expected.check.id, expected.asked);
                assert!(now <= late, "seed {seed}: {id} was not asked from {asked} to {now}");
            }
        }

        let mut all_told = true;
        let served = &self.snapshot.verdicts;
        assert_eq!(self.control.verdicts().iter().count(), self.expected.0.len(), "seed {seed}");
        for (at, ((id, verdict), (same, served))) in self.control.verdicts().iter().zip(served.iter()).enumerate() {
            let stale = match verdict.reason {
                Reason::Stale { since } => Some(since),
                _ => None,
            };
            let expected = (
                self.expected.is_healthy(at, &self.told),
                self.told.forced.contains_key(id),
                self.expected.0[at].stale(&self.told),
            );
            assert_eq!((verdict.healthy, verdict.forced, stale), expected, "seed {seed}: {id} at {now}");
            assert_eq!(id, same, "seed {seed}: another check is served at {now}");
            all_told &= verdict.healthy == served.healthy;
        }
        // What is served is what holds, but for the moment in which turns are gathered.
        assert!(all_told || self.control.next() <= now.after(GATHER), "seed {seed}: a turn stays untold at {now}");
        if all_told && self.dice.roll(64) == 0 {
            self.look_at_the_snapshot();
        }
        if self.dice.roll(8) == 0 {
            self.look_at_the_disk();
        }
    }

    /// However it came to be, it is what would be built from nothing.
    fn look_at_the_snapshot(&self) {
        let ours = &self.snapshot;
        let verdicts = self.expected.afresh(&self.shared, &self.told, self.now);
        let afresh = Snapshot::new(Parts {
            settings: ours.settings.clone(),
            key: ours.key,
            images: ours.zones.numbers().map(|zone| ours.zones.shared_image(zone)).collect(),
            geography: ours.geography.clone(),
            shared: self.shared.clone(),
            verdicts,
        });
        for zone in ours.zones.numbers() {
            for group in 0..ours.image(zone).groups.len() as u32 {
                let (ours, afresh) = (ours.candidates(zone, group).1, afresh.candidates(zone, group).1);
                assert_eq!(ours, afresh, "seed {}: group {group} at {}", self.seed, self.now);
            }
        }
    }

    fn look_at_the_disk(&self) {
        let (seed, now) = (self.seed, self.now);
        // Whoever was answered waited for the disk itself; what nobody waits for is on its way.
        for (id, (healthy, _)) in &self.told.forced {
            let kept = self.saved().forced.get(id).map(|forced| forced.healthy);
            assert_eq!(kept, Some(*healthy), "seed {seed}: the forced state of {id} is not on disk");
        }
        assert_eq!(self.saved().switches.get("switch").map(|switch| switch.on), self.told.switch, "seed {seed}");
        assert_eq!(
            self.saved().metrics.get("metric").map(|metered| metered.state),
            self.told.metric.map(|(state, _)| state),
            "seed {seed}"
        );
        // Verdicts of probes are saved soon after one turned.
        for Expected { check, reported: (reported, since), .. } in &self.expected.0 {
            if let (Kind::Endpoint(_), Some(healthy)) = (&check.kind, *reported)
                && since.after(SAVE_AFTER) < now
            {
                let kept = self.saved().verdicts.get(&check.id).map(|kept| kept.healthy);
                assert_eq!(
                    kept,
                    Some(healthy),
                    "seed {seed}: {} turned at {since}, and is not kept at {now}",
                    check.id
                );
            }
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: {text:?} is no number")))
}

#[test]
fn a_simulated_world_keeps_its_promises() {
    let runs = number("SIMULATED_DAYS").map_or(RUNS, |days| days * RUNS_A_DAY);
    let first = number("SIMULATION_SEED").unwrap_or(0);
    let (mut steps, mut crashes) = (0_u64, 0);
    for seed in first..first + runs {
        let mut world = World::new(seed);
        while world.served < RUN_TIME {
            world.step();
            steps += 1;
        }
        crashes += world.crashes;
    }
    assert!(crashes > 0);
    println!("{} simulated days, {steps} steps, {crashes} crashes, seeds from {first} on", runs / RUNS_A_DAY);
}

#[test]
fn one_seed_is_one_history() {
    let history = |seed| {
        let mut world = World::new(seed);
        (0..500).for_each(|_| world.step());
        (world.now, world.disk.clone(), world.control.kept(world.now))
    };
    assert_eq!(history(11), history(11));
    assert_ne!(history(11), history(12));
}
