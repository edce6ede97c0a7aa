//! One access as a person reads it, made from what its ledger entries show and from nothing else, so that whoever checks
//! an answer can make it again and compare.

use crate::proof::State;
use ledger::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use words::hex;

/// Fields of an entry that an answer shows. Who acted, in which session and for which case stays hidden.
const GRANT: &[u16] = &[1, 2, 4, 7, 8, 11, 12, 13, 14, 15, 20, 23, 25];
/// The same without the name of the object, which may be about somebody else.
const GRANT_UNNAMED: &[u16] = &[1, 2, 4, 7, 11, 12, 13, 14, 15, 20, 23, 25];
const CLOSE: &[u16] = &[1, 2, 20, 22, 25, 26];

/// Which fields of an entry are shown. `whole` says that the line is about a whole dataset.
#[must_use]
pub fn shown_tags(kind: Kind, operation: Option<&str>, whole: bool) -> &'static [u16] {
    match kind {
        Kind::Close => CLOSE,
        _ if whole && operation != Some("Query") => GRANT_UNNAMED,
        _ => GRANT,
    }
}

/// The fields that an entry shows: tag and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(BTreeMap<u16, Vec<u8>>);

impl Shown {
    /// From a disclosure that was checked.
    #[must_use]
    pub fn of(fields: Vec<(u16, &[u8])>) -> Self {
        let own = fields.into_iter().map(|(tag, value)| (tag, value.to_vec()));
        Self(own.collect())
    }
    /// A number.
    #[must_use]
    pub fn number(&self, tag: u16) -> Option<u64> {
        let bytes = self.0.get(&tag)?.as_slice();
        bytes.try_into().ok().map(u64::from_be_bytes)
    }
    /// The entry's kind.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let bytes = self.0.get(&1)?.as_slice();
        bytes
            .try_into()
            .ok()
            .map(u16::from_be_bytes)
            .map(Kind::from_code)
    }
    /// A text.
    #[must_use]
    pub fn text(&self, tag: u16) -> Option<String> {
        String::from_utf8(self.0.get(&tag)?.clone()).ok()
    }
    /// So many bytes.
    #[must_use]
    pub fn array<const N: usize>(&self, tag: u16) -> Option<[u8; N]> {
        self.0.get(&tag)?.as_slice().try_into().ok()
    }
}

/// One access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// `you`, `perhaps-you` (it is not known whose rows were read) or `whole-dataset`.
    pub about: String,
    /// When it was granted.
    pub time: String,
    /// The authority that used the data.
    pub recipient: String,
    /// The authority whose data it is.
    pub provider: String,
    /// What was done, such as `Query`.
    pub operation: String,
    /// The table or object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Which columns were touched, and how they were changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// The agreed purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The law and article.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// The agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// What could be read at most, in bytes, about whomsoever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_at_most: Option<u64>,
    /// What was read, in bytes, about whomsoever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Rows of the whole answer that the statement gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// The names of authorities by the ids that entries hold.
pub type Authorities = BTreeMap<[u8; 16], String>;

impl Access {
    /// What the entries of a line say. `None` if they lack what every access has.
    #[must_use]
    pub fn of(
        state: State,
        grant: &Shown,
        close: Option<&Shown>,
        authorities: &Authorities,
        tenant: &[u8; 16],
    ) -> Option<Self> {
        let named = |id: &[u8; 16]| {
            authorities
                .get(id)
                .cloned()
                .unwrap_or_else(|| hex::encode(id))
        };
        let asked = grant.kind()? == Kind::Usage;
        Some(Self {
            about: state.word().to_owned(),
            time: utc(grant.number(2)?),
            recipient: match grant.text(15) {
                Some(consumer) => consumer,
                None => named(&grant.array(4)?),
            },
            provider: grant.text(14).unwrap_or_else(|| named(tenant)),
            operation: grant.text(7)?,
            data: grant.text(8).filter(|_| !asked),
            columns: grant.text(23),
            purpose: grant.text(11),
            legal_basis: grant.text(12),
            agreement: grant.text(13),
            bytes_at_most: grant.number(20),
            bytes: close.and_then(|close| close.number(20)),
            rows: close.and_then(|close| close.number(22)),
        })
    }
}

/// A time as it is written for people and programs alike.
#[must_use]
pub fn utc(millis: u64) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar, with years counted from March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{rest:03}Z",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(1_709_210_096_007), "2024-02-29T12:34:56.007Z");
        assert_eq!(utc(1_798_761_599_999), "2026-12-31T23:59:59.999Z");
    }

    #[test]
    fn an_objects_name_is_shown_to_the_person_alone() {
        assert!(shown_tags(Kind::Grant, Some("GetObject"), false).contains(&8));
        assert!(!shown_tags(Kind::Grant, Some("GetObject"), true).contains(&8));
        assert!(shown_tags(Kind::Grant, Some("Query"), true).contains(&8));
        for tags in [GRANT, GRANT_UNNAMED, CLOSE] {
            // The actor, their session, the case, the digest of what was asked.
            assert!(![5, 6, 16, 19].iter().any(|hidden| tags.contains(hidden)));
        }
    }
}
