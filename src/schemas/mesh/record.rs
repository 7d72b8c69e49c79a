//! What only the schema `mesh` records about a key, and how a new one is described.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::key::{Draft, InvalidText, OwnerId, check_text, text};
use crate::schemas::mesh::Mesh;
use crate::time::Timestamp;
use crate::visible::Visible;

/// What only the schema `mesh` records about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MeshDetails {
    /// What people call it.
    pub label: Label,
    /// What it may do. A name in the table that is none of these grants nothing; a rotation keeps it.
    pub capabilities: Capabilities,
    /// Where it may do it.
    pub topics: Topics,
    /// The member who issued it; absent when none did, or the member was deleted since.
    pub issuer: Option<MemberId>,
}

text! {
    /// What people call a key.
    Label, at most 255
}

text! {
    /// The identity of a member of a mesh.
    MemberId, at most 255
}

/// Something that a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "a fifth name in the table grants nothing")]
pub enum Capability {
    /// Post messages.
    Send,
    /// Read messages, topics and members.
    Read,
    /// Change shared state.
    StateWrite,
    /// Everything that the other three allow, and administration. It does not lift the limit to topics.
    Admin,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Send, Self::Read, Self::StateWrite, Self::Admin];

    /// The name in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::StateWrite => "state_write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Capability {
    type Err = MeshKeyError;

    /// Reads the exact name; a typing error is an error and not one capability fewer.
    fn from_str(name: &str) -> Result<Self, MeshKeyError> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == name).ok_or(MeshKeyError::UnknownCapability)
    }
}

/// What a key may do, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Whether the key may do `capability`: it holds it, or it holds [`Capability::Admin`].
    #[must_use]
    pub fn include(&self, capability: Capability) -> bool {
        self.0.contains(&capability) || self.0.contains(&Capability::Admin)
    }

    /// What the key holds, as stored.
    pub fn iter(&self) -> impl Iterator<Item = Capability> {
        self.0.iter().copied()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

/// The bare name of a topic, without `#`. Topics are compared letter for letter.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct TopicName(String);

impl TopicName {
    /// Checks a name, and takes the `#` away that people write in front of it.
    ///
    /// # Errors
    /// [`MeshKeyError::Topic`] when nothing is left, or a second `#`, white space around it, more than 255 characters or a
    /// control character.
    pub fn new(name: &str) -> Result<Self, MeshKeyError> {
        let bare = name.strip_prefix('#').unwrap_or(name);
        if bare.starts_with('#') || bare.trim() != bare || check_text(bare, 255).is_err() {
            return Err(MeshKeyError::Topic);
        }
        Ok(Self(bare.to_owned()))
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn from_stored(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The bare name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Visible(&self.0), f)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicName({:?})", Visible(&self.0))
    }
}

/// Where a key may do what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[expect(clippy::exhaustive_enums, reason = "a column is NULL or a list")]
pub enum Topics {
    /// Everywhere; NULL in the table.
    All,
    /// On these topics only. An empty list is no topic at all.
    Only(Vec<TopicName>),
}

impl Topics {
    /// Whether they include the topic with this bare name.
    #[must_use]
    pub fn include(&self, topic: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name.as_str() == topic),
        }
    }
}

/// What people see: `all`, `none`, or the names.
impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Only(names) if names.is_empty() => f.write_str("none"),
            Self::Only(names) => {
                for (position, name) in names.iter().enumerate() {
                    write!(f, "{}#{name}", if position == 0 { "" } else { " " })?;
                }
                Ok(())
            }
        }
    }
}

/// Describes a new key of the schema `mesh`.
///
/// The service itself always names an [issuer](Self::issued_by). A key without one is accepted by keyward, and refused as
/// missing on those of the service's routes that act for the issuer.
///
/// ```
/// use keyward::schemas::mesh::{Capability, MeshKey, MeshKeyError};
///
/// let key = MeshKey::new("mesh-1", "deploy bot", [Capability::Send])?.only_topics(["#deploys"])?;
/// assert!(matches!(key.only_topics([]), Err(MeshKeyError::NoTopics)));
/// assert!(matches!(MeshKey::new("mesh-1", "deploy bot", []), Err(MeshKeyError::NoCapabilities)));
/// assert!(matches!("raed".parse::<Capability>(), Err(MeshKeyError::UnknownCapability)));
/// # Ok::<(), MeshKeyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a description alone issues no key"]
pub struct MeshKey {
    draft: Draft<Mesh>,
}

impl MeshKey {
    /// A key of `mesh` called `label` that may do `capabilities` on all topics, without an issuer, that
    /// never expires.
    ///
    /// # Errors
    /// [`MeshKeyError`] when a text is empty, longer than 255 characters or has a control character, or when there is
    /// no capability.
    pub fn new(
        mesh: impl Into<String>,
        label: impl Into<String>,
        capabilities: impl IntoIterator<Item = Capability>,
    ) -> Result<Self, MeshKeyError> {
        let capabilities: Capabilities = capabilities.into_iter().collect();
        if capabilities.iter().next().is_none() {
            return Err(MeshKeyError::NoCapabilities);
        }
        let owner = OwnerId::new(mesh).map_err(MeshKeyError::Mesh)?;
        let label = Label::new(label).map_err(MeshKeyError::Label)?;
        let details = MeshDetails { label, capabilities, topics: Topics::All, issuer: None };
        Ok(Self { draft: Draft::new(owner, details) })
    }

    /// Limits the key to these topics. A leading `#` is taken away.
    ///
    /// # Errors
    /// [`MeshKeyError::NoTopics`] when there is none, which is seldom meant: see [`no_topics`](Self::no_topics);
    /// [`MeshKeyError::Topic`].
    pub fn only_topics<'t>(mut self, names: impl IntoIterator<Item = &'t str>) -> Result<Self, MeshKeyError> {
        let mut topics = Vec::new();
        for name in names {
            let name = TopicName::new(name)?;
            if !topics.contains(&name) {
                topics.push(name);
            }
        }
        if topics.is_empty() {
            return Err(MeshKeyError::NoTopics);
        }
        self.draft.details.topics = Topics::Only(topics);
        Ok(self)
    }

    /// Limits the key to no topic at all: it may only do what touches none.
    pub fn no_topics(mut self) -> Self {
        self.draft.details.topics = Topics::Only(Vec::new());
        self
    }

    /// Names the member of the mesh who issues the key.
    ///
    /// # Errors
    /// [`MeshKeyError::Issuer`]. Whether the member exists is checked when the key is stored.
    pub fn issued_by(mut self, member: impl Into<String>) -> Result<Self, MeshKeyError> {
        self.draft.details.issuer = Some(MemberId::new(member).map_err(MeshKeyError::Issuer)?);
        Ok(self)
    }

    /// The key dies at `at`.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.draft.expires_at = Some(at);
        self
    }
}

impl From<MeshKey> for Draft<Mesh> {
    fn from(key: MeshKey) -> Self {
        key.draft
    }
}

/// Why a description of a key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshKeyError {
    /// The mesh's identity.
    #[error("the mesh {0}")]
    Mesh(InvalidText),
    /// The label.
    #[error("the label {0}")]
    Label(InvalidText),
    /// The issuer's identity.
    #[error("the issuer {0}")]
    Issuer(InvalidText),
    /// No capability was named.
    #[error("a key needs at least one capability")]
    NoCapabilities,
    /// There is no such capability.
    #[error("a capability is send, read, state_write or admin")]
    UnknownCapability,
    /// The list of topics is empty.
    #[error("the list of topics is empty, which would permit none")]
    NoTopics,
    /// A topic's name.
    #[error(
        "a topic must be 1 to 255 characters behind at most one #, without white space around or control characters"
    )]
    Topic,
}
