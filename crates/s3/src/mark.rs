//! The object by which a bucket says whose it is. Drawn in `docs/format/chunks.md`.

use words::{CloudId, SiteId};

/// Its name.
pub const NAME: &str = "clarence.site";
/// It is not longer.
pub const BYTES_MAX: u64 = 256;
const FIRST: &str = "clarence.site ";
const VERSION: &str = "1";

/// Whose chunks lie in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The cloud.
    pub cloud: CloudId,
    /// Its site.
    pub site: SiteId,
}

/// Why a mark is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// It was written by another version.
    #[error("its mark clarence.site has version {0}, and this program knows version 1")]
    Version(String),
    /// It is no mark.
    #[error("its object clarence.site is no mark of a site")]
    Unreadable,
}

impl Mark {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> String {
        let (cloud, letter) = (self.cloud, char::from(self.site.letter()));
        format!("{FIRST}{VERSION}\ncloud {cloud}\nsite {letter}\n")
    }

    /// Reads what [`Mark::encode`] wrote, and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, MarkError> {
        let text = std::str::from_utf8(bytes).map_err(|_| MarkError::Unreadable)?;
        let (first, rest) = text.split_once('\n').ok_or(MarkError::Unreadable)?;
        let version = first.strip_prefix(FIRST).ok_or(MarkError::Unreadable)?;
        if version != VERSION {
            return Err(MarkError::Version(version.chars().take(20).collect()));
        }
        let read = || {
            let (cloud, rest) = rest.strip_prefix("cloud ")?.split_once('\n')?;
            let site = rest.strip_prefix("site ")?.strip_suffix('\n')?;
            let [site] = *site.as_bytes() else {
                return None;
            };
            Some(Self {
                cloud: CloudId::parse(cloud)?,
                site: SiteId::from_letter(site)?,
            })
        };
        let mark = read().filter(|mark| mark.encode() == text);
        mark.ok_or(MarkError::Unreadable)
    }

    /// In words.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} of cloud {}", self.site, self.cloud)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, MarkError};
    use words::{CloudId, SiteId};

    const GOLDEN: &str = "clarence.site 1\ncloud 000102030405060708090a0b0c0d0e0f\nsite b\n";

    #[test]
    fn the_bytes_stay_as_they_are() {
        let cloud = CloudId::from_bytes(std::array::from_fn(|at| at as u8));
        let site = SiteId::B;
        let mark = Mark { cloud, site };
        assert_eq!(mark.encode(), GOLDEN);
        assert_eq!(Mark::decode(GOLDEN.as_bytes()), Ok(mark));
    }

    #[test]
    fn what_is_no_mark_is_refused() {
        let newer = GOLDEN.replace("site 1", "site 2");
        assert_eq!(
            Mark::decode(newer.as_bytes()),
            Err(MarkError::Version("2".into()))
        );
        for wrong in [
            "".to_owned(),
            GOLDEN[..GOLDEN.len() - 1].to_owned(),
            format!("{GOLDEN}\n"),
            GOLDEN.replace("site b", "site c"),
            GOLDEN.replace("0d0e", "0D0E"),
            GOLDEN.replace("0e0f", "0e"),
            GOLDEN.replace("cloud", "crowd"),
        ] {
            let read = Mark::decode(wrong.as_bytes());
            assert_eq!(read, Err(MarkError::Unreadable), "{wrong:?}");
        }
        assert!(Mark::decode(&[0xff, b'\n']).is_err());
    }
}
