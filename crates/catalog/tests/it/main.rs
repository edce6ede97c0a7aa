//! Proof of the catalog: one conformance suite for every engine, a model, and for the embedded engine the
//! two sites, damage and crashes.

mod conformance;
mod model;
mod world;
