//! What only a folder can suffer.
#![allow(clippy::disallowed_methods)] // tests damage files from outside

use crate::support::{id, noise, put, sealed};
use chunks::{Cause, ChunkError, ChunkStore, Dir};
use std::fs;
use std::path::Path;
use std::process::Command;

#[tokio::test]
async fn lies_where_the_format_says() {
    let guard = tempfile::tempdir().unwrap();
    let store = Dir::found(guard.path()).unwrap();
    put(&store, id(0xab, 0xcd), &[b"sealed"]).await.unwrap();
    let file = guard
        .path()
        .join("chunks/ab/ab0000000000000000000000000000cd");
    assert_eq!(fs::read(&file).unwrap(), b"sealed");
    assert_eq!(store.path_of(id(0xab, 0xcd)), file);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // 256 folders and the one for copies.
    assert_eq!(
        fs::read_dir(guard.path().join("chunks")).unwrap().count(),
        257
    );
}

#[tokio::test]
async fn a_missing_folder_is_not_made_up() {
    let guard = tempfile::tempdir().unwrap();
    assert!(matches!(
        Dir::open(guard.path()),
        Err(ChunkError::FolderMissing { .. })
    ));
    let site = guard.path().join("site");
    let store = Dir::found(&site).unwrap();
    put(&store, id(1, 1), &[b"x"]).await.unwrap();
    let mut begun = store.create(id(1, 2)).await.unwrap();
    begun.append(&sealed(noise(1, 2_000_000))).await.unwrap();
    fs::rename(&site, guard.path().join("aside")).unwrap();
    away(&store, Some(begun)).await;
    // An empty mount point does not pass for a site either.
    fs::create_dir(&site).unwrap();
    away(&store, None).await;
    fs::create_dir(site.join("chunks")).unwrap();
    away(&store, None).await;
    fs::remove_dir_all(&site).unwrap();
    fs::rename(guard.path().join("aside"), &site).unwrap();
    store.probe().await.unwrap();
    assert_eq!(store.read(id(1, 1), 0, 1).await.unwrap(), &b"x"[..]);
}

/// Every step says that the folder is away, never that a chunk is missing.
async fn away(store: &Dir, begun: Option<Box<dyn chunks::ChunkWriter>>) {
    let mut errors = vec![
        store.read(id(1, 1), 0, 1).await.unwrap_err(),
        store.read(id(1, 1), 0, 100_000).await.unwrap_err(),
        store.stat(id(1, 1)).await.unwrap_err(),
        store.list(None, 10).await.unwrap_err(),
        store.probe().await.unwrap_err(),
        put(store, id(1, 3), &[b"y"]).await.unwrap_err(),
    ];
    if let Some(begun) = begun {
        errors.push(begun.finish().await.unwrap_err());
    }
    for error in errors {
        assert_eq!(error.cause(), Cause::FolderAway, "{error}");
    }
}

#[tokio::test]
async fn an_exchanged_folder_is_not_taken_for_ours() {
    let guard = tempfile::tempdir().unwrap();
    let site = guard.path().join("site");
    let store = Dir::found(&site).unwrap();
    put(&store, id(1, 1), &[b"x"]).await.unwrap();
    let mut begun = store.create(id(1, 2)).await.unwrap();
    begun.append(&sealed(noise(1, 2_000_000))).await.unwrap();
    fs::rename(&site, guard.path().join("aside")).unwrap();
    drop(Dir::found(&site).unwrap());
    assert!(matches!(
        store.probe().await,
        Err(ChunkError::FolderReplaced { .. })
    ));
    assert!(matches!(
        store.read(id(1, 1), 0, 1).await,
        Err(ChunkError::FolderReplaced { .. })
    ));
    assert!(matches!(
        put(&store, id(1, 3), &[b"y"]).await,
        Err(ChunkError::FolderReplaced { .. })
    ));
    assert!(begun.finish().await.is_err());
    // Only by decision: then chunks are missing, one by one, and can be healed.
    store.adopt().await.unwrap();
    assert!(matches!(
        store.read(id(1, 1), 0, 1).await,
        Err(ChunkError::Missing { .. })
    ));
    put(&store, id(1, 4), &[b"z"]).await.unwrap();
    fs::remove_dir_all(&site).unwrap();
    assert!(matches!(
        store.adopt().await,
        Err(ChunkError::FolderMissing { .. })
    ));
}

#[tokio::test]
async fn a_store_can_wait_for_its_folder() {
    let guard = tempfile::tempdir().unwrap();
    let site = guard.path().join("site");
    let store = Dir::awaiting(&site);
    away(&store, None).await;
    assert!(store.adopt().await.is_err());
    let before = Dir::found(&site).unwrap();
    put(&before, id(1, 1), &[b"x"]).await.unwrap();
    assert_eq!(
        put(&store, id(1, 2), &[b"y"]).await.unwrap_err().cause(),
        Cause::FolderAway
    );
    store.adopt().await.unwrap();
    assert_eq!(store.read(id(1, 1), 0, 1).await.unwrap(), &b"x"[..]);
    put(&store, id(1, 3), &[b"z"]).await.unwrap();
}

#[tokio::test]
async fn opening_tidies_copies_but_keeps_chunks() {
    let guard = tempfile::tempdir().unwrap();
    let store = Dir::found(guard.path()).unwrap();
    put(&store, id(1, 1), &[b"kept"]).await.unwrap();
    let copy = guard.path().join("chunks/incoming/half.0");
    fs::write(&copy, b"half").unwrap();
    fs::write(guard.path().join("chunks/01/notes.txt"), b"somebody's").unwrap();
    let store = Dir::open(guard.path()).unwrap();
    assert!(!copy.exists());
    assert_eq!(store.list(None, 10).await.unwrap().len(), 1);
    assert_eq!(
        fs::read_dir(guard.path().join("chunks/incoming"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_step_that_is_cut_off_cannot_be_finished() {
    let guard = tempfile::tempdir().unwrap();
    let store = Dir::found(guard.path()).unwrap();
    // The only disk thread is busy, so that the step cannot be done before it is cut off.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || wait.recv());
        let mut writer = store.create(id(1, 1)).await.unwrap();
        let piece = sealed(noise(1, 4_000_000));
        let cut = std::time::Duration::from_millis(20);
        assert!(
            tokio::time::timeout(cut, writer.append(&piece))
                .await
                .is_err()
        );
        drop(release);
        let _ = busy.await;
        assert!(matches!(
            writer.append(&piece).await,
            Err(ChunkError::GivenUp { .. })
        ));
        assert!(matches!(
            writer.finish().await,
            Err(ChunkError::GivenUp { .. })
        ));
    });
}

/// Runs one of the ignored tests below in a process of its own, started by a shell command that sets the
/// scene. False if the scene cannot be set on this machine.
fn alone(scene: &str, test: &str, folder: &Path) -> bool {
    let binary = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", scene])
        .env("TEST", test)
        .env("BINARY", binary)
        .env("FOLDER", folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if text.contains("no scene") {
        eprintln!("skipped: {text}");
        return false;
    }
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    true
}

const RUN: &str = r#""$BINARY" --exact "$TEST" --ignored --test-threads=1"#;

#[test]
fn too_many_files_is_our_own_fault() {
    let guard = tempfile::tempdir().unwrap();
    assert!(alone(
        &format!("ulimit -n 60; {RUN}"),
        "dir::child_too_many_files",
        guard.path()
    ));
}

#[tokio::test]
#[ignore = "run by too_many_files_is_our_own_fault"]
async fn child_too_many_files() {
    let site = std::env::var("FOLDER").unwrap();
    let store = Dir::found(Path::new(&site)).unwrap();
    put(&store, id(1, 1), &[b"x"]).await.unwrap();
    let mut held = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        held.push(file);
    }
    let errors = [
        store.read(id(1, 1), 0, 1).await.unwrap_err(),
        store.read(id(1, 1), 0, 100_000).await.unwrap_err(),
        put(&store, id(1, 2), &[b"y"]).await.unwrap_err(),
        store.probe().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.cause(), Cause::Ourselves, "{error}");
    }
    held.clear();
    assert_eq!(store.read(id(1, 1), 0, 1).await.unwrap(), &b"x"[..]);
    put(&store, id(1, 2), &[b"y"]).await.unwrap();
}

#[test]
fn a_full_and_a_read_only_folder_still_give_what_they_have() {
    let guard = tempfile::tempdir().unwrap();
    let scene = format!(
        r#"unshare -rm true || {{ echo no scene; exit; }}
        unshare -rm sh -c 'mount -t tmpfs -o size=4m none "$FOLDER" || {{ echo no scene; exit; }}; {RUN}'"#
    );
    alone(&scene, "dir::child_full_and_read_only", guard.path());
}

#[tokio::test]
#[ignore = "run by a_full_and_a_read_only_folder_still_give_what_they_have"]
async fn child_full_and_read_only() {
    let site = std::env::var("FOLDER").unwrap();
    let store = Dir::found(Path::new(&site)).unwrap();
    put(&store, id(1, 1), &[b"x"]).await.unwrap();
    let mut filled = 0;
    let error = loop {
        match put(&store, id(2, filled), &[&noise(1, 1_000_000)]).await {
            Ok(()) => filled += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ChunkError::Full { .. }), "{error}");
    // What did not fit is gone again, what was there is readable, and space comes back by deleting.
    assert!(store.stat(id(2, filled)).await.unwrap().is_none());
    assert_eq!(store.read(id(1, 1), 0, 1).await.unwrap(), &b"x"[..]);
    store.delete(id(2, 0)).await.unwrap();
    put(&store, id(3, 0), &[b"fits"]).await.unwrap();
    let remount = Command::new("mount")
        .args(["-o", "remount,ro", &site])
        .status()
        .unwrap();
    assert!(remount.success());
    assert!(matches!(
        put(&store, id(4, 0), &[b"y"]).await,
        Err(ChunkError::ReadOnly { .. })
    ));
    assert!(matches!(
        store.probe().await,
        Err(ChunkError::ReadOnly { .. })
    ));
    assert_eq!(store.read(id(3, 0), 0, 4).await.unwrap(), &b"fits"[..]);
    drop(Dir::open(Path::new(&site)).unwrap());
}
