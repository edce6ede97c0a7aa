//! Which charter rules a node, found out at its start: the founding charter, every amendment that was carried
//! out, and whether this node and its folders are where the charter allows.
//!
//! The papers of amendments lie in the catalog, written in the commits that carried them out, and as files in
//! `<site>/amendments/`. The files are for people and for the day on which a catalog is lost; one that says
//! something else than the catalog stops the start.

use crate::config::NodeConfig;
use crate::layout::Layout;
use crate::open::OpenError;
use charter::law::{Chain, Deed, Jurisdiction, Jurisdictions};
use charter::{Charter, Custody};
use host::files;
use std::path::{Path, PathBuf};
use vault::Vault;
use vault::joint::Law;
use words::limits::CHARTER_BYTES_MAX;
use words::{CloudId, SiteId};

const LABEL_BYTES_MAX: u64 = 64;
/// The file in a site folder that says in which jurisdiction the folder lies.
pub(crate) const LABEL: &str = "jurisdiction";
/// The folder in a site folder with the papers of amendments.
const AMENDMENTS: &str = "amendments";

fn refused(why: String) -> OpenError {
    OpenError::Refused(why)
}

/// The file of an amendment in a site's folder.
fn paper_path(folder: &Path, number: u32) -> PathBuf {
    folder
        .join(AMENDMENTS)
        .join(format!("charter-{number}.toml"))
}

/// The law in force. Needs the catalog, and no key.
pub(crate) async fn find(
    config: &NodeConfig,
    cloud: CloudId,
    founding: &Charter,
    custody: &Custody,
    vault: &Vault,
) -> Result<Law, OpenError> {
    let papers = vault.amendments().await?;
    let mut deeds = Vec::with_capacity(papers.len());
    for (number, text) in &papers {
        let deed = Deed::parse(text)
            .map_err(|e| refused(format!("amendment {number} in the catalog: {e}")))?;
        deeds.push(deed);
    }
    for site in SiteId::BOTH {
        check_papers(config.layout.site(site), &papers)?;
    }
    let chain = Chain::verify(founding.clone(), &deeds).map_err(|e| refused(e.to_string()))?;
    let place = match chain.in_force().terms() {
        Some(terms) => Some(here(config, terms.jurisdictions())?),
        None => None,
    };
    if !papers.is_empty() {
        tracing::info!(number = papers.len() + 1, digest = %chain.in_force().digest(), "an amended charter is in force");
    }
    let holders = custody.holders().iter().map(|holder| holder.party.clone());
    Ok(Law {
        cloud,
        chain,
        place,
        holders: holders.collect(),
    })
}

/// Holds a folder's papers against those that were carried out, and writes those that it lacks.
fn check_papers(folder: &Path, papers: &[(u32, String)]) -> Result<(), OpenError> {
    if !files::is_folder(folder) {
        return Ok(());
    }
    let shown = folder.join(AMENDMENTS);
    let read = |path: PathBuf| {
        files::read(&path, CHARTER_BYTES_MAX as u64)
            .map_err(|error| OpenError::Read { path, error })
    };
    for (number, text) in papers {
        let path = paper_path(folder, *number);
        match read(path.clone())? {
            Some(bytes) if bytes == text.as_bytes() => {}
            Some(bytes) => {
                // The paper itself tells which line was changed.
                let why = match Deed::parse(&String::from_utf8_lossy(&bytes)) {
                    Err(error) => error.to_string(),
                    Ok(_) => "it is not the paper that was carried out; put that one back, or take the file away".into(),
                };
                return Err(refused(format!("{}: {why}", path.display())));
            }
            None => {
                tracing::warn!(path = %path.display(), "an amendment's paper was missing in a site folder and is written again");
                write_paper(folder, *number, text)?;
            }
        }
    }
    let names = files::list(&shown).map_err(|error| OpenError::Read {
        path: shown.clone(),
        error,
    })?;
    let known = |name: &String| {
        papers
            .iter()
            .any(|(number, _)| *name == format!("charter-{number}.toml"))
    };
    match names
        .iter()
        .find(|name| !known(name) && !name.ends_with(".new"))
    {
        None => Ok(()),
        Some(name) => Err(refused(format!(
            "{}: no such amendment was carried out as far as this cloud's ledger goes, so it is not in force; \
             take the file away, and carry the amendment out by request if it is meant to be",
            shown.join(name).display()
        ))),
    }
}

/// The charter in force as far as a folder's own papers tell, for the day on which its catalog cannot be read.
pub(crate) fn from_papers(folder: &Path, founding: Charter) -> Result<Charter, OpenError> {
    let first = founding.terms().map_or(1, charter::law::Terms::number);
    let mut deeds = Vec::new();
    for number in first.saturating_add(1).. {
        let path = paper_path(folder, number);
        let read = files::read(&path, CHARTER_BYTES_MAX as u64);
        let bytes = read.map_err(|error| OpenError::Read {
            path: path.clone(),
            error,
        })?;
        let Some(bytes) = bytes else { break };
        let deed = Deed::parse(&String::from_utf8_lossy(&bytes));
        deeds.push(deed.map_err(|e| refused(format!("{}: {e}", path.display())))?);
    }
    let chain = Chain::verify(founding, &deeds).map_err(|e| refused(e.to_string()))?;
    Ok(chain.into_in_force())
}

fn write_paper(folder: &Path, number: u32, text: &str) -> Result<(), OpenError> {
    let path = paper_path(folder, number);
    files::make_folder(&folder.join(AMENDMENTS), 0o755)
        .and_then(|()| files::write_durable(&path, text.as_bytes(), 0o644))
        .map_err(|error| OpenError::Read { path, error })
}

/// Puts every paper into the folder of a site that is there.
pub(crate) fn put_papers(
    layout: &Layout,
    site: SiteId,
    papers: &[(u32, String)],
) -> Result<(), OpenError> {
    let folder = layout.site(site);
    if !files::is_folder(folder) {
        return Ok(());
    }
    papers
        .iter()
        .try_for_each(|(number, text)| write_paper(folder, *number, text))
}

/// Where this node is, if that is allowed, and the folders that are there too.
fn here(config: &NodeConfig, known: &Jurisdictions) -> Result<Jurisdiction, OpenError> {
    let allowed: Vec<&str> = known.allowed.iter().map(Jurisdiction::as_str).collect();
    let allowed = allowed.join(", ");
    for site in SiteId::BOTH {
        let path = config.layout.site(site).join(LABEL);
        let text = files::read(&path, LABEL_BYTES_MAX).map_err(|error| OpenError::Read {
            path: path.clone(),
            error,
        })?;
        // A folder without a label is where the charter says the site is.
        let Some(text) = text else { continue };
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        let label = Jurisdiction::parse(&text).filter(|label| known.allows(label));
        let label = label.ok_or_else(|| {
            refused(format!(
                "the folder of {site} is labelled {text:?} ({}), which is abroad: the charter allows {allowed}. \
                 Nothing was opened; bring the folder back, or have the charter amended first",
                path.display()
            ))
        })?;
        if label != *known.site(site) {
            tracing::warn!(%site, %label, charter = %known.site(site), "a folder lies elsewhere than the charter says");
        }
    }
    let Some(label) = &config.jurisdiction else {
        let [a, b] = &known.sites;
        return match a == b {
            true => Ok(a.clone()),
            false => Err(refused(format!(
                "the two sites are in {a} and {b}: say in node.jurisdiction in which of them this node is"
            ))),
        };
    };
    let found = Jurisdiction::parse(label).filter(|label| known.allows(label));
    found.ok_or_else(|| {
        refused(format!(
            "this node is in {label:?} (node.jurisdiction), which is abroad: the charter allows {allowed}. \
             It does not start there and opens no key; run it where it is allowed, or have the charter amended first"
        ))
    })
}
