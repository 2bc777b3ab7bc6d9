//! What ought to hold, worked out plainly: no schedule and no event, each rule as `route53.md` has it (3.3.12, 3.3.13,
//! 3.3.16, 3.3.17, 3.4, 3.5, 3.6).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fingerpost::control::{Kept, MetricState};
use fingerpost::health::checker::LOCAL;
use fingerpost::health::verdicts::Verdicts;
use fingerpost::model::health_check::{HealthCheck, InsufficientData, Kind};
use fingerpost::model::{Id, Shared};
use fingerpost::moment::Moment;

/// No threshold is higher.
const THRESHOLD_MAX: usize = 10;

/// A check, and what is known of it.
pub struct Expected {
    pub check: HealthCheck,
    /// Where its children are among all; none: nobody defines it.
    children: Vec<Option<usize>>,
    results: VecDeque<bool>,
    /// What its own results have come to.
    pub own: Option<bool>,
    /// What other checkers said, and when.
    heard: BTreeMap<Id, (bool, Moment)>,
    /// When it was asked last, or answered, or might have been asked.
    pub asked: Moment,
    /// When it was to be asked last, unless it was given new times since.
    pub due: Option<Moment>,
    /// What is reported of it, and since when.
    pub reported: (Option<bool>, Moment),
    /// What the checkers came to when one of them last knew.
    last: Option<bool>,
    /// Since when none has known any more.
    stale: Option<Moment>,
}

/// What operators were told is set. It holds until they say otherwise, through reloads and crashes.
#[derive(Clone, Default)]
pub struct Told {
    /// With its end.
    pub forced: BTreeMap<Id, (bool, Option<Moment>)>,
    pub switch: Option<bool>,
    /// With the last state that said anything.
    pub metric: Option<(MetricState, Option<bool>)>,
}

impl Expected {
    fn new(check: &HealthCheck, now: Moment) -> Expected {
        Expected {
            check: check.clone(),
            children: Vec::new(),
            results: VecDeque::new(),
            own: None,
            heard: BTreeMap::new(),
            asked: now,
            due: None,
            reported: (None, now),
            last: None,
            stale: None,
        }
    }

    /// Whether this check asks the endpoint the same, however often.
    fn asks_the_same(&self, check: &HealthCheck) -> bool {
        let both = |kind: fn(&Kind) -> bool| kind(&self.check.kind) && kind(&check.kind);
        both(|kind| matches!(kind, Kind::Endpoint(_))) && self.check.asks() == check.asks()
    }

    /// How often it is to be asked, if it is.
    pub fn interval(&self) -> Option<Duration> {
        match &self.check.kind {
            Kind::Endpoint(endpoint) if !self.check.disabled => {
                Some(Duration::from_secs(u64::from(endpoint.request_interval)))
            }
            _ => None,
        }
    }

    /// 3.3.12: the latest `threshold` results decide, if they are equal.
    pub fn observe(&mut self, healthy: bool) {
        let Kind::Endpoint(endpoint) = &self.check.kind else { return };
        if self.check.disabled {
            return;
        }
        if self.results.len() == THRESHOLD_MAX {
            self.results.pop_front();
        }
        self.results.push_back(healthy);
        let threshold = endpoint.failure_threshold as usize;
        if self.results.iter().rev().take_while(|&&result| result == healthy).count() >= threshold {
            self.own = Some(healthy);
        }
    }

    pub fn hear(&mut self, checker: Id, healthy: bool, now: Moment) {
        self.heard.insert(checker, (healthy, now));
    }

    fn grow_older(&mut self, heard_age: Duration, told: &Told, now: Moment) {
        self.heard.retain(|_, (_, at)| at.after(heard_age) > now);
        match (self.judged(), self.last) {
            (None, None) => {}
            (None, Some(_)) => _ = self.stale.get_or_insert(now),
            (judged, _) => (self.last, self.stale) = (judged, None),
        }
        let reported = self.reported(told);
        if reported != self.reported.0 {
            self.reported = (reported, now);
        }
    }

    /// 3.3.13: healthy while more than 18 % of the checkers that know say so.
    fn judged(&self) -> Option<bool> {
        let known = || self.heard.values().map(|(healthy, _)| *healthy).chain(self.own);
        let of = known().count();
        (of > 0).then(|| known().filter(|&healthy| healthy).count() * 100 > of * 18)
    }

    /// What is reported of it, before it is inverted; none while nothing is known.
    fn reported(&self, told: &Told) -> Option<bool> {
        match &self.check.kind {
            // Nobody knowing any more is not health: what was known last stands.
            Kind::Endpoint(_) => self.judged().or(self.last),
            Kind::Calculated { .. } => None,
            Kind::Switch { .. } => told.switch,
            Kind::Metric(metric) => match (told.metric?, metric.insufficient_data) {
                ((MetricState::Ok, _), _) => Some(true),
                ((MetricState::Alarm, _), _) => Some(false),
                (_, InsufficientData::Healthy) => Some(true),
                (_, InsufficientData::Unhealthy) => Some(false),
                ((_, last_known), InsufficientData::LastKnownStatus) => last_known,
            },
        }
    }

    /// 3.3.16 and 3.5: what it is, before it is inverted, while nothing was ever known.
    fn initial(&self) -> bool {
        match &self.check.kind {
            Kind::Metric(metric) => metric.insufficient_data != InsufficientData::Unhealthy,
            _ => true,
        }
    }

    /// Since when its verdict is stale, where it rests on what was known last.
    pub fn stale(&self, told: &Told) -> Option<Moment> {
        self.stale.filter(|_| !self.check.disabled && !told.forced.contains_key(&self.check.id))
    }
}

impl Told {
    /// What ended does not come back, even if the clock does, once that is on the disk.
    pub fn forget_what_ended(&mut self, disk: &Kept, now: Moment) {
        let ended = |until: &Option<Moment>| until.is_some_and(|until| until <= now);
        self.forced.retain(|id, (_, until)| !ended(until) || disk.forced.contains_key(id));
    }

    pub fn set_metric(&mut self, state: MetricState) {
        let known = match state {
            MetricState::Ok => Some(true),
            MetricState::Alarm => Some(false),
            MetricState::InsufficientData => self.metric.and_then(|(_, known)| known),
        };
        self.metric = Some((state, known));
    }
}

/// By id, as everybody lists them.
#[derive(Default)]
pub struct Checks(pub Vec<Expected>);

impl Checks {
    /// What is known of a check stays known while it asks the same.
    pub fn reload(&mut self, shared: &Shared, now: Moment) {
        let known = std::mem::take(&mut self.0).into_iter();
        let mut known: BTreeMap<Id, Expected> = known.map(|check| (check.check.id.clone(), check)).collect();
        let ids: Vec<&Id> = shared.health_checks.keys().collect();
        for (id, check) in &shared.health_checks {
            let mut expected = match known.remove(id) {
                Some(old) if old.check.kind == check.kind && old.check.disabled == check.disabled => old,
                Some(old) if old.check.kind == check.kind => Expected { asked: now, due: None, ..old },
                Some(old) if old.asks_the_same(check) => Expected { asked: now, due: None, ..old },
                _ => Expected::new(check, now),
            };
            expected.check = check.clone();
            if let Kind::Calculated { children, .. } = &check.kind {
                expected.children = children.iter().map(|child| ids.binary_search(&child).ok()).collect();
            }
            self.0.push(expected);
        }
    }

    /// Time goes on, to be told of after each event.
    pub fn grow_older(&mut self, heard_age: Duration, told: &Told, now: Moment) {
        self.0.iter_mut().for_each(|expected| expected.grow_older(heard_age, told, now));
    }

    /// After a crash there is what is on the disk, if the check still asks the same. What the checkers of this server
    /// knew counts if it is young.
    pub fn restart(&mut self, disk: &Kept, too_old: bool, now: Moment) {
        for expected in &mut self.0 {
            let kept = disk.verdicts.get(&expected.check.id);
            let kept = kept.filter(|kept| kept.asks == expected.check.asks());
            let own = kept.and_then(|kept| kept.own.get(LOCAL).copied()).filter(|_| !too_old);
            let last = own.or(kept.map(|kept| kept.healthy));
            let stale = kept.filter(|_| own.is_none()).map(|kept| Moment(kept.stale.unwrap_or(disk.saved)).min(now));
            let children = std::mem::take(&mut expected.children);
            *expected = Expected { own, last, stale, children, ..Expected::new(&expected.check, now) };
        }
    }

    pub fn get(&mut self, id: &str) -> Option<&mut Expected> {
        let at = self.0.binary_search_by(|expected| (*expected.check.id).cmp(id)).ok()?;
        Some(&mut self.0[at])
    }

    /// 3.3.16, 3.3.17, 3.4.1 and 3.4.3.
    pub fn is_healthy(&self, at: usize, told: &Told) -> bool {
        let expected = &self.0[at];
        let HealthCheck { id, inverted, disabled, kind, .. } = &expected.check;
        if let Some((healthy, _)) = told.forced.get(id) {
            return *healthy;
        }
        let healthy = match kind {
            _ if *disabled => true,
            Kind::Calculated { threshold, .. } => {
                let healthy = |child: &&Option<usize>| child.is_none_or(|child| self.is_healthy(child, told));
                expected.children.iter().filter(healthy).count() >= *threshold as usize
            }
            _ => expected.reported(told).unwrap_or(expected.initial()),
        };
        healthy != *inverted
    }

    /// The verdicts as they would be if all that is known had come at once.
    pub fn afresh(&self, shared: &Shared, told: &Told, now: Moment) -> Arc<Verdicts> {
        let mut verdicts = Verdicts::new(&shared.health_checks);
        for expected in &self.0 {
            let id = &expected.check.id;
            if let Some(healthy) = expected.reported(told) {
                verdicts.report(id, healthy, now).expect("a check that is there");
            }
            if let Some((healthy, _)) = told.forced.get(id) {
                verdicts.force(id, Some(*healthy), now).expect("a check that is there");
            }
        }
        Arc::new(verdicts)
    }
}
