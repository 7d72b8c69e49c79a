//! What stores of grants promise.

mod conformance;
