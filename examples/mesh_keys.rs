//! A service whose members share meshes: keys with capabilities and topics, in a SQLite file. Run it with
//! `cargo run --example mesh_keys --features sqlite`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use keyward::key::{Authenticated, Refusal};
use keyward::mesh::{Access, Capability, Mesh, MeshDetails, MeshKey, StrictMesh};
use keyward::{Clock, Keys, SqliteKeyStore, SystemClock};
use rusqlite::Connection;

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
    let store = SqliteKeyStore::<Mesh>::open(&path).await?;
    println!("migrated     {}", store.migrate(SystemClock.now()).await?.join(", "));
    let keys = Keys::builder(Mesh, store).build();

    // A key's owner is its mesh. The `#` is how people write topics; the table holds the bare name.
    let draft = MeshKey::new("platform", "deploy bot", [Capability::Send])?.only_topics(["#deploys"])?;
    let bot = keys.issue(draft.issued_by("ada")?.into()).await?;
    println!("issued       {}, to send to {}", bot.secret.expose_secret(), bot.record.details.topics);

    // First the key: whoever holds none is answered 401. Then what it permits: a good key may still be answered 403.
    let accepted = keys.verify(bot.secret.expose_secret()).await?;
    println!("verified     {}", verdict(&Ok(accepted.clone())));
    for (operation, access) in [
        ("send to #deploys", Access::to_topic(Capability::Send, "deploys")),
        ("send to #general", Access::to_topic(Capability::Send, "general")),
        ("read #deploys", Access::to_topic(Capability::Read, "deploys")),
    ] {
        match accepted.details().permits(access) {
            Ok(()) => println!("permitted    {operation}"),
            Err(denied) => println!("forbidden    {operation}: {denied}"),
        }
    }

    // A search spans all topics and has to say so. Being an admin does not lift the limit to some of them.
    let draft = MeshKey::new("platform", "moderator", [Capability::Admin])?.only_topics(["deploys", "incidents"])?;
    let moderator = keys.issue(draft.issued_by("bob")?.into()).await?;
    let accepted = keys.verify(moderator.secret.expose_secret()).await?;
    let search = accepted.details().permits(Access::to_all_topics(Capability::Read));
    println!("searching    {}", search.map_or_else(|denied| format!("forbidden: {denied}"), |()| "permitted".into()));

    // An operator has the characters that logs and lists show, and names the mesh: no other mesh's key is found.
    let found = keys.resolve(&"platform".parse()?, bot.record.head.prefix.as_str()).await?;
    keys.revoke_seen(&found.head, None).await?;
    println!("revoked      what starts with {}: the {}", found.head.prefix, found.details.label);
    println!("  and now    {}", verdict(&keys.verify(bot.secret.expose_secret()).await));

    // Revoking a member stops no key, unless the service asks for the stricter verdict at the price of two joins.
    service.execute("UPDATE member SET revoked_at = CURRENT_TIMESTAMP WHERE id = 'bob'", [])?;
    let strict = Keys::builder(StrictMesh, SqliteKeyStore::<StrictMesh>::open(&path).await?).build();
    println!("bob is gone  {}", verdict(&keys.verify(moderator.secret.expose_secret()).await));
    println!("  if strict  {}", verdict(&strict.verify(moderator.secret.expose_secret()).await));
    Ok(())
}

/// What the caller is told, and what the operator is told.
fn verdict(outcome: &Result<Authenticated<MeshDetails>, Refusal>) -> String {
    match outcome {
        Ok(accepted) => format!("accepted: the {} of {}", accepted.details().label, accepted.head().owner),
        Err(refusal) => format!("refused: the caller reads \"{refusal}\", the log \"{}\"", refusal.reason()),
    }
}
