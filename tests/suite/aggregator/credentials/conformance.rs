//! The public conformance suite over the host's columns, in each of their forms.

use std::sync::Arc;

use async_trait::async_trait;
use keyward::key::OwnerId;
use keyward::store::credentials::CredentialStore;
use keyward::store::credentials::conformance::Subject;
use tokio::runtime::Handle;

use super::place::{Form, Place};
use crate::support::Database;

struct Subjected {
    place: Place,
    runtime: Handle,
}

impl Subjected {
    async fn on(database: Database, form: Form) -> Self {
        Self { place: Place::on(database, form).await, runtime: Handle::current() }
    }
}

#[async_trait]
impl Subject for Subjected {
    fn store(&self) -> &dyn CredentialStore {
        &self.place.store
    }

    async fn add_owner(&self, owner: &OwnerId) {
        self.place.add(owner.as_str()).await;
    }

    async fn reopen(&self) -> Option<Arc<dyn CredentialStore>> {
        Some(Arc::new(self.place.another().await))
    }

    fn enter(&self, work: &mut dyn FnMut()) {
        let _entered = self.runtime.enter();
        work();
    }
}

macro_rules! suites {
    ($($name:ident if $feature:literal: $database:expr, $form:ident;)+) => {$(
        #[cfg(feature = $feature)]
        mod $name {
            use super::{Database, Form, Subjected};

            keyward::credential_conformance_suite!(Subjected::on($database, Form::$form).await);
        }
    )+};
}

suites! {
    text_on_sqlite if "sqlite": Database::sqlite(), Text;
    text_being_taken_over_on_sqlite if "sqlite": Database::sqlite(), TextTakingOver;
    bytes_on_sqlite if "sqlite": Database::sqlite(), Bytes;
    text_on_postgres if "postgres": Database::postgres().await, Text;
    text_being_taken_over_on_postgres if "postgres": Database::postgres().await, TextTakingOver;
    bytes_on_postgres if "postgres": Database::postgres().await, Bytes;
    bytes_being_taken_over_on_postgres if "postgres": Database::postgres().await, BytesTakingOver;
    beside_upstream_on_postgres if "postgres": Database::postgres().await, BesideUpstream;
}
