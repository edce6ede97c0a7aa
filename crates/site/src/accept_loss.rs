//! The parties accept that what only the other site knew is lost, so that a site that is behind, or whose
//! catalog lost its end, may serve. Done on a node that does not run.

use crate::config::NodeConfig;
use crate::found::places;
use crate::keeping::Connected;
use crate::open::{OpenError, Opened, charter_of, connect, header_of, headers, open_with};
use crate::root::files::custody_of;
use charter::{Progress, RootSecret, ShareFile, UnsealError, Unsealing};
use epoch::{EpochRecord, LossAccepted, Places, StartDecision, StartError, Survey};
use host::Host;
use ledger::Kind;
use words::{PartyName, SiteId};

/// Why no loss was accepted. Unless the text says otherwise nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AcceptLossError {
    /// The folders cannot be opened at all.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The node can start as it is.
    #[error(
        "the node can start with the folders it has, so no loss has to be accepted; start it with `clarence serve`"
    )]
    NotNeeded,
    /// The site's folder is not there.
    #[error("the folder of {0} is not there, so it cannot serve; nothing was changed")]
    NoFolder(SiteId),
    /// A share was refused.
    #[error("{0}; nothing was changed")]
    Share(#[from] UnsealError),
    /// The HSM's part is missing.
    #[error("{0}; nothing was changed")]
    Outer(#[from] crate::outer::OuterError),
    /// Fewer shares than the charter asks for.
    #[error(
        "{have} of the {need} shares that the charter asks for were given{lacks}, so the loss is not accepted; nothing was changed"
    )]
    TooFew {
        /// Shares that were right.
        have: u8,
        /// Shares that are needed.
        need: u8,
        /// What those who gave them do not fulfil.
        lacks: String,
    },
    /// The consent could not be recorded.
    #[error("{0}")]
    Record(#[from] StartError),
    /// The consent stands, but the site did not open or its entry was not made.
    #[error(
        "the loss is accepted in epoch {epoch}, but the site could not be opened to write that into the ledger: {why}; \
         nothing more is lost; mend that and give the same command again"
    )]
    NotEntered {
        /// The epoch that the consent began.
        epoch: u64,
        /// What happened.
        why: String,
    },
}

/// What was accepted.
#[derive(Debug)]
pub struct LossReport {
    /// The record with which the site serves from now on.
    pub record: EpochRecord,
    /// Which parties gave their shares.
    pub parties: Vec<PartyName>,
    /// Where the consent stands in the ledger.
    pub ledger_index: u64,
}

/// Lets `site` serve alone, if the shares are a quorum and the node cannot start otherwise. The consent is
/// in force when the epoch record is at a quorum of witnesses and in the site's folder; then the site is
/// opened once, whatever its catalog lacks, and the act is written into the ledger.
pub async fn accept_loss(
    config: &NodeConfig,
    host: &Host,
    site: SiteId,
    shares: Vec<ShareFile>,
) -> Result<LossReport, AcceptLossError> {
    let held = connect(config, host).await?;
    let papers = held.as_ref().map(|held| held.papers(&config.layout, host));
    if let Some(papers) = &papers {
        let fetched = papers.fetch().await;
        fetched.map_err(|e| OpenError::Refused(e.to_string()))?;
    }
    let (present, header) = headers(&config.layout)?;
    if !present[site.index()] {
        return Err(AcceptLossError::NoFolder(site));
    }
    let charter = charter_of(&config.layout, &header)?;
    // The site that will serve alone says which root counts.
    let own = header_of(config.layout.site(site))?.unwrap_or(header);
    let (header, custody) = (own.clone(), custody_of(&config.layout, &own)?);
    let in_force = crate::law::from_papers(config.layout.site(site), charter.clone())?;
    let (root, parties) = quorum(unsealing(custody, &in_force), shares)?;
    let root = crate::outer::complete(config, host, &header, root).await?;
    let mut places = places(&config.layout, &charter, header.cloud, host);
    if let Some(papers) = &papers {
        places = papers.places(&places);
    }
    let survey = surveyed(&places).await?;
    if let StartDecision::Serve { .. } = survey.decision {
        match open_with(config, host, false, held).await {
            Ok(opened) => {
                opened.engine.shutdown().await;
                return Err(AcceptLossError::NotNeeded);
            }
            // The catalog of the site that should serve has lost something.
            Err(OpenError::Catalog(catalog::embedded::OpenError::NoSite { .. })) => {}
            Err(other) => return Err(other.into()),
        }
        return accept(config, host, site, (root, parties), places, None).await;
    }
    accept(config, host, site, (root, parties), places, held).await
}

/// Asks the places, which may wait for the network.
async fn surveyed(places: &Places) -> Result<Survey, StartError> {
    let places = places.clone();
    waited(move || places.survey()).await
}

async fn waited<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    let done = tokio::task::spawn_blocking(what).await;
    done.unwrap_or_else(|e| Err(StartError::NewerFormat(e.to_string())))
}

/// Records the consent of those parties, opens the site and writes the act into its ledger.
async fn accept(
    config: &NodeConfig,
    host: &Host,
    site: SiteId,
    (root, parties): (RootSecret, Vec<PartyName>),
    places: Places,
    held: Option<Connected>,
) -> Result<LossReport, AcceptLossError> {
    // What the parties are shown is what the witnesses hold now: starting may have added to it.
    let seen = surveyed(&places).await?.highest();
    let consent = LossAccepted::by_quorum(site, seen);
    let record = waited(move || places.accept_loss(site, consent)).await?;
    let not_entered = |why: &dyn ToString| AcceptLossError::NotEntered {
        epoch: record.epoch,
        why: why.to_string(),
    };
    let opened = open_with(config, host, true, held)
        .await
        .map_err(|e| not_entered(&e))?;
    let entered = enter(&opened, root, &parties, site, seen, record).await;
    opened.engine.shutdown().await;
    Ok(LossReport {
        record,
        parties,
        ledger_index: entered.map_err(|e| not_entered(&e))?,
    })
}

/// What the parties that give must fulfil: under a charter of version 2, its condition for this act.
fn unsealing(custody: charter::Custody, charter: &charter::Charter) -> Unsealing {
    let condition = charter::who::condition_of(charter, "accept-loss");
    match condition.filter(|_| charter.terms().is_some()) {
        Some(condition) => Unsealing::new(custody).requiring(condition),
        None => Unsealing::new(custody),
    }
}

/// The root and whose shares gave it, once enough shares are right.
fn quorum(
    mut unsealing: Unsealing,
    shares: Vec<ShareFile>,
) -> Result<(RootSecret, Vec<PartyName>), AcceptLossError> {
    let mut parties = Vec::new();
    for share in shares {
        parties.push(share.party().clone());
        if let Progress::Complete(root) = unsealing.add(share)? {
            return Ok((root, parties));
        }
    }
    Err(AcceptLossError::TooFew {
        have: unsealing.have(),
        need: unsealing.need(),
        lacks: unsealing.lacks().map_or_else(String::new, |condition| {
            format!(", and those who gave them do not fulfil {condition}")
        }),
    })
}

async fn enter(
    opened: &Opened,
    root: RootSecret,
    parties: &[PartyName],
    site: SiteId,
    seen: Option<EpochRecord>,
    record: EpochRecord,
) -> Result<u64, vault::VaultError> {
    opened.vault.unseal(root, &opened.header, parties).await?;
    let before = seen.map_or("no record was readable".to_owned(), |seen| {
        format!(
            "it may lack what was acknowledged since {} (epoch {}, after catalog batch {})",
            epoch::start::when(seen.since),
            seen.epoch,
            seen.head
        )
    });
    let names: Vec<&str> = parties.iter().map(PartyName::as_str).collect();
    let reason = format!(
        "{} let {site} serve alone from epoch {} on; {before}",
        names.join(" and "),
        record.epoch
    );
    opened
        .vault
        .record_act(Kind::AcceptLoss, "AcceptLoss", reason)
        .await
}
