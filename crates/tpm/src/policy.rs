//! What has to hold when the TPM gives a secret out.

use std::fmt;

/// Platform configuration registers 0 to 23.
pub const PCR_MAX: u8 = 23;

/// The PCRs that must have the value they had, and the end by the TPM's own clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// One bit for each PCR of the SHA-256 bank.
    pcrs: u32,
    /// The TPM's clock, in milliseconds of power, at which it stops giving the secret out.
    pub clock_before_ms: u64,
}

/// Why a choice of PCRs is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; PCRs are numbered 0 to {PCR_MAX}, and at least one is needed, such as 7 (secure boot)"
)]
pub struct PolicyError(String);

impl Policy {
    /// Binds to these PCRs.
    pub fn new(pcrs: &[u8], clock_before_ms: u64) -> Result<Self, PolicyError> {
        let mut bits = 0;
        for &pcr in pcrs {
            if pcr > PCR_MAX {
                return Err(PolicyError(format!("there is no PCR {pcr}")));
            }
            bits |= 1 << pcr;
        }
        Self::from_bits(bits, clock_before_ms)
            .ok_or_else(|| PolicyError("no PCR is named".to_owned()))
    }
    /// As it was stored.
    #[must_use]
    pub const fn from_bits(pcrs: u32, clock_before_ms: u64) -> Option<Self> {
        match pcrs == 0 || pcrs >> (PCR_MAX + 1) != 0 {
            true => None,
            false => Some(Self {
                pcrs,
                clock_before_ms,
            }),
        }
    }
    /// As it is stored.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.pcrs
    }
    /// TPMS_PCR_SELECTION's bitmap.
    pub(crate) const fn select(&self) -> [u8; 3] {
        let [a, b, c, _] = self.pcrs.to_le_bytes();
        [a, b, c]
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = (0..=PCR_MAX)
            .filter(|pcr| self.pcrs >> pcr & 1 == 1)
            .map(|pcr| pcr.to_string())
            .collect();
        f.write_str(&named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pcrs_become_bits_and_back() {
        let policy = Policy::new(&[7, 11, 0, 23], 5).unwrap();
        assert_eq!(policy.select(), [0x81, 0x08, 0x80]);
        assert_eq!(policy.to_string(), "0, 7, 11, 23");
        assert_eq!(Policy::from_bits(policy.bits(), 5), Some(policy));
        assert!(Policy::new(&[], 5).is_err() && Policy::new(&[24], 5).is_err());
        assert_eq!(Policy::from_bits(1 << 24, 5), None);
    }
}
