//! The vault's side: lanes come over an engine's trunk, and each is served until it closes.

use crate::check;
use crate::counts::{Counts, add};
use crate::engine::Engine;
use crate::say::{Answer, PART_MAX, Question};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use link::Trunk;
use link::lane::{Frame, Kind, Lane, broken};
use serde::Serialize;
use statement::{Asked, GrantId, GrantedObject, Refused, Road, SessionId, Why};
use std::future::Future;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Lanes that an engine may have open.
pub(crate) const LANES_MAX: usize = 256;
/// Pieces of a written object that wait for the store.
const PIECES_WAITING: usize = 4;
/// How long questions that were asked before an engine ended may take.
const LAST_QUESTIONS: Duration = Duration::from_secs(30);

/// What stands behind the lanes.
#[derive(Clone)]
pub struct Behind {
    /// The vault.
    pub road: Arc<dyn Road>,
    /// What is counted.
    pub counts: Arc<Counts>,
}

/// Serves the lanes of one engine until it closes the trunk; then closes the statements that it left open. Must be
/// called inside a runtime.
pub async fn serve(trunk: Trunk, behind: Behind) -> io::Result<()> {
    let mut lanes = trunk.descriptors()?;
    let engine = Arc::new(Engine::new(behind.road, behind.counts));
    let (end, ended) = watch::channel(false);
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            fd = lanes.recv() => {
                let Some(fd) = fd else { break };
                if serving.len() >= LANES_MAX {
                    continue; // the descriptor is closed, and the engine is told so by its end
                }
                // What is no socket is the engine's own loss.
                let Ok(lane) = lane(fd) else { continue };
                let served = Served { engine: Arc::clone(&engine), ended: ended.clone() };
                serving.spawn(async move {
                    if let Err(error) = served.lane(lane).await {
                        tracing::debug!(%error, "a lane of the query engine ended early");
                    }
                });
            }
            Some(_) = serving.join_next() => {}
        }
    }
    end.send_replace(true);
    engine.end().await;
    let last = async { while serving.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_QUESTIONS, last).await.is_err() {
        tracing::warn!("a question of a query engine that has ended is given up");
    }
    Ok(())
}

fn lane(fd: OwnedFd) -> io::Result<Lane> {
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream.set_nonblocking(true)?;
    Ok(Lane::new(UnixStream::from_std(stream)?))
}

/// What one lane is served with.
struct Served {
    engine: Arc<Engine>,
    ended: watch::Receiver<bool>,
}

impl Served {
    async fn lane(mut self, mut lane: Lane) -> io::Result<()> {
        loop {
            let frame = tokio::select! {
                frame = lane.hear() => frame?,
                _ = self.ended.wait_for(|ended| *ended) => return Ok(()),
            };
            let Some(frame) = frame else { return Ok(()) };
            match frame.kind {
                Kind::Ask => self.answer(&mut lane, frame.read()?).await?,
                // What is left of an object whose writing was refused before its end.
                Kind::Piece | Kind::BodyEnd | Kind::BodyBroken => continue,
                _ => return Err(broken("a frame that the query engine does not send")),
            }
            lane.flush().await?;
        }
    }

    async fn answer(&mut self, lane: &mut Lane, question: Question) -> io::Result<()> {
        if let Err(no) = check::question(&question) {
            return say(lane, Err(no));
        }
        match question {
            Question::Begin(session, asked) => self.begin(lane, session, asked).await,
            Question::Tables(session) => self.tables(lane, session).await,
            Question::Read {
                grant,
                table,
                object,
                ranges,
            } => self.read(lane, grant, (table, object), ranges).await,
            Question::Write { grant, table } => self.write(lane, grant, table).await,
            Question::Endings(after) => self.endings(lane, after).await,
            question => {
                let answer = self.short(question).await;
                say(lane, answer)
            }
        }
    }

    /// Questions with one message for an answer.
    async fn short(&self, question: Question) -> Result<Answer, Refused> {
        let engine = &self.engine;
        let road = &engine.road;
        match question {
            Question::SignIn {
                sign,
                database,
                from,
            } => Ok(Answer::Signed(engine.sign_in(sign, &database, from).await?)),
            Question::SignOut(session) => {
                engine.sign_out(session).await;
                Ok(Answer::Done)
            }
            Question::Release(grant, release) => {
                engine.own_grant(grant, None)?;
                Ok(Answer::Shown(road.release(grant, release).await?))
            }
            Question::Commit {
                grant,
                table,
                written,
            } => {
                engine.own_grant(grant, Some(table))?;
                let version = road.commit(grant, table as usize, written).await?;
                Ok(Answer::Version(version))
            }
            Question::Close(grant, ended) => {
                engine.close(grant, ended).await?;
                Ok(Answer::Done)
            }
            Question::Declare(session, def) => {
                engine.own_session(session)?;
                road.declare(session, def).await?;
                Ok(Answer::Done)
            }
            Question::Withdraw(session, table) => {
                engine.own_session(session)?;
                road.withdraw(session, table).await?;
                Ok(Answer::Done)
            }
            Question::Tables(_)
            | Question::Begin(..)
            | Question::Read { .. }
            | Question::Write { .. }
            | Question::Endings(_) => Err(Refused::new(
                Why::Internal,
                "the question is answered elsewhere",
            )),
        }
    }

    async fn tables(&self, lane: &mut Lane, session: SessionId) -> io::Result<()> {
        let tables = match self.engine.own_session(session) {
            Ok(()) => self.engine.road.tables(session).await,
            Err(no) => Err(no),
        };
        match tables {
            Ok(tables) => {
                lane.say(Kind::Answer, &Answer::Tables(tables.len() as u64))?;
                parts(lane, &tables).await
            }
            Err(no) => say(lane, Err(no)),
        }
    }

    async fn begin(&self, lane: &mut Lane, session: SessionId, asked: Asked) -> io::Result<()> {
        let engine = &self.engine;
        let granted = async {
            engine.own_session(session)?;
            engine.may_begin()?;
            let granted = engine.road.begin(session, asked).await?;
            engine.begun(&granted).await?;
            Ok(granted)
        };
        let mut granted = match granted.await {
            Ok(granted) => granted,
            Err(no) => {
                add(&engine.counts.refused, 1);
                return say(lane, Err(no));
            }
        };
        let grant = granted.id;
        let objects: Vec<Vec<GrantedObject>> = granted
            .tables
            .iter_mut()
            .map(|table| std::mem::take(&mut table.objects))
            .collect();
        let counts = objects.iter().map(|of| of.len() as u64).collect();
        let told = async {
            lane.say(Kind::Answer, &Answer::Granted(granted, counts))?;
            for of in &objects {
                parts(lane, of).await?;
            }
            lane.flush().await?;
            match lane.hear().await? {
                Some(frame) if frame.kind == Kind::Want => Ok(()),
                _ => Err(broken("a grant that nobody took")),
            }
        };
        let told = told.await;
        if told.is_err() {
            engine.close_broken(grant).await;
        }
        told
    }

    async fn read(
        &self,
        lane: &mut Lane,
        grant: GrantId,
        (table, object): (u32, u32),
        ranges: Vec<Range<u64>>,
    ) -> io::Result<()> {
        let engine = &self.engine;
        let asked = ranges.len();
        let read = async {
            engine.own_grant(grant, Some(table))?;
            let (table, object) = (table as usize, object as usize);
            engine.road.read(grant, table, object, ranges).await
        };
        let bytes = match read.await {
            Ok(bytes) if bytes.len() == asked => bytes,
            Ok(_) => {
                let why =
                    "as many ranges as were asked did not come back; the statement gets nothing";
                return say(lane, Err(Refused::new(Why::Internal, why)));
            }
            Err(no) => return say(lane, Err(no)),
        };
        let lengths: Vec<u64> = bytes.iter().map(|bytes| bytes.len() as u64).collect();
        engine.gives(grant, table, lengths.iter().sum());
        lane.say(Kind::Answer, &Answer::Lengths(lengths))?;
        for bytes in &bytes {
            lane.raw(bytes).await?;
        }
        Ok(())
    }

    async fn write(&self, lane: &mut Lane, grant: GrantId, table: u32) -> io::Result<()> {
        let engine = &self.engine;
        if let Err(no) = engine.own_grant(grant, Some(table)) {
            return say(lane, Err(no));
        }
        let (feed, pieces) = mpsc::channel(PIECES_WAITING);
        let work = engine.road.write(grant, table as usize, body(pieces));
        let written = with_body(lane, feed, work).await?;
        say(lane, written.map(Answer::Written))
    }

    /// Waits until grants end, as long as the engine waits as well.
    async fn endings(&mut self, lane: &mut Lane, after: u64) -> io::Result<()> {
        tokio::select! {
            endings = self.engine.road.endings(after) => say(lane, endings.map(Answer::Endings)),
            _ = self.ended.wait_for(|ended| *ended) => Err(io::ErrorKind::BrokenPipe.into()),
            frame = lane.hear() => match frame? {
                None => Err(io::ErrorKind::BrokenPipe.into()),
                Some(_) => Err(broken("a question before the last one was answered")),
            },
        }
    }
}

/// Lays an answer out, or the refusal. What is longer than a message may be is refused.
fn say(lane: &mut Lane, answer: Result<Answer, Refused>) -> io::Result<()> {
    match answer {
        Ok(answer) => lane.say(Kind::Answer, &answer).or_else(|_| {
            let no = Refused::new(Why::TooLarge, "the answer is longer than a message may be");
            lane.say(Kind::Refused, &no)
        }),
        Err(no) => lane.say(Kind::Refused, &no),
    }
}

/// A list in parts.
async fn parts<T: Serialize>(lane: &mut Lane, all: &[T]) -> io::Result<()> {
    for part in all.chunks(PART_MAX) {
        lane.say(Kind::Answer, &part)?;
        lane.flush().await?;
    }
    Ok(())
}

type Piece = io::Result<Bytes>;

fn body(pieces: mpsc::Receiver<Piece>) -> BoxStream<'static, Piece> {
    stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece, pieces))
    })
    .boxed()
}

/// Does the work while its body comes in.
async fn with_body<T>(
    lane: &mut Lane,
    feed: mpsc::Sender<Piece>,
    work: impl Future<Output = T>,
) -> io::Result<T> {
    let mut work = pin!(work);
    let mut feed = Some(feed);
    loop {
        let Some(sender) = feed.clone() else {
            return Ok(work.await);
        };
        // Room first: a frame that was heard has to go somewhere.
        let room = tokio::select! {
            done = &mut work => return Ok(done),
            room = sender.reserve() => room,
        };
        let Ok(room) = room else {
            feed = None; // nobody reads on: the answer is on its way
            continue;
        };
        let frame = tokio::select! {
            done = &mut work => return Ok(done),
            frame = lane.hear() => frame?,
        };
        match frame.map(piece).transpose()? {
            Some(Some(piece)) => {
                if piece.is_err() {
                    feed = None;
                }
                room.send(piece);
            }
            Some(None) => feed = None,
            None => {
                room.send(Err(io::ErrorKind::UnexpectedEof.into()));
                feed = None;
            }
        }
    }
}

/// A frame of a body; nothing at its end.
fn piece(frame: Frame) -> io::Result<Option<Piece>> {
    match frame.kind {
        Kind::Piece => Ok(Some(Ok(frame.payload))),
        Kind::BodyEnd => Ok(None),
        Kind::BodyBroken => Ok(Some(Err(io::Error::other(frame.read::<String>()?)))),
        _ => Err(broken("a frame that is no part of a body")),
    }
}
