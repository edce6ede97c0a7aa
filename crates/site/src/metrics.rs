//! What the node tells about itself: readiness, counters, the Prometheus text. Labels never carry names of
//! people, buckets or objects.

use crate::node::Node;
use async_trait::async_trait;
use epoch::SiteView;
use gate::{Ops, Readiness, Seen};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use words::SiteId;

/// Upper bounds of the latency buckets, in milliseconds.
const BUCKETS_MS: [u64; 9] = [1, 2, 5, 10, 25, 50, 100, 500, 2500];

#[derive(Default, Clone)]
struct Verb {
    by_status: BTreeMap<u16, u64>,
    buckets: [u64; BUCKETS_MS.len()],
    count: u64,
    sum_us: u64,
}

/// Counts of finished requests.
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<&'static str, Verb>>);

impl Counts {
    fn add(&self, seen: Seen) {
        let Ok(mut all) = self.0.lock() else { return };
        let verb = all.entry(seen.verb).or_default();
        *verb.by_status.entry(seen.status).or_default() += 1;
        verb.count += 1;
        verb.sum_us = verb
            .sum_us
            .saturating_add(u64::try_from(seen.took.as_micros()).unwrap_or(u64::MAX));
        let took = u64::try_from(seen.took.as_millis()).unwrap_or(u64::MAX);
        for (bound, bucket) in BUCKETS_MS.iter().zip(&mut verb.buckets) {
            *bucket += u64::from(took <= *bound);
        }
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let all = self.0.lock().map(|all| all.clone()).unwrap_or_default();
        out.push_str("# HELP clarence_s3_requests_total S3 requests that were answered, by operation and status.\n# TYPE clarence_s3_requests_total counter\n");
        for (name, verb) in &all {
            for (status, count) in &verb.by_status {
                writeln!(
                    out,
                    "clarence_s3_requests_total{{operation=\"{name}\",status=\"{status}\"}} {count}"
                )?;
            }
        }
        out.push_str("# HELP clarence_s3_request_seconds Time from the request's head to the end of its answer.\n# TYPE clarence_s3_request_seconds histogram\n");
        for (name, verb) in &all {
            for (bound, count) in BUCKETS_MS.iter().zip(verb.buckets) {
                let le = *bound as f64 / 1000.0;
                writeln!(
                    out,
                    "clarence_s3_request_seconds_bucket{{operation=\"{name}\",le=\"{le}\"}} {count}"
                )?;
            }
            writeln!(
                out,
                "clarence_s3_request_seconds_bucket{{operation=\"{name}\",le=\"+Inf\"}} {}",
                verb.count
            )?;
            writeln!(
                out,
                "clarence_s3_request_seconds_sum{{operation=\"{name}\"}} {}",
                verb.sum_us as f64 / 1e6
            )?;
            writeln!(
                out,
                "clarence_s3_request_seconds_count{{operation=\"{name}\"}} {}",
                verb.count
            )?;
        }
        Ok(())
    }
}

pub(crate) fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    let _ = writeln!(
        out,
        "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
    );
}

impl Node {
    fn write_sites(&self, out: &mut String) -> std::fmt::Result {
        let view = self.opened.tenure.view();
        out.push_str("# HELP clarence_site_serving Whether a site is current.\n# TYPE clarence_site_serving gauge\n");
        for site in SiteId::BOTH {
            let serving = u8::from(matches!(view.site(site), SiteView::Serving));
            writeln!(out, "clarence_site_serving{{site=\"{site}\"}} {serving}")?;
        }
        out.push_str("# HELP clarence_site_troubles_total Faults seen at a site.\n# TYPE clarence_site_troubles_total counter\n");
        for site in SiteId::BOTH {
            writeln!(
                out,
                "clarence_site_troubles_total{{site=\"{site}\"}} {}",
                view.trouble_count[site.index()]
            )?;
        }
        Ok(())
    }
}

impl Node {
    fn write_statements(&self, out: &mut String) -> std::fmt::Result {
        if self.config.sql.addresses().is_empty() {
            return Ok(());
        }
        let counted = self.sql_counts.now();
        gauge(
            out,
            "clarence_sql_statements_running",
            "SQL statements with an open grant.",
            counted.running,
        );
        out.push_str("# HELP clarence_sql_statements_total SQL statements, by how they ended: done, broken, or refused before they began.\n# TYPE clarence_sql_statements_total counter\n");
        for (outcome, count) in [
            ("done", counted.done),
            ("broken", counted.broken),
            ("refused", counted.refused),
        ] {
            writeln!(
                out,
                "clarence_sql_statements_total{{outcome=\"{outcome}\"}} {count}"
            )?;
        }
        for (name, help, count) in [
            (
                "clarence_sql_read_bytes_total",
                "Plaintext bytes that the vault gave to query engines.",
                counted.read_bytes,
            ),
            (
                "clarence_sql_engines_total",
                "Query engines that were started since the node's start.",
                counted.engines,
            ),
        ] {
            writeln!(
                out,
                "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}"
            )?;
        }
        Ok(())
    }
}

#[async_trait]
impl Ops for Node {
    fn readiness(&self) -> Readiness {
        if self.rooms.vault.is_sealed() {
            Readiness::Sealed
        } else {
            Readiness::Ready
        }
    }

    async fn metrics(&self) -> String {
        let mut out = String::with_capacity(8192);
        gauge(
            &mut out,
            "clarence_sealed",
            "1 while the node holds no key.",
            u64::from(self.rooms.vault.is_sealed()),
        );
        gauge(
            &mut out,
            "clarence_epoch",
            "The epoch of the sites' standing.",
            self.opened.tenure.record().epoch,
        );
        gauge(
            &mut out,
            "clarence_ledger_signed_entries",
            "Entries under the last signed checkpoint.",
            *self.published.borrow(),
        );
        let _ = self.write_sites(&mut out);
        let _ = self.write_statements(&mut out);
        if let Some(tls) = &self.tls {
            tls.write_metrics(&mut out);
        }
        let _ = self.counts.write(&mut out);
        out
    }

    fn seen(&self, request: Seen) {
        self.counts.add(request);
    }

    fn handshakes(&self, hybrid: u64, classical: u64) {
        *self
            .handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((hybrid, classical));
    }
}
