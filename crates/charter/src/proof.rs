//! The proof held before any share leaves the room: every set of as many shares as the threshold rebuilds
//! the root, and every set of one share fewer does not.

use crate::derive::CryptoFault;
use crate::record::{Proof, ShareFile};
use crate::secret::{KeyCheck, RootSecret};
use crate::shamir::{self, SharingError};
use words::CloudId;

/// Why the proof failed. The shares were dropped and wiped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A set that must rebuild the root does not.
    #[error(
        "the shares of {0:?} do not rebuild the root; nothing was given out; hold the ceremony again"
    )]
    DoesNotRebuild(Vec<String>),
    /// A set that must not rebuild the root does.
    #[error(
        "the shares of {0:?} rebuild the root although they are too few; nothing was given out; hold the ceremony again"
    )]
    RebuildsTooEarly(Vec<String>),
    /// The shares do not fit together.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// The cryptographic library refused to work.
    #[error(transparent)]
    Crypto(#[from] CryptoFault),
}

/// Tries every set. At most 16 parties, so at most 12,870 sets of each size.
pub(crate) fn prove(
    shares: &[ShareFile],
    threshold: u8,
    cloud: CloudId,
    expected: KeyCheck,
) -> Result<Proof, ProofError> {
    let mut proof = Proof {
        sets_that_fail: 0,
        sets_that_rebuild: 0,
    };
    let size = u32::from(threshold);
    let limit = 1_u32
        .checked_shl(u32::try_from(shares.len()).unwrap_or(u32::MAX))
        .unwrap_or(0);
    for set in 1..limit {
        let members = || {
            (0..)
                .zip(shares)
                .filter(|(bit, _)| set >> *bit & 1 == 1)
                .map(|(_, share)| share)
        };
        let names = || {
            members()
                .map(|share| share.party().as_str().to_owned())
                .collect()
        };
        match set.count_ones() {
            ones if ones == size => match rebuilds(members(), cloud, expected)? {
                true => proof.sets_that_rebuild += 1,
                false => return Err(ProofError::DoesNotRebuild(names())),
            },
            ones if ones + 1 == size => match rebuilds(members(), cloud, expected)? {
                false => proof.sets_that_fail += 1,
                true => return Err(ProofError::RebuildsTooEarly(names())),
            },
            _ => {}
        }
    }
    Ok(proof)
}

fn rebuilds<'a>(
    members: impl Iterator<Item = &'a ShareFile>,
    cloud: CloudId,
    expected: KeyCheck,
) -> Result<bool, ProofError> {
    let points: Vec<_> = members.map(|share| (share.x(), share.value())).collect();
    let root = match points.as_slice() {
        // Interpolation through a single point is the constant through it.
        [(_, only)] => RootSecret::from_bytes(only),
        _ => RootSecret::from_bytes(&*shamir::combine(points)?),
    };
    Ok(root.key_check(cloud)? == expected)
}

#[cfg(test)]
mod tests {
    use super::{ProofError, prove};
    use crate::record::{CeremonyId, Custody, Holder, ShareFile};
    use crate::secret::RootSecret;
    use crate::shamir::{SECRET_BYTES, coefficients_needed, split};
    use crate::{Charter, ShareDigest};
    use words::CloudId;

    /// Three shares dealt with one threshold while the record says another.
    fn outcome(dealt: u8, said: u8) -> Result<(u32, u32), ProofError> {
        let (charter, cloud) = (Charter::default(), CloudId::from_bytes([1; 16]));
        let root = RootSecret::from_bytes(&[42; SECRET_BYTES]);
        let coefficients: Vec<u8> = (0..coefficients_needed(dealt))
            .map(|n| n as u8 * 3 + 1)
            .collect();
        let values = split(root.expose(), dealt, 3, &coefficients).unwrap();
        let blank = |(x, party): (u8, &words::PartyName)| Holder {
            party: party.clone(),
            x,
            digest: ShareDigest::from_bytes([0; 32]),
        };
        let mut custody = Custody {
            cloud,
            cloud_name: "lu".to_owned(),
            ceremony: CeremonyId::from_bytes([2; 16]),
            epoch: 1,
            charter: charter.digest(),
            threshold: said,
            key_check: root.key_check(cloud).unwrap(),
            holders: (1..).zip(charter.parties()).map(blank).collect(),
        };
        for (index, value) in values.iter().enumerate() {
            let holder = custody.holders[index].clone();
            custody.holders[index].digest = custody.digest_of(&holder.party, holder.x, value);
        }
        let file = |(holder, value): (&Holder, _)| {
            ShareFile::new(custody.clone(), holder.party.clone(), holder.x, value).unwrap()
        };
        let shares: Vec<ShareFile> = custody.holders.iter().zip(values).map(file).collect();
        let proof = prove(&shares, said, cloud, custody.key_check)?;
        Ok((proof.sets_that_rebuild, proof.sets_that_fail))
    }

    #[test]
    fn a_right_dealing_is_proven_whole() {
        assert_eq!(outcome(2, 2), Ok((3, 3)));
        assert_eq!(outcome(3, 3), Ok((1, 3)));
    }

    #[test]
    fn negative_control_a_dealing_that_needs_more_is_found_out() {
        let names = vec!["ctie".to_owned(), "luxconnect".to_owned()];
        assert_eq!(outcome(3, 2), Err(ProofError::DoesNotRebuild(names)));
    }

    #[test]
    fn negative_control_a_dealing_that_needs_fewer_is_found_out() {
        let names = vec!["ctie".to_owned(), "luxconnect".to_owned()];
        assert_eq!(outcome(2, 3), Err(ProofError::RebuildsTooEarly(names)));
    }
}
