//! The changes of keys that are read back: what each runs, what it reads in the end, and what both come to. They are put
//! together here once, for transactions of our own and for those of the host.

use crate::key::{KeyId, KeyRecord, Revoked, RevokedAll, Rotation};
use crate::sql::engine::{Counts, Engine, Reading, Script, ScriptError};
use crate::sql::keys::revocation::{self, Found};
use crate::sql::keys::schema::FIRST;
use crate::sql::keys::{KeyTables, SqlKeyStore, SqlSchema};
use crate::store::{RevokeAllRequest, RevokeRequest, StoreError};

/// A script, the read that ends it in the same transaction, and what is to be made of both.
pub(crate) struct Operation<T, O> {
    pub(super) script: Script<StoreError>,
    pub(super) reading: Reading<T>,
    pub(super) conclude: Conclude<T, O>,
}

/// How many rows the steps returned, and what was read.
type Done<T> = Result<(Counts, Vec<T>), ScriptError<StoreError>>;

type Conclude<T, O> = Box<dyn FnOnce(Done<T>) -> Result<O, ScriptError<StoreError>> + Send>;

impl<T: Send + 'static, O: 'static> Operation<T, O> {
    pub(super) fn new(
        script: Script<StoreError>,
        reading: Reading<T>,
        conclude: impl FnOnce(&Counts, Vec<T>) -> Result<O, StoreError> + Send + 'static,
    ) -> Self {
        let conclude = |done: Done<T>| {
            let (counts, rows) = done?;
            conclude(&counts, rows).map_err(ScriptError::Refused)
        };
        Self { script, reading, conclude: Box::new(conclude) }
    }

    /// The same, and behind it in the same transaction the steps of another script, of whose outcome nothing is said.
    #[cfg(feature = "credentials")]
    pub(crate) fn then(self, other: Script<StoreError>) -> Self {
        Self { script: self.script.then(other), ..self }
    }

    /// As [`then`](Self::then), and says beside its own outcome whether the other script went to its end.
    #[cfg(feature = "credentials")]
    pub(crate) fn and(self, other: Script<StoreError>) -> Operation<T, (O, bool)> {
        let Self { script, reading, conclude } = self;
        let conclude = move |done: Done<T>| {
            let is_complete = done.as_ref().is_ok_and(|(counts, _)| counts.is_complete());
            conclude(done).map(|outcome| (outcome, is_complete))
        };
        Operation { script: script.then(other), reading, conclude: Box::new(conclude) }
    }

    /// Not begun once its caller has gone.
    #[cfg(feature = "credentials")]
    pub(crate) fn only_while_awaited(self) -> Self {
        Self { script: self.script.only_while_awaited(), ..self }
    }

    /// In a transaction of its own.
    pub(crate) async fn run(self, engine: &Engine) -> Result<O, ScriptError<StoreError>> {
        let Self { script, reading, conclude } = self;
        conclude(engine.run_and_read(script, reading).await)
    }
}

impl<S: SqlSchema> SqlKeyStore<S> {
    pub(crate) fn rotation(&self, rotation: &Rotation<S>) -> Operation<KeyRecord<S>, KeyRecord<S>> {
        let side_tables = self.has_side_tables();
        let script = self.shared.schema.rotate(rotation, side_tables);
        let query = KeyTables::get(&*self.shared.schema, side_tables);
        let id = rotation.successor.head.id.as_str().to_owned().into();
        Operation::new(script, Reading::new(query, [id], self.decoder()), |_, mut found| {
            // One that is not there after all was taken away by the database itself, such as by a trigger.
            found.pop().ok_or(StoreError::Suppressed { table: S::TABLE })
        })
    }

    pub(crate) fn revocation(&self, request: &RevokeRequest) -> Result<Operation<Found, Option<Revoked>>, StoreError> {
        self.accept_reason(request.reason.as_ref())?;
        let side_tables = self.has_side_tables();
        let script = self.shared.schema.revoke(request, side_tables);
        let (query, named) = S::revoked(request, side_tables);
        let reading = Reading::new(query, named, revocation::found::<S>);
        let request = request.clone();
        Ok(Operation::new(script, reading, move |counts, found| revocation::outcome::<S>(&request, counts, found)))
    }

    pub(super) fn revocation_of_all(
        &self,
        request: &RevokeAllRequest,
    ) -> Result<Operation<KeyId, RevokedAll>, StoreError> {
        self.accept_reason(request.reason.as_ref())?;
        let script = self.shared.schema.revoke_all(request, self.has_side_tables());
        let owner = request.owner.clone();
        Ok(Operation::new(script, revocation::remaining::<S>(&request.owner, 0), |counts, remaining| {
            Ok(RevokedAll::new(owner, counts.of(FIRST)).with_remaining(remaining))
        }))
    }
}
