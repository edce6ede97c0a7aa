//! Unmodified clients. Run with `cargo nextest run -p gate --run-ignored all interop`.

use crate::node::{ACCESS, REGION, SECRET, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python with boto3 and whichever other clients are installed"]
async fn interop() {
    run(&World::start().await, "http://127.0.0.1").await;
    // Over TLS, SDKs send their checksums in trailers.
    let (chain, key) = (
        include_bytes!("tls/leaf.pem"),
        include_bytes!("tls/leaf.key"),
    );
    let with_tls =
        |config: &mut gate::Config| config.tls = Some(gate::Tls::from_pem(chain, key).unwrap());
    run(&World::with(with_tls).await, "https://localhost").await;
}

async fn run(world: &World, scheme_and_host: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/smoke.py");
    let endpoint = format!("{scheme_and_host}:{}", world.address.port());
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/ca.pem");
    let run = move || {
        std::process::Command::new("python3")
            .args([script, &endpoint, ACCESS, SECRET, REGION])
            .env("AWS_CA_BUNDLE", authority)
            .env("SSL_CERT_FILE", authority)
            .status()
    };
    let done = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(done.success());
}
