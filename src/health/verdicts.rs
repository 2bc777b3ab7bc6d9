//! The verdict on each health check, as answers go by it: `route53.md` 3.3.16, 3.3.17 and 3.4.
//!
//! | the check is                 | its verdict                                                    |
//! |------------------------------|----------------------------------------------------------------|
//! | forced                       | what it is forced to, whatever the rest of this table says     |
//! | disabled                     | healthy; inverted: unhealthy                                   |
//! | calculated                   | healthy while `threshold` children are; inverted: turned round |
//! | any other, reported on       | the last report; inverted: turned round                        |
//! | any other, not reported on   | its initial state; inverted: turned round                      |
//!
//! The initial state is healthy. That of a metric is what its `InsufficientDataHealthStatus` says (3.5). A report stands
//! until the next one: if no checker knows the state any more, the report is stale, and still decides.
//!
//! A child that nobody defines counts as healthy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::model::Id;
use crate::model::health_check::{HealthCheck, InsufficientData, Kind, Metric};
use crate::moment::Moment;
use crate::problem::nearest;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub healthy: bool,
    /// When it last turned.
    pub since: Moment,
    pub forced: bool,
    pub reason: Reason,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Forced,
    Disabled,
    /// Nothing is known of the endpoint yet.
    Initial,
    Reported,
    /// No checker has known the state since then; the last report stands.
    Stale {
        since: Moment,
    },
    /// So many children are healthy, and so many must be.
    Children {
        healthy: u32,
        threshold: u32,
        of: u32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Forced => f.write_str("forced"),
            Reason::Disabled => f.write_str("disabled"),
            Reason::Initial => f.write_str("not checked yet"),
            Reason::Reported => f.write_str("checked"),
            Reason::Stale { since } => {
                write!(f, "stale since {since}: no checker knows the state any more, so the last verdict stands")
            }
            Reason::Children { healthy, threshold, of } => {
                write!(f, "{healthy} of {of} children healthy, {threshold} needed")
            }
        }
    }
}

/// No health check has this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCheck {
    pub id: Id,
    /// The one that was probably meant.
    pub meant: Option<Id>,
}

impl fmt::Display for UnknownCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no health check is called {:?}", self.id)?;
        match &self.meant {
            Some(meant) => write!(f, ", did you mean {meant:?}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownCheck {}

/// The verdicts on all health checks. A copy shares what the checks are.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    plan: Arc<Plan>,
    standings: Vec<Standing>,
}

/// What the checks are.
#[derive(Debug, Default)]
struct Plan {
    /// Children before their parents.
    checks: Vec<Check>,
    by_id: BTreeMap<Id, usize>,
}

#[derive(Debug)]
struct Check {
    id: Id,
    inverted: bool,
    disabled: bool,
    /// The state while nothing is reported, before `inverted` is applied.
    initial: bool,
    rule: Rule,
    /// The checks that count this one.
    parents: Vec<usize>,
}

/// How a check stands.
#[derive(Clone, Debug)]
struct Standing {
    reported: Option<bool>,
    /// Since when no checker has known better than the report; none while one does.
    stale: Option<Moment>,
    forced: Option<bool>,
    verdict: Verdict,
}

#[derive(Debug)]
enum Rule {
    Reports,
    Children {
        known: Vec<usize>,
        /// Children that nobody defines.
        unknown: u32,
        threshold: u32,
    },
}

impl Verdicts {
    /// Every check in its initial state. Checks that count each other in a circle, which is an error in the files
    /// that say so, count each other as unknown.
    pub fn new(checks: &BTreeMap<Id, HealthCheck>) -> Verdicts {
        let order = children_first(checks);
        let by_id: BTreeMap<Id, usize> = order.iter().enumerate().map(|(at, check)| (check.id.clone(), at)).collect();
        let mut parents = vec![Vec::new(); order.len()];
        let rules: Vec<Rule> = (0..)
            .zip(&order)
            .map(|(at, check)| match &check.kind {
                Kind::Calculated { children, threshold } => {
                    let known: Vec<usize> = children
                        .iter()
                        .filter_map(|child| by_id.get(child).copied())
                        .filter(|&child| child < at)
                        .collect();
                    for &child in &known {
                        parents[child].push(at);
                    }
                    Rule::Children { unknown: (children.len() - known.len()) as u32, known, threshold: *threshold }
                }
                Kind::Endpoint(_) | Kind::Metric(_) | Kind::Switch { .. } => Rule::Reports,
            })
            .collect();
        let checks = order.iter().zip(rules).zip(parents).map(|((check, rule), parents)| {
            let HealthCheck { id, inverted, disabled, kind, .. } = *check;
            let initial = initial(kind);
            Check { id: id.clone(), inverted: *inverted, disabled: *disabled, initial, rule, parents }
        });
        let plan = Plan { checks: checks.collect(), by_id };
        let verdict = Verdict { healthy: true, since: Moment::START, forced: false, reason: Reason::Initial };
        let standings = vec![Standing { reported: None, stale: None, forced: None, verdict }; plan.checks.len()];
        let mut verdicts = Verdicts { plan: Arc::new(plan), standings };
        for at in 0..verdicts.standings.len() {
            verdicts.standings[at].verdict = verdicts.judge(at, Moment::START);
        }
        verdicts
    }

    /// Takes over what was known of the checks that were there before.
    pub fn continue_from(&mut self, before: &Verdicts, now: Moment) {
        for at in 0..self.standings.len() {
            let Some(old) = before.find(&self.plan.checks[at].id) else { continue };
            // A verdict that stays as it was has been so since then.
            self.standings[at] = old.clone();
            self.standings[at].verdict = self.judge(at, now);
        }
        self.settle(0..self.standings.len(), now);
    }

    /// Forces a verdict, or with `None` lets the check go by itself again. Returns the checks whose verdict turned.
    pub fn force(&mut self, id: &str, healthy: Option<bool>, now: Moment) -> Result<Vec<Id>, UnknownCheck> {
        let at = self.index(id)?;
        self.standings[at].forced = healthy;
        Ok(self.settle(at..at + 1, now))
    }

    /// Takes what a prober, an alarm or a switch says of a check, before `inverted` is applied.
    /// Returns the checks whose verdict turned.
    pub fn report(&mut self, id: &str, healthy: bool, now: Moment) -> Result<Vec<Id>, UnknownCheck> {
        let at = self.index(id)?;
        (self.standings[at].reported, self.standings[at].stale) = (Some(healthy), None);
        Ok(self.settle(at..at + 1, now))
    }

    /// No checker knows the state any more, since then. The last report stands, so that no verdict turns.
    pub fn stale(&mut self, id: &str, since: Moment) -> Result<(), UnknownCheck> {
        let at = self.index(id)?;
        self.standings[at].stale = Some(since);
        self.settle(at..at + 1, since);
        Ok(())
    }

    /// A verdict that was there before this server began has been so since then.
    pub fn since(&mut self, id: &str, since: Moment) {
        if let Ok(at) = self.index(id) {
            self.standings[at].verdict.since = since;
        }
    }

    /// Takes back what was reported of a check, which asks something else from now on.
    /// Returns the checks whose verdict turned.
    pub fn forget(&mut self, id: &str, now: Moment) -> Result<Vec<Id>, UnknownCheck> {
        let at = self.index(id)?;
        (self.standings[at].reported, self.standings[at].stale) = (None, None);
        Ok(self.settle(at..at + 1, now))
    }

    pub fn get(&self, id: &str) -> Option<&Verdict> {
        self.find(id).map(|standing| &standing.verdict)
    }

    /// A check that nobody defines counts as healthy.
    pub fn healthy(&self, id: &str) -> bool {
        self.get(id).is_none_or(|verdict| verdict.healthy)
    }

    /// By id.
    pub fn iter(&self) -> impl Iterator<Item = (&Id, &Verdict)> {
        self.plan.by_id.iter().map(|(id, &at)| (id, &self.standings[at].verdict))
    }

    /// The checks whose verdict has become stale since `before`, and those whose verdict is not stale any more.
    pub fn stale_since(&self, before: &Verdicts) -> Vec<&Id> {
        let same = Arc::ptr_eq(&self.plan, &before.plan);
        let here = self.ids().zip(&self.standings).enumerate();
        let differing = here.filter(|(at, (id, now))| {
            let before = if same { before.standings.get(*at) } else { before.find(id) };
            now.is_stale() != before.is_some_and(Standing::is_stale)
        });
        differing.map(|(_, (id, _))| id).collect()
    }

    /// The checks whose verdict is not what it was `before`. None where that was about other checks.
    pub fn turned_since(&self, before: &Verdicts) -> Option<Vec<&Id>> {
        if !Arc::ptr_eq(&self.plan, &before.plan) && !self.ids().eq(before.ids()) {
            return None;
        }
        let both = self.standings.iter().zip(&before.standings).zip(&self.plan.checks);
        let turned = both.filter(|((now, before), _)| now.verdict.healthy != before.verdict.healthy);
        Some(turned.map(|(_, check)| &check.id).collect())
    }

    fn ids(&self) -> impl Iterator<Item = &Id> {
        self.plan.checks.iter().map(|check| &check.id)
    }

    fn find(&self, id: &str) -> Option<&Standing> {
        self.plan.by_id.get(id).and_then(|&at| self.standings.get(at))
    }

    fn index(&self, id: &str) -> Result<usize, UnknownCheck> {
        self.plan.by_id.get(id).copied().ok_or_else(|| self.unknown(id))
    }

    /// What to say of an id that is no check's.
    pub fn unknown(&self, id: &str) -> UnknownCheck {
        UnknownCheck { id: id.into(), meant: nearest(id, self.plan.by_id.keys().map(|known| &**known)).map(Id::from) }
    }

    /// Judges these checks again, and those that count one whose verdict turned.
    fn settle(&mut self, checks: impl IntoIterator<Item = usize>, now: Moment) -> Vec<Id> {
        let mut due: BTreeSet<usize> = checks.into_iter().collect();
        let mut turned = Vec::new();
        // Parents stand behind their children, so a check is judged once, when all its children are settled.
        while let Some(at) = due.pop_first() {
            let verdict = self.judge(at, now);
            let check = &self.plan.checks[at];
            if verdict.healthy != self.standings[at].verdict.healthy {
                turned.push(check.id.clone());
            }
            due.extend(check.parents.iter().copied());
            self.standings[at].verdict = verdict;
        }
        turned
    }

    fn judge(&self, at: usize, now: Moment) -> Verdict {
        let (check, standing) = (&self.plan.checks[at], &self.standings[at]);
        let (healthy, reason) = match (&check.rule, standing.forced, check.disabled) {
            (_, Some(healthy), _) => (healthy, Reason::Forced),
            (_, None, true) => (!check.inverted, Reason::Disabled),
            (Rule::Reports, None, false) => match standing.reported {
                Some(healthy) => {
                    let reason = standing.stale.map_or(Reason::Reported, |since| Reason::Stale { since });
                    (healthy != check.inverted, reason)
                }
                None => (check.initial != check.inverted, Reason::Initial),
            },
            (Rule::Children { known, unknown, threshold }, None, false) => {
                let known_healthy = known.iter().filter(|&&child| self.standings[child].verdict.healthy).count();
                let (healthy, of) = (unknown + known_healthy as u32, unknown + known.len() as u32);
                ((healthy >= *threshold) != check.inverted, Reason::Children { healthy, threshold: *threshold, of })
            }
        };
        let since = if healthy == standing.verdict.healthy { standing.verdict.since } else { now };
        Verdict { healthy, since, forced: standing.forced.is_some(), reason }
    }
}

impl Standing {
    fn is_stale(&self) -> bool {
        matches!(self.verdict.reason, Reason::Stale { .. })
    }
}

/// The state of a check while nothing is known of it, before `inverted` is applied (3.3.16, 3.5).
fn initial(kind: &Kind) -> bool {
    !matches!(kind, Kind::Metric(Metric { insufficient_data: InsufficientData::Unhealthy, .. }))
}

/// The checks, each behind the children it counts; those in circles last.
fn children_first(checks: &BTreeMap<Id, HealthCheck>) -> Vec<&HealthCheck> {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut parents: BTreeMap<&str, Vec<&HealthCheck>> = BTreeMap::new();
    let mut ready = Vec::new();
    for check in checks.values() {
        let mut count = 0;
        if let Kind::Calculated { children, .. } = &check.kind {
            for child in children.iter().filter(|child| checks.contains_key(*child)) {
                parents.entry(child).or_default().push(check);
                count += 1;
            }
        }
        match count {
            0 => ready.push(check),
            _ => _ = waiting.insert(&check.id, count),
        }
    }
    let mut order = Vec::with_capacity(checks.len());
    while let Some(check) = ready.pop() {
        order.push(check);
        for parent in parents.get(&*check.id).into_iter().flatten() {
            let left = waiting.get_mut(&*parent.id);
            if let Some(left) = left {
                *left -= 1;
                if *left == 0 {
                    waiting.remove(&*parent.id);
                    ready.push(parent);
                }
            }
        }
    }
    order.extend(checks.values().filter(|check| waiting.contains_key(&*check.id)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::At;

    fn check(id: &str, children: Option<(&[&str], u32)>, inverted: bool, disabled: bool) -> (Id, HealthCheck) {
        let kind = match children {
            Some((children, threshold)) => {
                Kind::Calculated { children: children.iter().map(|&child| child.into()).collect(), threshold }
            }
            None => Kind::Switch { routing_control_arn: "arn".into() },
        };
        let at = At { file: "h".into(), line: 1, column: 1, length: 0 };
        (id.into(), HealthCheck { id: id.into(), name: None, kind, inverted, disabled, at })
    }

    /// `a` and `b` plain, `i` inverted, `d` disabled, `di` both, and what counts them.
    fn checks(more: &[(&str, &[&str], u32, bool)]) -> Verdicts {
        let plain =
            [("a", false, false), ("b", false, false), ("i", true, false), ("d", false, true), ("di", true, true)];
        let mut all: BTreeMap<Id, HealthCheck> =
            plain.iter().map(|&(id, inverted, disabled)| check(id, None, inverted, disabled)).collect();
        all.extend(
            more.iter()
                .map(|&(id, children, threshold, inverted)| check(id, Some((children, threshold)), inverted, false)),
        );
        Verdicts::new(&all)
    }

    /// route53.md 3.3.16 and 3.3.17.
    #[test]
    fn rules_3_3_16_and_17_new_inverted_and_disabled() {
        //   initially, reported healthy, reported unhealthy
        for (id, initial, up, down) in
            [("a", true, true, false), ("i", false, false, true), ("d", true, true, true), ("di", false, false, false)]
        {
            let mut verdicts = checks(&[]);
            assert_eq!(verdicts.healthy(id), initial, "{id} at first");
            verdicts.report(id, true, Moment(1)).unwrap();
            assert_eq!(verdicts.healthy(id), up, "{id} reported healthy");
            verdicts.report(id, false, Moment(2)).unwrap();
            assert_eq!(verdicts.healthy(id), down, "{id} reported unhealthy");
        }
    }

    /// route53.md 3.4.1 and 3.4.3.
    #[test]
    fn rule_3_4_calculated() {
        //   children, threshold, inverted: initially, with a down, with a and b down
        for (children, threshold, inverted, verdicts) in [
            (&["a", "b"][..], 2, false, [true, false, false]),
            (&["a", "b"], 1, false, [true, true, false]),
            (&["a", "b"], 0, false, [true, true, true]),
            (&["a", "b"], 3, false, [false, false, false]),
            (&["a"], 1, true, [false, true, true]),
            (&["a", "b"], 2, true, [false, true, true]),
            (&["a", "d"], 2, false, [true, false, false]),
            (&["a", "d"], 1, false, [true, true, true]),
            (&["a", "di"], 1, false, [true, false, false]),
            (&["a", "i"], 2, false, [false, false, false]),
            (&["a", "nobody"], 2, false, [true, false, false]),
            (&["a", "nobody"], 1, false, [true, true, true]),
            (&[], 0, false, [true, true, true]),
            (&[], 1, false, [false, false, false]),
        ] {
            let mut all = checks(&[("c", children, threshold, inverted)]);
            let mut seen = vec![all.healthy("c")];
            for id in ["a", "b"] {
                all.report(id, false, Moment(5)).unwrap();
                seen.push(all.healthy("c"));
            }
            assert_eq!(seen, verdicts, "{threshold} of {children:?}, inverted {inverted}");
        }
    }

    #[test]
    fn forced_states_are_final_and_move_parents() {
        let mut all = checks(&[("both", &["a", "b"], 2, false), ("not", &["both"], 1, true)]);
        assert_eq!(all.force("a", Some(false), Moment(7)).unwrap(), ["a".into(), "both".into(), "not".into()]);
        assert!(!all.healthy("both") && all.healthy("not"));
        let verdict = all.get("a").unwrap().clone();
        assert_eq!(verdict, Verdict { healthy: false, since: Moment(7), forced: true, reason: Reason::Forced });
        assert_eq!(all.get("both").unwrap().reason.to_string(), "1 of 2 children healthy, 2 needed");

        assert_eq!(all.report("a", true, Moment(8)).unwrap(), [] as [Id; 0], "a report does not beat force");
        assert_eq!(all.force("both", Some(true), Moment(9)).unwrap(), ["both".into(), "not".into()]);
        assert_eq!(all.force("d", Some(false), Moment(9)).unwrap(), ["d".into()], "not even a disabled check resists");
        assert_eq!(all.force("a", None, Moment(10)).unwrap(), ["a".into()]);
        assert_eq!(all.get("both").unwrap().since, Moment(9));
    }

    #[test]
    fn a_reload_keeps_what_is_known() {
        let mut old = checks(&[("both", &["a", "b"], 2, false)]);
        old.report("a", false, Moment(3)).unwrap();
        old.force("b", Some(true), Moment(4)).unwrap();
        let mut new =
            checks(&[("both", &["a", "b"], 2, false), ("any", &["a", "b"], 1, false), ("none", &["a"], 1, false)]);
        new.continue_from(&old, Moment(9));
        let since = |id: &str| new.get(id).map(|verdict| (verdict.healthy, verdict.since.0));
        assert_eq!(since("a"), Some((false, 3)));
        assert_eq!(since("both"), Some((false, 3)));
        assert_eq!(since("any"), Some((true, 0)));
        assert_eq!(since("none"), Some((false, 9)));
        assert!(new.get("b").unwrap().forced);
    }

    #[test]
    fn circles_and_strangers_do_no_harm() {
        let mut all = checks(&[("x", &["y"], 1, false), ("y", &["x"], 1, true), ("z", &["z", "a"], 2, false)]);
        all.report("a", false, Moment(1)).unwrap();
        assert!(!all.healthy("z"));
        assert!(all.healthy("nobody") && all.get("nobody").is_none());
        let unknown = all.force("botj", Some(true), Moment(1)).unwrap_err();
        assert_eq!(unknown.to_string(), "no health check is called \"botj\"");
        let mut all = checks(&[("both", &["a"], 1, false)]);
        let unknown = all.force("botj", Some(true), Moment(1)).unwrap_err();
        assert_eq!(unknown.to_string(), "no health check is called \"botj\", did you mean \"both\"?");
    }
}
