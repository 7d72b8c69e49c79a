//! What the statements are given: the values of records and requests, as their columns hold them.

use crate::broker::{StoredUpstreamTokens, Subject, TokenDigest};
use crate::key::Scopes;
use crate::seal::StoredSecret;
use crate::sql::engine::Value;
use crate::store::StoreError;
use crate::store::grants::Sealing;
use crate::time::Timestamp;

pub(super) fn time(at: Timestamp) -> Value<'static> {
    at.as_seconds().into()
}

pub(super) fn optional_time(at: Option<Timestamp>) -> Value<'static> {
    at.map(Timestamp::as_seconds).into()
}

pub(super) fn text(text: &str) -> Value<'static> {
    text.to_owned().into()
}

pub(super) fn digest(digest: &TokenDigest) -> Value<'static> {
    text(digest.to_hex().as_str())
}

pub(super) fn scopes(scopes: &Scopes) -> Value<'static> {
    scopes.joined().into()
}

/// Several texts, as JSON.
pub(super) fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> Value<'static> {
    let texts: Vec<_> = texts.into_iter().collect();
    serde_json::json!(texts).to_string().into()
}

pub(super) fn limit(limit: u32) -> Value<'static> {
    i64::from(limit).into()
}

/// A version.
pub(super) fn count(count: u64) -> Value<'static> {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

/// The number that a subject is known by in the host's tables; `None` where it is none.
pub(super) fn subject_number(id: &str) -> Option<i64> {
    // Another way to write a number is another subject.
    id.parse::<i64>().ok().filter(|number| number.to_string() == id)
}

/// The columns `forgejo_user_id` and `forgejo_username`.
pub(super) fn host_subject(subject: &Subject) -> [Value<'static>; 2] {
    let id = subject.id.as_str();
    [subject_number(id).unwrap_or(0).into(), text(subject.name.as_deref().unwrap_or(id))]
}

/// The columns of the upstream tokens of a grant: access token, refresh token, and when the access token ends.
///
/// # Errors
/// [`StoreError::Unsupported`] for an envelope where the host reads in clear, and for a plaintext anywhere else.
pub(super) fn upstream(
    tokens: Option<&StoredUpstreamTokens>,
    sealing: Sealing,
) -> Result<[Value<'static>; 3], StoreError> {
    let Some(StoredUpstreamTokens { access_token, refresh_token, expires_at }) = tokens else {
        return Ok([Value::Text(None), Value::Text(None), Value::Integer(None)]);
    };
    let refresh_token = refresh_token.as_ref().map(|token| secret(token, sealing)).transpose()?;
    Ok([secret(access_token, sealing)?.into(), refresh_token.into(), time(*expires_at)])
}

/// The same in the host's rows, which hold nothing unless they are to be read by another program.
///
/// # Errors
/// As [`upstream`].
pub(super) fn host_upstream(
    tokens: Option<&StoredUpstreamTokens>,
    sealing: Sealing,
) -> Result<[Value<'static>; 3], StoreError> {
    match tokens.filter(|_| sealing == Sealing::Store) {
        None => Ok(["".into(), Value::Text(None), 0.into()]),
        tokens => upstream(tokens, sealing),
    }
}

fn secret(secret: &StoredSecret, sealing: Sealing) -> Result<String, StoreError> {
    match (secret, sealing) {
        (StoredSecret::Sealed(sealed), Sealing::Service) => Ok(sealed.as_str().to_owned()),
        (StoredSecret::Plain(secret), Sealing::Store) => Ok(secret.expose_secret().to_owned()),
        (StoredSecret::Plain(_), Sealing::Service) => {
            Err(StoreError::Unsupported("upstream tokens are stored in envelopes only"))
        }
        (StoredSecret::Sealed(_), Sealing::Store) => {
            Err(StoreError::Unsupported("upstream tokens are shared in clear, and an envelope cannot be"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_way_to_write_a_number_that_fits_is_a_number() {
        for (id, number) in [
            ("42", Some(42)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("042", None),
            ("+42", None),
            ("-0", None),
            (" 42", None),
            ("alice", None),
            ("", None),
        ] {
            assert_eq!(subject_number(id), number, "{id}");
        }
    }
}
