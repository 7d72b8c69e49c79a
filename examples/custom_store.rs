//! Keys in a table of the host's own, proved by the conformance suite. Run it with
//! `cargo run --example custom_store --features testkit`.
//!
//! A box office sells tickets to machines: every ticket is an API key that admits to one hall. Its table has names of
//! its own, and columns that keyward knows nothing of.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keyward::Keys;
use keyward::Timestamp;
use keyward::key::{
    Defect, DisplayPrefix, Draft, Encoding, IdScheme, KeyDigest, KeyFormat, KeyHead, KeyId, KeyRecord, OwnerId,
    Profile, Revocation, RevocationReason, Rotation, Status,
};
use keyward::store::conformance::{self, Subject};
use keyward::store::{
    Abilities, DynKeyStore, KeyLookup, KeyStore, KeyUse, PageRequest, RevokeOutcome, RevokeRequest, StoreError,
};

/// The system: how its keys look, and what only it records about them.
#[derive(Debug)]
struct BoxOffice;

impl Profile for BoxOffice {
    type Details = Admission;

    const NAME: &'static str = "box_office";
    const FORMAT: KeyFormat = match KeyFormat::new("acme_", 32, Encoding::Base62Checked, 9) {
        Ok(format) => format,
        Err(_) => panic!("the key format is not sound"),
    };
    const ID_SCHEME: IdScheme = IdScheme::Alphanumeric;
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Admission {
    hall: String,
    seats: u32,
}

/// A row of the host's table.
#[derive(Debug)]
struct Ticket {
    customer: OwnerId,
    code_starts_with: DisplayPrefix,
    code_sha256: Option<KeyDigest>,
    hall: String,
    seats: u32,
    sold_at: Option<Timestamp>,
    shown_at: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    cancelled: Option<Revocation>,
    exchanged_for: Option<KeyId>,
}

impl From<&KeyRecord<Admission>> for Ticket {
    fn from(KeyRecord { head, details }: &KeyRecord<Admission>) -> Self {
        Self {
            customer: head.owner.clone(),
            code_starts_with: head.prefix.clone(),
            code_sha256: head.digest,
            hall: details.hall.clone(),
            seats: details.seats,
            sold_at: head.created_at,
            shown_at: head.last_used_at,
            valid_until: head.expires_at,
            cancelled: None,
            exchanged_for: None,
        }
    }
}

impl Ticket {
    fn to_record(&self, number: &KeyId) -> KeyRecord<Admission> {
        let head = KeyHead {
            id: number.clone(),
            owner: self.customer.clone(),
            prefix: self.code_starts_with.clone(),
            digest: self.code_sha256,
            created_at: self.sold_at,
            last_used_at: self.shown_at,
            expires_at: self.valid_until,
            status: self.cancelled.clone().map_or(Status::Active, Status::Revoked),
            // A ticket for no seat admits nobody; the defect keeps its key from being accepted.
            defect: (self.seats == 0).then_some(Defect { table: "tickets", column: "seats" }),
        };
        KeyRecord { head, details: Admission { hall: self.hall.clone(), seats: self.seats } }
    }

    fn cancel(&mut self, at: Timestamp, reason: Option<&RevocationReason>) {
        self.cancelled = Some(Revocation { at: Some(at), reason: reason.cloned() });
    }
}

type Tickets = BTreeMap<KeyId, Ticket>;

#[derive(Debug, Default)]
struct TicketStore {
    tickets: Mutex<Tickets>,
}

impl TicketStore {
    /// The lock is what makes every method atomic; with a database, that is a transaction.
    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sell(tickets: &mut Tickets, key: &KeyRecord<Admission>) -> Result<(), StoreError> {
    let is_sold = |ticket: &Ticket| ticket.code_sha256 == key.head.digest;
    if tickets.contains_key(&key.head.id) || tickets.values().any(is_sold) {
        return Err(StoreError::Conflict);
    }
    tickets.insert(key.head.id.clone(), key.into());
    Ok(())
}

#[async_trait]
impl KeyStore for TicketStore {
    type Details = Admission;

    fn abilities(&self) -> Abilities {
        Abilities {
            several_keys_per_owner: true,
            expiry: true,
            rotation_memory: true,
            revocation_time: true,
            revocation_reason: true,
        }
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<KeyRecord<Admission>>, StoreError> {
        let tickets = self.tickets();
        let found = tickets.iter().filter(|(_, ticket)| ticket.code_sha256.as_ref() == Some(lookup.digest));
        Ok(found.map(|(number, ticket)| ticket.to_record(number)).collect())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<Admission>>, StoreError> {
        Ok(self.tickets().get(id).map(|ticket| ticket.to_record(id)))
    }

    async fn list(&self, page: &PageRequest) -> Result<Vec<KeyRecord<Admission>>, StoreError> {
        let tickets = self.tickets();
        let mut owned: Vec<_> = tickets.iter().filter(|(_, ticket)| ticket.customer == page.owner).collect();
        owned.sort_by_key(|(number, ticket)| (ticket.sold_at, *number));
        owned.reverse();
        let start = match &page.after {
            None => 0,
            Some(after) => 1 + owned.iter().position(|(id, _)| *id == after).ok_or(StoreError::UnknownCursor)?,
        };
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        Ok(owned.into_iter().skip(start).take(limit).map(|(number, ticket)| ticket.to_record(number)).collect())
    }

    async fn starting_with(
        &self,
        owner: &OwnerId,
        start: &str,
        limit: u32,
    ) -> Result<Vec<KeyRecord<Admission>>, StoreError> {
        let tickets = self.tickets();
        let starts = |(number, ticket): &(&KeyId, &Ticket)| {
            let is_shown =
                [number.as_str(), ticket.code_starts_with.as_str()].iter().any(|text| text.starts_with(start));
            ticket.customer == *owner && is_shown
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(tickets.iter().filter(starts).take(limit).map(|(number, ticket)| ticket.to_record(number)).collect())
    }

    async fn owner_exists(&self, _customer: &OwnerId) -> Result<bool, StoreError> {
        // Whoever pays is a customer: nothing has to be there before the first ticket.
        Ok(true)
    }

    async fn insert(&self, key: &KeyRecord<Admission>) -> Result<(), StoreError> {
        sell(&mut self.tickets(), key)
    }

    async fn rotate(&self, rotation: &Rotation<Admission>) -> Result<(), StoreError> {
        let Rotation { predecessor: seen, retire_at, successor, at, .. } = rotation;
        let mut tickets = self.tickets();
        let unchanged = tickets.get(&seen.id).is_some_and(|ticket| {
            let head = ticket.to_record(&seen.id).head;
            let is_as_seen = head.digest == seen.digest && head.expires_at == seen.expires_at;
            is_as_seen && ticket.exchanged_for.is_none() && head.standing(*at).is_ok()
        });
        if !unchanged {
            return Err(StoreError::Conflict);
        }
        sell(&mut tickets, successor)?;
        if let Some(ticket) = tickets.get_mut(&seen.id) {
            ticket.valid_until = Some(*retire_at);
            ticket.exchanged_for = Some(successor.head.id.clone());
        }
        Ok(())
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeOutcome, StoreError> {
        let RevokeRequest { id, digest, at, reason } = request;
        let mut tickets = self.tickets();
        let is_meant = |ticket: &&mut Ticket| digest.is_none() || ticket.code_sha256 == *digest;
        let Some(ticket) = tickets.get_mut(id).filter(is_meant) else { return Ok(RevokeOutcome::NotFound) };
        if let Some(first) = &ticket.cancelled {
            return Ok(RevokeOutcome::AlreadyRevoked(first.clone()));
        }
        ticket.cancel(*at, reason.as_ref());
        Ok(RevokeOutcome::Revoked)
    }

    async fn revoke_all(
        &self,
        owner: &OwnerId,
        at: Timestamp,
        reason: Option<&RevocationReason>,
    ) -> Result<u64, StoreError> {
        let mut tickets = self.tickets();
        let open = tickets.values_mut().filter(|ticket| ticket.customer == *owner && ticket.cancelled.is_none());
        Ok(open.map(|ticket| ticket.cancel(at, reason)).count() as u64)
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<u64, StoreError> {
        let mut tickets = self.tickets();
        let mut touched = 0;
        for KeyUse { id, digest, at } in uses {
            let is_older = |ticket: &&mut Ticket| ticket.code_sha256 == Some(*digest) && ticket.shown_at < Some(*at);
            if let Some(ticket) = tickets.get_mut(id).filter(is_older) {
                ticket.shown_at = Some(*at);
                touched += 1;
            }
        }
        Ok(touched)
    }
}

/// What the suite needs to know. In a real crate this and the call of [`conformance::run`] are a test.
#[async_trait]
impl Subject for TicketStore {
    type Profile = BoxOffice;

    fn store(&self) -> &DynKeyStore<Admission> {
        self
    }

    async fn add_owner(&self, _customer: &OwnerId) {
        // Every name can be one, see `owner_exists`.
    }

    fn details(&self) -> Vec<Admission> {
        let admission = |hall: &str, seats| Admission { hall: hall.to_owned(), seats };
        vec![admission("Kleiner Saal", 2), admission("", u32::MAX)]
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(TicketStore::default());
    conformance::run(&*store).await;
    println!("the store keeps every promise of `KeyStore`");

    let keys = Keys::builder(BoxOffice, Arc::clone(&store)).build();
    let admission = Admission { hall: "Großer Saal".to_owned(), seats: 4 };
    let draft = Draft { owner: OwnerId::new("acme")?, expires_at: None, details: admission };
    let issued = keys.issue(draft).await?;
    println!("issued: ticket {}, whose key starts with {}", issued.record.head.id, issued.record.head.prefix);

    let accepted = keys.verify(issued.secret.expose_secret()).await?;
    println!("accepted: {} seats in {}", accepted.details().seats, accepted.details().hall);

    if let Some(ticket) = store.tickets().get_mut(&issued.record.head.id) {
        ticket.seats = 0;
    }
    if let Err(refusal) = keys.verify(issued.secret.expose_secret()).await {
        println!("refused once the host sets its seats to 0: {}", refusal.reason());
    }
    Ok(())
}
