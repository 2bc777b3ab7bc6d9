//! Work that is done once for all that ask for it meanwhile.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Bytes;
use tokio::sync::Mutex;

/// One work at a time. A request that comes while it is done waits for the next one, together with all others that wait:
/// the result is never older than the request.
#[derive(Default)]
pub struct Together {
    requests: AtomicU64,
    waiting: AtomicU64,
    last: Mutex<Last>,
}

/// The last result, while requests wait that it may serve.
#[derive(Default)]
struct Last {
    /// The requests up to this number came before the work began.
    serves: u64,
    result: Bytes,
}

/// A request that has no result yet, and may go away without one.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU64) -> Waiting<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Together {
    pub async fn get(&self, work: impl Future<Output = Vec<u8>>) -> Bytes {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let waiting = Waiting::new(&self.waiting);
        let mut last = self.last.lock().await;
        if last.serves < number {
            // Nothing of it is taken up if the client goes away while it is done: the next request begins anew.
            let serves = self.requests.load(Ordering::Relaxed);
            last.result = work.await.into();
            last.serves = serves;
        }
        let result = last.result.clone();
        drop(waiting);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            last.result = Bytes::new();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_that_wait_share_one_result_which_began_after_them() {
        let (together, done) = (Arc::<Together>::default(), Arc::new(AtomicU64::new(0)));
        let ask = |after: u64| {
            let (together, done) = (together.clone(), done.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                let work = async {
                    let number = done.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    vec![number as u8]
                };
                together.get(work).await
            })
        };
        let asked = [ask(0), ask(500), ask(600), ask(700), ask(2500)];
        let mut results = Vec::new();
        for one in asked {
            results.push(one.await.unwrap()[0]);
        }
        assert_eq!(results, [0, 1, 1, 1, 2]);
        assert!(together.last.lock().await.result.is_empty(), "nothing is kept that serves no request");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_away_takes_nothing_from_the_others() {
        let together = Arc::<Together>::default();
        let slow = tokio::spawn({
            let together = together.clone();
            async move { together.get(std::future::pending()).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let next = tokio::spawn({
            let together = together.clone();
            async move { together.get(async { b"new".to_vec() }).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        slow.abort();
        assert_eq!(next.await.unwrap(), "new");
    }
}
