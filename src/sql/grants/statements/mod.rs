//! Every statement on the tables of an authorization server, in both dialects.

pub(super) mod answers;
pub(super) mod clients;
pub(super) mod codes;
pub(super) mod exchanges;
pub(super) mod foreign;
pub(super) mod reads;
pub(super) mod revocations;
pub(super) mod sweep;

use crate::sql::engine::Sql;

/// All of them, each by a name of its own.
pub(super) fn all() -> Vec<(&'static str, Sql)> {
    [
        clients::all(),
        codes::all(),
        exchanges::all(),
        answers::all(),
        reads::all(),
        revocations::all(),
        foreign::all(),
        sweep::all(),
    ]
    .concat()
}
