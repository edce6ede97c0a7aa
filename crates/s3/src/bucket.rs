//! The verbs on one bucket. A call is tried again while its deadline allows, on a new connection; what must
//! not happen twice is made so that a second time is noticed.

use crate::call::{
    ANSWER_BYTES_MAX, Answer, CALLS_MAX, Call, DEADLINE, LONG_DEADLINE, NOT_IMPLEMENTED,
    SMALL_BYTES,
};
use crate::connect::{Connections, Shared};
use crate::error::S3Error;
use crate::listing;
use crate::pieces::Pieces;
use crate::place::{Place, PlaceError};
use authn::{SecretKey, Service};
use bytes::Bytes;
use host::Host;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;
use words::UnixMillis;

/// Objects on one page of a listing.
const PAGE_MAX: usize = 1000;

/// Length and time of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub bytes: u64,
    /// When it was written.
    pub modified: UnixMillis,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Length and time.
    pub stat: Stat,
}

/// One bucket at a host. Cloning shares the connections.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) place: Arc<Place>,
    pub(crate) shown: Arc<str>,
    pub(crate) secret: Arc<SecretKey>,
    pub(crate) connections: Shared,
    pub(crate) calls: Arc<Semaphore>,
    /// What calls itself so in the header `Server`.
    pub(crate) engine: Arc<OnceLock<String>>,
    pub(crate) answered: Arc<AtomicBool>,
    /// It refuses conditional writes, so it is looked first.
    pub(crate) unconditional: Arc<AtomicBool>,
    pub(crate) host: Host,
}

impl Bucket {
    /// A client for the bucket. Nothing is sent yet.
    pub fn new(place: Place, host: Host) -> Result<Self, PlaceError> {
        Ok(Self {
            shown: place.to_string().into(),
            secret: Arc::new(SecretKey::new(place.secret.to_string())),
            connections: Arc::new(Connections::new(&place)?),
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            engine: Arc::default(),
            answered: Arc::default(),
            unconditional: Arc::default(),
            place: Arc::new(place),
            host,
        })
    }

    /// The place in words.
    #[must_use]
    pub fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// What the engine calls itself, once it has answered.
    #[must_use]
    pub fn engine(&self) -> Option<&str> {
        self.engine.get().map(String::as_str)
    }

    /// Whether it has answered anything.
    #[must_use]
    pub fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether conditional writes were refused as not implemented. One that ignores the condition is not noticed.
    #[must_use]
    pub fn refuses_conditions(&self) -> bool {
        self.unconditional.load(Ordering::Relaxed)
    }

    /// Writes an object. With `only_new`, one that holds other bytes under the same name is left as it is and
    /// the call fails.
    pub async fn put(&self, name: &str, body: Bytes, only_new: bool) -> Result<(), S3Error> {
        self.put_pieces(name, Pieces::from(body), only_new).await
    }

    /// The same with a body in pieces.
    pub async fn put_pieces(
        &self,
        name: &str,
        body: Pieces,
        only_new: bool,
    ) -> Result<(), S3Error> {
        if !only_new {
            return self.put_over(name, body).await;
        }
        if self.refuses_conditions() {
            return self.put_looked(name, body).await;
        }
        let mut call = self.put_call(name, &body);
        call.headers.push(("if-none-match", "*".to_owned()));
        let answer = self.perform(&call).await?;
        match answer.status {
            200 | 204 => Ok(()),
            // An earlier attempt of ours may have got through without our learning of it.
            412 | 409 => self.compare(name, &body).await,
            NOT_IMPLEMENTED => {
                self.unconditional.store(true, Ordering::Relaxed);
                self.put_looked(name, body).await
            }
            _ => Err(self.refused(&answer)),
        }
    }

    async fn put_over(&self, name: &str, body: Pieces) -> Result<(), S3Error> {
        let answer = self.perform(&self.put_call(name, &body)).await?;
        match answer.status {
            200 | 204 => Ok(()),
            _ => Err(self.refused(&answer)),
        }
    }

    /// For engines without conditional writes. Between the look and the write somebody else's object of the same
    /// name would be lost; names of chunks are drawn at random and never given twice.
    async fn put_looked(&self, name: &str, body: Pieces) -> Result<(), S3Error> {
        match self.stat(name).await? {
            Some(_) => self.compare(name, &body).await,
            None => self.put_over(name, body).await,
        }
    }

    fn put_call(&self, name: &str, body: &Pieces) -> Call<'static> {
        Call {
            headers: vec![("content-type", "application/octet-stream".to_owned())],
            body: body.clone(),
            ..self.call("PUT", name)
        }
    }

    /// Well if the object there is the one that was to be written.
    async fn compare(&self, name: &str, body: &Pieces) -> Result<(), S3Error> {
        let exists = || S3Error::Exists {
            place: self.shown.to_string(),
            name: name.to_owned(),
        };
        match self.get(name, None, body.length() as u64 + 1).await {
            Ok(there) if body.is(&there) => Ok(()),
            Ok(_) | Err(S3Error::Answer { .. }) => Err(exists()),
            Err(error) => Err(error),
        }
    }

    /// Reads an object, or `length` bytes of it from `offset` on. A whole object may have at most `bytes_max`.
    pub async fn get(
        &self,
        name: &str,
        range: Option<(u64, usize)>,
        bytes_max: u64,
    ) -> Result<Bytes, S3Error> {
        let mut call = Call {
            answer_max: bytes_max,
            deadline: match range {
                Some(_) => DEADLINE,
                None if bytes_max <= SMALL_BYTES as u64 => DEADLINE,
                None => LONG_DEADLINE,
            },
            ..self.call("GET", name)
        };
        if let Some((offset, length)) = range {
            if length == 0 {
                return Ok(Bytes::new());
            }
            let last = offset.saturating_add(length as u64 - 1);
            call.headers
                .push(("range", format!("bytes={offset}-{last}")));
            call.answer_max = length as u64;
        }
        let answer = self.perform(&call).await?;
        let short = |wanted, bytes| S3Error::Short {
            place: self.shown.to_string(),
            name: name.to_owned(),
            wanted,
            bytes,
        };
        match (answer.status, range) {
            (200, None) => Ok(answer.body),
            (206, Some((offset, length))) if answer.body.len() < length => Err(short(
                offset.saturating_add(length as u64),
                offset.saturating_add(answer.body.len() as u64),
            )),
            (206, Some(_)) => Ok(answer.body),
            (416, Some((offset, length))) => Err(short(offset.saturating_add(length as u64), 0)),
            (404, _) => Err(self.missing(name, &answer)),
            _ => Err(self.refused(&answer)),
        }
    }

    /// A whole object and its ETag.
    pub async fn get_with_tag(
        &self,
        name: &str,
        bytes_max: u64,
    ) -> Result<(Bytes, String), S3Error> {
        let call = Call {
            answer_max: bytes_max,
            deadline: LONG_DEADLINE,
            ..self.call("GET", name)
        };
        let answer = self.perform(&call).await?;
        match answer.status {
            200 => {
                let tag = answer.headers.get("etag").and_then(|v| v.to_str().ok());
                Ok((answer.body.clone(), tag.unwrap_or_default().to_owned()))
            }
            404 => Err(self.missing(name, &answer)),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Length and time of an object; `None` if there is none.
    pub async fn stat(&self, name: &str) -> Result<Option<Stat>, S3Error> {
        let answer = self.perform(&self.call("HEAD", name)).await?;
        match answer.status {
            200 => {
                let header = |name| answer.headers.get(name).and_then(|v| v.to_str().ok());
                let bytes = header("content-length").and_then(|v| v.parse().ok());
                let modified = header("last-modified")
                    .and_then(|v| httpdate::parse_http_date(v).ok())
                    .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
                    .map(|since| UnixMillis(since.as_secs().saturating_mul(1000)));
                match (bytes, modified) {
                    (Some(bytes), Some(modified)) => Ok(Some(Stat { bytes, modified })),
                    _ => Err(self.answer("an object has no length or no time")),
                }
            }
            404 => Ok(None),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Removes an object; one that is not there is no error.
    pub async fn delete(&self, name: &str) -> Result<(), S3Error> {
        let answer = self.perform(&self.call("DELETE", name)).await?;
        match answer.status {
            200 | 204 | 404 => Ok(()),
            _ => Err(self.refused(&answer)),
        }
    }

    /// The next objects whose names begin with `prefix`, in order of their names.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Listed>, S3Error> {
        let mut query = format!(
            "list-type=2&max-keys={}&prefix={}",
            limit.min(PAGE_MAX),
            encoded(prefix, false)
        );
        if let Some(after) = after {
            let _ = write!(query, "&start-after={}", encoded(after, false));
        }
        let call = Call {
            path: format!("/{}", self.place.bucket.as_str()),
            query: &query,
            ..self.call("GET", "")
        };
        let answer = self.perform(&call).await?;
        if answer.status != 200 {
            return Err(self.refused(&answer));
        }
        let page = std::str::from_utf8(&answer.body)
            .map_err(|_| "it is no text".to_owned())
            .and_then(listing::page)
            .map_err(|why| self.answer(&why))?;
        let objects = page.objects.into_iter().take(limit);
        Ok(objects
            .map(|(name, bytes, modified)| Listed {
                name,
                stat: Stat { bytes, modified },
            })
            .collect())
    }

    /// Every bucket of the credential's owner.
    pub async fn buckets(&self) -> Result<Vec<String>, S3Error> {
        let call = Call {
            path: "/".to_owned(),
            ..self.call("GET", "")
        };
        let answer = self.perform(&call).await?;
        if answer.status != 200 {
            return Err(self.refused(&answer));
        }
        Ok(listing::buckets(&String::from_utf8_lossy(&answer.body)))
    }

    /// Makes the bucket; one that is ours already is no error.
    pub async fn create(&self) -> Result<(), S3Error> {
        let call = Call {
            path: format!("/{}", self.place.bucket.as_str()),
            ..self.call("PUT", "")
        };
        let answer = self.perform(&call).await?;
        let (code, _) = listing::error(&String::from_utf8_lossy(&answer.body));
        match (answer.status, code.as_str()) {
            (200, _) | (409, "BucketAlreadyOwnedByYou") => Ok(()),
            _ => Err(self.refused(&answer)),
        }
    }

    fn call(&self, method: &'static str, name: &str) -> Call<'static> {
        Call {
            method,
            service: Service::S3,
            path: format!("/{}/{}", self.place.bucket.as_str(), encoded(name, true)),
            query: "",
            headers: Vec::new(),
            body: Pieces::default(),
            answer_max: ANSWER_BYTES_MAX,
            deadline: DEADLINE,
        }
    }

    pub(crate) fn refused(&self, answer: &Answer) -> S3Error {
        let (code, message) = listing::error(&String::from_utf8_lossy(&answer.body));
        S3Error::Refused {
            place: self.shown.to_string(),
            status: answer.status,
            code,
            message,
        }
    }

    /// 404 is the object's only if the bucket is there.
    fn missing(&self, name: &str, answer: &Answer) -> S3Error {
        let (code, _) = listing::error(&String::from_utf8_lossy(&answer.body));
        if code == "NoSuchBucket" {
            return self.refused(answer);
        }
        S3Error::Missing {
            place: self.shown.to_string(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn answer(&self, why: &str) -> S3Error {
        S3Error::Answer {
            place: self.shown.to_string(),
            why: why.to_owned(),
        }
    }
}

/// Percent-encoded as Signature Version 4 has it.
pub fn encoded(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if keep_slash => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
