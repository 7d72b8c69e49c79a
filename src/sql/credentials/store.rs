//! [`SqlCredentialStore`]: the one store of credentials, over any engine, for any layout.

use std::sync::Arc;

use async_trait::async_trait;

use crate::credential::{CredentialHead, CredentialRecord, OAuthSession, SessionError};
use crate::key::OwnerId;
use crate::sql::credentials::layout::MADE;
use crate::sql::credentials::read_back::ReadBack;
use crate::sql::credentials::{CredentialLayout, CredentialTables, Encryption};
use crate::sql::engine::check::Difference;
use crate::sql::engine::migrate::{AppliedMigration, MigrateError};
use crate::sql::engine::{Counts, Engine, EngineError, Reading, Script, ScriptError, ViolationKind};
use crate::sql::keys::{RowReader, interpret_with};
use crate::store::credentials::{
    Claim, ClaimRequest, CredentialListRequest, CredentialStore, MarkRequest, NonceRequest, PutRequest, ReleaseRequest,
    ResealRequest, SaveRequest, Sealing,
};
use crate::store::{Reference, StoreError};
use crate::time::Timestamp;

/// Credentials in a database. Clones share it.
#[derive(Debug)]
pub struct SqlCredentialStore<L: CredentialLayout> {
    engine: Engine,
    layout: Arc<L>,
}

impl<L: CredentialLayout> Clone for SqlCredentialStore<L> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone(), layout: Arc::clone(&self.layout) }
    }
}

impl<L: CredentialLayout> SqlCredentialStore<L> {
    /// The credentials in the tables of `layout`, in the database of `engine`.
    ///
    /// Tables that are still to be made are no error: [`migrate`](Self::migrate) makes them. Those that somebody else has
    /// made are, and those that another version of keyward has made.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] says why the tables will not do; otherwise when the database could not answer.
    pub async fn open(engine: impl Into<Engine>, layout: L) -> Result<Self, StoreError> {
        let engine = engine.into();
        let tables = layout.tables();
        engine.require_trusted(tables).await.map_err(|error| engine.unfit(error))?;
        let presence = engine.presence(L::NAME, CredentialTables::migrations(&layout), tables).await;
        presence.map_err(|error| engine.unfit(error))?;
        layout.examine(&engine).await?;
        Ok(Self { engine, layout: Arc::new(layout) })
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Makes what is missing. Running it again, or in several processes at once, does nothing more. `at` is the time that
    /// is recorded.
    ///
    /// # Errors
    /// As [`SqlKeyStore::migrate`](crate::SqlKeyStore::migrate).
    pub async fn migrate(&self, at: Timestamp) -> Result<Vec<AppliedMigration>, MigrateError> {
        let migrations = CredentialTables::migrations(&*self.layout);
        self.engine.apply(L::NAME, migrations, self.layout.tables(), at).await
    }

    /// Compares the tables that are there with those that keyward expects, and names every difference. It only reads.
    ///
    /// # Errors
    /// [`StoreError`] when the database could not answer.
    pub async fn check(&self) -> Result<Vec<Difference>, StoreError> {
        self.engine.differences(self.layout.tables()).await.map_err(interpret)
    }

    pub(super) fn layout(&self) -> &L {
        &self.layout
    }

    fn decoder(&self) -> impl FnMut(&crate::sql::engine::Row<'_>) -> CredentialRecord + Send + 'static + use<L> {
        let layout = Arc::clone(&self.layout);
        move |row| layout.decode(RowReader::new(L::TABLE, row))
    }

    /// Whether the script made its change.
    async fn run(&self, script: Script<StoreError>) -> Result<bool, StoreError> {
        Ok(is_made(&self.engine.run(script).await.map_err(interpret_script)?))
    }

    /// Whether a conditional change was made. What stands there afterwards has to show it, in the same transaction: where it
    /// does not, nothing of it stays.
    async fn change(
        &self,
        script: Script<StoreError>,
        owner: &OwnerId,
        read_back: ReadBack,
    ) -> Result<bool, StoreError> {
        Ok(self.change_and_get(script, owner, read_back).await?.0)
    }

    /// As [`change`](Self::change), and what stands there afterwards.
    async fn change_and_get(
        &self,
        script: Script<StoreError>,
        owner: &OwnerId,
        read_back: ReadBack,
    ) -> Result<(bool, Option<CredentialRecord>), StoreError> {
        let read_back = Arc::new(read_back);
        let shown = Arc::clone(&read_back);
        let confirms =
            move |counts: &Counts, rows: &[CredentialRecord]| !shown.is_suppressed(is_made(counts), rows.last());
        let suppressed = || StoreError::Suppressed { table: L::TABLE };
        let script = script.or_unconfirmed(suppressed());
        let (query, arguments) = self.layout.get(owner);
        let reading = Reading::new(query, arguments, self.decoder()).confirmed_by(confirms);
        let (is_made, found) = self.run_and_get(script, owner, reading).await?;
        if !is_made && read_back.is_suppressed(is_made, found.as_ref()) {
            return Err(suppressed());
        }
        Ok((is_made, found))
    }

    /// Whether the script made its change, and what stands there afterwards.
    async fn run_and_get(
        &self,
        script: Script<StoreError>,
        owner: &OwnerId,
        reading: Reading<CredentialRecord>,
    ) -> Result<(bool, Option<CredentialRecord>), StoreError> {
        let done = self.engine.run_and_read(script, reading).await;
        if let (Err(ScriptError::Engine(EngineError::Undecryptable { .. })), true) = (&done, self.decrypts()) {
            // Nothing of the script stays.
            return Ok((false, self.read_undecrypted(owner).await?));
        }
        let (counts, mut found) = done.map_err(interpret_script)?;
        let found = self.with_key(found.pop()).await?;
        Ok((is_made(&counts), found))
    }

    fn decrypts(&self) -> bool {
        self.layout.encryption().is_some()
    }

    /// A credential that the database does not decrypt, with that as its defect.
    async fn read_undecrypted(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        let Some(Encryption { undecrypted, .. }) = self.layout.encryption() else { return Ok(None) };
        let (_, arguments) = self.layout.get(owner);
        let found = self.engine.look_up(undecrypted, &arguments, self.decoder()).await;
        Ok(found.map_err(interpret)?.pop())
    }

    /// A credential without its secrets, which the database should have decrypted, may be the first to show that it has no key
    /// any more. That is no fault of the credential's.
    async fn with_key(&self, found: Option<CredentialRecord>) -> Result<Option<CredentialRecord>, StoreError> {
        if let (Some(CredentialRecord { head, .. }), Some(encryption)) = (&found, self.layout.encryption())
            && head.defect.is_some()
        {
            let key = self.engine.look_up(encryption.key, &[], |_| ()).await.map_err(interpret)?;
            if key.is_empty() {
                return Err((encryption.lacking)());
            }
        }
        Ok(found)
    }
}

/// Whether a script has made the change that it is for.
fn is_made(counts: &Counts) -> bool {
    counts.is_complete() && counts.each(MADE).all(|rows| rows > 0)
}

/// What the store reports of an error of the engine.
pub(crate) fn interpret(error: EngineError) -> StoreError {
    interpret_with(error, |violation| match violation.kind {
        ViolationKind::ForeignKey => StoreError::Missing(Reference::Owner),
        ViolationKind::Unique => StoreError::Conflict,
        ViolationKind::NotNull | ViolationKind::Check => {
            StoreError::Unsupported("the tables have no place for a value of the credential")
        }
    })
}

pub(crate) fn interpret_script(error: ScriptError<StoreError>) -> StoreError {
    match error {
        ScriptError::Refused(error) => error,
        ScriptError::Engine(error) => interpret(error),
    }
}

#[async_trait]
impl<L: CredentialLayout> CredentialStore for SqlCredentialStore<L> {
    fn schema(&self) -> &'static str {
        L::NAME
    }

    fn sealing(&self) -> Sealing {
        self.layout.sealing()
    }

    fn accept(&self, owner: &OwnerId, session: &OAuthSession) -> Result<(), SessionError> {
        self.layout.accept(owner, session)
    }

    async fn get(&self, owner: &OwnerId) -> Result<Option<CredentialRecord>, StoreError> {
        let (query, arguments) = self.layout.get(owner);
        match self.engine.look_up(query, &arguments, self.decoder()).await {
            Err(EngineError::Undecryptable { .. }) if self.decrypts() => self.read_undecrypted(owner).await,
            found => self.with_key(found.map_err(interpret)?.pop()).await,
        }
    }

    async fn list(&self, request: &CredentialListRequest) -> Result<Vec<CredentialHead>, StoreError> {
        let (query, arguments) = self.layout.list(request);
        let layout = Arc::clone(&self.layout);
        let decode = move |row: &crate::sql::engine::Row<'_>| layout.decode_head(RowReader::new(L::TABLE, row));
        self.engine.read(query, &arguments, decode).await.map_err(interpret)
    }

    async fn put(&self, request: &PutRequest) -> Result<(), StoreError> {
        // What does not stand there afterwards, and was no conflict, was taken back by the database.
        let (script, owner) = (self.layout.put(request)?, &request.record.head.owner);
        let is_made = self.change(script, owner, ReadBack::of_put(request)).await?;
        if is_made { Ok(()) } else { Err(StoreError::Suppressed { table: L::TABLE }) }
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        // A lease whose caller has gone would keep everybody else waiting until it is over.
        let script = self.layout.claim(request).only_while_awaited();
        Ok(match self.change_and_get(script, &request.owner, ReadBack::of_claim(request)).await? {
            (_, None) => Claim::Gone,
            (true, Some(record)) => Claim::Won(Box::new(record)),
            (false, Some(record)) => Claim::Lost(Box::new(record)),
        })
    }

    async fn mark(&self, request: &MarkRequest) -> Result<bool, StoreError> {
        let script = self.layout.mark(request).only_while_awaited();
        self.change(script, &request.owner, ReadBack::of_mark(request)).await
    }

    async fn save(&self, request: &SaveRequest) -> Result<bool, StoreError> {
        self.change(self.layout.save(request)?, &request.owner, ReadBack::of_save(request)).await
    }

    async fn release(&self, request: &ReleaseRequest) -> Result<bool, StoreError> {
        self.change(self.layout.release(request), &request.owner, ReadBack::of_release(request)).await
    }

    async fn note_nonces(&self, request: &NonceRequest) -> Result<bool, StoreError> {
        self.run(self.layout.note_nonces(request)).await
    }

    async fn reseal(&self, request: &ResealRequest) -> Result<bool, StoreError> {
        self.run(self.layout.reseal(request)?).await
    }

    async fn reseal_all(&self, requests: &[ResealRequest]) -> Result<Vec<bool>, StoreError> {
        let scripts = requests.iter().map(|request| self.layout.reseal(request)).collect::<Result<Vec<_>, _>>()?;
        if scripts.iter().any(|script| script.len() > 1) {
            // A step that ends its script would end those behind it.
            let mut made = Vec::with_capacity(scripts.len());
            for script in scripts {
                made.push(self.run(script).await?);
            }
            return Ok(made);
        }
        let counts = self.engine.run(Script::together(scripts)).await.map_err(interpret_script)?;
        Ok(counts.each(MADE).map(|made| made > 0).collect())
    }

    async fn wipe(&self, owner: &OwnerId) -> Result<bool, StoreError> {
        let (query, arguments) = self.layout.get(owner);
        let reading = Reading::new(query, arguments, self.decoder());
        match self.run_and_get(self.layout.wipe(owner), owner, reading).await? {
            (_, Some(_)) => Err(StoreError::Suppressed { table: L::TABLE }),
            (wiped, None) => Ok(wiped),
        }
    }
}
