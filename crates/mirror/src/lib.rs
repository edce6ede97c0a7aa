//! The two-site protocol. Every chunk is written to both sites at once and is durable at both before its
//! writer is answered; where one site cannot, the answer says so in its type ([`Mirrored::OneSite`]) and
//! carries the debt that the object's own commit must record. Reads take the near copy, or the other one
//! when the near one is missing, damaged or slow, and repair behind.
//!
//! Never here: keys (copies are checked by their hash), what a chunk belongs to, and the decision that a
//! site is behind: that is asked of whoever owns it ([`SiteLoss`]).
//!
//! Reading order: [`mirrored`], [`standing`], [`health`], [`mod@mirror`], [`writer`], `lane`, [`read`],
//! [`repair`], [`mod@heal`], [`mod@scrub`], [`mod@sweep`], [`metrics`], [`record`], [`error`].

pub mod error;
pub mod heal;
pub mod health;
mod lane;
pub mod metrics;
pub mod mirror;
pub mod mirrored;
pub mod read;
pub mod record;
pub mod repair;
pub mod scrub;
pub mod standing;
pub mod sweep;
pub mod writer;

pub use chunks::ChunkRef;
pub use error::{HealError, MirrorError, RepairError, SweepError};
pub use heal::{Backlog, HealProgress, HealReport, Pace, backlog, heal};
pub use health::{SiteHealth, Writing};
pub use metrics::Metrics;
pub use mirror::{Mirror, SitePolicy};
pub use mirrored::{BothProof, Debt, Mirrored};
pub use record::debt::{DebtRow, debt_key};
pub use repair::{CheckResult, RepairOutcome};
pub use scrub::{ScrubReport, scrub};
pub use standing::{LossRefused, SiteLoss, Stance, Standing};
pub use sweep::{References, SweepReport, sweep};
pub use writer::MirrorWriter;
