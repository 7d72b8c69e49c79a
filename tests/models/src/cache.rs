//! A store, a cache of one record, and those who change, fill and rely on it.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::fence::{Fence, Subject, Ticket};

/// A key by its version; each change makes another one.
type Version = u64;

struct World {
    /// A database, by itself without any order among threads: that whoever has seen a change by the fence reads it is for
    /// the fence to see to.
    stored: AtomicU64,
    /// The newest version that was reported to anybody.
    reported: AtomicU64,
    fence: Fence<AtomicU64>,
    cached: Mutex<Option<(Version, Ticket)>>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            stored: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            fence: Fence::new(2),
            cached: Mutex::new(None),
        })
    }

    fn subject(&self) -> Subject {
        self.fence.subject(0)
    }

    fn commit(&self) -> Version {
        self.stored.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A change through the same keys.
    fn change(&self) {
        let version = self.commit();
        self.fence.changed(self.subject());
        self.reported.fetch_max(version, Ordering::AcqRel);
    }

    /// A change that a watch has heard of, without knowing of which key.
    fn change_something(&self) {
        let version = self.commit();
        self.fence.everything_changed();
        self.reported.fetch_max(version, Ordering::AcqRel);
    }

    fn fill(&self) {
        let ticket = self.fence.ticket();
        let version = self.read();
        *self.cached.lock().unwrap() = Some((version, ticket));
    }

    fn read(&self) -> Version {
        self.stored.load(Ordering::Relaxed)
    }

    /// What is relied on is never older than what was reported before.
    fn verify(&self) {
        let reported = self.reported.load(Ordering::Acquire);
        let cached = *self.cached.lock().unwrap();
        if let Some((version, ticket)) = cached
            && self.fence.is_current(ticket, &[self.subject()])
        {
            assert!(version >= reported, "version {version} is relied on after {reported} was reported");
        }
    }
}

/// Explores each order of these, each on a thread of its own, and of a verification.
fn in_every_order(parts: &'static [fn(&World)]) {
    let mut model = loom::model::Builder::new();
    // More switches than these make no mistake that fewer do not (and take hours).
    model.preemption_bound = Some(2);
    model.check(|| {
        let world = World::new();
        let threads: Vec<_> = parts
            .iter()
            .map(|part| {
                let world = Arc::clone(&world);
                thread::spawn(move || part(&world))
            })
            .collect();
        world.verify();
        for thread in threads {
            thread.join().unwrap();
        }
        world.verify();
    });
}

#[test]
fn no_fill_outlives_a_change() {
    in_every_order(&[World::change, World::fill]);
}

#[test]
fn no_fill_outlives_one_of_two_changes() {
    in_every_order(&[World::change, World::change, World::fill]);
}

#[test]
fn no_fill_outlives_a_change_of_something() {
    in_every_order(&[World::change_something, World::fill]);
    in_every_order(&[World::change_something, World::change, World::fill]);
}

#[test]
fn no_fill_brings_another_one_back() {
    in_every_order(&[World::change, World::fill, World::fill]);
}

/// What was read after the last change is relied on, or the cache would be of no use.
#[test]
fn a_fill_after_a_change_is_current() {
    loom::model(|| {
        let world = World::new();
        world.change();
        world.fill();
        let Some((version, ticket)) = *world.cached.lock().unwrap() else { unreachable!("it was filled") };
        assert_eq!(version, 1);
        assert!(world.fence.is_current(ticket, &[world.subject()]));
        assert!(world.fence.is_current(ticket, &[world.fence.subject(1)]));
        world.fence.changed(world.fence.subject(1));
        assert!(world.fence.is_current(ticket, &[world.subject()]), "a change of another key is none of this one");
    });
}

/// The checker finds what it is there for.
#[test]
#[should_panic(expected = "is relied on after")]
fn a_fill_that_takes_its_ticket_too_late_is_found_out() {
    fn fill_late(world: &World) {
        let version = world.read();
        let ticket = world.fence.ticket();
        *world.cached.lock().unwrap() = Some((version, ticket));
    }
    in_every_order(&[World::change, fill_late]);
}

#[test]
#[should_panic(expected = "is relied on after")]
fn a_change_that_is_told_before_it_is_made_is_found_out() {
    fn change_early(world: &World) {
        world.fence.changed(world.subject());
        let version = world.commit();
        world.reported.fetch_max(version, Ordering::AcqRel);
    }
    in_every_order(&[change_early, World::fill]);
}
