//! What has to hold of the tables, whatever was killed.

use crate::world::World;

/// Each counts rows that are half there, in words that hold when it counts none.
const WHOLE: [(&str, &str); 7] = [
    (
        "no grant has two live refresh tokens",
        "SELECT count(*) FROM (
             SELECT s.grant_id FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
             WHERE h.revoked_at IS NULL GROUP BY s.grant_id HAVING count(*) > 1) AS doubled",
    ),
    (
        "a grant whose code was redeemed has a live refresh token until it is revoked",
        "SELECT count(*) FROM keyward_grants g
         WHERE g.revoked_at IS NULL
           AND EXISTS (SELECT 1 FROM keyward_grant_codes c WHERE c.grant_id = g.id AND c.spent_at IS NOT NULL)
           AND NOT EXISTS (
               SELECT 1 FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
               WHERE s.grant_id = g.id AND s.spent_at IS NULL AND h.revoked_at IS NULL)",
    ),
    (
        "a grant whose code was not redeemed has no token",
        "SELECT count(*) FROM keyward_grant_refresh_tokens s WHERE EXISTS (
             SELECT 1 FROM keyward_grant_codes c WHERE c.grant_id = s.grant_id AND c.spent_at IS NULL)",
    ),
    (
        "a refresh token is spent in our table exactly when it is dead in the host's, unless its grant was revoked",
        "SELECT count(*) FROM keyward_grant_refresh_tokens s JOIN refresh_tokens h ON h.token_hash = s.digest
         JOIN keyward_grants g ON g.id = s.grant_id
         WHERE g.revoked_at IS NULL AND (s.spent_at IS NULL) <> (h.revoked_at IS NULL)",
    ),
    (
        "the successor of a spent refresh token is there",
        "SELECT count(*) FROM keyward_grant_refresh_tokens s WHERE s.spent_at IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM keyward_grant_refresh_tokens n WHERE n.digest = s.successor AND n.grant_id = s.grant_id)",
    ),
    (
        "every token of the host's tables belongs to a grant",
        "SELECT count(*) FROM refresh_tokens h WHERE NOT EXISTS (
             SELECT 1 FROM keyward_grant_refresh_tokens s WHERE s.digest = h.token_hash)",
    ),
    (
        "no grant has two live access tokens",
        "SELECT count(*) FROM (
             SELECT s.grant_id FROM keyward_grant_access_tokens s JOIN access_tokens h ON h.token_hash = s.digest
             WHERE h.revoked_at IS NULL GROUP BY s.grant_id HAVING count(*) > 1) AS doubled",
    ),
];

/// Looks at every row.
pub(crate) async fn inspect(world: &World) {
    world.settle().await;
    for (holds, sql) in WHOLE {
        let found = world.count(sql).await;
        assert_eq!(found, 0, "{holds}, but for {found}");
    }
}

/// How many grants have a live refresh token.
pub(crate) async fn live(world: &World) -> i64 {
    let live = "SELECT count(*) FROM keyward_grants g
        JOIN keyward_grant_refresh_tokens s ON s.grant_id = g.id JOIN refresh_tokens h ON h.token_hash = s.digest
        WHERE g.revoked_at IS NULL AND h.revoked_at IS NULL";
    world.count(live).await
}
