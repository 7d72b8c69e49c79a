//! `verify`: the verdict on a presented key.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::time::Duration;

use keyward::Secret;
use keyward::key::{Authenticated, DisplayPrefix, KeyId, MAX_PRESENTED_LEN, Refusal};
use keyward::service::LastUsedMetrics;
use serde_json::json;
use zeroize::Zeroizing;

use crate::arguments::VerifyArguments;
use crate::commands::Session;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{self, Document, object, remark};
use crate::schema::{CommandSchema, NotPermitted};

/// How long to wait for the write that records a use.
const RECORDING: Duration = Duration::from_secs(5);

impl<S: CommandSchema> Session<S> {
    /// Prints the verdict before the use is written, so that nobody waits for the write.
    pub(super) async fn verify(&self, arguments: &VerifyArguments<S>) -> Result<ExitCode, Failure> {
        let presented = read_key()?;
        let accepted = match self.check(&presented).await? {
            Ok(accepted) => accepted,
            Err(refusal) => return output::print(&refused(&refusal)?, self.json),
        };
        let mut fields = self.describe(accepted.record());
        let verdict = match S::permits(accepted.details(), &arguments.options) {
            Ok(()) => {
                fields.insert(0, ("accepted", json!(true)));
                Document::fields(fields)
            }
            Err(NotPermitted { code, explanation }) => {
                fields.splice(0..0, [("accepted", json!(false)), ("reason", json!(code))]);
                Document::refused(object(&fields), format!("refused: {explanation}"))
            }
        };
        let printed = output::print(&verdict, self.json);
        if !arguments.dry_run
            && let Err(failure) = self.record().await
        {
            // A use that could not be recorded does not make the key worse.
            remark(&format!("keyward: the use was not recorded: {}", failure.message()));
        }
        printed
    }

    async fn check(&self, presented: &Secret) -> Result<Result<Authenticated<S>, Refusal>, Failure> {
        let verdict = async { Ok::<_, Failure>(self.keys.verify(presented.expose_secret()).await) };
        within(self.timeout, verdict).await
    }

    async fn record(&self) -> Result<(), Failure> {
        within(self.timeout.min(RECORDING), self.keys.flush_last_used()).await?;
        let LastUsedMetrics { pending, refused, .. } = self.keys.last_used_metrics();
        match (pending, refused) {
            (0, 0) => Ok(()),
            (0, _) => Err(Failure::refused("the database refuses it")),
            _ => Err(Failure::refused("somebody else holds a lock on the key's row")),
        }
    }
}

fn refused(refusal: &Refusal) -> Result<Document, Failure> {
    if let Some(outage) = refusal.outage() {
        return Err(Failure::unavailable(outage));
    }
    let id = refusal.key_id().map(KeyId::as_str);
    let prefix = refusal.display_prefix().map(DisplayPrefix::as_str);
    let json = json!({ "accepted": false, "reason": refusal.reason().code(), "id": id, "prefix": prefix });
    Ok(Document::refused(json, format!("refused: {}", refusal.reason())))
}

/// The key: a line that is typed without being shown, or all of standard input without the line break that a shell
/// puts behind it. What is not text cannot be a key.
fn read_key() -> Result<Secret, Failure> {
    let unreadable = |error: std::io::Error| Failure::usage(format!("the key could not be read: {error}"));
    if std::io::stdin().is_terminal() {
        return Ok(Secret::new(rpassword::prompt_password("key: ").map_err(unreadable)?));
    }
    let longest = u64::try_from(MAX_PRESENTED_LEN).unwrap_or(u64::MAX).saturating_add(3);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PRESENTED_LEN + 3));
    std::io::stdin().lock().take(longest).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = Secret::new(String::from_utf8_lossy(&bytes).into_owned());
    let line = text.expose_secret();
    Ok(Secret::new(line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned()))
}
