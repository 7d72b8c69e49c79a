//! Keys and the credentials that they stand on, inside the host's own transaction.

#[cfg(feature = "postgres")]
mod postgres {
    use crate::key::{Issued, Prepared, PreparedRotation, Receipt, Revoked, Rotated};
    use crate::sql::credentials::keyed::{and_wiped, standing};
    use crate::sql::credentials::{KeyedLayout, SqlCredentialStore};
    use crate::sql::keys::{PostgresWithin, SqlSchema};
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
            self.run(script).await?;
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
            let standing = standing(credentials.layout(), &prepared.rotation().successor, on)?;
            let operation = self.store().rotation(prepared.rotation()).then(standing);
            Ok(prepared.stored(self.carry_out(operation).await?))
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
            let wipe = credentials.layout().wipe_after_revocation(request);
            let operation = self.store().revocation(request)?.and(wipe);
            self.require_read_committed().await?;
            let done = self.carry_out(operation).await?;
            Ok(and_wiped(done).map(|(revoked, wiped)| (revoked.stored(), wiped)))
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use crate::key::{Issued, Prepared, PreparedRotation, Receipt, Revoked, Rotated};
    use crate::sql::credentials::keyed::{and_wiped, standing};
    use crate::sql::credentials::{KeyedLayout, SqlCredentialStore};
    use crate::sql::keys::{SqlSchema, SqliteWithin};
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
            self.run(script)?;
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
            let standing = standing(credentials.layout(), &prepared.rotation().successor, on)?;
            let operation = self.store().rotation(prepared.rotation()).then(standing);
            Ok(prepared.stored(self.carry_out(operation)?))
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
            let wipe = credentials.layout().wipe_after_revocation(request);
            let operation = self.store().revocation(request)?.and(wipe);
            let done = self.carry_out(operation)?;
            Ok(and_wiped(done).map(|(revoked, wiped)| (revoked.stored(), wiped)))
        }
    }
}
