//! SQL over HTTP, as a client speaks it on a socket.

use crate::house::{ROWS, planes};
use crate::road::TestRoad;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct House {
    road: Arc<TestRoad>,
    at: SocketAddr,
    _spill: tempfile::TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// Whether the body came whole.
    whole: bool,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
    fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl House {
    async fn new() -> Self {
        let (road, engine, spill) = planes();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(sqldoor::http::serve(listener, engine, None));
        Self {
            road,
            at,
            _spill: spill,
        }
    }

    async fn send(&self, user: &str, line: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let credential = STANDARD.encode(format!("{user}:p"));
        let request = format!(
            "{line} HTTP/1.1\r\nHost: sql\r\nConnection: close\r\nAuthorization: Basic {credential}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, user: &str, line: &str, body: &str) -> Answer {
        let mut stream = self.send(user, line, body).await;
        read(&mut stream).await
    }

    /// Hands a statement in and waits for it.
    async fn hand_in(&self, user: &str, sql: &str) -> Value {
        let body = json!({ "sql": sql, "wait_ms": 20_000 }).to_string();
        let answer = self.ask(user, "POST /v1/statements", &body).await;
        assert!(answer.status == 200, "{}", answer.json());
        answer.json()
    }

    async fn rows(&self, user: &str, id: &Value, format: &str) -> Answer {
        let id = id.as_str().unwrap();
        let line = format!("GET /v1/statements/{id}/rows?format={format}");
        self.ask(user, &line, "").await
    }

    async fn state(&self, user: &str, id: &Value) -> Value {
        let line = format!("GET /v1/statements/{}?wait_ms=100", id.as_str().unwrap());
        self.ask(user, &line, "").await.json()
    }

    /// Looks until a statement is in a state.
    async fn until(&self, id: &Value, state: &str) -> Value {
        for _ in 0..200 {
            let told = self.state("u", id).await;
            if told["state"] == state {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is not {state}: {}", self.state("u", id).await);
    }
}

async fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut bytes));
    let _ = read.await.unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec())
        .unwrap()
        .to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let rest = &bytes[end + 4..];
    let (body, whole) = match head.contains("transfer-encoding: chunked") {
        true => unchunked(rest),
        false => (rest.to_vec(), true),
    };
    Answer {
        status,
        head,
        body,
        whole,
    }
}

/// What the chunks of a body come to, and whether the last one is there (RFC 9112, section 7.1).
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return (body, false);
        };
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(end + 2..end + 2 + length) else {
            return (body, false);
        };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + length..).unwrap_or_default();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_handed_in_looked_at_and_fetched_once() {
    let house = House::new().await;
    let told = house
        .hand_in("u", "SELECT id, name FROM planes ORDER BY id")
        .await;
    assert_eq!(told["state"], "ready");
    assert_eq!(told["columns"][0], json!({"name": "id", "type": "int8"}));
    let answer = house.rows("u", &told["id"], "csv").await;
    assert!(answer.whole && answer.status == 200);
    assert!(answer.head.contains("text/csv") && answer.head.contains("no-store"));
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(text.lines().count(), ROWS + 1);
    assert_eq!(text.lines().nth(30_000).unwrap(), "29999,name 29999");
    let told = house.until(&told["id"], "finished").await;
    assert_eq!(
        (told["rows"].as_u64(), &told["done"]),
        (Some(30_000), &json!("SELECT 30000"))
    );
    assert_eq!(house.road.last_end().rows, 30_000);
    assert_eq!(house.road.open_grants(), 0);
    let again = house.rows("u", &told["id"], "csv").await;
    assert_eq!(again.status, 410, "{}", again.message());

    for format in ["json", "ndjson", "arrow", "parquet"] {
        let told = house
            .hand_in("u", "SELECT id FROM planes WHERE id < 10")
            .await;
        let answer = house.rows("u", &told["id"], format).await;
        assert!(answer.whole && answer.status == 200 && !answer.body.is_empty());
        match format {
            "json" => assert_eq!(answer.json().as_array().unwrap().len(), 10),
            "ndjson" => assert_eq!(answer.body.iter().filter(|b| **b == b'\n').count(), 10),
            "parquet" => {
                assert!(answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1"))
            }
            _ => {}
        }
        house.until(&told["id"], "finished").await;
    }
    let list = house.ask("u", "GET /v1/statements", "").await.json();
    assert_eq!(list["statements"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_purpose_and_catalog() {
    let house = House::new().await;
    let body = json!({
        "sql": "SELECT name FROM planes WHERE id = $1",
        "parameters": [7], "purpose": "statistics", "case": "2026/1", "wait_ms": 20_000,
    });
    let told = house
        .ask("u", "POST /v1/statements", &body.to_string())
        .await
        .json();
    let rows = house.rows("u", &told["id"], "json").await.json();
    assert_eq!(rows, json!([{ "name": "name 7" }]));
    {
        let state = house.road.state.lock().unwrap();
        let asked = state.asked.last().unwrap();
        assert_eq!(asked.purpose.as_deref(), Some("statistics"));
        assert_eq!(asked.case.as_deref(), Some("2026/1"));
    }
    let text =
        "SELECT relname FROM pg_catalog.pg_class c WHERE relname OPERATOR(pg_catalog.~) '^planes$'";
    let told = house.hand_in("u", text).await;
    let rows = house.rows("u", &told["id"], "json").await.json();
    assert_eq!(rows, json!([{ "relname": "planes" }]));
    let told = house
        .hand_in(
            "u",
            "CREATE TABLE fewer WITH (bucket = 'lake') AS SELECT id FROM planes WHERE id < 5",
        )
        .await;
    assert_eq!(
        (&told["state"], &told["done"]),
        (&json!("finished"), &json!("SELECT 5"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_say_what_happened() {
    let house = House::new().await;
    for (sql, code) in [
        ("SELEC 1", "42601"),
        ("SELECT * FROM absent", "42P01"),
        ("SELECT nothing FROM planes", "42703"),
        ("SET clarence.purpose = 'x'", "0A000"),
        ("SELECT 1; SELECT 2", "42601"),
        ("SELECT id / (id - id) FROM planes WHERE id = 3", "22000"),
    ] {
        let told = house.hand_in("u", sql).await;
        let told = match told["state"] == "ready" {
            true => {
                let answer = house.rows("u", &told["id"], "csv").await;
                assert!(
                    !answer.whole || answer.status >= 400,
                    "{sql}: an answer that failed was ended as if it were whole"
                );
                house.until(&told["id"], "failed").await
            }
            false => told,
        };
        assert_eq!(told["error"]["code"], code, "{told}");
        assert_eq!(told["state"], "failed");
    }
    assert_eq!(house.road.open_grants(), 0);
    for (line, body, status) in [
        ("POST /v1/statements", "{", 400),
        ("POST /v1/statements", r#"{"sql": "SELECT 1", "x": 1}"#, 400),
        ("PUT /v1/statements", "", 405),
        ("GET /v1/statements/0/rows?format=xml", "", 404),
        ("GET /v1/statements/00", "", 404),
        ("GET /", "", 404),
        ("GET /v1/../v1/statements/x/y/z", "", 404),
    ] {
        let answer = house.ask("u", line, body).await;
        assert_eq!(answer.status, status, "{line}");
        assert!(!answer.message().is_empty());
    }
    let mut stream = TcpStream::connect(house.at).await.unwrap();
    let form = "POST /v1/statements HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic dTpw\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n{\"sql\": \"SELECT 1\"}";
    stream.write_all(form.as_bytes()).await.unwrap();
    let answer = read(&mut stream).await;
    assert_eq!(answer.status, 415, "what a page may send without asking");
    let told = house.hand_in("u", "SELECT 1").await;
    assert_eq!(told["columns"][0]["name"], "?column?");
    assert_eq!(house.rows("u", &told["id"], "xml").await.status, 400);
    let long = json!({ "sql": "x".repeat(1 << 21) }).to_string();
    let answer = house.ask("u", "POST /v1/statements", &long).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_answered_who_is_not_believed() {
    let house = House::new().await;
    let health = house.ask("u", "GET /v1/health", "").await;
    assert_eq!(health.json(), json!({ "serves": true }));
    let told = house.hand_in("u", "SELECT id FROM planes").await;
    let id = told["id"].as_str().unwrap();
    let mut answers = Vec::new();
    for credential in ["", "Authorization: Basic dTp3cm9uZw==\r\n"] {
        for line in [
            "GET /v1/statements".to_owned(),
            format!("GET /v1/statements/{id}"),
            format!("GET /v1/statements/{id}/rows"),
            format!("DELETE /v1/statements/{id}"),
            "POST /v1/statements".to_owned(),
        ] {
            let body = r#"{"sql": "SELECT 1"}"#;
            let mut stream = TcpStream::connect(house.at).await.unwrap();
            let request = format!(
                "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{credential}Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = read(&mut stream).await;
            assert_eq!(answer.status, 401, "{line}");
            assert!(answer.head.contains("www-authenticate: basic"));
            answers.push((credential.is_empty(), answer.message()));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 2, "all wrong secrets are answered alike");
    // Another key sees nothing of it, and ends nothing.
    for line in [
        "GET /v1/statements/ID",
        "GET /v1/statements/ID/rows",
        "DELETE /v1/statements/ID",
    ] {
        let answer = house.ask("other", &line.replace("ID", id), "").await;
        assert_eq!(answer.status, 404, "{line}");
    }
    let list = house.ask("other", "GET /v1/statements", "").await.json();
    assert_eq!(list, json!({ "statements": [] }));
    assert!(house.rows("u", &told["id"], "csv").await.whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_wants_any_more_is_ended() {
    let house = House::new().await;
    // Cancelled while it waits to be fetched, and while it runs.
    let told = house.hand_in("u", "SELECT * FROM planes a, planes b").await;
    let line = format!("DELETE /v1/statements/{}", told["id"].as_str().unwrap());
    assert_eq!(house.ask("u", &line, "").await.status, 200);
    let ended = house.until(&told["id"], "cancelled").await;
    assert_eq!(ended["error"]["code"], "57014");
    assert_eq!(house.rows("u", &told["id"], "csv").await.status, 409);
    let endless = "SELECT count(*) FROM planes a, generate_series(1, 100000000) AS g(x) WHERE (a.id * x) % 7 = 9";
    let body = json!({ "sql": endless }).to_string();
    let running = house.ask("u", "POST /v1/statements", &body).await;
    assert_eq!(running.status, 202);
    let told = running.json();
    assert_eq!(house.rows("u", &told["id"], "csv").await.status, 409);
    let line = format!("DELETE /v1/statements/{}", told["id"].as_str().unwrap());
    house.ask("u", &line, "").await;
    house.until(&told["id"], "cancelled").await;
    // It took too long.
    let body = json!({ "sql": endless, "timeout_ms": 300, "wait_ms": 20_000 }).to_string();
    let told = house.ask("u", "POST /v1/statements", &body).await.json();
    let told = match told["state"] == "ready" {
        true => {
            house.rows("u", &told["id"], "csv").await;
            house.until(&told["id"], "failed").await
        }
        false => told,
    };
    assert_eq!(told["error"]["code"], "57014", "{told}");
    // Whoever fetched it went away in the middle.
    let told = house
        .hand_in("u", "SELECT a.name, b.name FROM planes a, planes b")
        .await;
    let line = format!(
        "GET /v1/statements/{}/rows?format=csv",
        told["id"].as_str().unwrap()
    );
    let mut stream = house.send("u", &line, "").await;
    let mut some = vec![0; 10_000];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);
    house.until(&told["id"], "cancelled").await;
    assert_eq!(house.road.open_grants(), 0);
    assert!(house.road.last_end().broken.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_is_taken_back_cuts_the_answer_off() {
    let house = House::new().await;
    let told = house
        .hand_in("u", "SELECT a.name, b.name FROM planes a, planes b")
        .await;
    let line = format!(
        "GET /v1/statements/{}/rows?format=csv",
        told["id"].as_str().unwrap()
    );
    let mut stream = house.send("u", &line, "").await;
    let mut some = vec![0; 10_000];
    stream.read_exact(&mut some).await.unwrap();
    house.road.end_all();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "it was ended as if it were whole"
    );
    let told = house.until(&told["id"], "failed").await;
    assert_eq!(told["error"]["code"], "42501", "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_has_so_many_statements_and_no_more() {
    let house = House::new().await;
    house.road.slow.store(3000, Ordering::Relaxed);
    let body = json!({ "sql": "SELECT id FROM planes" }).to_string();
    let mut status = Vec::new();
    for _ in 0..33 {
        status.push(house.ask("u", "POST /v1/statements", &body).await.status);
    }
    assert!(
        status[..32].iter().all(|status| *status == 202),
        "{status:?}"
    );
    assert_eq!(status[32], 429);
    let other = house.ask("other", "POST /v1/statements", &body).await;
    assert_eq!(other.status, 202, "another key is not held up");
}
