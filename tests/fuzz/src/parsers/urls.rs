//! URLs of databases.

#[path = "../../../../src/sql/engine/url.rs"]
mod url;

use url::{Target, parse};

/// A URL leads to a file that it names, makes one only where it says so, and no error repeats what stands behind `=`.
pub(crate) fn urls(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(Target::Postgres) => assert!(text.starts_with("postgres://") || text.starts_with("postgresql://")),
        Ok(Target::SqliteMemory) => assert!(text.starts_with("sqlite:")),
        Ok(Target::SqliteFile { path, create }) => {
            let path = path.to_str().expect("UTF-8");
            assert!(text.starts_with("sqlite:") && !path.is_empty() && !path.contains('\0'), "{text:?}");
            assert!(path.len() <= text.len() && (!create || text.contains('?')), "{text:?}");
            // Written the long way, the path leads to the same file.
            let encoded = path.bytes().fold("sqlite:".to_owned(), |url, byte| format!("{url}%{byte:02x}"));
            let again = parse(&encoded).expect("a path");
            assert!(matches!(again, Target::SqliteFile { path: same, create: false } if same.to_str() == Some(path)));
        }
        Err(error) => {
            let value =
                text.split_once('?').and_then(|(_, parameters)| parameters.split_once('=')).map(|(_, value)| value);
            let message = error.to_string();
            assert!(value.is_none_or(|value| value.len() < 120 || !message.contains(value)), "{message}");
        }
    }
}
