//! One run from one seed: clients act at once on few keys while fate strikes, then everything is made to
//! work again and must be as the clients were told. The same seed gives the same bytes.

use crate::acts::Actor;
use crate::disks::SimError;
use crate::fate::Fate;
use crate::proof::{self, Head};
use crate::scene::{CLIENTS, Scene};
use crate::world_host::Dice;
use aws_lc_rs::digest::{Context, SHA256};
use catalog::{Commit, Engine, Mutation, Outcome};
use std::sync::Arc;
use words::{OpId, SiteId};

/// Rounds of a run; between them nothing is under way, everything works and hours pass.
const ROUNDS: u64 = 2;
/// Acts of each client in one round.
const ACTS: usize = 9;
/// Strokes of fate in one round.
const STROKES: usize = 5;
/// Longer than what was replaced is kept, so that the next round sweeps it while requests are under way.
const BETWEEN: std::time::Duration = std::time::Duration::from_secs(2 * 3600);

/// Harm that a run is done on purpose, to see that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// None.
    None,
    /// The row of an object is gone although its write was acknowledged.
    LostWrite,
    /// Rows of objects are again what they were before the last round.
    OldRows,
    /// A chunk is damaged at both sites.
    BothCopies,
    /// A body lies in clear in a row.
    Leak,
    /// A chunk that nobody names is kept for good.
    Stray,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What clients asked and saw, and what befell them.
    pub history: String,
    /// SHA-256 over the history and everything on the disks, in hexadecimal.
    pub digest: String,
    /// What must not be; empty if all is well.
    pub broken: Vec<String>,
    /// Acts that were answered or may have been done.
    pub acts: usize,
    /// Entries in the ledger.
    pub entries: u64,
}

/// Runs one seed on a runtime of its own, whose time passes only when everybody waits.
pub fn run(seed: u64, harm: Harm) -> Result<Report, SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(SimError::of)?;
    runtime.block_on(Box::pin(lived(seed, harm)))
}

async fn lived(seed: u64, harm: Harm) -> Result<Report, SimError> {
    let dice = Dice::new(seed, 2);
    let scene = Scene::open(seed, &dice).await?;
    let fate = Fate::new(&scene, Arc::new(Dice::new(seed, 3)));
    let mut heads: Vec<Head> = Vec::new();
    let mut old_rows = Vec::new();
    for round in 0..ROUNDS {
        old_rows = scene.living().node.rows(b"O").await?;
        let own: Vec<Dice> = (0..CLIENTS as u64)
            .map(|who| Dice::new(seed, 10 + who + round * 50))
            .collect();
        let mut actors: Vec<Actor<'_>> = (0..)
            .zip(&own)
            .map(|(who, dice)| Actor::new(&scene, who, dice))
            .collect();
        let acting = futures::future::join_all(actors.iter_mut().map(|actor| actor.act(ACTS)));
        tokio::join!(acting, fate.strike(STROKES));
        // A request may have given a site up while all was being made well.
        fate.calm().await;
        scene.world.clock.skip(BETWEEN);
        heads.push(proof::head(&scene).await?);
    }
    if dice.once_in(2) {
        fate.crash_and_restart().await;
        // A site that could not be given up before, since too few parents answered, may be given up now.
        fate.calm().await;
    }
    do_harm(&scene, harm, old_rows).await?;
    proof::prove(&scene, &heads).await?;
    report(seed, &scene).await
}

async fn do_harm(
    scene: &Scene,
    harm: Harm,
    old_rows: Vec<(Vec<u8>, catalog::Row)>,
) -> Result<(), SimError> {
    let rows = scene.living().node.rows(b"O").await?;
    let put = |key: Vec<u8>, value| Mutation::Put { key, value };
    let mutations: Vec<Mutation> = match harm {
        Harm::None => return Ok(()),
        Harm::LostWrite => rows
            .into_iter()
            .take(1)
            .map(|(key, _)| Mutation::Delete { key })
            .collect(),
        Harm::OldRows => old_rows
            .into_iter()
            .map(|(key, row)| put(key, row.value))
            .collect(),
        Harm::Leak => vec![put(b"Xleak".to_vec(), crate::history::MARK.to_vec().into())],
        Harm::BothCopies => {
            for site in SiteId::BOTH {
                let chunks = scene.world.chunks(site);
                for (id, bytes) in chunks.contents() {
                    chunks.flip(id, bytes.len() / 2, 1);
                }
            }
            return Ok(());
        }
        Harm::Stray => {
            let [a, b] = SiteId::BOTH.map(|site| scene.world.chunks(site));
            a.faults()
                .always(chunks::Step::Delete, chunks::Behaviour::Lose);
            b.faults()
                .always(chunks::Step::Delete, chunks::Behaviour::Lose);
            return Ok(());
        }
    };
    let commit = Commit {
        op: OpId::from_bytes(scene.world.host.random()),
        preconditions: Vec::new(),
        mutations,
        entries: Vec::new(),
    };
    match scene.world.disks.catalog.commit(commit).await {
        Outcome::Committed(_) => Ok(()),
        other => Err(SimError(format!("the harm was not done: {other:?}"))),
    }
}

async fn report(seed: u64, scene: &Scene) -> Result<Report, SimError> {
    let history = scene.history().text();
    let mut digest = Context::new(&SHA256);
    digest.update(history.as_bytes());
    for (key, row) in scene.living().node.rows(b"").await? {
        digest.update(&key);
        digest.update(&row.version.to_be_bytes());
        digest.update(&row.value);
    }
    for site in SiteId::BOTH {
        for (id, bytes) in scene.world.chunks(site).contents() {
            digest.update(id.to_string().as_bytes());
            digest.update(&bytes);
        }
    }
    let acts = scene.history().acts.len();
    Ok(Report {
        seed,
        history,
        digest: words::hex::encode(digest.finish().as_ref()),
        broken: scene.all_broken(),
        acts,
        entries: scene.next_index().await.unwrap_or(0),
    })
}
