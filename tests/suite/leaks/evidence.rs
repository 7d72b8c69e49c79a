//! What was planted, what was printed, and the detector that looks for the one in the other.

use std::error::Error;
use std::fmt::{Debug, Display};

use keyward::Secret;
use keyward::key::{KeyDigest, KeyFormat, Refusal};

/// What must not be found of one key, with a name for each form.
fn forbidden(plaintext: &str, format: &KeyFormat) -> Vec<(&'static str, String)> {
    let digest = KeyDigest::of(plaintext);
    let hex = digest.to_hex();
    let bytes = format!("{:?}", &digest.as_bytes()[..6]);
    let mut forbidden = vec![
        ("the plaintext", plaintext.to_owned()),
        ("its body", plaintext[format.prefix().as_str().len()..].to_owned()),
        ("its digest in capitals", hex.as_str()[..9].to_uppercase()),
        ("its digest in numbers", bytes.trim_matches(['[', ']']).to_owned()),
        ("more than 8 characters of its digest", hex.as_str()[..9].to_owned()),
    ];
    let pieces = |text: &str| -> Vec<_> {
        (0..=text.len() - 12).step_by(4).map(|start| text[start..start + 12].to_owned()).collect()
    };
    forbidden.extend(pieces(&plaintext[format.display_len()..]).into_iter().map(|piece| ("a piece of it", piece)));
    forbidden.extend(pieces(hex.as_str()).into_iter().map(|piece| ("a piece of its digest", piece)));
    forbidden
}

/// In what form, if any, the text gives the key away.
pub(super) fn leak(text: &str, plaintext: &str, format: &KeyFormat) -> Option<&'static str> {
    forbidden(plaintext, format).into_iter().find(|(_, piece)| text.contains(piece)).map(|(form, _)| form)
}

/// Secrets that were planted, and everything that was printed.
pub(super) struct Evidence {
    format: KeyFormat,
    planted: Vec<String>,
    printed: Vec<(&'static str, String)>,
}

impl Evidence {
    pub(super) const fn of(format: KeyFormat) -> Self {
        Self { format, planted: Vec::new(), printed: Vec::new() }
    }

    pub(super) fn plant(&mut self, secret: &Secret) {
        self.planted.push(secret.expose_secret().to_owned());
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.planted.len(), self.printed.len())
    }

    pub(super) fn print(&mut self, what: &'static str, value: &dyn Debug) {
        self.printed.push((what, format!("{value:?}\n{value:#?}")));
    }

    pub(super) fn display(&mut self, what: &'static str, value: &dyn Display) {
        self.printed.push((what, value.to_string()));
    }

    /// An error in all its forms, and everything behind it.
    pub(super) fn print_error(&mut self, what: &'static str, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.print(what, &error);
            self.display(what, &error);
            next = error.source();
        }
    }

    pub(super) fn print_refusal(&mut self, what: &'static str, refusal: &Refusal) {
        self.print_error(what, refusal);
        self.print(what, &refusal.reason());
        self.display(what, &refusal.reason());
        self.display(what, &refusal.reason().code());
        self.print(what, &(refusal.key_id(), refusal.display_prefix()));
        if let Some(outage) = refusal.outage() {
            self.print_error(what, outage);
        }
    }

    /// Whether anything planted is found in anything printed.
    #[cfg(feature = "postgres")]
    pub(super) fn is_found(&self) -> bool {
        let finds = |text: &str| self.planted.iter().any(|plaintext| leak(text, plaintext, &self.format).is_some());
        self.printed.iter().any(|(_, text)| finds(text))
    }

    /// # Panics
    /// When anything planted is found in the log or in anything printed.
    pub(super) fn check(&self, log: &str) {
        for plaintext in &self.planted {
            for (what, text) in self.printed.iter().map(|(what, text)| (*what, text.as_str())).chain([("the log", log)])
            {
                let Some(form) = leak(text, plaintext, &self.format) else { continue };
                let leaks = |line: &&str| leak(line, plaintext, &self.format).is_some();
                panic!("{what} shows {form}:\n{}", text.lines().filter(leaks).collect::<String>());
            }
        }
    }
}
