//! `import`: taking over keys that another service made, a JSON object a line.

use std::io;

use keyward::KeysError;
use keyward::key::{DisplayPrefix, KeyDigest};
use keyward::store::StoreError;
use serde_json::{Map, Value, json};

use crate::commands::Session;
use crate::database::within;
use crate::failure::Failure;
use crate::output::{Document, remark};
use crate::progress::Progress;
use crate::schema::CommandSchema;

/// How often the count is shown.
const STEP: u64 = 100;

/// How many characters of a key have to stay hidden.
const HIDDEN: usize = 8;

impl<S: CommandSchema> Session<S> {
    /// Imports line by line. What is wrong with a line is reported, and the next one is read.
    pub(super) async fn import(&self) -> Result<Document, Failure> {
        let progress = Progress::of("imported");
        let (mut imported, mut number, mut failures) = (0_u64, 0_u64, Vec::new());
        let mut text = String::new();
        loop {
            text.clear();
            number = number.saturating_add(1);
            let read = io::stdin().read_line(&mut text);
            let done = format!("{imported} were imported before");
            match read {
                Ok(0) => break,
                Ok(_) if text.trim().is_empty() => continue,
                Ok(_) => {}
                Err(error) => return Err(Failure::usage(format!("line {number} cannot be read: {error}")).after(&done)),
            }
            match self.import_line(&text).await {
                Ok(()) => imported = imported.saturating_add(1),
                Err(Problem::OfLine(message)) => {
                    progress.clear();
                    remark(&format!("line {number}: {message}"));
                    failures.push(json!({ "line": number, "message": message }));
                }
                Err(Problem::OfDatabase(failure)) => {
                    progress.clear();
                    return Err(failure.after(&format!("this was line {number}, and {done}")));
                }
            }
            if number % STEP == 0 {
                progress.show(imported);
            }
        }
        progress.clear();
        let accepted = failures.is_empty();
        let line = if accepted {
            format!("imported {imported}")
        } else {
            let failed = failures.len() as u64;
            let lines = if failed == 1 { "line" } else { "lines" };
            format!("imported {imported} of {}; {failed} {lines} failed", imported.saturating_add(failed))
        };
        let json = json!({ "imported": imported, "failures": failures });
        Ok(Document { accepted, ..Document::lines(json, [line]) })
    }

    async fn import_line(&self, text: &str) -> Result<(), Problem> {
        let mut line = ImportLine::parse(text)?;
        let digest = line.digest()?;
        let mut draft = S::import(&self.settings, &mut line)?;
        let prefix = DisplayPrefix::new(line.required("prefix")?).map_err(|error| format!("the prefix {error}"))?;
        if let Some(expires_at) = line.text("expires_at")? {
            draft.expires_at = Some(expires_at.parse().map_err(|error| format!("expires_at is {error}"))?);
        }
        line.end()?;
        let importing = async { Ok::<_, Failure>(self.keys.import(draft, digest, prefix).await) };
        match within(self.timeout, importing).await.map_err(Problem::OfDatabase)? {
            Ok(_) => Ok(()),
            Err(KeysError::Store(StoreError::Conflict)) => Err("the key is there already".to_owned().into()),
            Err(error) => {
                let failure = Failure::from(error);
                let is_unavailable = failure.is_unavailable();
                Err(if is_unavailable { Problem::OfDatabase(failure) } else { failure.message().to_owned().into() })
            }
        }
    }
}

/// Why a line was not imported.
enum Problem {
    /// The next one may be.
    OfLine(String),
    /// No other would be.
    OfDatabase(Failure),
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self::OfLine(message)
    }
}

/// The fields of a line, each of which is taken once. No error repeats a value.
pub(crate) struct ImportLine(Map<String, Value>);

impl ImportLine {
    fn parse(text: &str) -> Result<Self, String> {
        // The parser's own words may repeat the line.
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err("not a JSON object".to_owned()),
            Err(error) => Err(format!("not a JSON object, from character {} on", error.column())),
        }
    }

    /// The field that has to be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?.ok_or_else(|| format!("{name} is required"))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} must be a text")),
        }
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, String> {
        let refused = || format!("{name} must be a list of texts");
        let text = |item: Value| item.as_str().map(str::to_owned).ok_or_else(refused);
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items.into_iter().map(text).collect(),
            Some(_) => Err(refused()),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u32>, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                number.map(Some).ok_or_else(|| format!("{name} must be a whole number"))
            }
        }
    }

    fn digest(&mut self) -> Result<KeyDigest, String> {
        let text = self.required("digest")?.to_ascii_lowercase();
        KeyDigest::from_hex(&text).ok_or_else(|| "digest must be 64 hexadecimal digits".to_owned())
    }

    /// The display prefix is one of a key that starts with `foreign` and has at least `shortest` characters, and it
    /// leaves enough of the key hidden.
    pub(crate) fn check_prefix(&self, foreign: &str, shortest: usize) -> Result<(), String> {
        let prefix = self.0.get("prefix").and_then(Value::as_str).unwrap_or_default();
        if !prefix.starts_with(foreign) {
            return Err("prefix does not start with --foreign-prefix".to_owned());
        }
        if prefix.len().saturating_add(HIDDEN) > shortest {
            return Err(format!("prefix must leave at least {HIDDEN} characters of the shortest key hidden"));
        }
        Ok(())
    }

    /// Nothing may be left that was not understood: it would be taken for granted.
    fn end(&self) -> Result<(), String> {
        let Some(name) = self.0.keys().next() else { return Ok(()) };
        let is_plain = name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        Err(if is_plain { format!("there is no field {name}") } else { "there is an unknown field".to_owned() })
    }
}
