//! How a run of the command ends: exit codes that scripts may rely on, and one shape for everything that
//! went wrong.

use serde::Serialize;
use serde_json::Value;

/// Exit codes. They reach scripts and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Something went wrong that has no code of its own, or a check found something bad.
    General = 1,
    /// The command line, the configuration or a given file is not right.
    Usage = 2,
    /// No node answers, or an address cannot be used.
    Network = 3,
    /// A share, a permission or an open vault is missing.
    Auth = 4,
    /// What was named does not exist.
    NotFound = 5,
    /// What is there already stands against it.
    Conflict = 6,
    /// This version does not do it.
    Unsupported = 7,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

impl Exit {
    /// The number the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The word that stands in `error.type` where the node gave none of its own.
    const fn word(self) -> &'static str {
        match self {
            Self::General => "internal",
            Self::Usage => "usage",
            Self::Network => "unavailable",
            Self::Auth => "denied",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Unsupported => "unsupported",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What went wrong, for a person and for a script.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The exit code.
    #[serde(skip)]
    pub exit: Exit,
    /// A stable word.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened and what is safe.
    pub message: String,
    /// Whether the same command may succeed later without anything being changed.
    pub retryable: bool,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// What was found, where a check failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
    /// What is printed on stdout for a person besides, such as the findings of a check.
    #[serde(skip)]
    pub text: String,
}

impl Failure {
    /// A failure with the usual word of its exit code.
    pub fn new(exit: Exit, message: impl ToString) -> Self {
        Self {
            exit,
            kind: exit.word().to_owned(),
            message: message.to_string(),
            retryable: exit == Exit::Network,
            suggestion: None,
            details: None,
            text: String::new(),
        }
    }

    /// The command line, the configuration or a file is not right.
    pub fn usage(message: impl ToString) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Says what to do next.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Names the failure with a word of its own.
    #[must_use]
    pub fn named(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Adds what a check found, for scripts and for people.
    #[must_use]
    pub fn finding(mut self, details: Value, text: String) -> Self {
        self.details = Some(Box::new(details));
        self.text = text;
        self
    }
}

/// What a verb has to say when it went well.
pub struct Answer {
    /// For scripts.
    pub data: Value,
    /// For a person.
    pub text: String,
}

/// What a verb gives back.
pub type Outcome = Result<Answer, Failure>;
