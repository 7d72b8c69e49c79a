//! What `issue` says of keys that the services themselves treat in a way of their own.

use crate::command_line::terminal::{Terminal, over_new_databases};
use crate::support::TestSchema as _;
use keyward::schemas::aggregator::Aggregator;
use keyward::schemas::mesh::Mesh;

#[test]
fn issuing_for_an_aggregator_says_what_the_service_itself_wants() {
    over_new_databases("aggregator", |terminal| {
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        terminal.sql(&Aggregator::owner("did:web:news.example", terminal.is_postgres()));
        let issue = ["issue", "--owner", "did:web:news.example"];
        let said = terminal.run(&issue, "");
        assert_eq!((said.status, said.stdout.lines().count()), (0, 1));
        assert!(said.stderr.contains("only if the aggregator's row has an OAuth session"), "{}", said.stderr);
        assert!(said.stderr.contains("makes the OAuth grant of that time usable there again"), "{}", said.stderr);
        // Programs read documents.
        assert!(!terminal.document(&issue).to_string().contains("OAuth"));
    });
}

#[test]
fn issuing_without_an_issuer_says_that_the_service_may_refuse_it() {
    over_new_databases("mesh", |terminal| {
        let postgres = terminal.is_postgres();
        terminal.sql(&format!("{};{}", Mesh::parents(postgres), Mesh::owner("home", postgres)));
        let member =
            "INSERT INTO mesh.member (id, mesh_id, peer_pubkey, display_name) VALUES ('ada', 'home', 'p', 'Ada')";
        terminal.sql(&if postgres { member.to_owned() } else { member.replace("mesh.", "") });
        assert_eq!(terminal.run(&["migrate"], "").status, 0);
        let says_so = |terminal: &mut Terminal, more: &[&str]| {
            let issue = ["issue", "--owner", "home", "--label", "bot", "--capability", "send"];
            let said = terminal.run(&[&issue, more].concat(), "");
            assert_eq!(said.status, 0);
            said.stderr.contains("routes of the service itself refuse a key without an issuer")
        };
        assert!(says_so(terminal, &[]));
        assert!(!says_so(terminal, &["--issuer", "ada"]));
    });
}
