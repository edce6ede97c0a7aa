//! Conditions and ranges, read from the headers themselves: s3s reads one ETag only and refuses dates and
//! ranges that RFC 9110 says to ignore.

use crate::refuse::No;
use http::HeaderMap;
use std::time::UNIX_EPOCH;
use store::api::{Conditions, EtagMatch, RangeAsked};
use words::UnixMillis;

/// The names of the four conditions.
pub(crate) struct Names {
    pub if_match: &'static str,
    pub if_none_match: &'static str,
    pub if_modified_since: &'static str,
    pub if_unmodified_since: &'static str,
}

/// Conditions on what the request is about.
pub(crate) const TARGET: Names = Names {
    if_match: "if-match",
    if_none_match: "if-none-match",
    if_modified_since: "if-modified-since",
    if_unmodified_since: "if-unmodified-since",
};

/// Conditions on what a copy reads.
pub(crate) const SOURCE: Names = Names {
    if_match: "x-amz-copy-source-if-match",
    if_none_match: "x-amz-copy-source-if-none-match",
    if_modified_since: "x-amz-copy-source-if-modified-since",
    if_unmodified_since: "x-amz-copy-source-if-unmodified-since",
};

impl Names {
    /// Reads all four.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Result<Conditions, No> {
        Ok(Conditions {
            if_match: etags(headers, self.if_match)?,
            if_none_match: etags(headers, self.if_none_match)?,
            if_modified_since: date(headers, self.if_modified_since),
            if_unmodified_since: date(headers, self.if_unmodified_since),
        })
    }
}

fn etags(headers: &HeaderMap, name: &str) -> Result<Option<EtagMatch>, No> {
    let mut found = Vec::new();
    let mut any = false;
    let mut present = false;
    for value in headers.get_all(name) {
        let text = value
            .to_str()
            .map_err(|_| No::argument(format!("The header {name} is not valid")))?;
        for word in text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            present = true;
            let word = word.strip_prefix("W/").unwrap_or(word);
            match word
                .strip_prefix('"')
                .map_or(Some(word), |w| w.strip_suffix('"'))
            {
                Some("*") if !word.starts_with('"') => any = true,
                Some(etag) if !etag.contains('"') => found.push(etag.to_owned()),
                _ => {
                    return Err(No::argument(format!(
                        "The header {name} is not a list of ETags"
                    )));
                }
            }
        }
    }
    Ok(match (present, any) {
        (false, _) => None,
        (true, true) => Some(EtagMatch::Any),
        (true, false) => Some(EtagMatch::OneOf(found)),
    })
}

/// A date; one that cannot be read is as if it were not there (RFC 9110, 13.1.3).
fn date(headers: &HeaderMap, name: &str) -> Option<UnixMillis> {
    let time = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(UnixMillis)
}

/// The range of a read; one that cannot be read, or several, are as if none were there (RFC 9110, 14.2).
pub(crate) fn range(headers: &HeaderMap) -> Option<RangeAsked> {
    let mut values = headers.get_all("range").iter();
    match (values.next(), values.next()) {
        (Some(value), None) => parse_range(value.to_str().ok()?),
        _ => None,
    }
}

fn parse_range(text: &str) -> Option<RangeAsked> {
    let (unit, spec) = text.trim().split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        // A number past the end of the type is past the end of every object.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", last) => number(last).map(RangeAsked::Last),
        (first, "") => Some(RangeAsked::From {
            first: number(first)?,
            last: None,
        }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(RangeAsked::From {
                first,
                last: Some(last),
            })
        }
    }
}

/// The range of a part's source, which must be first and last byte.
pub(crate) fn source_range(text: &str) -> Result<(u64, u64), No> {
    match parse_range(text) {
        Some(RangeAsked::From {
            first,
            last: Some(last),
        }) => Ok((first, last)),
        _ => Err(No::argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
             the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

/// A time as HTTP writes it.
pub(crate) fn http_date(time: UnixMillis) -> String {
    // Past the year 9999 HTTP has no dates.
    let seconds = time.seconds().min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn etag_lists() {
        let one_of = |words: &[&str]| {
            Some(EtagMatch::OneOf(
                words.iter().map(|w| (*w).to_owned()).collect(),
            ))
        };
        for (text, expected) in [
            ("*", Some(EtagMatch::Any)),
            ("\"*\"", one_of(&["*"])),
            ("\"a\"", one_of(&["a"])),
            ("a-2", one_of(&["a-2"])),
            ("\"a\", W/\"b\" ,c", one_of(&["a", "b", "c"])),
            ("", None),
        ] {
            assert_eq!(
                etags(&headers("if-match", text), "if-match").unwrap(),
                expected,
                "{text}"
            );
        }
        assert!(etags(&headers("if-match", "\"a"), "if-match").is_err());
    }

    #[test]
    fn ranges() {
        let from = |first, last| Some(RangeAsked::From { first, last });
        for (text, expected) in [
            ("bytes=0-0", from(0, Some(0))),
            ("bytes=5-", from(5, None)),
            ("Bytes = 5 - 9", from(5, Some(9))),
            ("bytes=-7", Some(RangeAsked::Last(7))),
            ("bytes=0-99999999999999999999999", from(0, Some(u64::MAX))),
            ("bytes=9-5", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(range(&headers("range", text)), expected, "{text}");
        }
    }

    #[test]
    fn dates() {
        let text = "Wed, 21 Oct 2015 07:28:00 GMT";
        let time = date(&headers("if-modified-since", text), "if-modified-since").unwrap();
        assert_eq!(http_date(time), text);
        assert!(
            date(
                &headers("if-modified-since", "yesterday"),
                "if-modified-since"
            )
            .is_none()
        );
        assert_eq!(
            http_date(UnixMillis(u64::MAX)),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }
}
