//! Metering and quotas: what was counted is written down each minute, what is kept is added up each ten.

use crate::control::Failure;
use crate::node::Node;
use serde_json::{Value, json};
use std::time::Duration;
use vault::Quota;
use words::TenantName;

const FLUSH: Duration = Duration::from_secs(60);
/// Flushes between two measurings of what tenants with a quota keep.
const MEASURE_EVERY: u32 = 10;

fn named(tenant: &str) -> Result<TenantName, Failure> {
    TenantName::parse(tenant).map_err(|e| Failure::new("usage", e))
}

impl Node {
    pub(crate) async fn meter_forever(&self) {
        for round in 1_u32.. {
            tokio::time::sleep(FLUSH).await;
            let vault = &self.rooms.vault;
            if vault.is_sealed() {
                continue;
            }
            if let Err(error) = vault.flush_meter().await {
                tracing::warn!(%error, "what tenants used is not written down yet; it is tried again");
            }
            if round.is_multiple_of(MEASURE_EVERY)
                && let Err(error) = vault.measure().await
            {
                tracing::warn!(%error, "what tenants keep could not be added up; the old sum holds");
            }
        }
    }

    pub(crate) async fn meter_export(&self, tenant: Option<String>) -> Result<Value, Failure> {
        let only = tenant.as_deref().map(named).transpose()?;
        let lines = self.rooms.vault.meter_export(only.as_ref()).await?;
        let shown: Vec<Value> = lines
            .into_iter()
            .map(|line| {
                json!({
                    "tenant": line.tenant.to_string(),
                    "tenant_id": line.tenant_id.to_string(),
                    "hour_unix_ms": line.hour.0,
                    "requests": line.counts.requests,
                    "refused": line.counts.refused,
                    "bytes_in": line.counts.bytes_in,
                    "bytes_out": line.counts.bytes_out,
                })
            })
            .collect();
        Ok(json!({ "hours": shown }))
    }

    pub(crate) async fn quota_set(
        &self,
        tenant: String,
        stored_bytes: u64,
        requests_per_hour: u64,
    ) -> Result<Value, Failure> {
        let quota = Quota {
            stored_bytes,
            requests_per_hour,
        };
        self.rooms.vault.quota_set(&named(&tenant)?, quota).await?;
        Ok(json!({
            "tenant": tenant,
            "stored_bytes": stored_bytes,
            "requests_per_hour": requests_per_hour,
        }))
    }
}
