//! The schema `mesh` on the command line.

use clap::Args;
use keyward::key::{Draft, KeyFormat, KeyRecord, OwnerId};
use keyward::schemas::mesh::{
    Access, AccessDenied, Capability, MemberId, Mesh, MeshDetails, MeshKey, MeshKeyError, TopicName, Topics,
};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Fields;
use crate::schema::{CommandSchema, NoChange, NoOptions, NotPermitted};

const HEADING: &str = "Options of --schema mesh";

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct MeshIssue {
    /// What people call it
    #[arg(long)]
    label: String,
    /// What it may do: `send`, `read`, `state_write` or `admin`; repeatable
    #[arg(long = "capability", value_name = "CAPABILITY")]
    capabilities: Vec<Capability>,
    /// A topic that it is limited to; repeatable. All topics, unless set
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Limit it to no topic at all
    #[arg(long, conflicts_with = "topics")]
    no_topics: bool,
    /// The member who issues it
    #[arg(long, value_name = "MEMBER")]
    issuer: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct MeshVerify {
    /// What the key has to be allowed to do; repeatable
    #[arg(long = "capability", value_name = "CAPABILITY")]
    capabilities: Vec<Capability>,
    /// Where the key has to be allowed to do it, the bare name; repeatable
    #[arg(long = "topic", value_name = "TOPIC", requires = "capabilities")]
    topics: Vec<String>,
    /// Refuse keys whose mesh is archived or whose issuer is revoked
    #[arg(long)]
    strict: bool,
}

impl CommandSchema for Mesh {
    const ABOUT: &'static str =
        "cm_ keys with capabilities and topics, in the table `mesh.api_key`; an owner is a mesh";
    const FORMAT: Option<KeyFormat> = Some(KeyFormat::MESH);
    const COLUMNS: &'static [&'static str] =
        &["id", "prefix", "label", "state", "capabilities", "topics", "last_used_at", "expires_at"];
    const REVOKED_WITHIN_OWNER: bool = true;

    type Settings = NoOptions;
    type Issue = MeshIssue;
    type Verify = MeshVerify;
    type Revoke = NoOptions;
    type Filter = NoOptions;
    type Update = NoOptions;
    type Change = NoChange;

    fn schema(_settings: &NoOptions, _makes_keys: bool) -> Result<Self, Failure> {
        Ok(Self::new())
    }

    fn verifying(self, options: &MeshVerify) -> Self {
        if options.strict { self.strict() } else { self }
    }

    fn draft(owner: OwnerId, options: MeshIssue) -> Result<Draft<Self>, Failure> {
        let usage = |error: MeshKeyError| Failure::usage(error.to_string());
        let mut key = MeshKey::new(owner.as_str(), options.label, options.capabilities).map_err(usage)?;
        if options.no_topics {
            key = key.no_topics();
        } else if !options.topics.is_empty() {
            key = key.only_topics(options.topics.iter().map(String::as_str)).map_err(usage)?;
        }
        if let Some(issuer) = options.issuer {
            key = key.issued_by(issuer).map_err(usage)?;
        }
        Ok(key.into())
    }

    fn notes(key: &KeyRecord<Self>) -> &'static [&'static str] {
        if key.details.issuer.is_some() {
            return &[];
        }
        &["note: some routes of the service itself refuse a key without an issuer; --issuer names one"]
    }

    fn permits(details: &MeshDetails, options: &MeshVerify) -> Result<(), NotPermitted> {
        let not_permitted =
            |denied: AccessDenied| NotPermitted { code: denied.code(), explanation: denied.to_string() };
        for capability in &options.capabilities {
            details.permits(Access::without_topic(*capability)).map_err(not_permitted)?;
            for topic in &options.topics {
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
            ("issuer", json!(details.issuer.as_ref().map(MemberId::as_str))),
        ]
    }
}
