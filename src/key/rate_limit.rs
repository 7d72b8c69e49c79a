//! How many requests a minute a key permits.

use std::num::NonZeroU32;

/// How many requests a minute a key permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "a column is NULL, positive, or not")]
pub enum RateLimit {
    /// As many as the service grants by default; NULL in the table.
    ServiceDefault,
    /// This many.
    PerMinute(NonZeroU32),
    /// None: the row holds a number that no limit can be. Such a key is refused.
    DenyAll,
}

impl RateLimit {
    /// The highest limit that every table can hold.
    pub const MAX: u32 = i32::MAX.unsigned_abs();

    /// A limit of `requests` a minute.
    ///
    /// # Errors
    /// [`InvalidRateLimit`] when it is zero or more than [`RateLimit::MAX`].
    pub fn per_minute(requests: u32) -> Result<Self, InvalidRateLimit> {
        let limit = NonZeroU32::new(requests).filter(|limit| limit.get() <= Self::MAX);
        limit.map(Self::PerMinute).ok_or(InvalidRateLimit)
    }

    /// Reads what a column holds. For authors of stores.
    #[must_use]
    pub fn from_stored(column: Option<i64>) -> Self {
        match column {
            None => Self::ServiceDefault,
            Some(limit) => {
                u32::try_from(limit).ok().and_then(|limit| Self::per_minute(limit).ok()).unwrap_or(Self::DenyAll)
            }
        }
    }

    /// What a column holds. For authors of stores.
    #[must_use]
    pub fn to_stored(self) -> Option<i64> {
        match self {
            Self::ServiceDefault => None,
            Self::PerMinute(limit) => Some(limit.get().into()),
            Self::DenyAll => Some(0),
        }
    }

    /// Requests a minute, where the service grants `service_default` to keys that do not say.
    #[must_use]
    pub const fn requests_per_minute(self, service_default: NonZeroU32) -> u32 {
        match self {
            Self::ServiceDefault => service_default.get(),
            Self::PerMinute(limit) => limit.get(),
            Self::DenyAll => 0,
        }
    }
}

/// The limit is zero or more than 2,147,483,647 requests a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rate limit must be 1 to 2147483647 requests a minute")]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct InvalidRateLimit;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_limit_that_no_key_can_have_denies_everything() {
        for column in [Some(0), Some(-1), Some(i64::MIN), Some(i64::from(RateLimit::MAX) + 1), Some(i64::MAX)] {
            assert_eq!(RateLimit::from_stored(column), RateLimit::DenyAll, "{column:?}");
        }
        assert_eq!(RateLimit::from_stored(None), RateLimit::ServiceDefault);
        assert_eq!(RateLimit::from_stored(Some(60)), RateLimit::per_minute(60).unwrap());
    }

    #[test]
    fn a_limit_is_the_keys_own_or_else_the_services() {
        let service = NonZeroU32::new(60).unwrap();
        let limits = [RateLimit::ServiceDefault, RateLimit::per_minute(7).unwrap(), RateLimit::DenyAll];
        assert_eq!(limits.map(|limit| limit.requests_per_minute(service)), [60, 7, 0]);
        assert_eq!(limits.map(RateLimit::to_stored), [None, Some(7), Some(0)]);
    }

    #[test]
    fn limits_that_no_table_holds_are_refused() {
        assert_eq!(RateLimit::per_minute(0), Err(InvalidRateLimit));
        assert_eq!(RateLimit::per_minute(RateLimit::MAX + 1), Err(InvalidRateLimit));
        assert!(RateLimit::per_minute(RateLimit::MAX).is_ok());
    }
}
