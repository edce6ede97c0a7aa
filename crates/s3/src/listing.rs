//! Reads the answer to ListObjectsV2 and the code of an error, as far as this room needs them.

use words::UnixMillis;

/// One page of a listing.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Name, length, and when it was written.
    pub objects: Vec<(String, u64, UnixMillis)>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// Reads the XML of one page.
pub fn page(xml: &str) -> Result<Page, String> {
    if !xml.contains("<ListBucketResult") {
        return Err("it is no listing".into());
    }
    let mut objects = Vec::new();
    let mut rest = xml;
    while let Some((_, from)) = rest.split_once("<Contents>") {
        let (entry, behind) = from
            .split_once("</Contents>")
            .ok_or("a listing ends in the middle of an entry")?;
        rest = behind;
        let name = field(entry, "Key").ok_or("an entry has no name")?;
        let bytes = field(entry, "Size")
            .and_then(|size| size.parse().ok())
            .ok_or("an entry has no size")?;
        let modified = field(entry, "LastModified").and_then(moment);
        objects.push((
            unescaped(name)?,
            bytes,
            modified.ok_or("an entry has no time that can be read")?,
        ));
    }
    let next = match field(xml, "IsTruncated") {
        Some("true") => Some(
            field(xml, "NextContinuationToken")
                .ok_or("it says that more follows and not where")?
                .to_owned(),
        ),
        _ => None,
    };
    Ok(Page { objects, next })
}

/// A name without XML's references. None of ours needs one; others are read so that a page can be gone beyond.
fn unescaped(name: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, reference)) = rest.split_once('&') {
        plain.push_str(before);
        let (reference, behind) = reference.split_once(';').unwrap_or((reference, ""));
        let number = reference
            .strip_prefix('#')
            .and_then(|n| match n.strip_prefix('x') {
                Some(n) => u32::from_str_radix(n, 16).ok(),
                None => n.parse().ok(),
            });
        let meant = match reference {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => number.and_then(char::from_u32),
        };
        plain.push(meant.ok_or_else(|| format!("it lists {name:?}, which cannot be read"))?);
        rest = behind;
    }
    plain.push_str(rest);
    Ok(plain)
}

/// The names in an answer to ListBuckets.
pub fn buckets(xml: &str) -> Vec<String> {
    let entries = xml.split("<Bucket>").skip(1);
    entries
        .filter_map(|entry| field(entry, "Name").map(ToOwned::to_owned))
        .collect()
}

/// The code and message of an error; empty if there are none.
pub fn error(xml: &str) -> (String, String) {
    let get = |name| field(xml, name).unwrap_or_default().to_owned();
    (get("Code"), get("Message"))
}

fn field<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, from) = xml.split_once(&format!("<{name}>"))?;
    Some(from.split_once(&format!("</{name}>"))?.0)
}

/// `2026-11-26T04:05:06.000Z`.
fn moment(text: &str) -> Option<UnixMillis> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Hinnant's `days_from_civil`.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = days.checked_sub(719_468)?;
    Some(UnixMillis(
        ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000,
    ))
}

#[cfg(test)]
mod tests {
    use super::{Page, error, moment, page};
    use words::UnixMillis;

    #[test]
    fn a_page_is_read() {
        let xml = "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated>\
            <NextContinuationToken>tok=</NextContinuationToken>\
            <Contents><Key>c/00ff</Key><LastModified>2013-05-24T00:00:00.000Z</LastModified><Size>12</Size></Contents>\
            <Contents><Key>c/01</Key><LastModified>1970-01-01T00:00:01Z</LastModified><Size>0</Size></Contents></ListBucketResult>";
        let expected = Page {
            objects: vec![
                ("c/00ff".into(), 12, UnixMillis(1_369_353_600_000)),
                ("c/01".into(), 0, UnixMillis(1000)),
            ],
            next: Some("tok=".into()),
        };
        assert_eq!(page(xml), Ok(expected));
        assert!(page("<html/>").is_err());
        assert!(page("<ListBucketResult><Contents><Key>a").is_err());
        let foreign = page(&xml.replace("c/01", "c&amp;&#x31;&#50;")).unwrap();
        assert_eq!(foreign.objects[1].0, "c&12");
        assert!(page(&xml.replace("c/01", "c&nbsp;1")).is_err());
        assert!(page(&xml.replace("<Size>12", "<Size>-1")).is_err());
        assert_eq!(
            error("<Error><Code>SlowDown</Code><Message>m</Message></Error>"),
            ("SlowDown".into(), "m".into())
        );
        assert_eq!(moment("1969-12-31T23:59:59Z"), None);
    }
}
