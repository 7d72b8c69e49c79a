//! How results are printed: one JSON document, or text for people.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use keyward::{Secret, Visible};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// What a command has to say.
pub(crate) struct Document {
    pub(crate) json: Value,
    pub(crate) text: Text,
    /// What is not as it should be although the command was carried out, for standard error in both forms.
    pub(crate) warnings: Vec<String>,
    pub(crate) accepted: bool,
}

/// What people see.
pub(crate) enum Text {
    /// The plaintext alone on standard output, so that it can be piped, and the rest beside it.
    Secret { name: &'static str, secret: Secret, remarks: Vec<String>, lost: Lost },
    /// A document that is secret as a whole, and the same in both forms.
    #[cfg(feature = "reqwest")]
    Export { document: Secret, remarks: Vec<String>, lost: Lost },
    /// One thing, a field a line.
    Fields(Fields),
    /// Several things, one a line.
    Table { rows: Vec<Fields>, columns: &'static [&'static str], remarks: Vec<String> },
    /// Plain lines.
    Lines(Vec<String>),
    /// A file of another program's, exactly.
    File(String),
    /// Why a key was refused, for standard error.
    Refusal(String),
}

/// What is said when a plaintext does not reach anybody.
pub(crate) struct Lost {
    /// What was done all the same.
    pub(crate) what: String,
    /// What that means, and what to do.
    pub(crate) then: String,
}

impl Lost {
    fn because(&self, error: &io::Error) -> Failure {
        let Self { what, then } = self;
        Failure::refused(format!("{what}, but could not be written out: {error}; {then}"))
    }
}

/// Named values in the order in which people read them.
pub(crate) type Fields = Vec<(&'static str, Value)>;

impl Document {
    pub(crate) fn new(json: Value, text: Text) -> Self {
        Self { json, text, warnings: Vec::new(), accepted: true }
    }

    pub(crate) fn lines(json: Value, lines: impl Into<Vec<String>>) -> Self {
        Self::new(json, Text::Lines(lines.into()))
    }

    /// One more line for people.
    #[cfg(feature = "reqwest")]
    pub(crate) fn push(&mut self, line: &str) {
        if let Text::Lines(lines) = &mut self.text {
            lines.push(line.to_owned());
        }
    }

    pub(crate) fn fields(fields: Fields) -> Self {
        Self::new(object(&fields), Text::Fields(fields))
    }

    pub(crate) fn refused(json: Value, reason: impl Into<String>) -> Self {
        Self { accepted: false, ..Self::new(json, Text::Refusal(reason.into())) }
    }
}

pub(crate) fn object(fields: &Fields) -> Value {
    Value::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>())
}

pub(crate) fn print(document: &Document, json: bool) -> Result<ExitCode, Failure> {
    let printed = match (&document.text, json) {
        (Text::Secret { name, secret, .. }, true) => print_with_secret(&document.json, name, secret),
        #[cfg(feature = "reqwest")]
        (Text::Export { document, .. }, true) => print_lines([document.expose_secret()]),
        (_, true) => print_json(&document.json),
        (text, false) => print_text(text),
    };
    match (printed, &document.text) {
        (Ok(()), _) => {}
        (Err(error), Text::Secret { lost, .. }) => return Err(lost.because(&error)),
        #[cfg(feature = "reqwest")]
        (Err(error), Text::Export { lost, .. }) => return Err(lost.because(&error)),
        // A reader who has seen enough, such as `head`, is no failure.
        (Err(error), _) if error.kind() == ErrorKind::BrokenPipe => {}
        (Err(error), _) => return Err(Failure::refused(format!("it is done, but could not be shown: {error}"))),
    }
    if let Text::Refusal(reason) = &document.text {
        remark(reason);
    }
    remark_all(&document.warnings);
    Ok(if document.accepted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub(crate) fn print_json(document: &Value) -> io::Result<()> {
    print_lines([exactly(document)])
}

/// The document with `\u202e` for what nobody sees, which reads back as the same text.
fn exactly(document: &Value) -> String {
    let mut json = String::new();
    // Such characters stand within texts alone.
    for character in document.to_string().chars() {
        if Visible::writes_out(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a text does not fail.
                let _ = write!(json, "\\u{unit:04x}");
            }
        } else {
            json.push(character);
        }
    }
    json
}

/// The document with the plaintext as its last field, which is nowhere else.
fn print_with_secret(document: &Value, name: &str, secret: &Secret) -> io::Result<()> {
    let document = exactly(document);
    let fields = document.strip_suffix('}').unwrap_or(&document);
    // A token of another server's may have characters that have to be escaped.
    let quoted = Zeroizing::new(serde_json::to_string(secret.expose_secret())?);
    print_lines([Zeroizing::new(format!(r#"{fields},"{name}":{}}}"#, quoted.as_str()))].map(Line))
}

/// A line that is wiped after it was printed.
struct Line(Zeroizing<String>);

impl AsRef<str> for Line {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn print_text(text: &Text) -> io::Result<()> {
    match text {
        Text::Secret { secret, remarks, .. } => {
            print_lines([secret.expose_secret()])?;
            remark_all(remarks);
            Ok(())
        }
        #[cfg(feature = "reqwest")]
        Text::Export { document, remarks, .. } => {
            print_lines([document.expose_secret()])?;
            remark_all(remarks);
            Ok(())
        }
        Text::Fields(fields) => {
            let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            print_lines(fields.iter().map(|(name, value)| format!("{name:width$}  {}", plain(value))))
        }
        Text::Table { rows, columns, remarks } => {
            print_lines(table(rows, columns))?;
            remark_all(remarks);
            Ok(())
        }
        Text::Lines(lines) => print_lines(lines.iter().map(|line| Visible(line).to_string())),
        Text::File(content) => {
            let mut output = io::stdout().lock();
            output.write_all(content.as_bytes())?;
            output.flush()
        }
        Text::Refusal(_) => Ok(()),
    }
}

fn table(rows: &[Fields], columns: &[&'static str]) -> Vec<String> {
    let cell = |row: &Fields, column: &str| {
        row.iter().find(|(name, _)| *name == column).map(|(_, value)| plain(value)).unwrap_or_default()
    };
    let header: Vec<_> = columns.iter().map(|column| column.to_uppercase()).collect();
    let body = rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect::<Vec<_>>());
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(body).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let aligned = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    aligned.collect()
}

/// A value as people read it: nothing is a dash, and several things are separated by spaces.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    // What is stored must not be able to steer the reader's terminal, nor to look like something else.
    Visible(&text).to_string()
}

/// `{"keys": […], "next": …}`, and the same as a table.
pub(crate) fn page(
    of: &str,
    rows: Vec<Fields>,
    columns: &'static [&'static str],
    next: Option<&str>,
    mut remarks: Vec<String>,
) -> Document {
    let items: Vec<_> = rows.iter().map(object).collect();
    remarks.extend(next.map(|next| format!("more: --after {}", Visible(next))));
    Document::new(json!({ of: items, "next": next }), Text::Table { rows, columns, remarks })
}

/// Takes away the item beyond `limit` that was asked for to find out whether there are more, and says behind which one they
/// begin.
#[cfg(any(feature = "broker", feature = "reqwest"))]
pub(crate) fn cut<T>(items: &mut Vec<T>, limit: u32, id: impl FnOnce(&T) -> &str) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_whole = items.len() <= limit;
    items.truncate(limit);
    items.last().filter(|_| !is_whole).map(|last| id(last).to_owned())
}

pub(crate) fn print_lines(lines: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in lines {
        writeln!(output, "{}", line.as_ref())?;
    }
    output.flush()
}

/// For people beside the output. Whoever closed standard error does not want to know.
pub(crate) fn remark(line: &str) {
    let _ = writeln!(io::stderr(), "{}", Visible(line));
}

fn remark_all(lines: &[String]) {
    for line in lines {
        remark(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_exact_and_shows_what_nobody_sees() {
        let odd: String = ('\0'..=char::MAX).filter(|one| Visible::writes_out(*one)).collect();
        let document = Document::fields(vec![("name", json!(odd)), ("plain", json!("données – 鍵 🔑"))]);
        let printed = exactly(&document.json);
        assert!(!printed.contains(Visible::writes_out));
        assert!(
            printed.contains("\\u202e") && printed.contains("\\udb40\\udc01") && printed.contains("données – 鍵 🔑")
        );
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), document.json);
    }

    #[test]
    fn what_people_see_can_neither_steer_the_terminal_nor_hide() {
        assert_eq!(plain(&json!(["a\u{1b}[31mb", "c\u{202e}d\n"])), r"a\u{1b}[31mb c\u{202e}d\u{a}");
        assert_eq!(plain(&json!({ "n\u{200b}": "é" })), "{\"n\\u{200b}\":\"é\"}");
    }
}
