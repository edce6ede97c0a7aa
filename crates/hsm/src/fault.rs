//! What can go wrong on the way to an HSM, in words for whoever operates it.

/// Why an HSM did not do what it was asked. Nothing was changed unless the text says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The library cannot be loaded, or is no PKCS #11 module.
    #[error("the PKCS #11 module could not be loaded: {0}; check hsm.module")]
    Module(String),
    /// No token of that name.
    #[error("no token is called {0:?} in label or serial number; `clarence hsm probe` lists them")]
    NoToken(String),
    /// Several tokens of that name.
    #[error("several tokens are called {0:?}; name the one that is meant by its serial number")]
    Ambiguous(String),
    /// The token did not take the PIN. It is not tried again: tokens lock after a few.
    #[error(
        "the token did not take the PIN; it is not tried again, because a token locks after a few wrong ones; mend hsm.pin_file"
    )]
    PinWrong,
    /// The token takes no PIN any more.
    #[error("the token has locked its PIN; its security officer has to set a new one")]
    PinLocked,
    /// The token lacks a key of that id, or has several.
    #[error("the token {token} does not hold the key {key}, or holds it twice")]
    NoKey {
        /// The token's serial number.
        token: String,
        /// The key's id.
        key: String,
    },
    /// The key is not of the kind that may be relied on.
    #[error("the key on the token cannot be relied on: {0}; let the token make a new one")]
    WeakKey(String),
    /// The token cannot do what is needed.
    #[error("the token cannot do what is needed: {0}")]
    Unsupported(String),
    /// The token did not open the wrap. Which check failed is not told.
    #[error(
        "the token did not open the wrapped key: it is another key's, was changed, or belongs to another cloud"
    )]
    NotOpened,
    /// The process with the module ended or did not answer in time, and was ended.
    #[error("the process with the PKCS #11 module {0}; the node goes on without it")]
    Crashed(String),
    /// It was started too often.
    #[error(
        "the process with the PKCS #11 module broke {0} times within a minute and is not started again; look at the module"
    )]
    TooOften(usize),
    /// The module answered with an error of its own.
    #[error("the PKCS #11 module refused: {0}")]
    Refused(String),
    /// Both sides of the socket do not understand each other.
    #[error("the process with the PKCS #11 module answered with something that is no answer")]
    Protocol,
}

impl Fault {
    /// The number on the wire between the two processes, which are always of one version.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Module(_) => 1,
            Self::NoToken(_) => 2,
            Self::Ambiguous(_) => 3,
            Self::PinWrong => 4,
            Self::PinLocked => 5,
            Self::NoKey { .. } => 6,
            Self::WeakKey(_) => 7,
            Self::Unsupported(_) => 8,
            Self::NotOpened => 9,
            Self::Refused(_) => 10,
            Self::Crashed(_) | Self::TooOften(_) | Self::Protocol => 11,
        }
    }

    /// The two texts that go with the number.
    pub(crate) fn texts(&self) -> (&str, &str) {
        match self {
            Self::Module(text)
            | Self::NoToken(text)
            | Self::Ambiguous(text)
            | Self::WeakKey(text)
            | Self::Unsupported(text)
            | Self::Refused(text) => (text, ""),
            Self::NoKey { token, key } => (token, key),
            _ => ("", ""),
        }
    }

    pub(crate) fn of(code: u8, first: String, second: String) -> Self {
        match code {
            1 => Self::Module(first),
            2 => Self::NoToken(first),
            3 => Self::Ambiguous(first),
            4 => Self::PinWrong,
            5 => Self::PinLocked,
            6 => Self::NoKey {
                token: first,
                key: second,
            },
            7 => Self::WeakKey(first),
            8 => Self::Unsupported(first),
            9 => Self::NotOpened,
            10 => Self::Refused(first),
            _ => Self::Protocol,
        }
    }

    /// Whether asking again could lock the token or would change nothing: the client stops asking.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::PinWrong | Self::PinLocked)
    }
}
