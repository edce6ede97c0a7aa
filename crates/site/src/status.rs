//! What the control socket is asked: every verb of the command line that needs the running node.

use crate::control::{Failure, Performs, Progress, Request};
use crate::node::Node;
use epoch::Standing;
use futures::{Stream, StreamExt, stream};
use mirror::{ChunkRef, Pace};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use store::{Store, StoreError};
use vault::shown_fields;
use words::{AccessKeyId, SiteId, TenantName};

/// Entries that are shown at once.
const TAIL_MAX: usize = 1000;

type Page = VecDeque<ChunkRef>;

/// Every chunk that a row names, page by page.
pub(crate) fn all_chunks(
    store: Arc<Store>,
) -> impl Stream<Item = Result<ChunkRef, StoreError>> + Send {
    let begin = (store, Page::new(), Some(None));
    stream::try_unfold(
        begin,
        |(store, mut page, mut next): (_, Page, Option<Option<Vec<u8>>>)| async move {
            loop {
                if let Some(chunk) = page.pop_front() {
                    return Ok(Some((chunk, (store, page, next))));
                }
                let Some(after) = next else { return Ok(None) };
                let (more, then) = Store::chunk_refs(&store, after).await?;
                page.extend(more);
                next = then.map(Some);
            }
        },
    )
}

fn site_named(text: &str) -> Result<SiteId, Failure> {
    let site = text.bytes().next().and_then(SiteId::from_letter);
    let site = site.filter(|_| text.len() == 1);
    site.ok_or_else(|| Failure::new("usage", "a site is a or b"))
}

impl Performs for Node {
    fn node(self: &Arc<Self>) -> Option<Arc<Node>> {
        Some(Arc::clone(self))
    }

    async fn perform(
        self: &Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Value, Failure> {
        match request {
            Request::Status => self.status().await,
            Request::Unseal { share } => self.take_share(share.as_bytes()).await,
            Request::Seal => self.seal_asked().await,
            Request::TenantAdd { name } => self.tenant_add(&name).await,
            Request::TenantList => self.tenant_list().await,
            Request::KeyAdd {
                tenant,
                expires_seconds,
                identity,
                policy,
            } => {
                self.key_add(&tenant, expires_seconds, identity, policy)
                    .await
            }
            Request::Identity(asked) => self.identity(asked).await,
            Request::TrustAnchor(asked) => self.trust_anchor(asked).await,
            Request::MeterExport { tenant } => self.meter_export(tenant).await,
            Request::QuotaSet {
                tenant,
                stored_bytes,
                requests_per_hour,
            } => {
                self.quota_set(tenant, stored_bytes, requests_per_hour)
                    .await
            }
            Request::KeySuspend { access_key } => self.key_suspend_asked(&access_key).await,
            Request::LedgerTail { count, before } => self.ledger_tail(count, before).await,
            Request::LedgerPublish => self.publish_asked().await,
            Request::HandIn { document } => self.hand_in(&document).await,
            Request::Lending(asked) => self.lending(asked).await,
            Request::Docket => self.docket().await,
            Request::CarryOut { request, paper } => {
                self.carry_out(&request, paper.as_deref()).await
            }
            Request::GlassReport { access_key, report } => {
                self.glass_report(&access_key, &report).await
            }
            Request::Scrub => self.scrub(progress).await,
            Request::Backup => Err(Failure::new("usage", "a backup is asked by frames")),
            Request::Heal { site, new_folder } => self.heal_asked(site, new_folder, progress).await,
            Request::RestartGrant {
                order,
                cards,
                pcrs,
                held_by,
            } => {
                self.restart_grant(order, cards, pcrs, site_named(&held_by)?)
                    .await
            }
            Request::RestartEnd => {
                let ended = self.restart_end("asked for at the control socket").await?;
                Ok(json!({ "ended": ended }))
            }
            Request::RestartStatus => self.restart_status(),
            Request::Erasure { ask } => self.erasure_asked(ask).await,
            Request::Agreement(asked) => self.agreement_asked(asked).await,
            Request::PersonAccesses(asked) => self.person_accesses(asked).await,
            Request::Rotate { what } => self.rotate(what).await,
            Request::RotateStatus => self.rotate_status().await,
            Request::CryptoInventory => self.inventory().await,
            Request::Stop => Ok(self.stop_asked()),
        }
    }
}

impl Node {
    fn stop_asked(&self) -> Value {
        self.stop.send_replace(true);
        json!({ "stopping": true })
    }

    async fn key_suspend_asked(&self, access_key: &str) -> Result<Value, Failure> {
        let id = AccessKeyId::parse(access_key).map_err(|e| Failure::new("usage", e))?;
        self.rooms.vault.key_suspend(&id).await?;
        Ok(json!({ "access_key": access_key, "suspended": true }))
    }

    async fn publish_asked(&self) -> Result<Value, Failure> {
        let size = self.publish_all().await;
        let size = size.map_err(|e| Failure::new("internal", e))?;
        Ok(json!({ "entries": size }))
    }

    async fn seal_asked(self: &Arc<Self>) -> Result<Value, Failure> {
        if let Err(failure) = self.restart_end("the node was sealed").await {
            tracing::warn!(why = failure.message, "a lease was not ended");
        }
        let why = "asked for at the control socket".into();
        self.rooms
            .vault
            .record_act(ledger::Kind::Seal, "Seal", why)
            .await?;
        self.rooms.vault.seal();
        self.opened.index.clear();
        Ok(json!({ "sealed": true }))
    }

    async fn status(&self) -> Result<Value, Failure> {
        let view = self.opened.tenure.view();
        let engine = self.opened.engine.engine();
        let mut sites = Vec::new();
        for site in SiteId::BOTH {
            let (state, why) = self.site_words(site);
            let backlog = mirror::backlog(&*engine, site).await.unwrap_or_default();
            let free = host::files::free_bytes(self.config.layout.site(site)).ok();
            sites.push(json!({
                "site": site.to_string(),
                "state": state,
                "why": why,
                "folder": self.config.layout.site(site),
                "free_bytes": free,
                "bucket": self.opened.buckets[site.index()].as_deref().map(crate::buckets::status),
                "owed_chunks": backlog.chunks,
                "owed_bytes": backlog.bytes,
                "oldest_debt_unix_ms": backlog.oldest_since,
                "troubles": view.trouble_count[site.index()],
                "repairs": view.repair_count[site.index()],
            }));
        }
        let unsealing = self.unsealing.lock().await;
        let sealed = self.rooms.vault.is_sealed();
        let troubles: Vec<Value> = view
            .troubles
            .iter()
            .map(|t| json!({ "unix_ms": t.at.0, "site": t.site.to_string(), "kind": format!("{:?}", t.trouble.kind), "what": t.trouble.what }))
            .collect();
        let mut status = json!({
            "cloud": self.opened.header.cloud.to_string(),
            "node": self.config.node,
            "endpoint": self.endpoint,
            "sql": self.sql(),
            "region": self.config.region,
            "sealed": sealed,
            "shares_given": unsealing.have(),
            "shares_needed": unsealing.need(),
            "unsafe_unseal_from_this_machine": self.config.unsafe_unseal_from_this_machine,
            "standing": match view.standing() {
                Standing::BothCurrent => "both sites are current".to_owned(),
                Standing::Only(site) => format!("{site} serves alone, {} is behind", site.other()),
            },
            "epoch": view.record.epoch,
            "sites": sites,
            "troubles": troubles,
            "embassy": self.opened.guest.as_ref().map(|guest| guest.status(self.opened.engine.head())),
            "catalog": self.opened.engine.status(),
            "ledger": { "signed_entries": *self.published.borrow() },
        });
        status["lacks"] = json!(unsealing.lacks().map(ToString::to_string));
        self.joint_status(&mut status);
        Ok(status)
    }

    async fn tenant_add(&self, name: &str) -> Result<Value, Failure> {
        let name = TenantName::parse(name).map_err(|e| Failure::new("usage", e))?;
        let tenant = self.rooms.vault.tenant_add(name.clone()).await?;
        let mut shown = self.key_add(name.as_str(), None, None, None).await?;
        shown["tenant_id"] = json!(tenant.id.to_string());
        Ok(shown)
    }

    async fn tenant_list(&self) -> Result<Value, Failure> {
        let tenants: Vec<Value> = self
            .rooms
            .vault
            .tenant_list()
            .await?
            .into_iter()
            .map(|t| json!({ "tenant": t.name.to_string(), "tenant_id": t.id.to_string(), "created_unix_ms": t.created.0, "suspended": t.suspended }))
            .collect();
        Ok(json!({ "tenants": tenants }))
    }

    async fn key_add(
        &self,
        tenant: &str,
        expires_seconds: Option<u64>,
        identity: Option<String>,
        policy: Option<String>,
    ) -> Result<Value, Failure> {
        let name = TenantName::parse(tenant).map_err(|e| Failure::new("usage", e))?;
        let expires = expires_seconds.map(|s| self.host.now().plus(s.saturating_mul(1000)));
        let asked = vault::KeyAsked {
            identity,
            policy,
            expires,
        };
        let key = self.rooms.vault.key_make(&name, asked).await?;
        let connect = self.connect_with(&key.id, &key.secret);
        Ok(json!({
            "tenant": tenant,
            "tenant_id": key.tenant.to_string(),
            "endpoint": connect.endpoint,
            "region": connect.region,
            "ca_bundle": connect.ca_bundle,
            "access_key": connect.access_key,
            "secret_key": connect.secret_key,
            "expires_unix_ms": expires.map(|t| t.0),
        }))
    }

    async fn ledger_tail(&self, count: usize, before: Option<u64>) -> Result<Value, Failure> {
        let entries = self
            .rooms
            .vault
            .last_entries(before, count.min(TAIL_MAX))
            .await?;
        let shown: Vec<Value> = entries
            .into_iter()
            .map(|entry| {
                let mut line = json!({ "index": entry.index });
                match &entry.fields {
                    Some(fields) => shown_fields(fields)
                        .into_iter()
                        .for_each(|(name, value)| line[name] = json!(value)),
                    None => line["sealed"] = json!(true),
                }
                line
            })
            .collect();
        Ok(json!({ "entries": shown }))
    }

    async fn scrub(&self, progress: Progress) -> Result<Value, Failure> {
        let _one = self.healing.lock().await;
        let internal = |e: &dyn ToString| Failure::new("internal", e.to_string());
        let sites: Vec<SiteId> = SiteId::BOTH
            .into_iter()
            .filter(|site| self.opened.tenure.serving(*site))
            .collect();
        let mut catalog = serde_json::Map::new();
        let mut mended = 0;
        for site in &sites {
            progress.tell(&format!("catalog of {site}"), 0, None);
            let scrubbed = self.opened.engine.scrub(*site).await;
            let (shown, put_right) = scrubbed.map_err(|e| internal(&e))?;
            mended += put_right;
            catalog.insert(site.to_string(), shown);
        }
        let mut tell = |report: &mirror::ScrubReport| progress.tell("chunks", report.chunks, None);
        let refs = all_chunks(Arc::clone(&self.rooms.store)).boxed();
        let chunks = mirror::scrub(
            &self.opened.mirror,
            &sites,
            refs,
            Pace::default(),
            &mut tell,
        )
        .await
        .map_err(|e: StoreError| internal(&e))?;
        let report = json!({ "sites": sites.iter().map(ToString::to_string).collect::<Vec<_>>(), "catalog": catalog, "chunks": chunks });
        if !self.rooms.vault.is_sealed() && (chunks.repaired > 0 || mended > 0) {
            self.rooms
                .vault
                .record_act(ledger::Kind::Repair, "Scrub", report.to_string())
                .await?;
        }
        Ok(report)
    }

    async fn heal_asked(
        &self,
        site: Option<String>,
        new_folder: bool,
        progress: Progress,
    ) -> Result<Value, Failure> {
        let site = match site.as_deref() {
            Some("a" | "site-a") => SiteId::A,
            Some("b" | "site-b") => SiteId::B,
            Some(other) => {
                return Err(Failure::new(
                    "usage",
                    format!("there is no site {other:?}; the sites are a and b"),
                ));
            }
            None => match self.opened.tenure.standing() {
                Standing::BothCurrent => {
                    return Ok(json!({ "healed": null, "standing": "both sites are current" }));
                }
                Standing::Only(serving) => serving.other(),
            },
        };
        if new_folder {
            self.furnish_new_folder(site).await?;
        }
        if self.opened.tenure.serving(site) {
            return Ok(json!({ "healed": null, "standing": format!("{site} is current") }));
        }
        let (chunks, rows) = self
            .heal(site, |what, done, total| progress.tell(what, done, total))
            .await?;
        Ok(json!({ "healed": site.to_string(), "chunks": chunks, "rows": rows }))
    }
}
