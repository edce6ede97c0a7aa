//! The rows behind erasure, all under tag `E`: a group's key, who is in which group, which objects a group
//! has, what was erased, which shares were dealt and destroyed. Drawn in `docs/format/erasure.md`.

pub mod attest;
pub mod dealing;
pub mod erasure;
pub mod group;
pub mod member;
pub mod subject;

/// The tag of all of these rows.
pub const TAG: u8 = b'E';

#[cfg(test)]
mod tests {
    //! The bytes as `docs/format/erasure.md` draws them, written out by hand.

    use super::*;
    use words::wire::Writer;
    use words::{BucketId, PartyName, TenantId, UnixMillis, VersionId};

    #[test]
    fn the_rows_are_as_drawn() {
        let row = group::GroupRow {
            erasing: true,
            tenant: TenantId::from_bytes([1; 16]),
            subject: [2; 32],
            created: UnixMillis(3),
            born: 4,
            key: [5; 104],
            sealed_subject: vec![6; 7],
        };
        let drawn = [
            &[1, 1][..],
            &[1; 16],
            &[2; 32],
            &[0, 0, 0, 0, 0, 0, 0, 3],
            &[0, 0, 0, 4],
            &[5; 104],
            &[0, 0, 0, 7],
            &[6; 7],
        ];
        assert_eq!(row.encode(), drawn.concat());
        let row = member::MemberRow {
            name_hash: [1; 32],
            sealed_name: vec![2; 3],
        };
        let drawn = [&[1][..], &[1; 32], &[0, 0, 0, 3], &[2; 3]];
        assert_eq!(row.encode(), drawn.concat());
        let row = erasure::ErasureRow {
            stage: erasure::Stage::Moved,
            tenant: TenantId::from_bytes([1; 16]),
            group: [2; 16],
            commitment: [3; 32],
            ordered: UnixMillis(4),
            born: 5,
            last: 6,
            objects: 7,
            uploads: 8,
            entry: 9,
            moved: UnixMillis(10),
            moved_to: 11,
        };
        let drawn = Writer::bare()
            .raw(&[1, 3])
            .raw(&[1; 16])
            .raw(&[2; 16])
            .raw(&[3; 32])
            .u64(4)
            .u32(5)
            .u32(6)
            .u64(7)
            .u64(8)
            .u64(9)
            .u64(10)
            .u32(11)
            .finish();
        assert_eq!((row.encode(), drawn.len()), (drawn.clone(), 118));
    }

    #[test]
    fn the_keys_are_as_drawn() {
        let bucket = BucketId::from_bytes([7; 16]);
        let version = VersionId::from_bytes([8; 16]);
        let party = PartyName::parse("ctie").unwrap();
        let keys = [
            (
                group::key(2, &[9; 16]),
                [&b"Eg\0\0\0\x02"[..], &[9; 16]].concat(),
            ),
            (
                subject::key(TenantId::from_bytes([1; 16]), &[2; 32]),
                [&b"Es"[..], &[1; 16], &[2; 32]].concat(),
            ),
            (
                member::key(&[9; 16], bucket, version),
                [&b"Em"[..], &[9; 16], &[7; 16], &[8; 16]].concat(),
            ),
            (erasure::key(&[3; 16]), [&b"Er"[..], &[3; 16]].concat()),
            (dealing::key(1, 2), b"Ed\0\0\0\x01\0\0\0\x02".to_vec()),
            (
                attest::key(&[4; 16], 1, &party),
                [&b"Ea"[..], &[4; 16], b"\0\0\0\x01ctie"].concat(),
            ),
        ];
        for (made, drawn) in keys {
            assert_eq!(made, drawn);
        }
    }
}
