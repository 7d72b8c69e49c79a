//! Staying in step with what other processes do to the store.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use crate::key::Schema;
use crate::service::cache::{Cache, Changing, Moment};
use crate::service::source::Source;
use crate::store::{ChangeFeed, Changes, StoreError};
use crate::visible::Causes;

/// How often a cache asks within its bound.
const QUESTIONS: u32 = 4;

/// After failures, up to so many intervals pass before the next question.
const LONGEST_PAUSE: u32 = 8;

impl<S: Schema> Cache<S> {
    /// Tells the cache of what changes, until `shutdown` completes.
    pub(crate) async fn watch(
        &self,
        source: &Source<S>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), StoreError> {
        let mut watch = Watch { cache: self, source, failures: 0 };
        let mut shutdown = pin!(shutdown);
        let Some(mut feed) = watch.begin(shutdown.as_mut()).await? else { return Ok(()) };
        loop {
            let Some(is_told) = unless(shutdown.as_mut(), watch.ask(&mut *feed)).await else { return Ok(()) };
            let pause = if is_told {
                timeout(watch.interval(), unless(shutdown.as_mut(), feed.wait())).await
            } else {
                // After a failure, there is nothing that it would be in time for.
                timeout(watch.pause(), unless(shutdown.as_mut(), pending())).await
            };
            if pause == Ok(None) {
                return Ok(());
            }
        }
    }
}

/// `None` when `shutdown` completes first.
async fn unless<T>(
    mut shutdown: Pin<&mut (impl Future<Output = ()> + Send)>,
    work: impl Future<Output = T> + Send,
) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match shutdown.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(context).map(Some),
    })
    .await
}

struct Watch<'c, S: Schema> {
    cache: &'c Cache<S>,
    source: &'c Source<S>,
    failures: u32,
}

impl<S: Schema> Watch<'_, S> {
    fn interval(&self) -> Duration {
        self.cache.policy.bound / QUESTIONS
    }

    fn pause(&self) -> Duration {
        self.interval().saturating_mul(2_u32.saturating_pow(self.failures).min(LONGEST_PAUSE))
    }

    /// `None` when it is over before it has begun.
    async fn begin(
        &mut self,
        mut shutdown: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<Option<Box<dyn ChangeFeed>>, StoreError> {
        loop {
            match unless(shutdown.as_mut(), self.source.store.watch()).await {
                None => return Ok(None),
                Some(Ok(feed)) => {
                    // What was changed between its reading and this moment, no feed tells.
                    self.source.everything_has_changed();
                    self.cache.everything_changed();
                    return Ok(Some(feed));
                }
                Some(Err(error @ StoreError::Unavailable { .. })) => self.has_failed(&error),
                Some(Err(error)) => return Err(error),
            }
            if timeout(self.pause(), &mut shutdown).await.is_ok() {
                return Ok(None);
            }
        }
    }

    /// Whether the feed has said what changed.
    async fn ask(&mut self, feed: &mut dyn ChangeFeed) -> bool {
        let asked = Moment::of(&*self.source.clock);
        let answer = timeout(self.cache.policy.bound, feed.changes()).await;
        match answer.unwrap_or_else(|late| Err(StoreError::Unavailable { backend: "the store", source: late.into() })) {
            Ok(changes) => {
                if let Changes::Keys(ids) = changes {
                    for id in &ids {
                        self.source.has_changed(Changing::Key(id));
                        self.cache.changed(Changing::Key(id));
                    }
                } else {
                    self.source.everything_has_changed();
                    self.cache.everything_changed();
                }
                self.cache.step.confirm(asked);
                if self.failures > 0 {
                    tracing::info!(event = "cache.in_step", failures = self.failures, "the cache answers again");
                }
                self.failures = 0;
                true
            }
            Err(error) => {
                self.has_failed(&error);
                false
            }
        }
    }

    /// Logs the first failure of several.
    fn has_failed(&mut self, error: &StoreError) {
        if self.failures == 0 {
            tracing::warn!(event = "cache.out_of_step", error = %Causes(error), "said once until it is over");
        }
        self.failures = self.failures.saturating_add(1);
    }
}

impl<S: Schema> Drop for Watch<'_, S> {
    fn drop(&mut self) {
        self.cache.step.lose();
    }
}
