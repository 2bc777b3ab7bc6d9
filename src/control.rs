//! The control plane of health: the only writer of verdicts. Events in, effects out, time as an argument.
//!
//! | event      | what comes of it                                                             |
//! |------------|------------------------------------------------------------------------------|
//! | `Tick`     | the probes that are due; ends of forced states; what was heard grows too old |
//! | `Probed`   | counted towards the threshold; where the check turns, its verdict does       |
//! | `Measured` | the alarm looks at it; where its state changes, the verdict may turn         |
//! | `Reloaded` | checks come, go and stay; what didn't change keeps all that is known of it   |
//! | `Settings` | checkers come and go, and other rules hold                                   |
//! | the others | an operator, an alarm or another checker says how a check stands             |
//!
//! Whoever was told that a state is set finds it again after a crash: the caller is answered when all effects are done.
//! `Publish` stands before `Save`, because nobody's answers are to wait for a disk. Turns that probes bring are gathered
//! for a moment and published together.

mod counts;
mod kept;
mod refused;
mod standing;
mod telling;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use counts::{Counts, Histogram, LATENCY_BOUNDS};
pub use kept::{Forced, Kept, KeptVerdict, Metered, Switched};
pub use refused::Refused;
pub use telling::Observation;
pub use watched::{Next, Watched};

use crate::dice::Seeded;
pub use crate::health::alarm::MetricState;
use crate::health::alarm::{Alarm, Reading};
use crate::health::checker::Checker;
use crate::health::finding::Outcome;
use crate::health::tracker::{Heard, Own, Rule, Tracker};
use crate::health::verdicts::Verdicts;
use crate::model::health_check::{Follows, HealthCheck, Kind, Metric};
use crate::model::{Id, Shared};
use crate::moment::Moment;
use watched::{Beat, interval};

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
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// When several checkers make a check healthy.
    pub rule: Rule,
    /// How long what another checker told counts.
    pub heard_age: Duration,
    /// Those of this server, at least one.
    pub checkers: Vec<Arc<Checker>>,
    /// Whether this server asks: endpoints, and Prometheus.
    pub probes: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            rule: Rule::Route53,
            heard_age: Duration::from_secs(60),
            checkers: vec![Arc::new(Checker::local())],
            probes: true,
        }
    }
}

#[derive(Clone, Debug)]
pub enum Event {
    Tick,
    /// These are the checks from now on.
    Reloaded(Arc<Shared>),
    Settings(Settings),
    /// What came of the `Probe` with this number.
    Probed {
        id: Id,
        number: u64,
        outcome: Outcome,
    },
    /// What came of the `Query` with this number, and how many microseconds it took.
    Measured {
        id: Id,
        number: u64,
        reading: Reading,
        took: u32,
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
    /// Write this to disk; whoever caused it is answered when that is done. What is saved later replaces it.
    Save(Kept),
    /// Answer by these verdicts, and log what turned.
    Publish { verdicts: Arc<Verdicts>, turned: Vec<Turn> },
    /// Let the checker ask the endpoint, which was `due` then, and bring what came of it as `Probed` with this number.
    Probe { check: Arc<HealthCheck>, checker: Arc<Checker>, number: u64, due: Moment },
    /// Ask for the metric, and bring what came of it as `Measured` with this number.
    Query { check: Arc<HealthCheck>, number: u64 },
    /// Let others know at once what a checker of this server has come to.
    Report(Observation),
    /// Log these: no checker knows the state any more, or one knows it again.
    Stale(Vec<Stale>),
}

/// A verdict that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub id: Id,
    pub healthy: bool,
    pub why: String,
}

/// A verdict that has become stale without turning, or is not stale any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    pub id: Id,
    pub healthy: bool,
    /// None: a checker knows again.
    pub since: Option<Moment>,
    pub why: String,
}

/// Something that is to happen at its time, unless it was overtaken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// This checker is to ask.
    Ask(Id, usize),
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
    waiting: BTreeSet<(Moment, Id, usize)>,
    under_way: usize,
    next_number: u64,
    turned: BTreeMap<Id, bool>,
    /// What is served; none before anything is.
    published: Option<Arc<Verdicts>>,
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
            published: None,
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
            Event::Settings(settings) => {
                self.configure(settings, now);
                self.publish(now, &mut effects);
            }
            Event::Probed { id, number, outcome } => {
                effects.extend(self.probed(&id, number, outcome, now).map(Effect::Report));
            }
            Event::Measured { id, number, reading, took } => self.measured(&id, number, reading, took, now),
            Event::Force { id, healthy, lasting, reason } => {
                self.force(id, healthy, lasting, reason, now)?;
                self.publish(now, &mut effects);
                self.save(now, &mut effects);
            }
            Event::Metric { id, state } => {
                let watched = self.expect_type(&id, "CLOUDWATCH_METRIC")?;
                if let Kind::Metric(Metric { follows: Follows::Query(_), .. }) = &watched.check.kind {
                    return Err(Refused::Follows(id));
                }
                self.kept.room_for(&id, "")?;
                let metered = Metered::after(self.metric(&id), state, now);
                self.kept.metrics.insert(id.clone(), metered);
                self.tell(&id, now);
                self.publish(now, &mut effects);
                self.save(now, &mut effects);
            }
            Event::Switch { id, on } => {
                self.expect_type(&id, "RECOVERY_CONTROL")?;
                self.kept.room_for(&id, "")?;
                self.kept.switches.insert(id.clone(), Switched { on, since: now.0 });
                self.tell(&id, now);
                self.publish(now, &mut effects);
                self.save(now, &mut effects);
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

    pub fn settings(&self) -> &Settings {
        &self.settings
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
                let own = self.settings.checkers.iter().zip(watched.tracker.own());
                let own = own.filter_map(|(checker, own)| Some((checker.name.clone(), own.came_to()?))).collect();
                let (told, stale, asks) = (watched.told, watched.stale.map(|at| at.0), watched.check.asks());
                kept.verdicts.insert(id.clone(), KeptVerdict { healthy, since, own, told, stale, asks });
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
                // Asked at other times, or judged by another threshold: what is known stays known.
                Some(old) if old.asks_the_same(check) => {
                    self.under_way -= old.under_way();
                    let beats = vec![Beat::default(); old.beats.len()];
                    let mut watched = Watched { check: Arc::new(check.clone()), beats, ..old };
                    self.schedule(&mut watched, now);
                    watched
                }
                changed => {
                    self.under_way -= changed.as_ref().map_or(0, Watched::under_way);
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
            self.under_way -= gone.under_way();
        }
        // Whoever comes later has been away for longer than anybody knows.
        self.kept.verdicts.clear();
        let ids: Vec<Id> = self.watched.keys().cloned().collect();
        for id in ids {
            self.tell(&id, now);
        }
        self.turned = self.published.as_ref().map_or_else(BTreeMap::new, |served| turned_since(served, &self.verdicts));
    }

    /// Starts to watch a check that is new, or that asks something new.
    fn begin(&mut self, check: &HealthCheck, changed: bool, now: Moment) -> Watched {
        let id = &check.id;
        if changed {
            _ = self.verdicts.forget(id, now);
            // What an alarm made of another query says nothing of this one.
            if matches!(&check.kind, Kind::Metric(Metric { follows: Follows::Query(_), .. })) {
                self.kept.metrics.remove(id);
            }
        }
        let kept = self.kept.verdicts.remove(id).filter(|kept| kept.asks == check.asks() && self.takes_up(kept));
        let probes = self.settings.probes;
        let own = self.settings.checkers.iter().map(|checker| {
            let known = kept.as_ref().filter(|_| probes).and_then(|kept| kept.own.get(&checker.name));
            known.map_or_else(Own::default, |&came_to| Own::knowing(came_to))
        });
        let mut watched = match &check.kind {
            Kind::Endpoint(_) => Watched::new(check, Tracker::new(own.collect()), self.settings.checkers.len()),
            Kind::Metric(_) => Watched::new(check, Tracker::default(), 1),
            Kind::Calculated { .. } | Kind::Switch { .. } => Watched::new(check, Tracker::default(), 0),
        };
        if let Some(kept) = &kept {
            self.take_up(&mut watched, kept, now);
        }
        // What somebody said of an alarm or a switch holds since then.
        if let Some((healthy, Some(since))) = self.said(id, &watched) {
            watched.reported = Some(healthy);
            _ = self.verdicts.report(id, healthy, since);
        }
        self.schedule(&mut watched, now);
        watched
    }

    /// Gives a check its beats, if it is to be asked.
    fn schedule(&mut self, watched: &mut Watched, now: Moment) {
        let interval = interval(&watched.check, self.settings.probes);
        for (checker, beat) in watched.beats.iter_mut().enumerate() {
            match interval {
                None => beat.end(),
                Some(interval) => {
                    let first = beat.begin(interval, &mut self.dice, now);
                    self.due.extend(first.map(|first| (first, Due::Ask(watched.check.id.clone(), checker))));
                }
            }
        }
    }

    /// Other rules hold. A checker that stays, asking from where it did, keeps what it has seen. One that was told to
    /// ask no more, or to begin to, starts anew.
    fn configure(&mut self, settings: Settings, now: Moment) {
        let before = std::mem::replace(&mut self.settings, settings);
        let begins = before.probes != self.settings.probes;
        let stays = |new| before.checkers.iter().position(|old| old == new).filter(|_| !begins);
        let stays: Vec<Option<usize>> = self.settings.checkers.iter().map(stays).collect();
        let mut watched = std::mem::take(&mut self.watched);
        for (id, watched) in &mut watched {
            if !matches!(watched.check.kind, Kind::Endpoint(_)) {
                if begins {
                    self.under_way -= watched.under_way();
                    watched.beats.fill(Beat::default());
                    watched.alarm = Alarm::default();
                    self.schedule(watched, now);
                }
                continue;
            }
            let under_way = watched.under_way();
            let old = std::mem::take(&mut watched.beats);
            let beat = |at: &Option<usize>| at.and_then(|at| old.get(at).copied());
            watched.beats = stays.iter().map(|at| beat(at).unwrap_or_default()).collect();
            watched.tracker.set_own(|old| {
                let own = |at: &Option<usize>| at.and_then(|at| old.get(at).cloned());
                stays.iter().map(|at| own(at).unwrap_or_default()).collect()
            });
            self.under_way -= under_way - watched.under_way();
            let interval = interval(&watched.check, self.settings.probes);
            for (checker, (beat, stays)) in watched.beats.iter_mut().zip(&stays).enumerate() {
                let first = match (stays, interval) {
                    (Some(_), _) => beat.waits_for(),
                    (None, Some(interval)) => beat.begin(interval, &mut self.dice, now),
                    (None, None) => None,
                };
                self.due.extend(first.map(|first| (first, Due::Ask(id.clone(), checker))));
            }
            // The age may be another one.
            let next = watched.tracker.expire(self.settings.heard_age, now);
            watched.expires = next.is_some();
            self.due.extend(next.map(|next| (next, Due::Expire(id.clone()))));
        }
        self.watched = watched;
        let ids: Vec<Id> = self.watched.keys().cloned().collect();
        for id in ids {
            self.tell(&id, now);
        }
    }

    /// The beat on which the question with this number was asked.
    fn answered(&mut self, id: &str, number: u64, now: Moment) -> Option<(&mut Watched, usize)> {
        let probes = self.settings.probes;
        let watched = self.watched.get_mut(id)?;
        let checker = watched.beats.iter().position(|beat| beat.asking == Some(number))?;
        self.under_way -= 1;
        match interval(&watched.check, probes) {
            Some(interval) => {
                let next = watched.beats[checker].answered(interval, now);
                self.due.insert((next, Due::Ask(id.into(), checker)));
                Some((watched, checker))
            }
            // It was disabled meanwhile.
            None => {
                watched.beats[checker] = Beat::default();
                None
            }
        }
    }

    /// Returns what the checker has come to, if that is news.
    fn probed(&mut self, id: &str, number: u64, outcome: Outcome, now: Moment) -> Option<Observation> {
        let (watched, checker) = self.answered(id, number, now)?;
        let Kind::Endpoint(endpoint) = &watched.check.kind else { return None };
        let came_to = |watched: &Watched| watched.tracker.own().get(checker).and_then(Own::came_to);
        let before = came_to(watched);
        watched.tracker.observe(checker, outcome, endpoint.failure_threshold, now);
        let news = came_to(watched) != before;
        self.counts.probe(&outcome);
        self.tell(id, now);
        if news { self.observation(id, checker) } else { None }
    }

    fn measured(&mut self, id: &str, number: u64, reading: Reading, took: u32, now: Moment) {
        let Some((watched, _)) = self.answered(id, number, now) else { return };
        let Kind::Metric(Metric { follows: Follows::Query(query), .. }) = &watched.check.kind else { return };
        let missing = matches!(reading, Reading::Missing(_));
        let state = watched.alarm.observe(reading, took, query, now);
        self.counts.readings += u64::from(!missing);
        self.counts.readings_missing += u64::from(missing);
        let before = self.metric(id);
        let Some(state) = state.filter(|state| before.is_none_or(|before| before.state != *state)) else { return };
        self.kept.metrics.insert(id.into(), Metered::after(before, state, now));
        self.save_at = self.save_at.min(now.after(SAVE_AFTER));
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
        healthy.map_or(Ok(()), |_| self.kept.room_for(&id, &reason))?;
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
        if self.settings.checkers.iter().any(|own| *own.name == *checker) {
            return Err(Refused::OwnChecker(checker.into()));
        }
        if !watched.tracker.hear(checker, Heard { healthy, at: now, reason }) {
            return Err(Refused::TooManyCheckers);
        }
        // However often others speak, one look ahead is enough: it sees when the next is due.
        if !watched.expires {
            watched.expires = true;
            self.due.insert((now.after(self.settings.heard_age), Due::Expire(id.into())));
        }
        self.tell(id, now);
        Ok(())
    }

    /// Does what has become due.
    fn catch_up(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        while let Some((at, due)) = self.due.pop_first() {
            if at > now {
                self.due.insert((at, due));
                break;
            }
            match due {
                Due::Ask(id, checker) => _ = self.waiting.insert((at, id, checker)),
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
                        let next = watched.tracker.expire(self.settings.heard_age, now);
                        watched.expires = next.is_some();
                        self.due.extend(next.map(|next| (next, Due::Expire(id.clone()))));
                        self.tell(&id, now);
                    }
                }
            }
        }
        while self.under_way < PROBES_MAX
            && let Some((_, id, checker)) = self.waiting.pop_first()
        {
            self.ask(&id, checker, now, effects);
        }
        if self.save_at <= now {
            self.save(now, effects);
        }
        if self.publish_at.is_some_and(|at| at <= now) {
            self.publish(now, effects);
        }
    }

    /// Asks, unless the check is gone, or was given another time.
    fn ask(&mut self, id: &str, checker: usize, now: Moment, effects: &mut Vec<Effect>) {
        let Some(watched) = self.watched.get_mut(id) else { return };
        let Some(beat) = watched.beats.get_mut(checker) else { return };
        let Some(due) = beat.waits_for().filter(|&due| due <= now) else { return };
        let (check, number) = (watched.check.clone(), self.next_number);
        let effect = match (&check.kind, self.settings.checkers.get(checker)) {
            (Kind::Endpoint(_), Some(checker)) => Effect::Probe { check, checker: checker.clone(), number, due },
            (Kind::Metric(_), _) => Effect::Query { check, number },
            _ => return,
        };
        beat.asking = Some(number);
        self.next_number += 1;
        self.under_way += 1;
        effects.push(effect);
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
        let verdicts = Arc::new(self.verdicts.clone());
        let before = self.published.replace(verdicts.clone()).unwrap_or_default();
        let stale = self.stale_since(&before);
        effects.push(Effect::Publish { verdicts, turned });
        if !stale.is_empty() {
            effects.push(Effect::Stale(stale));
        }
    }
}

/// The checks whose verdict is not what is served, of other checks maybe. One that is not there counts as healthy.
fn turned_since(served: &Verdicts, now: &Verdicts) -> BTreeMap<Id, bool> {
    let here = now.iter().map(|(id, verdict)| (id, verdict.healthy));
    let gone = served.iter().map(|(id, _)| (id, true)).filter(|(id, _)| now.get(id).is_none());
    let turned = here.chain(gone).filter(|(id, healthy)| served.healthy(id) != *healthy);
    turned.map(|(id, healthy)| (id.clone(), healthy)).collect()
}
