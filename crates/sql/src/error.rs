//! Why a statement was refused or failed.

use datafusion::error::DataFusionError;
use statement::{Refused, Why};

/// What kind of failure it was; a door says it in its protocol's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The text is not SQL (42601).
    Syntax,
    /// It names a table, database, function or setting that is not there (42P01).
    Name,
    /// It names a column that is not there (42703).
    Column,
    /// It asks for something that is not served (0A000).
    Unsupported,
    /// A value does not fit (22000).
    Value,
    /// The client took it back (57014).
    Cancelled,
    /// It took longer than it may (57014).
    Timeout,
    /// It needs more memory or spill than it may have (53200).
    Resources,
    /// The vault said no.
    Refused(Why),
    /// What it was planned with has changed meanwhile: plan it again (40001).
    Stale,
    /// The block that it stands in has failed before (25P02).
    InFailedBlock,
    /// Something here is broken (XX000).
    Internal,
}

/// A refusal or failure, in words for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// What kind.
    pub fault: Fault,
    /// What happened and what to do next.
    pub message: String,
}

impl SqlError {
    /// A failure in words.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            fault,
            message: message.into(),
        }
    }

    /// Something that is not served.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Fault::Unsupported, message)
    }
}

impl From<Refused> for SqlError {
    fn from(refused: Refused) -> Self {
        Self::new(Fault::Refused(refused.why), refused.message)
    }
}

/// So that a refusal passes through an operator and comes out as it was.
impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        if let Some(ours) = ours(&error) {
            return ours.clone();
        }
        let message = error.strip_backtrace();
        let fault = match error.find_root() {
            DataFusionError::SQL(..) => Fault::Syntax,
            DataFusionError::SchemaError(..) => Fault::Column,
            DataFusionError::Plan(_) => Fault::Name,
            DataFusionError::NotImplemented(_) => Fault::Unsupported,
            DataFusionError::ResourcesExhausted(_) => Fault::Resources,
            DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => Fault::Value,
            _ => Fault::Internal,
        };
        Self::new(fault, message)
    }
}

/// One of ours, wherever it sits.
fn ours(error: &DataFusionError) -> Option<&SqlError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<SqlError>() {
            return Some(ours);
        }
        next = error.source();
    }
    None
}
