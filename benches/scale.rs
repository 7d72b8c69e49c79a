//! What a thousand verifications cost the database, by how many processes verify, and how: each by itself, gathered, from a
//! cache, or on replicas. It is the load of a steady pace that is measured, and no speed.

use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use keyward::schemas::standard::Standard;
use keyward::service::CachePolicy;
use keyward::sqlx::postgres::{PgPool, PgPoolOptions};
use keyward::sqlx::{self, Executor as _};
use keyward::{Keys, Postgres, ReplicaPolicy, Secret, SqlKeyStore};
use keyward_benches::keys::{MANY, PRESENTED, standard_key};
use keyward_benches::load::{Load, LoadReport};
use keyward_benches::server::Server;
use keyward_benches::tables::Benched as _;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

/// Of each process.
const PER_SECOND: u32 = 100;

/// How the processes verify.
#[derive(Clone, Copy)]
struct Arrangement {
    name: &'static str,
    processes: u32,
    gathered_readers: u8,
    replicas: Option<ReplicaPolicy>,
    cache: Option<CachePolicy>,
}

fn arrangements() -> Vec<Arrangement> {
    let plain = Arrangement {
        name: "10 processes, each verification asks",
        processes: 10,
        gathered_readers: 0,
        replicas: None,
        cache: None,
    };
    let patient = CachePolicy::new().bound(Duration::from_secs(10));
    let lenient = ReplicaPolicy::new().max_lag(Duration::from_secs(5));
    vec![
        plain,
        Arrangement { name: "the same, with `gathered_readers(1)`", gathered_readers: 1, ..plain },
        Arrangement { name: "the same, with a watched cache", cache: Some(CachePolicy::new()), ..plain },
        Arrangement { name: "the same, with a bound of 10 s", cache: Some(patient), ..plain },
        Arrangement {
            name: "10 processes on two replicas, each verification asks",
            replicas: Some(ReplicaPolicy::new().readers(1)),
            ..plain
        },
        Arrangement {
            name: "the same, with a watched cache",
            replicas: Some(ReplicaPolicy::new().readers(1)),
            cache: Some(CachePolicy::new()),
            ..plain
        },
        Arrangement {
            name: "50 processes on two replicas, bound 10 s, longest lag 5 s",
            processes: 50,
            replicas: Some(lenient.readers(1)),
            cache: Some(patient),
            ..plain
        },
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let primary = Server::start(&[])?;
    let replicas = [primary.replica()?, primary.replica()?];
    let mut report = LoadReport::new("scale");
    let secrets: Arc<[Secret]> = runtime.block_on(set_up(&primary))?.into();
    for arrangement in arrangements() {
        let measured = runtime.block_on(arrangement.measure(&primary, &replicas, &secrets))?;
        report.add(arrangement.name, measured);
    }
    report.finish()
}

async fn set_up(primary: &Server) -> Result<Vec<Secret>, Box<dyn Error>> {
    let pool = pool(primary, 2)?;
    let schema = Standard::value()?;
    let store = SqlKeyStore::open(Postgres::new(pool.clone()), schema).await?;
    let keys = Keys::builder(store.clone()).build();
    store.migrate(keys.now()).await?;
    store.note_changes().await?;
    let mut secrets = Vec::new();
    for number in 0..PRESENTED {
        let key = standard_key(number)?;
        secrets.push(keys.issue(key).await?.secret);
    }
    let fill = sqlx::query(Standard::POSTGRES.fill).bind(i64::from(PRESENTED)).bind(i64::from(MANY));
    fill.execute(&pool).await?;
    pool.execute("VACUUM ANALYZE").await?;
    pool.close().await;
    Ok(secrets)
}

fn pool(server: &Server, connections: u32) -> Result<PgPool, Box<dyn Error>> {
    Ok(PgPoolOptions::new().max_connections(connections).connect_lazy_with(server.options()?))
}

impl Arrangement {
    /// Per thousand verifications, on the primary and on all replicas together.
    async fn measure(
        self,
        primary: &Server,
        replicas: &[Server],
        secrets: &Arc<[Secret]>,
    ) -> Result<(Load, Load), Box<dyn Error>> {
        // A minute, in which each record in a cache is read once.
        let warm_up = Duration::from_secs(if self.cache.is_some() { 15 } else { 1 });
        let length = Duration::from_secs(if self.cache.is_some() { 60 } else { 10 });
        let mut processes = Vec::new();
        for _ in 0..self.processes {
            processes.push(self.process(primary, replicas).await?);
        }
        let background: JoinSet<()> = processes.iter().flat_map(Process::background).collect();
        verify_all(&processes, secrets, warm_up).await;
        let primary_before = primary.load().await?;
        let replicas_before = load_of(replicas).await?;
        let verified = verify_all(&processes, secrets, length).await;
        drop(background);
        for process in processes {
            process.close().await;
        }
        let primary_load = primary.load().await?.since(primary_before);
        let replicas_load = load_of(replicas).await?.since(replicas_before);
        Ok((primary_load.per_thousand(verified), replicas_load.per_thousand(verified)))
    }

    async fn process(self, primary: &Server, replicas: &[Server]) -> Result<Process, Box<dyn Error>> {
        let mut pools = vec![pool(primary, 1)?];
        let mut engine = Postgres::new(pools[0].clone()).gathered_readers(self.gathered_readers);
        if let Some(policy) = self.replicas {
            for replica in replicas {
                pools.push(pool(replica, 1)?);
            }
            engine = engine.replicas(pools[1..].iter().cloned(), policy);
        }
        let schema = Standard::value()?;
        let builder = Keys::builder(SqlKeyStore::open(engine, schema).await?);
        let keys = if let Some(policy) = self.cache { builder.cache(policy).build() } else { builder.build() };
        Ok(Process { keys, pools })
    }
}

async fn load_of(servers: &[Server]) -> Result<Load, Box<dyn Error>> {
    let mut all = Load::default();
    for server in servers {
        let load = server.load().await?;
        all = all.and(load);
    }
    Ok(all)
}

/// One service among several.
struct Process {
    keys: Keys<Standard>,
    pools: Vec<PgPool>,
}

impl Process {
    /// What it does beside verifying.
    fn background(&self) -> [std::pin::Pin<Box<dyn Future<Output = ()> + Send>>; 2] {
        let (watching, recording) = (self.keys.clone(), self.keys.clone());
        [
            Box::pin(async move { assert!(watching.watch(pending()).await.is_ok()) }),
            Box::pin(async move { recording.record_last_used(pending()).await }),
        ]
    }

    async fn close(self) {
        drop(self.keys);
        for pool in self.pools {
            pool.close().await;
        }
    }
}

/// Each process at its own pace for so long. How many verifications there were.
async fn verify_all(processes: &[Process], secrets: &Arc<[Secret]>, length: Duration) -> u64 {
    let mut all = JoinSet::new();
    for (number, process) in processes.iter().enumerate() {
        let (keys, secrets) = (process.keys.clone(), Arc::clone(secrets));
        all.spawn(async move {
            let mut pace = interval(Duration::from_secs(1) / PER_SECOND);
            let (end, mut verified) = (Instant::now() + length, 0);
            while Instant::now() < end {
                pace.tick().await;
                // Far apart, so that no two present the same at the same time.
                let which = (number * 337 + verified) % secrets.len();
                assert!(keys.verify(secrets[which].expose_secret()).await.is_ok());
                verified += 1;
            }
            verified as u64
        });
    }
    all.join_all().await.into_iter().sum()
}
