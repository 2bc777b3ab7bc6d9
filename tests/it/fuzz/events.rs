//! Bytes as events of the control plane, in any order, at any time, about checks that are there or not: nothing panics,
//! what is forced is kept, turns are told as they are served, no probe is asked for twice, and what was due is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use fingerpost::control::{Control, Effect, Event, Kept, MetricState, Settings, Stale};
use fingerpost::dice::Seeded;
use fingerpost::health::alarm::{NoReading, Reading};
use fingerpost::health::checker::Checker;
use fingerpost::health::finding::{Failure, Finding, Latency, Outcome};
use fingerpost::health::tracker::Rule;
use fingerpost::health::verdicts::{Reason, Verdicts};
use fingerpost::model::health_check::{
    Comparison, Follows, HealthCheck, InsufficientData, Kind, Metric, MetricQuery, MissingData,
};
use fingerpost::model::{Id, Shared};
use fingerpost::moment::Moment;
use fingerpost::problem::At;

use super::seeds::some_bytes;
use crate::simulation::folder;

const EVENTS_MAX: usize = 300;

struct Run<'b> {
    given: Unstructured<'b>,
    control: Control,
    shared: Arc<Shared>,
    now: Moment,
    disk: Kept,
    served: Option<Arc<Verdicts>>,
    /// Probes and queries that nobody has brought back.
    away: BTreeMap<u64, Id>,
    asked: BTreeSet<u64>,
}

/// The checks of a simulated folder, one that follows a query, and one that counts all others.
fn checks(seed: u8) -> Arc<Shared> {
    let mut dice = Seeded::new(u64::from(seed % 16));
    let pace = folder::pace(&mut dice);
    let mut checks = folder::checks(pace, &mut dice).health_checks.clone();
    let at = At { file: "health-checks.toml".into(), line: 1, column: 1, length: 0 };
    let query = MetricQuery {
        url: "http://127.0.0.1:9090".into(),
        query: "up".into(),
        comparison: [Comparison::Greater, Comparison::LessOrEqual][usize::from(seed % 2)],
        threshold: 5.0,
        period: 10,
        evaluation_periods: u32::from(seed % 5) + 1,
        missing: [MissingData::Missing, MissingData::Ignore, MissingData::Breaching][usize::from(seed % 3)],
    };
    let insufficient_data = InsufficientData::LastKnownStatus;
    let children: Vec<Id> = checks.keys().cloned().collect();
    for (id, kind) in [
        ("query", Kind::Metric(Metric { follows: Follows::Query(query), insufficient_data })),
        ("all", Kind::Calculated { threshold: children.len() as u32, children }),
    ] {
        let check = HealthCheck { id: id.into(), name: None, kind, inverted: false, disabled: false, at: at.clone() };
        checks.insert(id.into(), check);
    }
    Arc::new(Shared { health_checks: checks, ..Shared::default() })
}

impl Run<'_> {
    fn id(&mut self) -> Result<Id> {
        let known: Vec<&Id> = self.shared.health_checks.keys().collect();
        let at = usize::from(self.given.arbitrary::<u8>()?);
        Ok(known.get(at % (known.len() + 1)).map_or("nobody".into(), |id| (*id).clone()))
    }

    fn text(&mut self) -> Result<Box<str>> {
        let texts = ["", "works", "\u{0}é\"\n", &"long ".repeat(60)];
        Ok((*self.given.choose(&texts)?).into())
    }

    /// One that was away, or nobody's.
    fn number(&mut self) -> Result<(Id, u64)> {
        let at = usize::from(self.given.arbitrary::<u8>()?);
        let any = self.away.iter().nth(at % (self.away.len() + 1)).map(|(number, id)| (id.clone(), *number));
        let (id, number) = match any {
            Some(away) => away,
            None => (self.id()?, self.given.arbitrary::<u16>()?.into()),
        };
        if self.away.get(&number) == Some(&id) {
            self.away.remove(&number);
        }
        Ok((id, number))
    }

    fn event(&mut self) -> Result<Event> {
        Ok(match self.given.int_in_range(0..=9)? {
            0 => Event::Tick,
            1 => {
                self.shared = checks(self.given.arbitrary()?);
                Event::Reloaded(self.shared.clone())
            }
            2 => Event::Settings(self.settings()?),
            3 | 4 => {
                let (id, number) = self.number()?;
                let failed = Finding::Failed(Failure::Refused);
                let finding = *self.given.choose(&[Finding::Connected, failed, Finding::Answered(503)])?;
                Event::Probed { id, number, outcome: Outcome { finding, resolved: None, latency: Latency::default() } }
            }
            5 => {
                let (id, number) = self.number()?;
                let values = [f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5.0, 5.5, f64::MIN_POSITIVE];
                let reading = match self.given.arbitrary::<bool>()? {
                    true => Reading::Value(*self.given.choose(&values)?),
                    false => Reading::Missing(NoReading::NoSeries),
                };
                Event::Measured { id, number, reading, took: self.given.arbitrary()? }
            }
            6 => {
                let (id, healthy) = (self.id()?, *self.given.choose(&[None, Some(true), Some(false)])?);
                let seconds = *self.given.choose(&[0, 1, 60, u64::MAX])?;
                let lasting = self.given.arbitrary::<bool>()?.then(|| Duration::from_secs(seconds));
                Event::Force { id, healthy, lasting, reason: self.text()? }
            }
            7 => {
                let states = [MetricState::Ok, MetricState::Alarm, MetricState::InsufficientData];
                Event::Metric { id: self.id()?, state: *self.given.choose(&states)? }
            }
            8 => Event::Switch { id: self.id()?, on: self.given.arbitrary()? },
            _ => {
                let number = self.given.arbitrary::<u8>()?;
                let checker = if number == 0 { self.text()? } else { format!("checker-{number}").into() };
                Event::Observed { id: self.id()?, checker, healthy: self.given.arbitrary()?, reason: self.text()? }
            }
        })
    }

    fn settings(&mut self) -> Result<Settings> {
        let rule = *self.given.choose(&[Rule::Route53, Rule::Majority, Rule::All])?;
        let heard_age = Duration::from_secs(*self.given.choose(&[1, 60, 86_400])?);
        let count = self.given.int_in_range(1..=16)?;
        let checkers = (0..count).map(|number| {
            let name = format!("checker-{number}").into();
            Arc::new(Checker { name, ipv4: None, ipv6: None })
        });
        let probes = !self.given.ratio(1, 4)?;
        Ok(Settings { rule, heard_age, checkers: checkers.collect(), probes })
    }

    fn wait(&mut self) -> Result<()> {
        let next = self.control.next();
        self.now = match self.given.int_in_range(0..=7)? {
            0 | 1 => self.now,
            2..=4 => self.now.max(next),
            5 => self.now.after(Duration::from_millis(self.given.arbitrary::<u16>()?.into())),
            6 => self.now.after(Duration::from_secs(self.given.arbitrary::<u32>()?.into())),
            // Somebody sets the clock.
            _ => Moment(self.now.0.saturating_sub(self.given.arbitrary::<u32>()?.into())),
        };
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        let Ok(effects) = self.control.handle(event, self.now) else { return };
        for effect in effects {
            match effect {
                Effect::Save(kept) => {
                    let text = serde_json::to_vec(&kept).expect("what is kept can be written");
                    assert_eq!(serde_json::from_slice::<Kept>(&text).ok(), Some(kept), "what is kept is read again");
                    self.disk = serde_json::from_slice(&text).expect("it was read before");
                }
                Effect::Publish { verdicts, turned } => {
                    let told: BTreeMap<Id, bool> = turned.into_iter().map(|turn| (turn.id, turn.healthy)).collect();
                    assert_eq!(told, self.turned_since_served(&verdicts), "what is told to turn, and what does");
                    self.served = Some(verdicts);
                }
                Effect::Report(said) => {
                    assert!(self.shared.health_checks.contains_key(&said.id), "{} is nobody, and told of", said.id);
                }
                Effect::Stale(stale) => {
                    for Stale { id, healthy, since, .. } in stale {
                        let served = self.served.as_ref().and_then(|served| served.get(&id));
                        let reason = since.map(|since| Reason::Stale { since });
                        let holds = served.is_some_and(|verdict| {
                            let is_stale = matches!(verdict.reason, Reason::Stale { .. });
                            verdict.healthy == healthy && reason.map_or(!is_stale, |reason| verdict.reason == reason)
                        });
                        assert!(holds, "{id} is said to be stale since {since:?}, and served as {served:?}");
                    }
                }
                Effect::Probe { check, number, .. } | Effect::Query { check, number } => {
                    assert!(self.control.settings().probes, "{} is asked by a server that does not probe", check.id);
                    assert!(self.asked.insert(number), "number {number} is given twice");
                    assert!(!check.disabled, "{} is disabled and asked", check.id);
                    self.away.insert(number, check.id.clone());
                }
            }
        }
        // What is acknowledged now is kept.
        for (id, verdict) in self.control.verdicts().iter().filter(|(_, verdict)| verdict.forced) {
            let kept = self.disk.forced.get(id).map(|forced| forced.healthy);
            assert_eq!(kept, Some(verdict.healthy), "{id} is forced, and that is not kept");
        }
        assert!(self.control.next() > self.now, "something due at {} was not done", self.now);
        assert_eq!(self.control.verdicts().iter().count(), self.shared.health_checks.len());
        assert!(self.control.under_way() <= self.away.len(), "more are under way than were asked");
    }

    /// One that is not there counts as healthy. To begin with nothing is served.
    fn turned_since_served(&self, now: &Verdicts) -> BTreeMap<Id, bool> {
        let Some(served) = &self.served else { return BTreeMap::new() };
        let ids: BTreeSet<&Id> = served.iter().chain(now.iter()).map(|(id, _)| id).collect();
        let turned = ids.into_iter().filter(|id| served.healthy(id) != now.healthy(id));
        turned.map(|id| (id.clone(), now.healthy(id))).collect()
    }

    fn live(&mut self) -> Result<()> {
        self.handle(Event::Reloaded(self.shared.clone()));
        for _ in 0..EVENTS_MAX {
            if self.given.is_empty() {
                break;
            }
            self.wait()?;
            if self.given.ratio(1, 32)? {
                let (settings, kept) = (self.control.settings().clone(), self.disk.clone());
                self.control = Control::new(settings, kept, 1, self.now);
                self.away.clear();
                self.asked.clear();
                self.served = None;
                self.handle(Event::Reloaded(self.shared.clone()));
            }
            let event = self.event()?;
            self.handle(event);
        }
        Ok(())
    }
}

pub fn run(bytes: &[u8]) {
    let now = Moment(1_000_000_000);
    let mut run = Run {
        given: Unstructured::new(bytes),
        control: Control::new(Settings::default(), Kept::default(), 1, now),
        shared: checks(0),
        now,
        disk: Kept::default(),
        served: None,
        away: BTreeMap::new(),
        asked: BTreeSet::new(),
    };
    // Where the bytes end the run does.
    let _ = run.live();
}

pub fn seeds() -> Vec<Vec<u8>> {
    (1..17).map(|seed| some_bytes(seed, 600)).collect()
}
