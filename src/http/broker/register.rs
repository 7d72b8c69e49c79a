//! The registration endpoint (RFC 7591), and who may use it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::refusal::{not_registered, refuse};
use super::{Shared, form};
use crate::broker::{ClientMetadata, OAuthErrorCode};
use crate::http::Rejection;
use crate::time::Timestamp;

/// How many clients can register in a minute, unless set.
const DEFAULT_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Who may register as a client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RegistrationPolicy {
    per_minute: Option<NonZeroU32>,
}

impl RegistrationPolicy {
    /// Everybody, 60 in a minute in each process.
    #[must_use]
    pub const fn open() -> Self {
        Self { per_minute: Some(DEFAULT_PER_MINUTE) }
    }

    /// Everybody, so many in a minute in each process.
    #[must_use]
    pub const fn open_at_most(per_minute: NonZeroU32) -> Self {
        Self { per_minute: Some(per_minute) }
    }

    /// Nobody: the host registers clients by [`Tokens::register`](crate::service::Tokens::register).
    #[must_use]
    pub const fn closed() -> Self {
        Self { per_minute: None }
    }

    pub(super) fn limit(self) -> Option<RegistrationLimit> {
        self.per_minute.map(|per_minute| RegistrationLimit { per_minute, minute: Mutex::new((Timestamp::MIN, 0)) })
    }
}

/// Counts registrations, minute by minute.
pub(super) struct RegistrationLimit {
    per_minute: NonZeroU32,
    minute: Mutex<(Timestamp, u32)>,
}

impl RegistrationLimit {
    /// Lets one more through, or says how long it takes until the next one can.
    fn pass(&self, at: Timestamp) -> Result<(), Duration> {
        const MINUTE: Duration = Duration::from_mins(1);

        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, passed) = &mut *minute;
        let end = start.saturating_add(MINUTE);
        // A clock that was set back begins a new minute, too.
        if at >= end || at < *start {
            (*start, *passed) = (at, 0);
        }
        if *passed >= self.per_minute.get() {
            let left = end.as_micros().saturating_sub(at.as_micros()).max(0).unsigned_abs();
            return Err(Duration::from_micros(left));
        }
        *passed += 1;
        Ok(())
    }
}

pub(super) async fn register(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Rejection> {
    let body = form::read(&headers, body, form::JSON)
        .await
        .map_err(|rejection| rejection.with_error(OAuthErrorCode::InvalidClientMetadata.as_str()))?;
    let metadata = ClientMetadata::from_json(&body);
    let metadata = metadata.map_err(|refusal| not_registered(&refusal))?;
    match shared.registration.as_ref().map(|limit| limit.pass(shared.tokens.now())) {
        Some(Ok(())) => {}
        Some(Err(retry_after)) => {
            tracing::warn!(event = "client.not_registered", reason = "too_many");
            return Err(Rejection::too_many_requests(retry_after));
        }
        None => return Err(refuse(OAuthErrorCode::AccessDenied, "registration is closed")),
    }
    let client = shared.tokens.register(metadata).await.map_err(Rejection::from)?;
    Ok(form::unstored_json(StatusCode::CREATED, client.to_json()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pass_in_a_minute_and_no_more() {
        let gate = RegistrationPolicy::open_at_most(NonZeroU32::new(2).unwrap()).limit().unwrap();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!((gate.pass(at(100)), gate.pass(at(130))), (Ok(()), Ok(())));
        assert_eq!(gate.pass(at(130)), Err(Duration::from_secs(30)));
        assert_eq!(gate.pass(at(159)), Err(Duration::from_secs(1)));
        assert_eq!((gate.pass(at(160)), gate.pass(at(160))), (Ok(()), Ok(())));
        assert!(gate.pass(at(160)).is_err());
        assert_eq!(gate.pass(at(10)), Ok(()));
    }
}
