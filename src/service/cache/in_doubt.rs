//! A change that is on its way to the store.

use std::sync::Arc;

use crate::key::Schema;
use crate::service::cache::fence::Subject;
use crate::service::cache::{Cache, Changing};

/// What was read of the subjects of a change before it, or while it was on its way, counts for nothing once its outcome
/// is known, or its caller has given it up.
#[must_use = "it ends when it is dropped"]
pub(crate) struct InDoubt<'c, S: Schema> {
    cache: &'c Cache<S>,
    subject: Subject,
}

impl<'c, S: Schema> InDoubt<'c, S> {
    pub(crate) fn begin(cache: &'c Arc<Cache<S>>, changing: Changing<'_>) -> Self {
        let subject = cache.subject(changing);
        // From here on, the store may have made it.
        cache.fence.changed(subject);
        Self { cache, subject }
    }
}

impl<S: Schema> Drop for InDoubt<'_, S> {
    fn drop(&mut self) {
        self.cache.fence.changed(self.subject);
    }
}
