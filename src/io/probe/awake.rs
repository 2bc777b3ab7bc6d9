//! Tells an endpoint's lateness from our own.
//!
//! A limit is for the endpoint. While this program does not run, because the machine is overloaded or was paused,
//! nothing is seen of what an endpoint sends, and a clock that only goes on would blame the endpoint for it. So limits
//! count the time in which we ran: a beat tells when we did not, and whoever passes a limit then gets back what was
//! lost, and a moment at least, so that what has come meanwhile is taken in before it is judged.
//!
//! Where nothing was lost, a limit is what it says, to the millisecond.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::io::repeated::Repeated;
use crate::moment::Moment;

/// How often the beat looks whether we run. Ours: ten times a second costs nothing that could be measured.
const BEAT: Duration = Duration::from_millis(100);

/// A beat that is later than this was held up. Ours: a busy machine is often late by a few milliseconds.
const LATE: Duration = Duration::from_millis(50);

/// Whoever passes a limit after something was lost has so long at least. Ours: the backlog of thousands of probes is
/// worked off within it.
const LOOK: Duration = Duration::from_millis(100);

/// A limit is put off so often at most: on a machine that is always late, dead endpoints are found all the same. Ours.
const PUT_OFF_MAX: u32 = 5;

/// How much time was lost.
#[derive(Default)]
pub struct Awake(Mutex<Beats>);

#[derive(Default)]
struct Beats {
    /// None: nobody looks, and nothing is known to be lost.
    due: Option<Instant>,
    lost: Duration,
    stalls: u64,
    told: Repeated,
}

/// When something began, and what had been lost by then.
#[derive(Clone, Copy)]
pub struct Start {
    at: Instant,
    lost: Duration,
}

/// The time is over, and it was not we who were late.
#[derive(Debug)]
pub struct Late;

impl Awake {
    /// Looks again and again whether we run, for as long as this is awaited.
    pub async fn beat(&self) {
        let begin = Instant::now();
        let mut due = begin + BEAT;
        loop {
            self.beats().due = Some(due);
            sleep_until(due).await;
            let (now, mut beats) = (Instant::now(), self.beats());
            let late = now.saturating_duration_since(due);
            if late > LATE {
                beats.lost += late;
                beats.stalls += 1;
                let told = beats.told.again(Moment::START.after(now - begin));
                drop(beats);
                if let Some(times) = told {
                    tracing::warn!(
                        held_up_ms = late.as_millis() as u64,
                        times,
                        "this machine did not let health checks run; they do not count the time that was lost"
                    );
                }
            }
            due = now + BEAT;
        }
    }

    /// How often we were held up, and for how long in all.
    pub fn stalls(&self) -> (u64, Duration) {
        let beats = self.beats();
        (beats.stalls, beats.lost)
    }

    pub fn begin(&self) -> Start {
        Start { at: Instant::now(), lost: self.lost() }
    }

    pub fn lost_since(&self, start: &Start) -> Duration {
        self.lost().saturating_sub(start.lost)
    }

    /// Does this, unless it takes longer than the limit from the start on, not counting what was lost.
    pub async fn within<T>(&self, limit: Duration, start: &Start, doing: impl Future<Output = T>) -> Result<T, Late> {
        let mut doing = pin!(doing);
        let (mut end, mut known) = (start.at + limit, self.lost_since(start));
        end += known;
        for _ in 0..=PUT_OFF_MAX {
            if let Ok(done) = timeout_at(end, &mut doing).await {
                return Ok(done);
            }
            let lost = self.lost_since(start);
            if lost <= known {
                break;
            }
            known = lost;
            let ran = start.at.elapsed().saturating_sub(lost);
            end = Instant::now() + limit.saturating_sub(ran).max(LOOK);
        }
        Err(Late)
    }

    /// Up to now: the beat that should have been counts before it is.
    fn lost(&self) -> Duration {
        let beats = self.beats();
        let late = beats.due.map_or(Duration::ZERO, |due| Instant::now().saturating_duration_since(due));
        beats.lost + if late > LATE { late } else { Duration::ZERO }
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Start {
    /// One so long ago, with nothing lost.
    pub fn ago(spent: Duration) -> Start {
        Start { at: Instant::now() - spent, lost: Duration::ZERO }
    }

    pub fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::sync::oneshot;
    use tokio::time::{advance, sleep};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    async fn beating() -> Arc<Awake> {
        let awake = Arc::new(Awake::default());
        tokio::spawn({
            let awake = awake.clone();
            async move { awake.beat().await }
        });
        tokio::task::yield_now().await;
        awake
    }

    /// After how long somebody who never answers is given up, where we are held up after so long for so long, each
    /// after the one before.
    async fn given_up_after(stalls: &[(u64, u64)]) -> u64 {
        let (awake, begin) = (beating().await, Instant::now());
        let waiting = tokio::spawn({
            let awake = awake.clone();
            async move { awake.within(LIMIT, &awake.begin(), pending::<()>()).await.is_err() }
        });
        for &(after, stall) in stalls {
            sleep(millis(after)).await;
            // The clock goes on, and nobody runs.
            advance(millis(stall)).await;
        }
        assert!(waiting.await.unwrap());
        begin.elapsed().as_millis() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_exact_while_we_run() {
        assert_eq!(given_up_after(&[]).await, 2000);
        assert_eq!(given_up_after(&[(310, 20), (310, 20), (310, 20)]).await, 2000, "what is hardly late is not late");
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_we_did_not_run_is_given_back() {
        for (stalls, least, most) in [
            // In the middle: all of it comes back, but for what lay before the beat that was held up.
            (&[(510, 1000)][..], 2900, 3000),
            // Beyond the limit, and the limit's own end is forgotten.
            (&[(510, 5000)], 6900, 7000),
            (&[(510, 3_600_000)], 3_601_900, 3_602_000),
            // At the very end there is a moment to look.
            (&[(1950, 1000)], 3040, 3060),
            // Again and again.
            (&[(310, 500), (310, 500), (310, 500), (310, 500)], 3600, 4000),
        ] {
            let found = given_up_after(stalls).await;
            assert!((least..=most).contains(&found), "{stalls:?}: {found}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_is_always_late_finds_the_dead_all_the_same() {
        let always: Vec<_> = std::iter::repeat_n((10, 290), 1000).collect();
        let (awake, begin) = (beating().await, Instant::now());
        let waiting = tokio::spawn({
            let awake = awake.clone();
            async move {
                let _ = awake.within(LIMIT, &awake.begin(), pending::<()>()).await;
                begin.elapsed()
            }
        });
        for (after, stall) in always {
            sleep(millis(after)).await;
            advance(millis(stall)).await;
        }
        let most = LIMIT * (PUT_OFF_MAX + 1);
        assert!(waiting.await.unwrap() <= most);
        assert!(awake.stalls().0 > 500 && awake.stalls().1 > millis(100_000), "{:?}", awake.stalls());
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_while_we_did_not_run_counts() {
        let awake = beating().await;
        let (send, answer) = oneshot::channel();
        // Whoever takes it in does so a moment later, as the task of a connection does.
        let taken = tokio::spawn(async move {
            let answer: u8 = answer.await.unwrap();
            sleep(millis(30)).await;
            answer
        });
        let waiting = tokio::spawn({
            let awake = awake.clone();
            async move { awake.within(LIMIT, &awake.begin(), taken).await }
        });
        sleep(millis(10)).await;
        send.send(7).unwrap();
        advance(millis(30_000)).await;
        assert_eq!(waiting.await.unwrap().expect("an answer").unwrap(), 7);
    }
}
