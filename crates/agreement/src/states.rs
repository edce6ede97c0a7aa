//! How far an agreement is, and which step leads where.

use crate::Side;
use std::fmt;

/// How far an agreement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is written.
    Draft,
    /// It was handed to both sides.
    Proposed,
    /// The provider has signed.
    ProviderSigned,
    /// Both sides have signed.
    ConsumerSigned,
    /// It is in force.
    Active,
    /// It is stopped for now.
    Suspended,
    /// One side has ended it.
    Revoked,
    /// Its time is over.
    Expired,
    /// A newer version has taken its place.
    Replaced,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is handed to both sides.
    Propose,
    /// The provider's signatures are enough.
    ProviderSigns,
    /// The consumer's signatures are enough, after the provider's.
    ConsumerSigns,
    /// It begins.
    Activate,
    /// One side stops it.
    Suspend(Side),
    /// Both sides have it go on.
    Resume,
    /// One side ends it.
    Revoke(Side),
    /// Its time is over.
    Expire,
    /// A version that both sides signed takes its place.
    Replace,
}

/// A step that does not lead anywhere from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an agreement that is {state} cannot be {step}; nothing was changed")]
pub struct NoSuchStep {
    /// How far it is.
    pub state: State,
    /// What was wanted.
    pub step: Step,
}

/// Where a step leads. Closing is easier than opening: either side stops and ends it alone.
pub const fn next(state: State, step: Step) -> Result<State, NoSuchStep> {
    Ok(match (state, step) {
        (State::Draft, Step::Propose) => State::Proposed,
        (State::Proposed, Step::ProviderSigns) => State::ProviderSigned,
        (State::ProviderSigned, Step::ConsumerSigns) => State::ConsumerSigned,
        (State::ConsumerSigned, Step::Activate) | (State::Suspended, Step::Resume) => State::Active,
        (State::Active, Step::Suspend(_)) => State::Suspended,
        (
            State::Proposed
            | State::ProviderSigned
            | State::ConsumerSigned
            | State::Active
            | State::Suspended,
            Step::Revoke(_),
        ) => State::Revoked,
        (
            State::Proposed
            | State::ProviderSigned
            | State::ConsumerSigned
            | State::Active
            | State::Suspended,
            Step::Expire,
        ) => State::Expired,
        (State::Active | State::Suspended, Step::Replace) => State::Replaced,
        (state, step) => return Err(NoSuchStep { state, step }),
    })
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "a draft",
            Self::Proposed => "proposed",
            Self::ProviderSigned => "signed by the provider",
            Self::ConsumerSigned => "signed by both sides",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Replaced => "replaced by a newer version",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Propose => "proposed",
            Self::ProviderSigns => "signed by the provider",
            Self::ConsumerSigns => "signed by the consumer",
            Self::Activate => "activated",
            Self::Suspend(_) => "suspended",
            Self::Resume => "resumed",
            Self::Revoke(_) => "revoked",
            Self::Expire => "let expire",
            Self::Replace => "replaced",
        })
    }
}
