//! Hashes of a body as it streams by: MD5 for the ETag, and only those checksums that were asked for.

use crate::api::{Checksum, ChecksumKind, Expected};
use crate::error::StoreError;
use aws_lc_rs::digest;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::{Digest as _, Md5};

enum Running {
    Crc(ChecksumKind, Box<Crc>),
    Sha(ChecksumKind, digest::Context),
}

/// All hashes of one body.
pub struct BodyHashes {
    md5: Md5,
    payload_sha256: Option<digest::Context>,
    running: Vec<Running>,
}

/// The hashes of a whole body.
#[derive(Clone)]
pub struct BodyDigests {
    /// MD5 of the plaintext: the ETag of a single PUT.
    pub md5: [u8; 16],
    /// The checksums computed.
    pub checksums: Vec<Checksum>,
    payload_sha256: Option<Vec<u8>>,
}

impl BodyHashes {
    /// Prepares the hashes that `expected` needs, and those of `also`.
    #[must_use]
    pub fn new(expected: &Expected, also: Option<ChecksumKind>) -> Self {
        let mut kinds: Vec<ChecksumKind> = expected.checksums.iter().map(|c| c.kind).collect();
        kinds.extend(expected.announced);
        kinds.extend(also);
        kinds.sort_unstable();
        kinds.dedup();
        Self {
            md5: Md5::new(),
            payload_sha256: expected
                .payload_sha256
                .map(|_| digest::Context::new(&digest::SHA256)),
            running: kinds.into_iter().map(Running::new).collect(),
        }
    }

    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some(sha) = &mut self.payload_sha256 {
            sha.update(bytes);
        }
        for running in &mut self.running {
            match running {
                Running::Crc(_, crc) => crc.update(bytes),
                Running::Sha(_, sha) => sha.update(bytes),
            }
        }
    }

    /// Ends the body.
    #[must_use]
    pub fn finish(self) -> BodyDigests {
        BodyDigests {
            md5: self.md5.finalize().into(),
            checksums: self.running.into_iter().map(Running::finish).collect(),
            payload_sha256: self
                .payload_sha256
                .map(|sha| sha.finish().as_ref().to_vec()),
        }
    }
}

impl Running {
    fn new(kind: ChecksumKind) -> Self {
        match kind {
            ChecksumKind::Crc32 => Self::Crc(kind, Box::new(Crc::new(CrcAlgorithm::Crc32IsoHdlc))),
            ChecksumKind::Crc32c => Self::Crc(kind, Box::new(Crc::new(CrcAlgorithm::Crc32Iscsi))),
            ChecksumKind::Crc64Nvme => Self::Crc(kind, Box::new(Crc::new(CrcAlgorithm::Crc64Nvme))),
            ChecksumKind::Sha1 => Self::Sha(
                kind,
                digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            ),
            ChecksumKind::Sha256 => Self::Sha(kind, digest::Context::new(&digest::SHA256)),
        }
    }
    fn finish(self) -> Checksum {
        match self {
            Self::Sha(kind, sha) => Checksum {
                kind,
                value: sha.finish().as_ref().to_vec(),
                parts: None,
            },
            Self::Crc(kind, crc) => {
                let all = crc.finalize().to_be_bytes();
                let width = if kind == ChecksumKind::Crc64Nvme {
                    8
                } else {
                    4
                };
                Checksum {
                    kind,
                    value: all[8 - width..].to_vec(),
                    parts: None,
                }
            }
        }
    }
}

impl BodyDigests {
    /// Compares with everything that the client said, the trailer included.
    pub fn check(&self, expected: &Expected) -> Result<(), StoreError> {
        if expected
            .payload_sha256
            .is_some_and(|want| self.payload_sha256.as_deref() != Some(&want[..]))
        {
            return Err(StoreError::Body(crate::api::BodyError::Signature));
        }
        if expected.md5.is_some_and(|want| want != self.md5) {
            return Err(StoreError::BadDigest("Content-MD5"));
        }
        let trailer = expected.trailer.get();
        for want in expected.checksums.iter().chain(trailer) {
            match self.checksums.iter().find(|have| have.kind == want.kind) {
                Some(have) if have.value == want.value => {}
                _ => return Err(StoreError::BadDigest(want.kind.name())),
            }
        }
        Ok(())
    }
}

/// The checksum of parts' checksums, which S3 shows with `-N` behind it.
#[must_use]
pub fn composite(kind: ChecksumKind, parts: &[Vec<u8>]) -> Checksum {
    let mut running = Running::new(kind);
    for part in parts {
        match &mut running {
            Running::Crc(_, crc) => crc.update(part),
            Running::Sha(_, sha) => sha.update(part),
        }
    }
    let whole = running.finish();
    Checksum {
        parts: u32::try_from(parts.len()).ok(),
        ..whole
    }
}

/// Joins the CRCs of parts into that of the whole (`FULL_OBJECT`); nothing for the SHA families.
#[must_use]
pub fn full_object(kind: ChecksumKind, parts: &[(Vec<u8>, u64)]) -> Option<Checksum> {
    let (algorithm, width) = match kind {
        ChecksumKind::Crc32 => (CrcAlgorithm::Crc32IsoHdlc, 4),
        ChecksumKind::Crc32c => (CrcAlgorithm::Crc32Iscsi, 4),
        ChecksumKind::Crc64Nvme => (CrcAlgorithm::Crc64Nvme, 8),
        ChecksumKind::Sha1 | ChecksumKind::Sha256 => return None,
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let mut whole: Option<u64> = None;
    for (value, length) in parts {
        whole = Some(match whole {
            None => number(value),
            Some(before) => crc_fast::checksum_combine(algorithm, before, number(value), *length),
        });
    }
    let value = whole?.to_be_bytes()[8 - width..].to_vec();
    Some(Checksum {
        kind,
        value,
        parts: None,
    })
}

/// The ETag of a multipart object: MD5 over the parts' MD5s, with their number.
#[must_use]
pub fn multipart_etag(parts: &[[u8; 16]]) -> ([u8; 16], u32) {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    (
        md5.finalize().into(),
        u32::try_from(parts.len()).unwrap_or(u32::MAX),
    )
}

/// Writes an ETag as clients see it, without quotes.
#[must_use]
pub fn etag_text(md5: &[u8; 16], parts: Option<u32>) -> String {
    match parts {
        None => words::hex::encode(md5),
        Some(parts) => format!("{}-{parts}", words::hex::encode(md5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check values of the CRC catalogue (reveng) and FIPS 180 for the message "123456789".
    #[test]
    fn known_values() {
        let expected = Expected {
            checksums: vec![],
            ..Expected::default()
        };
        for (kind, hex) in [
            (ChecksumKind::Crc32, "cbf43926"),
            (ChecksumKind::Crc32c, "e3069283"),
            (ChecksumKind::Crc64Nvme, "ae8b14860a799888"),
            (
                ChecksumKind::Sha1,
                "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
            ),
        ] {
            let mut hashes = BodyHashes::new(&expected, Some(kind));
            hashes.update(b"1234");
            hashes.update(b"56789");
            let digests = hashes.finish();
            assert_eq!(words::hex::encode(&digests.checksums[0].value), hex);
            assert_eq!(
                words::hex::encode(&digests.md5),
                "25f9e794323b453885f5181f1b624d0b"
            );
        }
    }

    #[test]
    fn crc_of_the_whole_from_those_of_the_parts() {
        for kind in [
            ChecksumKind::Crc32,
            ChecksumKind::Crc32c,
            ChecksumKind::Crc64Nvme,
        ] {
            let of = |bytes: &[u8]| {
                let mut hashes = BodyHashes::new(&Expected::default(), Some(kind));
                hashes.update(bytes);
                hashes.finish().checksums.remove(0)
            };
            let parts = [
                (of(b"hello ").value, 6),
                (of(b"wide ").value, 5),
                (of(b"world").value, 5),
            ];
            assert_eq!(full_object(kind, &parts), Some(of(b"hello wide world")));
        }
    }
}
