//! Names, identities, reasons, metadata, scopes and limits.

use keyward::key::{
    Actor, Description, DisplayPrefix, Environment, KeyDigest, KeyId, KeyName, MAX_METADATA_LEN, Metadata, OwnerId,
    RateLimit, Reason, Scope, ScopePolicy, Scopes,
};
use keyward::schemas::mesh::{Capability, TopicName};

/// Every constructor of a text takes exactly what is within its bounds.
pub(crate) fn texts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check(text, 255, KeyId::new(text).ok().map(|text| [text.as_str().to_owned(), text.to_string()]));
    check(text, 255, OwnerId::new(text).ok().map(|text| [text.as_str().to_owned(), text.to_string()]));
    check(text, 255, KeyName::new(text).ok().map(|text| [text.as_str().to_owned(), text.to_string()]));
    check(text, 255, Actor::new(text).ok().map(|text| [text.as_str().to_owned(), text.to_string()]));
    check(text, 500, Reason::new(text).ok().map(|text| [text.as_str().to_owned(), text.to_string()]));
    check(text, 1_000, Description::new(text).ok().map(|text| [text.as_str().to_owned(), text.to_string()]));
    check(text, 64, DisplayPrefix::new(text).ok().map(|text| [text.as_str().to_owned(), text.to_string()]));

    let environment = Environment::new(text);
    let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    assert_eq!(environment.is_ok(), is_word && (1..=8).contains(&text.len()), "{text:?}");
    assert!(environment.is_err() || environment.is_ok_and(|environment| environment.as_str() == text));

    let metadata = Metadata::new(text);
    assert_eq!(metadata.is_ok(), text.len() <= MAX_METADATA_LEN && !text.contains('\0'));
    assert!(metadata.is_err() || metadata.is_ok_and(|metadata| metadata.as_str() == text));

    let capability = text.parse::<Capability>().ok().map(Capability::as_str);
    assert_eq!(capability, ["send", "read", "state_write", "admin"].into_iter().find(|name| *name == text));
    if let Ok(topic) = TopicName::new(text) {
        assert!(text.strip_prefix('#').unwrap_or(text) == topic.as_str());
        assert!(topic.as_str().trim() == topic.as_str() && !topic.as_str().starts_with('#'));
    }

    let is_digest = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let digest = KeyDigest::from_hex(text);
    assert_eq!(digest.is_some(), is_digest, "{text:?}");
    assert!(digest.is_none_or(|digest| digest.to_hex().as_str() == text));
}

/// What was kept is what was given, and what is printed hides nothing.
fn check(text: &str, limit: usize, found: Option<[String; 2]>) {
    let is_name = text.chars().any(|letter| !letter.is_whitespace())
        && text.chars().nth(limit).is_none()
        && !text.chars().any(char::is_control);
    assert_eq!(found.is_some(), is_name, "{text:?}");
    if let Some([kept, printed]) = found {
        assert_eq!(kept, text);
        // Marks of direction, and letters without width.
        let is_unseen =
            |letter| matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
        assert!(!printed.chars().any(|letter| letter.is_control() || is_unseen(letter)), "{printed:?}");
    }
}

/// Held scopes with a line break between them, and behind an empty line the one that is asked for.
pub(crate) fn scopes(data: &[u8]) {
    if let Some(number) = data.first_chunk::<8>() {
        let number = i64::from_le_bytes(*number);
        let is_limit = (1..=i64::from(i32::MAX)).contains(&number);
        let read = RateLimit::from_stored(Some(number));
        assert_eq!(read.to_stored(), Some(if is_limit { number } else { 0 }));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (held, required) = text.split_once("\n\n").unwrap_or((text, "admin"));
    let is_scope = |scope: &str| {
        (1..=255).contains(&scope.len()) && scope.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
    };
    assert_eq!(Scope::new(required).is_ok(), is_scope(required), "{required:?}");

    let held: Vec<_> = held.split('\n').collect();
    let scopes = Scopes::from_stored(held.iter().copied());
    let is_held = |scope: &str| !scope.is_empty() && !scope.contains('\0') && held.contains(&scope);
    assert_eq!(scopes.permit(required, ScopePolicy::exact()).is_ok(), is_held(required), "{required:?} of {held:?}");
    let implied = is_held(required) || is_held("admin");
    assert_eq!(scopes.permit(required, ScopePolicy::admin_implies_all()).is_ok(), implied, "{required:?} of {held:?}");
    assert!(scopes.iter().all(is_held));
    let sound = held.iter().filter_map(|scope| Scope::new(*scope).ok()).collect::<Scopes>();
    assert_eq!(sound.contains(required), is_held(required) && is_scope(required));
}
