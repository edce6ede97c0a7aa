//! How fast a backup may go.

use host::Host;
use std::time::Duration;
use words::limits::MIB;

/// Lets bytes through no faster than a rate.
pub struct Pace {
    rate: Option<u64>,
    host: Host,
    began: Duration,
    bytes: u64,
}

impl Pace {
    /// Begins now. No rate is no limit.
    pub fn new(rate: Option<u64>, host: &Host) -> Self {
        Self {
            rate: rate.filter(|rate| *rate > 0),
            host: host.clone(),
            began: host.elapsed(),
            bytes: 0,
        }
    }

    /// Notes bytes, and waits until they are no more than allowed.
    pub async fn keep(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        let Some(rate) = self.rate else { return };
        let due = Duration::from_secs_f64(self.bytes as f64 / rate as f64);
        let ahead = due.saturating_sub(self.host.elapsed().saturating_sub(self.began));
        if !ahead.is_zero() {
            tokio::time::sleep(ahead).await;
        }
    }
}

/// A rate as people write it: `50MiB/s`, `800KiB/s`, `1GiB/s`.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no rate; one is written as 50MiB/s, 800KiB/s or 1GiB/s");
    let number = text.strip_suffix("/s").ok_or_else(wrong)?;
    let units = [("KiB", 1024), ("MiB", MIB), ("GiB", 1024 * MIB)];
    for (unit, bytes) in units {
        if let Some(number) = number.strip_suffix(unit) {
            let number: u64 = number.parse().map_err(|_| wrong())?;
            let rate = number.checked_mul(bytes).filter(|rate| *rate > 0);
            return rate.ok_or_else(wrong);
        }
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::parse_rate;

    #[test]
    fn rates_have_units() {
        assert_eq!(parse_rate("50MiB/s"), Ok(50 * 1024 * 1024));
        assert_eq!(parse_rate("1KiB/s"), Ok(1024));
        for wrong in [
            "",
            "50",
            "50MiB",
            "0MiB/s",
            "-1MiB/s",
            "1.5GiB/s",
            "99999999999999GiB/s",
        ] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }
}
