//! Times in documents: `2026-11-26`, `2026-11-26T04:00:00Z`, or seconds since 1970.

/// Milliseconds since 1970.
pub(crate) fn millis(text: &str) -> Option<i64> {
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        return text.parse::<i64>().ok()?.checked_mul(1000);
    }
    let (day, clock) = match text.split_once('T') {
        Some((day, clock)) => (day, clock.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, date] = numbers(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=last).contains(&date) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 by the civil calendar: years are counted from March, so that leap days come last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted / 400;
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

fn numbers(text: &str, between: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut pieces = text.split(between);
    let mut out = [0; 3];
    for (slot, length) in out.iter_mut().zip(lengths) {
        let piece = pieces.next()?;
        if piece.len() != length || !piece.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        *slot = piece.parse().ok()?;
    }
    pieces.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn times() {
        assert_eq!(millis("1970-01-01"), Some(0));
        assert_eq!(millis("2013-05-24T00:00:00Z"), Some(1_369_353_600_000));
        assert_eq!(millis("2024-02-29T12:34:56Z"), Some(1_709_210_096_000));
        assert_eq!(millis("1369353600"), Some(1_369_353_600_000));
        for bad in [
            "",
            "2023-02-29",
            "2023-13-01",
            "2023-1-1",
            "2023-01-01T00:00:00",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00+01:00",
            "-5",
            "99999999999999999999",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }
}
