//! The door's side: a [`Backend`] whose vault is at the other end of lanes.

use crate::bodies::{Met, PassedOn};
use crate::bytes_out::stream;
use crate::lane::{Kind, Lane, broken};
use crate::say::{
    Answer, Ask, Believed, BodyEnd, Form, FormAnswer, Head, ObjectSaid, Refused, Report, State,
    Trouble, Verb,
};
use crate::trunk::Trunk;
use async_trait::async_trait;
use authn::{ChunkCheck, RequestHead};
use futures::{FutureExt as _, StreamExt as _};
use gate::{Answered, Backend, Identified, Known, ObjectHead, Refusal};
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use store::api::{
    BodyIn, BucketInfo, CompleteAsked, Conditions, CopyAsked, ListAsked, ListPage, ListedPart,
    ListedUpload, ObjectOut, PartCopyAsked, PutAsked, PutDone, ReadAsked, TrailerSlot, UploadAsked,
};
use store::{PolicyAct, StoreError};
use tokio::net::UnixStream;
use words::{BucketName, ObjectKey, VersionId};

/// Idle lanes that are kept.
const IDLE_MAX: usize = 512;
/// The vault, far away.
#[derive(Clone)]
pub struct Far(pub(crate) Arc<Lanes>);

impl Far {
    /// At the other end of a trunk.
    #[must_use]
    pub fn new(trunk: Trunk) -> Self {
        Self(Arc::new(Lanes {
            trunk,
            idle: Mutex::new(Vec::new()),
        }))
    }
}

/// The lanes to it.
pub(crate) struct Lanes {
    trunk: Trunk,
    idle: Mutex<Vec<Lane>>,
}

/// A caller as the door holds it: the lane on which the vault remembers who asks.
struct Held {
    lane: Lane,
    met: Met,
    /// The client does not wait for leave to send its body.
    sends: bool,
}

fn gone(error: &io::Error) -> StoreError {
    StoreError::Internal(format!(
        "the vault's process cannot be reached ({error}); what was acknowledged is safe"
    ))
}

impl Lanes {
    fn lane(&self) -> io::Result<Lane> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(lane) => Ok(lane),
            None => self.new_lane(),
        }
    }

    pub(crate) fn new_lane(&self) -> io::Result<Lane> {
        let (ours, theirs) = UnixStream::pair()?;
        self.trunk.send(b"lane", &[theirs.as_fd()])?;
        Ok(Lane::new(ours))
    }

    pub(crate) fn give_back(&self, lane: Lane) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(lane);
        }
    }

    async fn ask_who(&self, head: &RequestHead<'_>) -> io::Result<Result<Identified, Refusal>> {
        let mut lane = self.lane()?;
        lane.say(Kind::Head, &Head::of(head))?;
        lane.flush().await?;
        let frame = lane.expect().await?;
        match frame.kind {
            Kind::Refused => {
                self.give_back(lane);
                Ok(Err(frame.read::<Refused>()?.into()))
            }
            Kind::Believed => {
                let believed: Believed = frame.read()?;
                let met = Met::default();
                let chunks = believed
                    .chunks
                    .then(|| -> Box<dyn ChunkCheck> { Box::new(PassedOn(met.clone())) });
                let sends = !head.headers.iter().any(|(name, _)| name == "expect");
                Ok(Ok(Identified {
                    caller: Known::new(believed.tenant, Held { lane, met, sends }),
                    payload: believed.payload.into(),
                    chunks,
                }))
            }
            _ => Err(broken("an answer of the wrong kind")),
        }
    }

    async fn form(
        &self,
        head: &RequestHead<'_>,
        body: Vec<u8>,
    ) -> io::Result<Result<Answered, Refusal>> {
        let mut lane = self.lane()?;
        let head = Head::of(head);
        lane.say(Kind::Form, &Form { head, body })?;
        lane.flush().await?;
        let frame = lane.expect().await?;
        let answer = match frame.kind {
            Kind::FormAnswer => {
                let said: FormAnswer = frame.read()?;
                Ok(Answered {
                    action: said.action,
                    service: said.service,
                    elements: said.elements.into_iter().map(Into::into).collect(),
                })
            }
            Kind::Refused => Err(frame.read::<Refused>()?.into()),
            _ => return Err(broken("an answer of the wrong kind")),
        };
        self.give_back(lane);
        Ok(answer)
    }

    /// Asks a verb without a body and without bytes in the answer.
    async fn ask(&self, caller: Known, verb: Verb) -> Result<Answer, StoreError> {
        let mut held = held(caller)?;
        let asked = async {
            begin(&mut held, verb)?;
            held.lane.flush().await?;
            held.lane.expect().await
        };
        let frame = asked.await.map_err(|e| gone(&e))?;
        let answer = match frame.kind {
            Kind::Answer => Ok(frame.read().map_err(|e| gone(&e))?),
            Kind::Trouble => Err(frame.read::<Trouble>().map_err(|e| gone(&e))?.into()),
            _ => return Err(gone(&broken("an answer of the wrong kind"))),
        };
        self.give_back(held.lane);
        answer
    }

    /// Asks a verb that takes a body.
    async fn ask_with_body(
        &self,
        caller: Known,
        verb: Verb,
        body: BodyIn,
        slot: &TrailerSlot,
    ) -> Result<PutDone, StoreError> {
        let mut held = held(caller)?;
        // Signatures in the framing go along with the body.
        let checks = Vec::new();
        held.lane
            .say(Kind::Ask, &Ask { verb, checks })
            .map_err(|e| gone(&e))?;
        match send_body(&mut held, body, slot).await {
            // The answer may have come before the body's end; then the lane is closed behind it.
            Ok(()) | Err(_) => {}
        }
        let frame = loop {
            let frame = held.lane.expect().await.map_err(|e| gone(&e))?;
            if frame.kind != Kind::Want {
                break frame;
            }
        };
        match frame.kind {
            Kind::Answer => {
                let answer: Answer = frame.read().map_err(|e| gone(&e))?;
                self.give_back(held.lane);
                done(answer)
            }
            Kind::Trouble => Err(frame.read::<Trouble>().map_err(|e| gone(&e))?.into()),
            _ => Err(gone(&broken("an answer of the wrong kind"))),
        }
    }

    pub(crate) async fn report(&self, report: &Report) -> io::Result<()> {
        let mut lane = self.lane()?;
        lane.say(Kind::Report, report)?;
        lane.flush().await?;
        lane.expect().await?;
        self.give_back(lane);
        Ok(())
    }

    /// The node's state, asked now.
    pub(crate) async fn state(&self) -> io::Result<State> {
        let mut lane = self.new_lane()?;
        lane.sign(Kind::Watch);
        lane.flush().await?;
        lane.expect().await?.read()
    }

    pub(crate) async fn metrics(&self) -> io::Result<String> {
        let mut lane = self.lane()?;
        lane.sign(Kind::Metrics);
        lane.flush().await?;
        let text = lane.expect().await?.read()?;
        self.give_back(lane);
        Ok(text)
    }
}

fn unreachable_vault(error: &io::Error) -> Refusal {
    Refusal {
        code: "ServiceUnavailable".into(),
        status: 503,
        message: format!(
            "the vault's process cannot be reached ({error}); nothing was done, try again"
        ),
        region: None,
    }
}

fn held(caller: Known) -> Result<Held, StoreError> {
    let other = || StoreError::Internal("the caller was identified by another backend".into());
    caller.into_proof().ok_or_else(other)
}

fn begin(held: &mut Held, verb: Verb) -> io::Result<()> {
    let checks = held.met.take();
    held.lane.say(Kind::Ask, &Ask { verb, checks })
}

/// Sends a body as it comes. Ends early when the far side has answered already.
async fn send_body(held: &mut Held, mut body: BodyIn, slot: &TrailerSlot) -> io::Result<()> {
    if !held.sends {
        held.lane.flush().await?;
        match held.lane.expect().await? {
            frame if frame.kind == Kind::Want => {}
            // Answered without the body: put back what was read for the caller to see.
            frame => {
                held.lane.unread(frame);
                return Ok(());
            }
        }
    }
    loop {
        let next = match body.next().now_or_never() {
            Some(next) => next,
            None => {
                held.lane.flush().await?;
                tokio::select! {
                    next = body.next() => next,
                    early = held.lane.hear_but(Kind::Want) => {
                        if let Some(frame) = early? {
                            held.lane.unread(frame);
                        }
                        return Ok(());
                    }
                }
            }
        };
        for check in held.met.take() {
            held.lane.say(Kind::Check, &check)?;
        }
        match next {
            Some(Ok(piece)) => {
                held.lane.piece(piece).await?;
                if let Some(early) = held.lane.hear_but(Kind::Want).now_or_never() {
                    if let Some(frame) = early? {
                        held.lane.unread(frame);
                    }
                    return Ok(());
                }
            }
            Some(Err(error)) => {
                let trouble: crate::say::BodyTrouble = error.into();
                held.lane.say(Kind::BodyBroken, &trouble)?;
                return held.lane.flush().await;
            }
            None => {
                let trailer = slot.get().to_vec();
                held.lane.say(Kind::BodyEnd, &BodyEnd { trailer })?;
                return held.lane.flush().await;
            }
        }
    }
}

fn wrong() -> StoreError {
    gone(&broken("an answer of the wrong kind"))
}

fn done(answer: Answer) -> Result<PutDone, StoreError> {
    match answer {
        Answer::Done(done) => Ok(done),
        _ => Err(wrong()),
    }
}

#[async_trait]
impl Backend for Far {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Identified, Refusal> {
        self.0
            .ask_who(head)
            .await
            .unwrap_or_else(|error| Err(unreachable_vault(&error)))
    }

    async fn query(&self, head: &RequestHead<'_>, form: Vec<u8>) -> Result<Answered, Refusal> {
        self.0
            .form(head, form)
            .await
            .unwrap_or_else(|error| Err(unreachable_vault(&error)))
    }

    async fn bucket_policy(
        &self,
        caller: Known,
        bucket: &BucketName,
        act: PolicyAct,
    ) -> Result<Option<String>, StoreError> {
        let verb = Verb::BucketPolicy(bucket.clone(), act);
        match self.0.ask(caller, verb).await? {
            Answer::Policy(text) => Ok(text),
            _ => Err(wrong()),
        }
    }

    async fn list_buckets(&self, caller: Known) -> Result<Vec<BucketInfo>, StoreError> {
        match self.0.ask(caller, Verb::ListBuckets).await? {
            Answer::Buckets(buckets) => Ok(buckets),
            _ => Err(wrong()),
        }
    }

    async fn create_bucket(&self, caller: Known, bucket: BucketName) -> Result<(), StoreError> {
        self.0
            .ask(caller, Verb::CreateBucket(bucket))
            .await
            .map(drop)
    }

    async fn head_bucket(
        &self,
        caller: Known,
        bucket: &BucketName,
    ) -> Result<BucketInfo, StoreError> {
        match self.0.ask(caller, Verb::HeadBucket(bucket.clone())).await? {
            Answer::Bucket(bucket) => Ok(bucket),
            _ => Err(wrong()),
        }
    }

    async fn delete_bucket(&self, caller: Known, bucket: &BucketName) -> Result<(), StoreError> {
        let verb = Verb::DeleteBucket(bucket.clone());
        self.0.ask(caller, verb).await.map(drop)
    }

    async fn list_objects(
        &self,
        caller: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<ListPage, StoreError> {
        let verb = Verb::ListObjects(bucket.clone(), asked);
        match self.0.ask(caller, verb).await? {
            Answer::Page(page) => Ok(page),
            _ => Err(wrong()),
        }
    }

    async fn get_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectOut, StoreError> {
        let mut held = held(caller)?;
        let verb = Verb::GetObject(bucket.clone(), key.clone(), asked);
        let asked = async {
            begin(&mut held, verb)?;
            held.lane.flush().await?;
            held.lane.expect().await
        };
        let frame = asked.await.map_err(|e| gone(&e))?;
        match frame.kind {
            Kind::Answer => match frame.read().map_err(|e| gone(&e))? {
                Answer::Object(ObjectSaid {
                    info,
                    range,
                    length,
                }) => Ok(ObjectOut {
                    info,
                    range,
                    length,
                    body: stream(Arc::clone(&self.0), held.lane),
                }),
                _ => Err(wrong()),
            },
            Kind::Trouble => {
                let trouble: Trouble = frame.read().map_err(|e| gone(&e))?;
                self.0.give_back(held.lane);
                Err(trouble.into())
            }
            _ => Err(wrong()),
        }
    }

    async fn head_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectHead, StoreError> {
        let verb = Verb::HeadObject(bucket.clone(), key.clone(), asked);
        match self.0.ask(caller, verb).await? {
            Answer::Head(said) => Ok(ObjectHead {
                info: said.info,
                range: said.range,
                length: said.length,
            }),
            _ => Err(wrong()),
        }
    }

    async fn put_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        let slot = asked.expected.trailer.clone();
        let verb = Verb::PutObject(bucket.clone(), key.clone(), asked);
        self.0.ask_with_body(caller, verb, body, &slot).await
    }

    async fn delete_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        conditions: Conditions,
    ) -> Result<(), StoreError> {
        let verb = Verb::DeleteObject(bucket.clone(), key.clone(), conditions);
        self.0.ask(caller, verb).await.map(drop)
    }

    async fn delete_objects(
        &self,
        caller: Known,
        bucket: &BucketName,
        keys: Vec<ObjectKey>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let verb = Verb::DeleteObjects(bucket.clone(), keys);
        match self.0.ask(caller, verb).await? {
            Answer::Deleted(each) => Ok(each
                .into_iter()
                .map(|one| one.map_err(StoreError::from))
                .collect()),
            _ => Err(wrong()),
        }
    }

    async fn copy_object(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: CopyAsked,
    ) -> Result<PutDone, StoreError> {
        let verb = Verb::CopyObject(bucket.clone(), key.clone(), asked);
        done(self.0.ask(caller, verb).await?)
    }

    async fn create_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: UploadAsked,
    ) -> Result<VersionId, StoreError> {
        let verb = Verb::CreateUpload(bucket.clone(), key.clone(), asked);
        match self.0.ask(caller, verb).await? {
            Answer::Upload(upload) => Ok(upload),
            _ => Err(wrong()),
        }
    }

    async fn upload_part(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        let slot = asked.expected.trailer.clone();
        let verb = Verb::UploadPart(bucket.clone(), key.clone(), upload, number, asked);
        self.0.ask_with_body(caller, verb, body, &slot).await
    }

    async fn upload_part_copy(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PartCopyAsked,
    ) -> Result<PutDone, StoreError> {
        let verb = Verb::UploadPartCopy(bucket.clone(), key.clone(), upload, number, asked);
        done(self.0.ask(caller, verb).await?)
    }

    async fn complete_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        asked: CompleteAsked,
    ) -> Result<PutDone, StoreError> {
        let verb = Verb::CompleteUpload(bucket.clone(), key.clone(), upload, asked);
        done(self.0.ask(caller, verb).await?)
    }

    async fn abort_upload(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
    ) -> Result<(), StoreError> {
        let verb = Verb::AbortUpload(bucket.clone(), key.clone(), upload);
        self.0.ask(caller, verb).await.map(drop)
    }

    async fn list_parts(
        &self,
        caller: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: VersionId,
        after: u32,
        max: usize,
    ) -> Result<(Vec<ListedPart>, bool), StoreError> {
        let verb = Verb::ListParts(bucket.clone(), key.clone(), upload, after, max as u64);
        match self.0.ask(caller, verb).await? {
            Answer::Parts(parts, more) => Ok((parts, more)),
            _ => Err(wrong()),
        }
    }

    async fn list_uploads(
        &self,
        caller: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<(Vec<ListedUpload>, bool), StoreError> {
        let verb = Verb::ListUploads(bucket.clone(), asked);
        match self.0.ask(caller, verb).await? {
            Answer::Uploads(uploads, more) => Ok((uploads, more)),
            _ => Err(wrong()),
        }
    }
}
