//! What the statements of every layout are given: the values of requests and records, as their columns hold them.

use crate::credential::{CredentialState, LONGEST_LEASE, Nonces, StoredSecrets};
use crate::key::OwnerId;
use crate::seal::StoredSecret;
use crate::sql::engine::Value;
use crate::store::StoreError;
use crate::store::credentials::{Over, Sealing};
use crate::time::Timestamp;

/// The column `owner`.
pub(crate) fn owner(owner: &OwnerId) -> Value<'static> {
    owner.as_str().to_owned().into()
}

/// A version or a generation.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The columns of nonces: nothing for a server that gave none.
pub(crate) fn nonces(nonces: &Nonces) -> [Value<'static>; 2] {
    let Nonces { authorization_server, resource_server } = Nonces::default().updated(nonces.clone());
    [authorization_server.into(), resource_server.into()]
}

/// Which generations a new credential may take the place of: the mode of the statements that put one, and the generation
/// for the mode that has one.
pub(crate) fn over(over: Over) -> [Value<'static>; 2] {
    let (mode, generation) = match over {
        Over::Nothing => (0, None),
        Over::Generation(generation) => (1, Some(count(generation))),
        Over::Anything => (2, None),
    };
    [mode.into(), generation.into()]
}

/// The latest end that a lease which is believed at this time can have.
pub(crate) fn longest_lease(at: Timestamp) -> Value<'static> {
    at.saturating_add(LONGEST_LEASE).into()
}

/// The columns `state`, `state_since` and `end_reason`.
pub(crate) fn state(state: CredentialState) -> [Value<'static>; 3] {
    let (name, since, reason) = match state {
        CredentialState::Active => ("active", None, None),
        CredentialState::Sent { at } => ("sent", Some(at), None),
        CredentialState::Uncertain { since } => ("uncertain", Some(since), None),
        CredentialState::Ended { reason, at } => ("ended", Some(at), Some(reason.code())),
    };
    [name.into(), since.into(), reason.into()]
}

/// A secret as its column holds it: an envelope, or a plaintext on its way to a database that encrypts it, and never the one
/// in the place of the other.
pub(crate) fn secret(secret: Option<&StoredSecret>, sealing: Sealing) -> Result<Value<'static>, StoreError> {
    match (secret, sealing) {
        (None, _) => Ok(Value::Text(None)),
        (Some(StoredSecret::Sealed(sealed)), Sealing::Service) => Ok(sealed.as_str().to_owned().into()),
        (Some(StoredSecret::Plain(secret)), Sealing::Store) => Ok(secret.expose_secret().to_owned().into()),
        (Some(StoredSecret::Plain(_)), Sealing::Service) => {
            Err(StoreError::Unsupported("secrets are stored in envelopes only"))
        }
        (Some(StoredSecret::Sealed(_)), Sealing::Store) => {
            Err(StoreError::Unsupported("the database encrypts secrets itself, and takes no envelope"))
        }
    }
}

/// As [`secret`], of the one secret that every credential has.
pub(crate) fn access_token(secrets: &StoredSecrets, sealing: Sealing) -> Result<Value<'static>, StoreError> {
    if secrets.access_token.is_none() {
        return Err(StoreError::Unsupported("a credential has an access token"));
    }
    secret(secrets.access_token.as_ref(), sealing)
}
