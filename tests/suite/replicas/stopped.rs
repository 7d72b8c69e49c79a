//! Replicas or a primary that stand still, a lock that both hold, and a log that has just begun.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// One that is stopped in its replay is left alone, and the other one goes on.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_that_is_stopped_in_its_replay_is_left_alone() {
    let short = Duration::from_millis(500);
    let Ready { fixture, keys, issued, cluster } = &Ready::<Scraper>::under(policy().max_lag(short)).await;
    cluster.replicas[0].pause().await;
    fixture.issue(OWNER).await;
    sleep(short).await;
    let mut replicated = 0;
    for _ in 0..200 {
        match evidence(keys, issued).await {
            Evidence::Replicated { age } => {
                // What is taken from it counts from when the call began.
                assert!(age <= short + Duration::from_secs(1), "{age:?}");
                replicated += 1;
            }
            Evidence::Fresh => {}
            other => panic!("{other:?}"),
        }
        sleep(Duration::from_millis(2)).await;
    }
    assert!(replicated > 50, "{replicated} of 200 by the other replica");
    fixture.keys.revoke(&issued.record.head.id, None).await.unwrap();
    sleep(short).await;
    for _ in 0..20 {
        assert_eq!(refusal(keys, issued).await, Some(RefusalReason::Revoked));
    }
    cluster.replicas[0].resume().await;
}

/// Where a new file of the log begins, no replica gets behind the header before something is written.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missing_where_the_log_has_just_begun() {
    let Ready { keys, issued, cluster, .. } = &Ready::<Standard>::under(policy().max_lag(SECOND / 5)).await;
    let mut replicated = 0;
    for _ in 0..3 {
        cluster.new_file_of_the_log().await;
        for _ in 0..20 {
            sleep(SECOND / 20).await;
            replicated += u32::from(is_replicated(evidence(keys, issued).await));
        }
    }
    assert!(replicated > 20, "{replicated} of 60");
}

/// A replica that does not answer costs a few verifications a moment, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stands_still_delays_few_and_refuses_nobody() {
    let Ready { keys, issued, cluster, .. } = &Ready::<Standard>::under(policy()).await;
    let still = cluster.replicas[0].stand_still().await;
    let mut late = 0;
    for _ in 0..300 {
        let begun = Instant::now();
        evidence(keys, issued).await;
        // Half of what a lookup waits for replicas is the share of one of two.
        late += usize::from(begun.elapsed() >= Duration::from_millis(120));
        sleep(Duration::from_millis(2)).await;
    }
    assert!((1..30).contains(&late), "{late} of 300 were late");
    drop(still);
    replicated(keys, issued).await;
}

/// Replicas answer on for as long as they can be shown to be in step, and the questions to the primary disturb nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stands_still_takes_no_replica_with_it() {
    let Ready { keys, issued, cluster, .. } =
        &Ready::<Standard>::with(policy().max_lag(SECOND * 4), |engine| engine.read_timeout(SECOND)).await;
    let still = cluster.primary_stands_still().await;
    let stopped = Instant::now();
    let mut answered = 0;
    while stopped.elapsed() < SECOND * 2 {
        assert!(matches!(evidence(keys, issued).await, Evidence::Replicated { .. }));
        answered += 1;
        sleep(Duration::from_millis(10)).await;
    }
    assert!(answered > 40, "{answered} in two seconds");
    sleep(SECOND * 3).await;
    assert_eq!(refusal(keys, issued).await, Some(RefusalReason::StoreUnavailable));
    drop(still);
    replicated(keys, issued).await;
}

/// A lock that the primary holds is held on its replicas too. What nobody waits for any more does not wait there either.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_lock_no_session_of_a_replica_is_left_waiting() {
    let Ready { fixture, keys, issued, cluster } =
        &Ready::<Standard>::with(policy(), |engine| engine.read_timeout(SECOND)).await;
    let mut holder = fixture.database().as_postgres().pool().await.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE keyward.keys IN ACCESS EXCLUSIVE MODE").execute(&mut *holder).await.unwrap();
    // Its record waits in the primary's memory for the next commit that is to be safe.
    fixture.database().run("SET synchronous_commit = on; CREATE TABLE other ()").await;
    cluster.in_step().await;
    // On a replica that does not have the lock yet, it is accepted.
    let locked = Instant::now();
    while refusal(keys, issued).await != Some(RefusalReason::StoreUnavailable) {
        assert!(locked.elapsed() < LONG, "nobody waits for the lock");
    }
    sleep(SECOND).await;
    for replica in &cluster.replicas {
        assert_eq!(replica.busy().await, 0);
    }
    holder.rollback().await.unwrap();
    replicated(keys, issued).await;
}

/// Whoever gives up keeps no other from its answer, and loses no reader.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_keeps_no_other_from_its_answer() {
    let Ready { keys, issued, .. } = &Ready::<Scraper>::under(policy().readers(1)).await;
    let presented: Arc<str> = issued.secret.expose_secret().into();
    for polls in 0..40_u64 {
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (keys, presented) = (keys.clone(), Arc::clone(&presented));
            callers.spawn(async move { keys.verify(&presented).await.is_ok() });
        }
        let verification = keys.verify(&presented);
        let _ = tokio::time::timeout(Duration::from_micros(polls * 50), verification).await;
        assert!(callers.join_all().await.into_iter().all(|is_accepted| is_accepted));
    }
    replicated(keys, issued).await;
}
