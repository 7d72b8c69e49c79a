//! Rows of the schema `scraper`.

use keyward::schemas::scraper::{Scraper, ScraperKey};

use super::{Cell, Table, check_scopes};

fn draft() -> ScraperKey {
    let key = ScraperKey::named("client", "import").and_then(|key| key.scope("jobs:read")?.metadata("{}"));
    key.expect("a key")
}

thread_local! {
    static KEYS: Table<Scraper> = Table::new(Scraper::new, draft(), "", "api_keys", "client_id = 'client'");
}

/// Anything in any column.
pub(crate) fn row(data: &[u8]) {
    KEYS.with(|table| {
        let row = table.edit(data);
        let Some(accepted) = table.verify() else { return };
        let (head, details) = (accepted.head(), accepted.details());
        let digest = table.issued.record.head.digest.expect("a digest").to_hex();
        assert_eq!(row.text("key_hash"), Some(digest.as_str()));
        assert_eq!(row.cell("is_active"), &Cell::Integer(1));
        assert_eq!(row.text("id"), Some(head.id.as_str()));
        assert_eq!(row.text("client_id"), Some(head.owner.as_str()));
        row.check_expiry("expires_at", &table.connection, head.expires_at);
        row.check_limit("rate_limit_rpm", details.rate_limit);
        assert!(row.is_null("scopes") || row.names("scopes").is_some());
        check_scopes(&row.names("scopes").unwrap_or_default(), &details.scopes);
    });
}
