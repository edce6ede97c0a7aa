//! What a backup says about its cloud, and the quorum that brings it back.

use super::restore::BackupRestoreError;
use backup::Backup;
use charter::law::{Chain, Deed};
use charter::{Charter, Custody, Progress, RootSecret, ShareFile, UnsealError, Unsealing};
use vault::record::site_header::{self, SiteHeader};
use words::PartyName;

/// What the backup says about the cloud.
pub(super) struct Papers {
    pub header: SiteHeader,
    pub charter: Charter,
    /// The charter in force, amendments included.
    pub in_force: Charter,
    pub custody: Custody,
    pub amendments: Vec<(u32, String)>,
}

/// The papers, as far as they fit each other.
pub(super) fn papers_of(backup: &Backup) -> Result<Papers, BackupRestoreError> {
    let wrong = |e: &dyn ToString| BackupRestoreError::Papers(e.to_string());
    let needed = |name: &str| {
        let paper = backup.paper(name)?;
        paper.ok_or_else(|| wrong(&format!("{name} is not there")))
    };
    let text = |name: &str| {
        String::from_utf8(needed(name)?).map_err(|_| wrong(&format!("{name} is no text")))
    };
    let header = SiteHeader::decode(&needed(site_header::FILE)?).map_err(|e| wrong(&e))?;
    let charter = Charter::parse(&text("charter.toml")?).map_err(|e| wrong(&e))?;
    let custody = Custody::from_json(&text("custody.json")?).map_err(|e| wrong(&e))?;
    let cloud = backup.manifest().cloud;
    if header.cloud != cloud || custody.cloud() != cloud {
        return Err(wrong(&"they are of another cloud than the manifest"));
    }
    if *charter.digest().as_bytes() != header.charter {
        return Err(wrong(&"the charter is not the one that the header names"));
    }
    let first = charter.terms().map_or(1, charter::law::Terms::number);
    let (mut amendments, mut deeds) = (Vec::new(), Vec::new());
    for number in first.saturating_add(1).. {
        let name = format!("amendments/charter-{number}.toml");
        if !backup
            .manifest()
            .papers
            .iter()
            .any(|paper| paper.name == name)
        {
            break;
        }
        let text = text(&name)?;
        deeds.push(Deed::parse(&text).map_err(|e| wrong(&format!("{name}: {e}")))?);
        amendments.push((number, text));
    }
    let chain = Chain::verify(charter.clone(), &deeds).map_err(|e| wrong(&e))?;
    Ok(Papers {
        header,
        charter,
        in_force: chain.into_in_force(),
        custody,
        amendments,
    })
}

/// The root, once enough shares are right and those who gave them fulfil the charter's condition for a restore.
pub(super) fn quorum(
    mut papers: Papers,
    shares: Vec<ShareFile>,
) -> Result<(RootSecret, Papers, Vec<PartyName>), BackupRestoreError> {
    // Shares that were dealt anew since are of the same root, and bring their own record.
    let newer = shares.iter().map(ShareFile::custody).find(|of| {
        of.cloud() == papers.custody.cloud()
            && of.ceremony() == papers.custody.ceremony()
            && of.epoch() > papers.custody.epoch()
    });
    if let Some(newer) = newer {
        papers.custody = newer.clone();
    }
    let condition = charter::who::condition_of(&papers.in_force, "restore");
    let unsealing = Unsealing::new(papers.custody.clone());
    let mut unsealing = match condition.filter(|_| papers.in_force.terms().is_some()) {
        Some(condition) => unsealing.requiring(condition),
        None => unsealing,
    };
    let mut parties = Vec::new();
    for share in shares {
        parties.push(share.party().clone());
        let added = unsealing.add(share).map_err(refused)?;
        if let Progress::Complete(root) = added {
            return Ok((root, papers, parties));
        }
    }
    Err(BackupRestoreError::TooFew {
        have: unsealing.have(),
        need: unsealing.need(),
        lacks: unsealing.lacks().map_or_else(String::new, |condition| {
            format!(", and those who gave them do not fulfil {condition}")
        }),
    })
}

fn refused(error: UnsealError) -> BackupRestoreError {
    let hint = match &error {
        UnsealError::OtherCeremony { .. } => {
            "; the root has moved between this backup and that share, as every erasure makes it: a backup opens with the shares of its own time alone, which each party was to destroy so that what was erased stays erased. Take a backup from after the move"
        }
        _ => "",
    };
    BackupRestoreError::Share { error, hint }
}
