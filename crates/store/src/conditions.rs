//! Conditional requests (RFC 9110 section 13, with S3's answers).

use crate::api::{Conditions, EtagMatch};
use crate::error::StoreError;
use words::UnixMillis;

fn matches(condition: &EtagMatch, etag: &str) -> bool {
    match condition {
        EtagMatch::Any => true,
        EtagMatch::OneOf(list) => list.iter().any(|one| one == etag),
    }
}

/// For reads of an object that exists. Times are compared in whole seconds, as HTTP dates have them.
pub fn of_read(
    conditions: &Conditions,
    etag: &str,
    modified: UnixMillis,
) -> Result<(), StoreError> {
    let seconds = modified.seconds();
    match (&conditions.if_match, conditions.if_unmodified_since) {
        (Some(wanted), _) if !matches(wanted, etag) => {
            return Err(StoreError::PreconditionFailed("If-Match"));
        }
        (None, Some(since)) if seconds > since.seconds() => {
            return Err(StoreError::PreconditionFailed("If-Unmodified-Since"));
        }
        _ => {}
    }
    match (&conditions.if_none_match, conditions.if_modified_since) {
        (Some(known), _) if matches(known, etag) => Err(StoreError::NotModified),
        (None, Some(since)) if seconds <= since.seconds() => Err(StoreError::NotModified),
        _ => Ok(()),
    }
}

/// The same for the source of a copy, where S3 answers 412 in every case.
pub fn of_source(
    conditions: &Conditions,
    etag: &str,
    modified: UnixMillis,
) -> Result<(), StoreError> {
    of_read(conditions, etag, modified).map_err(|error| match error {
        StoreError::NotModified => StoreError::PreconditionFailed("x-amz-copy-source-if"),
        other => other,
    })
}

/// For writes and deletes, against the object that is there, if any.
pub fn of_write(conditions: &Conditions, etag: Option<&str>) -> Result<(), StoreError> {
    match (&conditions.if_match, etag) {
        (Some(_), None) => return Err(StoreError::NoSuchKey),
        (Some(wanted), Some(etag)) if !matches(wanted, etag) => {
            return Err(StoreError::PreconditionFailed("If-Match"));
        }
        _ => {}
    }
    match (&conditions.if_none_match, etag) {
        (Some(known), Some(etag)) if matches(known, etag) => {
            Err(StoreError::PreconditionFailed("If-None-Match"))
        }
        _ => Ok(()),
    }
}

/// Whether a write needs to know the ETag of what is there.
#[must_use]
pub fn needs_etag(conditions: &Conditions) -> bool {
    let listed = |c: &Option<EtagMatch>| matches!(c, Some(EtagMatch::OneOf(_)));
    listed(&conditions.if_match) || listed(&conditions.if_none_match)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(etag: &str) -> Option<EtagMatch> {
        Some(EtagMatch::OneOf(vec![etag.into()]))
    }

    #[test]
    fn reads() {
        let at = UnixMillis(10_500);
        let with = |c: Conditions| of_read(&c, "e", at);
        assert!(with(Conditions::default()).is_ok());
        assert!(
            with(Conditions {
                if_match: one("e"),
                ..Default::default()
            })
            .is_ok()
        );
        assert!(matches!(
            with(Conditions {
                if_match: one("x"),
                ..Default::default()
            }),
            Err(StoreError::PreconditionFailed(_))
        ));
        assert!(matches!(
            with(Conditions {
                if_none_match: one("e"),
                ..Default::default()
            }),
            Err(StoreError::NotModified)
        ));
        let since = |s| Conditions {
            if_modified_since: Some(UnixMillis(s)),
            ..Default::default()
        };
        assert!(matches!(with(since(10_000)), Err(StoreError::NotModified)));
        assert!(with(since(9_000)).is_ok());
        // If-Match that holds makes If-Unmodified-Since not count; If-None-Match that fails lets the read through.
        let both = Conditions {
            if_match: one("e"),
            if_unmodified_since: Some(UnixMillis(1)),
            ..Default::default()
        };
        assert!(with(both).is_ok());
        let both = Conditions {
            if_none_match: one("x"),
            if_modified_since: Some(UnixMillis(99_000)),
            ..Default::default()
        };
        assert!(with(both).is_ok());
    }

    #[test]
    fn writes() {
        let star = Conditions {
            if_none_match: Some(EtagMatch::Any),
            ..Default::default()
        };
        assert!(of_write(&star, None).is_ok());
        assert!(matches!(
            of_write(&star, Some("e")),
            Err(StoreError::PreconditionFailed(_))
        ));
        let swap = Conditions {
            if_match: one("e"),
            ..Default::default()
        };
        assert!(of_write(&swap, Some("e")).is_ok());
        assert!(matches!(
            of_write(&swap, Some("x")),
            Err(StoreError::PreconditionFailed(_))
        ));
        assert!(matches!(of_write(&swap, None), Err(StoreError::NoSuchKey)));
    }
}
