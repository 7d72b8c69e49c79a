//! Changes inside the host's own transaction: [`SqlKeyStore::within`].

use crate::sql::keys::{SqlKeyStore, SqlSchema};

/// A transaction of the host, in which keyward can take part: `&mut sqlx::Transaction` or `&mut PgConnection` with one
/// open, and `&rusqlite::Transaction`. It is sealed.
#[expect(private_bounds, reason = "this is what seals the trait")]
pub trait HostTransaction: Sealed {
    /// What changes keys inside it.
    type Within<S: SqlSchema>;

    #[doc(hidden)]
    fn join<S: SqlSchema>(self, store: &SqlKeyStore<S>) -> Self::Within<S>;
}

/// Nothing outside of this crate can name it.
pub(crate) trait Sealed {}

impl<S: SqlSchema> SqlKeyStore<S> {
    /// Changes keys inside the host's own `transaction`, so that signing up a customer and issuing its first key, or
    /// deleting it and revoking its keys, is one commit.
    ///
    /// Each call returns a [`Receipt`](crate::key::Receipt), which [`Keys::committed`](crate::Keys::committed) takes
    /// after the commit. When a call fails, the transaction is as it was before it, and the host may go on; only what
    /// keyward has noted of a revocation that the database [suppressed](crate::store::StoreError::Suppressed) stays in it. When the
    /// future of a call is dropped before it ends, as by a timeout around it, roll the transaction back: nothing is known
    /// of its state any more.
    ///
    /// The transaction has to be on the store's own database. On SQLite another file is refused; on PostgreSQL nothing
    /// tells two databases apart.
    #[must_use]
    pub fn within<T: HostTransaction>(&self, transaction: T) -> T::Within<S> {
        transaction.join(self)
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::postgres::PgConnection;

    use super::{HostTransaction, Sealed};
    use crate::key::{Changed, Issued, KeyChange, Prepared, PreparedRotation, Receipt, Revoked, RevokedAll, Rotated};
    use crate::sql::engine::{Engine, Postgres, Reading, Script};
    use crate::sql::keys::operation::Operation;
    use crate::sql::keys::store::{interpret, interpret_script};
    use crate::sql::keys::{SqlKeyStore, SqlSchema};
    use crate::store::{RevokeAllRequest, RevokeRequest, StoreError};

    /// Changes keys inside the host's own PostgreSQL transaction, from [`SqlKeyStore::within`].
    #[derive(Debug)]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "postgres")))]
    pub struct PostgresWithin<'t, S: SqlSchema> {
        store: SqlKeyStore<S>,
        connection: &'t mut PgConnection,
    }

    impl Sealed for &mut PgConnection {}

    impl<'t> HostTransaction for &'t mut PgConnection {
        type Within<S: SqlSchema> = PostgresWithin<'t, S>;

        fn join<S: SqlSchema>(self, store: &SqlKeyStore<S>) -> PostgresWithin<'t, S> {
            PostgresWithin { store: store.clone(), connection: self }
        }
    }

    impl Sealed for &mut sqlx::Transaction<'_, sqlx::Postgres> {}

    impl<'t> HostTransaction for &'t mut sqlx::Transaction<'_, sqlx::Postgres> {
        type Within<S: SqlSchema> = PostgresWithin<'t, S>;

        fn join<S: SqlSchema>(self, store: &SqlKeyStore<S>) -> PostgresWithin<'t, S> {
            PostgresWithin { store: store.clone(), connection: self }
        }
    }

    impl<S: SqlSchema> PostgresWithin<'_, S> {
        /// Issues a prepared key: it exists once the host commits.
        ///
        /// # Errors
        /// As [`KeyStore::insert`](crate::store::KeyStore::insert), and [`StoreError::Unsupported`] outside of a
        /// transaction or when the store is not in PostgreSQL.
        pub async fn issue(&mut self, prepared: Prepared<S>) -> Result<Receipt<Issued<S>>, StoreError> {
            let script = self.store.shared.schema.insert(prepared.record())?;
            self.run(script).await?;
            Ok(prepared.stored())
        }

        /// Rotates a key.
        ///
        /// # Errors
        /// As [`KeyStore::rotate`](crate::store::KeyStore::rotate), and as [`issue`](Self::issue).
        pub async fn rotate(&mut self, prepared: PreparedRotation<S>) -> Result<Receipt<Rotated<S>>, StoreError> {
            let operation = self.store.rotation(prepared.rotation());
            Ok(prepared.stored(self.carry_out(operation).await?))
        }

        /// Changes a key.
        ///
        /// # Errors
        /// As [`KeyStore::change`](crate::store::KeyStore::change), and as [`issue`](Self::issue).
        pub async fn change(&mut self, change: KeyChange<S>) -> Result<Receipt<Changed<S>>, StoreError> {
            let script = self.store.shared.schema.change(&change)?;
            self.run(script).await?;
            Ok(change.stored())
        }

        /// Revokes a key. `None` when there is no such key.
        ///
        /// # Errors
        /// As [`KeyStore::revoke`](crate::store::KeyStore::revoke), and [`StoreError::Unsupported`] outside of a
        /// transaction with the isolation level `READ COMMITTED`, the server's default: in another one, a key that was
        /// issued since the transaction began would be missed.
        pub async fn revoke(&mut self, request: &RevokeRequest) -> Result<Option<Receipt<Revoked>>, StoreError> {
            let operation = self.store.revocation(request)?;
            self.require_read_committed().await?;
            Ok(self.carry_out(operation).await?.map(Revoked::stored))
        }

        /// Revokes all keys of an owner.
        ///
        /// # Errors
        /// As [`KeyStore::revoke_all`](crate::store::KeyStore::revoke_all), and as [`revoke`](Self::revoke). A row at
        /// which the database raises an error, as a trigger can, fails the call here, and nothing is revoked.
        pub async fn revoke_all(&mut self, request: &RevokeAllRequest) -> Result<Receipt<RevokedAll>, StoreError> {
            let operation = self.store.revocation_of_all(request)?;
            self.require_read_committed().await?;
            Ok(self.carry_out(operation).await?.stored())
        }

        /// What the host's transaction is joined by.
        #[cfg(feature = "credentials")]
        pub(crate) const fn store(&self) -> &SqlKeyStore<S> {
            &self.store
        }

        pub(crate) async fn carry_out<T: Send + 'static, O: 'static>(
            &mut self,
            operation: Operation<T, O>,
        ) -> Result<O, StoreError> {
            let Operation { script, reading, conclude } = operation;
            let engine = self.engine()?;
            let done = engine.run_within(self.connection, script, Some(reading)).await;
            conclude(done).map_err(interpret_script::<S>)
        }

        pub(crate) async fn run(&mut self, script: Script<StoreError>) -> Result<(), StoreError> {
            let engine = self.engine()?;
            let done = engine.run_within(self.connection, script, None::<Reading<()>>).await;
            done.map(|_| ()).map_err(interpret_script::<S>)
        }

        pub(crate) async fn require_read_committed(&mut self) -> Result<(), StoreError> {
            Postgres::require_read_committed(self.connection).await.map_err(interpret::<S>)
        }

        #[cfg_attr(not(feature = "sqlite"), expect(clippy::unnecessary_wraps, reason = "there are two engines"))]
        fn engine(&self) -> Result<Postgres, StoreError> {
            match &self.store.shared.engine {
                Engine::Postgres(postgres) => Ok(postgres.clone()),
                #[cfg(feature = "sqlite")]
                Engine::Sqlite(_) => {
                    Err(StoreError::Unsupported("the transaction is PostgreSQL's and the store is not"))
                }
            }
        }
    }
}
#[cfg(feature = "postgres")]
pub use postgres::PostgresWithin;

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::{HostTransaction, Sealed};
    use crate::key::{Changed, Issued, KeyChange, Prepared, PreparedRotation, Receipt, Revoked, RevokedAll, Rotated};
    use crate::sql::engine::{Engine, Reading, Script, Sqlite};
    use crate::sql::keys::operation::Operation;
    use crate::sql::keys::store::interpret_script;
    use crate::sql::keys::{SqlKeyStore, SqlSchema};
    use crate::store::{RevokeAllRequest, RevokeRequest, StoreError};

    /// Changes keys inside the host's own SQLite transaction on the same file, from [`SqlKeyStore::within`].
    #[derive(Debug)]
    #[cfg_attr(docsrs_keyward, doc(cfg(feature = "sqlite")))]
    pub struct SqliteWithin<'t, S: SqlSchema> {
        store: SqlKeyStore<S>,
        transaction: &'t rusqlite::Transaction<'t>,
    }

    impl Sealed for &rusqlite::Transaction<'_> {}

    impl<'t> HostTransaction for &'t rusqlite::Transaction<'_> {
        type Within<S: SqlSchema> = SqliteWithin<'t, S>;

        fn join<S: SqlSchema>(self, store: &SqlKeyStore<S>) -> SqliteWithin<'t, S> {
            SqliteWithin { store: store.clone(), transaction: self }
        }
    }

    impl<S: SqlSchema> SqliteWithin<'_, S> {
        /// Issues a prepared key: it exists once the host commits.
        ///
        /// # Errors
        /// As [`KeyStore::insert`](crate::store::KeyStore::insert), and [`StoreError::Unsupported`] when the store is
        /// in another file or not in SQLite.
        pub fn issue(&self, prepared: Prepared<S>) -> Result<Receipt<Issued<S>>, StoreError> {
            self.run(self.store.shared.schema.insert(prepared.record())?)?;
            Ok(prepared.stored())
        }

        /// Rotates a key.
        ///
        /// # Errors
        /// As [`KeyStore::rotate`](crate::store::KeyStore::rotate), and as [`issue`](Self::issue).
        pub fn rotate(&self, prepared: PreparedRotation<S>) -> Result<Receipt<Rotated<S>>, StoreError> {
            let operation = self.store.rotation(prepared.rotation());
            Ok(prepared.stored(self.carry_out(operation)?))
        }

        /// Changes a key.
        ///
        /// # Errors
        /// As [`KeyStore::change`](crate::store::KeyStore::change), and as [`issue`](Self::issue).
        pub fn change(&self, change: KeyChange<S>) -> Result<Receipt<Changed<S>>, StoreError> {
            self.run(self.store.shared.schema.change(&change)?)?;
            Ok(change.stored())
        }

        /// Revokes a key. `None` when there is no such key.
        ///
        /// # Errors
        /// As [`KeyStore::revoke`](crate::store::KeyStore::revoke), and as [`issue`](Self::issue).
        pub fn revoke(&self, request: &RevokeRequest) -> Result<Option<Receipt<Revoked>>, StoreError> {
            let operation = self.store.revocation(request)?;
            Ok(self.carry_out(operation)?.map(Revoked::stored))
        }

        /// Revokes all keys of an owner.
        ///
        /// # Errors
        /// As [`KeyStore::revoke_all`](crate::store::KeyStore::revoke_all), and as [`issue`](Self::issue).
        pub fn revoke_all(&self, request: &RevokeAllRequest) -> Result<Receipt<RevokedAll>, StoreError> {
            let operation = self.store.revocation_of_all(request)?;
            Ok(self.carry_out(operation)?.stored())
        }

        /// What the host's transaction is joined by.
        #[cfg(feature = "credentials")]
        pub(crate) const fn store(&self) -> &SqlKeyStore<S> {
            &self.store
        }

        pub(crate) fn carry_out<T: Send + 'static, O: 'static>(
            &self,
            operation: Operation<T, O>,
        ) -> Result<O, StoreError> {
            let Operation { script, reading, conclude } = operation;
            conclude(self.engine()?.run_within(self.transaction, script, Some(reading))).map_err(interpret_script::<S>)
        }

        pub(crate) fn run(&self, script: Script<StoreError>) -> Result<(), StoreError> {
            let done = self.engine()?.run_within(self.transaction, script, None::<Reading<()>>);
            done.map(|_| ()).map_err(interpret_script::<S>)
        }

        #[cfg_attr(not(feature = "postgres"), expect(clippy::unnecessary_wraps, reason = "there are two engines"))]
        fn engine(&self) -> Result<&Sqlite, StoreError> {
            match &self.store.shared.engine {
                Engine::Sqlite(sqlite) => Ok(sqlite),
                #[cfg(feature = "postgres")]
                Engine::Postgres(_) => Err(StoreError::Unsupported("the transaction is SQLite's and the store is not")),
            }
        }
    }
}
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteWithin;
