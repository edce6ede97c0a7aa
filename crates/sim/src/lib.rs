//! The whole cloud in memory on one seed: two sites, a catalog, witnesses, a vault that is founded, sealed
//! and unsealed, and the store. Faults and crashes are on order. What clients saw is written down and checked
//! for linearizability; the same seed gives the same history, byte for byte.
//!
//! Never here: anything that runs in production. Never real time, real randomness or real files.
//!
//! Reading order: [`world`], [`host`](mod@crate::world_host), [`disks`], [`gate`], [`client`], [`history`],
//! [`check`]; then a whole run: [`scene`], [`acts`], [`fate`], [`proof`], [`mod@run`].

pub mod acts;
pub mod check;
pub mod client;
pub mod disks;
pub mod fate;
pub mod gate;
pub mod history;
mod old_rows;
pub mod proof;
pub mod renewal;
pub mod run;
pub mod scene;
pub mod sign;
pub mod world;
pub mod world_host;

pub use client::Client;
pub use world::{Node, World};
