//! Questions that take work, `explain` and `odds`: on threads of their own, few at a time, each for a bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::Reply;
use crate::io::sys;

/// Questions at work at a time; ours.
const AT_WORK_MAX: usize = 2;

/// Questions that wait for others to end; ours.
const WAITING_MAX: usize = 16;

/// The time that a question may wait and work. The command line waits for twice as long; ours.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The stack of a question's thread, in bytes; ours.
const STACK: usize = 1 << 20;

/// One question: it makes the reply, and looks now and then whether it is to stop.
pub type Question = Box<dyn FnOnce(&dyn Fn() -> bool) -> Reply + Send>;

pub struct Questions {
    /// Of those at work and those that wait.
    places: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
    deadline: Duration,
    stack: usize,
}

impl Default for Questions {
    fn default() -> Questions {
        Questions::new(AT_WORK_MAX, WAITING_MAX, DEADLINE, STACK)
    }
}

impl Questions {
    pub fn new(at_work: usize, waiting: usize, deadline: Duration, stack: usize) -> Questions {
        let places = Arc::new(Semaphore::new(at_work + waiting));
        Questions { places, at_work: Arc::new(Semaphore::new(at_work)), deadline, stack }
    }

    /// The reply to a question. The question stops soon after this future is dropped.
    pub async fn ask(&self, question: Question) -> Reply {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let what = "too many questions wait for an answer; ask again in a second";
            return Reply {
                header: Some((RETRY_AFTER, "1".into())),
                ..Reply::error(StatusCode::TOO_MANY_REQUESTS, what)
            };
        };
        let stop = StopOnDrop(Arc::default());
        let stopped = stop.0.clone();
        let answer = async {
            let turn = self.at_work.clone().acquire_owned().await;
            let (tell, told) = oneshot::channel();
            let work = move || {
                sys::stand_back();
                let reply = question(&|| stopped.load(Ordering::Relaxed));
                // The client may be gone.
                let _ = tell.send(reply);
                drop((place, turn));
            };
            thread::Builder::new().name("question".into()).stack_size(self.stack).spawn(work).ok()?;
            told.await.ok()
        };
        match timeout(self.deadline, answer).await {
            Ok(Some(reply)) => reply,
            Ok(None) => Reply::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "the system gives no thread to answer this; ask again, and look at the limit on processes (TasksMax)",
            ),
            Err(_) => Reply::error(
                StatusCode::GATEWAY_TIMEOUT,
                format!(
                    "no answer within {} seconds, so the question was given up; ask again, or for a name deeper in the tree",
                    self.deadline.as_secs()
                ),
            ),
        }
    }

    #[cfg(test)]
    pub fn free_places(&self) -> usize {
        self.places.available_permits()
    }
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> Question {
        Box::new(|_| Reply::json(&serde_json::json!(1)))
    }

    /// Works until it is to stop, and says when it does.
    fn endless(ended: std::sync::mpsc::Sender<()>) -> Question {
        Box::new(move |stop| {
            while !stop() {
                thread::yield_now();
            }
            let _ = ended.send(());
            Reply::json(&serde_json::json!(2))
        })
    }

    #[tokio::test]
    async fn a_question_that_takes_too_long_is_given_up_and_stops() {
        let questions = Questions::new(1, 1, Duration::from_millis(20), STACK);
        let (tell, ended) = std::sync::mpsc::channel();
        assert_eq!(questions.ask(endless(tell)).await.status, 504);
        ended.recv_timeout(Duration::from_secs(30)).expect("it stops");
        assert_eq!(Questions::new(1, 1, DEADLINE, STACK).ask(quick()).await.status, 200);
    }

    #[tokio::test]
    async fn a_question_stops_when_its_client_is_gone() {
        let questions = Arc::new(Questions::default());
        let (tell, ended) = std::sync::mpsc::channel();
        let asked = tokio::spawn({
            let questions = questions.clone();
            async move { questions.ask(endless(tell)).await }
        });
        while questions.at_work.available_permits() == AT_WORK_MAX {
            tokio::task::yield_now().await;
        }
        asked.abort();
        assert!(asked.await.is_err());
        ended.recv_timeout(Duration::from_secs(30)).expect("it stops");
    }

    #[tokio::test]
    async fn more_questions_than_can_wait_are_refused() {
        let questions = Arc::new(Questions::new(0, 2, Duration::from_secs(60), STACK));
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let questions = questions.clone();
                tokio::spawn(async move { questions.ask(quick()).await })
            })
            .collect();
        while questions.free_places() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(questions.ask(quick()).await.status, 429);
        waiting[0].abort();
        while questions.free_places() == 0 {
            tokio::task::yield_now().await;
        }
        questions.at_work.add_permits(1);
        assert_eq!(questions.ask(quick()).await.status, 200);
    }

    #[tokio::test]
    async fn a_thread_that_cannot_be_started_is_a_reply() {
        // No machine has room for such a stack.
        let questions = Questions::new(1, 1, DEADLINE, 1 << 46);
        for _ in 0..3 {
            let reply = questions.ask(quick()).await;
            assert_eq!(reply.status, 503, "{}", String::from_utf8_lossy(&reply.body));
        }
        assert_eq!(questions.free_places(), 2, "nothing is lost");
    }
}
