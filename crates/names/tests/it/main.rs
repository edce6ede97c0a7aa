//! The index of names against a model, under faults and under forgery.

mod canary;
mod crash;
mod delimiter;
mod grace;
mod model;
mod naive;
mod pending;
mod records;
mod support;
mod tamper;
