//! What must hold once a run is over and everything works again.

use crate::acts::auditor;
use crate::check;
use crate::disks::SimError;
use crate::history::MARK;
use crate::scene::{Claim, NAME_MARK, Scene};
use crate::world_host::Dice;
use chunks::{Behaviour, ChunkRef, Step};
use futures::stream;
use ledger::tree::Frontier;
use mirror::{CheckResult, Pace};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vault::EntryShown;
use words::SiteId;

/// The published tree at some moment: its size and its root.
pub type Head = (u64, [u8; 32]);

/// The tree over all entries so far.
pub async fn head(scene: &Scene) -> Result<Head, SimError> {
    let leaves = leaf_hashes(scene).await?;
    Ok((leaves.len() as u64, Frontier::of(&leaves).root()))
}

async fn leaf_hashes(scene: &Scene) -> Result<Vec<[u8; 32]>, SimError> {
    let node = &scene.living().node;
    let mut hashes = Vec::new();
    loop {
        let page = node.vault.leaves(hashes.len() as u64).await;
        let page = page.map_err(SimError::of)?;
        if page.is_empty() {
            return Ok(hashes);
        }
        hashes.extend(page.iter().map(ledger::Leaf::hash));
    }
}

/// Looks at everything and writes down what is broken.
pub async fn prove(scene: &Scene, heads: &[Head]) -> Result<(), SimError> {
    sweep(scene).await?;
    both_sites_whole(scene).await?;
    let dice = Dice::new(0, 0);
    let mut auditor = auditor(scene, &dice);
    for site in SiteId::BOTH {
        let other = scene.world.chunks(site.other()).faults();
        other.always(Step::Read, Behaviour::FolderMissing);
        scene.event(format!("what {site} alone says:"));
        for key in 0..scene.keys.len() {
            let before = scene.history().acts.len();
            auditor.get(key, None).await;
            if scene.history().acts.len() == before {
                scene.broken(format!("key {key} cannot be read from {site} alone"));
            }
        }
        other.clear();
    }
    auditor.list().await;
    linearizable(scene);
    recorded(scene, heads).await?;
    nothing_in_clear(scene).await
}

fn linearizable(scene: &Scene) {
    let checked = check::check(&scene.history().acts, scene.keys.len());
    if let Err(error) = checked {
        scene.broken(error.to_string());
    }
}

async fn refs(scene: &Scene) -> Result<Vec<ChunkRef>, SimError> {
    let node = &scene.living().node;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = node.store.chunk_refs(after).await;
        let (page, next) = page.map_err(SimError::of)?;
        all.extend(page);
        if next.is_none() {
            return Ok(all);
        }
        after = next;
    }
}

/// Days later what nobody names is swept, and nothing else.
async fn sweep(scene: &Scene) -> Result<(), SimError> {
    let node = &scene.living().node;
    scene.world.clock.skip(Duration::from_secs(3 * 24 * 3600));
    node.vault
        .fold_names(&node.index)
        .await
        .map_err(SimError::of)?;
    loop {
        let swept = node.store.sweep().await.map_err(SimError::of)?;
        if swept.rows == 0 {
            break;
        }
    }
    for site in SiteId::BOTH {
        let known = node.store.known_chunks().await.map_err(SimError::of)?;
        mirror::sweep(&node.mirror, site, &known)
            .await
            .map_err(SimError::of)?;
        let named: BTreeSet<_> = refs(scene).await?.iter().map(|chunk| chunk.id).collect();
        let kept = scene.world.chunks(site).contents();
        let stray = kept.iter().filter(|(id, _)| !named.contains(id)).count();
        if stray > 0 {
            scene.broken(format!("{stray} chunks at {site} belong to nothing"));
        }
    }
    Ok(())
}

/// Debts are paid, and every copy is as recorded once the scrub has been there.
async fn both_sites_whole(scene: &Scene) -> Result<(), SimError> {
    let node = &scene.living().node;
    for site in SiteId::BOTH {
        let report = node.settle_debts(site).await?;
        if report.left > 0 {
            scene.broken(format!("{site} owes: {}", report.failures.join("; ")));
        }
    }
    let owed = node.rows(b"H").await?.len();
    if owed > 0 {
        scene.broken(format!("{owed} debts are left"));
    }
    let all = refs(scene).await?;
    let chunks = stream::iter(all.iter().copied().map(Ok::<_, SimError>));
    let report = mirror::scrub(
        &node.mirror,
        &SiteId::BOTH,
        chunks,
        Pace::default(),
        &mut |_| {},
    )
    .await?;
    scene.event(format!(
        "scrub: {} copies checked, {} bad, {} repaired",
        report.checked, report.bad, report.repaired
    ));
    if report.unreachable > 0 || report.unrepairable > 0 {
        scene.broken(format!(
            "the scrub could not reach {} copies and not repair {}",
            report.unreachable, report.unrepairable
        ));
    }
    for site in SiteId::BOTH {
        for chunk in &all {
            let found = node.mirror.check(site, chunk).await;
            if found != CheckResult::Whole {
                scene.broken(format!("{} at {site}: {found:?}", chunk.id));
            }
        }
    }
    Ok(())
}

/// Every answer has its entry, which was there before the answer; the tree only grew.
async fn recorded(scene: &Scene, heads: &[Head]) -> Result<(), SimError> {
    let entries = scene.living().node.entries().await?;
    for (n, entry) in (0..).zip(&entries) {
        if entry.index != n || entry.fields.is_none() {
            scene.broken(format!("entry {n} is missing or cannot be opened"));
            return Ok(());
        }
    }
    let mut of_actor: BTreeMap<&str, Vec<&EntryShown>> = BTreeMap::new();
    for entry in &entries {
        let actor = entry.fields.as_ref().and_then(|f| f.actor.as_deref());
        of_actor.entry(actor.unwrap_or("")).or_default().push(entry);
    }
    for claim in scene.claims() {
        let of = of_actor.get(claim.actor.as_str());
        if !of.is_some_and(|of| of.iter().any(|entry| stands(scene, entry, &claim))) {
            scene.broken(format!("no entry for {claim:?}"));
        }
    }
    let hashes = leaf_hashes(scene).await?;
    for (size, root) in heads {
        let then = usize::try_from(*size).unwrap_or(usize::MAX);
        let same = hashes
            .get(..then)
            .is_some_and(|then| Frontier::of(then).root() == *root);
        if !same {
            scene.broken(format!("the first {size} entries were changed"));
        }
    }
    Ok(())
}

fn stands(scene: &Scene, entry: &EntryShown, claim: &Claim) -> bool {
    let Some(fields) = &entry.fields else {
        return false;
    };
    let resource = claim
        .key
        .and_then(|key| scene.keys.get(key))
        .map(|key| format!("{}/{}", scene.bucket.as_str(), key.as_str()));
    (claim.from..claim.to).contains(&entry.index)
        && fields.kind == claim.kind
        && fields.operation.as_deref() == Some(claim.operation)
        && (resource.is_none() || fields.resource == resource)
}

/// No body, no name and no secret lies in a row or in a chunk.
async fn nothing_in_clear(scene: &Scene) -> Result<(), SimError> {
    let mut marks: Vec<&[u8]> = vec![MARK, NAME_MARK.as_bytes(), scene.bucket.as_str().as_bytes()];
    marks.extend(scene.clients.iter().map(|c| c.secret.as_bytes()));
    let look = |place: String, bytes: &[u8]| {
        for mark in &marks {
            if holds(bytes, mark) {
                scene.broken(format!("{} lies in {place}", String::from_utf8_lossy(mark)));
            }
        }
    };
    for (key, row) in scene.living().node.rows(b"").await? {
        let tag = key.first().map(|tag| char::from(*tag));
        look(format!("the key of row {tag:?}"), &key);
        look(format!("row {tag:?}"), &row.value);
    }
    for site in SiteId::BOTH {
        for (id, bytes) in scene.world.chunks(site).contents() {
            look(format!("chunk {id} at {site}"), &bytes);
        }
    }
    Ok(())
}

fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    let Some(first) = mark.first() else {
        return false;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(mark) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}
