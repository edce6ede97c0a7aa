//! How a call is done: signed, sent, tried again while its deadline allows.

use crate::bucket::Bucket;
use crate::error::S3Error;
use crate::listing;
use crate::pieces::Pieces;
use authn::signing::{authorization, stamp};
use authn::{DateStamp, RequestHead, Service, SigningKey};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Request;
use std::sync::atomic::Ordering;
use std::time::Duration;
use words::hex;

/// Calls under way at once.
pub const CALLS_MAX: usize = 64;
/// How long a call may take with all its attempts. The mirror gives a site 5 seconds for a step.
pub const DEADLINE: Duration = Duration::from_millis(4500);
/// The same for reading something large.
pub const LONG_DEADLINE: Duration = Duration::from_secs(120);
/// The longest answer that is read where nobody said how long it should be.
pub const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long one attempt at a call with a small body may take.
const ATTEMPT: Duration = Duration::from_secs(2);
/// An answer up to this length comes well within one attempt.
const SHORT_ANSWER_BYTES: u64 = 1024 * 1024;
/// A body up to this length is small.
pub const SMALL_BYTES: usize = 64 * 1024;
/// Before the second attempt; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest name of an engine that is kept.
const ENGINE_BYTES_MAX: usize = 200;
/// Attempts at one call.
const ATTEMPTS_MAX: u32 = 4;

/// One call.
pub struct Call<'a> {
    pub method: &'static str,
    pub service: Service,
    pub path: String,
    pub query: &'a str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Pieces,
    pub answer_max: u64,
    pub deadline: Duration,
}

impl Call<'_> {
    fn is_short(&self) -> bool {
        let answer = self.answer_max <= SHORT_ANSWER_BYTES || self.answer_max == ANSWER_BYTES_MAX;
        self.deadline == DEADLINE && self.body.length() <= SMALL_BYTES && answer
    }
}

/// How far a call has come.
#[derive(Default)]
struct Course {
    /// It had its turn.
    begun: bool,
    /// An attempt came to an end: refused, broken off, or answered that it cannot now.
    answered: bool,
    /// What that one said.
    last: String,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// It may go well a moment later.
    fn is_busy(&self) -> bool {
        let never = [NOT_IMPLEMENTED, NO_SPACE];
        self.status == 429 || (self.status >= 500 && !never.contains(&self.status))
    }
}

/// The status of what an engine does not know.
pub const NOT_IMPLEMENTED: u16 = 501;
const NO_SPACE: u16 = 507;

enum Attempt {
    Again(String),
    /// Nobody answered.
    Silence,
    Final(S3Error),
}

impl Bucket {
    /// Does a call with all its attempts. A deadline that passes while nothing was answered is told apart from
    /// trouble that was answered: the next call would wait as long.
    pub(crate) async fn perform(&self, call: &Call<'_>) -> Result<Answer, S3Error> {
        let mut course = Course::default();
        let outcome = tokio::time::timeout(call.deadline, self.attempts(call, &mut course)).await;
        if let Ok(outcome) = outcome {
            return outcome;
        }
        let within = call.deadline.as_millis();
        Err(match course {
            Course { begun: false, .. } => self.away(format!(
                "none of its {CALLS_MAX} connections was free within {within} ms"
            )),
            Course {
                answered: true,
                last,
                ..
            } => self.away(format!("it was tried for {within} ms ({last})")),
            Course { .. } => S3Error::Silent {
                place: self.shown.to_string(),
                within_ms: call.deadline.as_millis(),
            },
        })
    }

    async fn attempts(&self, call: &Call<'_>, course: &mut Course) -> Result<Answer, S3Error> {
        let Ok(_turn) = self.calls.acquire().await else {
            return Err(self.away("the client is closed".into()));
        };
        course.begun = true;
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                tokio::time::sleep(self.pause(attempt)).await;
            }
            // A connection that was kept may have died without a word, so a short call is not given all the time.
            let patience = match call.is_short() {
                true => ATTEMPT,
                false => call.deadline,
            };
            let tried = tokio::time::timeout(patience, self.attempt(call, attempt > 0)).await;
            match tried {
                Err(_) | Ok(Err(Attempt::Silence)) => continue,
                Ok(Ok(answer)) if answer.is_busy() => {
                    let (code, text) = listing::error(&String::from_utf8_lossy(&answer.body));
                    course.last = format!("it answered {} {code} {text}", answer.status);
                }
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Attempt::Final(error))) => return Err(error),
                Ok(Err(Attempt::Again(why))) => course.last = why,
            }
            course.answered = true;
        }
        match course.answered {
            true => Err(self.away(std::mem::take(&mut course.last))),
            false => Err(S3Error::Silent {
                place: self.shown.to_string(),
                within_ms: u128::from(ATTEMPTS_MAX) * ATTEMPT.as_millis(),
            }),
        }
    }

    /// Twice as long before each further attempt, and never the same for all callers.
    fn pause(&self, attempt: u32) -> Duration {
        let [random] = self.host.random::<1>();
        let pause = PAUSE * (1 << (attempt - 1).min(8));
        pause.mul_f32(0.75 + f32::from(random) / 512.0)
    }

    fn away(&self, why: String) -> S3Error {
        S3Error::Away {
            place: self.shown.to_string(),
            why,
        }
    }

    async fn attempt(&self, call: &Call<'_>, fresh: bool) -> Result<Answer, Attempt> {
        let request = self.request(call).map_err(Attempt::Final)?;
        let again = |e: &dyn ToString| Attempt::Again(e.to_string());
        let taken = self.connections.take(fresh).await;
        let mut sender = taken.map_err(|e| match e.kind() {
            std::io::ErrorKind::TimedOut => Attempt::Silence,
            _ => again(&format!("no connection: {e}")),
        })?;
        let answer = sender.send_request(request).await.map_err(|e| again(&e))?;
        let (parts, mut body) = answer.into_parts();
        self.remember_engine(&parts.headers);
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

    fn remember_engine(&self, headers: &http::HeaderMap) {
        self.answered.store(true, Ordering::Relaxed);
        let named = headers.get("server").and_then(|name| name.to_str().ok());
        if let Some(name) = named.filter(|name| name.len() <= ENGINE_BYTES_MAX) {
            self.engine.get_or_init(|| name.to_owned());
        }
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Pieces>, S3Error> {
        let at = stamp(self.host.now());
        let hash = call.body.sha256();
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
        let region = &self.place.region;
        let key = SigningKey::derive_for(&self.secret, day, region, call.service);
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
            .body(call.body.clone())
            .map_err(|e| unsignable(&e))
    }
}
