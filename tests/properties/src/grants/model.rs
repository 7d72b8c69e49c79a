//! The model: marks on codes and tokens. A sweep is nothing to it, since what it removes was good no more.

use super::step::{ACCESS_LIFE, CODE_LIFE, GRACE, GRANT_LIFE, Live, Mistake, Outcome, REFRESH_LIFE, Step};

#[derive(Debug, Default)]
pub(super) struct Model {
    now: i64,
    grants: Vec<Grant>,
    refresh_tokens: Vec<RefreshToken>,
    access_tokens: Vec<AccessToken>,
}

/// A grant with its code.
#[derive(Debug)]
struct Grant {
    client: usize,
    names_resource: bool,
    expires_at: i64,
    is_revoked: bool,
    code_ends_at: i64,
    code_is_spent: bool,
}

#[derive(Debug)]
struct RefreshToken {
    grant: usize,
    expires_at: i64,
    is_revoked: bool,
    spent: Option<Spent>,
}

#[derive(Clone, Copy, Debug)]
struct Spent {
    is_narrow: bool,
    repeats_until: i64,
    refresh_token: usize,
    access_token: usize,
}

#[derive(Debug)]
struct AccessToken {
    grant: usize,
    expires_at: i64,
    is_revoked: bool,
    is_used: bool,
}

impl Model {
    fn grant_is_live(&self, grant: usize) -> bool {
        !self.grants[grant].is_revoked && self.now < self.grants[grant].expires_at
    }

    fn code_is_live(&self, code: usize) -> bool {
        let grant = &self.grants[code];
        !grant.code_is_spent && self.now < grant.code_ends_at && self.grant_is_live(code)
    }

    fn refresh_is_live(&self, token: &RefreshToken) -> bool {
        !token.is_revoked && token.spent.is_none() && self.now < token.expires_at && self.grant_is_live(token.grant)
    }

    fn access_is_live(&self, token: &AccessToken) -> bool {
        !token.is_revoked && self.now < token.expires_at && self.grant_is_live(token.grant)
    }

    pub(super) fn live(&self) -> Live {
        Live {
            codes: (0..self.grants.len()).map(|code| self.code_is_live(code)).collect(),
            refresh_tokens: self.refresh_tokens.iter().map(|token| self.refresh_is_live(token)).collect(),
            access_tokens: self.access_tokens.iter().map(|token| self.access_is_live(token)).collect(),
        }
    }

    fn issue(&mut self, grant: usize) -> Outcome {
        let (access, refresh) = (self.now + ACCESS_LIFE, self.now + REFRESH_LIFE);
        self.access_tokens.push(AccessToken { grant, expires_at: access, is_revoked: false, is_used: false });
        self.refresh_tokens.push(RefreshToken { grant, expires_at: refresh, is_revoked: false, spent: None });
        Outcome::Issued
    }

    fn revoke_grants(&mut self, is_meant: impl Fn(usize, &Grant) -> bool) -> Outcome {
        for (number, grant) in self.grants.iter_mut().enumerate() {
            grant.is_revoked |= is_meant(number, grant);
        }
        Outcome::Done
    }

    pub(super) fn take(&mut self, step: &Step) -> Outcome {
        match *step {
            Step::Issue { client, names_resource, ends } => {
                let expires_at = if ends { self.now + GRANT_LIFE } else { i64::MAX };
                let (code_ends_at, code_is_spent) = (self.now + CODE_LIFE, false);
                self.grants.push(Grant {
                    client,
                    names_resource,
                    expires_at,
                    is_revoked: false,
                    code_ends_at,
                    code_is_spent,
                });
                Outcome::Issued
            }
            Step::Redeem { .. } | Step::RevokeGrant { .. } if self.grants.is_empty() => Outcome::Nothing,
            Step::Redeem { code, mistake } => self.redeem(code.index(self.grants.len()), mistake),
            Step::Refresh { .. } | Step::RevokeRefresh { .. } if self.refresh_tokens.is_empty() => Outcome::Nothing,
            Step::Refresh { token, is_narrow, keeps_access, mistake } => {
                self.refresh(token.index(self.refresh_tokens.len()), is_narrow, keeps_access, mistake)
            }
            Step::RevokeRefresh { token } => {
                let token = token.get_mut(&mut self.refresh_tokens);
                token.is_revoked |= token.spent.is_none();
                Outcome::Done
            }
            Step::Present { .. } | Step::RevokeAccess { .. } if self.access_tokens.is_empty() => Outcome::Nothing,
            Step::Present { token, mistake } => self.present(token.index(self.access_tokens.len()), mistake),
            Step::RevokeAccess { token } => {
                token.get_mut(&mut self.access_tokens).is_revoked = true;
                Outcome::Done
            }
            Step::RevokeGrant { grant } => {
                let meant = grant.index(self.grants.len());
                self.revoke_grants(|number, _| number == meant)
            }
            Step::RevokeClient { client } | Step::RemoveClient { client } => {
                self.revoke_grants(|_, grant| grant.client == client)
            }
            Step::Wait { seconds } => {
                self.now += seconds;
                Outcome::Done
            }
            Step::Sweep => Outcome::Done,
        }
    }

    fn redeem(&mut self, code: usize, mistake: Option<Mistake>) -> Outcome {
        let grant = &self.grants[code];
        match mistake {
            Some(Mistake::Client | Mistake::RedirectUri | Mistake::Verifier) => return Outcome::Mistaken,
            Some(Mistake::Resource) if grant.names_resource => return Outcome::Mistaken,
            _ => {}
        }
        if self.code_is_live(code) {
            self.grants[code].code_is_spent = true;
            return self.issue(code);
        }
        self.grants[code].is_revoked |= self.grants[code].code_is_spent;
        Outcome::Refused
    }

    fn refresh(&mut self, number: usize, is_narrow: bool, keeps_access: bool, mistake: Option<Mistake>) -> Outcome {
        let token = &self.refresh_tokens[number];
        let grant = token.grant;
        if mistake == Some(Mistake::Client) {
            return Outcome::Mistaken;
        }
        let asks_for_more = match mistake {
            Some(Mistake::Scope) => true,
            Some(Mistake::Resource) => self.grants[grant].names_resource,
            _ => false,
        };
        if let (Some(spent), false) = (token.spent, self.grants[grant].is_revoked) {
            let (refresh, access) =
                (&self.refresh_tokens[spent.refresh_token], &self.access_tokens[spent.access_token]);
            let is_used = refresh.is_revoked || refresh.spent.is_some() || access.is_revoked || access.is_used;
            let is_same_question = spent.is_narrow == is_narrow && !asks_for_more;
            if self.now < spent.repeats_until && is_same_question && !is_used {
                return Outcome::Repeated;
            }
            self.grants[grant].is_revoked = true;
            return Outcome::Refused;
        }
        if !self.refresh_is_live(token) {
            return Outcome::Refused;
        }
        if asks_for_more {
            return Outcome::Mistaken;
        }
        for access in self.access_tokens.iter_mut().filter(|access| access.grant == grant) {
            access.is_revoked |= !keeps_access;
        }
        let (repeats_until, refresh_token) = (self.now + GRACE, self.refresh_tokens.len());
        let access_token = self.access_tokens.len();
        self.refresh_tokens[number].spent = Some(Spent { is_narrow, repeats_until, refresh_token, access_token });
        self.issue(grant)
    }

    fn present(&mut self, number: usize, mistake: Option<Mistake>) -> Outcome {
        let token = &self.access_tokens[number];
        if !self.access_is_live(token) {
            return Outcome::Refused;
        }
        if mistake == Some(Mistake::Resource) && self.grants[token.grant].names_resource {
            return Outcome::Mistaken;
        }
        self.access_tokens[number].is_used = true;
        Outcome::Done
    }
}
