//! Which paths the text of a module names. It reads as much of the language as that takes, and no more.

/// Every path that starts at the crate's root or above the module, as seen from the root.
pub(super) fn paths(module: &[&str], tokens: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let follows_path = at > 0 && tokens[at - 1] == "::";
        let leads_path = tokens.get(at + 1).is_some_and(|next| next == "::");
        if follows_path || !leads_path {
            continue;
        }
        let mut rest = at + 2;
        let root = match token.as_str() {
            "crate" => Vec::new(),
            "super" => {
                let mut above = module.len().saturating_sub(1);
                while tokens[rest..].starts_with(&["super".to_owned(), "::".to_owned()]) {
                    above = above.saturating_sub(1);
                    rest += 2;
                }
                module[..above].iter().map(|&name| name.to_owned()).collect()
            }
            _ => continue,
        };
        use_tree(root, tokens, rest, &mut found);
    }
    found
}

/// Reads a path from `at` on, with all branches of its `{…}`, and returns where it ends.
fn use_tree(mut path: Vec<String>, tokens: &[String], mut at: usize, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.as_str() {
                        "}" => return at + 1,
                        "," => at += 1,
                        _ => at = use_tree(path.clone(), tokens, at, found),
                    }
                }
                return at;
            }
            Some(name) if name.starts_with(is_word) || name == "*" => {
                // `{self}` is the path itself.
                if name != "self" {
                    path.push(name.to_owned());
                }
                at += 1;
            }
            _ => {}
        }
        if tokens.get(at).is_some_and(|next| next == "::") {
            at += 1;
        } else {
            break;
        }
    }
    found.push(path);
    // Behind `as` there is a name that is no path.
    while tokens.get(at).is_some_and(|token| !matches!(token.as_str(), "," | "}" | ";")) {
        at += 1;
    }
    at
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The words, `::` and other characters of a source; comments and literals are left out.
pub(super) fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        rest = if rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, rest)| rest)
        } else if rest.starts_with("/*") {
            rest.split_once("*/").map_or("", |(_, rest)| rest)
        } else if first == '"' {
            behind_string(&rest[1..])
        } else if matches!(&rest[..word], "r" | "br" | "cr") && rest[word..].starts_with(['"', '#']) {
            behind_raw_string(&rest[word..])
        } else if first == '\'' {
            behind_quote(&rest[1..])
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            &rest[word..]
        } else if let Some(behind) = rest.strip_prefix("::") {
            tokens.push("::".to_owned());
            behind
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            &rest[first.len_utf8()..]
        };
    }
    tokens
}

fn behind_string(body: &str) -> &str {
    let mut escaped = false;
    for (at, character) in body.char_indices() {
        match character {
            '"' if !escaped => return &body[at + 1..],
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    ""
}

fn behind_raw_string(text: &str) -> &str {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    // `r#type` is a word, not a string.
    let Some(body) = text[hashes..].strip_prefix('"') else { return &text[hashes..] };
    body.split_once(&end).map_or("", |(_, rest)| rest)
}

/// Behind a character literal, or behind the quote of a lifetime.
fn behind_quote(body: &str) -> &str {
    if let Some(escape) = body.strip_prefix('\\') {
        let end = escape.char_indices().skip(1).find(|&(_, character)| character == '\'');
        return end.map_or("", |(at, _)| &escape[at + 1..]);
    }
    let mut characters = body.char_indices();
    characters.next();
    match characters.next() {
        Some((at, '\'')) => &body[at + 1..],
        _ => body,
    }
}

/// Leaves out every item behind `#[cfg(test)]`.
pub(super) fn without_tests(mut tokens: Vec<String>) -> Vec<String> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    while let Some(start) = tokens.windows(ATTRIBUTE.len()).position(|window| window == ATTRIBUTE) {
        let mut depth = 0_usize;
        let length = tokens[start + ATTRIBUTE.len()..].iter().position(|token| {
            match token.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(token.as_str(), "}" | ";")
        });
        let end = length.map_or(tokens.len(), |length| start + ATTRIBUTE.len() + length + 1);
        tokens.drain(start..end);
    }
    tokens
}
