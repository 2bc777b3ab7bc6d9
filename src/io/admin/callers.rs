//! The connections of the admin port, and which of them are closed to make room.
//!
//! | connections                                                   | at most       | closed first                |
//! |---------------------------------------------------------------|---------------|-----------------------------|
//! | newcomers: no complete request yet, or none with a good token | NEWCOMERS_MAX | most neighbours, then oldest |
//! | proven: a complete request came, with the token if there is one | PROVEN_MAX  | the one idle for longest    |
//!
//! So strangers push out each other, and never a client that has shown the token. However fast they come, a newcomer has
//! `TIME_TO_ASK` before another needs its place.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::io::crowd::{Crowd, Seat};

/// Connections that have proven nothing yet; ours.
pub const NEWCOMERS_MAX: usize = 64;

/// Connections that have. Operators and their tools are few; ours.
pub const PROVEN_MAX: usize = 128;

/// Connections of one client among each of these: an IPv4 address, or an IPv6 network of 64 bits; ours. On loopback all
/// clients have one address, so that they are not limited by it.
pub const OF_CLIENT_MAX: usize = 16;

/// The time that a newcomer has to send its request where others need its place; ours. Where 200 of them come again and
/// again, a client waits for its place three times as long.
const TIME_TO_ASK: Duration = Duration::from_millis(100);

pub struct Callers {
    newcomers: Arc<Crowd>,
    proven: Arc<Crowd>,
    /// When the newcomers came, the last `NEWCOMERS_MAX` of them.
    came: Mutex<VecDeque<Instant>>,
}

impl Default for Callers {
    fn default() -> Callers {
        let came = Mutex::new(VecDeque::with_capacity(NEWCOMERS_MAX));
        let newcomers = Crowd::new(NEWCOMERS_MAX, OF_CLIENT_MAX);
        Callers { newcomers, proven: Crowd::new(PROVEN_MAX, OF_CLIENT_MAX), came }
    }
}

/// One connection. It gives its place back when it is dropped.
pub struct Caller {
    callers: Arc<Callers>,
    client: Option<IpAddr>,
    place: Mutex<Place>,
    moved: Notify,
}

struct Place {
    seat: Seat,
    proven: bool,
}

impl Callers {
    /// How long the next newcomer is to wait, so that those that are here have the time to ask. The kernel keeps it.
    pub fn pause(&self) -> Duration {
        if self.newcomers.count() < NEWCOMERS_MAX {
            return Duration::ZERO;
        }
        let first = self.came().front().copied();
        first.map_or(Duration::ZERO, |came| TIME_TO_ASK.saturating_sub(came.elapsed()))
    }

    /// A panic elsewhere leaves the times whole.
    fn came(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a newcomer in.
    pub fn admit(self: &Arc<Self>, client: IpAddr) -> Arc<Caller> {
        let mut came = self.came();
        if came.len() == NEWCOMERS_MAX {
            came.pop_front();
        }
        came.push_back(Instant::now());
        drop(came);
        let client = client.to_canonical();
        let client = (!client.is_loopback()).then_some(client);
        let place = Mutex::new(Place { seat: self.newcomers.admit(client), proven: false });
        Arc::new(Caller { callers: self.clone(), client, place, moved: Notify::new() })
    }
}

impl Caller {
    /// A request came that is good for more than a newcomer's place.
    pub fn proves(&self) {
        let mut place = self.place();
        if !place.proven {
            *place = Place { seat: self.callers.proven.admit(self.client), proven: true };
            self.moved.notify_one();
        }
        place.seat.used();
    }

    /// Comes when another connection needs the place.
    pub async fn closed(&self) {
        loop {
            let (closing, proven) = {
                let place = self.place();
                (place.seat.closing(), place.proven)
            };
            tokio::select! {
                () = closing => if self.place().proven == proven { return },
                () = self.moved.notified() => {}
            }
        }
    }

    /// A panic elsewhere leaves the place whole.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closed(caller: &Caller) -> bool {
        use std::task::{Context, Poll, Waker};
        let mut closed = std::pin::pin!(caller.closed());
        closed.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    fn open(callers: &[Arc<Caller>]) -> usize {
        callers.iter().filter(|caller| !is_closed(caller)).count()
    }

    #[test]
    fn newcomers_push_out_newcomers_alone() {
        let (callers, here) = (Arc::new(Callers::default()), IpAddr::from([127, 0, 0, 1]));
        let operators: Vec<_> = (0..PROVEN_MAX).map(|_| callers.admit(here)).collect();
        // They prove it one after the other; whoever did so before is out of the newcomers' way.
        let operators: Vec<_> = operators.into_iter().rev().take(NEWCOMERS_MAX).collect();
        operators.iter().for_each(|operator| operator.proves());
        let strangers: Vec<_> = (0..200).map(|_| callers.admit(here)).collect();
        assert_eq!((open(&operators), open(&strangers)), (NEWCOMERS_MAX, NEWCOMERS_MAX));
        let newest = &strangers[200 - NEWCOMERS_MAX..];
        assert_eq!(open(newest), NEWCOMERS_MAX, "the oldest went");
        newest[0].proves();
        let more: Vec<_> = (0..200).map(|_| callers.admit(here)).collect();
        assert!(!is_closed(&newest[0]), "one that has asked stays");
        drop((more, operators, strangers));
        assert_eq!((callers.newcomers.count(), callers.proven.count()), (0, 0));
    }

    #[test]
    fn of_those_proven_the_one_idle_for_longest_goes() {
        let (callers, here) = (Arc::new(Callers::default()), IpAddr::from([127, 0, 0, 1]));
        let prove = |_| {
            let caller = callers.admit(here);
            caller.proves();
            caller
        };
        let operators: Vec<_> = (0..PROVEN_MAX).map(prove).collect();
        operators[0].proves();
        let _newest = prove(0);
        let closed: Vec<_> = (0..PROVEN_MAX).filter(|&at| is_closed(&operators[at])).collect();
        assert_eq!(closed, [1]);
    }

    #[test]
    fn elsewhere_than_on_loopback_each_client_is_limited() {
        let callers = Arc::new(Callers::default());
        let other = callers.admit(IpAddr::from([192, 0, 2, 1]));
        let flood: Vec<_> = (0..50).map(|_| callers.admit(IpAddr::from([198, 51, 100, 1]))).collect();
        assert_eq!((open(&flood), is_closed(&other)), (OF_CLIENT_MAX, false));
    }

    #[test]
    fn a_newcomer_waits_only_where_others_would_have_no_time_to_ask() {
        let (callers, here) = (Arc::new(Callers::default()), IpAddr::from([127, 0, 0, 1]));
        let strangers: Vec<_> = (1..NEWCOMERS_MAX).map(|_| callers.admit(here)).collect();
        assert_eq!(callers.pause(), Duration::ZERO);
        let last = callers.admit(here);
        let pause = callers.pause();
        assert!(pause > Duration::ZERO && pause <= TIME_TO_ASK, "{pause:?}");
        last.proves();
        assert_eq!(callers.pause(), Duration::ZERO);
        let _another = callers.admit(here);
        let long_ago = Instant::now().checked_sub(TIME_TO_ASK).expect("the machine runs for longer");
        callers.came().iter_mut().for_each(|came| *came = long_ago);
        assert_eq!(callers.pause(), Duration::ZERO);
        drop(strangers);
    }

    /// A place that was taken while its connection proved itself is no loss.
    #[test]
    fn one_that_proves_itself_at_the_last_moment_stays() {
        let (callers, here) = (Arc::new(Callers::default()), IpAddr::from([127, 0, 0, 1]));
        let operator = callers.admit(here);
        let mut closed = Box::pin(operator.closed());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(closed.as_mut().poll(&mut context).is_pending());
        let _strangers: Vec<_> = (0..NEWCOMERS_MAX).map(|_| callers.admit(here)).collect();
        operator.proves();
        assert!(closed.as_mut().poll(&mut context).is_pending());
    }
}
