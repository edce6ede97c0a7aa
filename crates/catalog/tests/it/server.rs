//! PostgreSQL servers for tests: each in a folder of its own, reached by a socket in it and by nothing else.

use catalog::postgres::{Direct, Member, Options};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use words::SiteId;

/// A server that ends with the test.
pub struct Server {
    folder: Arc<TempDir>,
    name: &'static str,
    site: SiteId,
    process: Mutex<Option<Child>>,
    port: AtomicU16,
}

/// Where the programs are: Debian keeps them apart by version.
fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL 15 or newer: apt-get install postgresql")
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("a server below /usr/lib/postgresql")
}

/// Whether this is root, as whom a server refuses to run.
fn is_root() -> bool {
    let out = Command::new("id").arg("-u").output().unwrap();
    out.stdout.trim_ascii() == b"0"
}

/// A program of the server, as somebody who may run it.
fn command(program: &str) -> Command {
    let program = programs().join(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

const CURVE: &str = "ec_paramgen_curve:P-256";

#[track_caller]
fn run(mut command: Command) {
    command.current_dir("/");
    check(command);
}

/// OpenSSL's own program, in a folder.
fn openssl(folder: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(folder);
    command
}

#[track_caller]
fn check(mut command: Command) {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
}

impl Server {
    /// A new primary at a site, started.
    pub fn new(site: SiteId) -> Self {
        // Where another user may come, and where the path of a socket is short enough.
        let folder = Arc::new(tempfile::tempdir_in("/tmp").unwrap());
        if is_root() {
            let mut chown = Command::new("chown");
            chown.arg("postgres").arg(folder.path());
            run(chown);
        }
        let server = Self {
            folder,
            name: "one",
            site,
            process: Mutex::new(None),
            port: AtomicU16::new(5432),
        };
        let mut initdb = command("initdb");
        initdb.args([
            "--no-sync",
            "-A",
            "trust",
            "-U",
            "owner",
            "-E",
            "UTF8",
            "--locale=C",
            "-D",
        ]);
        initdb.arg(server.data());
        run(initdb);
        server.configure(
            "wal_level = replica\nmax_wal_senders = 4\nwal_log_hints = on\nhot_standby = on\n\
             wal_sender_timeout = 2s\nwal_receiver_timeout = 2s\n",
        );
        server.start();
        server.sql("CREATE ROLE worker LOGIN");
        server
    }

    /// A standby at the other site, which the primary waits for from now on.
    pub fn standby(&self, site: SiteId) -> Self {
        let standby = Self {
            folder: Arc::clone(&self.folder),
            name: "two",
            site,
            process: Mutex::new(None),
            port: AtomicU16::new(5432),
        };
        std::fs::create_dir(standby.sockets()).unwrap();
        own(&standby.sockets());
        let mut copy = command("pg_basebackup");
        copy.args(["-U", "owner", "--no-sync", "-X", "stream", "-h"])
            .arg(self.sockets())
            .arg("-D")
            .arg(standby.data());
        run(copy);
        let conninfo = format!(
            "primary_conninfo = 'host={} user=owner application_name=two'\n",
            self.sockets().display()
        );
        standby.configure(&conninfo);
        let signal = standby.data().join("standby.signal");
        std::fs::write(&signal, "").unwrap();
        own(&signal);
        standby.start();
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'two'");
        self.sql("SELECT pg_reload_conf()");
        self.wait_for(
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
            "1",
        );
        standby
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join(format!("data-{}", self.name))
    }
    fn sockets(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// Adds lines to the server's settings.
    pub fn configure(&self, lines: &str) {
        let sockets = self.sockets();
        self.configure_raw(&format!(
            "{lines}\nlisten_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 60",
            sockets.display()
        ));
    }

    fn configure_raw(&self, lines: &str) {
        use std::io::Write;
        let path = self.data().join("postgresql.conf");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "{lines}").unwrap();
    }

    fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    pub fn start(&self) {
        if !self.sockets().exists() {
            std::fs::create_dir(self.sockets()).unwrap();
            own(&self.sockets());
        }
        let mut server = command("postgres");
        let log = std::fs::File::create(self.folder.path().join(format!("{}.log", self.name)));
        server
            .arg("-D")
            .arg(self.data())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap());
        *self.process.lock().unwrap() = Some(server.spawn().unwrap());
        self.wait_for("SELECT 1", "1");
    }

    /// Ends the server at once, as a power cut does.
    pub fn kill(&self) {
        self.signal("KILL");
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.wait().unwrap();
        }
        // The postmaster's children notice its end by themselves.
        std::thread::sleep(Duration::from_millis(200));
    }

    /// Sends the postmaster and its children a signal.
    pub fn signal(&self, signal: &str) {
        let Some(pid) = self.process.lock().unwrap().as_ref().map(Child::id) else {
            return;
        };
        let pid = pid.to_string();
        let children = Command::new("pgrep").args(["-P", &pid]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        for pid in children.split_whitespace().chain([pid.as_str()]) {
            // What ended meanwhile needs no signal.
            let mut kill = Command::new("kill");
            let _ = kill
                .args(["-s", signal, pid])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// Makes a standby the primary, on a new timeline.
    pub fn promote(&self) {
        let mut promote = command("pg_ctl");
        promote.args(["promote", "-w", "-D"]).arg(self.data());
        run(promote);
        self.wait_for("SELECT pg_is_in_recovery()", "f");
    }

    /// Asks the server with psql.
    pub fn sql(&self, text: &str) -> String {
        self.try_sql(text).unwrap()
    }

    pub fn try_sql(&self, text: &str) -> Result<String, String> {
        let out = command("psql")
            .args([
                "-X",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "owner",
            ])
            .args(["-p", &self.port().to_string()])
            .args(["-d", "postgres", "-c", text, "-h"])
            .arg(self.sockets())
            .env("PGCONNECT_TIMEOUT", "2")
            .current_dir("/")
            .output()
            .unwrap();
        match out.status.success() {
            true => Ok(String::from_utf8(out.stdout).unwrap().trim().to_owned()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    /// The catalog's tables as statements.
    pub fn dump(&self) -> String {
        let mut dump = command("pg_dump");
        dump.args(["--no-owner", "--no-privileges", "--inserts", "-U", "owner"])
            .args(["-n", "clarence", "-d", "postgres", "-h"])
            .arg(self.sockets());
        let out = dump.current_dir("/").output().unwrap();
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// Lets the server speak TLS at a port of the loopback address, which it gives, with a certificate for a name.
    pub fn serve_tls(&self, name: &str) -> u16 {
        let folder = self.folder.path();
        for authority in ["authority", "stranger"] {
            let mut made = openssl(folder);
            made.args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", CURVE])
                .args(["-subj", &format!("/CN={authority}"), "-days", "2"])
                .args(["-keyout", &format!("{authority}.key")])
                .args(["-out", &format!("{authority}.pem")]);
            check(made);
        }
        let mut asked = openssl(folder);
        asked
            .args(["req", "-nodes", "-newkey", "ec", "-pkeyopt", CURVE])
            .args([
                "-subj",
                &format!("/CN={name}"),
                "-keyout",
                "server.key",
                "-out",
                "server.csr",
            ]);
        check(asked);
        std::fs::write(
            folder.join("server.ext"),
            format!("subjectAltName=DNS:{name}\n"),
        )
        .unwrap();
        let mut signed = openssl(folder);
        signed
            .args(["x509", "-req", "-in", "server.csr", "-CA", "authority.pem"])
            .args([
                "-CAkey",
                "authority.key",
                "-days",
                "2",
                "-extfile",
                "server.ext",
            ])
            .args(["-out", "server.pem"]);
        check(signed);
        for file in ["server.key", "server.pem"] {
            std::fs::copy(folder.join(file), self.data().join(file)).unwrap();
            own(&self.data().join(file));
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.data().join("server.key"), mode).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        self.kill();
        self.configure("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'");
        self.configure_raw(&format!("listen_addresses = '127.0.0.1'\nport = {port}"));
        self.port.store(port, Ordering::Relaxed);
        self.start();
        port
    }

    pub fn pem(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(format!("{name}.pem"))).unwrap()
    }

    pub fn wait_for(&self, sql: &str, expected: &str) {
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let said = self.try_sql(sql);
            if said.as_deref() == Ok(expected) {
                return;
            }
            assert!(Instant::now() < until, "{sql}: {said:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn member(&self) -> Member {
        Member {
            site: self.site,
            host: self.sockets().display().to_string(),
            port: self.port(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("CONT");
        self.kill();
    }
}

fn own(path: &Path) {
    if is_root() {
        let mut chown = Command::new("chown");
        chown.arg("postgres").arg(path);
        run(chown);
    }
}

/// Settings for these servers, as the owner of the tables.
pub fn options(servers: &[&Server], user: &str) -> Options {
    let members = servers.iter().map(|server| server.member()).collect();
    Options {
        deadline: Duration::from_secs(30),
        hold: Duration::from_secs(60),
        ..Options::new(members, "postgres", user)
    }
}

pub fn direct() -> Arc<Direct> {
    Arc::new(Direct)
}
