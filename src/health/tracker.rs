//! What one health check's checkers have seen, and what that comes to: `route53.md` 3.3.12, 3.3.13 and 3.3.16.
//!
//! This server is one checker, or several that ask from different addresses. Each turns at so many equal results of
//! its own in a row. Others tell what they have come to themselves; what they told counts until it is too old. A check
//! that nobody has judged yet has no state, which `verdicts` takes as its initial one.
//!
//! | rule     | healthy while                                                              |
//! |----------|----------------------------------------------------------------------------|
//! | Route53  | more than 18 % of the checkers that know say so (18 % exactly: unhealthy)  |
//! | Majority | more than half of them do                                                  |
//! | All      | all of them do                                                             |

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::finding::Outcome;
use crate::model::Id;
use crate::moment::Moment;

/// Results kept of each check, to be shown. Ours: ten thousand checks then take a few megabytes.
pub const HISTORY_MAX: usize = 16;

/// Other checkers heard for one check. Route 53 has about 16; ours, so that a confused poster fills no memory.
pub const CHECKERS_MAX: usize = 64;

/// When several checkers make a check healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    #[default]
    Route53,
    Majority,
    All,
}

impl Rule {
    pub fn is_healthy(self, healthy: usize, of: usize) -> bool {
        match self {
            Rule::Route53 => healthy * 100 > of * 18,
            Rule::Majority => healthy * 2 > of,
            Rule::All => healthy == of,
        }
    }
}

/// A result and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    pub at: Moment,
    pub outcome: Outcome,
}

/// What another checker said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub healthy: bool,
    pub at: Moment,
    pub reason: Box<str>,
}

/// What one checker of this server has seen.
#[derive(Clone, Debug, Default)]
pub struct Own {
    came_to: Option<bool>,
    /// How many of the latest results were equal.
    streak: u32,
    history: VecDeque<Past>,
    last_failure: Option<Past>,
}

impl Own {
    /// One that had come to this before.
    pub fn knowing(came_to: bool) -> Own {
        Own { came_to: Some(came_to), ..Own::default() }
    }

    fn observe(&mut self, outcome: Outcome, threshold: u32, now: Moment) {
        let past = Past { at: now, outcome };
        let same = self.history.back().is_some_and(|last| last.outcome.is_healthy() == outcome.is_healthy());
        self.streak = if same { self.streak.saturating_add(1) } else { 1 };
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(past);
        if !outcome.is_healthy() {
            self.last_failure = Some(past);
        }
        if self.streak >= threshold {
            self.came_to = Some(outcome.is_healthy());
        }
    }

    /// What it has come to; none while too few results were equal.
    pub fn came_to(&self) -> Option<bool> {
        self.came_to
    }

    /// The latest result, and how many in a row were like it.
    pub fn streak(&self) -> Option<(bool, u32)> {
        self.last().map(|last| (last.outcome.is_healthy(), self.streak))
    }

    /// Oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Past> {
        self.history.iter()
    }

    pub fn last(&self) -> Option<&Past> {
        self.history.back()
    }

    pub fn last_failure(&self) -> Option<&Past> {
        self.last_failure.as_ref()
    }
}

/// All that is known of one check.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// In the order of this server's checkers.
    own: Vec<Own>,
    heard: BTreeMap<Id, Heard>,
}

impl Tracker {
    pub fn new(own: Vec<Own>) -> Tracker {
        Tracker { own, heard: BTreeMap::new() }
    }

    /// From now on there are these checkers of this server.
    pub fn set_own(&mut self, change: impl FnOnce(Vec<Own>) -> Vec<Own>) {
        self.own = change(std::mem::take(&mut self.own));
    }

    /// Takes a result of a checker of this server.
    pub fn observe(&mut self, checker: usize, outcome: Outcome, threshold: u32, now: Moment) {
        if let Some(own) = self.own.get_mut(checker) {
            own.observe(outcome, threshold, now);
        }
    }

    /// Takes what another checker has come to. Returns false where there are too many checkers already.
    pub fn hear(&mut self, checker: &str, heard: Heard) -> bool {
        if self.heard.len() >= CHECKERS_MAX && !self.heard.contains_key(checker) {
            return false;
        }
        self.heard.insert(checker.into(), heard);
        true
    }

    /// Forgets what was heard longer ago than `age`. Returns when the next of the rest will be.
    pub fn expire(&mut self, age: Duration, now: Moment) -> Option<Moment> {
        self.heard.retain(|_, heard| heard.at.after(age) > now);
        self.heard.values().map(|heard| heard.at.after(age)).min()
    }

    /// What all checkers come to; none while nobody has judged.
    pub fn judge(&self, rule: Rule) -> Option<bool> {
        match self.votes() {
            (_, 0) => None,
            (healthy, of) => Some(rule.is_healthy(healthy, of)),
        }
    }

    /// What those say who have judged: so many that it is healthy, of so many.
    pub fn votes(&self) -> (usize, usize) {
        let known = || self.heard.values().map(|heard| heard.healthy).chain(self.own.iter().filter_map(Own::came_to));
        (known().filter(|&healthy| healthy).count(), known().count())
    }

    /// Of each checker of this server.
    pub fn own(&self) -> &[Own] {
        &self.own
    }

    /// The checker of this server whose result is the newest, and that result.
    pub fn newest(&self) -> Option<(&Own, &Past)> {
        self.own.iter().filter_map(|own| own.last().map(|last| (own, last))).max_by_key(|(_, last)| last.at)
    }

    pub fn heard(&self) -> &BTreeMap<Id, Heard> {
        &self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Failure, Finding, Latency};
    use super::*;

    fn outcome(healthy: bool) -> Outcome {
        let finding = if healthy { Finding::Connected } else { Finding::Failed(Failure::Refused) };
        Outcome { finding, resolved: None, latency: Latency::default() }
    }

    fn heard(healthy: bool, at: u64) -> Heard {
        Heard { healthy, at: Moment(at), reason: "".into() }
    }

    /// route53.md 3.3.12 and 3.3.16.
    #[test]
    fn rules_3_3_12_and_3_3_16_so_many_in_a_row_turn_it() {
        // Results as they come, `+` and `-`; after each what the checker has come to, `?` while it has not.
        for (threshold, results, expected) in [
            (1, "+-+--", "+-+--"),
            (2, "+-+--+-++", "????----+"),
            (2, "--+++", "?--++"),
            (3, "--+---+--+++", "?????------+"),
            (3, "++-+++---++---", "?????+++------"),
            (10, "----------", "?????????-"),
        ] {
            let mut tracker = Tracker::new(vec![Own::default()]);
            let mut came_to = String::new();
            for (at, result) in (0..).zip(results.chars()) {
                tracker.observe(0, outcome(result == '+'), threshold, Moment(at));
                came_to.push(match tracker.judge(Rule::Route53) {
                    None => '?',
                    Some(true) => '+',
                    Some(false) => '-',
                });
            }
            assert_eq!(came_to, expected, "{threshold} of {results}");
        }
    }

    /// route53.md 3.3.13.
    #[test]
    fn rule_3_3_13_more_than_18_percent() {
        //   healthy, of, route 53, majority, all
        for (healthy, of, expected) in [
            (9, 50, [false, false, false]),
            (10, 50, [true, false, false]),
            (18, 100, [false, false, false]),
            (19, 100, [true, false, false]),
            (2, 16, [false, false, false]),
            (3, 16, [true, false, false]),
            (8, 16, [true, false, false]),
            (9, 16, [true, true, false]),
            (16, 16, [true, true, true]),
            (1, 1, [true, true, true]),
            (0, 1, [false, false, false]),
        ] {
            let said = [Rule::Route53, Rule::Majority, Rule::All].map(|rule| rule.is_healthy(healthy, of));
            assert_eq!(said, expected, "{healthy} of {of}");
        }
    }

    #[test]
    fn other_checkers_count_until_they_are_too_old() {
        let mut tracker = Tracker::new(vec![Own::knowing(false)]);
        assert_eq!(tracker.judge(Rule::Route53), Some(false));
        assert!(tracker.hear("paris", heard(true, 1000)) && tracker.hear("tokyo", heard(true, 3000)));
        assert_eq!(
            [Rule::Route53, Rule::Majority, Rule::All].map(|rule| tracker.judge(rule).unwrap()),
            [true, true, false]
        );
        let age = Duration::from_secs(5);
        assert_eq!(tracker.expire(age, Moment(5999)), Some(Moment(6000)));
        assert_eq!(tracker.expire(age, Moment(6000)), Some(Moment(8000)));
        assert_eq!(tracker.judge(Rule::Majority), Some(false));
        assert_eq!(tracker.expire(age, Moment(8000)), None);
        assert_eq!(tracker.judge(Rule::Route53), Some(false));
        assert_eq!(Tracker::default().judge(Rule::All), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut tracker = Tracker::new(vec![Own::default()]);
        for at in 0..100 {
            tracker.observe(0, outcome(at == 0), 3, Moment(at));
            assert_eq!(tracker.hear(&at.to_string(), heard(true, at)), at < CHECKERS_MAX as u64);
        }
        assert!(tracker.hear("7", heard(false, 100)), "one that is known may speak again");
        let own = &tracker.own()[0];
        assert_eq!(own.history().next().map(|past| past.at), Some(Moment(100 - HISTORY_MAX as u64)));
        assert_eq!(own.streak(), Some((false, 99)));
        assert_eq!(own.last_failure().map(|past| past.at), Some(Moment(99)));
    }

    #[test]
    fn rule_3_3_13_each_checker_counts_its_own_results() {
        let mut tracker = Tracker::new(vec![Own::default(); 3]);
        let seen = |tracker: &Tracker| [Rule::Route53, Rule::Majority, Rule::All].map(|rule| tracker.judge(rule));
        // Results that alternate between checkers are a row to each of them.
        for at in 0..2 {
            tracker.observe(0, outcome(true), 2, Moment(at));
            tracker.observe(1, outcome(false), 2, Moment(at));
        }
        assert_eq!(seen(&tracker), [Some(true), Some(false), Some(false)]);
        assert_eq!(tracker.votes(), (1, 2), "the third has not judged yet");
        tracker.observe(2, outcome(true), 2, Moment(2));
        tracker.observe(2, outcome(true), 2, Moment(3));
        assert_eq!(seen(&tracker), [Some(true), Some(true), Some(false)]);
        assert_eq!(tracker.newest().map(|(_, past)| past.at), Some(Moment(3)));
    }
}
