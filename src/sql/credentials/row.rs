//! The rows of credentials: the columns that every layout's reads return, and what they mean.

use crate::credential::{CredentialHead, CredentialRecord, CredentialState, EndReason, Nonces, StoredSecrets};
use crate::key::{OwnerId, Scopes};
use crate::seal::{Sealed, StoredSecret};
use crate::sql::engine::Value;
use crate::sql::keys::{Column as _, RowReader, columns};
use crate::store::StoreError;
use crate::time::Timestamp;

columns! {
    /// What the read of one credential returns. Those of heads return what stands before the secrets.
    pub(super) enum Column {
        Owner = "owner",
        IsRefreshable = "is_refreshable",
        ExpiresAt = "expires_at",
        Subject = "subject",
        ClientId = "client_id",
        ClientKeyId = "client_key_id",
        Issuer = "issuer",
        TokenEndpoint = "token_endpoint",
        RevocationEndpoint = "revocation_endpoint",
        ResourceServer = "resource_server",
        Scopes = "scopes",
        SessionId = "session_id",
        SessionStartedAt = "session_started_at",
        SessionEndsAt = "session_ends_at",
        RefreshedAt = "refreshed_at",
        AuthorizationServerNonce = "authorization_server_nonce",
        ResourceServerNonce = "resource_server_nonce",
        State = "state",
        StateSince = "state_since",
        EndReason = "end_reason",
        LeaseUntil = "lease_until",
        Version = "version",
        Generation = "generation",
        AccessToken = "access_token",
        RefreshToken = "refresh_token",
        DpopKey = "dpop_key",
    }
}

/// What every read of heads returns.
pub(super) const HEAD_COLUMNS: &[&str] = Column::NAMES.split_at(Column::AccessToken as usize).0;

/// Reads a head; what cannot be understood reads as absent and is the head's defect.
pub(super) fn head(row: &mut RowReader<'_>) -> CredentialHead {
    let owner = OwnerId::from_stored(row.text(Column::Owner));
    let (client_id, issuer) = (row.text(Column::ClientId), row.text(Column::Issuer));
    let mut head = CredentialHead::new(owner, client_id, issuer, row.text(Column::TokenEndpoint));
    head.subject = row.optional_text(Column::Subject);
    head.client_key_id = row.optional_text(Column::ClientKeyId);
    head.revocation_endpoint = row.optional_text(Column::RevocationEndpoint);
    head.resource_server = row.optional_text(Column::ResourceServer);
    head.scopes = row
        .optional_with(Column::Scopes, |scopes| {
            Scopes::from_stored(scopes.split(' ').filter(|scope| !scope.is_empty()))
        })
        .unwrap_or_default();
    head.session_id = row.optional_text(Column::SessionId);
    head.session_started_at = row.timestamp(Column::SessionStartedAt);
    head.session_ends_at = row.timestamp(Column::SessionEndsAt);
    head.expires_at = row.timestamp(Column::ExpiresAt);
    head.refreshed_at = row.timestamp(Column::RefreshedAt);
    head.nonces = Nonces::default().updated(Nonces {
        authorization_server: row.optional_text(Column::AuthorizationServerNonce),
        resource_server: row.optional_text(Column::ResourceServerNonce),
    });
    head.is_refreshable = row.is_true(Column::IsRefreshable);
    head.state = state(row);
    head.lease_until = row.timestamp(Column::LeaseUntil);
    head.version = row.unsigned(Column::Version);
    head.generation = row.unsigned(Column::Generation);
    head.defect = row.defect();
    head
}

/// Reads a credential whose secrets stand in envelopes.
pub(super) fn sealed(mut row: RowReader<'_>) -> CredentialRecord {
    let mut head = head(&mut row);
    let access_token = envelope(&mut row, Column::AccessToken).or_else(|| row.mark_defect(Column::AccessToken));
    let secrets = StoredSecrets {
        access_token,
        refresh_token: envelope(&mut row, Column::RefreshToken),
        dpop_key: envelope(&mut row, Column::DpopKey),
    };
    head.defect = row.defect();
    CredentialRecord::new(head, secrets)
}

fn envelope(row: &mut RowReader<'_>, column: Column) -> Option<StoredSecret> {
    let sealed = row.optional_with(column, |text| Sealed::parse(text).ok())?;
    sealed.map(StoredSecret::Sealed).or_else(|| row.mark_defect(column))
}

/// A state that is not known grants nothing: nobody can say whether the refresh token was spent.
fn state(row: &mut RowReader<'_>) -> CredentialState {
    let since = row.timestamp(Column::StateSince);
    let name = row.text(Column::State);
    let at = since.unwrap_or(Timestamp::MIN);
    match name.as_str() {
        "active" => CredentialState::Active,
        "sent" => CredentialState::Sent { at },
        "uncertain" => CredentialState::Uncertain { since: at },
        "ended" => {
            let reason = row.optional_with(Column::EndReason, EndReason::from_code).flatten();
            let reason = reason.or_else(|| row.mark_defect(Column::EndReason));
            CredentialState::Ended { reason: reason.unwrap_or(EndReason::InvalidGrant), at }
        }
        _ => {
            row.mark_defect::<()>(Column::State);
            CredentialState::Uncertain { since: at }
        }
    }
}

/// The columns `state`, `state_since` and `end_reason`.
pub(super) fn stored_state(state: CredentialState) -> [Value<'static>; 3] {
    let (name, since, reason) = match state {
        CredentialState::Active => ("active", None, None),
        CredentialState::Sent { at } => ("sent", Some(at), None),
        CredentialState::Uncertain { since } => ("uncertain", Some(since), None),
        CredentialState::Ended { reason, at } => ("ended", Some(at), Some(reason.code())),
    };
    [name.into(), since.into(), reason.into()]
}

/// An envelope as its column holds it. A plaintext has no place in one.
pub(super) fn stored_envelope(secret: Option<&StoredSecret>) -> Result<Value<'static>, StoreError> {
    match secret {
        None => Ok(Value::Text(None)),
        Some(StoredSecret::Sealed(sealed)) => Ok(sealed.as_str().to_owned().into()),
        Some(StoredSecret::Plain(_)) => Err(StoreError::Unsupported("secrets are stored in envelopes only")),
    }
}
