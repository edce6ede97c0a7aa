//! The verbs on one bucket. A call is tried again while its deadline allows, on a new connection; what must
//! not happen twice is made so that a second time is noticed.

use crate::connect::{Connections, Shared};
use crate::error::S3Error;
use crate::listing;
use crate::place::{Place, PlaceError};
use authn::signing::{authorization, stamp};
use authn::{DateStamp, RequestHead, SecretKey, SigningKey};
use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use host::Host;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use words::{UnixMillis, hex};

/// Calls under way at once.
const CALLS_MAX: usize = 64;
/// How long a call may take with all its attempts. The mirror gives a site 5 seconds for a step.
const DEADLINE: Duration = Duration::from_millis(4500);
/// The same for reading something large.
const LONG_DEADLINE: Duration = Duration::from_secs(120);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// Attempts at one call.
const ATTEMPTS_MAX: u32 = 4;
/// The longest answer that is read where nobody said how long it should be.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
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
    place: Arc<Place>,
    shown: Arc<str>,
    secret: Arc<SecretKey>,
    connections: Shared,
    calls: Arc<Semaphore>,
    host: Host,
}

/// One call.
struct Call<'a> {
    method: &'static str,
    path: String,
    query: &'a str,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    answer_max: u64,
    deadline: Duration,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Bucket {
    /// A client for the bucket. Nothing is sent yet.
    pub fn new(place: Place, host: Host) -> Result<Self, PlaceError> {
        Ok(Self {
            shown: place.to_string().into(),
            secret: Arc::new(SecretKey::new(place.secret.to_string())),
            connections: Arc::new(Connections::new(&place)?),
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            place: Arc::new(place),
            host,
        })
    }

    /// The place in words.
    #[must_use]
    pub fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// Writes an object. With `only_new`, one that holds other bytes under the same name is left as it is and
    /// the call fails.
    pub async fn put(&self, name: &str, body: Bytes, only_new: bool) -> Result<(), S3Error> {
        let mut headers = vec![("content-type", "application/octet-stream".to_owned())];
        if only_new {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let call = Call {
            headers,
            body: body.clone(),
            ..self.call("PUT", name)
        };
        let answer = self.perform(&call).await?;
        match answer.status {
            200 | 204 => Ok(()),
            // An earlier attempt of ours may have got through without our learning of it.
            412 | 409 if only_new => match self.get(name, None, body.len() as u64 + 1).await {
                Ok(there) if there == body => Ok(()),
                Ok(_) => Err(S3Error::Exists {
                    place: self.shown.to_string(),
                    name: name.to_owned(),
                }),
                Err(S3Error::Answer { .. }) => Err(S3Error::Exists {
                    place: self.shown.to_string(),
                    name: name.to_owned(),
                }),
                Err(error) => Err(error),
            },
            _ => Err(self.refused(&answer)),
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
            deadline: if range.is_some() {
                DEADLINE
            } else {
                LONG_DEADLINE
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
            path: format!("/{}/{}", self.place.bucket.as_str(), encoded(name, true)),
            query: "",
            headers: Vec::new(),
            body: Bytes::new(),
            answer_max: ANSWER_BYTES_MAX,
            deadline: DEADLINE,
        }
    }

    async fn perform(&self, call: &Call<'_>) -> Result<Answer, S3Error> {
        let away = |why: String| S3Error::Away {
            place: self.shown.to_string(),
            why,
        };
        let mut last = String::from("it did not answer in time");
        let attempts = async {
            let Ok(_turn) = self.calls.acquire().await else {
                return Err(away("the client is closed".into()));
            };
            for attempt in 0..ATTEMPTS_MAX {
                if attempt > 0 {
                    tokio::time::sleep(PAUSE * attempt).await;
                }
                match self.attempt(call, attempt > 0).await {
                    Ok(answer) if answer.status >= 500 || answer.status == 429 => {
                        let (code, text) = listing::error(&String::from_utf8_lossy(&answer.body));
                        last = format!("it answered {} {code} {text}", answer.status);
                    }
                    Ok(answer) => return Ok(answer),
                    Err(Attempt::Final(error)) => return Err(error),
                    Err(Attempt::Again(why)) => last = why,
                }
            }
            Err(away(std::mem::take(&mut last)))
        };
        match tokio::time::timeout(call.deadline, attempts).await {
            Ok(outcome) => outcome,
            Err(_) => Err(away(format!(
                "it did not answer within {} ms ({last})",
                call.deadline.as_millis()
            ))),
        }
    }

    async fn attempt(&self, call: &Call<'_>, fresh: bool) -> Result<Answer, Attempt> {
        let request = self.request(call).map_err(Attempt::Final)?;
        let again = |e: &dyn ToString| Attempt::Again(e.to_string());
        let mut sender = self
            .connections
            .take(fresh)
            .await
            .map_err(|e| again(&format!("no connection: {e}")))?;
        let answer = sender.send_request(request).await.map_err(|e| again(&e))?;
        let (parts, mut body) = answer.into_parts();
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| again(&e))?;
            if let Some(data) = frame.data_ref() {
                // An error's text may be longer than the object that was asked for.
                let max = call.answer_max.max(64 * 1024);
                if read.len() as u64 + data.len() as u64 > max {
                    return Err(Attempt::Final(self.answer("it is longer than expected")));
                }
                read.extend_from_slice(data);
            }
        }
        let status = parts.status.as_u16();
        if status < 300 && read.len() as u64 > call.answer_max {
            return Err(Attempt::Final(self.answer("it is longer than expected")));
        }
        self.connections.keep(sender);
        Ok(Answer {
            status,
            headers: parts.headers,
            body: read.freeze(),
        })
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, S3Error> {
        let at = stamp(self.host.now());
        let hash = digest::digest(&digest::SHA256, &call.body);
        let mut headers = vec![
            ("host".to_owned(), self.place.authority()),
            ("x-amz-date".to_owned(), at.clone()),
            (
                "x-amz-content-sha256".to_owned(),
                hex::encode(hash.as_ref()),
            ),
        ];
        headers.extend(
            call.headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), v.clone())),
        );
        let head = RequestHead {
            via: authn::Via::default(),
            method: call.method,
            raw_path: &call.path,
            raw_query: call.query,
            headers: &headers,
        };
        let unsignable = |e: &dyn ToString| self.answer(&e.to_string());
        let day = at.get(..8).and_then(DateStamp::parse);
        let day = day.ok_or_else(|| self.answer("the clock of this machine is not right"))?;
        let key = SigningKey::derive(&self.secret, day, &self.place.region);
        let signed =
            authorization(&head, &self.place.access_key, &key).map_err(|e| unsignable(&e))?;
        let uri = match call.query {
            "" => call.path.clone(),
            query => format!("{}?{query}", call.path),
        };
        let mut request = Request::builder().method(call.method).uri(uri);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        request
            .header("authorization", signed)
            .body(Full::new(call.body.clone()))
            .map_err(|e| unsignable(&e))
    }

    fn refused(&self, answer: &Answer) -> S3Error {
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

    fn answer(&self, why: &str) -> S3Error {
        S3Error::Answer {
            place: self.shown.to_string(),
            why: why.to_owned(),
        }
    }
}

enum Attempt {
    Again(String),
    Final(S3Error),
}

/// Percent-encoded as Signature Version 4 has it.
fn encoded(text: &str, keep_slash: bool) -> String {
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
