//! Text as a person may read it: with nothing in it that steers a terminal, turns the line around or stays unseen.

use std::error::Error;
use std::fmt::{self, Write as _};

/// Shows a text with every character that nobody sees written out, such as `\u{202e}`: control characters, line
/// breaks included, those that change the direction of writing, and those without width.
///
/// Names, reasons and identities print themselves like this. It is for people and cannot be read back: compare and
/// store what `as_str` returns, never what was printed.
///
/// ```
/// use keyward::Visible;
/// use keyward::key::KeyName;
///
/// let name = KeyName::new("report\u{202e}fdp.exe")?;
/// assert_eq!(name.to_string(), r"report\u{202e}fdp.exe");
/// assert_eq!(Visible(name.as_str()).to_string(), name.to_string());
/// assert_eq!(Visible("données – 鍵 🔑").to_string(), "données – 鍵 🔑");
/// # Ok::<(), keyward::key::InvalidText>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it says all there is to say")]
pub struct Visible<'t>(pub &'t str);

impl Visible<'_> {
    /// Whether `character` is written out.
    #[must_use]
    pub fn writes_out(character: char) -> bool {
        is_hidden(character)
    }
}

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((start, hidden)) = rest.char_indices().find(|(_, character)| is_hidden(*character)) {
            write!(f, "{}{}", &rest[..start], hidden.escape_unicode())?;
            rest = &rest[start + hidden.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// In quotation marks, which are escaped inside.
impl fmt::Debug for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '\'' => f.write_char(character)?,
                // The standard library shows some that have no width.
                hidden if is_hidden(hidden) => write!(f, "{}", hidden.escape_unicode())?,
                other => write!(f, "{}", other.escape_debug())?,
            }
        }
        f.write_char('"')
    }
}

/// Control characters, line and paragraph separators, and what Unicode 17 calls default-ignorable (`DerivedCoreProperties`),
/// to which the marks of direction, the joiners, the variation selectors and the tags belong; interlinear annotations
/// and noncharacters besides.
fn is_hidden(character: char) -> bool {
    // Nearly all text is of these, and is looked at in every log line.
    if matches!(character, ' '..='~') {
        return false;
    }
    let is_noncharacter = matches!(u32::from(character) & 0xffff, 0xfffe | 0xffff);
    character.is_control()
        || is_noncharacter
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Shows an error and everything behind it in one visible line. What a database reports may repeat what a row holds.
#[derive(Clone, Copy)]
pub(crate) struct Causes<'e>(pub(crate) &'e (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        for text in chain(self.0).map(ToString::to_string) {
            // Some errors repeat their cause.
            if said.is_empty() || !said.contains(&text) {
                write!(f, "{}{}", if said.is_empty() { "" } else { ": " }, Visible(&text))?;
                said.push_str(&text);
            }
        }
        Ok(())
    }
}

/// The error, and what is behind it.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The same error where all of it can be seen, and otherwise its text and its causes' in visible characters.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn visible_error(error: Box<dyn Error + Send + Sync>) -> Box<dyn Error + Send + Sync> {
    if chain(&*error).any(|cause| cause.to_string().contains(is_hidden)) {
        Causes(&*error).to_string().into()
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character that there is.
    fn all() -> impl Iterator<Item = char> {
        '\0'..=char::MAX
    }

    /// The text of an escape, which is all ASCII.
    fn escaped(character: char) -> String {
        format!("\\u{{{:x}}}", u32::from(character))
    }

    #[test]
    fn what_steers_the_reader_is_written_out_and_the_rest_stays() {
        let bidirectional = ['\u{61c}', '\u{200e}', '\u{200f}'].into_iter().chain('\u{202a}'..='\u{202e}');
        let without_width = ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{3164}'];
        let hidden = bidirectional
            .chain('\u{2066}'..='\u{2069}')
            .chain(without_width)
            .chain(['\u{2028}', '\u{2029}', '\u{85}', '\u{7f}', '\u{9b}', '\u{1b}', '\n', '\r', '\t', '\0'])
            .chain('\u{e0000}'..='\u{e007f}');
        for character in hidden {
            let text = format!("a{character}b");
            let expected = format!("a{}b", escaped(character));
            assert_eq!(Visible(&text).to_string(), expected);
            assert_eq!(format!("{:?}", Visible(&text)), format!("\"{expected}\""));
        }
        let plain = "Ünïcödé – données, 鍵, مفتاح, מפתח, ключ, नियम, 🔑 'quoted' \"twice\" C:\\keys\u{a0}x";
        assert_eq!(Visible(plain).to_string(), plain);
        assert_eq!(format!("{:?}", Visible("'a' \"b\" \\")), r#""'a' \"b\" \\""#);
        assert_eq!(Visible("").to_string(), "");
    }

    #[test]
    fn no_character_is_lost_and_none_that_is_written_out_remains() {
        let text: String = all().collect();
        let shown = Visible(&text).to_string();
        assert!(!shown.chars().any(is_hidden));
        let expected: String = all().map(|one| if is_hidden(one) { escaped(one) } else { one.to_string() }).collect();
        assert!(shown == expected, "a character is shown in another way");
        for hidden in all().filter(|one| is_hidden(*one)) {
            for text in [format!("{hidden}"), format!("{hidden}{hidden}x"), format!("é{hidden}")] {
                assert!(!format!("{}{:?}", Visible(&text), Visible(&text)).chars().any(is_hidden), "{hidden:?}");
            }
        }
    }

    #[test]
    fn signs_marks_and_spaces_that_can_be_seen_stay() {
        // Signs around digits, which Unicode counts among the format characters; an accent; spaces.
        for seen in ['\u{600}', '\u{6dd}', '\u{70f}', '\u{110bd}', '\u{301}', '\u{a0}', '\u{3000}', '\u{e000}'] {
            assert_eq!(Visible(&seen.to_string()).to_string(), seen.to_string());
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layered(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn an_error_is_shown_with_its_causes_on_one_line() {
        let layered = Layered("outer", Some(Layered("inner\u{1b}[2J\n", Some(Layered("inner", None).into())).into()));
        assert_eq!(Causes(&layered).to_string(), r"outer: inner\u{1b}[2J\u{a}");
        let repeated = Layered("outer: inner", Some(Layered("inner", None).into()));
        assert_eq!(Causes(&repeated).to_string(), "outer: inner");
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[test]
    fn an_error_stays_what_it_is_unless_something_in_it_is_hidden() {
        let plain = visible_error(Layered("outer", Some(Layered("inner", None).into())).into());
        assert!(plain.downcast_ref::<Layered>().is_some());
        let odd = visible_error(Layered("outer", Some(Layered("in\u{202e}ner", None).into())).into());
        assert_eq!((odd.to_string().as_str(), odd.source().is_none()), (r"outer: in\u{202e}ner", true));
    }
}
