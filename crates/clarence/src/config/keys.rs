//! Every key there is, with its kind, its default and what it is for.

use super::places::Places;
use super::value::{Kind, Value};

/// One key.
pub struct Key {
    /// `section.name`, or a name without a section.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when nobody says.
    pub default: Default,
    /// What it is for.
    pub about: &'static str,
}

/// What a key is when nobody says.
pub enum Default {
    /// Nothing.
    Unset,
    /// This text, read as the environment would be.
    Text(&'static str),
    /// A folder in the data folder.
    InData(&'static str),
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: Default, about: &'static str) -> Self {
        Self {
            name,
            kind,
            default,
            about,
        }
    }

    /// The default in a given data folder.
    pub fn default_in(&self, places: &Places) -> Value {
        match self.default {
            Default::Unset => Value::Unset,
            Default::Text(text) => self.kind.read_text(text).unwrap_or(Value::Unset),
            Default::InData(name) => Value::Text(places.data.join(name).display().to_string()),
        }
    }
}

use Default::{InData, Text, Unset};

/// The keys that name the file of a site's bucket.
pub const SITE_BUCKETS: [&str; 2] = ["sites.a_s3", "sites.b_s3"];

/// All keys, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    Key::new(
        "unsafe_unseal_from_this_machine",
        Kind::Flag,
        Text("false"),
        "UNSAFE, for development: open at start with the share files that lie in parents.folder",
    ),
    Key::new(
        "unsafe_vault_in_process",
        Kind::Flag,
        Text("false"),
        "UNSAFE, for measuring: the keys share a process with what speaks to the network",
    ),
    Key::new(
        "s3.listen",
        Kind::Address,
        Text("127.0.0.1:7480"),
        "where S3 is served; port 0 takes a free one",
    ),
    Key::new(
        "s3.region",
        Kind::Name,
        Text("lu-1"),
        "the region that signatures must be made for",
    ),
    Key::new(
        "s3.base_domains",
        Kind::List,
        Text("s3.lu-1.clarence.internal,localhost"),
        "domains under which a bucket may be the first label of the host name",
    ),
    Key::new(
        "s3.tls_local_authority",
        Kind::Flag,
        Text("false"),
        "serve TLS with the certificates of the local authority, which `clarence tls init` makes",
    ),
    Key::new(
        "s3.tls_classical",
        Kind::Choice(tls::Classical::WORDS),
        Text("allow"),
        "TLS clients without hybrid post-quantum key exchange: serve and count them, or refuse them",
    ),
    Key::new("s3.tls_cert", Kind::Path, Unset, "certificate chain, PEM"),
    Key::new(
        "s3.tls_key",
        Kind::Path,
        Unset,
        "private key, PEM, readable by its owner only",
    ),
    Key::new(
        "s3.allow_plain_http_beyond_loopback",
        Kind::Flag,
        Text("false"),
        "let plain HTTP leave this machine, such as behind a proxy that ends TLS",
    ),
    Key::new(
        "sql.listen",
        Kind::Address,
        Unset,
        "where SQL is served to PostgreSQL's clients, such as 127.0.0.1:5433; it uses the certificates of s3.tls_*",
    ),
    Key::new(
        "sql.http_listen",
        Kind::Address,
        Unset,
        "where SQL is served over HTTP",
    ),
    Key::new(
        "sql.flight_listen",
        Kind::Address,
        Unset,
        "where SQL is served over Arrow Flight SQL (ADBC, JDBC)",
    ),
    Key::new(
        "sql.engine",
        Kind::Path,
        Unset,
        "the query engine's program; clarence-sql beside this one, if not set",
    ),
    Key::new(
        "sql.memory",
        Kind::Size,
        Text("0"),
        "memory for all statements together; 0 takes a quarter of the machine's",
    ),
    Key::new(
        "sql.cache",
        Kind::Size,
        Text("512MiB"),
        "memory for what statements have read before",
    ),
    Key::new(
        "sql.spill_max",
        Kind::Size,
        Text("64GiB"),
        "disk, in DIR/spill, for what statements cannot hold in memory; it is sealed under keys that are never stored",
    ),
    Key::new(
        "sql.statement_timeout",
        Kind::Time,
        Text("10m"),
        "how long a statement may take: 90s, 10m, 2h",
    ),
    Key::new(
        "sites.a",
        Kind::Path,
        InData("site-a"),
        "the folder of the first site; put the two on two disks",
    ),
    Key::new(
        "sites.b",
        Kind::Path,
        InData("site-b"),
        "the folder of the second site",
    ),
    Key::new(
        "sites.a_s3",
        Kind::Path,
        Unset,
        "the first site's chunks lie on an S3: a file, readable by its owner only, with endpoint, region, access_key, secret_key, ca_bundle, bucket; the folder keeps the papers",
    ),
    Key::new(
        "sites.b_s3",
        Kind::Path,
        Unset,
        "the same for the second site",
    ),
    Key::new(
        "parents.folder",
        Kind::Path,
        InData("parents"),
        "the folder with one folder for each party: its witness and, after a founding, its share",
    ),
    Key::new(
        "node.name",
        Kind::Name,
        Text("node-1"),
        "the node's name in the ledger",
    ),
    Key::new(
        "node.jurisdiction",
        Kind::Name,
        Unset,
        "where this node is, one of the charter's jurisdictions; where both sites are, if not set",
    ),
    Key::new(
        "node.log_name",
        Kind::Name,
        Text("clarence.internal/ledger"),
        "the name of the ledger; fixed when the cloud is founded",
    ),
    Key::new(
        "node.first_tenant",
        Kind::Name,
        Unset,
        "make this tenant when there is none of that name, and write DIR/connect.json for it",
    ),
    Key::new(
        "hsm.uri",
        Kind::Name,
        Unset,
        "the HSM token that holds a part of what opens the sites' keys: pkcs11:token=...?module-path=...&pin-source=...",
    ),
    Key::new(
        "tpm.device",
        Kind::Name,
        Text("/dev/tpmrm0"),
        "this machine's TPM, for restarts without officers; unix:PATH for a socket",
    ),
    Key::new(
        "writes.while_a_site_is_away",
        Kind::Choice(&["available", "strict"]),
        Text("available"),
        "new buckets: accept writes with one site and record the debt, or refuse them",
    ),
    Key::new(
        "catalog.servers",
        Kind::List,
        Text(""),
        "servers of PostgreSQL that keep the catalog, such as a=db-a.internal:5432,b=db-b.internal:5432, or a=/run/postgresql:5432 for a socket; without one it lies in the sites' folders",
    ),
    Key::new(
        "catalog.database",
        Kind::Name,
        Text("clarence"),
        "the database on these servers; each cloud has one of its own",
    ),
    Key::new(
        "catalog.user",
        Kind::Name,
        Text("clarence"),
        "the node's role there",
    ),
    Key::new(
        "catalog.password_file",
        Kind::Path,
        Unset,
        "a file with its password, readable by its owner only",
    ),
    Key::new(
        "catalog.ca",
        Kind::Path,
        Unset,
        "authorities of the servers' certificates, PEM; without it only servers on this machine are called",
    ),
    Key::new(
        "embassy.host",
        Kind::Path,
        Unset,
        "this cloud is a guest: the file that the host handed out (endpoint, region, credential, authority)",
    ),
    Key::new(
        "embassy.bucket",
        Kind::Name,
        Unset,
        "the bucket at the host in which the guest keeps its twin",
    ),
    Key::new(
        "embassy.acknowledge",
        Kind::Choice(&["at-host", "at-home"]),
        Text("at-host"),
        "a guest's writes: acknowledged when they are durable at the host as well, or at home already",
    ),
    Key::new(
        "embassy.lends",
        Kind::Flag,
        Text("false"),
        "keys of buckets at hosts may be lent with `clarence embassy lend`: this node then calls those hosts",
    ),
    Key::new(
        "log.format",
        Kind::Choice(&["text", "json"]),
        Text("text"),
        "how the log on stderr is written",
    ),
    Key::new(
        "log.level",
        Kind::Level,
        Text("info"),
        "error, warn, info, debug or trace; or a filter such as info,catalog=debug",
    ),
    Key::new(
        "cache.catalog",
        Kind::Size,
        Text("32MiB"),
        "memory for each site's catalog",
    ),
    Key::new(
        "cache.names",
        Kind::Size,
        Text("32MiB"),
        "memory for opened pages of object names",
    ),
];

/// The key of that name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known key that is most like a name, if any is.
pub fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |key: &Key| {
        let whole = strsim::normalized_damerau_levenshtein(name, key.name);
        // The right name without its section, or in another one, is meant just as well.
        let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
        let last = strsim::normalized_damerau_levenshtein(&last(name), &last(key.name));
        // Where several sections have the name, the one that is most like the whole.
        (whole.max(0.95 * last), whole)
    };
    KEYS.iter()
        .map(|key| (likeness(key), key.name))
        .max_by(|(a, _), (b, _)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .filter(|((likeness, _), _)| *likeness >= 0.5)
        .map(|(_, name)| name)
}

/// A configuration file with every key as a comment, and some of them set.
pub fn template(head: &str, set: &[(&str, &str)]) -> String {
    let mut text: String = head.lines().map(|line| format!("# {line}\n")).collect();
    let mut section = "";
    for key in KEYS {
        let (own, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if own != section {
            section = own;
            text.push_str(&format!("\n[{section}]\n"));
        } else if section.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("# {}\n", key.about));
        match set.iter().find(|(set, _)| *set == key.name) {
            Some((_, value)) => text.push_str(&format!("{name} = {value}\n")),
            None => text.push_str(&format!("#{name} = {}\n", shown_default(key))),
        }
    }
    text
}

fn shown_default(key: &Key) -> String {
    match key.default {
        Unset => "\"\"".to_owned(),
        InData(name) => format!("{name:?}"),
        Text(text) => key
            .kind
            .read_text(text)
            .map_or_else(|_| format!("{text:?}"), |value| value.to_toml()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_of_its_kind() {
        for key in KEYS {
            if let Text(text) = key.default {
                assert!(key.kind.read_text(text).is_ok(), "{}", key.name);
            }
        }
    }

    #[test]
    fn names_are_unique_and_there_are_few() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        assert!((15..=43).contains(&names.len()));
    }

    #[test]
    fn the_nearest_key_is_named() {
        for (typed, meant) in [
            ("s3.lisen", "s3.listen"),
            ("listen", "s3.listen"),
            ("s3.bind_region", "s3.region"),
            ("log.levle", "log.level"),
            ("site.a", "sites.a"),
            ("unsafe_unseal", "unsafe_unseal_from_this_machine"),
        ] {
            let found = nearest(typed);
            assert!(
                found == Some(meant) || typed == "unsafe_unseal",
                "{typed}: {found:?}"
            );
        }
        assert_eq!(nearest("zzzzqqqq.xxyyww"), None);
    }

    #[test]
    fn the_template_is_a_configuration() {
        let text = template("Head.", &[("unsafe_unseal_from_this_machine", "true")]);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(
            table["unsafe_unseal_from_this_machine"].as_bool(),
            Some(true)
        );
        let all = text
            .replace("\n#", "\n#!")
            .replace("\n#! ", "\n# ")
            .replace("\n#!", "\n");
        let table: toml::Table = all.parse().unwrap();
        for key in KEYS {
            let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
            let there = if section.is_empty() {
                table.get(name)
            } else {
                table[section].get(name)
            };
            assert!(there.is_some(), "{}", key.name);
        }
    }
}
