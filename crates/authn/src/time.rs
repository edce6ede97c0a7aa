//! Signing times: `20130524T000000Z` and the date of HTTP headers, both to seconds since 1970.

use words::UnixMillis;

/// The moment of a signature, as seconds and as the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningTime {
    /// Since 1970.
    pub at: UnixMillis,
    /// `YYYYMMDDTHHMMSSZ`.
    pub stamp: String,
}

impl SigningTime {
    /// Reads `YYYYMMDDTHHMMSSZ`.
    pub fn basic(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |from: usize, to: usize| digits(bytes.get(from..to)?);
        let at = moment(
            [number(0, 4)?, number(4, 6)?, number(6, 8)?],
            [number(9, 11)?, number(11, 13)?, number(13, 15)?],
        )?;
        Some(Self {
            at,
            stamp: text.to_owned(),
        })
    }

    /// Reads what a `Date` header may hold: `Fri, 24 May 2013 00:00:00 GMT`, or the basic form.
    pub fn header(text: &str) -> Option<Self> {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        if let Some(found) = Self::basic(text) {
            return Some(found);
        }
        let mut words = text.split_once(", ")?.1.split(' ');
        let day = digits(words.next()?.as_bytes())?;
        let name = words.next()?;
        let month = u64::try_from(MONTHS.iter().position(|m| *m == name)?).ok()? + 1;
        let year = digits(words.next()?.as_bytes())?;
        let clock: Vec<u64> = words
            .next()?
            .split(':')
            .map(|p| digits(p.as_bytes()))
            .collect::<Option<_>>()?;
        let [hour, minute, second] = clock.try_into().ok()?;
        if !matches!(words.next(), Some("GMT" | "UTC" | "+0000")) || words.next().is_some() {
            return None;
        }
        let at = moment([year, month, day], [hour, minute, second])?;
        let stamp = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z");
        Some(Self { at, stamp })
    }

    /// The day, `YYYYMMDD`.
    pub fn day(&self) -> &str {
        self.stamp.get(..8).unwrap_or_default()
    }
}

/// One to four decimal digits.
fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 4 {
        return None;
    }
    bytes.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + u64::from(byte - b'0'))
    })
}

/// Days before `year-month-day` since 1970-01-01 by the civil calendar (Hinnant's `days_from_civil`),
/// for years from 1970 on; `None` for a day that does not exist.
fn moment([year, month, day]: [u64; 3], [hour, minute, second]: [u64; 3]) -> Option<UnixMillis> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=days_in_month).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(UnixMillis(
        ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (text, seconds) in [
            ("19700101T000000Z", 0),
            ("20130524T000000Z", 1_369_353_600),
            ("20000229T235959Z", 951_868_799),
            ("20261123T232000Z", 1_795_476_000),
        ] {
            assert_eq!(
                SigningTime::basic(text).map(|t| t.at.seconds()),
                Some(seconds),
                "{text}"
            );
        }
        let header = SigningTime::header("Fri, 24 May 2013 00:00:00 GMT").unwrap();
        assert_eq!(Some(header), SigningTime::basic("20130524T000000Z"));
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for bad in [
            "20130229T000000Z",
            "20131301T000000Z",
            "20130524T240000Z",
            "20130524 000000Z",
            "2013052éT0000Z",
            "",
        ] {
            assert_eq!(SigningTime::basic(bad), None, "{bad}");
        }
        for bad in [
            "24 May 2013 00:00:00 GMT",
            "Fri, 24 May 2013 00:00 GMT",
            "Fri, 24 May 2013 00:00:00 CET",
        ] {
            assert_eq!(SigningTime::header(bad), None, "{bad}");
        }
    }
}
