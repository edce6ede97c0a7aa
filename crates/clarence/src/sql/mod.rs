//! `clarence sql`: statements to a node's SQL over HTTP, from a terminal or a script. It keeps no history: a statement may
//! hold what it asks about.
//!
//! Reading order: `args`, `client`, `shown`.

pub mod args;
mod client;
mod shown;

use crate::args::Everywhere;
use crate::config::{Places, Settings};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use args::{Rows, Sql};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::{Client, Place, broken, failed};
use host::files;
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shown::{Columns, ROWS_MAX};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Between two looks at a statement that runs.
const LOOK_MS: u64 = 500;
/// Bytes that a table for people may take.
const TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;

const HELP: &str = "\
A statement ends with ; and may go over lines.
  \\d           your tables            \\d NAME      a table's columns
  \\plot        bars, or a table again \\timing      how long each took, or not
  \\purpose P   what for               \\q           end (or Ctrl-D); Ctrl-C ends a statement
";

/// Does what was asked.
pub fn perform(everywhere: &Everywhere, asked: Sql, talk: Talk) -> Outcome {
    if matches!(asked.format, Rows::Arrow | Rows::Parquet) && asked.out.is_none() {
        return Err(Failure::usage(
            "arrow and parquet are no text: name a file with --out",
        ));
    }
    let settings = Settings::read(Places::find(everywhere), &[])?;
    let mut desk = Desk::new(&settings, asked, everywhere.json, talk)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::General, format!("the program could not begin: {e}")))?;
    let one = match (&desk.asked.command, &desk.asked.file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(file)) => Some(text_of(file)?),
        (None, None) => None,
    };
    match one {
        Some(text) => runtime.block_on(desk.one(text.trim().trim_end_matches(';'))),
        None => desk.lines(&runtime),
    }
}

fn text_of(file: &Path) -> Result<String, Failure> {
    let bytes = read(file)?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not UTF-8", file.display())))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    files::read(file, FILE_BYTES_MAX)
        .map_err(|e| Failure::usage(format!("{} could not be read: {e}", file.display())))?
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("{} is not there", file.display())))
}

/// Somebody at a terminal, or a script.
struct Desk {
    client: Client,
    asked: Sql,
    /// Everything as one envelope.
    json: bool,
    timing: bool,
    talk: Talk,
}

impl Desk {
    fn new(settings: &Settings, asked: Sql, json: bool, talk: Talk) -> Result<Self, Failure> {
        let file = crate::node::layout(settings).connect();
        let connect = files::read(&file, FILE_BYTES_MAX).ok().flatten();
        let connect: Value = connect
            .and_then(|bytes| serde_json::from_slice(&Zeroizing::new(bytes)).ok())
            .unwrap_or_default();
        let url = match &asked.url {
            Some(url) => url.clone(),
            None => served(settings, &connect)?,
        };
        let place = Place::parse(&url)?;
        let own = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let (user, secret, token) = match (own("AWS_ACCESS_KEY_ID"), own("AWS_SECRET_ACCESS_KEY")) {
            (Some(user), Some(secret)) => (user, secret, own("AWS_SESSION_TOKEN")),
            _ => match (
                connect["access_key"].as_str(),
                connect["secret_key"].as_str(),
            ) {
                (Some(user), Some(secret)) => (user.to_owned(), secret.to_owned(), None),
                _ => {
                    return Err(Failure::new(
                        Exit::Auth,
                        "no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a data folder with a connect.json (--data)",
                    ));
                }
            },
        };
        let secret = Zeroizing::new(secret);
        let pair = Zeroizing::new(format!("{user}:{}", secret.as_str()));
        let credential = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let tls = match place.tls {
            false => None,
            true => {
                let kept = connect["ca_bundle"].as_str().map(PathBuf::from);
                let file = asked.ca.clone().or(kept).ok_or_else(|| {
                    Failure::usage(
                        "name the file of the authority that gave the certificate out (--ca)",
                    )
                })?;
                let config = tls::client::config(&read(&file)?);
                Some(config.map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?)
            }
        };
        Ok(Self {
            client: Client::new(place, tls, &credential, token.as_deref())?,
            timing: false,
            asked,
            json,
            talk,
        })
    }

    /// One statement, for a script.
    async fn one(&mut self, text: &str) -> Outcome {
        let told = self.run(text).await?;
        if self.json {
            let rows = match told["rows_at"].as_str() {
                Some(at) if self.asked.out.is_none() => self.rows(at).await?,
                _ => Vec::new(),
            };
            let mut data = told.clone();
            if let (Some(at), Some(out)) = (told["rows_at"].as_str(), self.asked.out.clone()) {
                self.write(at, Some(&out)).await?;
            }
            data["answer"] = Value::Array(rows);
            return Ok(Answer {
                data,
                text: String::new(),
            });
        }
        let text = self.show(&told).await?;
        Ok(Answer { data: told, text })
    }

    /// Hands a statement in and waits until something of its answer is there.
    async fn run(&self, text: &str) -> Result<Value, Failure> {
        let asked = json!({
            "sql": text,
            "database": self.asked.database,
            "purpose": self.asked.purpose,
            "case": self.asked.case,
            "timeout_ms": self.asked.timeout.map(|seconds| seconds.saturating_mul(1000)),
            "wait_ms": LOOK_MS,
        });
        let mut told = self
            .client
            .ask(Method::POST, "/v1/statements", Some(&asked))
            .await?;
        let path = format!("/v1/statements/{}", told["id"].as_str().unwrap_or_default());
        while told["state"] == "running" {
            self.progress(&told);
            let look = format!("{path}?wait_ms={LOOK_MS}");
            told = tokio::select! {
                told = self.client.ask(Method::GET, &look, None) => told?,
                _ = tokio::signal::ctrl_c() => self.client.ask(Method::DELETE, &path, None).await?,
            };
        }
        self.no_progress();
        match told["state"].as_str() {
            Some("failed") => Err(failed(exit_of(&told["error"]), &told["error"])),
            Some("cancelled") => Err(failed(Exit::Interrupted, &told["error"])),
            _ => Ok(told),
        }
    }

    fn progress(&self, told: &Value) {
        if std::io::stderr().is_terminal() {
            let seconds =
                Duration::from_millis(told["elapsed_ms"].as_u64().unwrap_or(0)).as_secs_f32();
            eprint!("\rrunning, {seconds:.1} s (Ctrl-C ends it) ");
        }
    }

    fn no_progress(&self) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\u{1b}[K");
        }
    }

    /// What a person is shown of an answer, unless it was written already.
    async fn show(&self, told: &Value) -> Result<String, Failure> {
        let Some(at) = told["rows_at"].as_str() else {
            let done = told["done"].as_str().unwrap_or("done");
            return Ok(format!("{done}\n"));
        };
        if self.asked.plot || (self.asked.format == Rows::Table && self.asked.out.is_none()) {
            let rows = self.rows(at).await?;
            let columns = Columns::of(told);
            let some = &rows[..rows.len().min(ROWS_MAX)];
            if rows.len() > some.len() {
                let cut = format!("{} rows; the first {ROWS_MAX} are shown", rows.len());
                self.talk.note(&cut);
            }
            return match self.asked.plot {
                true => columns.bars(some).map_err(Failure::usage),
                false => Ok(columns.table(some)),
            };
        }
        let out = self.asked.out.clone();
        self.write(at, out.as_deref()).await?;
        Ok(String::new())
    }

    /// All rows, as objects.
    async fn rows(&self, at: &str) -> Result<Vec<Value>, Failure> {
        let body = self.client.fetch(&format!("{at}?format=json")).await?;
        let body = http_body_util::Limited::new(body, TABLE_BYTES_MAX);
        let bytes = tokio::select! {
            bytes = body.collect() => bytes,
            _ = tokio::signal::ctrl_c() => return Err(interrupted()),
        };
        let bytes = bytes.map_err(|error| {
            broken(format!(
                "{error}; more than 64 MiB go to a file: --format csv --out FILE"
            ))
        })?;
        serde_json::from_slice(&bytes.to_bytes()).map_err(broken)
    }

    /// Rows as they come, to a file or to whoever reads this. A file has all of them or is not there.
    async fn write(&self, at: &str, out: Option<&Path>) -> Result<(), Failure> {
        let format = self.asked.format.name();
        let mut body = self.client.fetch(&format!("{at}?format={format}")).await?;
        let failed = |e: std::io::Error| {
            Failure::new(Exit::General, format!("the rows could not be written: {e}"))
        };
        let part = out.map(|out| {
            let mut name = out.as_os_str().to_owned();
            name.push(".part");
            PathBuf::from(name)
        });
        let mut to: Box<dyn Write> = match &part {
            Some(part) => {
                files::remove(part).map_err(failed)?;
                Box::new(files::create_new(part, 0o600).map_err(failed)?)
            }
            None => Box::new(std::io::stdout().lock()),
        };
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                _ = tokio::signal::ctrl_c() => {
                    return Err(interrupted());
                }
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| {
                broken("the statement failed before its last row; what was written until then is not all of it")
            })?;
            if let Ok(bytes) = frame.into_data() {
                to.write_all(&bytes).map_err(failed)?;
            }
        }
        to.flush().map_err(failed)?;
        drop(to);
        if let (Some(part), Some(out)) = (part, out) {
            files::rename(&part, out).map_err(failed)?;
        }
        Ok(())
    }

    /// Statements from a terminal or a pipe, up to its end.
    fn lines(&mut self, runtime: &tokio::runtime::Runtime) -> Outcome {
        let terminal = std::io::stdin().is_terminal();
        let mut pending = String::new();
        let mut last = Ok(());
        let mut count = 0_u64;
        if terminal {
            self.talk
                .note("clarence sql. \\? helps, \\q ends. Nothing you type is kept.");
        }
        loop {
            if terminal {
                eprint!("{}", if pending.is_empty() { "sql> " } else { "  -> " });
            }
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            let read =
                read.map_err(|e| Failure::usage(format!("what is typed cannot be read: {e}")))?;
            let words = line.trim();
            let over = read == 0;
            if pending.is_empty() && words.starts_with('\\') {
                if matches!(words, "\\q" | "\\quit") {
                    break;
                }
                let told = runtime.block_on(self.command(words));
                self.say(told);
                continue;
            }
            pending.push_str(&line);
            let whole = pending.trim().trim_end_matches(';').trim().to_owned();
            if pending.trim_end().ends_with(';') || over {
                pending.clear();
                if !whole.is_empty() {
                    count += 1;
                    let told = runtime.block_on(self.timed(&whole));
                    last = match told {
                        Ok(text) => {
                            crate::envelope::print(&text);
                            Ok(())
                        }
                        // A script ends at its first failure; somebody at a terminal goes on.
                        Err(failure) if !terminal => return Err(failure),
                        Err(failure) => {
                            self.talk.error(&failure);
                            Err(())
                        }
                    };
                }
            }
            if over {
                break;
            }
        }
        let data = json!({ "statements": count, "last_failed": last.is_err() });
        Ok(Answer {
            data,
            text: String::new(),
        })
    }

    fn say(&self, told: Result<String, Failure>) {
        match told {
            Ok(text) => crate::envelope::print(&text),
            Err(failure) => self.talk.error(&failure),
        }
    }

    async fn timed(&self, text: &str) -> Result<String, Failure> {
        let begun = tokio::time::Instant::now();
        let told = self.run(text).await?;
        let shown = self.show(&told).await;
        if self.timing {
            self.talk
                .note(&format!("{:.3} s", begun.elapsed().as_secs_f64()));
        }
        shown
    }

    /// A line that begins with a backslash.
    async fn command(&mut self, words: &str) -> Result<String, Failure> {
        let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
        let rest = rest.trim();
        match name {
            "\\?" | "\\h" => Ok(HELP.to_owned()),
            "\\d" if rest.is_empty() => {
                let text = "SELECT table_catalog AS database, table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1, 2";
                self.timed(text).await
            }
            "\\d" => {
                let name = rest.replace('\'', "''");
                let text = format!(
                    "SELECT column_name AS column, data_type AS type FROM information_schema.columns WHERE table_name = '{name}' ORDER BY ordinal_position"
                );
                self.timed(&text).await
            }
            "\\plot" => {
                self.asked.plot = !self.asked.plot;
                Ok(if self.asked.plot {
                    "bars\n"
                } else {
                    "tables\n"
                }
                .to_owned())
            }
            "\\timing" => {
                self.timing = !self.timing;
                Ok(if self.timing {
                    "timing on\n"
                } else {
                    "timing off\n"
                }
                .to_owned())
            }
            "\\purpose" => {
                self.asked.purpose = (!rest.is_empty()).then(|| rest.to_owned());
                Ok(String::new())
            }
            _ => Err(Failure::usage(format!(
                "{name} is not known; \\? shows what is"
            ))),
        }
    }
}

fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted; the rows are not all there")
}

/// Where SQL is served over HTTP, by this folder.
fn served(settings: &Settings, connect: &Value) -> Result<String, Failure> {
    if let Some(url) = connect["sql"]["http"].as_str() {
        return Ok(url.to_owned());
    }
    let tls = connect["ca_bundle"].is_string() || settings.optional("s3.tls_cert").is_some();
    let scheme = if tls { "https" } else { "http" };
    let address = settings.address("sql.http_listen").ok_or_else(|| {
        Failure::new(Exit::NotFound, "SQL over HTTP is not served by this data folder's node")
            .suggest("set sql.http_listen (or `up --sql-http 127.0.0.1:7482`), or name another place with --url")
    })?;
    Ok(format!("{scheme}://{address}"))
}

fn exit_of(error: &Value) -> Exit {
    match error["code"].as_str().unwrap_or_default() {
        "42501" | "28P01" | "28000" => Exit::Auth,
        "42P01" | "3D000" => Exit::NotFound,
        "40001" => Exit::Conflict,
        "0A000" => Exit::Unsupported,
        "42601" | "42703" | "22000" | "22023" => Exit::Usage,
        _ => Exit::General,
    }
}
