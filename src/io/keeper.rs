//! Writes what has to survive on a thread of its own, so that a slow disk holds up nobody but who waits for it.
//!
//! What comes while the disk is busy replaces what waits: the newest state is the whole state. Whoever wants to know
//! that his own change is on the disk waits until it, or one after it, is.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::clock::Clock;
use super::repeated::Repeated;

/// Whoever waits is told after this time that nothing is kept yet. Ours: shorter than the patience of our own commands.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread that writes states.
pub struct Keeper<T> {
    desk: Arc<Desk<T>>,
    done: watch::Receiver<Written>,
}

/// Where states are left for it.
struct Desk<T> {
    inside: Mutex<Inside<T>>,
    come: Condvar,
}

struct Inside<T> {
    newest: Option<T>,
    /// How many have come.
    number: u64,
    ended: bool,
}

/// How many of those that have come are written, and whether that went well.
#[derive(Clone, Copy)]
pub struct Written {
    number: u64,
    kept: bool,
}

/// Whether a state is kept: known, or still to be seen.
pub enum Saving {
    Known(bool),
    Awaited { number: u64, done: watch::Receiver<Written> },
}

impl Saving {
    /// Waits until it is known. A disk that takes too long has kept nothing yet.
    pub async fn kept(self) -> bool {
        match self {
            Saving::Known(kept) => kept,
            Saving::Awaited { number, mut done } => {
                let written = timeout(PATIENCE, done.wait_for(|written| written.number >= number)).await;
                matches!(written, Ok(Ok(written)) if written.kept)
            }
        }
    }
}

impl<T: Send + 'static> Keeper<T> {
    /// Writes by calling this, one state after another.
    pub fn start(write: impl FnMut(&T) -> io::Result<()> + Send + 'static) -> io::Result<Keeper<T>> {
        let inside = Mutex::new(Inside { newest: None, number: 0, ended: false });
        let desk = Arc::new(Desk { inside, come: Condvar::new() });
        let (tell, done) = watch::channel(Written { number: 0, kept: true });
        std::thread::Builder::new().name("keeper".into()).spawn({
            let desk = desk.clone();
            move || desk.write_all(write, &tell)
        })?;
        Ok(Keeper { desk, done })
    }

    /// Leaves a state to be written, and returns at once.
    pub fn keep(&self, state: T) -> Saving {
        let mut inside = self.desk.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.newest = Some(state);
        inside.number += 1;
        self.desk.come.notify_one();
        Saving::Awaited { number: inside.number, done: self.done.clone() }
    }
}

impl<T> Desk<T> {
    fn write_all(&self, mut write: impl FnMut(&T) -> io::Result<()>, tell: &watch::Sender<Written>) {
        let (clock, mut unkept) = (Clock::start(), Repeated::default());
        while let Some((state, number)) = self.next() {
            let written = write(&state);
            if let Err(error) = &written
                && let Some(times) = unkept.again(clock.now())
            {
                tracing::warn!(%error, times, "health cannot be kept in the state folder; it is served all the same");
            }
            tell.send_replace(Written { number, kept: written.is_ok() });
        }
    }

    /// The newest state, once there is one; none at the end, when all is written.
    fn next(&self) -> Option<(T, u64)> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(state) = inside.newest.take() {
                return Some((state, inside.number));
            }
            if inside.ended {
                return None;
            }
            inside = self.come.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Keeper<T> {
    /// What was left is still written. Nobody waits for that here: the disk may hang.
    fn drop(&mut self) {
        self.desk.inside.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.desk.come.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A disk that says what it begins to write, and writes it when it is told to and as it is told to.
    fn slow_disk() -> (Keeper<u32>, mpsc::Receiver<u32>, mpsc::Sender<bool>) {
        let (begin, begun) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let keeper = Keeper::start(move |state: &u32| {
            let _ = begin.send(*state);
            match told.recv() {
                Ok(true) => Ok(()),
                _ => Err(io::ErrorKind::StorageFull.into()),
            }
        });
        (keeper.unwrap(), begun, tell)
    }

    #[tokio::test]
    async fn nobody_waits_for_a_slow_disk_but_who_wants_to() {
        let (keeper, begun, tell) = slow_disk();
        let first = keeper.keep(1);
        assert_eq!(begun.recv(), Ok(1));
        // These come while it writes: the last is written, and stands for all.
        let later: Vec<Saving> = (2..=4).map(|state| keeper.keep(state)).collect();
        tell.send(true).unwrap();
        assert!(first.kept().await);
        assert_eq!(begun.recv(), Ok(4));
        tell.send(true).unwrap();
        for saving in later {
            assert!(saving.kept().await);
        }
        assert!(begun.try_recv().is_err(), "2 and 3 were overtaken");
    }

    #[tokio::test]
    async fn whoever_waits_is_told_that_it_failed_and_the_next_may_succeed() {
        let (keeper, begun, tell) = slow_disk();
        for kept in [false, true, false] {
            let saving = keeper.keep(7);
            assert_eq!(begun.recv(), Ok(7));
            tell.send(kept).unwrap();
            assert_eq!(saving.kept().await, kept);
        }
        assert!(!Saving::Known(false).kept().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_not_waited_for_for_ever() {
        let (keeper, begun, tell) = slow_disk();
        let saving = keeper.keep(1);
        assert_eq!(begun.recv(), Ok(1));
        assert!(!saving.kept().await);
        tell.send(true).unwrap();
    }

    #[test]
    fn what_was_left_is_written_and_then_the_thread_ends() {
        let (keeper, begun, tell) = slow_disk();
        (1..=9).for_each(|state| _ = keeper.keep(state));
        drop(keeper);
        (1..=9).for_each(|_| _ = tell.send(true));
        assert_eq!(begun.iter().last(), Some(9), "the thread has let go of its end");
    }
}
