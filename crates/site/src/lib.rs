//! One node, assembled. This is the only room that knows all the others; it wires them, starts what runs in
//! the background and answers the command line. No logic of objects, keys or sites lives here.
//!
//! Reading order: [`layout`], [`mod@found`], [`node`], [`control`], `upkeep`,
//! [`mod@accept_loss`].

pub mod accept_loss;
mod certificates;
pub mod config;
mod connect;
pub mod control;
pub mod found;
mod identity;
pub mod inventory;
pub mod layout;
mod loss;
mod meter;
mod metrics;
mod new_folder;
pub mod node;
mod open;
mod publish;
mod rooms;
mod status;
mod unseal;
mod upkeep;

pub use accept_loss::{AcceptLossError, LossReport, accept_loss};
pub use certificates::names as certificate_names;
pub use config::NodeConfig;
pub use found::{FoundError, FoundReport, found};
pub use layout::Layout;
pub use node::{RunError, run};
pub use open::OpenError;
pub use rooms::Rooms;
