//! What can go wrong at an S3, told apart by what follows from it.

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// It did not answer, or answered that it cannot now. Whether a change took effect is not known.
    #[error("{place} is away: {why}; what was acknowledged is safe; it is tried again")]
    Away {
        /// Where.
        place: String,
        /// What happened.
        why: String,
    },
    /// It took a call and did not answer within its deadline. Whether a change took effect is not known.
    #[error(
        "{place} did not answer within {within_ms} ms; what was acknowledged is safe; it is tried again: look whether it, or the network to it, hangs"
    )]
    Silent {
        /// Where.
        place: String,
        /// The deadline.
        within_ms: u128,
    },
    /// It said no.
    #[error(
        "{place} refused ({status} {code}): {message}; what was acknowledged is safe; check the credential, or ask who runs it"
    )]
    Refused {
        /// Where.
        place: String,
        /// The status of HTTP.
        status: u16,
        /// The code of S3.
        code: String,
        /// What it said.
        message: String,
    },
    /// There is no such object.
    #[error("{place} has no object {name}")]
    Missing {
        /// Where.
        place: String,
        /// The object.
        name: String,
    },
    /// There is an object of this name, and it is another one.
    #[error("{place} has another object {name} already; nothing was changed")]
    Exists {
        /// Where.
        place: String,
        /// The object.
        name: String,
    },
    /// The object is shorter than what was asked for.
    #[error("the object {name} in {place} has {bytes} bytes where at least {wanted} are expected")]
    Short {
        /// Where.
        place: String,
        /// The object.
        name: String,
        /// How long it should be at least.
        wanted: u64,
        /// How long it is.
        bytes: u64,
    },
    /// The answer is not one of S3.
    #[error("the answer of {place} could not be understood: {why}")]
    Answer {
        /// Where.
        place: String,
        /// What is wrong.
        why: String,
    },
}
