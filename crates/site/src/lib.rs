//! One node, assembled. This is the only room that knows all the others; it wires them, starts what runs in
//! the background and answers the command line. No logic of objects, keys or sites lives here.
//!
//! Reading order: [`layout`], [`mod@found`], [`node`], [`control`], `upkeep`,
//! [`mod@accept_loss`], [`guest`], [`mod@restore`],
//! [`mod@drill`].

pub mod accept_loss;
mod agreement;
mod anchor;
pub mod apart;
pub mod backup;
mod buckets;
mod certificates;
pub mod config;
mod connect;
pub mod control;
pub mod drill;
mod enrol;
pub mod found;
pub mod guest;
mod identity;
pub mod inventory;
mod join;
mod joint;
mod keeping;
mod law;
pub mod layout;
mod lending;
mod loss;
mod meter;
mod metrics;
mod new_folder;
pub mod node;
mod open;
mod outer;
mod papers;
mod person;
mod publish;
pub mod restart;
pub mod restore;
mod rooms;
mod root;
mod rotate;
mod standby;
mod statements;
mod status;
mod unseal;
mod upkeep;

pub use accept_loss::{AcceptLossError, LossReport, accept_loss};
pub use certificates::names as certificate_names;
pub use config::{CatalogServer, CatalogServers, NodeConfig, SqlConfig, tpm_place};
pub use drill::{DrillError, DrillReport, drill};
pub use enrol::{EnrolError, EnrolReport, HsmStatus, enrol, hsm_status, withdraw};
pub use found::{FoundError, FoundReport, found};
pub use guest::{EmbassyConfig, make_owner};
pub use join::{JoinError, JoinReport, join};
pub use layout::Layout;
pub use node::{RunError, run};
pub use open::OpenError;
pub use outer::{MODULE_VERB, OuterError};
pub use restore::{RestoreAsked, RestoreError, RestoreReport, RestoreStep, restore};
pub use rooms::Rooms;
