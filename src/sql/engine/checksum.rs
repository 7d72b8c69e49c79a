//! The checksum of a statement's text, blind to what makes no difference to the database.

use sha2::{Digest, Sha256};

/// SHA-256 in hexadecimal over `sql` without its comments, and with one space for any white space between the words.
pub(super) fn checksum(sql: &str) -> String {
    hex::encode(Sha256::digest(folded(sql)))
}

fn folded(sql: &str) -> String {
    let mut folded = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest);
        if length > 0 {
            if !folded.is_empty() && !folded.ends_with(' ') {
                folded.push(' ');
            }
            rest = &rest[length..];
        } else {
            let (kept, behind) = rest.split_at(quoted_length(rest).unwrap_or_else(|| first.len_utf8()));
            folded.push_str(kept);
            rest = behind;
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// How long the white space or the comment is at the start of `text`; 0 where there is none.
fn blank_length(text: &str) -> usize {
    if text.starts_with("--") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    text.len() - text.trim_start().len()
}

/// How long the text in quotes is at the start of `text`: `'…'`, `"…"`, or PostgreSQL's `$tag$…$tag$`. What looks like
/// a comment or white space in there is neither.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = match text.as_bytes().first()? {
        b'\'' => "'",
        b'"' => "\"",
        b'$' => {
            let end = text[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_')? + 1;
            // `$1` is an argument.
            let is_tag = text[end..].starts_with('$') && !text[1..].starts_with(|c: char| c.is_ascii_digit());
            is_tag.then(|| &text[..=end])?
        }
        _ => return None,
    };
    let inside = &text[quote.len()..];
    Some(inside.find(quote).map_or(text.len(), |end| quote.len() + end + quote.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_white_space_make_no_difference() {
        let plain = "CREATE TABLE a (b text);";
        for same in [
            "  CREATE  TABLE a\n\t(b text);\n",
            "-- why\nCREATE TABLE a (b text);",
            "CREATE /* what */ TABLE a (b text); -- done",
            "CREATE TABLE a (b text);/* and\nso on */",
        ] {
            assert_eq!(checksum(same), checksum(plain), "{same}");
        }
        assert_eq!(checksum(plain).len(), 64);
    }

    #[test]
    fn everything_else_does() {
        let plain = "SELECT ' -- a', \"b  c\", $$ /* d */ $$, $e$ -- f $e$ WHERE g = $1";
        for other in [
            "SELECT ' -- A', \"b  c\", $$ /* d */ $$, $e$ -- f $e$ WHERE g = $1",
            "SELECT '  -- a', \"b  c\", $$ /* d */ $$, $e$ -- f $e$ WHERE g = $1",
            "SELECT ' -- a', \"b c\", $$ /* d */ $$, $e$ -- f $e$ WHERE g = $1",
            "SELECT ' -- a', \"b  c\", $$ $$, $e$ -- f $e$ WHERE g = $1",
            "SELECT ' -- a', \"b  c\", $$ /* d */ $$, $e$ $e$ WHERE g = $1",
            "SELECT ' -- a', \"b  c\", $$ /* d */ $$, $e$ -- f $e$ WHERE g = $2",
        ] {
            assert_ne!(checksum(other), checksum(plain), "{other}");
        }
    }

    #[test]
    fn an_unfinished_text_does_no_harm() {
        for text in ["", " ", "--", "/*", "'", "\"", "$", "$$", "$a", "$a$", "é 'é"] {
            checksum(text);
        }
    }
}
