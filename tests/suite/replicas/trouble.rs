//! What goes on beside replicas: poolers, ended sessions, altered tables, many callers, and rights that are missing.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinSet;

use super::others::is_not_asked;
use super::*;

/// Nothing says which server a session of a pooler's reaches next.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_behind_a_pooler_is_not_asked() {
    let Ready { fixture, issued, cluster, .. } = &Ready::<Standard>::under(policy()).await;
    let pooler = cluster.replicas[0].pooler(fixture.database().as_postgres());
    is_not_asked(fixture, pooler.pool(4).await, issued).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_before_the_primary_is_no_hindrance() {
    let Ready { fixture, issued, cluster, .. } = &Ready::<Scraper>::under(policy()).await;
    let database = fixture.database().as_postgres();
    let pooler = Pooler::start(database, 2);
    let primary = Postgres::new(pooler.pool(4).await).read_timeout(LONG).lock_timeout(LONG);
    let keys: Keys<Scraper> = process(primary.replicas([cluster.replicas[1].pool(database)], policy())).await;
    replicated(&keys, issued).await;
    keys.revoke(&issued.record.head.id, None).await.unwrap();
    assert_eq!(refusal(&keys, issued).await, Some(RefusalReason::Revoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_sessions_and_altered_tables_refuse_nobody() {
    let Ready { fixture, keys, issued, cluster } = &Ready::<Scraper>::under(policy()).await;
    let mut ended = 0;
    for round in 0..10 {
        for replica in &cluster.replicas {
            ended += replica.end_sessions().await;
        }
        evidence(keys, issued).await;
        fixture.database().run(&format!("ALTER TABLE api_keys ADD COLUMN other_{round} text")).await;
        for _ in 0..20 {
            evidence(keys, issued).await;
        }
        cluster.in_step().await;
        evidence(keys, issued).await;
    }
    assert!(ended > 0, "no replica had a session");
    replicated(keys, issued).await;
}

/// Each has the answer for its own key, whoever looks it up for all.
#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_has_the_answer_for_its_own_key() {
    let Ready { fixture, keys, cluster, .. } = &Ready::<Mesh>::under(policy().misses_per_second(10_000)).await;
    let mut presented: Vec<(Arc<str>, Option<RefusalReason>)> = Vec::new();
    for number in 0..24 {
        let issued = fixture.issue_another(OWNER).await;
        let expected = (number % 3 == 0).then_some(RefusalReason::Revoked);
        if expected.is_some() {
            fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
        }
        presented.push((issued.secret.expose_secret().into(), expected));
        let made_up = keys.format().generate(&mut rand::rngs::SysRng).unwrap();
        presented.push((made_up.expose_secret().into(), Some(RefusalReason::Unknown)));
    }
    cluster.in_step().await;
    // What the replicas lacked a moment ago they have by then.
    sleep(LAG).await;
    let mut replicated = 0;
    for _ in 0..5 {
        let mut callers = JoinSet::new();
        for (presented, expected) in presented.iter().cycle().take(192) {
            let (keys, presented, expected) = (keys.clone(), Arc::clone(presented), *expected);
            callers.spawn(async move {
                let verdict = keys.verify(&presented).await;
                assert_eq!(verdict.as_ref().err().map(Refusal::reason), expected);
                verdict.is_ok_and(|caller| is_replicated(caller.evidence()))
            });
        }
        replicated += callers.join_all().await.into_iter().filter(|is_replicated| *is_replicated).count();
    }
    assert!(replicated > 100, "{replicated} by replicas");
}

/// A replica's role needs to read the tables, and what everyone may unless somebody took it away.
#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_a_verifier_are_enough_and_less_are_not() {
    let Ready { fixture, issued, cluster, .. } = &Ready::<Standard>::under(policy()).await;
    let database = fixture.database();
    let role = format!("verifier_{}", std::process::id());
    database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'secret'")).await;
    database.run(&Standard::grants(DatabaseRole::Verifier, &role, "keyward").unwrap()).await;
    cluster.in_step().await;
    let pool = cluster.replicas[0].pool(database.as_postgres());
    let options = PgConnectOptions::clone(&pool.connect_options()).username(&role).password("secret");
    let pool = || PgPoolOptions::new().max_connections(4).connect_lazy_with(options.clone());
    let keys: Keys<Standard> = process(with_replicas(fixture, vec![pool()], policy()).await).await;
    replicated(&keys, issued).await;
    database.run("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await;
    cluster.in_step().await;
    is_not_asked(fixture, pool(), issued).await;
    let dropped = AssertSqlSafe(format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    sqlx::raw_sql(dropped).execute(&database.as_postgres().pool().await).await.unwrap();
}
