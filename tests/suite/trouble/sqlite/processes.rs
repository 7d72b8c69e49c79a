//! Processes on one file, of which one writes for a long time.

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};

use keyward::schemas::scraper::Scraper;

use super::{OWNER, path};
use crate::support::Fixture;

fn start(fixture: &Fixture<Scraper>, arguments: &[&str], typed: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(["--db", &format!("sqlite:{}", path(fixture).display()), "--schema", "scraper"]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child
}

/// The commands end although nobody lets go of the lock: what waits for ever makes this test wait for ever.
#[tokio::test]
async fn the_command_line_ends_while_another_process_writes() {
    let fixture = Fixture::<Scraper>::sqlite().await;
    let issued = fixture.issue(OWNER).await;
    let (id, secret) = (issued.record.head.id.as_str(), issued.secret.expose_secret());
    let other = fixture.database().as_sqlite().connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let verify = start(&fixture, &["verify"], secret);
    let changes = [&["revoke", id][..], &["revoke-all", "--owner", OWNER], &["rotate", id]];
    let changes = changes.map(|arguments| start(&fixture, arguments, ""));
    let ended = |child: Child| -> (Option<i32>, Output) {
        let output = child.wait_with_output().unwrap();
        (output.status.code(), output)
    };
    let (_, output) = ended(verify);
    assert!(output.stdout.starts_with(b"accepted "), "{output:?}");
    for change in changes {
        let (status, output) = ended(change);
        assert_eq!(status, Some(3), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("unavailable"), "{output:?}");
    }
    other.execute_batch("COMMIT").unwrap();
    fixture.keys.verify(secret).await.unwrap();
    let revoke = start(&fixture, &["revoke", id], "");
    assert_eq!(ended(revoke).0, Some(0));
    assert!(fixture.keys.verify(secret).await.is_err());
}
