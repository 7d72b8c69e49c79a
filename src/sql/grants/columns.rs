//! The columns that reads return: those of the grant first, then those of the code or token and of the host's row.

use crate::key::Defect;
use crate::sql::keys::Column;

/// Declares columns that stand behind the first `$first`. Those whose names begin with `$prefix` are of the table `$own`, and
/// the others of the table that is read.
macro_rules! columns {
    (
        $(#[$doc:meta])* $columns:ident behind $first:expr, of $own:literal where $prefix:literal;
        $($column:ident = $name:literal),+ $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) enum $columns { $($column),+ }

        impl $columns {
            const OWN: &'static [&'static str] = &[$($name),+];
        }

        impl Column for $columns {
            fn place(self) -> usize {
                $first + self as usize
            }

            fn name(self) -> &'static str {
                Self::OWN[self as usize]
            }

            fn defect(self, table: &'static str) -> Defect {
                match self.name().strip_prefix($prefix) {
                    Some(own) => Defect::new($own, own),
                    None => Defect::new(table, self.name()),
                }
            }
        }
    };
}

columns! {
    /// A grant.
    GrantColumn behind 0, of "grants" where "grant_";
    Id = "grant_id",
    ClientId = "grant_client_id",
    Subject = "grant_subject",
    SubjectName = "grant_subject_name",
    Scopes = "grant_scopes",
    Resource = "grant_resource",
    CreatedAt = "grant_created_at",
    EndsAt = "grant_ends_at",
    RevokedAt = "grant_revoked_at",
    RevokedReason = "grant_revoked_reason",
    UpstreamAccessToken = "grant_upstream_access_token",
    UpstreamRefreshToken = "grant_upstream_refresh_token",
    UpstreamExpiresAt = "grant_upstream_expires_at",
    UpstreamVersion = "grant_upstream_version",
}

const GRANT_LEN: usize = GrantColumn::OWN.len();

columns! {
    /// An access token.
    AccessColumn behind GRANT_LEN, of "grant_access_tokens" where "side_";
    GrantId = "side_grant_id",
    UsedAt = "side_used_at",
    ClientExists = "client_exists",
    ClientId = "client_id",
    CreatedAt = "created_at",
    ExpiresAt = "expires_at",
    RevokedAt = "revoked_at",
}

columns! {
    /// A refresh token.
    RefreshColumn behind GRANT_LEN, of "grant_refresh_tokens" where "side_";
    GrantId = "side_grant_id",
    SpentAt = "side_spent_at",
    SealedResponse = "side_response",
    ResponseUntil = "side_response_until",
    ResponseAccessExpiresAt = "side_response_access_expires_at",
    ResponseScopes = "side_response_scopes",
    SuccessorIsUsed = "successor_is_used",
    ClientExists = "client_exists",
    IsThere = "is_there",
    ClientId = "client_id",
    CreatedAt = "created_at",
    ExpiresAt = "expires_at",
    RevokedAt = "revoked_at",
}

columns! {
    /// A code.
    CodeColumn behind GRANT_LEN, of "grant_codes" where "side_";
    RedirectUri = "side_redirect_uri",
    Challenge = "side_challenge",
    ExpiresAt = "side_expires_at",
    SpentAt = "side_spent_at",
    UsedAt = "used_at",
}

const ACCESS_LEN: usize = GRANT_LEN + AccessColumn::OWN.len();
const REFRESH_LEN: usize = GRANT_LEN + RefreshColumn::OWN.len();

/// What only the host's row of an access token says, for one that belongs to no grant, behind the columns of a token.
const HOST_COLUMNS: &[&str] = &[
    "scopes",
    "forgejo_user_id",
    "forgejo_username",
    "forgejo_access_token",
    "forgejo_refresh_token",
    "forgejo_token_expires_at",
];

/// One of [`HOST_COLUMNS`], behind the first so many columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostColumn {
    first: usize,
    own: usize,
}

impl HostColumn {
    const fn all(first: usize) -> [Self; 6] {
        [
            Self { first, own: 0 },
            Self { first, own: 1 },
            Self { first, own: 2 },
            Self { first, own: 3 },
            Self { first, own: 4 },
            Self { first, own: 5 },
        ]
    }

    /// Behind the columns of an access token.
    pub(super) const fn of_access() -> [Self; 6] {
        Self::all(ACCESS_LEN)
    }

    /// Behind the columns of a refresh token.
    pub(super) const fn of_refresh() -> [Self; 6] {
        Self::all(REFRESH_LEN)
    }
}

impl Column for HostColumn {
    fn place(self) -> usize {
        self.first + self.own
    }

    fn name(self) -> &'static str {
        HOST_COLUMNS[self.own]
    }
}

const fn joined<const N: usize>(parts: [&[&'static str]; 3]) -> [&'static str; N] {
    let mut all = [""; N];
    let (mut place, mut part) = (0, 0);
    while part < parts.len() {
        let mut own = 0;
        while own < parts[part].len() {
            all[place] = parts[part][own];
            (place, own) = (place + 1, own + 1);
        }
        part += 1;
    }
    all
}

/// What a read of grants returns.
pub(super) const GRANT: [&str; GRANT_LEN] = joined([GrantColumn::OWN, &[], &[]]);
/// What the read of a code returns.
pub(super) const CODE: [&str; GRANT_LEN + CodeColumn::OWN.len()] = joined([GrantColumn::OWN, CodeColumn::OWN, &[]]);
/// What the read of an access token returns.
pub(super) const ACCESS: [&str; ACCESS_LEN + HOST_COLUMNS.len()] =
    joined([GrantColumn::OWN, AccessColumn::OWN, HOST_COLUMNS]);
/// What the read of a refresh token returns.
pub(super) const REFRESH: [&str; REFRESH_LEN + HOST_COLUMNS.len()] =
    joined([GrantColumn::OWN, RefreshColumn::OWN, HOST_COLUMNS]);
