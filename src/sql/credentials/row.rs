//! The rows of credentials: the columns that every layout's reads return, and what they mean.

use crate::credential::{CredentialHead, CredentialRecord, CredentialState, EndReason, Nonces, StoredSecrets};
use crate::key::{OwnerId, Scopes};
use crate::seal::{InvalidSealed, Sealed, StoredSecret};
use crate::secret::Secret;
use crate::sql::engine::Cell;
use crate::sql::keys::{RowReader, columns};
use crate::time::Timestamp;

columns! {
    /// What the read of one credential returns. Those of heads return what stands before the secrets.
    pub(crate) enum Column {
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
pub(crate) const HEAD_COLUMNS: &[&str] = Column::NAMES.split_at(Column::AccessToken as usize).0;

/// Reads a head; what cannot be understood reads as absent and is the head's defect.
pub(crate) fn head(row: &mut RowReader<'_>) -> CredentialHead {
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

/// Reads a credential whose secrets stand in envelopes, or also in clear if that is accepted.
pub(crate) fn credential(mut row: RowReader<'_>, takes_plaintext: bool) -> CredentialRecord {
    let mut head = head(&mut row);
    let mut secret = |column| secret(&mut row, column, takes_plaintext);
    let (access_token, refresh_token) = (secret(Column::AccessToken), secret(Column::RefreshToken));
    let dpop_key = secret(Column::DpopKey);
    let access_token = access_token.or_else(|| row.mark_defect(Column::AccessToken));
    head.defect = row.defect();
    CredentialRecord::new(head, StoredSecrets { access_token, refresh_token, dpop_key })
}

fn secret(row: &mut RowReader<'_>, column: Column, takes_plaintext: bool) -> Option<StoredSecret> {
    let cell = row.cell(column);
    let text = match &cell {
        Cell::Null => return None,
        Cell::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        cell => cell.as_text(),
    };
    match text.map(|text| (text, Sealed::parse(text))) {
        Some((_, Ok(sealed))) => Some(StoredSecret::Sealed(sealed)),
        Some((text, Err(InvalidSealed::NotSealed))) if takes_plaintext => {
            Some(StoredSecret::Plain(Secret::new(text.to_owned()).into()))
        }
        _ => row.mark_defect(column),
    }
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
