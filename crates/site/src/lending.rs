//! Keys that this cloud lends to a host: a bucket is made there whose key stays here, the host's requests are looked
//! for and answered, and the host is told when a loan is recalled. Only this node calls; nothing is called in.

use crate::control::{Failure, Lending};
use crate::node::Node;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use s3::{Bucket, Place, S3Error};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use vault::{Loan, LoanState, NewLoan};
use words::{BucketName, TenantName, hex};
use zeroize::Zeroizing;

/// How long a look at a host waits there for a request.
const WAIT: &str = "10";
const WAIT_DEADLINE: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(5);
/// After trouble with a host.
const PAUSE: Duration = Duration::from_secs(1);
/// After which the loans are read anew whatever happens.
const ANEW: Duration = Duration::from_secs(30);
/// How long `lend` waits for the bucket at the host.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of one loan since the node began.
#[derive(Default, Clone)]
struct View {
    answered: u64,
    /// When, why, and where the ledger has it.
    last: Option<(u64, String, u64)>,
    trouble: Option<String>,
    /// The host may hold its key.
    given: bool,
}

/// What the node knows of its loans.
#[derive(Default)]
pub struct Loans {
    changed: Notify,
    views: Mutex<BTreeMap<[u8; 16], View>>,
}

impl Loans {
    fn views(&self) -> MutexGuard<'_, BTreeMap<[u8; 16], View>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn view(&self, id: &[u8; 16], change: impl FnOnce(&mut View)) {
        change(self.views().entry(*id).or_default());
    }
    /// A loan may have changed: they are read anew.
    pub fn nudge(&self) {
        self.changed.notify_one();
    }
}

/// Loans at one host under one credential.
struct AtHost {
    client: Bucket,
    loans: Vec<(Loan, Bucket)>,
}

fn client(node: &Node, loan: &Loan) -> Result<(Place, Bucket), String> {
    let place: Place = serde_json::from_str(&loan.place).map_err(|e| e.to_string())?;
    let bucket = Bucket::new(place.clone(), node.host.clone()).map_err(|e| e.to_string())?;
    Ok((place, bucket))
}

fn text_of(base64: &str) -> Result<String, String> {
    let bytes = STANDARD.decode(base64).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|e| e.to_string())
}

impl Node {
    /// Answers hosts for as long as the node runs.
    pub(crate) async fn lend_forever(&self) {
        if !self.config.lends {
            return std::future::pending().await;
        }
        loop {
            let loans = match self.rooms.vault.is_sealed() {
                true => Vec::new(),
                false => self.rooms.vault.loans().await.unwrap_or_else(|error| {
                    tracing::error!(%error, "the loans of keys could not be read");
                    Vec::new()
                }),
            };
            let nothing = loans.is_empty();
            self.tell_recalled(&loans).await;
            let hosts = self.by_host(loans);
            let mut rounds: FuturesUnordered<_> =
                hosts.iter().map(|host| self.serve_host(host)).collect();
            let anew = if nothing { PAUSE } else { ANEW };
            tokio::select! {
                () = self.lending.changed.notified() => {}
                () = tokio::time::sleep(anew) => {}
                Some(()) = rounds.next() => {}
            }
        }
    }

    fn by_host(&self, loans: Vec<Loan>) -> Vec<AtHost> {
        let mut hosts: BTreeMap<(String, String), AtHost> = BTreeMap::new();
        for loan in loans {
            if !matches!(loan.state, LoanState::Offered | LoanState::Lent) {
                continue;
            }
            match client(self, &loan) {
                Ok((place, bucket)) => {
                    let key = (place.authority(), place.access_key.to_string());
                    let at = hosts.entry(key).or_insert_with(|| AtHost {
                        client: bucket.clone(),
                        loans: Vec::new(),
                    });
                    at.loans.push((loan, bucket));
                }
                Err(why) => self.lending.view(&loan.id, |view| view.trouble = Some(why)),
            }
        }
        hosts.into_values().collect()
    }

    /// Offers what is not made at a host yet, and answers what it asks. Ends when the loans have to be read anew.
    async fn serve_host(&self, host: &AtHost) {
        let mut made = false;
        for (loan, bucket) in &host.loans {
            if loan.state == LoanState::Offered {
                let offered = self.offer(loan, bucket).await;
                made |= offered.is_ok();
                self.lending
                    .view(&loan.id, |view| view.trouble = offered.err());
            }
        }
        if made {
            return;
        }
        if !host
            .loans
            .iter()
            .any(|(loan, _)| loan.state == LoanState::Lent)
        {
            return tokio::time::sleep(PAUSE).await;
        }
        loop {
            let outcome = self.answer_once(&host.client).await;
            let trouble = outcome.err();
            let pause = trouble.is_some();
            for (loan, _) in &host.loans {
                let trouble = trouble.clone();
                self.lending.view(&loan.id, |view| view.trouble = trouble);
            }
            if pause {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Has the bucket made whose key stays here.
    async fn offer(&self, loan: &Loan, bucket: &Bucket) -> Result<(), String> {
        let keys = self
            .rooms
            .vault
            .verifier_keys()
            .map_err(|e| e.to_string())?;
        let (id, keys) = (hex::encode(&loan.id), STANDARD.encode(keys));
        let fields = [
            ("Bucket", loan.bucket.as_str()),
            ("Loan", &id),
            ("Lessor", &keys),
        ];
        let said = bucket.form("LeaseOffer", &fields, DEADLINE).await;
        let said = said.map_err(|e| e.to_string())?;
        let request = said.texts("Request").first().map(|text| text_of(text));
        let request = request.ok_or("the host answered without a request")??;
        self.answer(bucket, &request).await
    }

    async fn answer_once(&self, bucket: &Bucket) -> Result<(), String> {
        let wait = [("Wait", WAIT)];
        let said = bucket.form("LeaseRequests", &wait, WAIT_DEADLINE).await;
        let said = said.map_err(|e| e.to_string())?;
        let mut trouble = None;
        for request in said.texts("member") {
            if let Err(why) = self.answer(bucket, &text_of(request)?).await {
                trouble = Some(why);
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Writes one request down, opens its key and sends it to the host's vault.
    async fn answer(&self, bucket: &Bucket, request: &str) -> Result<(), String> {
        let vault = &self.rooms.vault;
        let given = vault
            .loan_answer(request)
            .await
            .map_err(|e| e.to_string())?;
        let id = ledger::LeaseAsk::loan_in(request).unwrap_or_default();
        let (nonce, lease) = (hex::encode(&given.nonce), STANDARD.encode(&given.lease));
        let fields = [("Request", nonce.as_str()), ("Lease", lease.as_str())];
        self.lending.view(&id, |view| {
            view.given = true;
            view.answered += 1;
            view.last = Some((self.host.now().0, given.reason.clone(), given.entry));
        });
        let sent = bucket.form("LeaseAnswer", &fields, DEADLINE).await;
        sent.map(drop).map_err(|e| e.to_string())
    }

    /// Tells hosts that a loan is over. One that is away forgets the key when its lease ends.
    async fn tell_recalled(&self, loans: &[Loan]) {
        for loan in loans {
            let given = |view: &View| view.given;
            let held = self.lending.views().get(&loan.id).is_some_and(given);
            if loan.state == LoanState::Recalled && held {
                let told = self.tell_over(loan).await;
                self.lending.view(&loan.id, |view| {
                    view.given = told.is_err();
                    view.trouble = told.err();
                });
            }
        }
    }

    async fn tell_over(&self, loan: &Loan) -> Result<(), String> {
        let (_, bucket) = client(self, loan)?;
        let fields = [("Bucket", loan.bucket.as_str())];
        match bucket.form("LeaseEnd", &fields, DEADLINE).await {
            // A bucket that is gone holds no key.
            Ok(_) | Err(S3Error::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Does what the command line asks.
    pub(crate) async fn lending(&self, asked: Lending) -> Result<Value, Failure> {
        let vault = &self.rooms.vault;
        match asked {
            Lending::Lend {
                tenant,
                bucket,
                place,
                host_keys,
                seconds,
            } => {
                if !self.config.lends {
                    return Err(Failure::new(
                        "usage",
                        "embassy.lends is not set, so this node calls no host; set embassy.lends = true and start it again; nothing was done",
                    ));
                }
                let usage = |e: &dyn ToString| Failure::new("usage", e.to_string());
                serde_json::from_str::<Place>(&place).map_err(|e| usage(&e))?;
                let new = NewLoan {
                    tenant: TenantName::parse(&tenant).map_err(|e| usage(&e))?,
                    bucket: BucketName::parse(&bucket).map_err(|e| usage(&e))?,
                    place: Zeroizing::new(place),
                    host_keys,
                    seconds,
                };
                let loan = vault.loan_begin(new).await?;
                self.lending.nudge();
                self.lent(loan.id).await
            }
            Lending::Loans => {
                let loans = vault.loans().await?;
                let shown: Vec<Value> = loans.iter().map(|loan| self.loan_shown(loan)).collect();
                Ok(json!({ "loans": shown }))
            }
            Lending::Recall { loan } => {
                let loan = vault.loan_recall(&loan_id(&loan)?, false).await?;
                let told = self.tell_over(&loan).await;
                self.lending.view(&loan.id, |view| {
                    view.given &= told.is_err();
                    view.trouble = None;
                });
                self.lending.nudge();
                let mut shown = self.loan_shown(&loan);
                shown["host_told"] = json!(told.is_ok());
                shown["why_not_told"] = json!(told.err());
                Ok(shown)
            }
            Lending::Resume { loan } => {
                let loan = vault.loan_recall(&loan_id(&loan)?, true).await?;
                self.lending.nudge();
                Ok(self.loan_shown(&loan))
            }
        }
    }

    /// Waits a moment until the bucket is made at the host.
    async fn lent(&self, id: [u8; 16]) -> Result<Value, Failure> {
        let end = Instant::now() + PATIENCE;
        loop {
            let loans = self.rooms.vault.loans().await?;
            let loan = loans.into_iter().find(|loan| loan.id == id);
            let loan = loan.ok_or_else(|| Failure::new("internal", "the loan is gone"))?;
            let shown = self.loan_shown(&loan);
            let waits = loan.state == LoanState::Offered && shown["trouble"].is_null();
            if !waits || Instant::now() > end {
                return Ok(shown);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn loan_shown(&self, loan: &Loan) -> Value {
        let view = self.lending.views().get(&loan.id).cloned();
        let View {
            answered,
            last,
            trouble,
            ..
        } = view.unwrap_or_default();
        let at = serde_json::from_str::<Place>(&loan.place);
        json!({
            "loan": hex::encode(&loan.id),
            "tenant": loan.tenant.to_string(),
            "bucket": loan.bucket.as_str(),
            "at": at.map(|place| place.authority()).unwrap_or_default(),
            "host": loan.host.0,
            "host_fingerprint": loan.host.1,
            "state": loan.state.word(),
            "seconds": loan.seconds,
            "created_unix_ms": loan.created.0,
            "answered": answered,
            "last": last.map(|(time, reason, entry)| json!({
                "time_unix_ms": time,
                "reason": reason,
                "ledger_index": entry,
            })),
            "trouble": trouble,
        })
    }
}

fn loan_id(text: &str) -> Result<[u8; 16], Failure> {
    hex::decode_array(text).ok_or_else(|| {
        Failure::new(
            "usage",
            "a loan's id has 32 hexadecimal digits; `clarence embassy loans` shows them",
        )
    })
}
