//! Does what `control` says: asks endpoints, writes the state folder, swaps the snapshot, logs what turned.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::clock::Clock;
use super::live::Served;
use super::probe::Prober;
use super::state::State;
use crate::control::{Control, Effect, Event, Kept, Refused, Settings, Turn};
use crate::model::health_check::Kind;
use crate::moment::Moment;
use crate::snapshot::Snapshot;

const STATE_FILE: &str = "health.json";

/// Names in one log line; more are counted.
const LOGGED_NAMES_MAX: usize = 10;

/// The health of a running server.
pub struct Health {
    inside: Mutex<Inside>,
    served: Served,
    prober: Prober,
    clock: Clock,
    /// Milliseconds since 1970 when `clock` began: moments of health are of that kind, so that they outlive a process.
    epoch: u64,
    changed: Notify,
    runtime: Handle,
}

struct Inside {
    control: Control,
    state: Option<State>,
}

/// What was done.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// It will survive a crash.
    pub kept: bool,
}

impl Health {
    /// Takes over the snapshot that is served. To be called within the runtime in which probes are to run.
    pub fn new(settings: Settings, state: Option<State>, served: Served, prober: Prober, seed: u64) -> Arc<Health> {
        let clock = Clock::start();
        let epoch = super::clock::unix_millis();
        let kept = state.as_ref().map(read).unwrap_or_default();
        let control = Control::new(settings, kept, seed, Moment(epoch));
        let health = Arc::new(Health {
            inside: Mutex::new(Inside { control, state }),
            prober,
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

    /// When this returns, what was asked for is kept and served.
    pub fn handle(self: &Arc<Self>, event: Event) -> Result<Done, Refused> {
        let mut inside = self.lock();
        let effects = inside.control.handle(event, self.now())?;
        let done = self.carry_out(&mut inside, effects, None);
        drop(inside);
        self.changed.notify_one();
        Ok(done)
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
        if let Ok(effects) = inside.control.handle(Event::Reloaded(loaded.shared.clone()), self.now()) {
            self.carry_out(&mut inside, effects, Some(loaded));
        }
        drop(inside);
        self.changed.notify_one();
    }

    /// Looks at what is known, between two events.
    pub fn look<T>(&self, look: impl FnOnce(&Control) -> T) -> T {
        look(&self.lock().control)
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.served.load_full()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(
        self: &Arc<Self>,
        inside: &mut Inside,
        effects: Vec<Effect>,
        mut loaded: Option<&Arc<Snapshot>>,
    ) -> Done {
        let mut kept = inside.state.is_some();
        for effect in effects {
            match effect {
                Effect::Save(what) => kept &= inside.state.as_ref().is_some_and(|state| write(state, &what)),
                Effect::Publish { verdicts, turned } => match loaded.take() {
                    Some(loaded) => {
                        self.served.store(Arc::new(loaded.with_verdicts(verdicts)));
                        turned.iter().for_each(|turn| log(turn, &[]));
                    }
                    None => {
                        // Cookie secrets may be rotated at this moment: neither change loses the other.
                        let before = self.served.rcu(|snapshot| snapshot.with_verdicts(verdicts.clone()));
                        tell(&turned, &before, &self.served.load());
                    }
                },
                Effect::Probe { check, number, due } => {
                    let health = self.clone();
                    self.runtime.spawn(async move {
                        let Kind::Endpoint(endpoint) = &check.kind else { return };
                        let late = health.now().since(due).as_micros();
                        let mut outcome = health.prober.probe(&check.id, endpoint).await;
                        outcome.latency.late = u32::try_from(late).unwrap_or(u32::MAX);
                        // Nothing is refused here: a check that is gone by now is not missed.
                        let _ = health.handle(Event::Probed { id: check.id.clone(), number, outcome });
                    });
                }
            }
        }
        Done { kept }
    }
}

fn read(state: &State) -> Kept {
    let bytes = match state.read(STATE_FILE) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Kept::default(),
        Err(error) => {
            tracing::warn!(%error, "{STATE_FILE} in the state folder cannot be read; forced health is forgotten");
            return Kept::default();
        }
    };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::warn!(%error, "{STATE_FILE} in the state folder cannot be understood; forced health is forgotten");
        Kept::default()
    })
}

fn write(state: &State, kept: &Kept) -> bool {
    let written =
        serde_json::to_vec(kept).map_err(std::io::Error::from).and_then(|bytes| state.write(STATE_FILE, &bytes));
    if let Err(error) = &written {
        tracing::warn!(%error, "health cannot be kept in the state folder");
    }
    written.is_ok()
}

/// One line for each verdict that turned: the names that name the check and answer otherwise now; those that do
/// through an alias stand in a line of their own.
fn tell(turned: &[Turn], before: &Snapshot, after: &Snapshot) {
    if turned.is_empty() {
        return;
    }
    let mut groups: Vec<_> = after.steered_otherwise(before).collect();
    for turn in turned {
        let (own, others) = groups.into_iter().partition(|(_, group)| {
            group.members.iter().any(|member| member.health_check.as_deref() == Some(&turn.id))
        });
        groups = others;
        let own: Vec<_> = own;
        let names: Vec<String> = own.iter().map(|(name, group)| format!("{name} {}", group.rtype)).collect();
        log(turn, &names);
    }
    if !groups.is_empty() {
        let names: Vec<String> = groups.iter().map(|(name, group)| format!("{name} {}", group.rtype)).collect();
        tracing::info!("aliases lead elsewhere, too: {}", listed(&names));
    }
}

fn log(turn: &Turn, names: &[String]) {
    let Turn { id, healthy, why } = turn;
    let state = if *healthy { "healthy" } else { "unhealthy" };
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.trim_end_matches('.')) };
    let effect = if names.is_empty() { String::new() } else { format!("; answers otherwise: {}", listed(names)) };
    match healthy {
        true => tracing::info!("health check {id} is {state}{why}{effect}"),
        false => tracing::warn!("health check {id} is {state}{why}{effect}"),
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(LOGGED_NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LOGGED_NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Where the admin port is when nobody says otherwise.
pub const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5380);
