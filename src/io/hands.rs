//! Threads, as hands for work that can be cut into parts.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::hands::Hands;

/// Whether the last thread that was asked for was refused. A shortage is logged once, when it begins.
static SHORT_OF_THREADS: AtomicBool = AtomicBool::new(false);

/// Starts threads that live as long as the scope, up to so many. Returns those that the system grants: the caller
/// works beside them, alone if there are none.
pub fn helpers<'scope, 'env, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    count: usize,
    work: impl Fn() -> T + Clone + Send + 'scope,
) -> Vec<thread::ScopedJoinHandle<'scope, T>> {
    let start = |_| thread::Builder::new().spawn_scoped(scope, work.clone());
    (0..count).map(start).map_while(granted).collect()
}

/// Whether the system grants so many threads at a time. To be asked before code that takes them for granted.
pub fn are_granted(count: usize) -> io::Result<()> {
    let mut waiting = Vec::with_capacity(count);
    for _ in 0..count {
        let (end, ended) = mpsc::channel::<()>();
        // Each waits until its sender is dropped, so that all are there at a time.
        let thread = thread::Builder::new().spawn(move || _ = ended.recv())?;
        waiting.push((end, thread));
    }
    for (end, thread) in waiting {
        drop(end);
        let _ = thread.join();
    }
    Ok(())
}

/// A thread that was asked for, if the system granted it. The first refusal of a shortage is logged.
pub fn granted<T>(started: io::Result<T>) -> Option<T> {
    let short = started.is_err();
    if SHORT_OF_THREADS.swap(short, Ordering::Relaxed) != short
        && let Err(error) = &started
    {
        tracing::warn!(%error, "the system refuses a new thread; the work goes on with the threads there are");
    }
    started.ok()
}

/// So many threads, this one among them. They live as long as a piece of work does.
#[derive(Clone, Copy, Debug)]
pub struct Threads(usize);

impl Threads {
    /// One for each core that we may use.
    pub fn of_this_machine() -> Threads {
        Threads(thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Hands for Threads {
    fn count(&self) -> usize {
        self.0
    }

    fn each(&self, parts: usize, part: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= parts {
                    return;
                }
                part(number);
            }
        };
        thread::scope(|scope| {
            helpers(scope, self.0.min(parts).saturating_sub(1), work);
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn each_part_is_done_once() {
        for (threads, parts) in [(1, 0), (1, 3), (4, 0), (4, 2), (4, 1000)] {
            let done = Mutex::new(Vec::new());
            Threads(threads).each(parts, &|number| done.lock().unwrap().push(number));
            let mut done = done.into_inner().unwrap();
            done.sort_unstable();
            assert!(done.into_iter().eq(0..parts), "{parts} parts by {threads}");
        }
    }
}
