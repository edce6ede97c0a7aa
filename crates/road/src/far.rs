//! The engine's side: a [`Road`] whose vault is at the other end of lanes.

use crate::check;
use crate::say::{Answer, Question};
use crate::serve::LANES_MAX;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use link::Trunk;
use link::lane::{Frame, Kind, Lane, broken};
use serde::de::DeserializeOwned;
use statement::limits::OBJECTS_MAX;
use statement::{
    Asked, Ended, Endings, GrantId, Granted, GrantedObject, Refused, Release, Road, SessionId,
    Sign, Signed, TableDef, TableRef, TableShown, Why,
};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

/// Lanes for questions; what is left of [`LANES_MAX`] waits for endings.
const QUESTIONS_MAX: usize = LANES_MAX - 16;
/// Tables that somebody sees.
const SHOWN_MAX: u64 = 1_000_000;

/// The vault, far away. Clones share their lanes.
#[derive(Clone)]
pub struct Far(Arc<Lanes>);

struct Lanes {
    trunk: Trunk,
    idle: Mutex<Vec<Lane>>,
    room: Semaphore,
}

/// What came of a question: words from the vault, or the lane broke.
type Heard<T> = io::Result<Result<T, Refused>>;

impl Far {
    /// At the other end of a trunk.
    #[must_use]
    pub fn new(trunk: Trunk) -> Self {
        Self(Arc::new(Lanes {
            trunk,
            idle: Mutex::new(Vec::new()),
            room: Semaphore::new(QUESTIONS_MAX),
        }))
    }
}

/// A lane broke. A call that was dropped or broke is not known to have been done.
fn gone(error: &io::Error) -> Refused {
    Refused::new(
        Why::Unavailable,
        format!(
            "the vault's process cannot be reached ({error}); what was acknowledged is safe, try again"
        ),
    )
}

fn wrong() -> io::Error {
    broken("an answer of the wrong kind")
}

fn number(index: usize) -> Result<u32, Refused> {
    u32::try_from(index)
        .map_err(|_| Refused::new(Why::Invalid, "there is no table or object of that number"))
}

impl Lanes {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self) -> io::Result<Lane> {
        let idle = self.idle().pop();
        match idle {
            Some(lane) => Ok(lane),
            None => self.new_lane(),
        }
    }

    fn new_lane(&self) -> io::Result<Lane> {
        let (ours, theirs) = UnixStream::pair()?;
        self.trunk.send(b"lane", &[theirs.as_fd()])?;
        Ok(Lane::new(ours))
    }

    /// Only a lane whose last question was answered whole is used again.
    fn give_back(&self, lane: Lane) {
        self.idle().push(lane);
    }

    /// Asks on a lane, and hears the first message of the answer.
    async fn ask(&self, lane: &mut Lane, question: &Question) -> Heard<Answer> {
        lane.say(Kind::Ask, question)?;
        lane.flush().await?;
        answer(lane.expect().await?)
    }

    /// A question with one message for an answer.
    async fn short(&self, question: Question) -> Result<Answer, Refused> {
        let _room = self.room().await?;
        let asked = async {
            let mut lane = self.lane()?;
            let answer = self.ask(&mut lane, &question).await?;
            if let Question::SignIn { .. } = question {
                lane.wipe();
            }
            self.give_back(lane);
            Ok(answer)
        };
        asked.await.unwrap_or_else(|error| Err(gone(&error)))
    }

    async fn room(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Refused> {
        let room = self.room.acquire().await;
        room.map_err(|_| Refused::new(Why::Unavailable, "the query engine ends"))
    }

    async fn done(&self, question: Question) -> Result<(), Refused> {
        match self.short(question).await? {
            Answer::Done => Ok(()),
            _ => Err(gone(&wrong())),
        }
    }

    async fn tables(&self, session: SessionId) -> Heard<Vec<TableShown>> {
        let mut lane = self.lane()?;
        let count = match self.ask(&mut lane, &Question::Tables(session)).await? {
            Ok(Answer::Tables(count)) if count <= SHOWN_MAX => count,
            Ok(_) => return Err(wrong()),
            Err(no) => {
                self.give_back(lane);
                return Ok(Err(no));
            }
        };
        let tables = parts(&mut lane, count).await?;
        self.give_back(lane);
        Ok(Ok(tables))
    }

    async fn begin(&self, session: SessionId, asked: Asked) -> Heard<Granted> {
        let mut lane = self.lane()?;
        let question = Question::Begin(session, asked);
        let (mut granted, counts) = match self.ask(&mut lane, &question).await? {
            Ok(Answer::Granted(granted, counts)) => (granted, counts),
            Ok(_) => return Err(wrong()),
            Err(no) => {
                self.give_back(lane);
                return Ok(Err(no));
            }
        };
        if counts.len() != granted.tables.len() {
            return Err(wrong());
        }
        for (table, count) in granted.tables.iter_mut().zip(counts) {
            if count > OBJECTS_MAX as u64 {
                return Err(broken("more objects than a table may have"));
            }
            table.objects = parts(&mut lane, count).await?;
        }
        // Until this is said, the vault closes the grant if the lane does.
        lane.sign(Kind::Want);
        lane.flush().await?;
        self.give_back(lane);
        Ok(Ok(granted))
    }

    async fn read(&self, question: &Question, asked: &[u64]) -> Heard<Vec<Bytes>> {
        let mut lane = self.lane()?;
        let lengths = match self.ask(&mut lane, question).await? {
            Ok(Answer::Lengths(lengths)) => lengths,
            Ok(_) => return Err(wrong()),
            Err(no) => {
                self.give_back(lane);
                return Ok(Err(no));
            }
        };
        if lengths.len() != asked.len() || lengths.iter().zip(asked).any(|(is, max)| is > max) {
            return Err(broken("other ranges than were asked"));
        }
        let mut all = Vec::with_capacity(lengths.len());
        for length in lengths {
            let length = usize::try_from(length).map_err(|_| wrong())?;
            all.push(lane.hear_raw(length).await?);
        }
        self.give_back(lane);
        Ok(Ok(all))
    }

    async fn write(
        &self,
        question: &Question,
        bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Heard<GrantedObject> {
        let mut lane = self.lane()?;
        lane.say(Kind::Ask, question)?;
        let early = send(&mut lane, bytes).await?;
        let whole = early.is_none();
        let frame = match early {
            Some(frame) => frame,
            None => lane.expect().await?,
        };
        let answer = answer(frame)?;
        if whole {
            self.give_back(lane);
        }
        match answer {
            Ok(Answer::Written(object)) => Ok(Ok(object)),
            Ok(_) => Err(wrong()),
            Err(no) => Ok(Err(no)),
        }
    }
}

fn answer(frame: Frame) -> Heard<Answer> {
    match frame.kind {
        Kind::Answer => frame.read().map(Ok),
        Kind::Refused => frame.read().map(Err),
        _ => Err(wrong()),
    }
}

/// A list that comes in parts.
async fn parts<T: DeserializeOwned>(lane: &mut Lane, count: u64) -> io::Result<Vec<T>> {
    let count = usize::try_from(count).map_err(|_| wrong())?;
    let mut all: Vec<T> = Vec::new();
    while all.len() < count {
        let frame = lane.expect().await?;
        let part: Vec<T> = match frame.kind {
            Kind::Answer => frame.read()?,
            _ => return Err(wrong()),
        };
        if part.is_empty() || part.len() > count - all.len() {
            return Err(broken("a list of another length than was said"));
        }
        all.extend(part);
    }
    Ok(all)
}

/// Sends an object as it comes. If the vault answers before its end, gives the answer.
async fn send(
    lane: &mut Lane,
    mut bytes: BoxStream<'static, io::Result<Bytes>>,
) -> io::Result<Option<Frame>> {
    loop {
        let next = match bytes.next().now_or_never() {
            Some(next) => next,
            None => {
                lane.flush().await?;
                tokio::select! {
                    next = bytes.next() => next,
                    early = lane.expect() => return early.map(Some),
                }
            }
        };
        match next {
            Some(Ok(piece)) => lane.piece(piece).await?,
            Some(Err(error)) => {
                lane.say(Kind::BodyBroken, &error.to_string())?;
                lane.flush().await?;
                return Ok(None);
            }
            None => {
                lane.sign(Kind::BodyEnd);
                lane.flush().await?;
                return Ok(None);
            }
        }
        if let Some(early) = lane.expect().now_or_never() {
            return early.map(Some);
        }
    }
}

#[async_trait]
impl Road for Far {
    async fn sign_in(
        &self,
        sign: Sign,
        database: &str,
        from: Option<IpAddr>,
    ) -> Result<Signed, Refused> {
        let database = database.to_owned();
        let question = Question::SignIn {
            sign,
            database,
            from,
        };
        match self.0.short(question).await? {
            Answer::Signed(signed) => Ok(signed),
            _ => Err(gone(&wrong())),
        }
    }

    async fn sign_out(&self, session: SessionId) {
        if let Err(no) = self.0.done(Question::SignOut(session)).await {
            tracing::debug!(why = no.message, "a session ends by itself later");
        }
    }

    async fn tables(&self, session: SessionId) -> Result<Vec<TableShown>, Refused> {
        let _room = self.0.room().await?;
        let heard = self.0.tables(session).await;
        heard.unwrap_or_else(|error| Err(gone(&error)))
    }

    async fn begin(&self, session: SessionId, asked: Asked) -> Result<Granted, Refused> {
        let _room = self.0.room().await?;
        let heard = self.0.begin(session, asked).await;
        heard.unwrap_or_else(|error| Err(gone(&error)))
    }

    async fn read(
        &self,
        grant: GrantId,
        table: usize,
        object: usize,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Refused> {
        check::ranges(&ranges)?;
        let asked: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
        let question = Question::Read {
            grant,
            table: number(table)?,
            object: number(object)?,
            ranges,
        };
        let _room = self.0.room().await?;
        let heard = self.0.read(&question, &asked).await;
        heard.unwrap_or_else(|error| Err(gone(&error)))
    }

    async fn release(&self, grant: GrantId, release: Release) -> Result<Vec<bool>, Refused> {
        let count = release.cohorts.len();
        match self.0.short(Question::Release(grant, release)).await? {
            Answer::Shown(shown) if shown.len() == count => Ok(shown),
            _ => Err(gone(&wrong())),
        }
    }

    async fn write(
        &self,
        grant: GrantId,
        table: usize,
        bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<GrantedObject, Refused> {
        let table = number(table)?;
        let _room = self.0.room().await?;
        let question = Question::Write { grant, table };
        let heard = self.0.write(&question, bytes).await;
        heard.unwrap_or_else(|error| Err(gone(&error)))
    }

    async fn commit(
        &self,
        grant: GrantId,
        table: usize,
        written: Vec<GrantedObject>,
    ) -> Result<u64, Refused> {
        let question = Question::Commit {
            grant,
            table: number(table)?,
            written,
        };
        match self.0.short(question).await? {
            Answer::Version(version) => Ok(version),
            _ => Err(gone(&wrong())),
        }
    }

    async fn close(&self, grant: GrantId, ended: Ended) -> Result<(), Refused> {
        self.0.done(Question::Close(grant, ended)).await
    }

    async fn declare(&self, session: SessionId, def: TableDef) -> Result<(), Refused> {
        self.0.done(Question::Declare(session, def)).await
    }

    async fn withdraw(&self, session: SessionId, table: TableRef) -> Result<(), Refused> {
        self.0.done(Question::Withdraw(session, table)).await
    }

    async fn endings(&self, after: u64) -> Result<Endings, Refused> {
        let asked = async {
            let mut lane = self.0.lane()?;
            let answer = self.0.ask(&mut lane, &Question::Endings(after)).await?;
            self.0.give_back(lane);
            Ok(answer)
        };
        match asked.await.unwrap_or_else(|error| Err(gone(&error)))? {
            Answer::Endings(endings) => Ok(endings),
            _ => Err(gone(&wrong())),
        }
    }
}
