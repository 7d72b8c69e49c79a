//! Keys and the credentials that they stand on, inside the host's own transaction.

#[cfg(feature = "postgres")]
mod postgres {
    use crate::key::{Issued, Prepared, PreparedRotation, Receipt, Revoked, Rotated};
    use crate::sql::credentials::keyed::{RevokeAndWipe, standing};
    use crate::sql::credentials::{KeyedLayout, SqlCredentialStore};
    use crate::sql::engine::Reading;
    use crate::sql::keys::{KeyTables, PostgresWithin, SqlKeyStore, SqlSchema, revocation};
    use crate::store::credentials::Standing;
    use crate::store::{KeyStore as _, RevokeRequest, StoreError};

    #[cfg_attr(docsrs_keyward, doc(cfg(all(feature = "postgres", feature = "credentials"))))]
    impl<S: SqlSchema> PostgresWithin<'_, S> {
        /// Issues a prepared key on a credential in the same database, which
        /// [`Credentials::prepare`](crate::service::Credentials::prepare) makes of a session. After the commit, call
        /// [`Credentials::forget`](crate::service::Credentials::forget) too.
        ///
        /// # Errors
        /// As [`issue`](Self::issue) and [`KeyedCredentialStore::insert`](crate::store::credentials::KeyedCredentialStore::insert).
        pub async fn issue_on<L: KeyedLayout<Schema = S>>(
            &mut self,
            prepared: Prepared<S>,
            credentials: &SqlCredentialStore<L>,
            on: Standing<'_>,
        ) -> Result<Receipt<Issued<S>>, StoreError> {
            let script = self.store().schema().insert(prepared.record())?;
            let script = script.then(standing(credentials.layout(), prepared.record(), on)?);
            self.run_reading(script, None::<Reading<()>>).await?;
            Ok(prepared.stored())
        }

        /// Replaces a key, as [`issue_on`](Self::issue_on).
        ///
        /// # Errors
        /// As [`rotate`](Self::rotate) and [`issue_on`](Self::issue_on).
        pub async fn rotate_on<L: KeyedLayout<Schema = S>>(
            &mut self,
            prepared: PreparedRotation<S>,
            credentials: &SqlCredentialStore<L>,
            on: Standing<'_>,
        ) -> Result<Receipt<Rotated<S>>, StoreError> {
            let side_tables = self.store().has_side_tables();
            let rotation = prepared.rotation();
            let script = self.store().schema().rotate(rotation, side_tables);
            let script = script.then(standing(credentials.layout(), &rotation.successor, on)?);
            let query = KeyTables::get(self.store().schema(), side_tables);
            let id = rotation.successor.head.id.as_str().to_owned().into();
            let reading = Reading::new(query, [id], self.store().decoder());
            let (_, found) = self.run_reading(script, Some(reading)).await?;
            Ok(prepared.stored(SqlKeyStore::<S>::read_successor(found)?))
        }

        /// Revokes a key, and wipes the credential that it stood on; the second value says whether there was one. `None`
        /// when there is no such key.
        ///
        /// # Errors
        /// As [`revoke`](Self::revoke) and
        /// [`KeyedCredentialStore::revoke_and_wipe`](crate::store::credentials::KeyedCredentialStore::revoke_and_wipe).
        pub async fn revoke_and_wipe<L: KeyedLayout<Schema = S>>(
            &mut self,
            request: &RevokeRequest,
            credentials: &SqlCredentialStore<L>,
        ) -> Result<Option<(Receipt<Revoked>, bool)>, StoreError> {
            self.store().accept_reason(request.reason.as_ref())?;
            self.require_read_committed().await?;
            let both = RevokeAndWipe::new(self.store(), credentials.layout(), request);
            let steps = both.steps();
            let reading = Reading::new(both.query, both.named, revocation::found::<S>);
            let (counts, found) = self.run_reading(both.script, Some(reading)).await?;
            let outcome = RevokeAndWipe::outcome::<L>(steps, request, &counts, found)?;
            Ok(outcome.map(|(revoked, wiped)| (revoked.stored(), wiped)))
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use crate::key::{Issued, Prepared, PreparedRotation, Receipt, Revoked, Rotated};
    use crate::sql::credentials::keyed::{RevokeAndWipe, standing};
    use crate::sql::credentials::{KeyedLayout, SqlCredentialStore};
    use crate::sql::engine::Reading;
    use crate::sql::keys::{KeyTables, SqlKeyStore, SqlSchema, SqliteWithin, revocation};
    use crate::store::credentials::Standing;
    use crate::store::{KeyStore as _, RevokeRequest, StoreError};

    #[cfg_attr(docsrs_keyward, doc(cfg(all(feature = "sqlite", feature = "credentials"))))]
    impl<S: SqlSchema> SqliteWithin<'_, S> {
        /// Issues a prepared key on a credential in the same file, which
        /// [`Credentials::prepare`](crate::service::Credentials::prepare) makes of a session. After the commit, call
        /// [`Credentials::forget`](crate::service::Credentials::forget) too.
        ///
        /// # Errors
        /// As [`issue`](Self::issue) and [`KeyedCredentialStore::insert`](crate::store::credentials::KeyedCredentialStore::insert).
        pub fn issue_on<L: KeyedLayout<Schema = S>>(
            &self,
            prepared: Prepared<S>,
            credentials: &SqlCredentialStore<L>,
            on: Standing<'_>,
        ) -> Result<Receipt<Issued<S>>, StoreError> {
            let script = self.store().schema().insert(prepared.record())?;
            let script = script.then(standing(credentials.layout(), prepared.record(), on)?);
            self.run_reading(script, None::<Reading<()>>)?;
            Ok(prepared.stored())
        }

        /// Replaces a key, as [`issue_on`](Self::issue_on).
        ///
        /// # Errors
        /// As [`rotate`](Self::rotate) and [`issue_on`](Self::issue_on).
        pub fn rotate_on<L: KeyedLayout<Schema = S>>(
            &self,
            prepared: PreparedRotation<S>,
            credentials: &SqlCredentialStore<L>,
            on: Standing<'_>,
        ) -> Result<Receipt<Rotated<S>>, StoreError> {
            let side_tables = self.store().has_side_tables();
            let rotation = prepared.rotation();
            let script = self.store().schema().rotate(rotation, side_tables);
            let script = script.then(standing(credentials.layout(), &rotation.successor, on)?);
            let query = KeyTables::get(self.store().schema(), side_tables);
            let id = rotation.successor.head.id.as_str().to_owned().into();
            let reading = Reading::new(query, [id], self.store().decoder());
            let (_, found) = self.run_reading(script, Some(reading))?;
            Ok(prepared.stored(SqlKeyStore::<S>::read_successor(found)?))
        }

        /// Revokes a key, and wipes the credential that it stood on; the second value says whether there was one. `None`
        /// when there is no such key.
        ///
        /// # Errors
        /// As [`revoke`](Self::revoke) and
        /// [`KeyedCredentialStore::revoke_and_wipe`](crate::store::credentials::KeyedCredentialStore::revoke_and_wipe).
        pub fn revoke_and_wipe<L: KeyedLayout<Schema = S>>(
            &self,
            request: &RevokeRequest,
            credentials: &SqlCredentialStore<L>,
        ) -> Result<Option<(Receipt<Revoked>, bool)>, StoreError> {
            self.store().accept_reason(request.reason.as_ref())?;
            let both = RevokeAndWipe::new(self.store(), credentials.layout(), request);
            let steps = both.steps();
            let reading = Reading::new(both.query, both.named, revocation::found::<S>);
            let (counts, found) = self.run_reading(both.script, Some(reading))?;
            let outcome = RevokeAndWipe::outcome::<L>(steps, request, &counts, found)?;
            Ok(outcome.map(|(revoked, wiped)| (revoked.stored(), wiped)))
        }
    }
}
