//! The control plane of health in a simulated world: endpoints that flap, probes that take their time, reloads,
//! forced states that end, and crashes. Everything follows from one seed, and a day takes no time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fingerpost::control::{Control, Effect, Event, GATHER, Kept, MetricState, SPREAD, Settings};
use fingerpost::dice::{Dice, Seeded};
use fingerpost::health::finding::{Failure, Finding, Latency, Outcome};
use fingerpost::health::verdicts::Verdicts;
use fingerpost::model::health_check::{Endpoint, HealthCheck, InsufficientData, Kind, Metric, Protocol};
use fingerpost::model::{Id, Shared};
use fingerpost::moment::Moment;
use fingerpost::problem::At;

const RUNS: u64 = 2000;
const RUN_TIME: Duration = Duration::from_secs(200);
/// A probe takes this long at most: connecting, status and body have 8 seconds together.
const PROBE_MAX: u32 = 8000;

fn check(id: String, kind: Kind, dice: &mut Seeded) -> (Id, HealthCheck) {
    let at = At { file: "health-checks.toml".into(), line: 1, column: 1, length: 0 };
    let (inverted, disabled) = (dice.roll(6) == 0, dice.roll(10) == 0);
    (id.as_str().into(), HealthCheck { id: id.into(), kind, inverted, disabled, at })
}

fn endpoint(dice: &mut Seeded) -> Kind {
    Kind::Endpoint(Endpoint {
        protocol: Protocol::Tcp,
        ip_address: Some([127, 0, 0, 1].into()),
        fully_qualified_domain_name: None,
        port: 1 + dice.roll(2) as u16,
        resource_path: "/".into(),
        search_string: None,
        enable_sni: false,
        measure_latency: false,
        request_interval: [1, 10, 30][dice.roll(3) as usize],
        failure_threshold: 1 + dice.roll(4),
        regions: Vec::new(),
    })
}

/// Some checks of each type; those with the same number may differ from folder to folder.
fn folder(dice: &mut Seeded) -> Arc<Shared> {
    let mut checks = BTreeMap::new();
    for number in 0..8 {
        if dice.roll(8) > 0 {
            let kind = endpoint(dice);
            checks.extend([check(format!("endpoint-{number}"), kind, dice)]);
        }
    }
    for number in 0..3 {
        let children = (0..3).map(|_| format!("endpoint-{}", dice.roll(8)).into()).collect::<BTreeSet<Id>>();
        let kind = Kind::Calculated { children: children.into_iter().collect(), threshold: dice.roll(4) };
        checks.extend([check(format!("calculated-{number}"), kind, dice)]);
    }
    checks.extend([check("switch".into(), Kind::Switch { routing_control_arn: "arn".into() }, dice)]);
    let insufficient_data = [InsufficientData::Healthy, InsufficientData::Unhealthy, InsufficientData::LastKnownStatus]
        [dice.roll(3) as usize];
    let metric = Metric { alarm_region: "eu-west-1".into(), alarm_name: "orders".into(), insufficient_data };
    checks.extend([check("metric".into(), Kind::Metric(metric), dice)]);
    Arc::new(Shared { health_checks: checks, ..Shared::default() })
}

/// A few checks edited, the others as they were.
fn edited(before: &Shared, dice: &mut Seeded) -> Arc<Shared> {
    let other = folder(dice);
    let mut checks = before.health_checks.clone();
    for (id, check) in &other.health_checks {
        match dice.roll(8) {
            0 => _ = checks.insert(id.clone(), check.clone()),
            1 if id.starts_with("endpoint") => _ = checks.remove(id),
            _ => {}
        }
    }
    Arc::new(Shared { health_checks: checks, ..Shared::default() })
}

/// What a check's own results say by the plain rule: the latest run of `threshold` equal ones decides.
#[derive(Default)]
struct Seen {
    results: Vec<bool>,
    decided: Option<bool>,
    /// When it was asked last, or might have been.
    asked: Moment,
}

struct World {
    seed: u64,
    dice: Seeded,
    now: Moment,
    control: Control,
    shared: Arc<Shared>,
    /// Probes on their way back.
    returning: BTreeMap<(Moment, u64), (Id, Outcome)>,
    up: BTreeMap<Id, bool>,
    seen: BTreeMap<Id, Seen>,
    /// What was acknowledged: forced states with their ends, and the switch.
    forced: BTreeMap<Id, (bool, Option<Moment>)>,
    switch: Option<bool>,
    disk: Kept,
    published: Arc<Verdicts>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Seeded::new(seed);
        let shared = folder(&mut dice);
        let now = Moment(1_000_000);
        let control = Control::new(Settings::default(), Kept::default(), seed, now);
        let mut world = World {
            seed,
            dice,
            now,
            control,
            shared: Arc::default(),
            returning: BTreeMap::new(),
            up: BTreeMap::new(),
            seen: BTreeMap::new(),
            forced: BTreeMap::new(),
            switch: None,
            disk: Kept::default(),
            published: Arc::default(),
        };
        world.reload(shared);
        world
    }

    fn tell(&mut self, event: Event) {
        let effects = self.control.handle(event, self.now).unwrap_or_else(|refused| panic!("{}: {refused}", self.seed));
        for effect in effects {
            match effect {
                Effect::Save(kept) => self.disk = kept,
                Effect::Publish { verdicts, .. } => self.published = verdicts,
                Effect::Probe { check, number, .. } => self.ask(&check, number),
            }
        }
    }

    fn ask(&mut self, check: &HealthCheck, number: u64) {
        assert!(!check.disabled, "{}: a disabled check is asked", self.seed);
        let up = self.up.entry(check.id.clone()).or_insert(true);
        if self.dice.roll(6) == 0 {
            *up = !*up;
        }
        let finding = if *up { Finding::Connected } else { Finding::Failed(Failure::Refused) };
        let took = if self.dice.roll(5) == 0 { self.dice.roll(PROBE_MAX) } else { self.dice.roll(20) };
        let outcome = Outcome { finding, resolved: None, latency: Latency::default() };
        let back = self.now.after(Duration::from_millis(u64::from(took)));
        self.returning.insert((back, number), (check.id.clone(), outcome));
        self.seen.entry(check.id.clone()).or_default().asked = self.now;
    }

    fn reload(&mut self, shared: Arc<Shared>) {
        let kind =
            |shared: &Shared, id: &Id| shared.health_checks.get(id).map(|check| (check.kind.clone(), check.disabled));
        let before = std::mem::replace(&mut self.shared, shared.clone());
        for id in shared.health_checks.keys() {
            let (old, new) = (kind(&before, id), kind(&shared, id));
            if old.as_ref().map(|(kind, _)| kind) != new.as_ref().map(|(kind, _)| kind) {
                self.seen.insert(id.clone(), Seen { asked: self.now, ..Seen::default() });
                self.returning.retain(|_, (other, _)| other != id);
            } else if old != new {
                self.seen.entry(id.clone()).or_default().asked = self.now;
            }
        }
        self.returning.retain(|_, (id, _)| shared.health_checks.contains_key(id));
        self.tell(Event::Reloaded(shared));
    }

    fn crash(&mut self) {
        let away = Duration::from_millis(u64::from(self.dice.roll(900_000)));
        self.now = self.now.after(away);
        let too_old = self.now.since(Moment(self.disk.saved)) > fingerpost::control::VERDICT_AGE_MAX;
        self.control = Control::new(Settings::default(), self.disk.clone(), self.seed, self.now);
        self.returning.clear();
        for (id, seen) in &mut self.seen {
            let asks = self.shared.health_checks.get(id).map(HealthCheck::asks);
            let kept = self.disk.verdicts.get(id).filter(|kept| !too_old && Some(&kept.asks) == asks.as_ref());
            *seen = Seen { results: Vec::new(), decided: kept.map(|kept| kept.healthy), asked: self.now };
        }
        self.tell(Event::Reloaded(self.shared.clone()));
    }

    /// Something happens, or nothing does until the next thing that is due.
    fn step(&mut self) {
        let any = self.dice.roll(16) as usize;
        let id = self.shared.health_checks.keys().nth(any % self.shared.health_checks.len()).cloned().unwrap();
        match self.dice.roll(400) {
            0 => {
                let shared = edited(&self.shared, &mut self.dice);
                self.reload(shared);
            }
            1 => self.crash(),
            2..=5 => {
                let healthy = [None, Some(true), Some(false)][self.dice.roll(3) as usize];
                let lasting = (self.dice.roll(2) == 0).then(|| Duration::from_secs(u64::from(self.dice.roll(600))));
                self.tell(Event::Force { id: id.clone(), healthy, lasting, reason: "a test".into() });
                match healthy {
                    None => _ = self.forced.remove(&id),
                    Some(healthy) => {
                        self.forced.insert(id, (healthy, lasting.map(|lasting| self.now.after(lasting))));
                    }
                }
            }
            6 => {
                let on = self.dice.roll(2) == 0;
                self.tell(Event::Switch { id: "switch".into(), on });
                self.switch = Some(on);
            }
            7 => {
                let state =
                    [MetricState::Ok, MetricState::Alarm, MetricState::InsufficientData][self.dice.roll(3) as usize];
                self.tell(Event::Metric { id: "metric".into(), state });
            }
            _ => self.advance(),
        }
        self.look();
    }

    fn advance(&mut self) {
        let back = self.returning.keys().next().copied();
        match back {
            Some((at, number)) if at <= self.control.next() => {
                self.now = self.now.max(at);
                let Some((id, outcome)) = self.returning.remove(&(at, number)) else { return };
                let check = &self.shared.health_checks[&id];
                let seen = self.seen.entry(id.clone()).or_default();
                if let (Kind::Endpoint(endpoint), false) = (&check.kind, check.disabled) {
                    seen.results.push(outcome.is_healthy());
                    let threshold = endpoint.failure_threshold as usize;
                    let tail = &seen.results[seen.results.len().saturating_sub(threshold)..];
                    if tail.len() == threshold && tail.iter().all(|result| *result == outcome.is_healthy()) {
                        seen.decided = Some(outcome.is_healthy());
                    }
                }
                self.tell(Event::Probed { id, number, outcome });
            }
            _ => {
                self.now = self.now.max(self.control.next());
                self.tell(Event::Tick);
            }
        }
    }

    /// What must always hold.
    fn look(&mut self) {
        let (seed, now) = (self.seed, self.now);
        self.forced.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        assert!(self.control.next() > now, "{seed}: something due at {now} was not done");

        let mut afresh = Verdicts::new(&self.shared.health_checks);
        for (id, check) in &self.shared.health_checks {
            let seen = self.seen.entry(id.clone()).or_default();
            let said = match &check.kind {
                Kind::Endpoint(_) => seen.decided,
                Kind::Switch { .. } => self.switch,
                // Its last known status is the control plane's to know.
                Kind::Metric(_) => self.control.metric(id).and_then(|metered| match metered.state {
                    MetricState::Ok => Some(true),
                    MetricState::Alarm => Some(false),
                    MetricState::InsufficientData => None,
                }),
                Kind::Calculated { .. } => None,
            };
            if let Some(healthy) = said {
                afresh.report(id, healthy, now).unwrap();
            }
            if let Some((healthy, _)) = self.forced.get(id) {
                afresh.force(id, Some(*healthy), now).unwrap();
            }
            if let (Kind::Endpoint(endpoint), false) = (&check.kind, check.disabled) {
                let interval = Duration::from_secs(u64::from(endpoint.request_interval));
                let late = seen.asked.after(interval * 2 + SPREAD + Duration::from_millis(u64::from(PROBE_MAX)));
                assert!(now <= late, "{seed}: {id} was not asked from {} to {now}", seen.asked);
            }
        }
        for (id, verdict) in afresh.iter().filter(|(id, _)| &***id != "metric") {
            let theirs = self.control.verdicts().get(id).map(|verdict| (verdict.healthy, verdict.forced));
            assert_eq!(theirs, Some((verdict.healthy, verdict.forced)), "{seed}: {id} at {now}");
        }
        // What is published is what holds, but for the moment in which turns are gathered.
        let told = self
            .control
            .verdicts()
            .iter()
            .all(|(id, verdict)| self.published.get(id).map(|told| told.healthy) == Some(verdict.healthy));
        assert!(told || self.control.next() <= now.after(GATHER), "{seed}: a turn stays untold at {now}");
        for (id, (healthy, _)) in &self.forced {
            let kept = self.disk.forced.get(id).map(|forced| forced.healthy);
            assert_eq!(kept, Some(*healthy), "{seed}: the forced state of {id} is not on disk");
        }
        assert_eq!(self.disk.switches.get("switch").map(|switch| switch.on), self.switch, "{seed}");
    }
}

#[test]
fn a_simulated_world_keeps_its_promises() {
    for seed in 0..RUNS {
        let mut world = World::new(seed);
        let end = world.now.after(RUN_TIME);
        while world.now < end {
            world.step();
        }
    }
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
