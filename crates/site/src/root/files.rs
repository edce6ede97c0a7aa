//! The files that say which root is in force: each site's header and record of custody, and the shares that
//! wait for their parties. A new record of custody is written beside the old one, the header changes in one
//! step and names the ceremony, then the record takes its place: so header and record always fit.

use crate::layout::Layout;
use crate::open::{OpenError, header_of};
use charter::{Custody, ShareFile, Transcript};
use epoch::{Standing, Tenure};
use host::files;
use std::io;
use std::path::{Path, PathBuf};
use vault::record::site_header::{self, SiteHeader};
use words::SiteId;

const CUSTODY: &str = charter::files::CUSTODY_FILE_NAME;
/// The record of a root that is about to take over.
pub(crate) const NEXT_CUSTODY: &str = "custody.next.json";
const CUSTODY_BYTES_MAX: u64 = 64 * 1024;

/// The header in force: that of the site that serves alone, or else the newer of the two.
pub(crate) fn header_in_force(layout: &Layout, tenure: &Tenure) -> Result<SiteHeader, OpenError> {
    let sites: &[SiteId] = match tenure.standing() {
        Standing::BothCurrent => &SiteId::BOTH,
        Standing::Only(SiteId::A) => &[SiteId::A],
        Standing::Only(SiteId::B) => &[SiteId::B],
    };
    let mut found = Vec::new();
    for site in sites {
        found.extend(header_of(layout.site(*site))?);
    }
    let newest = found.into_iter().max_by_key(SiteHeader::rank);
    newest.ok_or_else(|| OpenError::NotFounded {
        a: layout.site(SiteId::A).to_path_buf(),
        b: layout.site(SiteId::B).to_path_buf(),
    })
}

/// The record of custody that belongs to a header: of its ceremony, with the highest epoch.
pub(crate) fn custody_of(layout: &Layout, header: &SiteHeader) -> Result<Custody, OpenError> {
    let mut last = String::from("there is none");
    let mut found = Vec::new();
    for site in SiteId::BOTH {
        for name in [CUSTODY, NEXT_CUSTODY] {
            let path = layout.site(site).join(name);
            match read_custody(&path) {
                Ok(custody) => found.extend(custody),
                Err(why) => last = format!("{}: {why}", path.display()),
            }
        }
    }
    let ceremony = header.root.as_ref().map(|root| root.ceremony);
    found
        .into_iter()
        .filter(|custody| ceremony.is_none_or(|of| *custody.ceremony().as_bytes() == of))
        .max_by_key(Custody::epoch)
        .ok_or_else(|| {
            OpenError::Refused(format!(
                "no site folder has a readable record of custody of the root in force: {last}"
            ))
        })
}

fn read_custody(path: &Path) -> Result<Option<Custody>, String> {
    let Some(bytes) = files::read(path, CUSTODY_BYTES_MAX).map_err(|e| e.to_string())? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    Custody::from_json(&text)
        .map(Some)
        .map_err(|e| e.to_string())
}

fn write_custody(folder: &Path, name: &str, custody: &Custody) -> io::Result<()> {
    let text = custody.to_json().map_err(io::Error::other)?;
    files::write_durable(&folder.join(name), text.as_bytes(), 0o600)
}

/// Writes the record of a root that will take over beside the one in force.
pub(crate) fn prepare_custody(layout: &Layout, custody: &Custody) -> io::Result<()> {
    SiteId::BOTH
        .into_iter()
        .try_for_each(|site| write_custody(layout.site(site), NEXT_CUSTODY, custody))
}

/// Writes header and record of one site, unless they stand there already.
pub(crate) fn settle_site(
    layout: &Layout,
    header: &SiteHeader,
    custody: &Custody,
) -> io::Result<()> {
    let folder = layout.site(header.site);
    let damaged_or_other =
        |name: &str| read_custody(&folder.join(name)) != Ok(Some(custody.clone()));
    if damaged_or_other(CUSTODY) && damaged_or_other(NEXT_CUSTODY) {
        write_custody(folder, NEXT_CUSTODY, custody)?;
    }
    put_header(layout, header)?;
    if damaged_or_other(CUSTODY) {
        write_custody(folder, CUSTODY, custody)?;
    }
    files::remove(&folder.join(NEXT_CUSTODY)).map(drop)
}

/// Writes one site's header: the step with which a root takes over there.
pub(crate) fn put_header(layout: &Layout, header: &SiteHeader) -> io::Result<()> {
    let folder = layout.site(header.site);
    let same = matches!(header_of(folder), Ok(Some(there)) if there == *header);
    if same {
        return Ok(());
    }
    files::write_durable(&folder.join(site_header::FILE), &header.encode(), 0o600)
}

/// The header of `site`, from that of either site.
pub(crate) fn header_for(known: &SiteHeader, site: SiteId) -> SiteHeader {
    if known.site == site {
        return known.clone();
    }
    SiteHeader {
        site,
        key: known.other_key,
        other_key: known.key,
        ..known.clone()
    }
}

/// What a share of this root and dealing is called: the first of all is `share.clarence`.
fn share_name(root: u32, epoch: u32) -> String {
    match (root, epoch) {
        (1, 1) => charter::files::SHARE_FILE_NAME.to_owned(),
        _ => format!("share-{root}-{epoch}.clarence"),
    }
}

/// Writes the shares and the transcript of a new dealing into the parties' folders, for them to collect.
/// Older shares stay where they are: to destroy them is for their parties.
pub(crate) fn hand_out<'a>(
    layout: &Layout,
    root: u32,
    shares: impl Iterator<Item = &'a ShareFile>,
    transcript: &Transcript,
) -> io::Result<Vec<PathBuf>> {
    let epoch = transcript.custody().epoch();
    let mut paths = Vec::new();
    for share in shares {
        let folder = layout.parents.join(share.party().as_str());
        files::make_folder(&folder, 0o700)?;
        let path = folder.join(share_name(root, epoch));
        files::write_durable(&path, share.to_text().as_bytes(), 0o600)?;
        let json = transcript.to_json().as_bytes();
        files::write_durable(
            &folder.join(format!("transcript-{root}-{epoch}.json")),
            json,
            0o644,
        )?;
        paths.push(path);
    }
    Ok(paths)
}

/// The share files in one party's folder on this machine.
pub(crate) fn shares_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_share = |name: &String| name.starts_with("share") && name.ends_with(".clarence");
    let names = files::list(folder)?.into_iter().filter(is_share);
    Ok(names.map(|name| folder.join(name)).collect())
}
