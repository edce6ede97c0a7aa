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
