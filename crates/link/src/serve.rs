//! The vault's side: lanes come over the trunk, and each is served until it closes.

use crate::bodies::Checked;
use crate::lane::{Frame, Kind, Lane, broken};
use crate::say::{
    Answer, Ask, Believed, BodyEnd, Form, FormAnswer, Head, ObjectSaid, Refused, Report, State,
    Trouble, Verb,
};
use crate::trunk::Trunk;
use authn::{ChunkCheck, PayloadHash};
use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _};
use gate::{Act, Backend, Bound, Known, Ops, Seen, verb_named};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use store::api::{BodyError, BodyIn, PutAsked, TrailerSlot};
use store::{PolicyAct, StoreError};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc};

/// How often it is looked whether the node's state has changed.
const LOOK: Duration = Duration::from_millis(50);
/// Pieces of a body that wait for the store.
const PIECES_WAITING: usize = 4;
/// Lanes that a door may have open.
const LANES_MAX: usize = 16_384;

/// What stands behind the lanes.
#[derive(Clone)]
pub struct Behind {
    /// The verbs.
    pub backend: Arc<dyn Backend>,
    /// The node.
    pub ops: Arc<dyn Ops>,
    /// The domains under which a bucket may be the first label of the host name, as the door has them.
    pub domains: Arc<[String]>,
}

/// Serves the lanes of one door until it closes the trunk. Must be called inside a runtime.
pub async fn serve(trunk: Trunk, behind: Behind) -> io::Result<()> {
    let mut lanes = trunk.descriptors()?;
    let room = Arc::new(tokio::sync::Semaphore::new(LANES_MAX));
    while let Some(fd) = lanes.recv().await {
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            continue; // the descriptor is closed, and the door is told so by its end
        };
        let stream = std::os::unix::net::UnixStream::from(fd);
        stream.set_nonblocking(true)?;
        let lane = Lane::new(UnixStream::from_std(stream)?);
        let behind = behind.clone();
        tokio::spawn(async move {
            if let Err(error) = behind.lane(lane).await {
                tracing::debug!(%error, "a lane of the door ended early");
            }
            drop(permit);
        });
    }
    Ok(())
}

/// A believed request that waits for its verb.
struct Waiting {
    caller: Known,
    payload: PayloadHash,
    chunks: Option<Box<dyn ChunkCheck>>,
    bound: Option<Bound>,
    /// The client waits for leave to send its body.
    waits: bool,
}

impl Behind {
    async fn lane(&self, mut lane: Lane) -> io::Result<()> {
        let mut waiting = None;
        while let Some(frame) = lane.hear().await? {
            match frame.kind {
                Kind::Head => waiting = self.identify(&mut lane, &frame).await?,
                Kind::Ask => {
                    let waiting = waiting
                        .take()
                        .ok_or_else(|| broken("a verb without an identified caller"))?;
                    let ask = frame.read()?;
                    self.act(&mut lane, waiting, ask).await?;
                }
                // What is left of a body whose request was answered before its end.
                Kind::Piece | Kind::Check | Kind::BodyEnd | Kind::BodyBroken => continue,
                Kind::Form => self.form(&mut lane, &frame).await?,
                Kind::Watch => return self.watched(lane).await,
                Kind::Report => {
                    self.note(frame.read()?);
                    lane.sign(Kind::Report);
                }
                Kind::Metrics => lane.say(Kind::MetricsText, &self.ops.metrics().await)?,
                _ => return Err(broken("a frame that the door does not send")),
            }
            lane.flush().await?;
        }
        Ok(())
    }

    async fn identify(&self, lane: &mut Lane, frame: &Frame) -> io::Result<Option<Waiting>> {
        let said: Head<'_> = frame.read()?;
        let head = said.head();
        match self.backend.identify(&head).await {
            Ok(known) => {
                let believed = Believed {
                    tenant: known.caller.tenant(),
                    payload: known.payload.into(),
                    chunks: known.chunks.is_some(),
                };
                lane.say(Kind::Believed, &believed)?;
                Ok(Some(Waiting {
                    caller: known.caller,
                    payload: known.payload,
                    chunks: known.chunks,
                    bound: Bound::of(&head, &self.domains),
                    waits: said.headers.iter().any(|(name, _)| name == "expect"),
                }))
            }
            Err(no) => {
                lane.say(Kind::Refused, &Refused::from(no))?;
                Ok(None)
            }
        }
    }

    async fn form(&self, lane: &mut Lane, frame: &Frame) -> io::Result<()> {
        let said: Form<'_> = frame.read()?;
        match self.backend.query(&said.head.head(), said.body).await {
            Ok(answered) => {
                let answer = FormAnswer {
                    action: answered.action,
                    service: answered.service,
                    elements: answered.elements.into_iter().map(Into::into).collect(),
                };
                lane.say(Kind::FormAnswer, &answer)
            }
            Err(no) => lane.say(Kind::Refused, &Refused::from(no)),
        }
    }

    async fn act(&self, lane: &mut Lane, mut waiting: Waiting, ask: Ask) -> io::Result<()> {
        let signed = waiting.bound.as_ref();
        if !signed.is_some_and(|bound| bound.allows(act(&ask.verb))) {
            tracing::error!("the door asked for something else than what was signed; refused");
            return lane.say(Kind::Trouble, &Trouble::from(StoreError::Denied));
        }
        let Ask { verb, checks } = ask;
        match verb {
            Verb::PutObject(bucket, key, put) => {
                let put = expected(put, waiting.payload);
                let slot = put.expected.trailer.clone();
                let (body, feed) = body(waiting.waits, slot, waiting.chunks.take());
                let work = self
                    .backend
                    .put_object(waiting.caller, &bucket, &key, put, body);
                with_body(lane, feed, work.map(|done| done.map(Answer::Done))).await
            }
            Verb::UploadPart(bucket, key, upload, number, put) => {
                let put = expected(put, waiting.payload);
                let slot = put.expected.trailer.clone();
                let (body, feed) = body(waiting.waits, slot, waiting.chunks.take());
                let work = self.backend.upload_part(
                    waiting.caller,
                    &bucket,
                    &key,
                    upload,
                    number,
                    put,
                    body,
                );
                with_body(lane, feed, work.map(|done| done.map(Answer::Done))).await
            }
            verb => {
                if let Err(error) = Checked::new(waiting.chunks.take()).document(checks) {
                    return lane.say(Kind::Trouble, &Trouble::from(StoreError::Body(error)));
                }
                self.plain(lane, waiting.caller, verb).await
            }
        }
    }

    /// Verbs whose request has no body of an object.
    async fn plain(&self, lane: &mut Lane, caller: Known, verb: Verb) -> io::Result<()> {
        if let Verb::GetObject(bucket, key, asked) = verb {
            return match self.backend.get_object(caller, &bucket, &key, asked).await {
                Ok(out) => send(lane, out).await,
                Err(error) => lane.say(Kind::Trouble, &Trouble::from(error)),
            };
        }
        match self.small(caller, verb).await {
            Ok(answer) => lane.say(Kind::Answer, &answer),
            Err(error) => lane.say(Kind::Trouble, &Trouble::from(error)),
        }
    }

    async fn small(&self, caller: Known, verb: Verb) -> Result<Answer, StoreError> {
        let back = &self.backend;
        Ok(match verb {
            Verb::ListBuckets => Answer::Buckets(back.list_buckets(caller).await?),
            Verb::CreateBucket(bucket) => {
                back.create_bucket(caller, bucket).await?;
                Answer::Nothing
            }
            Verb::HeadBucket(bucket) => Answer::Bucket(back.head_bucket(caller, &bucket).await?),
            Verb::BucketPolicy(bucket, act) => {
                Answer::Policy(back.bucket_policy(caller, &bucket, act).await?)
            }
            Verb::DeleteBucket(bucket) => {
                back.delete_bucket(caller, &bucket).await?;
                Answer::Nothing
            }
            Verb::ListObjects(bucket, asked) => {
                Answer::Page(back.list_objects(caller, &bucket, asked).await?)
            }
            Verb::HeadObject(bucket, key, asked) => {
                let head = back.head_object(caller, &bucket, &key, asked).await?;
                Answer::Head(ObjectSaid {
                    info: head.info,
                    range: head.range,
                    length: head.length,
                })
            }
            Verb::DeleteObject(bucket, key, conditions) => {
                back.delete_object(caller, &bucket, &key, conditions)
                    .await?;
                Answer::Nothing
            }
            Verb::DeleteObjects(bucket, keys) => {
                let each = back.delete_objects(caller, &bucket, keys).await?;
                let each = each.into_iter().map(|one| one.map_err(Trouble::from));
                Answer::Deleted(each.collect())
            }
            Verb::CopyObject(bucket, key, asked) => {
                Answer::Done(back.copy_object(caller, &bucket, &key, asked).await?)
            }
            other => self.multipart(caller, other).await?,
        })
    }

    async fn multipart(&self, caller: Known, verb: Verb) -> Result<Answer, StoreError> {
        let back = &self.backend;
        Ok(match verb {
            Verb::CreateUpload(bucket, key, asked) => {
                Answer::Upload(back.create_upload(caller, &bucket, &key, asked).await?)
            }
            Verb::UploadPartCopy(bucket, key, upload, number, asked) => Answer::Done(
                back.upload_part_copy(caller, &bucket, &key, upload, number, asked)
                    .await?,
            ),
            Verb::CompleteUpload(bucket, key, upload, asked) => Answer::Done(
                back.complete_upload(caller, &bucket, &key, upload, asked)
                    .await?,
            ),
            Verb::AbortUpload(bucket, key, upload) => {
                back.abort_upload(caller, &bucket, &key, upload).await?;
                Answer::Nothing
            }
            Verb::ListParts(bucket, key, upload, after, max) => {
                let max = usize::try_from(max).unwrap_or(usize::MAX);
                let (parts, more) = back
                    .list_parts(caller, &bucket, &key, upload, after, max)
                    .await?;
                Answer::Parts(parts, more)
            }
            Verb::ListUploads(bucket, asked) => {
                let (uploads, more) = back.list_uploads(caller, &bucket, asked).await?;
                Answer::Uploads(uploads, more)
            }
            _ => return Err(StoreError::Internal("a verb of the wrong kind".into())),
        })
    }

    fn note(&self, report: Report) {
        for (verb, status, took) in report.seen {
            let verb = verb_named(&verb);
            self.ops.seen(Seen { verb, status, took });
        }
        if let Some((hybrid, classical)) = report.handshakes {
            self.ops.handshakes(hybrid, classical);
        }
    }

    /// Says the node's state, now and whenever it changes, until the door closes the lane.
    async fn watched(&self, mut lane: Lane) -> io::Result<()> {
        let mut said = None;
        loop {
            let state = State::from(self.ops.readiness());
            if said.as_ref() != Some(&state) {
                lane.say(Kind::State, &state)?;
                lane.flush().await?;
                said = Some(state);
            }
            tokio::select! {
                closed = lane.hear() => return closed.map(drop),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

fn act(verb: &Verb) -> Act<'_> {
    match verb {
        Verb::ListBuckets => Act::ListBuckets,
        Verb::CreateBucket(bucket) => Act::CreateBucket(bucket),
        Verb::HeadBucket(bucket) => Act::HeadBucket(bucket),
        Verb::BucketPolicy(bucket, PolicyAct::Get) => Act::GetPolicy(bucket),
        Verb::BucketPolicy(bucket, PolicyAct::Put(_)) => Act::PutPolicy(bucket),
        Verb::BucketPolicy(bucket, PolicyAct::Delete) => Act::DeletePolicy(bucket),
        Verb::DeleteBucket(bucket) => Act::DeleteBucket(bucket),
        Verb::ListObjects(bucket, _) => Act::ListObjects(bucket),
        Verb::GetObject(bucket, key, _) => Act::GetObject(bucket, key),
        Verb::HeadObject(bucket, key, _) => Act::HeadObject(bucket, key),
        Verb::PutObject(bucket, key, _) => Act::PutObject(bucket, key),
        Verb::DeleteObject(bucket, key, _) => Act::DeleteObject(bucket, key),
        Verb::DeleteObjects(bucket, _) => Act::DeleteObjects(bucket),
        Verb::CopyObject(bucket, key, asked) => {
            Act::CopyObject(bucket, key, (&asked.source_bucket, &asked.source_key))
        }
        Verb::CreateUpload(bucket, key, _) => Act::CreateUpload(bucket, key),
        Verb::UploadPart(bucket, key, upload, ..) => Act::UploadPart(bucket, key, *upload),
        Verb::UploadPartCopy(bucket, key, upload, _, asked) => {
            let source = (&asked.source_bucket, &asked.source_key);
            Act::UploadPartCopy(bucket, key, *upload, source)
        }
        Verb::CompleteUpload(bucket, key, upload, _) => Act::CompleteUpload(bucket, key, *upload),
        Verb::AbortUpload(bucket, key, upload) => Act::AbortUpload(bucket, key, *upload),
        Verb::ListParts(bucket, key, upload, ..) => Act::ListParts(bucket, key, *upload),
        Verb::ListUploads(bucket, _) => Act::ListUploads(bucket),
    }
}

/// The hash that the signature names is the one that counts, whatever the door says.
fn expected(mut put: PutAsked, payload: PayloadHash) -> PutAsked {
    put.expected.trailer = TrailerSlot::default();
    put.expected.payload_sha256 = match payload {
        PayloadHash::Hex(hash) => Some(hash),
        _ => None,
    };
    put
}

/// An object on its way out. One that is small leaves with its answer in one stroke.
async fn send(lane: &mut Lane, out: store::api::ObjectOut) -> io::Result<()> {
    let said = ObjectSaid {
        info: out.info,
        range: out.range,
        length: out.length,
    };
    lane.say(Kind::Answer, &Answer::Object(said))?;
    let mut body = out.body;
    loop {
        let next = match body.next().now_or_never() {
            Some(next) => next,
            None => {
                lane.flush().await?;
                tokio::select! {
                    next = body.next() => next,
                    // Nothing is sent to us now: the door has closed, and nobody wants the rest.
                    _ = lane.hear() => return Err(io::ErrorKind::BrokenPipe.into()),
                }
            }
        };
        match next {
            Some(Ok(piece)) => lane.piece(piece).await?,
            Some(Err(error)) => return lane.say(Kind::OutBroken, &error.to_string()),
            None => {
                lane.sign(Kind::OutEnd);
                return Ok(());
            }
        }
    }
}

/// A body as the store reads it.
struct Body {
    pieces: mpsc::Receiver<Result<Bytes, BodyError>>,
    wanted: Arc<Notify>,
    asked: bool,
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.asked {
            self.asked = true;
            self.wanted.notify_one();
        }
        self.pieces.poll_recv(cx)
    }
}

/// What fills it.
struct Feed {
    pieces: Option<mpsc::Sender<Result<Bytes, BodyError>>>,
    wanted: Arc<Notify>,
    waits: bool,
    checked: Checked,
    slot: TrailerSlot,
}

fn body(waits: bool, slot: TrailerSlot, chain: Option<Box<dyn ChunkCheck>>) -> (BodyIn, Feed) {
    let (sender, pieces) = mpsc::channel(PIECES_WAITING);
    let wanted = Arc::new(Notify::new());
    let body = Body {
        pieces,
        wanted: Arc::clone(&wanted),
        asked: false,
    };
    let feed = Feed {
        pieces: Some(sender),
        wanted,
        waits,
        checked: Checked::new(chain),
        slot,
    };
    (Box::pin(body), feed)
}

impl Feed {
    /// Takes a frame of the body; there is room for what comes of it.
    fn take(&mut self, frame: Frame) -> io::Result<()> {
        let next = match frame.kind {
            Kind::Piece => self.checked.piece(frame.payload),
            Kind::Check => self.checked.check(frame.read()?).map(|()| None),
            Kind::BodyEnd => {
                let last = self.checked.end(frame.read::<BodyEnd>()?, &self.slot);
                return self.give(last, true);
            }
            Kind::BodyBroken => Err(self.checked.broken(frame.read()?)),
            _ => return Err(broken("a frame that is no part of a body")),
        };
        let ends = next.is_err();
        self.give(next, ends)
    }

    fn give(&mut self, next: Result<Option<Bytes>, BodyError>, ends: bool) -> io::Result<()> {
        let Some(pieces) = &self.pieces else {
            return Ok(());
        };
        if let Some(next) = next.transpose() {
            // A store that has stopped reading has its answer ready.
            let _ = pieces.try_send(next);
        }
        if ends {
            self.pieces = None;
        }
        Ok(())
    }
}

/// Does a verb while its body comes in.
async fn with_body(
    lane: &mut Lane,
    mut feed: Feed,
    work: impl Future<Output = Result<Answer, StoreError>>,
) -> io::Result<()> {
    let mut work = pin!(work);
    let answer = loop {
        let Some(pieces) = feed.pieces.clone() else {
            break work.await;
        };
        tokio::select! {
            answer = &mut work => break answer,
            () = feed.wanted.notified(), if feed.waits => {
                feed.waits = false;
                lane.sign(Kind::Want);
                lane.flush().await?;
            }
            room = pieces.reserve() => {
                let Ok(room) = room else {
                    feed.pieces = None;
                    continue;
                };
                drop(room);
                tokio::select! {
                    answer = &mut work => break answer,
                    () = feed.wanted.notified(), if feed.waits => {
                        feed.waits = false;
                        lane.sign(Kind::Want);
                        lane.flush().await?;
                    }
                    frame = lane.hear() => match frame? {
                        Some(frame) => feed.take(frame)?,
                        None => {
                            let lost = BodyError::Connection("it was lost".to_owned());
                            feed.give(Err(lost), true)?;
                        }
                    },
                }
            }
        }
    };
    match answer {
        Ok(answer) => lane.say(Kind::Answer, &answer),
        Err(error) => lane.say(Kind::Trouble, &Trouble::from(error)),
    }
}
