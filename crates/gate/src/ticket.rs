//! What travels beside a request through s3s: the caller and everything of the request that s3s must not
//! judge go in, the answer that s3s must not shape comes out. Each is taken once.

use crate::backend::Known;
use crate::body::Taken;
use crate::body::out::Out;
use crate::query::Query;
use crate::refuse::No;
use crate::target::Target;
use http::{HeaderMap, StatusCode};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Dispatch;
use words::{BucketName, ObjectKey};

/// One identified request.
pub(crate) struct Asked {
    /// Who asks.
    pub caller: Known,
    /// What it is about.
    pub target: Target,
    /// All headers, those hoisted into the query included.
    pub headers: HeaderMap,
    /// The query without authentication.
    pub query: Query,
    /// The body of an object or part.
    pub body: Option<Taken>,
    /// Where the node logs; s3s itself logs nowhere.
    pub log: Dispatch,
}

impl Asked {
    /// The tenant, as S3's owner id.
    pub(crate) fn owner(&self) -> String {
        self.caller.tenant().to_string()
    }
    /// The bucket.
    pub(crate) fn bucket(&self) -> Result<BucketName, No> {
        match &self.target {
            Target::Bucket(bucket) | Target::Object(bucket, _) => Ok(bucket.clone()),
            Target::Root => Err(No::lacking("this operation without a bucket")),
        }
    }
    /// The bucket and the key.
    pub(crate) fn object(&self) -> Result<(BucketName, ObjectKey), No> {
        match &self.target {
            Target::Object(bucket, key) => Ok((bucket.clone(), key.clone())),
            _ => Err(No::lacking("this operation without a key")),
        }
    }
    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[derive(Default)]
struct Slots {
    asked: Option<Asked>,
    refused: Option<No>,
    reply: Option<(StatusCode, HeaderMap, Out)>,
}

/// The cell in a request's extensions.
#[derive(Clone, Default)]
pub(crate) struct Ticket(Arc<Mutex<Slots>>);

impl Ticket {
    pub(crate) fn new(asked: Asked) -> Self {
        Self(Arc::new(Mutex::new(Slots {
            asked: Some(asked),
            refused: None,
            reply: None,
        })))
    }
    fn with<T>(&self, f: impl FnOnce(&mut Slots) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// The request; nothing the second time.
    pub(crate) fn take(&self) -> Option<Asked> {
        self.with(|slots| slots.asked.take())
    }
    /// Says no.
    pub(crate) fn refuse(&self, no: No) {
        self.with(|slots| slots.refused = Some(no));
    }
    /// Answers in place of s3s.
    pub(crate) fn reply(&self, status: StatusCode, headers: HeaderMap, body: Out) {
        self.with(|slots| slots.reply = Some((status, headers, body)));
    }
    /// What was refused.
    pub(crate) fn refused(&self) -> Option<No> {
        self.with(|slots| slots.refused.take())
    }
    /// What is answered in place of s3s.
    pub(crate) fn replied(&self) -> Option<(StatusCode, HeaderMap, Out)> {
        self.with(|slots| slots.reply.take())
    }
}
