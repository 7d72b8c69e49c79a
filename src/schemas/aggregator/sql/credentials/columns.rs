//! How a secret stands in the columns of the host's table, in each of their forms. The statements are put together from
//! these expressions, in which `a` is the host's row.
//!
//! A macro for each form, as a statement is one text that the compiler joins:
//!
//! - `name`: the column;
//! - `has`: whether there is something in it;
//! - `get`: what is read of it;
//! - `pair`: the mark of what stands in the columns of both tokens, for comparison. On PostgreSQL it is a digest. SQLite
//!   has none: it is the end of both values, where an envelope has its authentication tag. The end of a plaintext stands
//!   there only for as long as the plaintext itself does;
//! - `put`: what is written for an argument;
//! - `stands`: whether that is what stands there;
//! - `other`: whether an envelope stands there that starts otherwise than an argument, or no envelope.

/// The columns of text. What stands in them is an envelope, or the plaintext of the upstream service's first version.
macro_rules! text {
    (name access) => { "oauth_access_token" };
    (name refresh) => { "oauth_refresh_token" };
    (name key) => { "oauth_dpop_private_key_multibase" };
    (postgres has $column:ident) => { concat!("a.", text!(name $column), "::text <> ''::text") };
    (postgres get $column:ident) => { concat!("nullif(a.", text!(name $column), "::text, ''::text)") };
    (postgres pair) => {
        "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
            coalesce(a.oauth_access_token::text, ''::text) || ' '::text || coalesce(a.oauth_refresh_token::text, ''::text),
            'UTF8'::name)), 'hex'::text)"
    };
    (postgres put $argument:literal) => { concat!($argument, "::text") };
    (postgres stands $column:ident $argument:literal) => {
        concat!("a.", text!(name $column), "::text IS NOT DISTINCT FROM ", $argument, "::text")
    };
    (postgres other $column:ident $start:literal) => {
        concat!("NOT pg_catalog.starts_with(coalesce(", text!(postgres get $column), ", ", $start, "::text), ", $start, "::text)")
    };
    (sqlite has $column:ident) => { concat!("a.", text!(name $column), " <> ''") };
    (sqlite get $column:ident) => { concat!("nullif(a.", text!(name $column), ", '')") };
    (sqlite pair) => {
        "hex(substr(coalesce(a.oauth_access_token, ''), -32) || ' ' || substr(coalesce(a.oauth_refresh_token, ''), -32))"
    };
    (sqlite put $argument:literal) => { $argument };
    (sqlite stands $column:ident $argument:literal) => { concat!("a.", text!(name $column), " IS ", $argument) };
    (sqlite other $column:ident $start:literal) => {
        concat!("substr(coalesce(", text!(sqlite get $column), ", ", $start, "), 1, length(", $start, ")) <> ", $start)
    };
}

/// The columns of bytes, with an envelope's characters in them.
macro_rules! bytes {
    (name access) => { "oauth_access_token_encrypted" };
    (name refresh) => { "oauth_refresh_token_encrypted" };
    (name key) => { "oauth_dpop_private_key_encrypted" };
    (postgres has $column:ident) => { concat!("pg_catalog.octet_length(a.", bytes!(name $column), ") > 0") };
    (postgres get $column:ident) => { concat!("nullif(a.", bytes!(name $column), ", ''::bytea)") };
    (postgres pair) => {
        "pg_catalog.encode(pg_catalog.sha256(coalesce(a.oauth_access_token_encrypted, ''::bytea)
            || coalesce(a.oauth_refresh_token_encrypted, ''::bytea)), 'hex'::text)"
    };
    (postgres put $argument:literal) => { concat!("pg_catalog.convert_to(", $argument, "::text, 'UTF8'::name)") };
    (postgres stands $column:ident $argument:literal) => {
        concat!("a.", bytes!(name $column), " IS NOT DISTINCT FROM ", bytes!(postgres put $argument))
    };
    (postgres other $column:ident $start:literal) => {
        concat!(
            "coalesce(pg_catalog.substring(", bytes!(postgres get $column), ", 1, pg_catalog.octet_length(", $start,
            "::text)) <> pg_catalog.convert_to(", $start, "::text, 'UTF8'::name), false)"
        )
    };
    (sqlite has $column:ident) => { concat!("length(a.", bytes!(name $column), ") > 0") };
    (sqlite get $column:ident) => { concat!("CASE WHEN length(a.", bytes!(name $column), ") > 0 THEN a.", bytes!(name $column), " END") };
    (sqlite pair) => {
        "hex(substr(coalesce(a.oauth_access_token_encrypted, ''), -32)) || ' '
            || hex(substr(coalesce(a.oauth_refresh_token_encrypted, ''), -32))"
    };
    (sqlite put $argument:literal) => { concat!("CAST(", $argument, " AS BLOB)") };
    (sqlite stands $column:ident $argument:literal) => {
        concat!("a.", bytes!(name $column), " IS ", bytes!(sqlite put $argument))
    };
    (sqlite other $column:ident $start:literal) => {
        concat!("substr(CAST(coalesce(", bytes!(sqlite get $column), ", ", $start, ") AS TEXT), 1, length(", $start, ")) <> ", $start)
    };
}

/// The columns of bytes, with envelopes in them and with what the database has encrypted; envelopes are written. What is
/// neither raises an error, which is why no statement decrypts more than one row.
macro_rules! both {
    (postgres get $column:ident) => {
        concat!(
            "CASE WHEN pg_catalog.substring(a.", bytes!(name $column), ", 1, 10) = 'keyward.1.'::bytea THEN a.",
            bytes!(name $column), " ELSE pgcrypto.pgp_sym_decrypt_bytea(nullif(a.", bytes!(name $column), ", ''::bytea), ",
            both!(postgres passphrase), ") END"
        )
    };
    (postgres passphrase) => {
        "(SELECT pg_catalog.encode(k.key_data, 'hex'::text) FROM encryption_keys k WHERE k.id = 1)"
    };
    ($($other:tt)*) => { bytes!($($other)*) };
}

/// The columns of bytes, which the database encrypts. Envelopes are read too.
macro_rules! database {
    (postgres get $column:ident) => { both!(postgres get $column) };
    (postgres put $argument:literal) => {
        concat!("pgcrypto.pgp_sym_encrypt(", $argument, "::text, ", both!(postgres passphrase), ")")
    };
    // Also that it can be read back.
    (postgres stands $column:ident $argument:literal) => {
        concat!(
            "(a.", bytes!(name $column), " IS NULL) = (", $argument, "::text IS NULL) AND ", both!(postgres get $column),
            " IS NOT DISTINCT FROM pg_catalog.convert_to(", $argument, "::text, 'UTF8'::name)"
        )
    };
    ($($other:tt)*) => { bytes!($($other)*) };
}
