//! Share files and records of custody in folders.

use super::world::{default_founding, host};
use charter::files::{FileError, load_custody, load_share, share_path, write_custody, write_share};
use charter::{Charter, Contribution, ShareError, reshare};
use host::files;

#[test]
fn each_share_lies_in_its_partys_folder_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let founding = default_founding(90);
    for (party, share) in &founding.shares {
        let path = write_share(folder.path(), share).unwrap();
        assert_eq!(
            path,
            folder.path().join(party.as_str()).join("share.clarence")
        );
        assert_eq!(files::mode(&path).unwrap(), 0o600);
        assert_eq!(files::mode(path.parent().unwrap()).unwrap(), 0o700);
        let by_file = load_share(&path).unwrap();
        let by_folder = load_share(path.parent().unwrap()).unwrap();
        assert_eq!((*by_file.to_text()).clone(), *by_folder.to_text());
        assert_eq!(
            files::list(path.parent().unwrap()).unwrap(),
            ["share.clarence"],
            "nothing is left beside it"
        );
    }
}

#[test]
fn a_share_that_may_be_the_last_copy_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (default_founding(91), default_founding(92));
    let path = write_share(folder.path(), &one.shares[0].1).unwrap();
    write_share(folder.path(), &one.shares[0].1).unwrap();
    assert!(matches!(
        write_share(folder.path(), &other.shares[0].1),
        Err(FileError::Occupied(_))
    ));
    assert_eq!(load_share(&path).unwrap().cloud(), one.cloud);

    // A new dealing of the same root replaces it, and is not replaced by the old one.
    let (charter, host) = (Charter::default(), host(93));
    let contributions = Contribution::draw_for_all(charter.parties(), &host);
    let new = reshare(
        &charter,
        &one.root,
        one.transcript.custody(),
        &host,
        contributions,
    )
    .unwrap();
    write_share(folder.path(), &new.shares[0].1).unwrap();
    assert!(matches!(
        write_share(folder.path(), &one.shares[0].1),
        Err(FileError::Occupied(_))
    ));
    assert_eq!(load_share(&path).unwrap().epoch(), 2);

    // Even a damaged file is somebody's, and so is one that is far too long.
    for bytes in [b"something else".to_vec(), vec![b'x'; 100_000]] {
        files::write_durable(&path, &bytes, 0o600).unwrap();
        assert!(matches!(
            write_share(folder.path(), &one.shares[0].1),
            Err(FileError::Occupied(_))
        ));
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let founding = default_founding(94);
    let path = share_path(folder.path(), &founding.shares[0].0);
    assert!(matches!(load_share(&path), Err(FileError::Missing(p)) if p == path));
    write_share(folder.path(), &founding.shares[0].1).unwrap();
    files::overwrite_at(&path, 300, b"#").unwrap();
    let error = load_share(&path).unwrap_err();
    assert!(matches!(
        &error,
        FileError::Share {
            source: ShareError::Damaged { .. },
            ..
        }
    ));
    assert!(
        error.to_string().starts_with(path.to_str().unwrap()),
        "{error}"
    );
    files::write_durable(&path, &vec![b'#'; 1 << 20], 0o600).unwrap();
    assert!(matches!(
        load_share(&path),
        Err(FileError::Share {
            source: ShareError::NotAShareFile,
            ..
        })
    ));
}

#[test]
fn the_record_of_custody_goes_forward_only() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (default_founding(95), default_founding(96));
    assert!(matches!(
        load_custody(folder.path()),
        Err(FileError::Missing(_))
    ));
    let path = write_custody(folder.path(), one.transcript.custody()).unwrap();
    assert_eq!(
        load_custody(folder.path()).unwrap(),
        *one.transcript.custody()
    );
    assert!(matches!(
        write_custody(folder.path(), other.transcript.custody()),
        Err(FileError::Newer(_))
    ));

    let (charter, host) = (Charter::default(), host(97));
    let contributions = Contribution::draw_for_all(charter.parties(), &host);
    let new = reshare(
        &charter,
        &one.root,
        one.transcript.custody(),
        &host,
        contributions,
    )
    .unwrap();
    write_custody(folder.path(), new.transcript.custody()).unwrap();
    assert!(matches!(
        write_custody(folder.path(), one.transcript.custody()),
        Err(FileError::Newer(_))
    ));
    assert_eq!(load_custody(folder.path()).unwrap().epoch(), 2);

    // A damaged one is named and heals by writing; one of a newer format is left alone.
    files::overwrite_at(&path, 10, b"!").unwrap();
    assert!(matches!(
        load_custody(folder.path()),
        Err(FileError::Custody { .. })
    ));
    write_custody(folder.path(), new.transcript.custody()).unwrap();
    let newer = new
        .transcript
        .custody()
        .to_json()
        .unwrap()
        .replace("\"format\":1", "\"format\":9");
    files::write_durable(&path, newer.as_bytes(), 0o600).unwrap();
    assert!(matches!(
        write_custody(folder.path(), new.transcript.custody()),
        Err(FileError::Custody { .. })
    ));
}
