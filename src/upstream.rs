//! Keeping up with names outside that aliases lead to: which of them is due when, and what an answer changes.
//!
//! | a resolver says | served                                 | asked again                                      |
//! |-----------------|----------------------------------------|--------------------------------------------------|
//! | records         | those                                  | before their TTL has passed                      |
//! | nothing there   | NODATA                                 | before the negative TTL has passed               |
//! | nothing, fails  | what was served before; once its TTL   | after a pause that doubles, and when a TTL ends  |
//! |                 | has passed as stale, for a short while |                                                  |
//!
//! Time and chance are arguments; nothing is asked from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::dice::Dice;
use crate::moment::Moment;
use crate::snapshot::upstream::{Outside, Said, Standing, Upstream};
use crate::wire::hash::HashKey;

/// Nobody gains from a name that is asked for more often than this, in seconds; load balancers have 60. Ours.
pub const TTL_LEAST: u32 = 5;

/// A day: whatever a resolver says, it is looked at again. Ours; RFC 8767, 4 has a week.
pub const TTL_MOST: u32 = 86_400;

/// RFC 2308, 5 lets a negative answer without SOA not be kept; so long it is served, in seconds.
pub const NEGATIVE_TTL: u32 = 30;

/// After the first failure there is this pause, doubled by each that follows. Ours.
pub const RETRY_FIRST: Duration = Duration::from_secs(2);

/// No pause is longer than this; RFC 2308, 7.1 remembers a failure for five minutes at most.
pub const RETRY_MOST: Duration = Duration::from_secs(300);

/// An answer that never comes is asked for again after this. Ours; lookups give up long before.
pub const LOST_AFTER: Duration = Duration::from_secs(60);

/// All names outside that are wanted.
#[derive(Default)]
pub struct Refresh {
    known: BTreeMap<Outside, Known>,
    queue: BTreeSet<(Moment, Outside)>,
    changed: bool,
}

/// What is known of one of them.
struct Known {
    due: Moment,
    failures: u32,
    /// What was said last, and until when it is good.
    said: Option<(Arc<Said>, Moment)>,
    stale: bool,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Uncompressed data of records, in any order.
    Records {
        ttl: u32,
        data: Vec<Vec<u8>>,
    },
    Nothing {
        ttl: Option<u32>,
    },
    Failed,
}

/// What an operator wants to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Failing,
    Answering,
}

impl Refresh {
    /// From now on these are wanted, and no others.
    pub fn want(&mut self, wanted: BTreeSet<Outside>, now: Moment) {
        let known = self.known.len();
        let queue = &mut self.queue;
        self.known.retain(|outside, known| {
            let kept = wanted.contains(outside);
            if !kept {
                queue.remove(&(known.due, outside.clone()));
            }
            kept
        });
        self.changed |= self.known.len() < known;
        for outside in wanted {
            self.known.entry(outside).or_insert_with_key(|outside| {
                queue.insert((now, outside.clone()));
                Known { due: now, failures: 0, said: None, stale: false }
            });
        }
    }

    /// Up to so many that are to be asked for now, the one due longest first.
    pub fn due(&mut self, now: Moment, most: usize) -> Vec<Outside> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some((at, outside)) = self.queue.first()
            && *at <= now
        {
            let outside = outside.clone();
            self.put_off(&outside, now.after(LOST_AFTER));
            due.push(outside);
        }
        due
    }

    /// When the next is due.
    pub fn next(&self) -> Option<Moment> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes what came of asking. Returns what is new to an operator.
    pub fn heard(&mut self, outside: &Outside, outcome: Outcome, now: Moment, dice: &mut dyn Dice) -> Option<News> {
        // Nobody may want it any more.
        let known = self.known.get_mut(outside)?;
        let (said, ttl) = match outcome {
            Outcome::Failed => {
                let first = known.failures == 0;
                known.failures = known.failures.saturating_add(1);
                let good = known.said.as_ref().map(|(_, until)| *until);
                if good.is_some_and(|until| until <= now) && !known.stale {
                    known.stale = true;
                    self.changed = true;
                }
                let retry = now.after(pause(known.failures, dice));
                // The last moment of what is good is worth another try.
                let at = good.filter(|until| now < *until).map_or(retry, |until| retry.min(until));
                self.put_off(outside, at);
                return first.then_some(News::Failing);
            }
            // Resolvers turn sets around; that is no change.
            Outcome::Records { ttl, mut data } => {
                let ttl = ttl.clamp(TTL_LEAST, TTL_MOST);
                data.sort();
                data.dedup();
                (Said::records(outside, ttl, &data), ttl)
            }
            Outcome::Nothing { ttl } => (Said::nothing(), ttl.unwrap_or(NEGATIVE_TTL).clamp(TTL_LEAST, TTL_MOST)),
        };
        let news = (known.failures > 0).then_some(News::Answering);
        let same = known.said.as_ref().is_some_and(|(before, _)| **before == said);
        if !same || known.stale {
            self.changed = true;
        }
        let until = now.after(Duration::from_secs(ttl.into()));
        let kept = known.said.take().filter(|_| same).map_or_else(|| Arc::new(said), |(before, _)| before);
        (known.said, known.failures, known.stale) = (Some((kept, until)), 0, false);
        let at = now.after(refresh_after(ttl, dice));
        self.put_off(outside, at);
        news
    }

    /// The table to serve, where it is another than the last one taken.
    pub fn table(&mut self, key: HashKey) -> Option<Upstream> {
        std::mem::take(&mut self.changed).then(|| {
            let said = self.known.iter().filter_map(|(outside, known)| {
                let standing = if known.stale { Standing::Stale } else { Standing::Fresh };
                known.said.as_ref().map(|(said, _)| (outside.clone(), said.clone(), standing))
            });
            Upstream::new(key, said)
        })
    }

    /// Whether there is another table to serve than the last one taken.
    pub fn changed(&self) -> bool {
        self.changed
    }

    fn put_off(&mut self, outside: &Outside, at: Moment) {
        if let Some(known) = self.known.get_mut(outside) {
            self.queue.remove(&(known.due, outside.clone()));
            known.due = at;
            self.queue.insert((at, outside.clone()));
        }
    }
}

/// Between three quarters and seven eighths of a TTL: early enough to try again, and not all at once.
fn refresh_after(ttl: u32, dice: &mut dyn Dice) -> Duration {
    let eighth = u64::from(ttl) * 1000 / 8;
    Duration::from_millis(6 * eighth + u64::from(dice.roll(1000)) * eighth / 1000)
}

/// Doubled by each failure, and up to a quarter longer.
fn pause(failures: u32, dice: &mut dyn Dice) -> Duration {
    let doubled = RETRY_FIRST.saturating_mul(1 << (failures.clamp(1, 16) - 1)).min(RETRY_MOST);
    doubled + doubled * dice.roll(1000) / 4000
}

#[cfg(test)]
mod tests;
