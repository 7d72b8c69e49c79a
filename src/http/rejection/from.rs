//! What each error of keyward is answered with.

use crate::http::{BearerError, Rejection, RejectionKind};
use crate::key::{ChangeError, InvalidScope, InvalidText, MissingScope, PrepareError, Refusal};
use crate::service::KeysError;
use crate::store::StoreError;
use crate::visible::Causes;

/// 401 without an error code where there are no credentials, and 400 `invalid_request` where they are not presented as
/// they should be (RFC 6750 section 3.1).
impl From<BearerError> for Rejection {
    fn from(error: BearerError) -> Self {
        let kind = if error.is_absence() { RejectionKind::NoCredentials } else { RejectionKind::InvalidRequest };
        Self::new(kind).with_description(error.to_string())
    }
}

/// 503 for an outage; 401 `invalid_token` for every other reason, which the sender does not learn.
impl From<&Refusal> for Rejection {
    fn from(refusal: &Refusal) -> Self {
        let kind = if refusal.is_outage() { RejectionKind::Unavailable } else { RejectionKind::InvalidToken };
        let mut rejection = Self::new(kind).with_description(refusal.to_string());
        rejection.0.refusal = Some(refusal.reason());
        rejection
    }
}

/// As that of a reference.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

/// 403 `insufficient_scope`. It cannot say which scope:
/// [`insufficient_scope`](Rejection::insufficient_scope) can.
impl From<MissingScope> for Rejection {
    fn from(missing: MissingScope) -> Self {
        Self::new(RejectionKind::InsufficientScope).with_description(missing.to_string())
    }
}

/// | error | status |
/// |---|---|
/// | `NotFound` | 404 |
/// | `PrefixTooShort` | 400 |
/// | `Changed`, `AlreadyRotated`, `NotUnique` | 409 |
/// | `Change` | as [`ChangeError`], 422 |
/// | `Prepare` | as [`PrepareError`], 422; 503 where the generator failed |
/// | `Store` | as [`StoreError`] |
///
/// An outage is logged, as nobody else would.
impl From<KeysError> for Rejection {
    fn from(error: KeysError) -> Self {
        let described = |kind, code| Self::new(kind).with_error(code).with_description(error.to_string());
        match error {
            KeysError::NotFound => described(RejectionKind::NotFound, "not_found"),
            KeysError::PrefixTooShort { .. } => described(RejectionKind::BadRequest, "prefix_too_short"),
            KeysError::NotUnique => described(RejectionKind::Conflict, "not_unique"),
            KeysError::AlreadyRotated { .. } => described(RejectionKind::Conflict, "already_rotated"),
            KeysError::Changed { .. } => described(RejectionKind::Conflict, "changed_meanwhile"),
            KeysError::Change(error) => error.into(),
            KeysError::Prepare(error) => error.into(),
            KeysError::Store(error) => error.into(),
        }
    }
}

/// 422. Which column of a row cannot be understood is not told.
impl From<ChangeError> for Rejection {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unusable(_) => Self::unprocessable("the key cannot be changed, only revoked"),
            error => Self::unprocessable(error),
        }
    }
}

/// 409 for a key that was rotated already, 503 where the generator failed, and 422 for everything else.
impl From<PrepareError> for Rejection {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::AlreadyRotated { .. } => KeysError::from(error).into(),
            PrepareError::RandomUnavailable(_) => unavailable(&error),
            PrepareError::NotLive(_) => Self::unprocessable("only a live key can be rotated"),
            error => Self::unprocessable(error),
        }
    }
}

/// | error | status |
/// |---|---|
/// | `Missing` | 404 |
/// | `UnknownCursor` | 400 |
/// | `Conflict`, `TenantDisabled` | 409 |
/// | `Unsupported` | 501 |
/// | all others, which are outages | 503 |
///
/// An outage is logged, as nobody else would. What the database reported is not told.
impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        let (kind, code) = match &error {
            StoreError::Missing(_) => (RejectionKind::NotFound, "not_found"),
            StoreError::UnknownCursor => (RejectionKind::BadRequest, "unknown_cursor"),
            StoreError::Conflict => (RejectionKind::Conflict, "conflict"),
            StoreError::TenantDisabled(_) => (RejectionKind::Conflict, "tenant_disabled"),
            StoreError::Unsupported(_) => (RejectionKind::Unsupported, "unsupported"),
            _ => return unavailable(&error),
        };
        Self::new(kind).with_error(code).with_description(error.to_string())
    }
}

/// 422.
impl From<InvalidText> for Rejection {
    fn from(error: InvalidText) -> Self {
        Self::unprocessable(error)
    }
}

/// 422.
impl From<InvalidScope> for Rejection {
    fn from(error: InvalidScope) -> Self {
        Self::unprocessable(error)
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Rejection {
    tracing::error!(event = "http.unavailable", error = %Causes(error));
    Rejection::new(RejectionKind::Unavailable)
}
