//! What a script can do.

use proptest::prelude::*;
use proptest::sample::Index;

/// How many clients there are.
pub(super) const CLIENTS: usize = 2;
/// Seconds that things live.
pub(super) const CODE_LIFE: i64 = 30;
pub(super) const ACCESS_LIFE: i64 = 60;
pub(super) const REFRESH_LIFE: i64 = 200;
pub(super) const GRANT_LIFE: i64 = 300;
/// Seconds in which an answer may be given again.
pub(super) const GRACE: i64 = 10;

/// What is wrong with what is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Client,
    RedirectUri,
    Verifier,
    Resource,
    Scope,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Somebody consents, and the client has a code.
    Issue {
        client: usize,
        names_resource: bool,
        ends: bool,
    },
    Redeem {
        code: Index,
        mistake: Option<Mistake>,
    },
    /// A refresh token is exchanged; the new access token has fewer scopes, or those before it stay.
    Refresh {
        token: Index,
        is_narrow: bool,
        keeps_access: bool,
        mistake: Option<Mistake>,
    },
    /// An access token is presented.
    Present {
        token: Index,
        mistake: Option<Mistake>,
    },
    RevokeAccess {
        token: Index,
    },
    RevokeRefresh {
        token: Index,
    },
    RevokeGrant {
        grant: Index,
    },
    RevokeClient {
        client: usize,
    },
    /// A client is removed, and another registered under its identifier.
    RemoveClient {
        client: usize,
    },
    Wait {
        seconds: i64,
    },
    Sweep,
}

/// What comes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A code, or new tokens.
    Issued,
    /// The answer before was given again.
    Repeated,
    /// A token was accepted, or something was revoked.
    Done,
    /// What was presented is good no more. A replay has ended its grant.
    Refused,
    /// What was presented was wrong.
    Mistaken,
    /// There is nothing yet to do it with.
    Nothing,
}

impl Outcome {
    pub(super) const ALL: [Self; 6] =
        [Self::Issued, Self::Repeated, Self::Done, Self::Refused, Self::Mistaken, Self::Nothing];
}

/// For each code and token that there ever was, in the order in which they were issued, whether it is good.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) codes: Vec<bool>,
    pub(super) refresh_tokens: Vec<bool>,
    pub(super) access_tokens: Vec<bool>,
}

fn any_mistake() -> impl Strategy<Value = Option<Mistake>> {
    use Mistake::{Client, RedirectUri, Resource, Scope, Verifier};
    prop::option::weighted(0.2, prop::sample::select(&[Client, RedirectUri, Verifier, Resource, Scope]))
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let token = any::<Index>;
    let is_rare = || prop::bool::weighted(0.2);
    prop_oneof![
        6 => (client.clone(), any::<bool>(), is_rare())
            .prop_map(|(client, names_resource, ends)| Step::Issue { client, names_resource, ends }),
        8 => (token(), any_mistake()).prop_map(|(code, mistake)| Step::Redeem { code, mistake }),
        12 => (token(), is_rare(), is_rare(), any_mistake()).prop_map(|(token, is_narrow, keeps_access, mistake)| {
            Step::Refresh { token, is_narrow, keeps_access, mistake }
        }),
        6 => (token(), any_mistake()).prop_map(|(token, mistake)| Step::Present { token, mistake }),
        1 => token().prop_map(|token| Step::RevokeAccess { token }),
        1 => token().prop_map(|token| Step::RevokeRefresh { token }),
        1 => token().prop_map(|grant| Step::RevokeGrant { grant }),
        1 => client.clone().prop_map(|client| Step::RevokeClient { client }),
        1 => client.prop_map(|client| Step::RemoveClient { client }),
        6 => prop_oneof![4 => 0_i64..GRACE + 2, 1 => 0_i64..REFRESH_LIFE].prop_map(|seconds| Step::Wait { seconds }),
        2 => Just(Step::Sweep),
    ]
}
