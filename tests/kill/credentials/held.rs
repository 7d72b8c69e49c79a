//! A process is killed, or stopped past its lease and continued, at each point of a refresh.

use std::time::Duration;

use keyward::credential::CredentialState;

use crate::double::Fault;
use crate::place::Engine;
use crate::points::Point;
use crate::world::{LEASE, Process, Told, World};

const TASKS: u32 = 16;

/// At every point, both ways.
pub(crate) fn everywhere(engine: Engine) {
    for point in Point::ALL {
        killed(engine, point);
        stopped(engine, point, false);
        println!("{engine:?}: killed and stopped at {point:?}, nothing is spent twice and nothing is lost");
    }
    stopped(engine, Point::Marked, true);
    println!("{engine:?}: stopped at Marked while somebody decided, and it sends nothing any more");
}

/// A world in which a process holds at a point, and what everybody else is told at that time.
fn holding(engine: Engine, point: Point) -> (World, Process, Process) {
    let world = World::new(engine);
    world.sign_in();
    // The server takes its time, so that a process that has sent has no answer.
    world.double.plan([Fault::Delay(Duration::from_millis(300))]);
    let (mut held, mut other) = (world.held_at(point), world.process());
    held.order("ask", 1);
    held.arrives(point);
    if is_spent(point) {
        let spent = || world.refreshes() == 1;
        while !spent() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    for told in other.ask("ask", TASKS) {
        let is_right = if point == Point::Saved { world.is_live(&told) } else { told == Told::Busy };
        assert!(is_right, "while it is held at {point}: {told}");
    }
    (world, held, other)
}

/// Whether the server has the refresh token when a process is there.
const fn is_spent(point: Point) -> bool {
    matches!(point, Point::Sent | Point::Answered | Point::Saved)
}

fn all(told: &[Told], is_right: impl Fn(&Told) -> bool, when: &str) {
    for told in told {
        assert!(is_right(told), "{when}: {told}");
    }
}

fn killed(engine: Engine, point: Point) {
    let (world, held, other) = holding(engine, point);
    held.kill();
    world.clock.pass(LEASE);
    // Whoever was there before, and one that is started anew.
    for mut process in [other, world.process()] {
        let told = process.ask("ask", TASKS);
        let when = format!("killed at {point}");
        match point {
            Point::Claimed | Point::Saved => {
                all(&told, |told| world.is_live(told), &when);
                assert_eq!(world.head().state, CredentialState::Active, "{when}");
            }
            _ => {
                all(&told, |told| *told == Told::Uncertain, &when);
                assert!(matches!(world.head().state, CredentialState::Sent { .. }), "{when}");
            }
        }
    }
    assert_eq!(
        (world.refreshes(), world.double.seen().replays),
        (u64::from(point == Point::Claimed || is_spent(point)), 0)
    );
    // Somebody decides: what the server has not seen is good, and what it has seen is said to be the end.
    let mut process = world.process();
    match point {
        Point::Marked | Point::Sending => {
            all(&process.ask("retry", 1), |told| world.is_live(told), "an unspent token, sent by decision");
            all(&process.ask("ask", TASKS), |told| world.is_live(told), "after the decision");
            assert_eq!((world.refreshes(), world.double.seen().replays), (1, 0));
        }
        Point::Sent | Point::Answered => {
            all(&process.ask("retry", 1), |told| *told == Told::Ended, "a spent token, sent by decision");
            all(&process.ask("ask", TASKS), |told| *told == Told::Ended, "and never silently");
            assert_eq!(world.double.seen().replays, 1, "it was sent once more, and by decision alone");
        }
        Point::Claimed | Point::Saved => {}
    }
    drop(process);
    world.remove();
}

fn stopped(engine: Engine, point: Point, decides: bool) {
    let (world, mut held, mut other) = holding(engine, point);
    held.signal("-STOP");
    world.clock.pass(LEASE);
    let meanwhile = other.ask("ask", TASKS);
    let when = format!("while it is stopped at {point}");
    match point {
        Point::Claimed | Point::Saved => all(&meanwhile, |told| world.is_live(told), &when),
        _ => all(&meanwhile, |told| *told == Told::Uncertain, &when),
    }
    if decides {
        all(&other.ask("retry", 1), |told| world.is_live(told), "what was not sent is good");
    }
    held.go_on();
    held.signal("-CONT");
    let own = held.told();
    match point {
        // Its lease was over before it could send.
        Point::Marked => all(&own, |told| *told == Told::Busy, "continued after the mark"),
        _ => all(&own, |told| world.is_live(told), "continued"),
    }
    for process in [&mut other, &mut held] {
        all(&process.ask("ask", TASKS), |told| world.is_live(told), &format!("after it was stopped at {point}"));
    }
    assert_eq!((world.refreshes(), world.double.seen().replays), (1, 0), "stopped at {point}");
    assert_eq!(world.head().state, CredentialState::Active);
    drop((held, other));
    world.remove();
}
