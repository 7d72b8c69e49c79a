//! What a key of the schema `mesh` permits: a capability, and a topic where the operation touches one.

use crate::key::Authenticated;
use crate::schemas::mesh::{Capability, Mesh, MeshDetails, Topics};

/// What an operation needs. Every operation names a capability, so that one which was forgotten is denied, and says
/// which topics it touches.
///
/// ```
/// use keyward::key::Draft;
/// use keyward::schemas::mesh::{Access, AccessDenied, Capability, MeshKey};
///
/// let key = MeshKey::new("mesh-1", "deploy bot", [Capability::Admin])?.only_topics(["deploys"])?;
/// let details = Draft::from(key).details;
///
/// assert_eq!(details.permits(Access::to_topic(Capability::Send, "deploys")), Ok(()));
/// assert_eq!(details.permits(Access::to_topic(Capability::Send, "general")), Err(AccessDenied::Topic));
/// assert_eq!(details.permits(Access::to_all_topics(Capability::Read)), Err(AccessDenied::Topic));
/// # Ok::<(), keyward::schemas::mesh::MeshKeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an access is asked for with `MeshDetails::permits`"]
pub struct Access<'t> {
    capability: Capability,
    touches: Touches<'t>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touches<'t> {
    NoTopic,
    Topic(&'t str),
    AllTopics,
}

impl<'t> Access<'t> {
    /// An operation on the topic with this bare name.
    pub const fn to_topic(capability: Capability, topic: &'t str) -> Self {
        Self { capability, touches: Touches::Topic(topic) }
    }

    /// An operation that touches no topic, such as listing members.
    pub const fn without_topic(capability: Capability) -> Self {
        Self { capability, touches: Touches::NoTopic }
    }

    /// An operation that may show or change any topic, such as a search. A key that is limited to topics is denied.
    pub const fn to_all_topics(capability: Capability) -> Self {
        Self { capability, touches: Touches::AllTopics }
    }
}

/// The key is good but does not permit the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the two things that an access names")]
pub enum AccessDenied {
    /// It lacks the capability.
    #[error("the key lacks the capability {0}")]
    Capability(Capability),
    /// The operation touches a topic that is out of its scope.
    #[error("the topic is out of the key's scope")]
    Topic,
}

impl AccessDenied {
    /// The reason in one `snake_case` word, for logs, metrics and JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Capability(_) => "missing_capability",
            Self::Topic => "topic_out_of_scope",
        }
    }
}

impl MeshDetails {
    /// Whether the key permits `access`. The capability is looked at before the topic.
    ///
    /// # Errors
    /// [`AccessDenied`], which is a matter of permission (403) and says nothing against the key.
    pub fn permits(&self, access: Access<'_>) -> Result<(), AccessDenied> {
        if !self.capabilities.include(access.capability) {
            return Err(AccessDenied::Capability(access.capability));
        }
        let in_scope = match access.touches {
            Touches::NoTopic => true,
            Touches::Topic(topic) => self.topics.include(topic),
            Touches::AllTopics => self.topics == Topics::All,
        };
        if in_scope { Ok(()) } else { Err(AccessDenied::Topic) }
    }
}

impl Authenticated<Mesh> {
    /// Whether the key permits `access`, see [`MeshDetails::permits`].
    ///
    /// # Errors
    /// [`AccessDenied`].
    pub fn permits(&self, access: Access<'_>) -> Result<(), AccessDenied> {
        self.details().permits(access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Draft;
    use crate::schemas::mesh::MeshKey;

    fn key(capabilities: &[Capability]) -> MeshKey {
        MeshKey::new("mesh", "label", capabilities.iter().copied()).unwrap()
    }

    fn details(key: MeshKey) -> MeshDetails {
        Draft::from(key).details
    }

    #[test]
    fn admin_satisfies_every_capability_and_the_others_only_themselves() {
        for held in Capability::ALL {
            for needed in Capability::ALL {
                let permitted = details(key(&[held])).permits(Access::without_topic(needed)).is_ok();
                assert_eq!(permitted, held == needed || held == Capability::Admin, "{held} for {needed}");
            }
        }
    }

    #[test]
    fn only_a_key_for_all_topics_may_do_what_touches_all_topics() {
        let all = details(key(&[Capability::Read]));
        let scoped = details(key(&[Capability::Read]).only_topics(["deploys"]).unwrap());
        assert_eq!(all.permits(Access::to_all_topics(Capability::Read)), Ok(()));
        assert_eq!(scoped.permits(Access::to_all_topics(Capability::Read)), Err(AccessDenied::Topic));
    }

    #[test]
    fn a_denial_has_a_word_for_the_log() {
        assert_eq!(AccessDenied::Capability(Capability::Send).code(), "missing_capability");
        assert_eq!(AccessDenied::Topic.code(), "topic_out_of_scope");
        assert_eq!(
            AccessDenied::Capability(Capability::StateWrite).to_string(),
            "the key lacks the capability state_write"
        );
    }

    #[test]
    fn admin_does_not_lift_the_limit_to_topics() {
        let scoped = details(key(&[Capability::Admin]).only_topics(["deploys"]).unwrap());
        assert_eq!(scoped.permits(Access::to_topic(Capability::Send, "general")), Err(AccessDenied::Topic));
    }

    #[test]
    fn topics_match_letter_for_letter_on_the_bare_name() {
        let scoped = details(key(&[Capability::Read]).only_topics(["#deploys"]).unwrap());
        let permits = |topic| scoped.permits(Access::to_topic(Capability::Read, topic)).is_ok();
        assert!(permits("deploys"));
        for other in ["#deploys", "Deploys", "deploy", "deploys2", ""] {
            assert!(!permits(other), "{other}");
        }
    }

    #[test]
    fn an_empty_list_is_no_topic_and_is_shown_as_none() {
        let none = details(key(&[Capability::Admin]).no_topics());
        assert_eq!(none.permits(Access::to_topic(Capability::Read, "deploys")), Err(AccessDenied::Topic));
        assert_eq!(none.permits(Access::without_topic(Capability::Read)), Ok(()));
        assert_eq!(none.topics.to_string(), "none");
        assert_eq!(Topics::All.to_string(), "all");
    }

    #[test]
    fn a_missing_capability_is_reported_before_a_topic_out_of_scope() {
        let scoped = details(key(&[Capability::Read]).only_topics(["deploys"]).unwrap());
        let denied = scoped.permits(Access::to_topic(Capability::Send, "general"));
        assert_eq!(denied, Err(AccessDenied::Capability(Capability::Send)));
    }
}
