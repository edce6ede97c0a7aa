//! Keys that need something besides the shares: an outer secret that an HSM holds, or two halves of a key that
//! two places hold. All are HKDF-SHA512 over secrets of 32 bytes each, with a label of their own, bound to the
//! cloud.

use crate::derive::{CryptoFault, hkdf_sha512, join_secret};
use crate::secret::RootSecret;
use words::CloudId;
use zeroize::Zeroizing;

const LABEL: &[u8] = b"clarence/v1/custody";

impl RootSecret {
    /// The root that the sites' keys are wrapped under once an HSM holds `outer`: neither the shares nor the HSM
    /// give it alone.
    pub fn with_outer(&self, outer: &[u8; 32], cloud: CloudId) -> Result<Self, CryptoFault> {
        let key = derive(&[self.expose(), outer], b"outer root", cloud, b"")?;
        Ok(Self::from_bytes(&key))
    }
}

/// The key of a restart without officers: neither half gives it alone. `lease` is the digest of the request that
/// a quorum has approved.
pub fn restart_key(
    own_half: &[u8; 32],
    other_half: &[u8; 32],
    cloud: CloudId,
    lease: &[u8; 64],
) -> Result<Zeroizing<[u8; 32]>, CryptoFault> {
    derive(&[own_half, other_half], b"restart", cloud, lease)
}

/// The key with which the holder of the other half knows who asks for it. It is derived one way from the own half:
/// whoever has it can neither find that half nor the restart key.
pub fn exchange_key(
    own_half: &[u8; 32],
    cloud: CloudId,
    lease: &[u8; 64],
) -> Result<Zeroizing<[u8; 32]>, CryptoFault> {
    derive(&[own_half], b"exchange", cloud, lease)
}

fn derive(
    secrets: &[&[u8]],
    purpose: &[u8],
    cloud: CloudId,
    context: &[u8],
) -> Result<Zeroizing<[u8; 32]>, CryptoFault> {
    let mut key = Zeroizing::new([0; 32]);
    let secret = join_secret(secrets);
    let info: [&[u8]; 6] = [LABEL, b"\0", purpose, b"\0", cloud.as_bytes(), context];
    hkdf_sha512(LABEL, &secret, &info, &mut key[..])?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_root_needs_both_secrets_and_the_cloud() {
        let cloud = CloudId::from_bytes([1; 16]);
        let of = |root: u8, outer: u8, cloud| {
            let root = RootSecret::from_bytes(&[root; 32]);
            *root.with_outer(&[outer; 32], cloud).unwrap().expose()
        };
        let key = of(2, 3, cloud);
        assert_eq!(key, of(2, 3, cloud));
        let others = [
            of(4, 3, cloud),
            of(2, 4, cloud),
            of(3, 2, cloud),
            of(2, 3, CloudId::from_bytes([9; 16])),
            [2; 32],
            [3; 32],
        ];
        assert!(others.iter().all(|other| *other != key));
    }

    #[test]
    fn a_restart_key_needs_both_halves_and_its_lease() {
        let cloud = CloudId::from_bytes([1; 16]);
        let key = restart_key(&[2; 32], &[3; 32], cloud, &[4; 64]).unwrap();
        let exchange = exchange_key(&[2; 32], cloud, &[4; 64]).unwrap();
        let others = [
            restart_key(&[9; 32], &[3; 32], cloud, &[4; 64]).unwrap(),
            restart_key(&[2; 32], &[9; 32], cloud, &[4; 64]).unwrap(),
            restart_key(&[3; 32], &[2; 32], cloud, &[4; 64]).unwrap(),
            restart_key(&[2; 32], &[3; 32], cloud, &[9; 64]).unwrap(),
            restart_key(&exchange, &[3; 32], cloud, &[4; 64]).unwrap(),
            exchange,
        ];
        assert!(others.iter().all(|other| *other != key));
    }

    /// Written once and for ever: a cloud that is wrapped so must open.
    #[test]
    fn golden() {
        let root = RootSecret::from_bytes(&[2; 32]);
        let key = root
            .with_outer(&[3; 32], CloudId::from_bytes([1; 16]))
            .unwrap();
        assert_eq!(
            words::hex::encode(key.expose()),
            "789b715f03bd6bfef4b6f964b33a00cf8bb06b394ae303ce330358e1afcad2fc"
        );
    }
}
