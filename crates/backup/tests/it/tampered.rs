//! Nothing that was changed, cut or taken away passes, and what it was is named.

use crate::scene::{Act, Scene, files, told};
use backup::{Backup, BackupError, Manifest, take, verify};
use host::Host;
use std::path::{Path, PathBuf};

async fn made(folder: &Path) {
    let scene = Scene::default();
    for number in 0..12 {
        scene
            .act(&Act::Put(number, 20 + 40 * u16::from(number)))
            .await;
        scene.act(&Act::Fact(number, vec![number; 30])).await;
    }
    take(&mut scene.origin(), folder, None, &Host::real(), &told())
        .await
        .unwrap();
}

fn read(path: &Path) -> Vec<u8> {
    host::files::read(path, u64::MAX).unwrap().unwrap()
}

fn write(path: &Path, bytes: &[u8]) {
    host::files::write_durable(path, bytes, 0o600).unwrap();
}

/// What is said of a folder; empty if nothing is wrong with it.
fn judged(folder: &Path) -> String {
    let looked = Backup::open(folder).and_then(|backup| verify(&backup, None, &told()));
    match looked {
        Ok(verified) => verified.wrong.join("\n"),
        Err(error) => error.to_string(),
    }
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let all = files(folder).into_iter();
    all.filter(|path| path.file_name().is_some_and(|name| name != "lock"))
        .collect()
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_named() {
    let place = tempfile::tempdir().unwrap();
    made(place.path()).await;
    assert_eq!(judged(place.path()), "");
    let all = parts(place.path());
    assert!(all.len() > 10);
    for path in all {
        let whole = read(&path);
        let step = (whole.len() / 12).max(1);
        for at in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            write(&path, &bytes);
            let said = judged(place.path());
            assert!(
                said.contains(path.to_str().unwrap()),
                "byte {at} of {}: {said:?}",
                path.display()
            );
        }
        for cut in [0, whole.len() - 1] {
            write(&path, &whole[..cut]);
            let said = judged(place.path());
            assert!(said.contains(path.to_str().unwrap()), "{said}");
        }
        host::files::remove(&path).unwrap();
        let said = judged(place.path());
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(name), "{name}: {said}");
        write(&path, &whole);
    }
    assert_eq!(judged(place.path()), "");
}

/// Who changes a file and the manifest with it is found by what the rows and the signed checkpoint say.
#[tokio::test]
async fn a_manifest_that_fits_its_files_must_fit_the_signed_root_too() {
    let place = tempfile::tempdir().unwrap();
    made(place.path()).await;
    let backup = Backup::open(place.path()).unwrap();
    let manifest = backup.manifest().clone();
    let mut found = 0;
    for (at, block) in manifest.blocks.iter().enumerate() {
        let path = place
            .path()
            .join(format!("{:08}/rows/{at:08}", manifest.generation));
        let whole = read(&path);
        let mut rows = backup::block::decode(&whole).unwrap();
        let Some(ledger) = rows.iter().position(|(key, _)| key[0] == b'L') else {
            continue;
        };
        let mut value = rows[ledger].1.value.to_vec();
        value[5] ^= 1;
        rows[ledger].1.value = value.into();
        let bytes = backup::block::encode(&rows);
        let mut forged: Manifest = manifest.clone();
        forged.blocks[at].blake3 = *blake3::hash(&bytes).as_bytes();
        assert_eq!(block.bytes, bytes.len() as u64);
        write(&path, &bytes);
        write(&place.path().join("MANIFEST"), forged.to_text().as_bytes());
        let said = judged(place.path());
        assert!(said.contains("do not come to"), "{said}");
        found += 1;
        write(&path, &whole);
    }
    assert!(found > 0);
    write(
        &place.path().join("MANIFEST"),
        manifest.to_text().as_bytes(),
    );
    assert_eq!(judged(place.path()), "");
    let other = ledger::LogKeys::from_seeds("clarence.example/ledger", &[8; 64]).unwrap();
    let refused = verify(&backup, Some(other.verifier()), &told());
    assert!(
        matches!(refused, Err(BackupError::Altered { .. })),
        "{refused:?}"
    );
}
