//! The time of a cosignature. It never goes back for one log: a cosignature says "this was the largest
//! checkpoint I had seen at this time", and a smaller time beside a larger checkpoint would contradict one
//! given before. A clock that is a little behind was corrected, and the last time is used again. One that is
//! far behind is wrong (a flat battery, or it was wrong before), and a person has to look. Pure.

use crate::limits::CLOCK_BACK_SECONDS_MAX;
use words::UnixMillis;

/// Why no time can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// The clock stands at the beginning.
    #[error("the witness's clock is not set; nothing was cosigned; set it and ask again")]
    Unset,
    /// The clock is far behind.
    #[error(
        "the witness's clock is {behind_seconds} s behind its last cosignature; nothing was cosigned. Set the clock; if it is right and was wrong before, this witness needs a new key"
    )]
    Behind {
        /// By how much.
        behind_seconds: u64,
    },
}

/// The time for a cosignature in seconds since 1970, after one with the time `last`, 0 if there was none.
pub fn seconds(now: UnixMillis, last: u64) -> Result<u64, ClockError> {
    let now = now.0 / 1000;
    match last.saturating_sub(now) {
        _ if now == 0 => Err(ClockError::Unset),
        0 => Ok(now),
        behind if behind <= CLOCK_BACK_SECONDS_MAX => Ok(last),
        behind_seconds => Err(ClockError::Behind { behind_seconds }),
    }
}

#[cfg(test)]
mod tests {
    use super::{ClockError, seconds};
    use words::UnixMillis;

    #[test]
    fn time_does_not_go_back_and_is_never_zero() {
        let at = |seconds: u64| UnixMillis(seconds * 1000 + 999);
        assert_eq!(seconds(at(5000), 0), Ok(5000));
        assert_eq!(seconds(at(5000), 5000), Ok(5000));
        assert_eq!(seconds(at(5000), 5900), Ok(5900));
        let behind = ClockError::Behind {
            behind_seconds: 901,
        };
        assert_eq!(seconds(at(5000), 5901), Err(behind));
        assert_eq!(seconds(at(0), 0), Err(ClockError::Unset));
        assert_eq!(seconds(at(0), 10), Err(ClockError::Unset));
    }
}
