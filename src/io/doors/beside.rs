//! Answers the requests of a connection within the connection's own task.
//!
//! hyper would have each of them answered by a task of its own, and the first to be done has its response written before
//! the second is looked at. An answer takes a microsecond and a write several: so all that have come are answered first,
//! and their responses leave together.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::rt::Executor;

type Answering = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What hyper wants to have run beside the connection.
#[derive(Clone, Default)]
pub struct Beside {
    new: Arc<Mutex<Vec<Answering>>>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Beside {
    fn execute(&self, future: F) {
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(future));
    }
}

/// A connection and what runs beside it.
pub struct Together<C> {
    pub connection: Pin<Box<C>>,
    beside: Beside,
    running: Vec<Answering>,
}

impl<C: Future> Together<C> {
    pub fn new(connection: C, beside: Beside) -> Together<C> {
        Together { connection: Box::pin(connection), beside, running: Vec::new() }
    }

    /// Polls the connection and all that runs beside it, until no response is left to be taken up.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<C::Output> {
        loop {
            if let Poll::Ready(output) = self.connection.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            let new = mem::take(&mut *self.beside.new.lock().unwrap_or_else(PoisonError::into_inner));
            self.running.extend(new);
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
        let (beside, answers, polled_with) = (Beside::default(), Arc::default(), Arc::default());
        let asking = Asking { beside: beside.clone(), asked: false, answers, polled_with: Arc::clone(&polled_with) };
        let mut together = Together::new(asking, beside);
        let context = &mut Context::from_waker(Waker::noop());
        assert_eq!(together.poll(context), Poll::Ready(()));
        assert_eq!(*polled_with.lock().unwrap(), [0, 10]);
    }
}
