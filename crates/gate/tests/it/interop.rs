//! Unmodified clients. Run with `cargo nextest run -p gate --run-ignored all interop`.

use crate::node::{ACCESS, REGION, SECRET, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python with boto3 and whichever other clients are installed"]
async fn interop() {
    let world = World::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/smoke.py");
    let endpoint = format!("http://{}", world.address);
    let run = move || {
        std::process::Command::new("python3")
            .args([script, &endpoint, ACCESS, SECRET, REGION])
            .status()
    };
    let done = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(done.success());
}
