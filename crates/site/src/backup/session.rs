//! The node's side of a backup: one moment's rows, the papers that belong to them, and the chunks that are asked for.
//! Works sealed and open: everything goes out as it lies. Nothing that the moment's rows name is removed meanwhile.

use super::wire::{self, receive, send};
use crate::control::Failure;
use crate::node::Node;
use crate::papers;
use crate::root::files::header_for;
use backup::block::{self, BLOCK_BYTES};
use backup::verify::{CHECKPOINT, VERIFIER_KEYS};
use bytes::Bytes;
use catalog::Snapshot;
use chunks::ChunkRef;
use host::files;
use ledger::Kind;
use mirror::MirrorError;
use seal::Sealed;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use words::SiteId;
use words::wire::Reader;

/// How long nothing may be asked. A side that hangs must not hold the sweeping of garbage up for ever.
const PATIENCE: Duration = Duration::from_secs(900);
const PAPER_BYTES_MAX: u64 = backup::manifest::PAPER_BYTES_MAX;

/// Why a session ended early.
enum Ended {
    Refused(Failure),
    Broken(io::Error),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

fn unavailable(error: impl ToString) -> Failure {
    Failure::new("unavailable", error)
}

/// Answers until nothing more is asked.
pub(crate) async fn serve(
    node: &Arc<Node>,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    match session(node, from, to).await {
        Ok(()) => Ok(()),
        Err(Ended::Broken(error)) => Err(error),
        Err(Ended::Refused(Failure { kind, message })) => {
            let kind = kind.to_owned();
            let failed = serde_json::to_vec(&wire::Failed { kind, message })?;
            send(to, wire::FAILED, &failed).await
        }
    }
}

async fn session(
    node: &Arc<Node>,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Ended> {
    let Ok(_one) = node.backing_up.try_lock() else {
        let why = "another backup is under way; nothing was begun: let it end, or end the command that takes it";
        return Err(Failure::new("conflict", why).into());
    };
    // Until the end no garbage is swept: what the rows of the moment name stays.
    let _kept = node.sweeping.read().await;
    let (begun, papers, rows) = begin(node).await?;
    send(
        to,
        wire::BEGUN,
        &serde_json::to_vec(&begun).map_err(io::Error::other)?,
    )
    .await?;
    for paper in papers {
        send(to, wire::PAPER, &paper).await?;
    }
    let mut rows = Some(rows);
    loop {
        let asked = tokio::time::timeout(PATIENCE, receive(from, wire::QUESTION_BYTES_MAX)).await;
        let (kind, asked) = asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        match kind {
            wire::ROWS => match next(&mut rows).await? {
                Some(block) => send(to, wire::ROWS, &block).await?,
                None => send(to, wire::NO_MORE, &[]).await?,
            },
            wire::CHUNK => match chunk(node, &asked).await? {
                Ok(bytes) => send(to, wire::CHUNK, &bytes).await?,
                Err(why) => send(to, wire::LACKING, why.as_bytes()).await?,
            },
            wire::END => return Ok(send(to, wire::END, &[]).await?),
            _ => return Err(Failure::new("usage", "the question is not known").into()),
        }
    }
}

type Papers = Vec<Vec<u8>>;

/// The moment. What was done before is written down and signed, if the node is open.
async fn begin(node: &Arc<Node>) -> Result<(wire::Begun, Papers, Box<dyn Snapshot>), Failure> {
    if !node.rooms.vault.is_sealed() {
        let reason = "a backup of the whole cloud, asked for at the control socket".to_owned();
        let vault = &node.rooms.vault;
        vault.record_act(Kind::Admin, "Backup", reason).await?;
        if let Err(error) = node.publish_all().await {
            tracing::warn!(%error, "the log could not be published before the backup; its rows are in it all the same");
        }
    }
    // The header that is in force and the rows of groups have to be of one root.
    let root = node.root_work.lock().await;
    let papers = papers(node).await?;
    let rows = node.opened.engine.snapshot().await.map_err(unavailable)?;
    drop(root);
    // What is given out is durable wherever the catalog is kept.
    let confirmed = node.opened.engine.confirm(&node.host).await;
    confirmed.map_err(unavailable)?;
    let point = rows.point();
    let (names, papers) = papers.into_iter().unzip();
    let begun = wire::Begun {
        cloud: node.opened.header.cloud.to_string(),
        unix_ms: node.host.now().0,
        engine: node.opened.engine.word().to_owned(),
        epoch: node.opened.tenure.record().epoch,
        version: point.version,
        next_index: point.next_index,
        papers: names,
    };
    tracing::info!(version = point.version, "a backup has begun");
    Ok((begun, papers, rows))
}

/// The papers in force. The checkpoint is read before the rows, so that these reach at least as far.
async fn papers(node: &Node) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let held = node.held();
    let layout = &node.config.layout;
    let custody = held.custody.to_json();
    let custody = custody.map_err(|e| Failure::new("internal", e))?;
    let header = header_for(&held.header, SiteId::A);
    let charter = node.opened.charter.to_toml();
    let mut papers = vec![
        (vault::record::site_header::FILE.to_owned(), header.encode()),
        ("charter.toml".to_owned(), charter.into_bytes()),
        ("custody.json".to_owned(), custody.into_bytes()),
    ];
    for (number, text) in node.rooms.vault.amendments().await? {
        papers.push((
            format!("amendments/charter-{number}.toml"),
            text.into_bytes(),
        ));
    }
    let serving = SiteId::BOTH
        .into_iter()
        .filter(|site| node.opened.tenure.serving(*site));
    for site in serving {
        let has = |name: &str| papers.iter().any(|(found, _)| found == name);
        if !has(hsm::FILE)
            && let Some(record) = read(&layout.site(site).join(hsm::FILE))?
        {
            papers.push((hsm::FILE.to_owned(), record));
        }
        let log = layout.ledger(site);
        if papers.iter().any(|(found, _)| found == CHECKPOINT) {
            continue;
        }
        if let Some(note) = read(&log.join(ledger::folder::CHECKPOINT_FILE))?
            && let Some(keys) = read(&log.join(ledger::folder::VERIFIER_FILE))?
        {
            papers.push((CHECKPOINT.to_owned(), note));
            papers.push((VERIFIER_KEYS.to_owned(), keys));
            let witnessed = read(&log.join(ledger::folder::WITNESSED_FILE))?;
            papers.extend(witnessed.map(|note| (WITNESSED.to_owned(), note)));
        }
    }
    let keys = read(&layout.verifier_keys())?;
    papers.extend(keys.map(|keys| ("ledger.keys".to_owned(), keys)));
    Ok(papers)
}

/// The name of the witnessed checkpoint among the papers.
pub(crate) const WITNESSED: &str = "ledger/checkpoint.witnessed";

fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    files::read(path, PAPER_BYTES_MAX)
        .map_err(|e| unavailable(format!("{}: {e}; nothing was begun", path.display())))
}

async fn next(rows: &mut Option<Box<dyn Snapshot>>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(from) = rows else { return Ok(None) };
    let next = loop {
        let next = from.next(BLOCK_BYTES).await;
        let mut next = next.map_err(|error| {
            unavailable(format!(
                "the rows of the moment cannot be read any more: {error}; give the same command again, it takes a new moment and copies only what is missing"
            ))
        })?;
        if next.is_empty() {
            // The moment need not be kept any longer.
            *rows = None;
            return Ok(None);
        }
        // The papers go along as files; beside the catalog they are put anew where the cloud goes on.
        next.retain(|(key, _)| !key.starts_with(papers::TAG));
        if !next.is_empty() {
            break next;
        }
    };
    let encoded = tokio::task::spawn_blocking(move || block::encode(&next)).await;
    encoded.map(Some).map_err(|e| Failure::new("internal", e))
}

/// A chunk that is as recorded, from whichever site has it; or why none has.
async fn chunk(node: &Node, asked: &[u8]) -> Result<Result<Bytes, String>, Failure> {
    let mut reader = Reader::bare(asked);
    let chunk = ChunkRef::read(&mut reader).and_then(|chunk| reader.finish().map(|()| chunk));
    let chunk = chunk.map_err(|e| Failure::new("usage", e))?;
    let mirror = &node.opened.mirror;
    let length = chunk.bytes as usize;
    let (bytes, site) = match mirror.read_from(&chunk, 0, length).await {
        Ok(found) => found,
        Err(error) => return lost(error).map(Err),
    };
    let Err(first) = checked(&chunk, bytes.clone()).await? else {
        return Ok(Ok(bytes));
    };
    let bytes = match mirror.reread_other(&chunk, 0, length, site).await {
        Ok(bytes) => bytes,
        Err(error) => return lost(error).map(|why| Err(format!("{site}: {first}; {why}"))),
    };
    match checked(&chunk, bytes.clone()).await? {
        Ok(()) => Ok(Ok(bytes)),
        Err(second) => Ok(Err(format!("{site}: {first}; {}: {second}", site.other()))),
    }
}

/// Why neither site has a chunk; an error if a site could not be asked.
fn lost(error: MirrorError) -> Result<String, Failure> {
    match error {
        MirrorError::Lost { .. } | MirrorError::OutOfBounds { .. } => Ok(error.to_string()),
        other => Err(unavailable(format!(
            "{other}; what was copied is kept: give the same command again when the site is back"
        ))),
    }
}

async fn checked(chunk: &ChunkRef, bytes: Bytes) -> Result<Result<(), String>, Failure> {
    let expected = chunk.blake3;
    let hashed = tokio::task::spawn_blocking(move || Sealed::reverified(bytes, &expected));
    let hashed = hashed.await.map_err(|e| Failure::new("internal", e))?;
    Ok(hashed.map(drop).map_err(|stale| stale.to_string()))
}
