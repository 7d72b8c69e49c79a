//! A change that is on its way to the store.

use std::sync::Arc;

use crate::key::Schema;
use crate::service::cache::fence::Subject;
use crate::service::cache::{Cache, Changing};
use crate::service::source::Source;

/// What was read of the subjects of a change before it, or while it was on its way, counts for nothing once its outcome
/// is known, or its caller has given it up.
#[must_use = "it ends when it is dropped"]
pub(crate) struct InDoubt<'c, S: Schema> {
    source: &'c Source<S>,
    replicated: Option<Subject>,
    cached: Option<(&'c Cache<S>, Subject)>,
}

impl<'c, S: Schema> InDoubt<'c, S> {
    pub(crate) fn begin(source: &'c Source<S>, cache: Option<&'c Arc<Cache<S>>>, changing: Changing<'_>) -> Self {
        let cached = cache.map(|cache| (&**cache, cache.subject(changing)));
        let in_doubt = Self { source, replicated: source.subject(changing), cached };
        // From here on, the store may have made it.
        in_doubt.may_have_changed();
        in_doubt
    }

    fn may_have_changed(&self) {
        self.source.subject_has_changed(self.replicated);
        if let Some((cache, subject)) = self.cached {
            cache.fence.changed(subject);
        }
    }
}

impl<S: Schema> Drop for InDoubt<'_, S> {
    fn drop(&mut self) {
        self.may_have_changed();
    }
}
