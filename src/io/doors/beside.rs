//! Answers the requests of a connection within the connection's own task.
//!
//! hyper would have each of them answered by a task of its own, and the first to be done has its response written before
//! the second is looked at. An answer takes a microsecond and a write several: so all that have come are answered first,
//! and their responses leave together.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use hyper::rt::Executor;

type Answering = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What hyper wants to have run, until it is taken up.
#[derive(Default)]
pub struct Waiting(Arc<Mutex<Vec<Answering>>>);

/// Where hyper says so. What it wants to have run has this in it too: it must not keep alive what it waits in, or a
/// connection that ends before its requests are taken up would never go away.
#[derive(Clone)]
pub struct Beside(Weak<Mutex<Vec<Answering>>>);

impl Waiting {
    pub fn beside(&self) -> Beside {
        Beside(Arc::downgrade(&self.0))
    }

    fn take(&self) -> Vec<Answering> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Beside {
    fn execute(&self, future: F) {
        if let Some(waiting) = self.0.upgrade() {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(future));
        }
    }
}

/// A connection and what runs beside it.
pub struct Together<C> {
    pub connection: Pin<Box<C>>,
    waiting: Waiting,
    running: Vec<Answering>,
}

impl<C: Future> Together<C> {
    pub fn new(connection: C, waiting: Waiting) -> Together<C> {
        Together { connection: Box::pin(connection), waiting, running: Vec::new() }
    }

    /// Polls the connection and all that runs beside it, until no response is left to be taken up.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<C::Output> {
        loop {
            if let Poll::Ready(output) = self.connection.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            self.running.extend(self.waiting.take());
            let before = self.running.len();
            self.running.retain_mut(|answering| answering.as_mut().poll(context).is_pending());
            // Those that are done have given the connection something to write.
            if self.running.len() == before {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Asks for so many answers at once, and is done when it is polled with all of them there.
    struct Asking {
        beside: Beside,
        asked: bool,
        answers: Arc<Mutex<Vec<usize>>>,
        polled_with: Arc<Mutex<Vec<usize>>>,
    }

    impl Future for Asking {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            let answers = self.answers.lock().unwrap().len();
            self.polled_with.lock().unwrap().push(answers);
            if !mem::replace(&mut self.asked, true) {
                for number in 0..10 {
                    let answers = self.answers.clone();
                    self.beside.execute(async move { answers.lock().unwrap().push(number) });
                }
            }
            if answers == 10 { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    #[test]
    fn all_answers_are_there_when_the_connection_writes() {
        let (waiting, answers, polled_with) = (Waiting::default(), Arc::default(), Arc::default());
        let asking = Asking { beside: waiting.beside(), asked: false, answers, polled_with: Arc::clone(&polled_with) };
        let mut together = Together::new(asking, waiting);
        let context = &mut Context::from_waker(Waker::noop());
        assert_eq!(together.poll(context), Poll::Ready(()));
        assert_eq!(*polled_with.lock().unwrap(), [0, 10]);
    }

    /// Found by the fuzz target `doh`: nonsense behind a request ended the connection before the request was taken up, and
    /// the request held on to itself and to its client's seat.
    #[test]
    fn what_was_not_taken_up_goes_with_its_connection() {
        let (waiting, seat) = (Waiting::default(), Arc::new(()));
        let (beside, held) = (waiting.beside(), seat.clone());
        let ending = async move {
            let inside = beside.clone();
            beside.execute(async move { drop((inside, held)) });
        };
        let mut together = Together::new(ending, waiting);
        assert_eq!(together.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        assert_eq!(Arc::strong_count(&seat), 2);
        drop(together);
        assert_eq!(Arc::strong_count(&seat), 1);
    }
}
