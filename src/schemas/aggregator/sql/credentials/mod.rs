//! The upstream OAuth credential of an aggregator, in the columns that the host's table has for it: [`AggregatorCredentials`].
//!
//! What the columns cannot hold stands in a side table, each row of which is about one pair of tokens. The host's own
//! service may store another pair beside us at any time: it is noticed, and never overwritten.

#[macro_use]
mod columns;
#[macro_use]
mod reads;
#[macro_use]
mod changes;
#[macro_use]
mod writes;
mod scripts;
mod statements;
mod tables;
mod upstream;

use std::sync::OnceLock;

use crate::credential::{ClientId, CredentialHead, CredentialRecord, OAuthSession, SessionError};
use crate::key::OwnerId;
use crate::schemas::aggregator::Aggregator;
use crate::seal::Sealed;
use crate::sql::credentials::arguments::owner;
use crate::sql::credentials::{Asked, CredentialTables, Encryption, KeyedLayout, KeyedTables, row};
use crate::sql::engine::check::Table;
use crate::sql::engine::migrate::Migration;
use crate::sql::engine::{Engine, Script, Sql, Statement};
use crate::sql::keys::RowReader;
use crate::store::credentials::{
    ClaimRequest, CredentialListRequest, MarkRequest, NonceRequest, PutRequest, ReleaseRequest, ResealRequest,
    SaveRequest, Sealing,
};
use crate::store::{RevokeRequest, StoreError};
use scripts::text;
use statements::Statements;

/// The layout of credentials on the host's own table `aggregators`, beside the key of each aggregator.
///
/// The host's service has had two sets of columns for the same three secrets, one after the other, and neither holds all that
/// a credential needs: the rest stands in `keyward.credential_states` (`keyward_credential_states` on SQLite), which
/// [`migrate`](crate::sql::SqlCredentialStore::migrate) makes. No column is added to the host's table.
///
/// A credential that the service has stored itself names no client; it counts as one of `client_id`.
///
/// | the service of the host | layout |
/// |---|---|
/// | is gone, or has never stored a credential | [`in_text`](Self::in_text), [`in_bytes`](Self::in_bytes) |
/// | has just gone | the same with [`taking_over`](Self::taking_over), until nothing is left to [reseal](crate::service::Credentials::reseal) |
/// | goes on running | [`beside_upstream`](Self::beside_upstream) |
///
/// Where there is a table `oauth_sessions`, the session `apikey` in it is a second copy of the same tokens, in clear. It is
/// written for a service that goes on running, and deleted otherwise, whenever a credential is stored, sealed anew or wiped.
#[derive(Debug)]
pub struct AggregatorCredentials {
    client_id: ClientId,
    form: Form,
    has_sessions: OnceLock<bool>,
}

/// In which columns the secrets are, and who encrypts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Envelopes in columns of text, or, while they are taken over, plaintext.
    Text { taking_over: bool },
    /// Envelopes in columns of bytes, or, while they are taken over, what the database has encrypted.
    Bytes { taking_over: bool },
    /// In columns of bytes, encrypted by the database.
    Database,
}

impl AggregatorCredentials {
    /// Envelopes in the columns of text: `oauth_access_token`, `oauth_refresh_token`, `oauth_dpop_private_key_multibase`.
    #[must_use]
    pub const fn in_text(client_id: ClientId) -> Self {
        Self::new(client_id, Form::Text { taking_over: false })
    }

    /// Envelopes in the columns of bytes: `oauth_access_token_encrypted`, `oauth_refresh_token_encrypted`,
    /// `oauth_dpop_private_key_encrypted`.
    #[must_use]
    pub const fn in_bytes(client_id: ClientId) -> Self {
        Self::new(client_id, Form::Bytes { taking_over: false })
    }

    /// Takes over what the host's service has stored: plaintext in columns of text, and in columns of bytes what the database
    /// has encrypted, with `pgcrypto` and its own key in `encryption_keys`. It is read as it is, and put in envelopes by
    /// [`reseal`](crate::service::Credentials::reseal), by each refresh, and when it is read.
    ///
    /// Leave it out again when nothing is left: until then, whoever can write to the table can put a plaintext of his own in
    /// the place of an envelope. Columns of bytes are taken over on PostgreSQL alone.
    #[must_use]
    pub fn taking_over(self) -> Self {
        let form = match self.form {
            Form::Text { .. } => Form::Text { taking_over: true },
            Form::Bytes { .. } => Form::Bytes { taking_over: true },
            Form::Database => Form::Database,
        };
        Self { form, ..self }
    }

    /// For a service that goes on running on the same table: the columns of bytes, encrypted by the database with `pgcrypto`
    /// and the key in `encryption_keys`, as that service does it; and the session `apikey`, without which it accepts no
    /// key. PostgreSQL alone.
    ///
    /// Whoever can read the database can read these tokens. And that service refreshes by itself what has less than five minutes
    /// left, without asking anybody: refresh well before that, so that the two never send one refresh token at the same time.
    #[must_use]
    pub const fn beside_upstream(client_id: ClientId) -> Self {
        Self::new(client_id, Form::Database)
    }

    const fn new(client_id: ClientId, form: Form) -> Self {
        Self { client_id, form, has_sessions: OnceLock::new() }
    }

    fn sql(&self) -> &'static Statements {
        match self.form {
            Form::Text { .. } => &statements::ON_TEXT,
            Form::Bytes { taking_over: false } => &statements::ON_BYTES,
            Form::Bytes { taking_over: true } => &statements::ON_BOTH,
            Form::Database => &statements::IN_DATABASE,
        }
    }

    /// Whether the database has to be able to decrypt.
    const fn needs_encryption(&self) -> bool {
        matches!(self.form, Form::Bytes { taking_over: true } | Form::Database)
    }

    fn has_sessions(&self) -> bool {
        self.has_sessions.get().copied().unwrap_or_default()
    }
}

static ENCRYPTION: [Encryption; 2] = [
    Encryption { undecrypted: &statements::ON_BOTH.get_undecrypted, key: &upstream::KEY, lacking: upstream::no_key },
    Encryption {
        undecrypted: &statements::IN_DATABASE.get_undecrypted,
        key: &upstream::KEY,
        lacking: upstream::no_key,
    },
];

impl CredentialTables for AggregatorCredentials {
    const NAME: &'static str = "aggregator_credentials";
    const TABLE: &'static str = "aggregators";

    fn tables(&self) -> &'static [&'static Table] {
        match self.form {
            Form::Text { .. } => &tables::TEXT,
            Form::Bytes { taking_over: false } => &tables::BYTES,
            Form::Bytes { taking_over: true } | Form::Database => &tables::DATABASE,
        }
    }

    #[cfg(feature = "postgres")]
    fn beside(&self) -> &'static [&'static Table] {
        match self.form {
            Form::Database => &tables::WRITTEN_SESSIONS,
            Form::Text { .. } | Form::Bytes { .. } => &tables::DELETED_SESSIONS,
        }
    }

    fn migrations(&self) -> &'static [Migration] {
        match self.form {
            Form::Text { .. } => tables::MIGRATIONS_ON_TEXT,
            Form::Bytes { .. } | Form::Database => tables::MIGRATIONS_ON_BYTES,
        }
    }

    fn statements(&self) -> Vec<(&'static str, Sql)> {
        let mut all = self.sql().named();
        if self.needs_encryption() {
            all.extend([("key", upstream::KEY.sql()), ("extension", upstream::EXTENSION.sql())]);
        }
        if self.form == Form::Database {
            all.extend([("put, session", upstream::PUT_SESSION), ("save, session", upstream::SAVE_SESSION)]);
        }
        all.extend([("sessions", upstream::SESSIONS.sql()), ("delete_session", upstream::DELETE_SESSION)]);
        all
    }

    fn sealing(&self) -> Sealing {
        match self.form {
            Form::Text { .. } | Form::Bytes { .. } => Sealing::Service,
            Form::Database => Sealing::Store,
        }
    }

    async fn examine(&self, engine: &Engine) -> Result<(), StoreError> {
        if self.needs_encryption() {
            upstream::require_encryption(engine).await?;
        }
        let has_sessions = upstream::has_sessions(engine).await?;
        let _ = self.has_sessions.set(has_sessions);
        Ok(())
    }

    /// What the host's service demands of a session before it accepts a key.
    fn accept(&self, owner: &OwnerId, session: &OAuthSession) -> Result<(), SessionError> {
        session.complete_for(owner.as_str())
    }

    fn encryption(&self) -> Option<&'static Encryption> {
        match self.form {
            Form::Bytes { taking_over: true } => Some(&ENCRYPTION[0]),
            Form::Database => Some(&ENCRYPTION[1]),
            Form::Text { .. } | Form::Bytes { taking_over: false } => None,
        }
    }

    fn get(&self, of: &OwnerId) -> Asked {
        (&self.sql().get, vec![owner(of), text(self.client_id.as_str())])
    }

    fn decode(&self, row: RowReader<'_>) -> CredentialRecord {
        let takes_plaintext =
            matches!(self.form, Form::Text { taking_over: true } | Form::Bytes { taking_over: true } | Form::Database);
        row::credential(row, takes_plaintext)
    }

    fn list(&self, request: &CredentialListRequest) -> Asked {
        let after = request.after.as_ref().map(|owner| owner.as_str().to_owned());
        let start = request.filter.not_sealed_with.as_ref().map(Sealed::start);
        let due_by = request.filter.due_by.into();
        let limit = i64::from(request.limit);
        (&self.sql().list, vec![after.into(), text(self.client_id.as_str()), due_by, start.into(), limit.into()])
    }

    fn decode_head(&self, mut row: RowReader<'_>) -> CredentialHead {
        row::head(&mut row)
    }

    fn put(&self, request: &PutRequest) -> Result<Script<StoreError>, StoreError> {
        self.put_script(request)
    }

    fn claim(&self, request: &ClaimRequest) -> Script<StoreError> {
        self.claim_script(request)
    }

    fn mark(&self, request: &MarkRequest) -> Script<StoreError> {
        self.mark_script(request)
    }

    fn save(&self, request: &SaveRequest) -> Result<Script<StoreError>, StoreError> {
        self.save_script(request)
    }

    fn release(&self, request: &ReleaseRequest) -> Script<StoreError> {
        scripts::release(request)
    }

    fn note_nonces(&self, request: &NonceRequest) -> Script<StoreError> {
        self.nonces_script(request)
    }

    fn reseal(&self, request: &ResealRequest) -> Result<Script<StoreError>, StoreError> {
        self.reseal_script(request)
    }

    fn wipe(&self, of: &OwnerId) -> Script<StoreError> {
        self.wipe_script(of, Statement::new(self.sql().lock, [owner(of)]))
    }
}

impl KeyedLayout for AggregatorCredentials {
    type Schema = Aggregator;
}

impl KeyedTables for AggregatorCredentials {
    fn is_usable(&self, of: &OwnerId) -> Statement {
        Statement::new(self.sql().is_usable, [owner(of)])
    }

    /// The identity of a key is the DID of its owner.
    fn wipe_after_revocation(&self, request: &RevokeRequest) -> Script<StoreError> {
        let of = OwnerId::from_stored(request.id.as_str().to_owned());
        let digest = request.digest.as_ref().map(|digest| digest.to_hex().as_str().to_owned()).into();
        let owned_by = request.owner.as_ref().map(|owner| owner.as_str().to_owned()).into();
        self.wipe_script(&of, Statement::new(self.sql().lock_after_revocation, [owner(&of), digest, owned_by]))
    }
}
