//! One answer, and every step that led to it.

use serde::{Deserialize, Serialize};

use super::record::{Record, answered};
use super::steps::{Roll, Told, told};
use super::{Refused, Request, TooMuch};
use crate::answer::{self, Answer, Chooser};
use crate::dice::{Dice, Seeded};
use crate::policy::{Choice, MemberSet, Policy, Seen};
use crate::snapshot::Snapshot;
use crate::why::{Step, Why};

/// What `explain` tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub rcode: String,
    /// The records of the answer section, in the order they are sent in.
    pub answer: Vec<Record>,
    pub steps: Vec<Told>,
}

/// The answer to a request when the dice start from `seed`.
pub fn explain(snapshot: &Snapshot, request: &Request, seed: u64) -> Result<Explanation, Refused> {
    explain_unless(snapshot, request, seed, &|| false)
}

/// The same, given up as soon as `stop` says so.
pub fn explain_unless(
    snapshot: &Snapshot,
    request: &Request,
    seed: u64,
    stop: &dyn Fn() -> bool,
) -> Result<Explanation, Refused> {
    let client = request.client(snapshot)?;
    let query = request.query();
    let mut watched = Watched { dice: Seeded::new(seed), rolls: Vec::new() };
    let (mut found, mut steps) = (Answer::new(), Steps { steps: Vec::new(), stop });
    answer::explain(snapshot, &query, &client, &mut watched, &mut found, &mut steps);
    if stop() {
        return Err(Refused::TooMuch(TooMuch::Stopped));
    }
    let steps = steps.steps;
    let mut rolls = watched.rolls.into_iter();
    let steps = steps.iter().map(|step| {
        // Every choice is told by exactly one of these.
        let chose = matches!(step, Step::Choose { .. } | Step::NobodyChosen { .. });
        let rolls = if chose { rolls.next().unwrap_or_default() } else { Vec::new() };
        told(step, snapshot, seed, &rolls)
    });
    Ok(Explanation {
        name: request.name.to_string(),
        rtype: request.rtype.to_string(),
        rcode: found.rcode.to_string(),
        steps: steps.collect(),
        answer: answered(snapshot, &query, &found),
    })
}

/// The steps in order. Once it is to stop, no more work is done for them.
struct Steps<'a> {
    steps: Vec<Step>,
    stop: &'a dyn Fn() -> bool,
}

impl Why for Steps<'_> {
    fn step(&mut self, step: impl FnOnce() -> Step) {
        if self.wanted() {
            self.steps.push(step());
        }
    }

    fn wanted(&self) -> bool {
        !(self.stop)()
    }
}

/// Dice, and what they showed for each choice.
struct Watched {
    dice: Seeded,
    rolls: Vec<Vec<Roll>>,
}

struct Rolling<'a> {
    dice: &'a mut Seeded,
    rolls: Vec<Roll>,
}

impl Dice for Rolling<'_> {
    fn roll(&mut self, sides: u32) -> u32 {
        let roll = self.dice.roll(sides);
        self.rolls.push(Roll { roll, sides });
        roll
    }
}

impl Chooser for Watched {
    fn choose(&mut self, policy: &Policy, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        let mut rolling = Rolling { dice: &mut self.dice, rolls: Vec::new() };
        let choice = policy.choose(healthy, seen, &mut rolling);
        self.rolls.push(rolling.rolls);
        choice
    }

    fn spin(&mut self) -> u32 {
        Dice::spin(&mut self.dice)
    }
}
