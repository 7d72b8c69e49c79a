//! What a key does not depend on, however odd, refuses no key, and what stands beside a permission takes none away.

use keyward::key::RefusalReason;
use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::{Access, Capability, Mesh, Topics};
use keyward::schemas::scraper::{Scraper, ScraperKey};
use keyward::store::StoreError;
use keyward::{KeysError, Timestamp};

use super::{HOUR, OWNER, get, set};
use crate::support::{Fixture, START, over};

over![every_database of Scraper:
    metadata_beyond_our_numbers_and_depths_refuses_no_key_and_is_shown_as_it_is,
    metadata_that_cannot_be_kept_is_refused_at_issue,
];
over![every_database of Mesh:
    an_unknown_capability_grants_nothing_and_spoils_nothing,
    what_is_no_topic_matches_nothing_and_spoils_nothing,
];
over![every_database of Aggregator: a_last_use_from_before_the_keys_creation_is_its_predecessors];

async fn metadata_beyond_our_numbers_and_depths_refuses_no_key_and_is_shown_as_it_is(fixture: Fixture<Scraper>) {
    let issued = fixture.issue(OWNER).await;
    let id = &issued.record.head.id;
    let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    // SQLite's own checks know no deeper document than 1,000 levels.
    for text in ["12345678901234567890123".to_owned(), "1e400".to_owned(), "-1e-400".to_owned(), deep(200), deep(900)] {
        set(&fixture, id, &format!("metadata = '{{\"odd\": {text}}}'")).await;
        let seen = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(seen.head().defect, None);
        let metadata = get(&fixture, id).await.details.metadata.unwrap();
        let as_jsonb_writes_it = match text.as_str() {
            "1e400" if fixture.database().is_postgres() => format!("1{}", "0".repeat(400)),
            "-1e-400" if fixture.database().is_postgres() => format!("-0.{}1", "0".repeat(399)),
            text => text.to_owned(),
        };
        assert_eq!(metadata.as_str(), format!("{{\"odd\": {as_jsonb_writes_it}}}"));
        let rotated = fixture.keys.rotate(id, HOUR, None).await;
        if let Ok(rotated) = rotated {
            assert_eq!(rotated.successor.record.details.metadata, Some(metadata));
        }
    }
}

async fn metadata_that_cannot_be_kept_is_refused_at_issue(fixture: Fixture<Scraper>) {
    let draft = || ScraperKey::named(OWNER, "import").unwrap();
    for text in ["{".to_owned(), "1e400".to_owned(), format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))] {
        let refused = fixture.keys.issue(draft().metadata(text).unwrap()).await;
        assert!(matches!(refused, Err(KeysError::Store(StoreError::Unsupported(_)))), "{refused:?}");
    }
    let exact = draft().metadata("{\"big\": 12345678901234567890123}").unwrap();
    let issued = fixture.keys.issue(exact).await.unwrap();
    assert_eq!(get(&fixture, &issued.record.head.id).await, issued.record);
}

async fn an_unknown_capability_grants_nothing_and_spoils_nothing(fixture: Fixture<Mesh>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    for (stored, held) in [
        ("[\"send\", \"raed\"]", vec![Capability::Send]),
        ("[\"teleport\", \"read\", \"send\"]", vec![Capability::Send, Capability::Read]),
        ("[\"read\", null]", vec![Capability::Read]),
        ("[null, 7, true, 1e400, {\"name\": \"admin\"}, [\"admin\"], \"read\"]", vec![Capability::Read]),
        ("[\"Admin\", \" admin\", \"admin \", \"xadminx\", \"\"]", vec![]),
        ("[[\"admin\"]]", vec![]),
        ("[null]", vec![]),
        ("[]", vec![]),
    ] {
        set(&fixture, &issued.record.head.id, &format!("capabilities = '{stored}'")).await;
        let seen = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(seen.details().capabilities.iter().collect::<Vec<_>>(), held, "{stored}");
        let may = |capability| seen.permits(Access::without_topic(capability)).is_ok();
        let permitted: Vec<_> = Capability::ALL.into_iter().filter(|capability| may(*capability)).collect();
        assert_eq!(permitted, held, "{stored}");
    }
    set(&fixture, &issued.record.head.id, "capabilities = '{\"admin\": true}'").await;
    let refusal = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap_err();
    assert!(matches!(refusal.reason(), RefusalReason::Unusable(_)));
}

async fn what_is_no_topic_matches_nothing_and_spoils_nothing(fixture: Fixture<Mesh>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let texts = |topics: &Topics| match topics {
        Topics::All => panic!("every topic"),
        Topics::Only(names) => names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>(),
    };
    for (stored, held) in [
        ("[\"deploys\", null]", vec!["deploys"]),
        ("[7, \"deploys\", {\"deploys\": true}, [\"general\"], 1e400, true]", vec!["deploys"]),
        ("[null]", vec![]),
        ("[1]", vec![]),
    ] {
        set(&fixture, &issued.record.head.id, &format!("topic_scopes = '{stored}'")).await;
        let seen = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!(texts(&seen.details().topics), held, "{stored}");
        for topic in ["general", "null", "7", "1", "", "true"] {
            assert!(seen.permits(Access::to_topic(Capability::Send, topic)).is_err(), "{stored}: {topic}");
        }
        assert!(seen.permits(Access::to_all_topics(Capability::Send)).is_err(), "{stored}");
    }
}

/// The service itself replaces a key and leaves the last use of the one before in the row.
async fn a_last_use_from_before_the_keys_creation_is_its_predecessors(fixture: Fixture<Aggregator>) {
    fixture.add_owner(OWNER).await;
    let issued = fixture.issue(OWNER).await;
    let second = 1_000_000;
    for (used, shown) in [(-second, None), (-1, None), (0, Some(0)), (second, Some(second))] {
        let at = |micros: i64| Timestamp::from_micros(START.as_micros() + micros);
        let text = at(used).to_string().replace('T', " ").replace('Z', "");
        let zone = fixture.database().dialect("+00", "");
        fixture.database().run(&format!("UPDATE aggregators SET api_key_last_used_at = '{text}{zone}'")).await;
        let head = get(&fixture, &issued.record.head.id).await.head;
        assert_eq!(head.last_used_at, shown.map(at), "{used} µs after its creation");
        assert_eq!(head.defect, None);
    }
    fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
}

/// What only SQLite's columns can hold, where no CHECK forbids it.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_is_no_text_reads_as_absent_and_refuses_no_key() {
    let fixture = Fixture::<Scraper>::sqlite().await;
    fixture
        .database()
        .run(
            "DROP TABLE api_keys;
             CREATE TABLE api_keys (id TEXT PRIMARY KEY, key_hash, key_prefix, name, client_id, scopes, rate_limit_rpm,
                                    is_active, created_at, last_used_at, expires_at, metadata)",
        )
        .await;
    let issued = fixture.issue(OWNER).await;
    let mut id = issued.record.head.id.clone();
    for value in ["x'7b7d'", "7", "1.5", "CAST(x'ff' AS TEXT)"] {
        set(&fixture, &id, &format!("metadata = {value}")).await;
        let seen = fixture.keys.verify(issued.secret.expose_secret()).await.unwrap();
        assert_eq!((seen.head().defect, &seen.details().metadata), (None, &None), "{value}");
    }
    let deep = format!("'{}'", "[".repeat(1_000_000));
    set(&fixture, &id, &format!("metadata = {deep}")).await;
    assert_eq!(get(&fixture, &id).await.details.metadata.unwrap().as_str().len(), 1_000_000);

    // A rotation copies a value of whatever type.
    set(&fixture, &id, "metadata = x'00ff'").await;
    id = fixture.keys.rotate(&id, HOUR, None).await.unwrap().successor.record.head.id;
    assert_eq!(super::read(&fixture, &id, "hex(metadata) || typeof(metadata)").await.as_deref(), Some("00FFblob"));
}
