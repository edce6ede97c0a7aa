//! Every use of cryptography in one list: what the rooms declare beside their code, joined with what can be
//! told about the keys without opening one. The files suffice for most of it; a running node, sealed or
//! open, adds what is counted in the catalog.

use crate::certificates;
use crate::config::{Certificates, NodeConfig};
use crate::control::Failure;
use crate::node::Node;
use crate::open::header_of;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tls::{CertificateFacts, Folder};
use vault::{KeyAges, KeyCounts};
use words::{CryptoUse, SiteId, UnixMillis};

/// The declared uses of every room, from the root down to the wire.
pub fn uses() -> impl Iterator<Item = &'static CryptoUse> {
    [
        charter::inventory::USES,
        hsm::inventory::USES,
        tpm::inventory::USES,
        seal::inventory::USES,
        vault::inventory::USES,
        ledger::inventory::USES,
        tls::inventory::USES,
    ]
    .into_iter()
    .flatten()
}

/// One line of the inventory.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// The use's word.
    pub name: &'static str,
    /// The algorithm by its standard's name.
    pub algorithm: &'static str,
    /// `symmetric`, `hash`, `sharing`, `post-quantum`, `hybrid`, `classical`.
    pub family: &'static str,
    /// Strength against the computers of today.
    pub classical_bits: u16,
    /// Strength against a quantum computer.
    pub quantum_bits: u16,
    /// Whether it holds against a quantum computer.
    pub quantum_safe: bool,
    /// What it is for.
    pub purpose: &'static str,
    /// Where the key lies.
    pub place: &'static str,
    /// How many keys there are; absent where it is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many of each version.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, u64>,
    /// When the oldest was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_unix_ms: Option<u64>,
    /// When the newest was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_unix_ms: Option<u64>,
    /// When the first of them ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_unix_ms: Option<u64>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Item {
    fn of(of: &CryptoUse) -> Self {
        Self {
            name: of.name,
            algorithm: of.algorithm,
            family: of.family.word(),
            classical_bits: of.strength.classical_bits,
            quantum_bits: of.strength.quantum_bits,
            quantum_safe: of.family.is_quantum_safe(),
            purpose: of.purpose,
            place: of.place,
            count: None,
            versions: BTreeMap::new(),
            oldest_unix_ms: None,
            newest_unix_ms: None,
            ends_unix_ms: None,
            note: None,
        }
    }

    fn made(&mut self, count: u64, version: u32, at: UnixMillis) {
        self.count = Some(count);
        self.versions.insert(version.to_string(), count);
        (self.oldest_unix_ms, self.newest_unix_ms) = (Some(at.0), Some(at.0));
    }

    fn ages(&mut self, ages: &KeyAges) {
        self.count = Some(ages.count);
        let versions = ages.versions.iter();
        self.versions = versions.map(|(v, count)| (v.to_string(), *count)).collect();
        self.oldest_unix_ms = ages.oldest.map(|at| at.0);
        self.newest_unix_ms = ages.newest.map(|at| at.0);
    }

    fn certificate(&mut self, facts: &CertificateFacts) {
        self.count = Some(self.count.unwrap_or(0) + 1);
        self.oldest_unix_ms = Some(facts.not_before.0);
        self.newest_unix_ms = Some(facts.not_before.0);
        self.ends_unix_ms = Some(facts.not_after.0);
    }
}

/// The inventory of one node.
#[derive(Clone, Debug, Serialize)]
pub struct Inventory {
    /// Whether the catalog was asked: `running`, or `stopped` when only the files were read.
    pub node: &'static str,
    /// What happens to TLS clients without hybrid key exchange.
    pub tls_classical: &'static str,
    /// The uses.
    pub uses: Vec<Item>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
}

impl Inventory {
    /// What the files of a node tell.
    #[must_use]
    pub fn of_files(config: &NodeConfig) -> Self {
        let mut inventory = Self {
            node: "stopped",
            tls_classical: config.tls_classical.word(),
            uses: uses().map(Item::of).collect(),
            troubles: Vec::new(),
        };
        inventory.custody(config);
        inventory.outside(config);
        inventory.certificates(config);
        inventory
    }

    fn item(&mut self, name: &str) -> Option<&mut Item> {
        self.uses.iter_mut().find(|item| item.name == name)
    }

    /// What was made at the founding: shares, sites' keys, the ledger's signing keys.
    fn custody(&mut self, config: &NodeConfig) {
        let headers = SiteId::BOTH.map(|site| header_of(config.layout.site(site)));
        let mut founded = None;
        for header in headers {
            match header {
                Ok(found) => founded = founded.or(found),
                Err(error) => self.troubles.push(error.to_string()),
            }
        }
        let Some(header) = founded else { return };
        let custody = SiteId::BOTH
            .into_iter()
            .find_map(|site| charter::files::load_custody(config.layout.site(site)).ok());
        if let (Some(custody), Some(item)) = (custody, self.item("root-share")) {
            let shares = custody.holders().len() as u64;
            item.made(shares, custody.epoch(), header.founded);
            item.note = Some(format!("any {} of {shares} open", custody.threshold()));
            if custody.epoch() > 1 {
                // The record does not say when the root was shared anew, only how often.
                (item.oldest_unix_ms, item.newest_unix_ms) = (None, None);
            }
        }
        if let Some(item) = self.item("site-key") {
            item.made(2, header.key_version, header.founded);
            if header.key_version > 1 {
                // The header does not say when they were renewed; the catalog does.
                (item.oldest_unix_ms, item.newest_unix_ms) = (None, None);
            }
        }
        for name in ["ledger-ed25519", "ledger-ml-dsa-65"] {
            if let Some(item) = self.item(name) {
                item.made(1, 1, header.founded);
            }
        }
    }

    /// What HSM and TPM hold: tokens that are enrolled, a lease for restarts.
    fn outside(&mut self, config: &NodeConfig) {
        if let Ok(Some(header)) = header_of(config.layout.site(SiteId::A)) {
            match crate::outer::records(&config.layout, &header) {
                Ok(records) => {
                    let holders = records.first().map_or(&[][..], |record| &record.holders);
                    let made = holders.iter().map(|holder| holder.made.0);
                    let (oldest, newest) = (made.clone().min(), made.max());
                    if let Some(item) = self.item("hsm-key") {
                        item.count = Some(holders.len() as u64);
                        (item.oldest_unix_ms, item.newest_unix_ms) = (oldest, newest);
                    }
                }
                Err(error) => self.troubles.push(error.to_string()),
            }
        }
        match crate::restart::lease_of(&config.layout.data) {
            Ok(lease) => {
                for name in ["restart-key", "tpm-storage-key"] {
                    if let (Some(item), Some((granted, ends))) = (self.item(name), lease) {
                        item.made(1, 1, granted);
                        item.ends_unix_ms = Some(ends.0);
                    }
                }
            }
            Err(error) => self.troubles.push(error.to_string()),
        }
    }

    fn certificates(&mut self, config: &NodeConfig) {
        let folder = Folder::in_data(&config.layout.data);
        match folder.is_there() {
            Ok(true) => match folder.list() {
                Ok(listed) => {
                    for one in listed {
                        let role = if one.is_authority {
                            "authority"
                        } else {
                            "server"
                        };
                        self.certificate(role, &one.facts);
                    }
                }
                Err(error) => self.troubles.push(error.to_string()),
            },
            Ok(false) => {}
            Err(error) => self.troubles.push(error.to_string()),
        }
        if let Some(Certificates::Files { .. }) = &config.tls {
            match certificates::load(config) {
                Ok(tls) => {
                    for facts in tls.iter().flat_map(|tls| tls.server().certificates()) {
                        self.certificate("server", &facts);
                    }
                }
                Err(error) => self.troubles.push(error.to_string()),
            }
        }
    }

    fn certificate(&mut self, role: &str, facts: &CertificateFacts) {
        let Some(algorithm) = facts.algorithm else {
            self.troubles.push(
                "the TLS certificate of s3.tls_cert has a key that is neither ML-DSA-65 nor an elliptic curve's; it is taken to be classical".to_owned(),
            );
            return;
        };
        if let Some(item) = self.item(&format!("tls-{role}-{}", algorithm.word())) {
            item.certificate(facts);
        }
    }

    /// Adds what the catalog counts.
    pub fn add_counts(&mut self, counts: &KeyCounts) {
        self.node = "running";
        if let Some(item) = self.item("site-key") {
            let version = item.versions.keys().next().and_then(|v| v.parse().ok());
            if let Some((made, older)) = version.and_then(|v: u32| counts.sites.get(&v)) {
                (item.oldest_unix_ms, item.newest_unix_ms) = (Some(made.0), Some(made.0));
                item.note = older.then(|| {
                    "the ones before are not destroyed yet: `clarence rotate status`".to_owned()
                });
            }
        }
        let tenants = ["tenant-key", "ledger-key"].map(|name| (name, &counts.tenants));
        let buckets = ["bucket-key", "index-key"].map(|name| (name, &counts.buckets));
        for (name, ages) in tenants.into_iter().chain(buckets) {
            if let Some(item) = self.item(name) {
                item.ages(ages);
            }
        }
        if let Some(item) = self.item("name-key") {
            item.count = Some(counts.tenants.count + counts.buckets.count);
        }
        if let Some(item) = self.item("s3-secret") {
            item.ages(&counts.credentials);
            let (suspended, expired) = (counts.credentials_suspended, counts.credentials_expired);
            if suspended + expired > 0 {
                item.note = Some(format!(
                    "besides, {suspended} stopped and {expired} ended, which are refused"
                ));
            }
        }
    }

    /// As it is handed to the command line.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let classical: Vec<_> = self
            .uses
            .iter()
            .filter(|item| !item.quantum_safe)
            .map(|item| item.name)
            .collect();
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value["classical_only"] = json!(classical);
        value
    }
}

impl Node {
    pub(crate) async fn inventory(&self) -> Result<Value, Failure> {
        let mut inventory = Inventory::of_files(&self.config);
        inventory.add_counts(&self.rooms.vault.key_counts().await?);
        if let Some((hybrid, classical)) = self.totals_of_handshakes() {
            for (name, count) in [
                ("tls-key-exchange", hybrid),
                ("tls-key-exchange-classical", classical),
            ] {
                if let Some(item) = inventory.item(name) {
                    item.note = Some(format!("{count} handshakes since the node's start"));
                }
            }
        }
        Ok(inventory.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use host::Host;
    use tls::Algorithm;

    #[test]
    fn names_are_unique_and_each_classical_use_has_no_quantum_strength() {
        let mut names: Vec<_> = uses().map(|of| of.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        for of in uses() {
            let safe = of.family.is_quantum_safe();
            assert_eq!(safe, of.strength.quantum_bits > 0, "{}", of.name);
            assert!(of.strength.classical_bits >= 128, "{}", of.name);
            assert!(
                !of.purpose.is_empty() && !of.place.is_empty(),
                "{}",
                of.name
            );
        }
    }

    #[test]
    fn files_tell_of_shares_sites_and_certificates() {
        let place = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::new(Layout::in_folder(place.path()));
        let empty = Inventory::of_files(&config);
        assert!(empty.uses.iter().all(|item| item.count.is_none()));
        assert!(empty.troubles.is_empty());
        let host = Host::real();
        Folder::in_data(place.path())
            .init(&["localhost".to_owned()], &host)
            .unwrap();
        config.tls = Some(Certificates::LocalAuthority);
        let with = Inventory::of_files(&config);
        for algorithm in Algorithm::ALL {
            for role in ["authority", "server"] {
                let name = format!("tls-{role}-{}", algorithm.word());
                let item = with.uses.iter().find(|item| item.name == name).unwrap();
                assert_eq!(item.count, Some(1), "{name}");
                assert!(item.ends_unix_ms.unwrap() > host.now().0);
            }
        }
        let json = with.to_json();
        let classical = json["classical_only"].to_string();
        assert!(classical.contains("tls-server-ecdsa-p256") && !classical.contains("ml-dsa"));
    }

    #[test]
    fn counts_land_where_they_belong() {
        let place = tempfile::tempdir().unwrap();
        let config = NodeConfig::new(Layout::in_folder(place.path()));
        let mut inventory = Inventory::of_files(&config);
        let ages = |count, version| KeyAges {
            count,
            versions: BTreeMap::from([(version, count)]),
            oldest: Some(UnixMillis(5)),
            newest: Some(UnixMillis(9)),
        };
        inventory.add_counts(&KeyCounts {
            sites: BTreeMap::from([(1, (UnixMillis(4), true))]),
            tenants: ages(2, 1),
            buckets: ages(3, 4),
            credentials: ages(7, 1),
            credentials_suspended: 1,
            credentials_expired: 0,
        });
        let mut item = |name: &str| inventory.item(name).unwrap().clone();
        assert_eq!(item("tenant-key").count, Some(2));
        assert_eq!(item("bucket-key").versions["4"], 3);
        assert_eq!(item("name-key").count, Some(5));
        assert_eq!(item("s3-secret").oldest_unix_ms, Some(5));
        assert!(item("s3-secret").note.unwrap().contains("1 stopped"));
        assert_eq!(inventory.node, "running");
    }
}
