//! The commands, over whichever system and engine.

use std::io::Read as _;
use std::time::Duration;

use keyward::aggregator::Aggregator;
use keyward::key::{
    Draft, Issued, KeyFormat, KeyHead, KeyId, KeyRecord, MAX_PRESENTED_LENGTH, OwnerId, Profile as _, RevocationReason,
    Status,
};
use keyward::mesh::{Mesh, StrictMesh};
use keyward::scraper::Scraper;
use keyward::service::Revoked;
use keyward::sql::check::Difference;
use keyward::store::{DynKeyStore, KeyStore as _};
use keyward::{Keys, Secret, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use crate::arguments::{Arguments, Command, Expiry, ListArguments, RevokeArguments, SystemName, VerifyArguments};
use crate::database::Database;
use crate::failure::Failure;
use crate::output::{self, Document, Fields, Text};
use crate::system::{NotPermitted, System};

/// A system's keys, whichever the engine.
type AnyKeys<P> = Keys<Box<DynKeyStore<<P as keyward::key::Profile>::Details>>>;

/// For how long a rotated key stays accepted unless the operator says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_hours(24);

pub(crate) async fn run(arguments: Arguments) -> Result<Document, Failure> {
    if matches!(arguments.command, Command::ScannerRules) {
        return Ok(scanner_rules(arguments.schema));
    }
    let url = arguments.db.ok_or_else(|| Failure::usage("--db is required: sqlite:PATH or postgres://…"))?;
    let schema = arguments.schema.ok_or_else(|| Failure::usage("--schema is required"))?;
    match (schema, arguments.command) {
        (SystemName::Scraper, command) => run_on(Scraper, &url, command).await,
        (SystemName::Mesh, Command::Verify(verify)) if verify.strict => {
            run_on(StrictMesh, &url, Command::Verify(verify)).await
        }
        (SystemName::Mesh, command) => run_on(Mesh, &url, command).await,
        (SystemName::Aggregator, command) => run_on(Aggregator, &url, command).await,
    }
}

async fn run_on<P: System>(profile: P, url: &str, command: Command) -> Result<Document, Failure> {
    let connect = async || {
        let store = Database::<P>::open(url, false).await?.into_store();
        Ok::<_, Failure>(Keys::builder(profile, store).build())
    };
    match command {
        Command::Migrate => migrate(&Database::<P>::open(url, true).await?).await,
        Command::Check => Ok(check(&Database::<P>::open(url, false).await?.check().await?, Vec::new())),
        Command::ScannerRules => Ok(scanner_rules(Some(P::SYSTEM))),
        // What was typed is looked at before a database is.
        Command::Issue(arguments) => {
            arguments.check_for(P::SYSTEM)?;
            let draft = P::draft(&arguments)?;
            issue::<P>(&connect().await?, draft, arguments.expires).await
        }
        Command::Verify(arguments) => {
            arguments.check_for(P::SYSTEM)?;
            verify::<P>(&connect().await?, &arguments).await
        }
        Command::List(arguments) => list::<P>(&connect().await?, arguments).await,
        Command::Show { id } => show::<P>(&connect().await?, &id).await,
        Command::Info { owner } => info::<P>(&connect().await?, &owner).await,
        Command::Revoke(arguments) => revoke::<P>(&connect().await?, arguments).await,
        Command::RevokeAll { owner, reason } => revoke_all::<P>(&connect().await?, &owner, reason).await,
        Command::Rotate { id, grace, expires } => {
            let grace = grace.unwrap_or(if P::ONLY_KEY { Duration::ZERO } else { DEFAULT_GRACE });
            rotate::<P>(&connect().await?, &id, grace, expires).await
        }
    }
}

async fn migrate<P: System>(database: &Database<P>) -> Result<Document, Failure> {
    let applied = database.migrate().await?;
    let told = applied.iter().map(|name| format!("applied {name}")).collect();
    let mut document = check(&database.check().await?, told);
    document.json["applied"] = json!(applied);
    Ok(document)
}

/// Differences that keyward can live with are told, and are no failure.
fn check(differences: &[Difference], mut lines: Vec<String>) -> Document {
    let breaking = differences.iter().any(|difference| difference.breaking);
    lines.extend(differences.iter().map(|difference| {
        let weight = if difference.breaking { "breaking" } else { "harmless" };
        format!("{weight}: {difference}")
    }));
    if differences.is_empty() {
        lines.push("the tables are as expected".to_owned());
    }
    let told: Vec<_> = differences
        .iter()
        .map(|Difference { object, expected, found, breaking, .. }| {
            json!({ "object": object, "expected": expected, "found": found, "breaking": breaking })
        })
        .collect();
    Document { accepted: !breaking, ..Document::lines(json!({ "differences": told }), lines) }
}

async fn issue<P: System>(
    keys: &AnyKeys<P>,
    mut draft: Draft<P::Details>,
    expires: Option<Expiry>,
) -> Result<Document, Failure> {
    draft.expires_at = expires.map(|expires| expires.from(keys.now()));
    let issued = if P::ONLY_KEY { keys.issue_only(draft).await? } else { keys.issue(draft).await? };
    let fields = key_fields::<P>(&issued.record, keys.now());
    let remark = format!("issued {} for {}", issued.record.head.id, issued.record.head.owner);
    Ok(hand_out(&issued, fields, remark))
}

async fn rotate<P: System>(
    keys: &AnyKeys<P>,
    id: &KeyId,
    grace: Duration,
    expires: Option<Expiry>,
) -> Result<Document, Failure> {
    let expires_at = expires.map(|expires| expires.from(keys.now()));
    let rotated = keys.rotate(id, grace, expires_at).await?;
    let (id, accepted_until) = (&rotated.predecessor, rotated.accepted_until);
    let mut fields = vec![("predecessor", json!(id.as_str())), ("accepted_until", time(Some(accepted_until)))];
    fields.extend(key_fields::<P>(&rotated.successor.record, keys.now()));
    Ok(hand_out(&rotated.successor, fields, format!("{id} is accepted until {accepted_until}")))
}

/// The one place where a plaintext leaves the program.
fn hand_out<D>(issued: &Issued<D>, mut fields: Fields, remark: String) -> Document {
    let secret = issued.secret.expose_secret().to_owned();
    fields.push(("secret", json!(secret)));
    let remarks = vec![remark, "this is the only time that the key is shown".to_owned()];
    Document::new(output::object(&fields), Text::Secret { secret, remarks })
}

async fn verify<P: System>(keys: &AnyKeys<P>, arguments: &VerifyArguments) -> Result<Document, Failure> {
    let presented = read_key()?;
    let accepted = match keys.verify(presented.expose_secret()).await {
        Ok(accepted) => accepted,
        Err(refusal) => {
            if let Some(outage) = refusal.outage() {
                return Err(Failure::unavailable(outage));
            }
            let id = refusal.key_id().map(KeyId::as_str);
            let prefix = refusal.display_prefix().map(keyward::key::DisplayPrefix::as_str);
            let json = json!({ "accepted": false, "reason": refusal.reason().code(), "id": id, "prefix": prefix });
            return Ok(Document::refused(json, format!("refused: {}", refusal.reason())));
        }
    };
    if !arguments.dry_run {
        // A use that could not be recorded does not make the key worse.
        let _ = keys.flush_last_used().await;
    }
    let mut fields = key_fields::<P>(&accepted.clone().into_record(), keys.now());
    match P::permits(accepted.details(), arguments) {
        Ok(()) => {
            fields.insert(0, ("accepted", json!(true)));
            Ok(Document::fields(fields))
        }
        Err(NotPermitted { code, explanation }) => {
            fields.splice(0..0, [("accepted", json!(false)), ("reason", json!(code))]);
            Ok(Document::refused(output::object(&fields), format!("refused: {explanation}")))
        }
    }
}

/// The key on standard input, without the line break that a shell puts behind it. What is not text cannot be a key.
fn read_key() -> Result<Secret, Failure> {
    let longest = u64::try_from(MAX_PRESENTED_LENGTH).unwrap_or(u64::MAX).saturating_add(3);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PRESENTED_LENGTH + 3));
    std::io::stdin().lock().take(longest).read_to_end(&mut bytes).map_err(|error| Failure::usage(error.to_string()))?;
    let text = Secret::new(String::from_utf8_lossy(&bytes).into_owned());
    let line = text.expose_secret();
    Ok(Secret::new(line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned()))
}

async fn list<P: System>(keys: &AnyKeys<P>, arguments: ListArguments) -> Result<Document, Failure> {
    let page = keys.list(&arguments.owner, arguments.limit, arguments.after.as_ref()).await?;
    if page.keys.is_empty() {
        require_owner::<P>(keys, &arguments.owner).await?;
    }
    let now = keys.now();
    let rows = page.keys.iter().map(|key| key_fields::<P>(key, now)).collect();
    Ok(output::page(rows, P::COLUMNS, page.next.as_ref().map(KeyId::as_str)))
}

/// Nothing found is no answer for an owner that does not exist: its name may be mistyped.
async fn require_owner<P: System>(keys: &AnyKeys<P>, owner: &OwnerId) -> Result<(), Failure> {
    if keys.store().owner_exists(owner).await? { Ok(()) } else { Err(Failure::not_found("no such owner")) }
}

async fn show<P: System>(keys: &AnyKeys<P>, id: &KeyId) -> Result<Document, Failure> {
    let key = keys.show(id).await?.ok_or_else(|| Failure::not_found("no such key"))?;
    Ok(Document::fields(key_fields::<P>(&key, keys.now())))
}

async fn info<P: System>(keys: &AnyKeys<P>, owner: &OwnerId) -> Result<Document, Failure> {
    if !P::ONLY_KEY {
        return Err(Failure::usage("info is for owners with one key: use list"));
    }
    let mut fields = vec![("has_key", json!(false)), ("owner", json!(owner.as_str()))];
    if let Some(key) = keys.only_key(owner).await? {
        let is_revoked = matches!(key.head.status, Status::Revoked(_));
        fields = vec![("has_key", json!(true)), ("is_revoked", json!(is_revoked))];
        fields.extend(key_fields::<P>(&key, keys.now()));
    }
    Ok(Document::fields(fields))
}

/// Revokes the key that was found, and never one that takes its place meanwhile.
async fn revoke<P: System>(keys: &AnyKeys<P>, arguments: RevokeArguments) -> Result<Document, Failure> {
    let RevokeArguments { key, owner, reason } = arguments;
    let found = match (key, owner) {
        (None, Some(owner)) if P::ONLY_KEY => {
            keys.only_key(&owner).await?.ok_or_else(|| Failure::not_found("the owner has no key"))?
        }
        (Some(key), Some(owner)) => keys.resolve(&owner, &key).await?,
        (Some(_), None) if P::REVOKED_WITHIN_OWNER => return Err(Failure::usage("--owner is required")),
        (Some(key), None) => {
            let id = key.parse().map_err(|error| Failure::usage(format!("the identity {error}")))?;
            keys.show(&id).await?.ok_or_else(|| Failure::not_found("no such key"))?
        }
        (None, _) => return Err(Failure::usage("which key to revoke is required")),
    };
    let revoked = keys.revoke_seen(&found.head, reason.clone()).await?;
    Ok(tell_revoked(&found.head.id, revoked, reason))
}

async fn revoke_all<P: System>(
    keys: &AnyKeys<P>,
    owner: &OwnerId,
    reason: Option<RevocationReason>,
) -> Result<Document, Failure> {
    let revoked = keys.revoke_all(owner, reason).await?;
    if revoked == 0 {
        require_owner::<P>(keys, owner).await?;
    }
    Ok(Document::lines(json!({ "owner": owner.as_str(), "revoked": revoked }), [format!("revoked {revoked}")]))
}

fn tell_revoked(id: &KeyId, revoked: Revoked, reason: Option<RevocationReason>) -> Document {
    let (already, at, reason) = match revoked {
        Revoked::Now(at) => (false, Some(at), reason),
        Revoked::Before(first) => (true, first.at, first.reason),
    };
    let told = match (already, at) {
        (false, _) => format!("revoked {id}"),
        (true, Some(at)) => format!("{id} was already revoked at {at}"),
        (true, None) => format!("{id} was already inactive"),
    };
    let reason = reason.map(|reason| reason.to_string());
    let json = json!({
        "id": id.as_str(), "revoked_at": time(at), "already_revoked": already, "revocation_reason": reason,
    });
    Document::lines(json, [told])
}

/// Everything about a key that may be shown; neither its plaintext nor its digest.
fn key_fields<P: System>(key: &KeyRecord<P::Details>, now: Timestamp) -> Fields {
    let KeyHead { id, owner, prefix, created_at, last_used_at, expires_at, status, defect, .. } = &key.head;
    let state = key.head.standing(now).map_or_else(|reason| reason.code(), |()| "active");
    let mut fields = vec![
        ("id", json!(id.as_str())),
        ("owner", json!(owner.as_str())),
        ("prefix", json!(prefix.as_str())),
        ("state", json!(state)),
    ];
    fields.extend(P::describe(&key.details));
    fields.extend([
        ("created_at", time(*created_at)),
        ("last_used_at", time(*last_used_at)),
        ("expires_at", time(*expires_at)),
    ]);
    if let Status::Revoked(revocation) = status {
        let reason = revocation.reason.as_ref().map(ToString::to_string);
        fields.extend([("revoked_at", time(revocation.at)), ("revocation_reason", json!(reason))]);
    }
    if let Some(defect) = defect {
        fields.push(("defect", json!(defect.to_string())));
    }
    fields
}

fn time(at: Option<Timestamp>) -> serde_json::Value {
    json!(at.map(|at| at.to_string()))
}

fn scanner_rules(only: Option<SystemName>) -> Document {
    let formats: [(SystemName, &str, KeyFormat); 3] = [
        (SystemName::Scraper, Scraper::NAME, Scraper::FORMAT),
        (SystemName::Mesh, Mesh::NAME, Mesh::FORMAT),
        (SystemName::Aggregator, Aggregator::NAME, Aggregator::FORMAT),
    ];
    let wanted = formats.into_iter().filter(|(system, ..)| only.is_none_or(|only| only == *system));
    let (rules, lines): (Vec<_>, Vec<_>) = wanted
        .map(|(_, name, format)| {
            let regex = format.scanner_regex();
            (json!({ "schema": name, "prefix": format.prefix(), "regex": regex }), format!("{name}  {regex}"))
        })
        .unzip();
    Document::lines(json!({ "rules": rules }), lines)
}
