//! Every type that a person may see printed.

use std::fmt::{Debug, Display};

use keyward::Visible;
use keyward::key::{Actor, Description, DisplayPrefix, FieldChange, KeyId, KeyName, OwnerId, Reason, Scopes};
use keyward::schemas::mesh::{Label, MemberId, TopicName, Topics};
use keyward::schemas::standard::FormatName;

/// Every character that nobody sees, each between letters.
fn all_hidden() -> String {
    let hidden = ('\0'..=char::MAX).filter(|character| Visible::writes_out(*character));
    hidden.flat_map(|character| ['x', character]).collect()
}

fn is_visible(shown: impl Display + Debug) {
    for text in [format!("{shown}"), format!("{shown:?}"), format!("{shown:#?}")] {
        let hidden = text.chars().find(|character| *character != '\n' && Visible::writes_out(*character));
        assert_eq!(hidden, None, "{shown:?}");
    }
}

#[test]
fn no_text_of_a_key_prints_what_nobody_sees() {
    let odd = all_hidden();
    assert!(odd.contains('\u{202e}') && odd.contains('\u{1b}') && odd.contains('\u{e0041}'));
    let odd = odd.as_str();
    is_visible(KeyId::from_stored(odd));
    is_visible(OwnerId::from_stored(odd));
    is_visible(DisplayPrefix::from_stored(odd));
    is_visible(KeyName::from_stored(odd));
    is_visible(Description::from_stored(odd));
    is_visible(Reason::from_stored(odd));
    is_visible(Actor::from_stored(odd));
    is_visible(Label::from_stored(odd));
    is_visible(MemberId::from_stored(odd));
    is_visible(FormatName::from_stored(odd));
    is_visible(Scopes::from_stored([odd]));
    // A topic that is typed has no control character; what people send by other ways may have all others.
    let bare: Vec<_> = odd.chars().filter(|character| !character.is_control()).collect();
    for name in bare.chunks(200) {
        let topic = TopicName::new(&format!("x{}x", String::from_iter(name))).unwrap();
        is_visible(&topic);
        let topics = Topics::Only(vec![topic]);
        assert!(!format!("{topics}{topics:?}").contains(Visible::writes_out));
    }
    let change = FieldChange::new(odd, Some(odd.to_owned()), None);
    assert!(!format!("{change:?}").contains(Visible::writes_out));
}

#[test]
fn what_is_compared_and_stored_stays_exact() {
    let odd = all_hidden();
    assert_eq!(KeyId::from_stored(odd.as_str()).as_str(), odd);
    assert_ne!(KeyId::from_stored("a\u{200b}"), KeyId::from_stored("a"));
    assert_ne!(KeyId::from_stored("a\u{200b}"), KeyId::from_stored(r"a\u{200b}"));
    let scopes = Scopes::from_stored(["jobs:read\u{200b}"]);
    assert!(!scopes.contains("jobs:read") && !scopes.contains(&scopes.to_string()));
}

#[cfg(feature = "serde")]
#[test]
fn what_is_serialised_stays_exact() {
    let odd = all_hidden();
    let json = serde_json::to_string(&KeyName::from_stored(odd.as_str())).unwrap();
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), odd);
}
