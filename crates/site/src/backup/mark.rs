//! The mark in a site's folder while a restore from a backup is under way: which backup, which attempt, and whether the
//! new cloud was opened already. Text; while it is there no node starts on the folder.

use crate::layout::Layout;
use crate::restore::MARK;
use host::files;
use std::io;
use words::{SiteId, hex};

const HEAD: &str = "a restore is under way or was interrupted; no node starts on this folder";
const BYTES_MAX: u64 = 1024;

/// An attempt to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The digest of the backup's manifest.
    pub backup: [u8; 32],
    /// Drawn when it was begun.
    pub attempt: [u8; 16],
    /// Whether the catalog is made, and was opened: then it is not made again.
    pub opened: bool,
}

/// What a site's folder holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing.
    Empty,
    /// An attempt that did not come to its end.
    Begun(Mark),
    /// Anything else.
    Occupied,
}

impl Mark {
    fn to_text(&self) -> String {
        let (backup, attempt) = (hex::encode(&self.backup), hex::encode(&self.attempt));
        let opened = if self.opened { "opened\n" } else { "" };
        format!("{HEAD}\nbackup {backup}\nattempt {attempt}\n{opened}")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let backup = hex::decode_array(lines.next()?.strip_prefix("backup ")?)?;
        let attempt = hex::decode_array(lines.next()?.strip_prefix("attempt ")?)?;
        let mark = Self {
            backup,
            attempt,
            opened: lines.next() == Some("opened"),
        };
        (mark.to_text() == text).then_some(mark)
    }

    /// Puts it into both sites' folders.
    pub fn put(&self, layout: &Layout) -> io::Result<()> {
        for site in SiteId::BOTH {
            let folder = layout.site(site);
            files::make_folder(folder, 0o700)?;
            files::write_durable(&folder.join(MARK), self.to_text().as_bytes(), 0o600)?;
        }
        Ok(())
    }

    /// Takes it away: the folders are whole.
    pub fn remove(layout: &Layout) -> io::Result<()> {
        for site in SiteId::BOTH {
            files::remove(&layout.site(site).join(MARK))?;
            files::sync_folder(layout.site(site))?;
        }
        Ok(())
    }
}

/// Looks into a site's folder.
pub fn look(layout: &Layout, site: SiteId) -> io::Result<Place> {
    let folder = layout.site(site);
    let names = files::list(folder)?;
    let unfinished = format!("{MARK}.new");
    if names
        .iter()
        .all(|name| name == "lost+found" || *name == unfinished)
    {
        return Ok(Place::Empty);
    }
    let text = files::read(&folder.join(MARK), BYTES_MAX)?;
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    let mark = text.and_then(|text| Mark::parse(&text));
    Ok(mark.map_or(Place::Occupied, Place::Begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_again_and_nothing_else_passes_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::in_folder(folder.path());
        assert_eq!(look(&layout, SiteId::A).unwrap(), Place::Empty);
        let mut mark = Mark {
            backup: [1; 32],
            attempt: [2; 16],
            opened: false,
        };
        for opened in [false, true] {
            mark.opened = opened;
            mark.put(&layout).unwrap();
            for site in SiteId::BOTH {
                assert_eq!(look(&layout, site).unwrap(), Place::Begun(mark.clone()));
            }
        }
        Mark::remove(&layout).unwrap();
        assert_eq!(look(&layout, SiteId::B).unwrap(), Place::Empty);
        let path = layout.site(SiteId::A).join(MARK);
        for other in ["", HEAD, &format!("{}more\n", mark.to_text())] {
            files::write_durable(&path, other.as_bytes(), 0o600).unwrap();
            assert_eq!(look(&layout, SiteId::A).unwrap(), Place::Occupied);
        }
    }
}
