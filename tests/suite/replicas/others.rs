//! Servers that are no replicas of the primary, or not any more.

use super::*;
use crate::support::Database;

/// None of them is believed, whatever it says: the primary is asked.
pub(super) async fn is_not_asked<S: TestSchema>(fixture: &Fixture<S>, pool: PgPool, issued: &Issued<S>) {
    let keys: Keys<S> = process(with_replicas(fixture, vec![pool], policy()).await).await;
    for _ in 0..10 {
        assert_eq!(evidence(&keys, issued).await, Evidence::Fresh);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_primary_itself_is_no_replica() {
    let cluster = Cluster::get().await;
    let fixture = Fixture::<Standard>::on_primary(&cluster).await;
    let issued = fixture.issue(OWNER).await;
    is_not_asked(&fixture, fixture.database().as_postgres().pool().await, &issued).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_not_believed() {
    let cluster = Cluster::get().await;
    let fixture = Fixture::<Standard>::on_primary(&cluster).await;
    let issued = fixture.issue(OWNER).await;
    let other = Fixture::<Standard>::postgres().await;
    has_it_too(&other, &issued).await;
    is_not_asked(&fixture, other.database().as_postgres().pool().await, &issued).await;
}

/// Fixtures make the same keys in the same order.
async fn has_it_too(other: &Fixture<Standard>, issued: &Issued<Standard>) {
    let theirs = other.issue(OWNER).await;
    assert_eq!(theirs.secret.expose_secret(), issued.secret.expose_secret());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_on_a_replica_is_not_believed() {
    let cluster = Cluster::get().await;
    let fixture = Fixture::<Standard>::on_primary(&cluster).await;
    let issued = fixture.issue(OWNER).await;
    let other = Database::Postgres(cluster.database().await);
    let other = Fixture::<Standard>::on(other, "", false).await;
    has_it_too(&other, &issued).await;
    cluster.in_step().await;
    is_not_asked(&fixture, cluster.replicas[0].pool(other.database().as_postgres()), &issued).await;
}

/// On the replica's connections, the name of the table means another one.
#[tokio::test(flavor = "multi_thread")]
async fn another_table_of_the_same_name_is_not_believed() {
    use sqlx::Executor as _;
    use sqlx::postgres::PgPoolOptions;

    let cluster = Cluster::get().await;
    let fixture = Fixture::<Scraper>::on_primary(&cluster).await;
    let issued = fixture.issue(OWNER).await;
    fixture.database().run("CREATE SCHEMA other; CREATE TABLE other.api_keys AS SELECT * FROM public.api_keys").await;
    cluster.in_step().await;
    let pool = cluster.replicas[0].pool(fixture.database().as_postgres());
    let hook = PgPoolOptions::new().after_connect(|connection, _| {
        Box::pin(async move { connection.execute("SET search_path = other, public").await.map(|_| ()) })
    });
    let pool = hook.connect_lazy_with(sqlx::postgres::PgConnectOptions::clone(&pool.connect_options()));
    is_not_asked(&fixture, pool, &issued).await;
}

/// One that has become a server of its own is not believed any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_promoted_is_not_asked_any_more() {
    let cluster = Cluster::get().await;
    let fixture = Fixture::<Standard>::on_primary(&cluster).await;
    let issued = fixture.issue(OWNER).await;
    let replica = cluster.another();
    let pool = replica.pool(fixture.database().as_postgres());
    let keys: Keys<Standard> = process(with_replicas(&fixture, vec![pool], policy()).await).await;
    replicated(&keys, &issued).await;
    replica.promote().await;
    fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
    sleep(LAG).await;
    for _ in 0..5 {
        assert_eq!(refusal(&keys, &issued).await, Some(RefusalReason::Revoked));
    }
}

/// After a failover, a replica that still follows the primary of before lacks what is done on the new one, however far its log
/// has got.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_the_primary_before_a_failover_is_not_believed() {
    let cluster = Cluster::get().await;
    let fixture = Fixture::<Standard>::on_primary(&cluster).await;
    let issued = fixture.issue(OWNER).await;
    let successor = cluster.another();
    let database = fixture.database().as_postgres();
    let (primary, replica) = (successor.pool(database), cluster.replicas[0].pool(database));
    successor.promote().await;
    fixture.database().run("CREATE TABLE other AS SELECT generate_series(1, 300000)").await;
    cluster.in_step().await;
    let keys: Keys<Standard> = process(Postgres::new(primary).replicas([replica], policy())).await;
    assert_eq!(evidence(&keys, &issued).await, Evidence::Fresh);
    keys.revoke(&issued.record.head.id, None).await.unwrap();
    for _ in 0..10 {
        assert_eq!(refusal(&keys, &issued).await, Some(RefusalReason::Revoked));
        sleep(Duration::from_millis(300)).await;
    }
}
