//! The witness on a socket, asked by a client that writes its bytes itself.

use crate::support::{History, ORIGIN, clock, verifier, witness};
use ledger::note::{Note, SignatureLine};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use witness::limits::{CONNECTIONS_MAX, REQUEST_BYTES_MAX};
use witness::serve::{ListenError, listen, serve};

/// A witness that serves until this is dropped.
pub struct Served {
    pub address: SocketAddr,
    pub vkey: String,
    pub folder: TempDir,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

pub fn served(host: host::Host, name: &str) -> Served {
    let folder = tempdir().unwrap();
    let witness = witness(folder.path(), name, &host);
    let vkey = witness.public().to_text();
    let (end, ended) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = listen("127.0.0.1:0".parse().unwrap(), &None).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            serve(listener, None, witness, async {
                let _ = ended.await;
            })
            .await;
        });
    });
    Served {
        address: told.recv().unwrap(),
        vkey,
        folder,
        end: Some(end),
        thread: Some(thread),
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Status, head and body of an answer.
fn send(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: w\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A server that has answered need not read what is left.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[test]
fn add_checkpoint_and_the_latest_one() {
    let served = served(clock().1, "w1.example");
    let history = History::new(40, 40, 0);
    let hash = words::hex::encode(&ledger::sha256(ORIGIN.as_bytes()));
    let latest = format!("/{hash}/checkpoint");
    assert_eq!(send(served.address, "GET", &latest, b"").0, 404);
    let post = |body: &[u8]| send(served.address, "POST", "/add-checkpoint", body);
    let (status, _, body) = post(&history.body(0, 5));
    assert_eq!(status, 200);
    let lines = SignatureLine::read_all(body.as_bytes()).unwrap();
    let (status, head, body) = post(&history.body(3, 9));
    assert_eq!((status, body.as_str()), (409, "5\n"));
    assert!(head.contains("content-type: text/x.tlog.size"), "{head}");
    assert_eq!(post(b"old 0\n").0, 400);
    let mut bad = history.request(5, 9);
    bad.proof.pop();
    assert_eq!(post(bad.to_text().as_bytes()).0, 422);
    let mut unsigned = history.request(5, 9);
    unsigned.note.signatures.pop();
    assert_eq!(post(unsigned.to_text().as_bytes()).0, 403);
    let other = String::from_utf8(history.body(5, 9)).unwrap();
    let other = other.replacen(ORIGIN, "other.example/log", 1);
    assert_eq!(post(other.as_bytes()).0, 404);
    // The latest one carries the cosignature that was given out, and the log's own.
    let (status, _, body) = send(served.address, "GET", &latest, b"");
    assert_eq!(status, 200);
    let note = Note::parse(body.as_bytes()).unwrap();
    assert_eq!(note.signatures[2..], lines);
    assert_eq!(verifier().open(body.as_bytes()).unwrap().size, 5);
    assert_eq!(send(served.address, "GET", "/add-checkpoint", b"").0, 405);
    assert_eq!(send(served.address, "POST", &latest, b"").0, 405);
    for path in ["/", "/add-checkpoint/", "/../checkpoint", "/x/checkpoint"] {
        assert_eq!(send(served.address, "GET", path, b"").0, 404, "{path}");
    }
}

#[test]
fn long_slow_and_many_clients_do_not_stop_it() {
    let served = served(clock().1, "w1.example");
    let long = vec![b'a'; usize::try_from(REQUEST_BYTES_MAX).unwrap() + 1];
    assert_eq!(
        send(served.address, "POST", "/add-checkpoint", &long).0,
        413
    );
    // As many as have room stand still in the middle of a request; they are closed in time.
    let idle: Vec<TcpStream> = (0..CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = TcpStream::connect(served.address).unwrap();
            stream.write_all(b"POST /add-check").unwrap();
            stream
        })
        .collect();
    let body = History::new(9, 9, 0).body(0, 9);
    assert_eq!(
        send(served.address, "POST", "/add-checkpoint", &body).0,
        200
    );
    for mut stream in idle {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn many_at_once_get_one_history() {
    let served = served(clock().1, "w1.example");
    let history = Arc::new(History::new(40, 40, 0));
    let address = served.address;
    let threads: Vec<_> = (1..=16)
        .map(|size| {
            let history = Arc::clone(&history);
            std::thread::spawn(move || {
                send(address, "POST", "/add-checkpoint", &history.body(0, size)).0
            })
        })
        .collect();
    let statuses: Vec<u16> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let cosigned = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(cosigned, 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409].contains(status)));
}

#[test]
fn beyond_this_machine_only_with_tls() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"] {
            let refused = listen(address.parse().unwrap(), &None).await;
            assert!(matches!(refused, Err(ListenError::Plain(_))), "{address}");
        }
    });
}

#[test]
fn with_tls_it_answers_who_trusts_its_authority() {
    let folder = tempdir().unwrap();
    let (_, host) = clock();
    let witness = witness(&folder.path().join("w"), "w1.example", &host);
    let real = host::Host::real();
    let authority = tls::Folder::in_data(folder.path());
    authority.init(&["localhost".to_owned()], &real).unwrap();
    let identities = authority.identities().unwrap();
    let server = tls::Server::new(&identities, tls::Classical::Refuse).unwrap();
    let client = tls::client::config(&crate::support::read(&authority.bundle())).unwrap();
    let body = History::new(9, 9, 0).body(0, 9);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(async {
        let server = Some(Arc::new(server));
        let any = "0.0.0.0:0".parse().unwrap();
        let listener = listen(any, &server).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, server, witness, std::future::pending()));
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port));
        let name = tokio_rustls::rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let connector = tokio_rustls::TlsConnector::from(client);
        let mut stream = connector.connect(name, stream.await.unwrap()).await.unwrap();
        let length = body.len();
        let head = format!("POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\u{2014} w1.example "), "{answer}");
}
