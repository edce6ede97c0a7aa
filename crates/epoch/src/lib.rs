//! Which site is current. A small record with a growing number, the epoch, says who may serve; it lies in
//! each site folder and at the witnesses, by default the three parents' folders. Before the node goes on
//! with one folder, that is recorded at a quorum of witnesses and then in that folder; so a folder that was
//! left behind can tell, alone, that it must not serve.
//!
//! Never here: copying anything, keys, what the rows mean.
//!
//! Reading order: [`record`], [`mod@start`], [`witness`], [`places`], [`tenure`], [`view`].

pub mod error;
mod folder;
mod loss;
mod memory;
pub mod places;
pub mod record;
pub mod start;
pub mod tenure;
pub mod view;
pub mod witness;

pub use error::{StartError, TenureError, WitnessError};
pub use folder::FolderWitness;
pub use loss::{LossAccepted, RestoreAccepted};
pub use memory::MemoryWitness;
pub use places::{Places, Survey};
pub use record::{EpochRecord, RecordError, Standing};
pub use start::{Refusal, SiteFolderState, StartDecision, decide_start};
pub use tenure::Tenure;
pub use view::{SiteView, Trouble, TroubleKind, View};
pub use witness::Witness;
