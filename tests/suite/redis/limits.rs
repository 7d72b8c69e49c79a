//! Limits that processes keep together.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keyward::RedisStore;
use keyward::key::{Authenticated, Lineage, Rate};
use keyward::schemas::standard::Standard;
use keyward::service::{Counted, OnOutage, RateLimited};
use keyward::store::{LimitStore as _, StoreError};
use tokio::time::Instant;

use super::{admitted, caller, limiter, number};
use crate::support::redis::{Server, ask, connect, prefix, store, url};

/// The URL and the prefix for a process that counts with others.
const SHARE: &str = "KEYWARD_TEST_SHARE";

/// Requests a minute of the key that the processes share, and so many at once.
const LIMIT: u32 = 100;

/// Counts for whoever started this process, as soon as a line comes in: 8 tasks that ask 50 times each.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_shares_a_limit() {
    let Ok(share) = std::env::var(SHARE) else { return };
    let (url, prefix) = share.split_once(' ').unwrap();
    let store = store(url, prefix).await;
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();

    let caller = the_same_caller();
    let limiter = limiter(LIMIT, store, OnOutage::Refuse);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (limiter, caller) = (limiter.clone(), caller.clone());
        asking.spawn(async move {
            let mut admitted = 0;
            for _ in 0..50 {
                match limiter.check(&caller).await {
                    Ok(_) => {
                        admitted += 1;
                        // So that one process cannot have all before the other one has begun.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Err(refused) => assert!(!refused.is_outage(), "{refused}"),
                }
            }
            admitted
        });
    }
    println!("admitted {}", asking.join_all().await.into_iter().sum::<u32>());
}

/// A key that every process knows.
fn the_same_caller() -> Authenticated<Standard> {
    use keyward::key::{KeyDigest, KeyHead, KeyRecord, decide};
    use keyward::schemas::standard::StandardKey;
    use keyward::{Clock as _, SystemClock};

    let draft = keyward::key::Draft::from(StandardKey::new("customer-1", "import").unwrap());
    let digest = KeyDigest::of("shared");
    let head = KeyHead::new("shared".parse().unwrap(), draft.owner.clone(), "acme".parse().unwrap(), Some(digest));
    let mut record = KeyRecord::<Standard>::new(head, draft.details.clone());
    let schema = Standard::new("acme").unwrap();
    keyward::key::Schema::begin(&schema, &mut record);
    decide(&schema, vec![record.into()], &digest, SystemClock.now()).unwrap()
}

fn process(prefix: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&format!("{module}::a_process_that_shares_a_limit"), "--exact", "--nocapture"])
        .env(SHARE, format!("{} {prefix}", url()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("ready\n") {
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "{line}");
    }
    (child, said)
}

#[test]
fn two_processes_admit_the_limit_between_them() {
    let prefix = prefix();
    let mut processes = [process(&prefix), process(&prefix)];
    let started = Instant::now();
    for (process, _) in &mut processes {
        process.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    let admitted: Vec<u32> = processes
        .into_iter()
        .map(|(mut process, mut said)| {
            let mut output = String::new();
            said.read_to_string(&mut output).unwrap();
            assert!(process.wait().unwrap().success(), "{output}");
            let (_, number) = output.split_once("admitted ").unwrap();
            number.lines().next().unwrap().parse().unwrap()
        })
        .collect();
    // What is due for the time that passed comes on top of the burst.
    let due = u32::try_from(started.elapsed().as_micros() * u128::from(LIMIT) / 60_000_000).unwrap();
    let sum: u32 = admitted.iter().sum();
    assert!((LIMIT..=LIMIT + due + 1).contains(&sum), "{admitted:?}, and {due} were due");
    assert!(admitted.iter().all(|admitted| *admitted < LIMIT), "{admitted:?}: they did not run at once");
}

#[tokio::test]
async fn a_refusal_says_when_the_next_request_is_admitted() {
    let (caller, prefix) = (caller().await, prefix());
    let limiter = limiter(600, store(url(), &prefix).await, OnOutage::Refuse);
    let first = limiter.check(&caller).await.unwrap();
    assert_eq!((first.remaining, first.counted), (599, Counted::Shared));
    admitted(&limiter, &caller).await;
    let refused = limiter.check(&caller).await.unwrap_err();
    let RateLimited::Exceeded { retry_after, .. } = refused else { panic!("{refused:?}") };
    assert!(retry_after.as_millis() <= 100, "{retry_after:?}");
    tokio::time::sleep(retry_after).await;
    assert!(limiter.check(&caller).await.is_ok());
}

#[tokio::test]
async fn a_key_holds_an_identity_alone_and_expires_when_it_says_nothing_any_more() {
    let (caller, prefix) = (caller().await, prefix());
    let limiter = limiter(60, store(url(), &prefix).await, OnOutage::Refuse);
    for _ in 0..10 {
        limiter.check(&caller).await.unwrap();
    }
    let names: Vec<String> = ask(url(), &["KEYS", &format!("{prefix}*")]).await;
    assert_eq!(names, [format!("{prefix}:limit:standard:{{{}}}", caller.head().id.as_str())]);
    let milliseconds: i64 = ask(url(), &["PTTL", &names[0]]).await;
    assert!((1..=11_000).contains(&milliseconds), "10 requests drain in 10 seconds: {milliseconds}");
}

#[tokio::test]
async fn services_with_prefixes_of_their_own_count_apart() {
    let caller = caller().await;
    for _ in 0..2 {
        let limiter = limiter(1, store(url(), &prefix()).await, OnOutage::Refuse);
        assert_eq!(admitted(&limiter, &caller).await, 1);
    }
}

#[tokio::test]
async fn what_is_no_bucket_is_an_error_and_admits_nobody() {
    let (caller, prefix) = (caller().await, prefix());
    let store = store(url(), &prefix).await;
    let (lineage, rate) = (Lineage::of(&**caller.record()), Rate::per_minute(number(5)));
    let name = format!("{prefix}:limit:standard:{{{}}}", lineage.id.as_str());
    for odd in ["", "x", "-1 5", "5", "5 5 5", "1e3 5"] {
        ask::<()>(url(), &["SET", &name, odd]).await;
        let answer = store.take(lineage, rate).await;
        assert!(matches!(answer, Err(StoreError::Backend { .. })), "{odd:?}: {answer:?}");
    }
    ask::<()>(url(), &["DEL", &name]).await;
    ask::<()>(url(), &["LPUSH", &name, "5"]).await;
    assert!(store.take(lineage, rate).await.unwrap_err().is_outage());
    ask::<()>(url(), &["DEL", &name]).await;
    assert!(store.take(lineage, rate).await.unwrap().is_admitted());
}

#[tokio::test]
async fn a_cluster_runs_the_script_and_finds_the_slot_by_the_identity() {
    let (server, caller) = (Server::cluster().await, caller().await);
    let limiter = limiter(5, RedisStore::new(connect(server.url()).await, "acme").unwrap(), OnOutage::Refuse);
    assert_eq!(admitted(&limiter, &caller).await, 5);
    let names: Vec<String> = server.ask(&["KEYS", "*"]).await;
    let slot: u16 = server.ask(&["CLUSTER", "KEYSLOT", &names[0]]).await;
    assert_eq!(slot, server.ask::<u16>(&["CLUSTER", "KEYSLOT", caller.head().id.as_str()]).await);
}
