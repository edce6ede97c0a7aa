//! A rehearsal of running from elsewhere: the cloud is restored into a folder of its own, served on this
//! machine, opened with the shares, and what it gives back over S3 is compared with what was written.

use crate::config::NodeConfig;
use crate::control::{CallError, Request, call};
use crate::node::run;
use crate::restore::{RestoreAsked, RestoreError, RestoreReport, RestoreStep, Told, restore};
use host::Host;
use md5::{Digest, Md5};
use s3::{Bucket, Place, S3Error};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;
use words::{AccessKeyId, BucketName};

/// How long the restored node may take until it answers.
const START: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// The longest object that is read back whole; of longer ones the first bytes.
const OBJECT_BYTES_MAX: u64 = 256 * 1024 * 1024;
const CREDENTIAL_SECONDS: u64 = 3600;

/// Why a rehearsal did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The restore failed.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The restored node did not serve.
    #[error("the restored node did not serve: {0}")]
    Serve(String),
    /// The restored node refused something.
    #[error("the restored node refused: {0}")]
    Call(#[from] CallError),
    /// An object was not given back.
    #[error("the restored node did not give back what was written: {0}")]
    Read(String),
}

/// What a rehearsal came to.
#[derive(Debug)]
pub struct DrillReport {
    /// The restore.
    pub restored: RestoreReport,
    /// Tenants that were looked at.
    pub tenants: u64,
    /// Buckets.
    pub buckets: u64,
    /// Names that were listed.
    pub names: u64,
    /// Objects that were read back and compared.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects whose content was compared with the MD5 in their ETag; of the others the length was compared,
    /// besides the seal of each frame.
    pub by_hash: u64,
    /// Objects that did not fit, by name.
    pub wrong: Vec<String>,
    /// Tenants whose objects were not read, because the charter lets nobody make a credential alone.
    pub unread: u64,
    /// Every step with its time.
    pub steps: Vec<RestoreStep>,
}

/// Restores, serves, opens, reads back `sample` objects of each bucket (all, if absent), and ends the node.
pub async fn drill(
    asked: RestoreAsked,
    sample: Option<usize>,
    host: &Host,
    told: Told,
) -> Result<DrillReport, DrillError> {
    let shares: Vec<String> = asked
        .shares
        .iter()
        .map(|s| s.to_text().to_string())
        .collect();
    let config = asked.config.clone();
    let restored = restore(asked, host, told.clone()).await?;
    let (mut report, more) = Box::pin(serve_and_read(config, shares, sample, host, &told)).await?;
    report.steps = restored.steps.iter().cloned().chain(more).collect();
    report.restored = restored;
    Ok(report)
}

/// Serves a restored cloud on this machine, opens it, reads back, and ends the node.
pub(crate) async fn serve_and_read(
    config: NodeConfig,
    shares: Vec<String>,
    sample: Option<usize>,
    host: &Host,
    told: &Told,
) -> Result<(DrillReport, Vec<RestoreStep>), DrillError> {
    let began = host.elapsed();
    let (end, ended) = oneshot::channel::<()>();
    let socket = config.layout.socket();
    let node = tokio::spawn({
        let (config, host) = (config.clone(), host.clone());
        async move { Box::pin(run(config, host, async { drop(ended.await) })).await }
    });
    let rehearsed = Box::pin(rehearse(&socket, shares, sample, host, began, told)).await;
    let _ = end.send(());
    let outcome = node.await;
    let read = rehearsed?;
    match outcome {
        Ok(Ok(())) => Ok(read),
        Ok(Err(error)) => Err(DrillError::Serve(error.to_string())),
        Err(error) => Err(DrillError::Serve(error.to_string())),
    }
}

async fn rehearse(
    socket: &Path,
    shares: Vec<String>,
    sample: Option<usize>,
    host: &Host,
    began: Duration,
    told: &Told,
) -> Result<(DrillReport, Vec<RestoreStep>), DrillError> {
    let mut steps = Vec::new();
    let mut at = began;
    let mut step = |name, what: String| {
        let now = host.elapsed();
        steps.push(RestoreStep {
            name,
            took: now.saturating_sub(at),
            what,
        });
        at = now;
    };
    let endpoint = started(socket, host).await?;
    step("start", format!("the node answers at {endpoint}, sealed"));
    for share in shares {
        let answer = ask(socket, Request::Unseal { share }).await?;
        if answer.get("sealed") == Some(&Value::Bool(false)) {
            break;
        }
    }
    step("open", "the node opened with the guest's shares".into());
    let mut report = empty();
    let tenants = ask(socket, Request::TenantList).await?;
    let tenants = tenants.get("tenants").and_then(Value::as_array).cloned();
    for tenant in tenants.unwrap_or_default() {
        let tenant = text(&tenant, "tenant");
        read_back(socket, &tenant, sample, host, told, &mut report).await?;
    }
    let what = format!(
        "{} of {} objects of {} tenants read over S3, {} bytes, {} compared by MD5, {} wrong",
        report.objects,
        report.names,
        report.tenants,
        report.bytes,
        report.by_hash,
        report.wrong.len()
    );
    step("read", what);
    Ok((report, steps))
}

fn empty() -> DrillReport {
    DrillReport {
        restored: RestoreReport {
            cloud: words::CloudId::from_bytes([0; 16]),
            batch: 0,
            rows: 0,
            chunks: 0,
            bytes: 0,
            parties: Vec::new(),
            steps: Vec::new(),
        },
        tenants: 0,
        buckets: 0,
        names: 0,
        objects: 0,
        bytes: 0,
        by_hash: 0,
        wrong: Vec::new(),
        unread: 0,
        steps: Vec::new(),
    }
}

async fn ask(socket: &Path, request: Request) -> Result<Value, CallError> {
    call(socket, &request, |_, _, _| {}).await
}

async fn started(socket: &Path, host: &Host) -> Result<String, DrillError> {
    let began = host.elapsed();
    loop {
        match ask(socket, Request::Status).await {
            Ok(status) => return Ok(text(&status, "endpoint")),
            Err(error) if host.elapsed().saturating_sub(began) > START => {
                return Err(DrillError::Serve(error.to_string()));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn text(value: &Value, name: &str) -> String {
    let field = value.get(name).and_then(Value::as_str);
    field.unwrap_or_default().to_owned()
}

/// Reads back what a tenant has, with a credential that ends within the hour.
async fn read_back(
    socket: &Path,
    tenant: &str,
    sample: Option<usize>,
    host: &Host,
    told: &Told,
    report: &mut DrillReport,
) -> Result<(), DrillError> {
    let request = Request::KeyAdd {
        tenant: tenant.to_owned(),
        expires_seconds: Some(CREDENTIAL_SECONDS),
        identity: None,
        policy: None,
    };
    let key = match ask(socket, request).await {
        Err(CallError::Failed { kind, .. }) if kind == "needs-quorum" => {
            report.unread += 1;
            return Ok(());
        }
        asked => asked?,
    };
    report.tenants += 1;
    let all = bucket(&key, "every-bucket", host)?;
    for name in all.buckets().await.map_err(|e| read(&e))? {
        report.buckets += 1;
        let bucket = bucket(&key, &name, host)?;
        let mut after: Option<String> = None;
        let mut taken = 0;
        loop {
            let page = bucket
                .list("", after.as_deref(), 1000)
                .await
                .map_err(|e| read(&e))?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            report.names += page.len() as u64;
            for object in page {
                if sample.is_some_and(|sample| taken >= sample) {
                    continue;
                }
                taken += 1;
                compare(&bucket, &name, &object, report).await?;
                told("objects", report.objects, None);
            }
        }
    }
    Ok(())
}

fn read(error: &S3Error) -> DrillError {
    DrillError::Read(error.to_string())
}

fn bucket(key: &Value, name: &str, host: &Host) -> Result<Bucket, DrillError> {
    let wrong = |e: &dyn ToString| DrillError::Read(e.to_string());
    let endpoint = text(key, "endpoint");
    let (address, port) = endpoint
        .strip_prefix("http://")
        .and_then(|place| place.rsplit_once(':'))
        .ok_or_else(|| wrong(&"the restored node has no plain endpoint"))?;
    let place = Place {
        tls: false,
        host: address.trim_matches(['[', ']']).to_owned(),
        port: port
            .parse()
            .map_err(|_| wrong(&"its port cannot be read"))?,
        region: text(key, "region"),
        bucket: BucketName::parse(name).map_err(|e| wrong(&e))?,
        access_key: AccessKeyId::parse(&text(key, "access_key")).map_err(|e| wrong(&e))?,
        secret: text(key, "secret_key").into(),
        authorities: None,
    };
    Bucket::new(place, host.clone()).map_err(|e| wrong(&e))
}

async fn compare(
    bucket: &Bucket,
    bucket_name: &str,
    object: &s3::Listed,
    report: &mut DrillReport,
) -> Result<(), DrillError> {
    let bytes = object.stat.bytes;
    let shown = format!("{bucket_name}/{}", object.name);
    report.objects += 1;
    let (body, tag) = match bucket.get_with_tag(&object.name, OBJECT_BYTES_MAX).await {
        Ok(found) => found,
        Err(error) => {
            report.wrong.push(format!("{shown}: {error}"));
            return Ok(());
        }
    };
    report.bytes += body.len() as u64;
    if body.len() as u64 != bytes {
        report
            .wrong
            .push(format!("{shown}: {} bytes instead of {bytes}", body.len()));
    }
    let tag = tag.trim_matches('"');
    if !tag.contains('-') {
        report.by_hash += 1;
        if words::hex::encode(&Md5::digest(&body)) != tag {
            report
                .wrong
                .push(format!("{shown}: its content has another MD5"));
        }
    }
    Ok(())
}
