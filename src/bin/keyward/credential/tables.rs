//! Where credentials are: the layouts, `migrate`, `check`, and the one place that opens the tables.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use keyward::credential::ClientId;
use keyward::schemas::aggregator::AggregatorCredentials;
use keyward::sql::{CredentialLayout, OwnCredentials, SqlCredentialStore};
use keyward::store::credentials::CredentialStore;
use keyward::store::{StoreError, Unfit};
use keyward::{Engine, Timestamp};
use serde_json::json;

use crate::arguments::DatabaseArguments;
use crate::commands::report;
use crate::database::{connect, require_postgres, within};
use crate::failure::Failure;
use crate::output::Document;

/// In which tables credentials are.
#[derive(Args, Clone, Copy)]
pub(crate) struct LayoutArguments {
    /// In which columns of the table `aggregators` credentials are, and who encrypts them
    ///
    /// Unless set, `credential` and `grants` take a table of keyward's own, and `issue` and `revoke` take in-bytes.
    #[arg(long, global = true, value_name = "LAYOUT")]
    layout: Option<Layout>,
    /// Take over what the host's service has stored there, in clear or encrypted by the database, until nothing is left to reseal
    #[arg(long, global = true)]
    taking_over: bool,
}

/// Which constructor of `AggregatorCredentials` makes the layout.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// The columns of text, with everything sealed
    InText,
    /// The columns of bytes, with everything sealed
    InBytes,
    /// The columns of bytes, encrypted by pgcrypto beside a service that goes on running; PostgreSQL alone
    BesideUpstream,
}

impl LayoutArguments {
    pub(crate) const fn is_given(self) -> bool {
        self.layout.is_some() || self.taking_over
    }

    /// Whether everything is sealed before it reaches the database.
    pub(super) fn is_sealed(self) -> bool {
        self.layout != Some(Layout::BesideUpstream)
    }

    /// As it was typed, with a space before each word.
    pub(crate) fn typed(self) -> String {
        let layout = self.layout.and_then(|layout| layout.to_possible_value());
        let layout = layout.map(|layout| format!(" --layout {}", layout.get_name()));
        layout.unwrap_or_default() + if self.taking_over { " --taking-over" } else { "" }
    }

    /// The layout that was named, for credentials of `client` where they name none.
    fn named(self, client: Option<ClientId>) -> Result<Chosen, Failure> {
        let Self { layout, taking_over } = self;
        let layout = match (layout, taking_over) {
            (None, false) => return Ok(Chosen::Own(OwnCredentials::new())),
            (None, true) => return Err(Failure::usage("--taking-over needs --layout in-text or in-bytes")),
            (Some(Layout::BesideUpstream), true) => {
                return Err(Failure::usage("--taking-over is not for --layout beside-upstream"));
            }
            (Some(layout), _) => layout.of(client)?,
        };
        Ok(Chosen::Aggregators(if taking_over { layout.taking_over() } else { layout }))
    }

    /// Refuses what the database that was named cannot have.
    pub(super) fn require_fit(self, database: &DatabaseArguments) -> Result<(), Failure> {
        match (self.layout, self.taking_over) {
            (Some(Layout::BesideUpstream), _) | (Some(Layout::InBytes), true) => {
                require_postgres(database, self.typed().trim_start())
            }
            _ => Ok(()),
        }
    }

    /// As [`named`](Self::named), if the database that was named can have it.
    fn chosen(self, database: &DatabaseArguments, client: Option<ClientId>) -> Result<Chosen, Failure> {
        self.require_fit(database)?;
        self.named(client)
    }

    /// The layout on the table of the keys, and how it is typed. Where none was named, it has to be plain which one is meant.
    pub(super) async fn beside_keys(
        self,
        engine: &Engine,
        client: Option<ClientId>,
    ) -> Result<(AggregatorCredentials, Self), Failure> {
        if let Chosen::Aggregators(layout) = self.named(client.clone())? {
            return Ok((layout, self));
        }
        // Where the database encrypts, a service may be running that reads nothing else.
        match SqlCredentialStore::open(engine, Layout::BesideUpstream.of(None)?).await {
            Err(StoreError::Unfit(Unfit::CannotEncrypt { .. })) => {
                let assumed = Self { layout: Some(Layout::InBytes), ..self };
                Ok((Layout::InBytes.of(client)?, assumed))
            }
            Ok(_) => Err(Failure::usage(
                "--layout is required: this database encrypts credentials for the host's service; beside-upstream goes on with that",
            )),
            Err(error) => Err(error.into()),
        }
    }
}

impl Layout {
    fn of(self, client: Option<ClientId>) -> Result<AggregatorCredentials, Failure> {
        // Without a client no credential is read, and the tables are the same for all of them.
        let client = client.map_or_else(|| ClientId::new("none"), Ok);
        let client = client.map_err(|error| Failure::usage(error.to_string()))?;
        Ok(match self {
            Self::InText => AggregatorCredentials::in_text(client),
            Self::InBytes => AggregatorCredentials::in_bytes(client),
            Self::BesideUpstream => AggregatorCredentials::beside_upstream(client),
        })
    }
}

/// The layout that is meant.
enum Chosen {
    Own(OwnCredentials),
    Aggregators(AggregatorCredentials),
}

/// The store over the tables that are meant; credentials that name no client are those of `client`.
pub(super) async fn open(
    database: &DatabaseArguments,
    layout: LayoutArguments,
    client: Option<ClientId>,
) -> Result<Arc<dyn CredentialStore>, Failure> {
    Ok(match layout.chosen(database, client)? {
        Chosen::Own(layout) => Arc::new(opened(database, layout, false).await?),
        Chosen::Aggregators(layout) => Arc::new(opened(database, layout, false).await?),
    })
}

async fn opened<L: CredentialLayout>(
    database: &DatabaseArguments,
    layout: L,
    create: bool,
) -> Result<SqlCredentialStore<L>, Failure> {
    let engine = connect(database, create).await?;
    within(database.timeout, SqlCredentialStore::open(engine, layout)).await
}

pub(super) async fn migrate(
    database: &DatabaseArguments,
    layout: LayoutArguments,
    now: Timestamp,
) -> Result<Document, Failure> {
    match layout.chosen(database, None)? {
        Chosen::Own(layout) => migrated(opened(database, layout, true).await?, now).await,
        // The table is the host's, and so is the file.
        Chosen::Aggregators(layout) => migrated(opened(database, layout, false).await?, now).await,
    }
}

async fn migrated<L: CredentialLayout>(store: SqlCredentialStore<L>, now: Timestamp) -> Result<Document, Failure> {
    let applied = store.migrate(now).await?;
    let lines = applied.iter().map(|migration| format!("applied {migration}")).collect();
    let mut document = report(&store.check().await?, lines);
    document.json["applied"] = json!(applied.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(document)
}

pub(super) async fn check(database: &DatabaseArguments, layout: LayoutArguments) -> Result<Document, Failure> {
    let differences = match layout.chosen(database, None)? {
        Chosen::Own(layout) => opened(database, layout, false).await?.check().await?,
        Chosen::Aggregators(layout) => opened(database, layout, false).await?.check().await?,
    };
    Ok(report(&differences, Vec::new()))
}

/// The statements that give a role its rights to credentials.
#[cfg(feature = "postgres")]
pub(crate) fn grants(
    layout: LayoutArguments,
    role: keyward::sql::DatabaseRole,
    to: &str,
    own_schema: &str,
) -> Result<String, Failure> {
    let script = match layout.named(None)? {
        Chosen::Own(layout) => layout.grants(role, to, own_schema),
        Chosen::Aggregators(layout) => layout.grants(role, to, own_schema),
    };
    script.map_err(|error| Failure::usage(format!("--postgres-schema: {error}")))
}
