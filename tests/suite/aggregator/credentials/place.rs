//! The host's table in each of the forms in which it keeps credentials.

use keyward::credential::ClientId;
use keyward::schemas::aggregator::AggregatorCredentials;
use keyward::sql::SqlCredentialStore;

use crate::credentials::exchange::CLIENT;
use crate::support::schemas::TestSchema as _;
use crate::support::schemas::aggregator::{BESIDE_THE_TABLE, WITH_ENCRYPTED_TOKENS, WITH_PLAINTEXT_TOKENS};
use crate::support::{Database, START};

/// In which columns credentials are kept, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite encrypts nothing by itself"))]
pub(crate) enum Form {
    Text,
    TextTakingOver,
    Bytes,
    BytesTakingOver,
    BesideUpstream,
}

impl Form {
    pub(crate) fn layout(self) -> AggregatorCredentials {
        let client = ClientId::new(CLIENT).unwrap();
        match self {
            Self::Text => AggregatorCredentials::in_text(client),
            Self::TextTakingOver => AggregatorCredentials::in_text(client).taking_over(),
            Self::Bytes => AggregatorCredentials::in_bytes(client),
            Self::BytesTakingOver => AggregatorCredentials::in_bytes(client).taking_over(),
            Self::BesideUpstream => AggregatorCredentials::beside_upstream(client),
        }
    }

    /// The host's tables. Those of its service are there too where it is PostgreSQL.
    pub(crate) fn tables(self, postgres: bool) -> String {
        let table = match self {
            Self::Text | Self::TextTakingOver => WITH_PLAINTEXT_TOKENS,
            Self::Bytes | Self::BytesTakingOver | Self::BesideUpstream => WITH_ENCRYPTED_TOKENS,
        };
        if postgres { format!("{} {BESIDE_THE_TABLE}", table.postgres) } else { table.sqlite.to_owned() }
    }
}

/// A database with the host's tables, and a store of credentials on them.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) database: Database,
    pub(crate) form: Form,
    pub(crate) store: SqlCredentialStore<AggregatorCredentials>,
}

impl Place {
    pub(crate) async fn on(database: Database, form: Form) -> Self {
        database.run(&form.tables(database.is_postgres())).await;
        Self::made(database, form).await
    }

    /// Over the host's tables as they are.
    pub(crate) async fn made(database: Database, form: Form) -> Self {
        let store = SqlCredentialStore::open(database.engine().await, form.layout()).await.unwrap();
        store.migrate(START).await.unwrap();
        assert_eq!(store.check().await.unwrap(), []);
        Self { database, form, store }
    }

    /// A store as another process has it.
    pub(crate) async fn another(&self) -> SqlCredentialStore<AggregatorCredentials> {
        self.another_in(self.form).await
    }

    pub(crate) async fn another_in(&self, form: Form) -> SqlCredentialStore<AggregatorCredentials> {
        SqlCredentialStore::open(self.database.engine().await, form.layout()).await.unwrap()
    }

    pub(crate) async fn add(&self, did: &str) {
        self.database.run(&keyward::schemas::aggregator::Aggregator::owner(did, self.database.is_postgres())).await;
    }

    /// A column of an aggregator's row, as text.
    pub(crate) async fn column(&self, did: &str, column: &str) -> Option<String> {
        self.database.text(&format!("SELECT CAST({column} AS TEXT) FROM aggregators WHERE did = '{did}'")).await
    }

    /// A column of what keyward keeps beside it, as text; `None` without a row, too.
    pub(crate) async fn state(&self, did: &str, column: &str) -> Option<String> {
        let table = self.database.own_table("credential_states");
        self.database.text(&format!("SELECT max(CAST({column} AS TEXT)) FROM {table} WHERE owner = '{did}'")).await
    }
}

/// Runs each of these `async fn(Place)` over both engines, in every form in which a store is used from day to day.
macro_rules! over_every_form {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            $crate::aggregator::credentials::place::over_every_form!(@on $test:
                text_on_sqlite if "sqlite": Database::sqlite(), Text;
                bytes_on_sqlite if "sqlite": Database::sqlite(), Bytes;
                text_on_postgres if "postgres": Database::postgres().await, Text;
                bytes_on_postgres if "postgres": Database::postgres().await, Bytes;
                beside_upstream if "postgres": Database::postgres().await, BesideUpstream;
            );
        }
    )+};
    (@on $test:ident: $($name:ident if $feature:literal: $database:expr, $form:ident;)+) => {$(
        #[cfg(feature = $feature)]
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            use $crate::aggregator::credentials::place::{Form, Place};
            use $crate::support::Database;

            super::$test(Place::on($database, Form::$form).await).await;
        }
    )+};
}
pub(crate) use over_every_form;
