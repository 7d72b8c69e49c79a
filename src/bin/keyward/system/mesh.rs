//! System B on the command line.

use keyward::key::Draft;
use keyward::mesh::{
    Access, AccessDenied, Capability, Mesh, MeshDetails, MeshKey, MeshKeyError, StrictMesh, TopicName, Topics,
};
use serde_json::json;

use crate::arguments::{IssueArguments, SystemName, VerifyArguments};
use crate::failure::Failure;
use crate::output::Fields;
use crate::system::{NotPermitted, System};

impl System for Mesh {
    const SYSTEM: SystemName = SystemName::Mesh;
    const REVOKED_WITHIN_OWNER: bool = true;
    const COLUMNS: &'static [&'static str] =
        &["id", "prefix", "label", "state", "capabilities", "topics", "last_used_at", "expires_at"];

    fn draft(arguments: &IssueArguments) -> Result<Draft<MeshDetails>, Failure> {
        let usage = |error: MeshKeyError| Failure::usage(error.to_string());
        let label =
            arguments.label.as_deref().ok_or_else(|| Failure::usage("--label is required for --schema mesh"))?;
        let capabilities = arguments.capabilities.iter().copied();
        let mut key = MeshKey::new(arguments.owner.as_str(), label, capabilities).map_err(usage)?;
        if arguments.no_topics {
            key = key.no_topics();
        } else if !arguments.topics.is_empty() {
            key = key.only_topics(arguments.topics.iter().map(String::as_str)).map_err(usage)?;
        }
        if let Some(issuer) = &arguments.issuer {
            key = key.issued_by(issuer.as_str()).map_err(usage)?;
        }
        Ok(key.into())
    }

    fn permits(details: &MeshDetails, arguments: &VerifyArguments) -> Result<(), NotPermitted> {
        let not_permitted =
            |denied: AccessDenied| NotPermitted { code: denied.code(), explanation: denied.to_string() };
        for capability in &arguments.capabilities {
            details.permits(Access::without_topic(*capability)).map_err(not_permitted)?;
            for topic in &arguments.topics {
                details.permits(Access::to_topic(*capability, topic)).map_err(not_permitted)?;
            }
        }
        Ok(())
    }

    fn describe(details: &MeshDetails) -> Fields {
        let capabilities: Vec<_> = details.capabilities.iter().map(Capability::as_str).collect();
        // An absent list would be read as no topics, and an empty one as all of them: "all" is neither.
        let topics = match &details.topics {
            Topics::All => json!("all"),
            Topics::Only(names) => json!(names.iter().map(TopicName::as_str).collect::<Vec<_>>()),
        };
        vec![
            ("label", json!(details.label.as_str())),
            ("capabilities", json!(capabilities)),
            ("topics", topics),
            ("issuer", json!(details.issuer.as_ref().map(ToString::to_string))),
        ]
    }
}

/// The same, with stricter verdicts.
impl System for StrictMesh {
    const SYSTEM: SystemName = Mesh::SYSTEM;
    const REVOKED_WITHIN_OWNER: bool = Mesh::REVOKED_WITHIN_OWNER;
    const COLUMNS: &'static [&'static str] = Mesh::COLUMNS;

    fn draft(arguments: &IssueArguments) -> Result<Draft<MeshDetails>, Failure> {
        Mesh::draft(arguments)
    }

    fn permits(details: &MeshDetails, arguments: &VerifyArguments) -> Result<(), NotPermitted> {
        Mesh::permits(details, arguments)
    }

    fn describe(details: &MeshDetails) -> Fields {
        Mesh::describe(details)
    }
}
