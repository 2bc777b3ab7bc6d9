//! The control plane of health: the only writer of verdicts. Events in, effects out, time as an argument.
//!
//! | event      | what comes of it                                                             |
//! |------------|------------------------------------------------------------------------------|
//! | `Tick`     | the probes that are due; ends of forced states; what was heard grows too old |
//! | `Probed`   | counted towards the threshold; where the check turns, its verdict does       |
//! | `Reloaded` | checks come, go and stay; what didn't change keeps all that is known of it   |
//! | the others | an operator, an alarm or another checker says how a check stands             |
//!
//! Whoever was told that a state is set finds it again after a crash: `Save` stands before `Publish`, and the caller
//! is answered when all effects are done. Turns that probes bring are gathered for a moment and published together.

mod kept;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use kept::{Forced, Kept, KeptVerdict, Metered, MetricState, Switched};

use crate::dice::{Dice, Seeded};
use crate::health::finding::Outcome;
use crate::health::tracker::{CHECKERS_MAX, Heard, Rule, Tracker};
use crate::health::verdicts::{UnknownCheck, Verdicts};
use crate::model::health_check::{Endpoint, HealthCheck, InsufficientData, Kind};
use crate::model::{Id, Shared};
use crate::moment::Moment;

/// Turns within this time are published together, so that an outage of a thousand checks folds the groups once.
pub const GATHER: Duration = Duration::from_millis(10);

/// Where nothing turned, only what a verdict rests on did change; that is published after this time.
const GATHER_REASONS: Duration = Duration::from_secs(1);

/// New checks are first probed within this time (or their interval, if that is shorter), not all at once.
pub const SPREAD: Duration = Duration::from_secs(5);

/// Verdicts of probes are saved this long after one turned, together.
pub const SAVE_AFTER: Duration = Duration::from_secs(1);

/// So often they are saved at least, which says that they still hold.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Verdicts saved longer ago than this say too little about now: the checks start anew.
pub const VERDICT_AGE_MAX: Duration = Duration::from_secs(600);

/// Probes under way at a time; those for which there is no room wait, the longest due first. Each takes a file and
/// some kilobytes; ours.
pub const PROBES_MAX: usize = 4096;

/// Reasons and names of checkers are shown in lists; ours.
pub const TEXT_MAX: usize = 255;

/// What an operator may choose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// When several checkers make a check healthy.
    pub rule: Rule,
    /// How long what another checker told counts.
    pub heard_age: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { rule: Rule::Route53, heard_age: Duration::from_secs(60) }
    }
}

#[derive(Clone, Debug)]
pub enum Event {
    Tick,
    /// These are the checks from now on.
    Reloaded(Arc<Shared>),
    /// What came of the `Probe` with this number.
    Probed {
        id: Id,
        number: u64,
        outcome: Outcome,
    },
    /// `None` lets the check go by itself again.
    Force {
        id: Id,
        healthy: Option<bool>,
        lasting: Option<Duration>,
        reason: Box<str>,
    },
    Metric {
        id: Id,
        state: MetricState,
    },
    Switch {
        id: Id,
        on: bool,
    },
    Observed {
        id: Id,
        checker: Id,
        healthy: bool,
        reason: Box<str>,
    },
}

/// What `io` must do now, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Write this to disk before doing anything that follows.
    Save(Kept),
    /// Answer by these verdicts, and log what turned.
    Publish { verdicts: Arc<Verdicts>, turned: Vec<Turn> },
    /// Ask the endpoint, which was `due` then, and bring what came of it as `Probed` with this number.
    Probe { check: Arc<HealthCheck>, number: u64, due: Moment },
}

/// A verdict that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub id: Id,
    pub healthy: bool,
    pub why: String,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Unknown(UnknownCheck),
    /// The check is of another type than this is for.
    Type {
        id: Id,
        is: &'static str,
        wanted: &'static str,
    },
    TextTooLong,
    TooManyCheckers,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unknown(unknown) => unknown.fmt(f),
            Refused::Type { id, is, wanted } => {
                write!(f, "health check {id:?} is of type {is}, and this is for {wanted}")
            }
            Refused::TextTooLong => write!(f, "a reason or a checker's name has at most {TEXT_MAX} bytes"),
            Refused::TooManyCheckers => write!(f, "{CHECKERS_MAX} other checkers speak for this check already"),
        }
    }
}

impl std::error::Error for Refused {}

/// What was counted since the start.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub probes_healthy: u64,
    pub probes_unhealthy: u64,
    pub turns: u64,
    /// How long probes took, and how late they began.
    pub latency: Histogram,
    pub late: Histogram,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Histogram {
    pub buckets: [u64; LATENCY_BOUNDS.len() + 1],
    pub sum: u64,
}

/// Upper bounds of the histograms' buckets, in microseconds; the last bucket is beyond them.
pub const LATENCY_BOUNDS: [u32; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];

/// A check and all that is known of it.
#[derive(Clone, Debug)]
pub struct Watched {
    pub check: Arc<HealthCheck>,
    pub tracker: Tracker,
    /// When it is probed next; none where it is not.
    pub next: Option<Moment>,
    /// The probe that is under way.
    asking: Option<u64>,
    /// Its probes keep to this moment plus whole intervals.
    beat: Moment,
    /// What `verdicts` were told last.
    reported: Option<bool>,
}

/// Something that is to happen at its time, unless it was overtaken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Probe(Id),
    Unforce(Id),
    Expire(Id),
}

pub struct Control {
    settings: Settings,
    watched: BTreeMap<Id, Watched>,
    verdicts: Verdicts,
    kept: Kept,
    due: BTreeSet<(Moment, Due)>,
    /// Probes that are due and have not begun.
    waiting: BTreeSet<(Moment, Id)>,
    under_way: usize,
    next_number: u64,
    turned: BTreeMap<Id, bool>,
    publish_at: Option<Moment>,
    save_at: Moment,
    counts: Counts,
    dice: Seeded,
}

impl Control {
    /// One that knows what was kept of the life before. It has no checks until the first `Reloaded`.
    pub fn new(settings: Settings, kept: Kept, seed: u64, now: Moment) -> Control {
        Control {
            settings,
            watched: BTreeMap::new(),
            verdicts: Verdicts::default(),
            kept: kept.still_young(now),
            due: BTreeSet::new(),
            waiting: BTreeSet::new(),
            under_way: 0,
            next_number: 0,
            turned: BTreeMap::new(),
            publish_at: None,
            save_at: now.after(SAVE_EVERY),
            counts: Counts::default(),
            dice: Seeded::new(seed),
        }
    }

    /// Takes one event. Returns what must now be done, in order; an error is why nothing was.
    pub fn handle(&mut self, event: Event, now: Moment) -> Result<Vec<Effect>, Refused> {
        let mut effects = Vec::new();
        match event {
            Event::Tick => {}
            Event::Reloaded(shared) => {
                self.reload(shared, now);
                self.publish(now, &mut effects);
            }
            Event::Probed { id, number, outcome } => self.probed(&id, number, outcome, now),
            Event::Force { id, healthy, lasting, reason } => {
                self.force(id, healthy, lasting, reason, now)?;
                self.save(now, &mut effects);
                self.publish(now, &mut effects);
            }
            Event::Metric { id, state } => {
                self.expect_type(&id, "CLOUDWATCH_METRIC")?;
                let metered = Metered::after(self.metric(&id), state, now);
                self.kept.metrics.insert(id.clone(), metered);
                self.tell(&id, now);
                self.save(now, &mut effects);
                self.publish(now, &mut effects);
            }
            Event::Switch { id, on } => {
                self.expect_type(&id, "RECOVERY_CONTROL")?;
                self.kept.switches.insert(id.clone(), Switched { on, since: now.0 });
                self.tell(&id, now);
                self.save(now, &mut effects);
                self.publish(now, &mut effects);
            }
            Event::Observed { id, checker, healthy, reason } => self.observed(&id, &checker, healthy, reason, now)?,
        }
        self.catch_up(now, &mut effects);
        Ok(effects)
    }

    /// When the next `Tick` is wanted.
    pub fn next(&self) -> Moment {
        let due = self.due.first().map(|(at, _)| *at);
        due.into_iter().chain(self.publish_at).fold(self.save_at, Moment::min)
    }

    pub fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    pub fn watched(&self) -> &BTreeMap<Id, Watched> {
        &self.watched
    }

    pub fn forced(&self, id: &str) -> Option<&Forced> {
        self.kept.forced.get(id)
    }

    pub fn metric(&self, id: &str) -> Option<Metered> {
        self.kept.metrics.get(id).copied()
    }

    pub fn switch(&self, id: &str) -> Option<Switched> {
        self.kept.switches.get(id).copied()
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// What is to survive, as of now.
    pub fn kept(&self, now: Moment) -> Kept {
        let mut kept = self.kept.clone();
        kept.saved = now.0;
        kept.verdicts.clear();
        for (id, watched) in &self.watched {
            if let (Kind::Endpoint(_), Some(healthy)) = (&watched.check.kind, watched.reported) {
                let since = self.verdicts.get(id).map_or(now.0, |verdict| verdict.since.0);
                kept.verdicts.insert(id.clone(), KeptVerdict { healthy, since, asks: watched.check.asks() });
            }
        }
        kept
    }

    fn reload(&mut self, shared: Arc<Shared>, now: Moment) {
        let mut verdicts = Verdicts::new(&shared.health_checks);
        verdicts.continue_from(&self.verdicts, now);
        let before = std::mem::take(&mut self.verdicts);
        self.verdicts = verdicts;
        let mut old = std::mem::take(&mut self.watched);
        for (id, check) in &shared.health_checks {
            let watched = match old.remove(id) {
                Some(watched) if watched.check.kind == check.kind => {
                    let unchanged = watched.check.disabled == check.disabled;
                    let mut watched = Watched { check: Arc::new(check.clone()), ..watched };
                    if !unchanged {
                        self.schedule(&mut watched, now);
                    }
                    watched
                }
                changed => {
                    self.under_way -= usize::from(changed.as_ref().is_some_and(|old| old.asking.is_some()));
                    self.begin(check, changed.is_some(), now)
                }
            };
            self.watched.insert(id.clone(), watched);
            // What was said of a check that was away for a while holds again.
            if let Some(forced) = self.kept.forced.get(id).filter(|_| before.get(id).is_none()) {
                let (healthy, since) = (forced.healthy, Moment(forced.since));
                self.due.extend(forced.until.map(|until| (Moment(until), Due::Unforce(id.clone()))));
                _ = self.verdicts.force(id, Some(healthy), since);
            }
        }
        for gone in old.values() {
            self.under_way -= usize::from(gone.asking.is_some());
        }
        // Whoever comes later has been away for longer than anybody knows.
        self.kept.verdicts.clear();
        let ids: Vec<Id> = self.watched.keys().cloned().collect();
        for id in ids {
            self.tell(&id, now);
        }
        for (id, verdict) in self.verdicts.iter() {
            if before.get(id).is_some_and(|before| before.healthy != verdict.healthy) {
                self.turned.insert(id.clone(), verdict.healthy);
            }
        }
    }

    /// Starts to watch a check that is new, or that asks something new.
    fn begin(&mut self, check: &HealthCheck, changed: bool, now: Moment) -> Watched {
        let id = &check.id;
        let mut watched = Watched {
            check: Arc::new(check.clone()),
            tracker: Tracker::default(),
            next: None,
            asking: None,
            beat: now,
            reported: None,
        };
        if changed {
            _ = self.verdicts.forget(id, now);
        }
        if let Some(kept) = self.kept.verdicts.remove(id).filter(|kept| kept.asks == check.asks()) {
            watched.tracker = Tracker::knowing(kept.healthy);
            watched.reported = Some(kept.healthy);
            _ = self.verdicts.report(id, kept.healthy, Moment(kept.since));
        }
        self.schedule(&mut watched, now);
        watched
    }

    /// Gives a check its beat, anywhere in its interval, and an early first probe.
    fn schedule(&mut self, watched: &mut Watched, now: Moment) {
        watched.next = None;
        let Some(endpoint) = probed_endpoint(&watched.check) else { return };
        let interval = interval(endpoint);
        let phase = u64::from(self.dice.roll(interval.as_millis().max(1) as u32));
        watched.beat = now.after(Duration::from_millis(phase));
        let spread = interval.min(SPREAD).as_millis() as u64;
        let first = phase * spread / (interval.as_millis() as u64).max(1);
        let first = now.after(Duration::from_millis(first));
        if watched.asking.is_none() {
            watched.next = Some(first);
            self.due.insert((first, Due::Probe(watched.check.id.clone())));
        }
    }

    fn probed(&mut self, id: &str, number: u64, outcome: Outcome, now: Moment) {
        let Some(watched) = self.watched.get_mut(id).filter(|watched| watched.asking == Some(number)) else { return };
        watched.asking = None;
        self.under_way -= 1;
        self.counts.probe(&outcome);
        let Some(endpoint) = probed_endpoint(&watched.check) else { return };
        watched.tracker.observe(outcome, endpoint.failure_threshold, now);
        // Half an interval after the last at least, then on the beat; a probe that takes longer than that misses one.
        let interval = interval(endpoint);
        let earliest = now.max(watched.next.unwrap_or(now).after(interval / 2));
        let beat = Duration::from_millis(earliest.since(watched.beat).as_millis() as u64);
        let whole = beat.as_millis().div_ceil(interval.as_millis().max(1)) as u64;
        let next = watched.beat.after(Duration::from_millis(whole * interval.as_millis() as u64));
        watched.next = Some(next);
        self.due.insert((next, Due::Probe(id.into())));
        self.tell(id, now);
    }

    fn force(
        &mut self,
        id: Id,
        healthy: Option<bool>,
        lasting: Option<Duration>,
        reason: Box<str>,
        now: Moment,
    ) -> Result<(), Refused> {
        if reason.len() > TEXT_MAX {
            return Err(Refused::TextTooLong);
        }
        let result = self.verdicts.force(&id, healthy, now);
        // A check that is away at the moment can be let go all the same.
        let away = healthy.is_none() && self.kept.forced.contains_key(&id);
        match result {
            Ok(turned) => self.note(turned),
            Err(_) if away => {}
            Err(unknown) => return Err(Refused::Unknown(unknown)),
        }
        match healthy {
            None => _ = self.kept.forced.remove(&id),
            Some(healthy) => {
                let until = lasting.map(|lasting| now.after(lasting).0);
                self.due.extend(until.map(|until| (Moment(until), Due::Unforce(id.clone()))));
                self.kept.forced.insert(id, Forced { healthy, since: now.0, until, reason });
            }
        }
        Ok(())
    }

    fn expect_type(&self, id: &str, wanted: &'static str) -> Result<&Watched, Refused> {
        match self.watched.get(id) {
            None => Err(Refused::Unknown(self.verdicts.unknown(id))),
            Some(watched) if watched.check.kind.word() == wanted => Ok(watched),
            Some(watched) => Err(Refused::Type { id: id.into(), is: watched.check.kind.word(), wanted }),
        }
    }

    fn observed(
        &mut self,
        id: &str,
        checker: &str,
        healthy: bool,
        reason: Box<str>,
        now: Moment,
    ) -> Result<(), Refused> {
        if reason.len() > TEXT_MAX || checker.len() > TEXT_MAX {
            return Err(Refused::TextTooLong);
        }
        let unknown = || Refused::Unknown(self.verdicts.unknown(id));
        let watched = self.watched.get_mut(id).ok_or_else(unknown)?;
        if !matches!(watched.check.kind, Kind::Endpoint(_)) {
            let is = watched.check.kind.word();
            return Err(Refused::Type { id: id.into(), is, wanted: "a check of an endpoint" });
        }
        if !watched.tracker.hear(checker, Heard { healthy, at: now, reason }) {
            return Err(Refused::TooManyCheckers);
        }
        self.due.insert((now.after(self.settings.heard_age), Due::Expire(id.into())));
        self.tell(id, now);
        Ok(())
    }

    /// Tells the verdicts what a check has come to, if that is news.
    fn tell(&mut self, id: &str, now: Moment) {
        let Some(watched) = self.watched.get_mut(id) else { return };
        let said = match &watched.check.kind {
            Kind::Endpoint(_) => watched.tracker.judge(self.settings.rule),
            Kind::Calculated { .. } => None,
            Kind::Switch { .. } => self.kept.switches.get(id).map(|switch| switch.on),
            Kind::Metric(metric) => match (self.kept.metrics.get(id), metric.insufficient_data) {
                (None, _) => None,
                (Some(Metered { state: MetricState::Ok, .. }), _) => Some(true),
                (Some(Metered { state: MetricState::Alarm, .. }), _) => Some(false),
                (Some(_), InsufficientData::Healthy) => Some(true),
                (Some(_), InsufficientData::Unhealthy) => Some(false),
                // 3.5: healthy if nothing is known yet.
                (Some(metered), InsufficientData::LastKnownStatus) => metered.last_known,
            },
        };
        if said == watched.reported {
            return;
        }
        watched.reported = said;
        let turned = match said {
            Some(healthy) => self.verdicts.report(id, healthy, now),
            None => self.verdicts.forget(id, now),
        };
        if let Ok(turned) = turned {
            let at = now.after(if turned.is_empty() { GATHER_REASONS } else { GATHER });
            self.note(turned);
            self.publish_at = Some(self.publish_at.map_or(at, |other| other.min(at)));
            self.save_at = self.save_at.min(now.after(SAVE_AFTER));
        }
    }

    fn note(&mut self, turned: Vec<Id>) {
        for id in turned {
            let healthy = self.verdicts.healthy(&id);
            // What turns back before anybody was told has not turned.
            if self.turned.remove(&id).is_none() {
                self.turned.insert(id, healthy);
            }
        }
    }

    /// Does what has become due.
    fn catch_up(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        while let Some((at, due)) = self.due.pop_first() {
            if at > now {
                self.due.insert((at, due));
                break;
            }
            match due {
                Due::Probe(id) => _ = self.waiting.insert((at, id)),
                Due::Unforce(id) => {
                    if self.kept.forced.get(&id).is_some_and(|forced| forced.until == Some(at.0)) {
                        self.kept.forced.remove(&id);
                        if let Ok(turned) = self.verdicts.force(&id, None, now) {
                            self.note(turned);
                        }
                        self.publish_at = Some(now);
                        self.save_at = now;
                    }
                }
                Due::Expire(id) => {
                    if let Some(watched) = self.watched.get_mut(&id) {
                        watched.tracker.expire(self.settings.heard_age, now);
                        self.tell(&id, now);
                    }
                }
            }
        }
        while self.under_way < PROBES_MAX
            && let Some((_, id)) = self.waiting.pop_first()
        {
            self.probe(&id, now, effects);
        }
        if self.save_at <= now {
            self.save(now, effects);
        }
        if self.publish_at.is_some_and(|at| at <= now) {
            self.publish(now, effects);
        }
    }

    /// Asks, unless the check is gone, or was given another time.
    fn probe(&mut self, id: &str, now: Moment, effects: &mut Vec<Effect>) {
        let Some(watched) = self.watched.get_mut(id) else { return };
        let Some(due) = watched.next.filter(|&due| due <= now) else { return };
        if watched.asking.is_some() || probed_endpoint(&watched.check).is_none() {
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.under_way += 1;
        watched.asking = Some(number);
        effects.push(Effect::Probe { check: watched.check.clone(), number, due });
    }

    fn save(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.save_at = now.after(SAVE_EVERY);
        effects.push(Effect::Save(self.kept(now)));
    }

    fn publish(&mut self, _: Moment, effects: &mut Vec<Effect>) {
        self.publish_at = None;
        let turned = std::mem::take(&mut self.turned);
        self.counts.turns += turned.len() as u64;
        let turned = turned.into_iter().map(|(id, healthy)| Turn { why: self.why(&id), id, healthy }).collect();
        effects.push(Effect::Publish { verdicts: Arc::new(self.verdicts.clone()), turned });
    }

    /// What a verdict rests on, for the log.
    fn why(&self, id: &str) -> String {
        let Some(verdict) = self.verdicts.get(id) else { return String::new() };
        if let Some(forced) = self.kept.forced.get(id).filter(|_| verdict.forced) {
            return if forced.reason.is_empty() { "forced".to_string() } else { format!("forced: {}", forced.reason) };
        }
        let Some(watched) = self.watched.get(id) else { return verdict.reason.to_string() };
        match &watched.check.kind {
            Kind::Endpoint(_) => match (watched.tracker.last(), watched.tracker.streak()) {
                (Some(last), Some((_, streak))) => format!("{streak} in a row: {}", last.outcome),
                _ if watched.tracker.heard().is_empty() => verdict.reason.to_string(),
                _ => "as other checkers say".to_string(),
            },
            Kind::Metric(_) => match self.kept.metrics.get(id) {
                Some(metered) => format!("the alarm is {}", metered.state.word()),
                None => verdict.reason.to_string(),
            },
            Kind::Switch { .. } => match self.kept.switches.get(id) {
                Some(switch) => format!("switched {}", if switch.on { "on" } else { "off" }),
                None => verdict.reason.to_string(),
            },
            Kind::Calculated { .. } => verdict.reason.to_string(),
        }
    }
}

impl Watched {
    pub fn is_being_asked(&self) -> bool {
        self.asking.is_some()
    }
}

impl Counts {
    fn probe(&mut self, outcome: &Outcome) {
        match outcome.is_healthy() {
            true => self.probes_healthy += 1,
            false => self.probes_unhealthy += 1,
        }
        self.latency.count(outcome.latency.total);
        self.late.count(outcome.latency.late);
    }
}

impl Histogram {
    fn count(&mut self, micros: u32) {
        let bucket = LATENCY_BOUNDS.iter().position(|&bound| micros <= bound).unwrap_or(LATENCY_BOUNDS.len());
        self.buckets[bucket] += 1;
        self.sum += u64::from(micros);
    }
}

/// What there is to ask; a disabled check is not asked (3.3.17).
fn probed_endpoint(check: &HealthCheck) -> Option<&Endpoint> {
    match &check.kind {
        Kind::Endpoint(endpoint) if !check.disabled => Some(endpoint),
        _ => None,
    }
}

fn interval(endpoint: &Endpoint) -> Duration {
    Duration::from_secs(u64::from(endpoint.request_interval.max(1)))
}
