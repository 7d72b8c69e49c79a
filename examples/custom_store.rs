//! Keys in a data structure of one's own, proved by the conformance suite. Run it with
//! `cargo run --example custom_store --features testkit`.
//!
//! A box office sells tickets to machines: every ticket is an API key that admits to one hall. Its ledger has names of
//! its own. It keeps no history, lists tickets by their customer alone, and never throws one away; keyward asks for
//! nothing else, because the store says so.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keyward::key::{
    Action, Defect, DisplayPrefix, Draft, Encoding, HistoryEntry, IdScheme, InvalidFormat, KeyChange, KeyDigest,
    KeyFormat, KeyFormats, KeyHead, KeyId, KeyRecord, Labels, OwnerId, Reason, RefusalReason, Revocation, Revoked,
    RevokedAll, Rotation, Schema, Status,
};
use keyward::store::conformance::{self, Subject};
use keyward::store::{
    Abilities, KeyLookup, KeyStore, KeyUse, ListRequest, PurgeRequest, RevokeAllRequest, RevokeRequest, StoreError,
    Touched,
};
use keyward::{Keys, Timestamp};

/// The schema: how the keys look, and what only it records about them.
#[derive(Debug)]
struct BoxOffice {
    formats: KeyFormats,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Admission {
    hall: String,
    seats: u32,
}

impl Schema for BoxOffice {
    type Details = Admission;

    const NAME: &'static str = "box_office";
    const ID_SCHEME: IdScheme = IdScheme::Alphanumeric;
    const VERSIONED: bool = false;

    fn formats(&self) -> &KeyFormats {
        &self.formats
    }

    /// Every good ticket is good here. A box office with several houses would compare the house.
    fn admits(&self, _key: &KeyRecord<Self>) -> Result<(), RefusalReason> {
        Ok(())
    }

    fn labels(details: &Admission) -> Labels<'_> {
        Labels::named(&details.hall)
    }

    fn origin(_details: &Admission) -> Action {
        Action::Issued
    }

    fn begin(&self, _key: &mut KeyRecord<Self>) {}
    fn succeed(&self, _predecessor: &KeyRecord<Self>, _successor: &mut KeyRecord<Self>) {}
}

/// An entry of the ledger.
#[derive(Debug)]
struct Ticket {
    customer: OwnerId,
    code_starts_with: DisplayPrefix,
    code_sha256: Option<KeyDigest>,
    admission: Admission,
    sold_at: Option<Timestamp>,
    shown_at: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    cancelled: Option<Revocation>,
    exchanged_for: Option<KeyId>,
}

impl Ticket {
    fn to_record(&self, number: &KeyId) -> KeyRecord<BoxOffice> {
        let prefix = self.code_starts_with.clone();
        let mut head = KeyHead::new(number.clone(), self.customer.clone(), prefix, self.code_sha256);
        head.created_at = self.sold_at;
        head.last_used_at = self.shown_at;
        head.expires_at = self.valid_until;
        head.status = self.cancelled.clone().map_or(Status::Active, Status::Revoked);
        head.successor.clone_from(&self.exchanged_for);
        // A ticket for no seat admits nobody; the defect keeps its key from being accepted.
        head.defect = (self.admission.seats == 0).then_some(Defect::new("tickets", "seats"));
        KeyRecord::new(head, self.admission.clone())
    }

    fn cancel(&mut self, at: Timestamp, reason: Option<&Reason>) -> Revocation {
        self.cancelled.insert(Revocation::new(Some(at), reason.cloned())).clone()
    }
}

type Tickets = BTreeMap<KeyId, Ticket>;

#[derive(Debug)]
struct TicketStore {
    schema: BoxOffice,
    tickets: Mutex<Tickets>,
}

impl TicketStore {
    fn new() -> Result<Self, InvalidFormat> {
        let format = KeyFormat::new("ticket_", 32, Encoding::Base62Checked, 11)?;
        Ok(Self { schema: BoxOffice { formats: KeyFormats::new(format) }, tickets: Mutex::default() })
    }

    /// The lock is what makes every method atomic; with a database, that is a transaction.
    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sell(tickets: &mut Tickets, KeyRecord { head, details, .. }: &KeyRecord<BoxOffice>) -> Result<(), StoreError> {
    let is_sold = |ticket: &Ticket| ticket.code_sha256 == head.digest;
    if tickets.contains_key(&head.id) || tickets.values().any(is_sold) {
        return Err(StoreError::Conflict);
    }
    let ticket = Ticket {
        customer: head.owner.clone(),
        code_starts_with: head.prefix.clone(),
        code_sha256: head.digest,
        admission: details.clone(),
        sold_at: head.created_at,
        shown_at: head.last_used_at,
        valid_until: head.expires_at,
        cancelled: None,
        exchanged_for: None,
    };
    tickets.insert(head.id.clone(), ticket);
    Ok(())
}

#[async_trait]
impl KeyStore for TicketStore {
    type Schema = BoxOffice;

    fn schema(&self) -> &BoxOffice {
        &self.schema
    }

    fn abilities(&self) -> Abilities {
        let mut abilities = Abilities::all();
        (abilities.changes, abilities.search, abilities.purge) = (false, false, false);
        abilities
    }

    async fn find(&self, lookup: KeyLookup<'_>) -> Result<Vec<Arc<KeyRecord<BoxOffice>>>, StoreError> {
        let tickets = self.tickets();
        let found = tickets.iter().filter(|(_, ticket)| ticket.code_sha256.as_ref() == Some(lookup.digest));
        Ok(found.map(|(number, ticket)| Arc::new(ticket.to_record(number))).collect())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<KeyRecord<BoxOffice>>, StoreError> {
        Ok(self.tickets().get(id).map(|ticket| ticket.to_record(id)))
    }

    async fn list(&self, request: &ListRequest) -> Result<Vec<KeyRecord<BoxOffice>>, StoreError> {
        let (Some(customer), false) = (&request.filter.owner, request.filter.is_more_than_owner()) else {
            return Err(StoreError::Unsupported("tickets are listed by their customer alone"));
        };
        let tickets = self.tickets();
        let mut bought: Vec<_> = tickets.iter().filter(|(_, ticket)| ticket.customer == *customer).collect();
        bought.sort_by_key(|(number, ticket)| Reverse((ticket.sold_at, *number)));
        let first = match &request.after {
            None => 0,
            Some(after) => 1 + bought.iter().position(|(id, _)| *id == after).ok_or(StoreError::UnknownCursor)?,
        };
        let is_meant = |(number, ticket): &(&KeyId, &Ticket)| {
            let shown = [number.as_str(), ticket.code_starts_with.as_str()];
            request.filter.starting_with.as_deref().is_none_or(|start| shown.iter().any(|text| text.starts_with(start)))
        };
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let page = bought.into_iter().skip(first).filter(is_meant).take(limit);
        Ok(page.map(|(number, ticket)| ticket.to_record(number)).collect())
    }

    async fn count(&self, _request: &ListRequest) -> Result<u64, StoreError> {
        Err(StoreError::Unsupported("tickets are not counted"))
    }

    async fn owner_exists(&self, _customer: &OwnerId) -> Result<bool, StoreError> {
        Ok(true) // whoever pays is a customer: nothing has to be there before the first ticket
    }

    async fn insert(&self, key: &KeyRecord<BoxOffice>) -> Result<(), StoreError> {
        sell(&mut self.tickets(), key)
    }

    async fn rotate(&self, rotation: &Rotation<BoxOffice>) -> Result<KeyRecord<BoxOffice>, StoreError> {
        let Rotation { predecessor: seen, retire_at, successor, at, .. } = rotation;
        let mut tickets = self.tickets();
        let is_as_seen = |ticket: &&Ticket| {
            let head = ticket.to_record(&seen.id).head;
            let is_the_same = head.digest == seen.digest && head.expires_at == seen.expires_at;
            is_the_same && head.successor.is_none() && head.standing(*at).is_ok()
        };
        let ticket = tickets.get(&seen.id).filter(is_as_seen).ok_or(StoreError::Conflict)?;
        // What the ticket admits to is copied from the ledger: it may have been cut since the caller looked.
        let successor = KeyRecord::new(successor.head.clone(), ticket.admission.clone());
        sell(&mut tickets, &successor)?;
        if let Some(ticket) = tickets.get_mut(&seen.id) {
            ticket.valid_until = Some(*retire_at);
            ticket.exchanged_for = Some(successor.head.id.clone());
            if rotation.is_immediate() {
                ticket.cancel(*at, None);
            }
        }
        Ok(successor)
    }

    async fn change(&self, _change: &KeyChange<BoxOffice>) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("a ticket that was sold is not changed"))
    }

    async fn revoke(&self, request: &RevokeRequest) -> Result<Option<Revoked>, StoreError> {
        let RevokeRequest { id, owner, digest, at, reason, .. } = request;
        let mut tickets = self.tickets();
        let is_meant = |ticket: &&mut Ticket| {
            owner.as_ref().is_none_or(|owner| ticket.customer == *owner)
                && (digest.is_none() || ticket.code_sha256 == *digest)
        };
        let Some(ticket) = tickets.get_mut(id).filter(is_meant) else { return Ok(None) };
        Ok(Some(match &ticket.cancelled {
            Some(first) => Revoked::before(id.clone(), first.clone()),
            None => Revoked::now(id.clone(), ticket.cancel(*at, reason.as_ref())),
        }))
    }

    async fn revoke_all(&self, request: &RevokeAllRequest) -> Result<RevokedAll, StoreError> {
        let RevokeAllRequest { owner, at, reason, .. } = request;
        let mut tickets = self.tickets();
        let open = tickets.values_mut().filter(|ticket| ticket.customer == *owner && ticket.cancelled.is_none());
        Ok(RevokedAll::new(owner.clone(), open.map(|ticket| ticket.cancel(*at, reason.as_ref())).count() as u64))
    }

    async fn touch(&self, uses: &[KeyUse]) -> Result<Touched, StoreError> {
        let mut tickets = self.tickets();
        let mut written = 0;
        for used in uses {
            let is_due =
                |ticket: &&mut Ticket| ticket.code_sha256 == Some(used.digest) && used.replaces(ticket.shown_at);
            if let Some(ticket) = tickets.get_mut(&used.id).filter(is_due) {
                ticket.shown_at = Some(used.at);
                written += 1;
            }
        }
        Ok(Touched::written(written))
    }

    async fn history(&self, _id: &KeyId) -> Result<Vec<HistoryEntry>, StoreError> {
        Err(StoreError::Unsupported("the ledger keeps no history"))
    }

    async fn purge(&self, _request: &PurgeRequest) -> Result<u64, StoreError> {
        Err(StoreError::Unsupported("tickets are kept for the tax office"))
    }
}

/// What the suite needs to know. In a real crate, this and `keyward::conformance_suite!` are in the tests.
#[async_trait]
impl Subject for TicketStore {
    type Schema = BoxOffice;

    fn store(&self) -> &dyn KeyStore<Schema = BoxOffice> {
        self
    }

    async fn add_owner(&self, _customer: &OwnerId) {}

    fn details(&self) -> Vec<Admission> {
        let admission = |hall: &str, seats| Admission { hall: hall.to_owned(), seats };
        vec![admission("Kleiner Saal", 2), admission("", u32::MAX)]
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    conformance::run(&TicketStore::new()?).await;
    println!("the store keeps every promise of `KeyStore`");

    let store = Arc::new(TicketStore::new()?);
    let keys = Keys::builder_over(store.clone()).build();
    let admission = Admission { hall: "Großer Saal".to_owned(), seats: 4 };
    let issued = keys.issue(Draft::new(OwnerId::new("acme")?, admission)).await?;
    println!("issued: ticket {}, whose key starts with {}", issued.record.head.id, issued.record.head.prefix);

    let accepted = keys.verify(issued.secret.expose_secret()).await?;
    println!("accepted: {} seats in {}", accepted.details().seats, accepted.details().hall);

    if let Some(ticket) = store.tickets().get_mut(&issued.record.head.id) {
        ticket.admission.seats = 0;
    }
    if let Err(refusal) = keys.verify(issued.secret.expose_secret()).await {
        println!("refused once the host sets its seats to 0: {}", refusal.reason());
    }
    Ok(())
}
