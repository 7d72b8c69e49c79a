//! Capabilities and topics from the description of a key to the verdict over it.

use keyward::schemas::mesh::{Access, AccessDenied, Capability, Mesh, MeshKey, MeshKeyError, Topics};

use super::{Meshes, accepted, draft, list};
use crate::support::{Fixture, over};

over![every_database of Mesh:
    a_key_with_topics_opens_nothing_that_spans_them_and_no_other_mesh,
    an_empty_list_of_topics_is_stored_and_shown_as_none,
    a_number_sign_in_front_of_a_topic_is_not_stored,
];

/// An operation that spans topics has to say so, and one mesh is all that a key speaks of.
async fn a_key_with_topics_opens_nothing_that_spans_them_and_no_other_mesh(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let key = MeshKey::new("home", "reader", [Capability::Admin]).unwrap().only_topics(["deploys"]).unwrap();
    let issued = meshes.issue(key.issued_by("ada").unwrap()).await;
    let accepted = meshes.keys.verify(issued.secret.expose_secret()).await.unwrap();
    for capability in Capability::ALL {
        let permits = |access| accepted.permits(access);
        assert_eq!(permits(Access::to_all_topics(capability)), Err(AccessDenied::Topic));
        assert_eq!(permits(Access::to_topic(capability, "general")), Err(AccessDenied::Topic));
        assert_eq!(permits(Access::to_topic(capability, "deploys")), Ok(()));
    }
    assert_eq!(accepted.owner().as_str(), "home");
}

async fn an_empty_list_of_topics_is_stored_and_shown_as_none(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    assert!(matches!(draft().only_topics([]), Err(MeshKeyError::NoTopics)));
    let issued = meshes.issue(draft().no_topics()).await;
    assert_eq!(meshes.text("SELECT CAST(topic_scopes AS text) FROM mesh.api_key").await.as_deref(), Some("[]"));
    for shown in [issued.record, list(&meshes.keys, "home").await.remove(0)] {
        assert_eq!(shown.details.topics, Topics::Only(Vec::new()));
        assert_eq!(shown.details.topics.to_string(), "none");
    }
}

async fn a_number_sign_in_front_of_a_topic_is_not_stored(fixture: Fixture<Mesh>) {
    let meshes = Meshes::over(fixture).await;
    let issued = meshes.issue(draft().only_topics(["#deploys", "deploys"]).unwrap()).await;
    let stored = meshes.text("SELECT CAST(topic_scopes AS text) FROM mesh.api_key").await;
    assert_eq!(stored.as_deref(), Some("[\"deploys\"]"));
    let details = accepted(&meshes.keys, issued.secret.expose_secret()).await.details;
    assert_eq!(details.permits(Access::to_topic(Capability::Send, "deploys")), Ok(()));
    for ambiguous in ["##deploys", "#", ""] {
        assert_eq!(draft().only_topics([ambiguous]).unwrap_err(), MeshKeyError::Topic);
    }
}

#[test]
fn a_misspelt_capability_is_refused_and_not_dropped() {
    for misspelt in ["raed", "Send", "send ", "", "send,read", "state-write"] {
        assert_eq!(misspelt.parse::<Capability>(), Err(MeshKeyError::UnknownCapability), "{misspelt}");
    }
    for capability in Capability::ALL {
        assert_eq!(capability.as_str().parse(), Ok(capability));
    }
}
