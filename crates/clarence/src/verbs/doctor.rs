//! `clarence doctor`: looks for what would go wrong, and changes nothing.

use crate::args::Everywhere;
use crate::config::{Places, Settings};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::{node, process, show};
use host::{Host, files};
use rustix::fs::Access;
use serde::Serialize;
use serde_json::json;
use site::Layout;
use site::control::Request;
use std::path::Path;
use tls::Folder;
use tls::folder::RENEW_DAYS;
use words::SiteId;

const SPACE_LOW_BYTES: u64 = 5 << 30;
const SPACE_FULL_BYTES: u64 = 256 << 20;
const OPEN_FILES_MIN: u64 = 8192;
const WITNESS_FILE: &str = "witness.clr";
/// A Unix socket's path may have 108 bytes with its end.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const SMALL_FILE_BYTES_MAX: u64 = 256 * 1024;
/// 2026-01-01. An earlier clock is certainly wrong.
const EARLIEST_UNIX_MS: u64 = 1_767_225_600_000;

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Bad,
}

#[derive(Serialize)]
struct Check {
    name: String,
    result: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// What was found.
#[derive(Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// It is well.
    pub fn ok(&mut self, name: &str, found: impl Into<String>) {
        self.add(name, Verdict::Ok, found.into(), None);
    }
    /// It may go wrong.
    pub fn warn(&mut self, name: &str, found: impl Into<String>, mend: &str) {
        self.add(name, Verdict::Warning, found.into(), Some(mend));
    }
    /// It keeps a node from working.
    pub fn bad(&mut self, name: &str, found: impl Into<String>, mend: &str) {
        self.add(name, Verdict::Bad, found.into(), Some(mend));
    }
    fn add(&mut self, name: &str, result: Verdict, found: String, mend: Option<&str>) {
        let (name, mend) = (name.to_owned(), mend.map(ToOwned::to_owned));
        self.0.push(Check {
            name,
            result,
            found,
            mend,
        });
    }
}

pub async fn doctor(everywhere: &Everywhere, talk: Talk) -> Outcome {
    let mut checks = Checks::default();
    machine(&mut checks);
    match Settings::read(Places::find(everywhere), &[]) {
        Err(error) => checks.bad(
            "configuration",
            error.to_string(),
            "mend the key that is named; `clarence config show --origin` helps",
        ),
        Ok(settings) => {
            configuration(&settings, &mut checks);
            let layout = node::layout(&settings);
            data_folder(&layout, &mut checks);
            certificates(&settings, &mut checks);
            sites(&layout, &mut checks);
            super::doctor_buckets::buckets(&settings, &layout, &mut checks).await;
            parents(&settings, &layout, &mut checks);
            running(&settings, talk, &mut checks).await;
        }
    }
    report(checks)
}

fn report(checks: Checks) -> Outcome {
    let rows: Vec<Vec<String>> = checks.0.iter().map(row).collect();
    let text = show::table(&["", "CHECK", "FOUND"], &rows);
    let bad = checks
        .0
        .iter()
        .filter(|check| check.result == Verdict::Bad)
        .count();
    let warnings = checks
        .0
        .iter()
        .filter(|check| check.result == Verdict::Warning)
        .count();
    let data = json!({ "bad": bad, "warnings": warnings, "checks": checks.0 });
    if bad == 0 {
        return Ok(Answer { data, text });
    }
    let message = format!(
        "{bad} of {} checks found something that keeps a node from working",
        checks.0.len()
    );
    Err(Failure::new(Exit::General, message)
        .named("doctor")
        .finding(data, text))
}

fn row(check: &Check) -> Vec<String> {
    let sign = match check.result {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Bad => "BAD",
    };
    let found = match &check.mend {
        Some(mend) => format!("{}; {mend}", check.found),
        None => check.found.clone(),
    };
    vec![sign.to_owned(), check.name.clone(), found]
}

/// Limits, clock and swap of the machine.
fn machine(checks: &mut Checks) {
    let (_, hard) = process::open_file_limits();
    match hard {
        Some(hard) if hard < OPEN_FILES_MIN => {
            let mend = "raise LimitNOFILE= of the service or `ulimit -Hn` to 65536";
            checks.warn("open files", format!("at most {hard}"), mend);
        }
        Some(hard) => checks.ok("open files", format!("at most {hard}")),
        None => checks.ok("open files", "unlimited"),
    }
    let now = Host::real().now();
    if now.0 < EARLIEST_UNIX_MS {
        checks.bad("clock", show::time(now.0), "set the clock; signatures of clients are refused when it is off by more than 15 minutes");
    } else {
        checks.ok("clock", show::time(now.0));
    }
    let swaps = files::read(Path::new("/proc/swaps"), SMALL_FILE_BYTES_MAX)
        .ok()
        .flatten()
        .unwrap_or_default();
    let swapping = String::from_utf8_lossy(&swaps)
        .lines()
        .skip(1)
        .any(|line| !line.trim().is_empty());
    if swapping {
        checks.warn(
            "swap",
            "memory may be written to a disk, with keys in it",
            "switch swap off, encrypt it, or set MemorySwapMax=0 for the service",
        );
    } else {
        checks.ok("swap", "none");
    }
}

fn configuration(settings: &Settings, checks: &mut Checks) {
    let file = settings
        .places
        .file
        .as_ref()
        .map_or_else(|| "defaults".to_owned(), |file| file.display().to_string());
    match settings.check() {
        Ok(()) => checks.ok("configuration", file),
        Err(error) => checks.bad(
            "configuration",
            error.to_string(),
            "change the values so that they go together",
        ),
    }
    if settings.flag("unsafe_unseal_from_this_machine") {
        checks.warn(
            "unsafe",
            "unsafe_unseal_from_this_machine is on",
            "for development only; take it away and move the shares to their parties",
        );
    }
    if let Some(key) = settings.optional("s3.tls_key") {
        private("TLS key", Path::new(key), checks);
    }
}

fn data_folder(layout: &Layout, checks: &mut Checks) {
    if files::is_folder(&layout.data) {
        private("data folder", &layout.data, checks);
    } else {
        let found = format!("{} is not there", layout.data.display());
        checks.bad(
            "data folder",
            found,
            "`clarence found` makes it, or give the right one with --data",
        );
    }
    let socket = layout.socket();
    if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        checks.bad(
            "control socket",
            format!("the path {} is too long", socket.display()),
            "choose a shorter data folder",
        );
    }
    if files::stat(&layout.connect()).is_ok_and(|found| found.is_some()) {
        private("connect.json", &layout.connect(), checks);
    }
}

/// Certificates must not end unseen, and the authority should not lie where the node does.
fn certificates(settings: &Settings, checks: &mut Checks) {
    if !settings.flag("s3.tls_local_authority") {
        return;
    }
    let folder = Folder::in_data(&settings.places.data);
    match folder.list() {
        Err(error) => checks.bad(
            "TLS",
            error.to_string(),
            "a node with s3.tls_local_authority does not start without it",
        ),
        Ok(listed) => {
            let now = Host::real().now();
            let days = listed.iter().map(|one| one.facts.days_left(now)).min();
            let found = format!("certificates are good for {} days", days.unwrap_or(0));
            match days {
                Some(days) if days < 0 => {
                    checks.bad("TLS", "a certificate has ended", "`clarence tls renew`");
                }
                Some(days) if days < RENEW_DAYS => {
                    checks.warn("TLS", found, "`clarence tls renew`");
                }
                _ => checks.ok("TLS", found),
            }
        }
    }
    for path in folder.authority_files() {
        if files::stat(&path).is_ok_and(|found| found.is_some()) {
            private("TLS authority", &path, checks);
        }
    }
    let listen = settings.listen().ok();
    if listen.is_some_and(|listen| !listen.ip().is_loopback())
        && settings.text("s3.tls_classical") == tls::Classical::Allow.word()
    {
        checks.warn(
            "TLS key exchange",
            "clients without hybrid key exchange are served; what they send can be recorded and opened by a quantum computer later",
            "watch clarence_tls_handshakes_total; when class=\"classical\" stays at 0, set s3.tls_classical = \"refuse\"",
        );
    }
}

/// Nobody but the owner may read it.
fn private(name: &str, path: &Path, checks: &mut Checks) {
    match files::mode(path) {
        Err(error) => checks.bad(
            name,
            format!("{}: {error}", path.display()),
            "make it readable for the node's user",
        ),
        Ok(mode) if mode & 0o077 != 0 => {
            checks.warn(
                name,
                format!("{} is open to others (mode {mode:o})", path.display()),
                "`chmod go= PATH`",
            );
        }
        Ok(_) => checks.ok(name, path.display().to_string()),
    }
}

fn sites(layout: &Layout, checks: &mut Checks) {
    for site in SiteId::BOTH {
        one_site(&site.to_string(), layout.site(site), checks);
    }
    let devices = SiteId::BOTH.map(|site| {
        files::identity(layout.site(site))
            .ok()
            .map(|(device, _)| device)
    });
    match devices {
        [Some(a), Some(b)] if a == b => {
            checks.warn(
                "two places",
                "both sites lie on one file system",
                "one broken disk takes both; put them on two disks",
            );
        }
        [Some(_), Some(_)] => checks.ok("two places", "the sites lie on two file systems"),
        _ => {}
    }
    let clouds = SiteId::BOTH.map(|site| {
        charter::files::load_custody(layout.site(site))
            .ok()
            .map(|custody| custody.cloud())
    });
    if let [Some(a), Some(b)] = clouds
        && a != b
    {
        checks.bad(
            "one cloud",
            format!("site-a is of cloud {a}, site-b of {b}"),
            "check sites.a and sites.b; nothing is lost",
        );
    }
}

fn one_site(name: &str, folder: &Path, checks: &mut Checks) {
    let shown = folder.display();
    if !files::is_folder(folder) {
        let mend =
            "mount it, or heal it from the other site; the node goes on with one site meanwhile";
        return checks.bad(name, format!("{shown} is not there"), mend);
    }
    match charter::files::load_custody(folder) {
        Ok(custody) => checks.ok(name, format!("{shown}, cloud {}", custody.cloud())),
        Err(error) => checks.bad(
            name,
            error.to_string(),
            "is this the folder of a site? if the other site is whole, heal this one from it",
        ),
    }
    private(&format!("{name} mode"), folder, checks);
    if let Err(error) =
        rustix::fs::access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
    {
        checks.bad(
            &format!("{name} writable"),
            format!("{shown}: {error}"),
            "give the folder to the node's user, or mount it read-write",
        );
    }
    let space = format!("{name} space");
    match files::free_bytes(folder) {
        Err(error) => checks.bad(&space, format!("{shown}: {error}"), "look at the disk"),
        Ok(free) if free < SPACE_FULL_BYTES => checks.bad(
            &space,
            format!("{} free", show::bytes(free)),
            "make room; writes stop when it is full",
        ),
        Ok(free) if free < SPACE_LOW_BYTES => checks.warn(
            &space,
            format!("{} free", show::bytes(free)),
            "make room soon",
        ),
        Ok(free) => checks.ok(&space, format!("{} free", show::bytes(free))),
    }
}

/// Witnesses have to be readable, shares should not be here.
fn parents(settings: &Settings, layout: &Layout, checks: &mut Checks) {
    let parties = files::list(&layout.parents).unwrap_or_default();
    if parties.is_empty() {
        let found = format!("{} holds no party's folder", layout.parents.display());
        return checks.bad("witnesses", found, "mount the parties' folders there; without them it cannot be known which site is current");
    }
    let readable = |party: &&String| {
        let path = layout.parents.join(party).join(WITNESS_FILE);
        matches!(files::read(&path, SMALL_FILE_BYTES_MAX), Ok(Some(_)))
    };
    let witnesses = parties.iter().filter(readable).count();
    let found = format!("{witnesses} of {} can be read", parties.len());
    if witnesses == parties.len() {
        checks.ok("witnesses", found);
    } else if witnesses * 2 > parties.len() {
        checks.warn(
            "witnesses",
            found,
            "bring the others back; more than half are needed",
        );
    } else {
        checks.bad(
            "witnesses",
            found,
            "mount the parties' folders; more than half are needed before a site can be given up",
        );
    }
    let mut shares = 0;
    for party in &parties {
        let path = layout
            .parents
            .join(party)
            .join(charter::files::SHARE_FILE_NAME);
        if files::stat(&path).is_ok_and(|found| found.is_some()) {
            shares += 1;
            private(&format!("share of {party}"), &path, checks);
        }
    }
    let wanted = settings.flag("unsafe_unseal_from_this_machine");
    if shares > 0 {
        let mend = if wanted {
            "wanted by the configuration; never in earnest"
        } else {
            "give each to its party and remove it here"
        };
        checks.warn(
            "shares",
            format!("{shares} share files lie on this machine"),
            mend,
        );
    } else {
        checks.ok("shares", "none on this machine");
    }
}

async fn running(settings: &Settings, talk: Talk, checks: &mut Checks) {
    match node::ask(settings, &talk, Request::Status).await {
        Ok(status) if status.get("sealed") == Some(&json!(false)) => {
            checks.ok("node", format!("open, {}", show::text(&status, "standing")));
        }
        Ok(_) => checks.warn(
            "node",
            "sealed",
            "`clarence unseal --share FILE --share FILE`",
        ),
        Err(failure) if failure.exit == Exit::Network => checks.ok("node", "not running"),
        Err(failure) => checks.warn("node", failure.message, "look at its log"),
    }
}
