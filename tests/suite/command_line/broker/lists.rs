//! Lists of clients and grants: pages, conditions, and identifiers as they are.

use serde_json::json;

use super::{Desk, over_each_engine};

fn names(page: &serde_json::Value, of: &str, name: &str) -> Vec<String> {
    page[of].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lists_come_in_pages_that_say_where_the_next_one_begins() {
    over_each_engine(|desk| {
        let mut clients: Vec<_> = (0..3).map(|_| desk.client()).collect();
        clients.sort();
        let mut grants: Vec<_> = (0..3).map(|_| desk.grant(&clients[0], "ada").grant).collect();
        grants.sort();
        for (of, name, all) in [("clients", "client_id", clients), ("grants", "grant", grants)] {
            let first = desk.document(&[of, "--limit", "2"]);
            assert_eq!((names(&first, of, name), &first["next"]), (all[..2].to_vec(), &json!(all[1])));
            let second = desk.document(&[of, "--limit", "2", "--after", &all[1]]);
            assert_eq!((names(&second, of, name), &second["next"]), (all[2..].to_vec(), &json!(null)));
            let shown = desk.terminal.run(&["broker", of, "--limit", "2"], "");
            assert_eq!((shown.stdout.lines().count(), shown.stderr), (3, format!("more: --after {}\n", all[1])));
        }
    });
}

#[test]
fn grants_are_listed_by_client_and_person_with_what_became_of_them() {
    over_each_engine(|desk| {
        let (one, other) = (desk.client(), desk.client());
        let (ada, bob) = (desk.grant(&one, "ada").grant, desk.grant(&other, "bob").grant);
        assert_eq!(names(&desk.document(&["grants", "--client", &one]), "grants", "grant"), std::slice::from_ref(&ada));
        assert_eq!(
            names(&desk.document(&["grants", "--subject", "bob"]), "grants", "grant"),
            std::slice::from_ref(&bob)
        );
        assert_eq!(desk.document(&["grants", "--client", &one, "--subject", "bob"])["grants"], json!([]));
        assert_eq!(desk.document(&["grants", "--subject", "ADA"])["grants"], json!([]), "letter for letter");

        let listed = desk.document(&["grants", "--subject", "ada"])["grants"][0].clone();
        assert_eq!(
            (&listed["state"], &listed["client_id"], &listed["subject_name"]),
            (&json!("granted"), &json!(one), &json!("ada"))
        );
        assert_eq!((&listed["scopes"], &listed["has_upstream_tokens"]), (&json!(["read", "write"]), &json!(false)));
        let grants = desk.table("grants");
        desk.sql(&format!("UPDATE {grants} SET ends_at = 1 WHERE id = '{ada}'"));
        desk.sql(&format!("UPDATE {grants} SET revoked_at = 2, revoked_reason = 'code_replayed' WHERE id = '{bob}'"));
        let states =
            |desk: &mut Desk<'_>, subject| desk.document(&["grants", "--subject", subject])["grants"][0].clone();
        assert_eq!(states(desk, "ada")["state"], "ended");
        assert_eq!(
            (&states(desk, "bob")["state"], &states(desk, "bob")["reason"]),
            (&json!("revoked"), &json!("code_replayed"))
        );
        desk.sql(&format!("UPDATE {grants} SET upstream_access_token = 'in clear' WHERE id = '{ada}'"));
        assert!(states(desk, "ada")["defect"].is_string());
        let shown = desk.terminal.run(&["broker", "grants"], "").stdout;
        assert!(shown.starts_with("GRANT ") && shown.contains(" defective ") && shown.contains(" revoked "), "{shown}");
    });
}

/// Identifiers are random, and one in 64 begins with a hyphen.
#[test]
fn an_identifier_that_begins_with_a_hyphen_is_no_option() {
    const CLIENT: &str = "-bcdefghijklmnopqrstuv";
    over_each_engine(|desk| {
        let id = desk.client();
        desk.sql(&format!("UPDATE clients SET client_id = '{CLIENT}' WHERE client_id = '{id}'"));
        let grant = desk.grant(CLIENT, "-ada").grant;
        for arguments in
            [&["grants", "--client", CLIENT][..], &["grants", "--subject", "-ada"], &["grants", "--after", "-"]]
        {
            assert_eq!(desk.document(arguments)["grants"][0]["grant"], json!(grant), "{arguments:?}");
        }
        assert_eq!(desk.document(&["clients", "--after", "-bcd"])["clients"][0]["client_id"], CLIENT);
        desk.terminal.run(&["broker", "revoke", "--grant", "-unknown"], "").has_failed(4, "no such grant");
        assert_eq!(desk.document(&["revoke", "--subject", "-ada"])["revoked"], 1);
        assert_eq!(desk.document(&["revoke", "--client", CLIENT, "--remove"])["removed"], true);
    });
}
