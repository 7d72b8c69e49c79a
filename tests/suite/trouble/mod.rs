//! What production does to a key library, produced with the real thing: a second session, odd rows, triggers.

mod keys;
