//! Threads, as hands for work that can be cut into parts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::hands::Hands;

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
            (1..self.0.min(parts)).for_each(|_| _ = scope.spawn(work));
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
