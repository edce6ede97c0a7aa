//! The door over a real socket: raw HTTP in, raw HTTP out, a node in memory behind it.

mod bad_bodies;
mod client;
mod framings;
mod limits;
mod node;
mod objects;
mod operations;
mod refusals;
mod uploads;
