//! The exact share of every possible answer: each choice of each policy is played, by its own share, through whole
//! trees of aliases. Nothing is sampled.
//!
//! A choice that several ways lead to is played once, so the work grows with the record sets behind a name, and not with
//! the number of ways through them.

#[cfg(test)]
mod judge;
mod ledger;
#[cfg(test)]
mod tests;
mod ways;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Record, Refused, Request};
use crate::answer::answer;
use crate::dice::odds::Share;
use crate::policy::{Choice, MemberSet};
use crate::snapshot::Snapshot;
use crate::why::ClientRule;
use ledger::Ledger;
use ways::Ways;

/// Work for one question: answers played, and records read and counted; ours. It is about a second of a processor. What
/// Route 53's quotas on record sets allow takes less, unless choices multiply along a chain of CNAMEs.
pub const WORK_MAX: usize = 3_000_000;

/// Records behind one question, and records of all listed answers together; ours. Beyond it, there are no odds, and
/// whole answers are not listed.
pub const RECORDS_MAX: usize = 400_000;

/// More whole answers than this are not listed.
pub const ANSWERS_MAX: usize = 1000;

/// What `odds` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Odds {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    /// The likeliest.
    pub rcode: String,
    /// How likely each record is to be in the answer.
    pub records: Vec<RecordOdds>,
    /// How likely each whole answer is, in whatever order. None where there are more than `ANSWERS_MAX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Vec<AnswerOdds>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOdds {
    pub share: String,
    #[serde(flatten)]
    pub record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerOdds {
    pub share: String,
    pub rcode: String,
    pub records: Vec<Record>,
}

/// The reason why there are no exact odds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMuch {
    /// It takes more than `WORK_MAX`.
    Work,
    /// There are more than `RECORDS_MAX`.
    Records,
    /// A share's numerator or denominator does not fit 128 bits.
    Digits,
    /// The caller does not wait any longer.
    Stopped,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooMuch::Work => write!(
                f,
                "the choices behind this answer and their records take more than {WORK_MAX} steps; ask for a name deeper \
                 in the tree"
            ),
            TooMuch::Records => write!(
                f,
                "there are more than {RECORDS_MAX} records behind this name; ask for a name deeper in the tree"
            ),
            TooMuch::Digits => f.write_str("the shares have too many digits; ask for a name deeper in the tree"),
            TooMuch::Stopped => {
                f.write_str("the question was given up before it was answered, as no client waits any longer")
            }
        }
    }
}

/// The exact odds of every answer to a request.
pub fn odds(snapshot: &Snapshot, request: &Request) -> Result<Odds, Refused> {
    odds_unless(snapshot, request, &|| false)
}

/// The same, given up as soon as `stop` says so.
pub fn odds_unless(snapshot: &Snapshot, request: &Request, stop: &dyn Fn() -> bool) -> Result<Odds, Refused> {
    let mut client = request.client(snapshot)?;
    // Only the scope depends on how the client's network was found, and it has no part in the odds.
    client.rule = ClientRule::Source;
    let query = request.query();
    let mut work = Work { left: WORK_MAX, stop };
    let mut ledger = Ledger::default();
    let play = |player: &mut ways::Player, found: &mut _| answer(snapshot, &query, &client, player, found);
    let ways = Ways::explore(&mut work, play, |found, work| ledger.end(snapshot, &query, found, work));
    let told = ways.and_then(|ways| {
        let shares = ways.shares(ledger.ends()).ok_or(TooMuch::Digits)?;
        ledger.told(request, &shares, &mut work)
    });
    told.map_err(Refused::TooMuch)
}

/// The work that may still be done.
pub(super) struct Work<'a> {
    left: usize,
    stop: &'a dyn Fn() -> bool,
}

impl Work<'_> {
    fn spend(&mut self, steps: usize) -> Result<(), TooMuch> {
        if (self.stop)() {
            return Err(TooMuch::Stopped);
        }
        self.left = self.left.checked_sub(steps).ok_or(TooMuch::Work)?;
        Ok(())
    }
}

fn choice(members: MemberSet, several: bool) -> Choice {
    match members.first() {
        _ if several => Choice::Several(members),
        Some(member) => Choice::One(member),
        None => Choice::Nobody,
    }
}

/// The likeliest first.
fn in_order<T: Ord>(odds: impl Iterator<Item = (Share, T)>) -> impl Iterator<Item = (String, T)> {
    let mut odds: Vec<(Share, T)> = odds.collect();
    odds.sort_by(|(one, first), (other, second)| other.cmp(one).then_with(|| first.cmp(second)));
    odds.into_iter().map(|(share, what)| (share.to_string(), what))
}
