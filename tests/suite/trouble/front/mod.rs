//! What people read: names and reasons that steer, hide or turn around are written out, and are stored as they are.

mod shown;
mod stored;
