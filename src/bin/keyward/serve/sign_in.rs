//! Who sits at the browser, as the proxy in front says.

use axum::http::HeaderName;
use keyward::broker::{Subject, SubjectId};
use keyward::http::{BrowserRequest, SignIn};

/// The header in which a proxy says who is signed in.
pub(super) struct UserHeader(HeaderName);

impl UserHeader {
    pub(super) const fn new(name: HeaderName) -> Self {
        Self(name)
    }
}

#[async_trait::async_trait]
impl SignIn for UserHeader {
    /// A header that is there twice was set by somebody else as well, and is not believed.
    async fn signed_in(&self, request: &BrowserRequest<'_>) -> Option<Subject> {
        let mut values = request.headers().get_all(&self.0).iter();
        let user = values.next().filter(|_| values.next().is_none())?;
        SubjectId::new(user.to_str().ok()?).ok().map(Subject::new)
    }
}
