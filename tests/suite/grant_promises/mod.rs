//! What stores of grants promise, and the proof of the suite that says so.

mod conformance;
mod faulty;
