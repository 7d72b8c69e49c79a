//! Whatever is done in whatever order, the store answers as the reference does.

use keyward::broker::{
    CodeRefusal, GrantId, GrantRevocationReason, Redemption, Refresh, RefreshRefusal, RefreshVerdict, SealedResponse,
    SubjectId, decide_access, decide_redemption, decide_refresh,
};
use keyward::seal::StoredSecret;
use keyward::store::StoreError;
use keyward::store::grants::{
    ClientListRequest, GrantFilter, GrantListRequest, GrantStore, MemoryGrantStore, RedeemRequest, RevokeGrantRequest,
    RevokeGrantsRequest, RevokeTokenRequest, SweepRequest, TokenKind, UpstreamRequest,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{
    CLIENT, REDIRECT, VERIFIER, at, client, digest, exchange, grant, id, migrated, new_code, on_both_engines, scopes,
    sealed, tokens,
};
use crate::support::Database;

on_both_engines![it_answers_as_the_reference_does];

const GRANTS: usize = 6;
const TOKENS: usize = 3;

fn outcome<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Ok(done) => format!("{done:?}"),
        Err(error) => format!("{error}"),
    }
}

/// One change of a store, as it follows from `seed`.
async fn change(store: &dyn GrantStore, seed: u64, now: i64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut any = |most: usize| random.random_range(0..most);
    let (number, token, next) = (any(GRANTS), any(TOKENS), any(TOKENS));
    let name = format!("g{number}");
    let clients = [CLIENT, "client-2"];
    let of = grant(&name, clients[number % 2], &format!("{}", number % 3));
    let (from, to) = (format!("{name}-{token}"), format!("{name}-{next}"));
    let filter = match any(4) {
        0 => GrantFilter::of_client(id(clients[any(2)])),
        1 => GrantFilter::of_subject(SubjectId::new(any(3).to_string()).unwrap()),
        2 => GrantFilter::default(),
        _ => {
            let mut both = GrantFilter::of_subject(SubjectId::new("0").unwrap());
            both.client = Some(id(CLIENT));
            both
        }
    };
    match any(23) {
        0..=2 => outcome(store.add_code(&new_code(of)).await),
        3..=6 => {
            let mut new = tokens(&of, &to, now);
            if any(4) == 0 {
                new.refresh = None;
            }
            outcome(store.redeem(&RedeemRequest::new(digest(&format!("code-{name}")), new)).await)
        }
        7..=11 => {
            let mut request = exchange(&of, &from, &to, now);
            request.revokes_access = any(3) > 0;
            if let (StoredSecret::Sealed(envelope), true) = (sealed("response"), any(2) == 0) {
                request.response = Some(SealedResponse::new(envelope, at(now + 60), at(now + 3_600), scopes("read")));
            }
            outcome(store.exchange(&request).await)
        }
        12 => outcome(store.note_first_use(&digest(&format!("access-{from}")), at(now)).await),
        13 => {
            let (kind, which) =
                if any(2) == 0 { (TokenKind::Access, "access") } else { (TokenKind::Refresh, "refresh") };
            let request = RevokeTokenRequest::new(kind, digest(&format!("{which}-{from}")), at(now));
            outcome(store.revoke_token(&request).await)
        }
        14 if any(3) == 0 => {
            let reason = GrantRevocationReason::RefreshTokenReplayed;
            outcome(store.revoke_grant(&RevokeGrantRequest::new(of.id, reason, at(now))).await)
        }
        15 if any(8) == 0 => {
            let limit = u32::try_from(any(4)).unwrap();
            let request = RevokeGrantsRequest::new(filter, GrantRevocationReason::Revoked, at(now), limit);
            outcome(store.revoke_grants(&request).await)
        }
        16 if any(12) == 0 => outcome(store.remove_client(&id(clients[any(2)]), at(now)).await),
        17 => {
            let mut new = client(clients[any(2)]);
            new.name = (any(2) == 0).then(|| "An app".to_owned());
            new.scopes = (any(2) == 0).then(|| scopes("read"));
            new.may_refresh = any(2) == 0;
            if any(3) == 0 { outcome(store.update_client(&new).await) } else { outcome(store.register(&new).await) }
        }
        18 => outcome(store.note_client_use(&id(clients[any(2)]), at(now - i64::try_from(any(50)).unwrap())).await),
        19 => {
            let new = keyward::broker::StoredUpstreamTokens::new(sealed("new"), at(now + 900));
            let request = UpstreamRequest::new(of.id, u64::try_from(any(3)).unwrap(), new);
            outcome(store.replace_upstream(&request).await)
        }
        20 => {
            let mut request = GrantListRequest::new(filter, u32::try_from(any(4)).unwrap());
            request.after = (any(2) == 0).then(|| GrantId::new(format!("g{}", any(GRANTS))).unwrap());
            let found = store.grants(&request).await.unwrap();
            format!("{:?}", found.iter().map(|grant| grant.id.clone()).collect::<Vec<_>>())
        }
        21 => {
            // What was removed is shown by what is still known.
            let mut request = SweepRequest::new(at(now), 50);
            request.clients_unused_since = (any(3) == 0).then(|| at(now - 40 * 86_400));
            store
                .sweep(&request)
                .await
                .map(|swept| (swept.grants, swept.clients))
                .map_or_else(|e| e.to_string(), |n| format!("{n:?}"))
        }
        _ => "nothing".to_owned(),
    }
}

/// What is known and decided of everything that there may be.
async fn state(store: &dyn GrantStore, now: i64) -> Vec<String> {
    let mut state = Vec::new();
    for known in store.clients(&ClientListRequest::new(10)).await.unwrap() {
        state.push(format!("{known:?}"));
    }
    for number in 0..GRANTS {
        let name = format!("g{number}");
        let known = store.grant(&GrantId::new(&name).unwrap()).await.unwrap();
        state.push(format!("{known:?}"));
        let presented =
            |client| Redemption { client, redirect_uri: Some(REDIRECT), verifier: Some(VERIFIER), resource: None };
        let code = store.code(&digest(&format!("code-{name}"))).await.unwrap();
        let decided =
            code.as_ref().map(|code| match decide_redemption(Some(code), presented(&code.grant.client), at(now)) {
                // A code that was redeemed may be forgotten with its grant alone.
                Err(CodeRefusal::Replayed(grant)) => format!("replayed {grant}"),
                decided => format!("{decided:?}"),
            });
        state.push(format!("{name}: code {decided:?} {:?}", code.and_then(|code| code.spent_at)));
        for token in 0..TOKENS {
            let access = store.access_token(&digest(&format!("access-{name}-{token}"))).await.unwrap();
            let used_at = access.as_ref().and_then(|token| token.used_at);
            let decided = decide_access(access, None, at(now)).map(|principal| {
                let upstream = principal.upstream().map(|tokens| tokens.expires_at);
                (principal.client().clone(), principal.subject().clone(), principal.scopes().clone(), used_at, upstream)
            });
            // Whether one that is good no longer is still there depends on the table.
            state.push(format!("{name}-{token}: access {:?}", decided.ok()));
            let refresh = store.refresh_token(&digest(&format!("refresh-{name}-{token}"))).await.unwrap();
            let decided = refresh.as_ref().map(|token| {
                let presented = Refresh { client: &token.client, scopes: Some(&scopes("read")), resource: None };
                match decide_refresh(Some(token), presented, at(now)) {
                    Ok(RefreshVerdict::Repeat(response)) => format!("repeat {:?}", response.sealed),
                    Ok(verdict) => format!("{verdict:?}"),
                    Err(RefreshRefusal::Expired | RefreshRefusal::Revoked) => "not good".to_owned(),
                    Err(refusal) => format!("{refusal:?}"),
                }
            });
            state.push(format!("{name}-{token}: refresh {decided:?} {:?}", refresh.and_then(|token| token.spent_at)));
        }
    }
    state
}

async fn it_answers_as_the_reference_does(database: Database) {
    let store = migrated(&database).await;
    let reference = MemoryGrantStore::new();
    reference.register(&client(CLIENT)).await.unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let mut now = 10;
    let mut done = Vec::new();
    for step in 0..900 {
        now += if random.random_range(0..100) == 0 {
            random.random_range(0..40 * 86_400)
        } else {
            random.random_range(0..300)
        };
        let seed = random.random();
        let expected = change(&reference, seed, now).await;
        let found = change(&store, seed, now).await;
        assert_eq!(found, expected, "step {step} at {now}: seed {seed}");
        if step % 6 == 0 {
            for (found, expected) in state(&store, now).await.into_iter().zip(state(&reference, now).await) {
                assert_eq!(found, expected, "after step {step} at {now}");
            }
        }
        done.push(expected);
    }
    let rare = |what: &str| done.iter().filter(|outcome| *outcome == what).count();
    assert!(rare("true") > 30 && rare("false") > 50, "{} {}", rare("true"), rare("false"));
}
