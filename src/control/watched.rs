//! A check, all that is known of it, and when it is asked.

use std::sync::Arc;
use std::time::Duration;

use super::SPREAD;
use crate::dice::Dice;
use crate::health::alarm::Alarm;
use crate::health::tracker::Tracker;
use crate::model::health_check::{Follows, HealthCheck, Kind, Metric};
use crate::moment::Moment;

/// A check and all that is known of it.
#[derive(Clone, Debug)]
pub struct Watched {
    pub check: Arc<HealthCheck>,
    /// Of a check of an endpoint.
    pub tracker: Tracker,
    /// Of a metric that follows a query.
    pub alarm: Alarm,
    /// One for each checker that asks; a query is asked once.
    pub(super) beats: Vec<Beat>,
    /// What `verdicts` were told last.
    pub(super) reported: Option<bool>,
    /// Since when no checker has known better than that.
    pub(super) stale: Option<Moment>,
    /// Other checkers had a part in what was told.
    pub(super) told: bool,
    /// There is a time at which what was heard of it is looked at again.
    pub(super) expires: bool,
}

/// When somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beat {
    /// Asked next then; none where it is not.
    next: Option<Moment>,
    /// The question that is under way.
    pub(super) asking: Option<u64>,
    /// Questions keep to this moment plus whole intervals.
    origin: Moment,
}

/// What is to be asked when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The answer is awaited.
    Now,
    At(Moment),
    Never,
}

impl Watched {
    pub(super) fn new(check: &HealthCheck, tracker: Tracker, beats: usize) -> Watched {
        Watched {
            check: Arc::new(check.clone()),
            tracker,
            alarm: Alarm::default(),
            beats: vec![Beat::default(); beats],
            reported: None,
            stale: None,
            told: false,
            expires: false,
        }
    }

    /// When this checker of this server asks next.
    pub fn next(&self, checker: usize) -> Next {
        match self.beats.get(checker) {
            _ if self.check.disabled => Next::Never,
            None => Next::Never,
            Some(Beat { asking: Some(_), .. }) => Next::Now,
            Some(Beat { next, .. }) => next.map_or(Next::Never, Next::At),
        }
    }

    /// When any of them does.
    pub fn soonest(&self) -> Next {
        let all = (0..self.beats.len()).map(|checker| self.next(checker));
        all.min_by_key(|next| match next {
            Next::Now => Moment::START,
            Next::At(at) => *at,
            Next::Never => Moment(u64::MAX),
        })
        .unwrap_or(Next::Never)
    }

    /// Whether this check asks the endpoint the same.
    pub(super) fn asks_the_same(&self, check: &HealthCheck) -> bool {
        matches!(self.check.kind, Kind::Endpoint(_))
            && matches!(check.kind, Kind::Endpoint(_))
            && self.check.asks() == check.asks()
    }

    pub(super) fn under_way(&self) -> usize {
        self.beats.iter().filter(|beat| beat.asking.is_some()).count()
    }
}

impl Beat {
    /// Anywhere in the interval, with an early first question. Returns when that is due, unless one is under way.
    pub(super) fn begin(&mut self, interval: Duration, dice: &mut impl Dice, now: Moment) -> Option<Moment> {
        let whole = interval.as_millis().max(1) as u64;
        let phase = u64::from(dice.roll(u32::try_from(whole).unwrap_or(u32::MAX)));
        self.origin = now.after(Duration::from_millis(phase));
        let spread = interval.min(SPREAD).as_millis() as u64;
        self.next = self.asking.is_none().then(|| now.after(Duration::from_millis(phase * spread / whole)));
        self.next
    }

    /// It is not asked any more.
    pub(super) fn end(&mut self) {
        self.next = None;
    }

    /// The question is answered. Returns when the next is due: half an interval after the last at least, then on the
    /// beat; an answer that takes longer than that misses one.
    pub(super) fn answered(&mut self, interval: Duration, now: Moment) -> Moment {
        self.asking = None;
        let interval_millis = interval.as_millis().max(1) as u64;
        let earliest = now.max(self.next.unwrap_or(now).after(interval / 2));
        let beats = (earliest.since(self.origin).as_millis() as u64).div_ceil(interval_millis);
        let next = self.origin.after(Duration::from_millis(beats * interval_millis));
        self.next = Some(next);
        next
    }

    /// When it is to ask, if it is not asking.
    pub(super) fn waits_for(&self) -> Option<Moment> {
        self.next.filter(|_| self.asking.is_none())
    }
}

/// How often a check is asked; none: it is not. A disabled check is not asked (3.3.17), and without `probes` none is.
pub(super) fn interval(check: &HealthCheck, probes: bool) -> Option<Duration> {
    let seconds = match &check.kind {
        _ if check.disabled || !probes => return None,
        Kind::Endpoint(endpoint) => endpoint.request_interval,
        Kind::Metric(Metric { follows: Follows::Query(query), .. }) => query.period,
        Kind::Metric(_) | Kind::Calculated { .. } | Kind::Switch { .. } => return None,
    };
    Some(Duration::from_secs(u64::from(seconds.max(1))))
}
