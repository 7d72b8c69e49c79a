//! What needs no database: rules for secret scanners, completions, and manual pages.

use clap_complete::{Shell, generate};
use keyward::key::KeyFormat;
use serde_json::json;

use crate::arguments::whole;
use crate::failure::Failure;
use crate::output::{Document, Text, remark};
use crate::schema::{CommandSchema, SCHEMAS};

/// The rules of the schema that was named, or else of all whose form is known: one for each form that is accepted.
pub(super) fn scanner_rules<S: CommandSchema>(settings: &S::Settings, is_named: bool) -> Result<Document, Failure> {
    let own = match S::scanned(settings) {
        Err(failure) if !is_named => {
            remark(&format!("there is no rule for {}: {}", S::NAME, failure.message()));
            Vec::new()
        }
        own => own?,
    };
    let others = SCHEMAS.iter().filter(|other| !is_named && other.name != S::NAME);
    let others = others.filter_map(|other| Some((other.name, other.format?)));
    let formats = own.into_iter().map(|format| (S::NAME, format)).chain(others);
    let rule = |(name, format): (&'static str, KeyFormat)| {
        let (prefix, regex) = (format.prefix().to_string(), format.scanner_regex());
        (json!({ "schema": name, "prefix": prefix, "regex": regex }), format!("{name}  {regex}"))
    };
    let (rules, lines): (Vec<_>, Vec<_>) = formats.map(rule).unzip();
    Ok(Document::lines(json!({ "rules": rules }), lines))
}

pub(super) fn completions(shell: Shell) -> Document {
    let mut script = Vec::new();
    generate(shell, &mut whole(), "keyward", &mut script);
    file("script", &script)
}

/// The page of the whole program, or of one of its commands, which may be one of another's.
pub(super) fn manual(command: &[String]) -> Result<Document, Failure> {
    let mut program = whole();
    program.build();
    let described = command.iter().try_fold(&program, |above, name| above.find_subcommand(name));
    let described = described.ok_or_else(|| Failure::usage("there is no such command"))?;
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(described.clone()).render(&mut page);
    rendered.map_err(|error| Failure::refused(error.to_string()))?;
    Ok(file("page", &page))
}

fn file(name: &'static str, content: &[u8]) -> Document {
    let content = String::from_utf8_lossy(content).into_owned();
    Document::new(json!({ name: content }), Text::File(content))
}
