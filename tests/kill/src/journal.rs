//! What a process says of its changes: one line before each, and one when the library has said that it is done.

use std::io::Write as _;

/// A change, as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Migrating,
    Migrated,
    Issuing,
    Issued {
        id: String,
        owner: String,
        secret: String,
    },
    Rotating {
        id: String,
    },
    /// `until` is when the old key dies, in microseconds; without a grace period it is revoked as well.
    Rotated {
        id: String,
        until: i64,
        revokes: bool,
        successor: String,
        secret: String,
    },
    Disabling {
        id: String,
    },
    Disabled {
        id: String,
    },
    Revoking {
        id: String,
    },
    Revoked {
        id: String,
    },
    RevokingAll {
        owner: String,
    },
    RevokedAll {
        owner: String,
    },
    Flushing,
    /// Written, for the use of this key at this time in microseconds.
    Used {
        id: String,
        at: i64,
    },
}

impl Line {
    fn words(&self) -> Vec<String> {
        let word = str::to_owned;
        match self {
            Self::Migrating => vec![word("migrating")],
            Self::Migrated => vec![word("migrated")],
            Self::Issuing => vec![word("issuing")],
            Self::Issued { id, owner, secret } => vec![word("issued"), id.clone(), owner.clone(), secret.clone()],
            Self::Rotating { id } => vec![word("rotating"), id.clone()],
            Self::Rotated { id, until, revokes, successor, secret } => {
                let (until, revokes) = (until.to_string(), revokes.to_string());
                vec![word("rotated"), id.clone(), until, revokes, successor.clone(), secret.clone()]
            }
            Self::Disabling { id } => vec![word("disabling"), id.clone()],
            Self::Disabled { id } => vec![word("disabled"), id.clone()],
            Self::Revoking { id } => vec![word("revoking"), id.clone()],
            Self::Revoked { id } => vec![word("revoked"), id.clone()],
            Self::RevokingAll { owner } => vec![word("revoking-all"), owner.clone()],
            Self::RevokedAll { owner } => vec![word("revoked-all"), owner.clone()],
            Self::Flushing => vec![word("flushing")],
            Self::Used { id, at } => vec![word("used"), id.clone(), at.to_string()],
        }
    }

    /// In one write, which the pipe takes as a whole.
    pub(crate) fn say(&self) {
        let line = self.words().join("\t") + "\n";
        let mut output = std::io::stdout().lock();
        output.write_all(line.as_bytes()).and_then(|()| output.flush()).expect("somebody who listens");
    }

    pub(crate) fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let word = |at: usize| words.get(at).cloned();
        Some(match words.first()?.as_str() {
            "migrating" => Self::Migrating,
            "migrated" => Self::Migrated,
            "issuing" => Self::Issuing,
            "issued" => Self::Issued { id: word(1)?, owner: word(2)?, secret: word(3)? },
            "rotating" => Self::Rotating { id: word(1)? },
            "rotated" => {
                let (until, revokes) = (word(2)?.parse().ok()?, word(3)?.parse().ok()?);
                Self::Rotated { id: word(1)?, until, revokes, successor: word(4)?, secret: word(5)? }
            }
            "disabling" => Self::Disabling { id: word(1)? },
            "disabled" => Self::Disabled { id: word(1)? },
            "revoking" => Self::Revoking { id: word(1)? },
            "revoked" => Self::Revoked { id: word(1)? },
            "revoking-all" => Self::RevokingAll { owner: word(1)? },
            "revoked-all" => Self::RevokedAll { owner: word(1)? },
            "flushing" => Self::Flushing,
            "used" => Self::Used { id: word(1)?, at: word(2)?.parse().ok()? },
            _ => return None,
        })
    }
}
