//! A service whose members share meshes: keys with capabilities and topics, in a SQLite file. Run it with
//! `cargo run --example mesh_keys --features sqlite`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use keyward::key::{Authenticated, Reason, Refusal};
use keyward::rusqlite::Connection;
use keyward::schemas::mesh::{Access, Capability, Mesh, MeshKey};
use keyward::{Clock, Keys, SqlKeyStore, Sqlite, SystemClock};

/// What the service has before keys come: a mesh, and two members of it. A real one has more columns.
const PARENTS: &str = "
    CREATE TABLE mesh (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, archived_at TIMESTAMP);
    CREATE TABLE member (
        id TEXT PRIMARY KEY NOT NULL,
        mesh_id TEXT NOT NULL REFERENCES mesh (id) ON DELETE CASCADE ON UPDATE CASCADE,
        revoked_at TIMESTAMP
    );
    INSERT INTO mesh (id, name) VALUES ('platform', 'The platform team');
    INSERT INTO member (id, mesh_id) VALUES ('ada', 'platform'), ('bob', 'platform');";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("service.db");
    let service = Connection::open(&path)?;
    service.execute_batch(PARENTS)?;
    let database = Sqlite::open(&path)?;
    let store = SqlKeyStore::open(&database, Mesh::new()).await?;
    for migration in store.migrate(SystemClock.now()).await? {
        println!("migrated     {migration}");
    }
    let keys = Keys::builder(store).build();

    // A key's owner is its mesh. The `#` is how people write topics; the table holds the bare name.
    let draft = MeshKey::new("platform", "deploy bot", [Capability::Send])?.only_topics(["#deploys"])?;
    let bot = keys.issue(draft.issued_by("ada")?).await?;
    println!("issued       {}, to send to {}", bot.secret.expose_secret(), bot.record.details.topics);

    // First the key: whoever holds none is answered 401. Then what it permits: a good key may still be answered 403.
    let accepted = keys.verify(bot.secret.expose_secret()).await?;
    println!("verified     {}", verdict(&Ok(accepted.clone())));
    for (operation, access) in [
        ("send to #deploys", Access::to_topic(Capability::Send, "deploys")),
        ("send to #general", Access::to_topic(Capability::Send, "general")),
        ("read #deploys", Access::to_topic(Capability::Read, "deploys")),
    ] {
        match accepted.permits(access) {
            Ok(()) => println!("permitted    {operation}"),
            Err(denied) => println!("forbidden    {operation}: {denied}"),
        }
    }

    // A search spans all topics and has to say so. Being an admin does not lift the limit to some of them.
    let draft = MeshKey::new("platform", "moderator", [Capability::Admin])?.only_topics(["deploys", "incidents"])?;
    let moderator = keys.issue(draft.issued_by("bob")?).await?;
    let accepted = keys.verify(moderator.secret.expose_secret()).await?;
    let search = accepted.permits(Access::to_all_topics(Capability::Read));
    println!("searching    {}", search.map_or_else(|denied| format!("forbidden: {denied}"), |()| "permitted".into()));

    // Who acts for a mesh holds its keys alone: whatever is passed in, the keys of other meshes are not found. An
    // operator has the characters that logs and lists show.
    let platform = keys.of(&"platform".parse()?);
    let found = platform.resolve(bot.record.head.prefix.as_str()).await?;
    platform.revoke(&found.head.id, Some(Reason::new("found in a public repository")?)).await?;
    println!("revoked      what starts with {}: the {}", found.head.prefix, found.details.label);
    println!("  and now    {}", verdict(&keys.verify(bot.secret.expose_secret()).await));

    // Revoking a member stops no key, unless the service asks for the stricter verdict at the price of two joins.
    service.execute("UPDATE member SET revoked_at = CURRENT_TIMESTAMP WHERE id = 'bob'", [])?;
    let strict = Keys::builder(SqlKeyStore::open(&database, Mesh::new().strict()).await?).build();
    println!("bob is gone  {}", verdict(&keys.verify(moderator.secret.expose_secret()).await));
    println!("  if strict  {}", verdict(&strict.verify(moderator.secret.expose_secret()).await));
    Ok(())
}

/// What the caller reads, and what the operator reads.
fn verdict(outcome: &Result<Authenticated<Mesh>, Refusal>) -> String {
    match outcome {
        Ok(accepted) => format!("accepted: the {} of {}", accepted.details().label, accepted.owner()),
        Err(refusal) => format!("refused: the caller reads \"{refusal}\", the log \"{}\"", refusal.reason()),
    }
}
