//! Does what `control` says: asks endpoints, writes the state folder, swaps the snapshot, logs what turned.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::clock::Clock;
use super::keeper::{Keeper, Saving};
use super::live::Served;
use super::probe::{Awake, Prober};
use super::report::{Receiver, Reports};
use super::state::{FILE_MAX, HEALTH_FILE, State};
use super::together::Together;
use crate::control::{Control, Effect, Event, Kept, Observation, Refused, Settings, Stale, Turn};
use crate::model::Id;
use crate::model::health_check::{Follows, HealthCheck, Kind, Metric};
use crate::moment::Moment;
use crate::snapshot::Snapshot;

/// Names in one log line; more are counted.
const LOGGED_NAMES_MAX: usize = 10;

/// Checks that become stale together and have a log line each; more are counted in one.
const LOGGED_STALE_MAX: usize = 20;

/// The health of a running server.
pub struct Health {
    inside: Mutex<Inside>,
    served: Served,
    prober: ArcSwap<Prober>,
    awake: Arc<Awake>,
    reports: Reports,
    /// The view of all checks.
    pub list: Together,
    clock: Clock,
    /// Milliseconds since 1970 when `clock` began: moments of health are of that kind, so that they outlive a process.
    epoch: u64,
    changed: Notify,
    runtime: Handle,
}

struct Inside {
    control: Control,
    /// None where nothing can be kept.
    keeper: Option<Keeper<Kept>>,
}

impl Health {
    /// Takes over the snapshot that is served. To be called within the runtime in which probes are to run.
    pub fn new(settings: Settings, state: Option<State>, served: Served, prober: Prober, seed: u64) -> Arc<Health> {
        let kept = state.as_ref().map(read).unwrap_or_default();
        // A folder that can only be read was told of when it was opened.
        let keeper = state.filter(|state| state.read_only().is_none()).and_then(|state| {
            let keeper = Keeper::start(move |kept| write(&state, kept));
            keeper.inspect_err(|error| tracing::warn!(%error, "health cannot be kept: no thread for it")).ok()
        });
        Health::keeping(settings, (kept, keeper), served, prober, seed)
    }

    /// One that knows what was kept, and whom to give what is to be kept.
    fn keeping(
        settings: Settings,
        (kept, keeper): (Kept, Option<Keeper<Kept>>),
        served: Served,
        prober: Prober,
        seed: u64,
    ) -> Arc<Health> {
        let (clock, awake) = (Clock::start(), Arc::<Awake>::default());
        let epoch = super::clock::unix_millis();
        let control = Control::new(settings, kept, seed, Moment(epoch));
        let health = Arc::new(Health {
            inside: Mutex::new(Inside { control, keeper }),
            prober: ArcSwap::from_pointee(prober.heeding(awake.clone())),
            awake,
            reports: Reports::default(),
            list: Together::default(),
            clock,
            epoch,
            changed: Notify::new(),
            runtime: Handle::current(),
            served,
        });
        health.reload(&health.served.load_full());
        health
    }

    pub fn now(&self) -> Moment {
        Moment(self.epoch).after(self.clock.now().since(Moment::START))
    }

    /// Probes and publishes as due, until the runtime ends.
    pub async fn run(self: Arc<Self>) {
        let awake = self.awake.clone();
        tokio::spawn(async move { awake.beat().await });
        loop {
            let next = self.lock().control.next();
            let wait = next.since(self.now()).max(Duration::from_millis(u64::from(next > self.now())));
            tokio::select! {
                () = tokio::time::sleep(wait) => {
                    // A tick is never refused.
                    let _ = self.handle(Event::Tick);
                }
                () = self.changed.notified() => {}
            }
        }
    }

    /// When this returns, what was asked for is served. Whether it is kept, too, is to be waited for.
    pub fn handle(self: &Arc<Self>, event: Event) -> Result<Saving, Refused> {
        let mut inside = self.lock();
        let effects = inside.control.handle(event, self.now())?;
        let (saving, lines) = self.carry_out(&mut inside, effects, None);
        drop(inside);
        self.changed.notify_one();
        lines.iter().for_each(Lines::log);
        Ok(saving)
    }

    /// Takes what other checkers have come to. Returns why not, for those of which nothing is taken.
    pub fn observe(self: &Arc<Self>, observations: Vec<Observation>) -> Vec<(Id, Refused)> {
        let (mut refused, mut lines) = (Vec::new(), Vec::new());
        let mut inside = self.lock();
        for Observation { id, checker, healthy, reason } in observations {
            let event = Event::Observed { id: id.clone(), checker, healthy, reason };
            match inside.control.handle(event, self.now()) {
                Ok(effects) => lines.extend(self.carry_out(&mut inside, effects, None).1),
                Err(why) => refused.push((id, why)),
            }
        }
        drop(inside);
        self.changed.notify_one();
        lines.iter().for_each(Lines::log);
        refused
    }

    /// Writes down what is known as of now; nothing comes after it.
    pub async fn end(&self) {
        let saving = {
            let inside = self.lock();
            inside.keeper.as_ref().map(|keeper| keeper.keep(inside.control.kept(self.now())))
        };
        if let Some(saving) = saving {
            saving.kept().await;
        }
    }

    /// Serves a snapshot that was loaded, with what is known of the health checks that it still has.
    pub fn reload(self: &Arc<Self>, loaded: &Arc<Snapshot>) {
        let mut inside = self.lock();
        let served = self.served.load_full();
        if Arc::ptr_eq(&loaded.shared, &served.shared) && !Arc::ptr_eq(loaded, &served) {
            // The checks are the same ones, and so is all that is known of them.
            self.served.store(Arc::new(loaded.with_verdicts(served.verdicts.clone())));
            return;
        }
        let mut lines = Vec::new();
        if let Ok(effects) = inside.control.handle(Event::Reloaded(loaded.shared.clone()), self.now()) {
            lines = self.carry_out(&mut inside, effects, Some(loaded)).1;
        }
        drop(inside);
        self.changed.notify_one();
        lines.iter().for_each(Lines::log);
    }

    /// Others are told from now on what this server's checkers come to, and nobody else is.
    pub fn report_to(self: &Arc<Self>, receivers: Vec<Receiver>) {
        self.reports.begin(receivers, self);
    }

    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    pub fn prober(&self) -> Arc<Prober> {
        self.prober.load_full()
    }

    /// Other settings hold from now on.
    pub fn configure(self: &Arc<Self>, settings: Settings, prober: Prober) {
        self.prober.store(Arc::new(prober.heeding(self.awake.clone())));
        if self.look(|control| *control.settings() != settings) {
            // Settings are never refused.
            let _ = self.handle(Event::Settings(settings));
        }
    }

    /// Looks at what is known, between two events.
    pub fn look<T>(&self, look: impl FnOnce(&Control) -> T) -> T {
        look(&self.lock().control)
    }

    /// How often the machine did not let us run, and for how long in all.
    pub fn stalls(&self) -> (u64, Duration) {
        self.awake.stalls()
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.served.load_full()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is to be logged once the lock is let go: the log is not to hold up who waits for that.
    fn carry_out(
        self: &Arc<Self>,
        inside: &mut Inside,
        effects: Vec<Effect>,
        mut loaded: Option<&Arc<Snapshot>>,
    ) -> (Saving, Vec<Lines>) {
        let mut saving = Saving::Known(inside.keeper.is_some());
        let mut lines = Vec::new();
        for effect in effects {
            match effect {
                Effect::Save(what) => {
                    if let Some(keeper) = &inside.keeper {
                        saving = keeper.keep(what);
                    }
                }
                Effect::Publish { verdicts, turned } => match loaded.take() {
                    Some(loaded) => {
                        // What the turns change is how the same zones answer by the verdicts before.
                        let before = self.served.load().verdicts.clone();
                        let before = (!turned.is_empty()).then(|| loaded.with_verdicts(before));
                        let after = Arc::new(loaded.with_verdicts(verdicts));
                        self.served.store(after.clone());
                        lines.extend(before.map(|before| Lines::Turns { turned, before: Arc::new(before), after }));
                    }
                    None => {
                        // Cookie secrets may be rotated at this moment: neither change loses the other.
                        let before = self.served.rcu(|snapshot| snapshot.with_verdicts(verdicts.clone()));
                        if !turned.is_empty() {
                            lines.push(Lines::Turns { turned, before, after: self.served.load_full() });
                        }
                    }
                },
                Effect::Probe { check, checker, number, due } => {
                    let (health, prober) = (self.clone(), self.prober.load_full());
                    self.runtime.spawn(async move {
                        let Kind::Endpoint(endpoint) = &check.kind else { return };
                        let late = health.now().since(due).as_micros();
                        let mut outcome = prober.probe(&check.id, endpoint, &checker).await;
                        outcome.latency.late = u32::try_from(late).unwrap_or(u32::MAX);
                        // Nothing is refused here: a check that is gone by now is not missed.
                        let _ = health.handle(Event::Probed { id: check.id.clone(), number, outcome });
                    });
                }
                Effect::Report(observation) => self.reports.tell(&observation),
                Effect::Stale(stale) => lines.push(Lines::Stale(stale)),
                Effect::Query { check, number } => {
                    let (health, prober) = (self.clone(), self.prober.load_full());
                    self.runtime.spawn(async move {
                        let Kind::Metric(Metric { follows: Follows::Query(query), .. }) = &check.kind else { return };
                        let (reading, took) = prober.measure(query).await;
                        let _ = health.handle(Event::Measured { id: check.id.clone(), number, reading, took });
                    });
                }
            }
        }
        (saving, lines)
    }
}

fn read(state: &State) -> Kept {
    let read = match state.read(HEALTH_FILE) {
        Ok(None) => return Kept::default(),
        Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) => Err(error),
    };
    read.unwrap_or_else(|error| {
        state.set_aside(HEALTH_FILE, &format!("{error}; forced health is forgotten"));
        Kept::default()
    })
}

/// What was acknowledged fits by itself (`control`). Verdicts of probes, which are found out anew, have the room that is
/// left.
fn write(state: &State, kept: &Kept) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(kept)?;
    if bytes.len() as u64 > FILE_MAX {
        bytes = serde_json::to_vec(&Kept { verdicts: BTreeMap::new(), ..kept.clone() })?;
    }
    state.write(HEALTH_FILE, &bytes)
}

/// What is to be logged once no lock is held.
enum Lines {
    /// Verdicts that turned together, and what was served before and after.
    Turns {
        turned: Vec<Turn>,
        before: Arc<Snapshot>,
        after: Arc<Snapshot>,
    },
    Stale(Vec<Stale>),
}

impl Lines {
    fn log(&self) {
        match self {
            Lines::Turns { turned, before, after } => log_turns(turned, before, after),
            Lines::Stale(stale) => log_stale(stale),
        }
    }
}

/// One line for each.
fn log_turns(turned: &[Turn], before: &Snapshot, after: &Snapshot) {
    for (turn, line) in turned.iter().zip(lines(turned, before, after)) {
        match turn.healthy {
            true => tracing::info!("{line}"),
            false => tracing::warn!("{line}"),
        }
    }
}

/// One line for each check that no checker knows any more, and for each that one knows again.
fn log_stale(stale: &[Stale]) {
    for line in stale.iter().take(LOGGED_STALE_MAX) {
        match line.since {
            Some(_) => tracing::warn!("{}", stale_line(line)),
            None => tracing::info!("{}", stale_line(line)),
        }
    }
    let (begin, end) = stale.iter().skip(LOGGED_STALE_MAX).partition::<Vec<_>, _>(|one| one.since.is_some());
    if !begin.is_empty() {
        tracing::warn!("{} more health checks are stale; fingerpost health lists them", begin.len());
    }
    if !end.is_empty() {
        tracing::info!("{} more health checks are not stale any more", end.len());
    }
}

fn stale_line(Stale { id, healthy, since, why }: &Stale) -> String {
    let state = if *healthy { "healthy" } else { "unhealthy" };
    match since {
        Some(since) => format!(
            "health check {id} is {state}, stale since {since}: no checker knows the state any more, so the last \
             verdict stands"
        ),
        None => format!("health check {id} is not stale any more: {state} ({})", why.trim_end_matches('.')),
    }
}

/// What each turn comes to: why, and the names that answer otherwise now, by themselves or through an alias.
fn lines(turned: &[Turn], before: &Snapshot, after: &Snapshot) -> Vec<String> {
    if turned.is_empty() {
        return Vec::new();
    }
    let numbers: HashMap<&str, usize> = turned.iter().enumerate().map(|(number, turn)| (&*turn.id, number)).collect();
    let mut effects: Vec<Names> = turned.iter().map(|_| Names::default()).collect();
    for (name, zone, group) in after.steered_otherwise(before) {
        for check in after.checks_behind(zone, group) {
            if let Some(&number) = numbers.get(&**check) {
                effects[number].add(|| format!("{name} {}", group.rtype));
            }
        }
    }
    let line = |(Turn { id, healthy, why }, names): (&Turn, &Names)| {
        let state = if *healthy { "healthy" } else { "unhealthy" };
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.trim_end_matches('.')) };
        let effect = if names.count == 0 { String::new() } else { format!("; answers otherwise: {names}") };
        let label = |snapshot: &Snapshot| snapshot.shared.health_checks.get(id).map(HealthCheck::label);
        let check = label(after).or_else(|| label(before)).unwrap_or_else(|| id.to_string());
        format!("health check {check} is {state}{why}{effect}")
    };
    turned.iter().zip(&effects).map(line).collect()
}

/// The first names of many, and how many there are.
#[derive(Default)]
struct Names {
    shown: Vec<String>,
    count: usize,
}

impl Names {
    fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < LOGGED_NAMES_MAX {
            self.shown.push(name());
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown.join(", "))?;
        match self.count - self.shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Where the admin port is when nobody says otherwise.
pub const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5380);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Forced;
    use crate::health::verdicts::Verdicts;
    use crate::model::{Limits, Shared};
    use crate::problem::Problems;
    use crate::route53::health_checks;
    use crate::wire::name::Name;
    use crate::zonefile;

    const CHECKS: &str = "
[health_check.blue]
type = \"RECOVERY_CONTROL\"
routing_control_arn = \"arn\"
[health_check.green]
type = \"RECOVERY_CONTROL\"
routing_control_arn = \"arn\"
";

    const ZONE: &str = "\
a 60 IN A 192.0.2.1 ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" identifier=\"one\" healthCheckId=\"blue\"
a 60 IN A 192.0.2.2 ; AWS routing=\"FAILOVER\" failover=\"SECONDARY\" identifier=\"two\"
b 60 IN A 192.0.2.3 ; AWS healthCheckId=\"green\"
top 60 AWS ALIAS A b $self true ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" identifier=\"one\"
top 60 AWS ALIAS A a $self true ; AWS routing=\"FAILOVER\" failover=\"SECONDARY\" identifier=\"two\"
still 60 AWS ALIAS A a $self false ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\"
";

    struct NoIncludes;

    impl zonefile::Includes for NoIncludes {
        fn read(&self, _: &str, _: &str) -> Result<(Arc<str>, Vec<u8>), String> {
            Err("there are no other files".into())
        }
    }

    /// A snapshot of the zone, with these checks.
    fn snapshot(checks: &str) -> Snapshot {
        let mut problems = Problems::default();
        let checks = health_checks::read_toml("h".into(), checks.as_bytes(), Limits::Route53, &mut problems);
        let origin = Name::parse_absolute("x.example").unwrap();
        let zone = zonefile::parse(&origin, "z".into(), ZONE.as_bytes(), &NoIncludes, &mut problems);
        let shared = Shared { health_checks: checks, ..Shared::default() };
        let settings = crate::snapshot::Settings::default();
        let snapshot = Snapshot::of(&[zone], shared, Default::default(), settings, &mut problems);
        assert_eq!(problems.errors(), 0);
        snapshot
    }

    #[tokio::test]
    async fn a_slow_disk_holds_up_no_answer() {
        let (done, wait) = std::sync::mpsc::channel();
        let keeper = Keeper::start(move |_: &Kept| wait.recv().map_err(io::Error::other)).unwrap();
        let served = Served::new(Arc::new(snapshot(CHECKS)));
        let prober = Prober::new(Default::default(), Default::default()).unwrap();
        let health = Health::keeping(Settings::default(), (Kept::default(), Some(keeper)), served, prober, 1);
        let force = Event::Force { id: "blue".into(), healthy: Some(false), lasting: None, reason: "".into() };
        let forced = health.handle(force).unwrap();
        assert!(!health.snapshot().verdicts.healthy("blue"), "it is served while the disk is busy");
        let switched = health.handle(Event::Switch { id: "green".into(), on: false }).unwrap();
        assert!(!health.snapshot().verdicts.healthy("green"), "and so is what comes next");
        done.send(()).unwrap();
        assert!(forced.kept().await, "whoever set it is answered when it is on the disk");
        done.send(()).unwrap();
        assert!(switched.kept().await);
        drop(done);
        health.end().await;
    }

    #[tokio::test]
    async fn a_reload_that_takes_an_unhealthy_check_away_says_who_answers_otherwise() {
        let mut verdicts = Verdicts::new(&snapshot(CHECKS).shared.health_checks);
        verdicts.report("green", false, Moment(1)).unwrap();
        let green = CHECKS.find("[health_check.green]").unwrap();
        let after = snapshot(&CHECKS[..green]);
        let before = after.with_verdicts(Arc::new(verdicts));
        let turn = Turn { id: "green".into(), healthy: true, why: "there is no such check any more".into() };
        let expected =
            "health check green is healthy (there is no such check any more); answers otherwise: top.x.example. A";
        assert_eq!(lines(&[turn], &before, &after), [expected]);
    }

    #[test]
    fn as_many_states_as_are_accepted_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let forced = |number: u32| {
            let reason = "r".repeat(255).into();
            (Id::from(format!("check-{number}")), Forced { healthy: false, since: 1, until: None, reason })
        };
        let kept = Kept { forced: (0..60_000).map(forced).collect(), ..Kept::default() };
        write(&state, &kept).unwrap();
        assert!(std::fs::metadata(folder.path().join(HEALTH_FILE)).unwrap().len() > 16 << 20);
        assert!(read(&state) == kept);
    }

    #[test]
    fn each_turn_is_one_line_that_names_what_answers_otherwise() {
        let all = snapshot(CHECKS);
        let checks = all.shared.health_checks.clone();
        let snapshot = |down: &[&str]| {
            let mut verdicts = Verdicts::new(&checks);
            down.iter().for_each(|id| _ = verdicts.report(id, false, Moment(1)).unwrap());
            all.with_verdicts(Arc::new(verdicts))
        };
        let turn = |id: &str, healthy| Turn { id: id.into(), healthy, why: "a test.".into() };
        for (before, after, turned, expected) in [
            (
                &[][..],
                &["blue"][..],
                vec![turn("blue", false)],
                vec!["health check blue is unhealthy (a test); answers otherwise: a.x.example. A"],
            ),
            (
                &[],
                &["green"],
                vec![turn("green", false)],
                vec!["health check green is unhealthy (a test); answers otherwise: top.x.example. A"],
            ),
            (
                &["blue", "green"],
                &[],
                vec![turn("blue", true), turn("green", true)],
                vec![
                    "health check blue is healthy (a test); answers otherwise: a.x.example. A, top.x.example. A",
                    "health check green is healthy (a test); answers otherwise: top.x.example. A",
                ],
            ),
        ] {
            assert_eq!(lines(&turned, &snapshot(before), &snapshot(after)), expected);
        }
    }
}
