//! Everybody wants a token of one session that has expired.

use crate::place::Engine;
use crate::world::World;

const TASKS: u32 = 16;
const PROCESSES: usize = 2;

/// 16 tasks in each of two processes: the server sees one refresh.
pub(crate) fn one_refresh(engine: Engine) {
    let world = World::new(engine);
    world.sign_in();
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| world.process_with_patience(30_000)).collect();
    for process in &mut processes {
        process.order("ask", TASKS);
    }
    let mut served = 0;
    for process in &mut processes {
        for told in process.told() {
            assert!(world.is_live(&told), "{told}");
            served += 1;
        }
    }
    assert_eq!((world.refreshes(), world.double.seen().replays), (1, 0));
    println!("{engine:?}: {served} tasks in {PROCESSES} processes have a token of 1 refresh");
    drop(processes);
    world.remove();
}
