//! Times in documents: whole seconds of UTC as a person writes them, `2026-01-31T12:00:00Z`.

use std::fmt;
use words::UnixMillis;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds, up to the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp(u64);

/// The last second that can be written: 9999-12-31T23:59:59Z.
const SECONDS_MAX: u64 = 253_402_300_799;
const DAY: u64 = 86_400;

impl Stamp {
    /// Takes whole seconds; later than the year 9999 becomes its last second.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(if seconds > SECONDS_MAX {
            SECONDS_MAX
        } else {
            seconds
        })
    }
    /// The second in which `time` lies.
    #[must_use]
    pub const fn from_millis(time: UnixMillis) -> Self {
        Self::from_seconds(time.seconds())
    }
    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
    /// This time and `hours` more.
    #[must_use]
    pub const fn plus_hours(self, hours: u32) -> Self {
        Self::from_seconds(self.0.saturating_add(hours as u64 * 3600))
    }
    /// This time and `seconds` more.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self::from_seconds(self.0.saturating_add(seconds))
    }

    /// Reads exactly `2026-01-31T12:00:00Z`; `None` on anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 20 {
            return None;
        }
        let number = |from: usize, to: usize| -> Option<u64> {
            let part = text.get(from..to)?;
            part.bytes()
                .all(|c| c.is_ascii_digit())
                .then(|| part.parse().ok())?
        };
        let days = days_of(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
        let of_day = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
        let stamp = Self(days.checked_mul(DAY)?.checked_add(of_day)?);
        // Written again it must be the same: so separators, ranges and short months are all checked at once.
        (stamp.to_string() == text).then_some(stamp)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0 / DAY);
        let rest = self.0 % DAY;
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// Days since 1970-01-01 of a day in the Gregorian calendar; the year is taken to begin in March, so that
/// the leap day is its last day. `None` before 1970.
const fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || month == 0 || month > 12 || day == 0 || day > 31 {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let total = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    total.checked_sub(719_468)
}

const fn date_of(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    if month < 10 {
        (era * 400 + year_of_era, month + 3, day)
    } else {
        (era * 400 + year_of_era + 1, month - 9, day)
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn known_days() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Stamp::from_seconds(seconds).to_string(), text);
            assert_eq!(Stamp::parse(text), Some(Stamp::from_seconds(seconds)));
        }
    }

    #[test]
    fn days_and_spellings_that_do_not_exist_are_refused() {
        for wrong in [
            "",
            "2025-02-29T00:00:00Z",
            "2025-04-31T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z",
            "2025-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "2025-01-01 00:00:00Z",
            "2025-01-01T00:00:00z",
            "2025-01-01T00:00:00+",
            "+025-01-01T00:00:00Z",
            "2025-01-01T00:00:00ZZ",
            "２025-01-01T00:00Z",
        ] {
            assert_eq!(Stamp::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0_u64..=253_402_300_799) {
            let stamp = Stamp::from_seconds(seconds);
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Some(stamp));
        }

        #[test]
        fn any_text_is_answered_and_only_one_spelling_taken(text in "[0-9TZ:\\-]{0,24}") {
            if let Some(stamp) = Stamp::parse(&text) {
                prop_assert!(stamp.to_string() == text);
            }
        }
    }
}
