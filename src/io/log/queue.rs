//! A queue of log lines between those that log and one thread that writes. Whoever logs never waits for the reader of
//! the log: lines that find no room are dropped, counted, and told of once the reader is back.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The lines that wait, in bytes; ours. The lines of 10,000 health checks that change their verdict at once fit, in JSON
/// too: each has some 150 bytes.
const BYTES_MAX: usize = 2 << 20;

/// A pause where a log that does not block takes nothing for now.
const RETRY: Duration = Duration::from_millis(10);

/// A clone is the same queue.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    inside: Mutex<Inside>,
    /// A line has come.
    come: Condvar,
    /// All lines are written.
    empty: Condvar,
    dropped: AtomicU64,
    log: Mutex<Box<dyn Write + Send>>,
}

#[derive(Default)]
struct Inside {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// Dropped, and not told of.
    untold: u64,
    writer: Writer,
    /// The thread is writing a line that is in the queue no more.
    writing: bool,
}

/// What writes the lines.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Writer {
    /// Nothing yet: lines wait.
    #[default]
    None,
    Thread,
    /// The thread that logs.
    Direct,
}

impl Queue {
    /// One for this file, such as stderr. The lock of Rust's own stderr is not held while a line is written.
    pub fn to(file: impl AsFd + Write + Send + 'static) -> Queue {
        match file.as_fd().try_clone_to_owned() {
            Ok(own) => Queue::of(File::from(own)),
            Err(_) => Queue::of(file),
        }
    }

    pub fn of(log: impl Write + Send + 'static) -> Queue {
        Queue(Arc::new(Shared {
            inside: Mutex::default(),
            come: Condvar::new(),
            empty: Condvar::new(),
            dropped: AtomicU64::new(0),
            log: Mutex::new(Box::new(log)),
        }))
    }

    /// Starts the thread, by `spawn`, unless there is one. If that fails, lines are written by those that log.
    pub fn start(&self, spawn: impl FnOnce(&str, Box<dyn FnOnce() + Send>) -> io::Result<()>) -> io::Result<()> {
        {
            let mut inside = self.lock();
            if inside.writer != Writer::None {
                return Ok(());
            }
            inside.writer = Writer::Thread;
        }
        let queue = self.clone();
        spawn("log", Box::new(move || queue.run())).inspect_err(|_| {
            self.lock().writer = Writer::Direct;
            while let Some(line) = self.take() {
                self.wrote(&line);
            }
        })
    }

    /// Waits until all lines are written, but no longer than this. Returns whether they are.
    pub fn flush(&self, most: Duration) -> bool {
        let begin = Instant::now();
        let mut inside = self.lock();
        while !inside.lines.is_empty() || inside.writing {
            let Some(left) = most.checked_sub(begin.elapsed()) else { return false };
            inside = self.0.empty.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, or drops it where there is no room. A line longer than all the room is taken alone.
    fn push(&self, line: &[u8]) {
        let mut inside = self.lock();
        if inside.writer == Writer::Direct {
            drop(inside);
            self.wrote(line);
        } else if inside.lines.is_empty() || inside.bytes + line.len() <= BYTES_MAX {
            inside.bytes += line.len();
            inside.lines.push_back(line.into());
            drop(inside);
            self.0.come.notify_one();
        } else {
            inside.untold += 1;
            drop(inside);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self) -> Option<Box<[u8]>> {
        let mut inside = self.lock();
        let line = inside.lines.pop_front()?;
        inside.bytes -= line.len();
        Some(line)
    }

    /// The thread's work, for as long as the process lives.
    fn run(&self) {
        loop {
            let mut inside = self.lock();
            let line = loop {
                match inside.lines.pop_front() {
                    Some(line) => break line,
                    None => inside = self.0.come.wait(inside).unwrap_or_else(PoisonError::into_inner),
                }
            };
            inside.bytes -= line.len();
            inside.writing = true;
            drop(inside);
            let written = self.wrote(&line);
            let mut inside = self.lock();
            // Only a log that takes lines is told of those that it lost, or it would be told for ever.
            let untold = if written && inside.lines.is_empty() { std::mem::take(&mut inside.untold) } else { 0 };
            drop(inside);
            if untold > 0 {
                tracing::warn!(lines = untold, "log lines were dropped, because the log was not read or not writable");
            }
            let mut inside = self.lock();
            inside.writing = false;
            if inside.lines.is_empty() {
                self.0.empty.notify_all();
            }
        }
    }

    /// Writes a line. Where that fails the line is lost.
    fn wrote(&self, line: &[u8]) -> bool {
        let mut log = self.0.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = line;
        let written = loop {
            match log.write(rest) {
                Ok(0) => break false,
                Ok(length) if length >= rest.len() => break true,
                Ok(length) => rest = &rest[length..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process made the pipe one that does not block.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
                Err(_) => break false,
            }
        };
        drop(log);
        if !written {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            self.lock().untold += 1;
        }
        written
    }
}

/// The subscriber writes each line whole.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A reader that takes a line when it is let.
    struct Slow {
        begun: mpsc::Sender<String>,
        let_go: mpsc::Receiver<bool>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(String::from_utf8_lossy(line).into_owned());
            match self.let_go.recv() {
                Ok(true) => Ok(line.len()),
                _ => Err(io::ErrorKind::StorageFull.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Queue, mpsc::Receiver<String>, mpsc::Sender<bool>) {
        let (begun, begin) = mpsc::channel();
        let (go, let_go) = mpsc::channel();
        (Queue::of(Slow { begun, let_go }), begin, go)
    }

    fn spawned(_: &str, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        thread::spawn(run);
        Ok(())
    }

    fn log(queue: &Queue, line: &str) {
        let mut queue = queue;
        queue.write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn whoever_logs_does_not_wait_and_what_finds_no_room_is_counted() {
        let (queue, begun, go) = slow();
        queue.start(spawned).unwrap();
        log(&queue, "first");
        assert_eq!(begun.recv_timeout(PATIENCE).unwrap(), "first");
        let line = "x".repeat(BYTES_MAX / 8);
        (0..20).for_each(|_| log(&queue, &line));
        assert_eq!(queue.dropped(), 12);
        assert!(!queue.flush(Duration::from_millis(1)), "nobody reads, and the end comes all the same");
        (0..9).for_each(|_| go.send(true).unwrap());
        assert!(queue.flush(PATIENCE));
        assert_eq!((begun.try_iter().count(), queue.dropped(), queue.lock().untold), (8, 12, 0));
        // There is room again.
        log(&queue, "last");
        go.send(true).unwrap();
        assert!(queue.flush(PATIENCE));
        assert_eq!(begun.try_iter().last().as_deref(), Some("last"));
    }

    #[test]
    fn what_was_logged_before_the_thread_is_written_by_it() {
        let (queue, begun, go) = slow();
        log(&queue, "early");
        assert!(begun.try_recv().is_err());
        go.send(true).unwrap();
        queue.start(spawned).unwrap();
        assert!(queue.flush(PATIENCE));
        assert_eq!(begun.try_recv().unwrap(), "early");
    }

    #[test]
    fn without_a_thread_each_line_is_written_where_it_is_logged() {
        let (queue, begun, go) = slow();
        (0..3).for_each(|_| go.send(true).unwrap());
        log(&queue, "early");
        assert!(queue.start(|_, _| Err(io::ErrorKind::WouldBlock.into())).is_err());
        assert!(queue.start(spawned).is_ok(), "it is not tried again");
        log(&queue, "late");
        assert_eq!(begun.try_iter().collect::<Vec<_>>(), ["early", "late"]);
        assert!(queue.flush(Duration::ZERO));
    }

    #[test]
    fn a_log_that_cannot_be_written_is_not_told_of_that_for_ever() {
        let (queue, _begun, go) = slow();
        queue.start(spawned).unwrap();
        for fails in [false, false, true] {
            log(&queue, "line");
            go.send(fails).unwrap();
            assert!(queue.flush(PATIENCE));
        }
        assert_eq!((queue.dropped(), queue.lock().untold), (2, 0));
    }
}
