//! The door itself: health, sealed nodes, limits, timeouts, TLS and an orderly end.

use crate::client::{ask, read_answer};
use crate::node::World;
use gate::Tls;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn health_and_a_sealed_node() {
    let world = World::start().await;
    world.bucket("own");
    for (path, text) in [
        ("/healthz", "ok\n"),
        ("/livez", "ok\n"),
        ("/readyz", "ready\n"),
        ("/metrics", "clarence_up 1\n"),
    ] {
        let answer = ask("GET", path).unsigned().send(&world).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, text),
            "{path}"
        );
    }
    assert_eq!(
        ask("GET", "/healthz").send(&world).await.code(),
        "InvalidBucketName"
    );
    world.node.sealed.store(true, Ordering::SeqCst);
    assert_eq!(
        ask("GET", "/healthz").unsigned().send(&world).await.status,
        200
    );
    assert_eq!(
        ask("GET", "/readyz").unsigned().send(&world).await.status,
        503
    );
    let before = world.node.identified.load(Ordering::SeqCst);
    for (method, path) in [
        ("GET", "/"),
        ("PUT", "/own/k"),
        ("GET", "/own/k"),
        ("DELETE", "/own"),
    ] {
        let answer = ask(method, path).send(&world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "ServiceUnavailable")
        );
        assert!(answer.header("retry-after").is_some() && answer.text().contains("sealed"));
    }
    assert_eq!(world.node.identified.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn continue_is_said_only_to_who_is_believed() {
    let world = World::start().await;
    world.bucket("own");
    let host = world.address.to_string();
    let put = || {
        ask("PUT", "/own/k")
            .payload("UNSIGNED-PAYLOAD")
            .header("expect", "100-continue")
    };
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let (head, _) = put().head(&host, Some(5));
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream, true).await.unwrap().status, 100);
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(read_answer(&mut stream, false).await.unwrap().status, 200);
    // Not signed, not offered, not there: the final answer comes at once.
    for (bad, status) in [
        (put().unsigned(), 403),
        (put().header("x-amz-tagging", "a=b"), 501),
        (put().header("content-md5", "x"), 400),
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let (head, _) = bad.head(&host, Some(5));
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(
            timeout(SOON, read_answer(&mut stream, false))
                .await
                .unwrap()
                .unwrap()
                .status,
            status
        );
    }
}

#[tokio::test]
async fn who_is_answered_without_leave_to_send_is_told_that_the_connection_ends() {
    let world = World::start().await;
    world.bucket("own");
    let host = world.address.to_string();
    let put = |path| {
        ask("PUT", path)
            .payload("UNSIGNED-PAYLOAD")
            .header("expect", "100-continue")
    };
    // An object of no bytes needs no leave; a stranger gets none.
    for (asked, length, status) in [
        (put("/own/none"), 0, 200),
        (put("/own/k").unsigned(), 5, 403),
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let (head, _) = asked.head(&host, Some(length));
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream, false).await.unwrap();
        assert_eq!(
            (answer.status, answer.header("connection")),
            (status, Some("close"))
        );
    }
    // Who was given leave keeps the connection.
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let (head, _) = put("/own/k").head(&host, Some(5));
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream, true).await.unwrap().status, 100);
    stream.write_all(b"hello").await.unwrap();
    let answer = read_answer(&mut stream, false).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, None));
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let world = World::start().await;
    world.bucket("own");
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    for n in 0..20 {
        let path = format!("/own/k{n}");
        assert_eq!(
            ask("PUT", &path)
                .body("hello")
                .send_on(&mut stream, &world)
                .await
                .status,
            200
        );
        assert_eq!(
            ask("GET", &path).send_on(&mut stream, &world).await.text(),
            "hello"
        );
        assert_eq!(
            ask("HEAD", "/own/none")
                .send_on(&mut stream, &world)
                .await
                .status,
            404
        );
        // A refusal reads the body, so that the connection can go on.
        assert_eq!(
            ask("PUT", "/own/k")
                .body("x")
                .header("x-amz-tagging", "a")
                .send_on(&mut stream, &world)
                .await
                .status,
            501
        );
    }
    // Sent all at once, answered in order.
    let host = world.address.to_string();
    let heads: String = (0..5)
        .map(|n| ask("GET", &format!("/own/k{n}")).head(&host, None).0)
        .collect();
    stream.write_all(heads.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    while all.windows(5).filter(|w| w == b"hello").count() < 5 {
        assert!(stream.read_buf(&mut all).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_small_answer_leaves_at_once() {
    let world = World::start().await;
    world.bucket("own");
    world.put("own", "k", b"hello");
    let (head, _) = ask("GET", "/own/k").head(&world.address.to_string(), None);
    for _ in 0..20 {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = vec![0; 65536];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(
            bytes[..read].ends_with(b"hello"),
            "head and body must leave in one segment"
        );
    }
}

#[tokio::test]
async fn large_objects_stream_both_ways() {
    let world = World::start().await;
    world.bucket("own");
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n % 253) as u8).collect();
    assert_eq!(
        ask("PUT", "/own/k")
            .body(body.clone())
            .send(&world)
            .await
            .status,
        200
    );
    let got = ask("GET", "/own/k").send(&world).await;
    assert!(!got.cut && got.body == body);
}

#[tokio::test]
async fn who_is_refused_while_sending_reads_the_answer() {
    let world = World::start().await;
    world.bucket("own");
    let body = vec![7u8; 8 << 20];
    let put = |path| ask("PUT", path).body(body.clone());
    for (what, asked, status) in [
        ("no bucket", put("/none/k"), 404),
        (
            "not offered",
            put("/own/k").header("x-amz-tagging", "a"),
            501,
        ),
        ("bad header", put("/own/k").header("content-md5", "x"), 400),
        ("unsigned", put("/own/k").unsigned(), 403),
        ("wrong hash", put("/own/k").payload(&"0".repeat(64)), 400),
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        assert_eq!(
            asked.send_on(&mut stream, &world).await.status,
            status,
            "{what}"
        );
        assert_eq!(
            ask("HEAD", "/own")
                .send_on(&mut stream, &world)
                .await
                .status,
            200,
            "{what}"
        );
    }
}

#[tokio::test]
async fn heads_that_are_too_large_or_too_slow() {
    let world = World::with(|config| config.head_timeout = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx-amz-meta-a: {}\r\n\r\n",
        "a".repeat(40_000)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream, false).await.unwrap().status, 431);
    for begun in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        timeout(SOON, stream.read_to_end(&mut rest))
            .await
            .expect("the connection must be closed")
            .unwrap();
    }
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let world = World::with(|config| config.idle_timeout = Duration::from_millis(200)).await;
    world.bucket("own");
    let (head, _) = ask("PUT", "/own/k")
        .payload("UNSIGNED-PAYLOAD")
        .head(&world.address.to_string(), Some(10));
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(format!("{head}hello").as_bytes())
        .await
        .unwrap();
    let answer = timeout(SOON, read_answer(&mut stream, false))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "RequestTimeout")
    );
    assert!(world.object("own", "k").is_none());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let world = World::with(|config| config.idle_timeout = Duration::from_millis(200)).await;
    world.bucket("own");
    let body = vec![7u8; 64 << 20];
    assert_eq!(
        ask("PUT", "/own/k").body(body).send(&world).await.status,
        200
    );
    let (head, _) = ask("GET", "/own/k").head(&world.address.to_string(), None);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut rest = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut rest))
        .await
        .expect("the connection must be closed");
    assert!(rest.len() < 64 << 20);
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let world = World::with(|config| config.connections_max = 1).await;
    world.bucket("own");
    let mut first = TcpStream::connect(world.address).await.unwrap();
    assert_eq!(
        ask("HEAD", "/own").send_on(&mut first, &world).await.status,
        200
    );
    let second = ask("HEAD", "/own");
    let waiting = second.send(&world);
    tokio::pin!(waiting);
    assert!(
        timeout(Duration::from_millis(200), &mut waiting)
            .await
            .is_err()
    );
    drop(first);
    assert_eq!(timeout(SOON, waiting).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_orderly_end() {
    let mut world = World::with(|config| config.shutdown_timeout = Duration::from_secs(3)).await;
    world.bucket("own");
    let (head, _) = ask("PUT", "/own/k")
        .payload("UNSIGNED-PAYLOAD")
        .head(&world.address.to_string(), Some(10));
    let mut running = TcpStream::connect(world.address).await.unwrap();
    running
        .write_all(format!("{head}hello").as_bytes())
        .await
        .unwrap();
    let mut idle = TcpStream::connect(world.address).await.unwrap();
    assert_eq!(
        ask("HEAD", "/own").send_on(&mut idle, &world).await.status,
        200
    );
    world.stop();
    let mut rest = Vec::new();
    timeout(SOON, idle.read_to_end(&mut rest))
        .await
        .expect("a resting connection ends at once")
        .unwrap();
    running.write_all(b"world").await.unwrap();
    assert_eq!(read_answer(&mut running, false).await.unwrap().status, 200);
    timeout(SOON, world.served.take().unwrap())
        .await
        .expect("the door must close")
        .unwrap();
    assert!(TcpStream::connect(world.address).await.is_err());

    // What does not end by itself is cut off at the deadline.
    let mut world =
        World::with(|config| config.shutdown_timeout = Duration::from_millis(200)).await;
    world.bucket("own");
    let mut running = TcpStream::connect(world.address).await.unwrap();
    running
        .write_all(format!("{head}hello").as_bytes())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.stop();
    timeout(SOON, world.served.take().unwrap())
        .await
        .expect("the door must close")
        .unwrap();
}

#[tokio::test]
async fn tls() {
    use tokio_rustls::rustls::crypto::aws_lc_rs::kx_group;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore};
    let (chain, key) = (
        include_bytes!("tls/leaf.pem"),
        include_bytes!("tls/leaf.key"),
    );
    let world = World::with(|config| config.tls = Some(Tls::from_pem(chain, key).unwrap())).await;
    world.bucket("own");
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(include_bytes!("tls/ca.pem")).unwrap())
        .unwrap();
    let mut provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    // As browsers and OpenSSL 3.5 do: the hybrid one first.
    provider.kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(world.address).await.unwrap();
    let mut stream = connector
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .unwrap();
    let (head, _) = ask("PUT", "/own/k")
        .body("hello")
        .head("localhost", Some(5));
    stream
        .write_all(format!("{head}hello").as_bytes())
        .await
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).await.unwrap().status, 200);
    let (_, session) = stream.get_ref();
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(
        session.negotiated_key_exchange_group().map(|g| g.name()),
        Some(NamedGroup::X25519MLKEM768)
    );
    assert!(Tls::from_pem(b"", key).is_err() && Tls::from_pem(chain, b"").is_err());
    assert!(Tls::from_pem(include_bytes!("tls/ca.pem"), key).is_err());
}
