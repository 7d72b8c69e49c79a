//! A strict mesh refuses what it was asked to look for and does not find, at issue and rotation as at verification.

use keyward::key::{Draft, RefusalReason};
use keyward::schemas::mesh::{Capability, Mesh, MeshKey};
use keyward::store::{Reference, StoreError};
use keyward::{Keys, KeysError};

use super::{HOUR, OWNER, get};
use crate::support::{Fixture, over};

over![every_database of Mesh:
    a_mesh_that_is_gone_is_shut_down_to_a_strict_reader,
    an_issuer_who_is_gone_or_elsewhere_is_shut_down_to_a_strict_reader,
    nothing_is_issued_into_an_archived_mesh_nor_by_a_revoked_member,
    nothing_is_rotated_in_an_archived_mesh_nor_for_a_revoked_member,
    nothing_is_rotated_whose_parents_are_gone,
];

/// The member `ada` of the mesh [`OWNER`], a strict service over it, and tables whose foreign keys the host dropped.
async fn loose(fixture: &Fixture<Mesh>) -> Keys<Mesh> {
    fixture.add_owner(OWNER).await;
    let member = fixture.database().dialect("mesh.member", "member");
    let add = format!(
        "INSERT INTO {member} (id, mesh_id, peer_pubkey, display_name) VALUES ('ada', '{OWNER}', 'pub', 'Ada')"
    );
    fixture.database().run(&add).await;
    if fixture.database().is_postgres() {
        let drop = "ALTER TABLE mesh.api_key DROP CONSTRAINT api_key_mesh_id_fkey,
                        DROP CONSTRAINT api_key_issued_by_member_id_fkey;
                    ALTER TABLE mesh.member DROP CONSTRAINT member_mesh_id_fkey";
        fixture.database().run(drop).await;
    }
    fixture.another_process_with(Mesh::new().strict()).await
}

/// Runs a change of a parent as the host does, without regard for foreign keys.
async fn host(fixture: &Fixture<Mesh>, sql: &str) {
    let local = sql.replace("mesh.mesh", "mesh").replace("mesh.member", "member");
    let local = format!("PRAGMA foreign_keys = OFF; {local}");
    fixture.database().run(fixture.database().dialect(sql, &local)).await;
}

fn by(issuer: Option<&str>) -> Draft<Mesh> {
    let draft = MeshKey::new(OWNER, "bot", [Capability::Send]).unwrap();
    issuer.map_or_else(|| draft.clone(), |issuer| draft.clone().issued_by(issuer).unwrap()).into()
}

async fn verdict(keys: &Keys<Mesh>, secret: &keyward::Secret) -> Option<RefusalReason> {
    keys.verify(secret.expose_secret()).await.err().map(|refusal| refusal.reason())
}

async fn a_mesh_that_is_gone_is_shut_down_to_a_strict_reader(fixture: Fixture<Mesh>) {
    let strict = loose(&fixture).await;
    let issued = strict.issue(by(None)).await.unwrap();
    assert_eq!(verdict(&strict, &issued.secret).await, None);
    host(&fixture, "DELETE FROM mesh.mesh").await;
    assert_eq!(verdict(&strict, &issued.secret).await, Some(RefusalReason::TenantDisabled));
    assert_eq!(verdict(&fixture.keys, &issued.secret).await, None, "the service itself does not look");
}

async fn an_issuer_who_is_gone_or_elsewhere_is_shut_down_to_a_strict_reader(fixture: Fixture<Mesh>) {
    let strict = loose(&fixture).await;
    let [by_ada, by_nobody] = [by(Some("ada")), by(None)].map(|draft| strict.issue(draft));
    let (by_ada, by_nobody) = (by_ada.await.unwrap(), by_nobody.await.unwrap());
    for change in ["UPDATE mesh.member SET mesh_id = 'elsewhere'", "DELETE FROM mesh.member"] {
        assert_eq!(verdict(&strict, &by_ada.secret).await, None);
        host(&fixture, change).await;
        assert_eq!(verdict(&strict, &by_ada.secret).await, Some(RefusalReason::TenantDisabled), "{change}");
        assert_eq!(verdict(&fixture.keys, &by_ada.secret).await, None, "the service itself does not look");
        assert_eq!(verdict(&strict, &by_nobody.secret).await, None, "there is no issuer to look for");
        host(&fixture, &format!("UPDATE mesh.member SET mesh_id = '{OWNER}'")).await;
    }
}

#[track_caller]
fn is_shut_down<T: std::fmt::Debug>(outcome: &Result<T, KeysError>, what: Reference) {
    let expected = matches!(outcome, Err(KeysError::Store(StoreError::TenantDisabled(found))) if *found == what);
    assert!(expected, "{outcome:?}");
}

async fn nothing_is_issued_into_an_archived_mesh_nor_by_a_revoked_member(fixture: Fixture<Mesh>) {
    let strict = loose(&fixture).await;
    let count = async || fixture.keys.of(&by(None).owner).list(10, None).await.unwrap().keys.len();
    host(&fixture, "UPDATE mesh.member SET revoked_at = '2029-12-31 00:00:00'").await;
    is_shut_down(&strict.issue(by(Some("ada"))).await, Reference::Issuer);
    strict.issue(by(None)).await.unwrap();
    host(&fixture, "UPDATE mesh.mesh SET archived_at = '2029-12-31 00:00:00'").await;
    is_shut_down(&strict.issue(by(None)).await, Reference::Owner);
    is_shut_down(&strict.issue(by(Some("ada"))).await, Reference::Owner);
    assert_eq!(count().await, 1, "nothing was stored");
    fixture.keys.issue(by(Some("ada"))).await.unwrap();
}

async fn nothing_is_rotated_in_an_archived_mesh_nor_for_a_revoked_member(fixture: Fixture<Mesh>) {
    let strict = loose(&fixture).await;
    let issued = strict.issue(by(Some("ada"))).await.unwrap();
    for (change, undo, reference) in [
        (
            "UPDATE mesh.member SET revoked_at = '2029-12-31'",
            "UPDATE mesh.member SET revoked_at = NULL",
            Reference::Issuer,
        ),
        (
            "UPDATE mesh.mesh SET archived_at = '2029-12-31'",
            "UPDATE mesh.mesh SET archived_at = NULL",
            Reference::Owner,
        ),
    ] {
        let prepared = strict.prepare_rotation(issued.record.clone(), HOUR, None).unwrap();
        host(&fixture, change).await;
        is_shut_down(&strict.store().rotate(prepared.rotation()).await.map_err(KeysError::from), reference);
        assert_eq!(get(&fixture, &issued.record.head.id).await, issued.record, "it stays as it was");
        let plain = fixture.keys.issue(by(Some("ada"))).await.unwrap();
        fixture.keys.rotate(&plain.record.head.id, HOUR, None).await.unwrap();
        host(&fixture, undo).await;
    }
    strict.rotate(&issued.record.head.id, HOUR, None).await.unwrap();
}

async fn nothing_is_rotated_whose_parents_are_gone(fixture: Fixture<Mesh>) {
    let strict = loose(&fixture).await;
    let issued = strict.issue(by(Some("ada"))).await.unwrap();
    for (change, reference) in
        [("DELETE FROM mesh.member", Reference::Issuer), ("DELETE FROM mesh.mesh", Reference::Owner)]
    {
        host(&fixture, change).await;
        for keys in [&strict, &fixture.keys] {
            let prepared = keys.prepare_rotation(issued.record.clone(), HOUR, None).unwrap();
            let lost = keys.store().rotate(prepared.rotation()).await;
            assert!(matches!(&lost, Err(StoreError::Missing(found)) if *found == reference), "{change}: {lost:?}");
        }
        assert_eq!(get(&fixture, &issued.record.head.id).await, issued.record, "it stays as it was");
    }
}
