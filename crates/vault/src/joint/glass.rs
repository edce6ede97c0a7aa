//! Break-glass: for a few hours one officer may read one bucket, with a credential made for that alone. It is on
//! the ledger of the cloud and of the tenant when it begins, at every use and when it ends; it ends by itself;
//! nothing shows less of it than all; and it stays in sight until its officer has reported.

use super::JointError;
use super::acts::{Act, Then, needed};
use super::docket::Change;
use super::papers::{Bench, context};
use crate::Vault;
use crate::admin::NewAccessKey;
use crate::entries::Who;
use crate::error::VaultError;
use crate::record::access_key;
use crate::record::joint::{self as record, GlassRow, GlassState};
use crate::secrets::Secrets;
use catalog::{Mutation, Precondition};
use charter::approval::{Person, Refusal, Request, Standing};
use ledger::{Fields, Kind};
use policy::Action;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use words::limits::{REASON_CHARS_MAX, SCAN_ROWS_MAX};
use words::{AccessKeyId, BucketName, UnixMillis, hex};

/// Most break-glass acts that are open or not reported on at one time.
const GLASSES_MAX: usize = 64;
/// What every entry of such a credential says as its purpose.
const PURPOSE: &str = "break-glass";
/// What may be done with it.
const READS: [Action; 4] = [
    Action::HeadBucket,
    Action::ListObjects,
    Action::HeadObject,
    Action::GetObject,
];

/// A break-glass that was just opened.
pub(super) struct Opened {
    pub key: NewAccessKey,
    pub row: GlassRow,
}

/// One break-glass, for everybody to see.
#[derive(Debug, Clone)]
pub struct GlassShown {
    /// The credential.
    pub access_key: String,
    /// What was opened, by whom, until when.
    pub row: GlassRow,
    /// The request it rests on, in hexadecimal.
    pub request: String,
}

/// What looking after break-glass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GlassTick {
    /// How many ended.
    pub ended: usize,
}

impl Vault {
    pub(super) async fn glass_act(
        &self,
        secrets: &Secrets,
        bench: &Bench,
        request: &Request,
    ) -> Result<Act, JointError> {
        let info = self.tenant_called(needed(request, "tenant")?).await?;
        let tenant = self.tenant(secrets, info.id).await?;
        let asked = needed(request, "bucket")?;
        let name = BucketName::parse(asked).map_err(|e| JointError::act("usage", e.to_string()))?;
        if !self.has_bucket(&tenant, &name).await? {
            let why = format!(
                "the tenant {} has no bucket {asked}; nothing was done",
                info.name
            );
            return Err(JointError::act("not-found", why));
        }
        let officer = officer(bench, request)?;
        if self.glasses().len() >= GLASSES_MAX {
            let why = format!(
                "{GLASSES_MAX} break-glass acts are open or not reported on, the most there may be; report on those that ended"
            );
            return Err(JointError::act("conflict", why));
        }
        let ends = request.ends().ok_or(Refusal::Times(
            "a break-glass must say when it ends by itself",
        ))?;
        let ends = UnixMillis(ends.seconds().saturating_mul(1000));
        let (key, credential) = self.new_credential(&tenant, Some(ends))?;
        let row = GlassRow {
            tenant: info.id,
            bucket: asked.to_owned(),
            prefix: request.parameter("prefix").unwrap_or_default().to_owned(),
            officer: officer.to_string(),
            request: *request.digest().as_bytes(),
            begun: self.host.now(),
            ends,
            state: GlassState::Open,
        };
        let (credential_key, glass_key) = (access_key::key(&key.id), record::glass_key(&key.id));
        let mutations = vec![
            Mutation::Put {
                key: credential_key.clone(),
                value: credential.encode().into(),
            },
            self.sealed_paper(secrets, glass_key.clone(), &row.encode()),
        ];
        let resource = format!(
            "{}/{}{}* for {officer} with {} until {}",
            info.name,
            asked,
            slash(&row.prefix),
            key.id,
            charter::approval::Stamp::from_millis(ends)
        );
        Ok(Act {
            tenant: Some(info.id),
            told: Some(tenant),
            purpose: Some(PURPOSE),
            preconditions: vec![
                Precondition::Absent(credential_key),
                Precondition::Absent(glass_key),
            ],
            mutations,
            then: Then::Glass(Opened { key, row }),
            ..Act::new("BreakGlass", resource)
        })
    }

    fn glasses(&self) -> BTreeMap<String, Arc<GlassRow>> {
        let all = self.joint.glass.read();
        all.map(|all| all.clone()).unwrap_or_default()
    }

    fn glass_of(&self, access_key: &str) -> Option<Arc<GlassRow>> {
        if !self.joint.any_glass.load(Ordering::Acquire) {
            return None;
        }
        self.joint.glass.read().ok()?.get(access_key).cloned()
    }

    fn change_glasses(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<GlassRow>>)) {
        if let Ok(mut all) = self.joint.glass.write() {
            change(&mut all);
            self.joint
                .any_glass
                .store(!all.is_empty(), Ordering::Release);
        }
    }

    pub(super) fn remember_glass(&self, id: &AccessKeyId, row: GlassRow) {
        self.change_glasses(|all| drop(all.insert(id.to_string(), Arc::new(row))));
    }

    pub(crate) fn forget_glass(&self) {
        self.change_glasses(BTreeMap::clear);
    }

    /// Reads every break-glass that is not reported on, before the vault is open.
    pub(crate) async fn load_glass(&self, secrets: &Secrets) -> Result<(), VaultError> {
        let mut found = BTreeMap::new();
        for (key, row) in self.rows(record::GLASSES, SCAN_ROWS_MAX * 10).await? {
            let plain = seal::open_value(&secrets.cloud_ledger_key, &context(&key), &row.value)?;
            let glass = GlassRow::decode(&plain)?;
            if glass.state != GlassState::Reported {
                found.insert(record::access_key_in(&key)?.to_string(), Arc::new(glass));
            }
        }
        self.change_glasses(|all| *all = found);
        Ok(())
    }

    /// Everything that is open or not reported on.
    #[must_use]
    pub fn glass_shown(&self) -> Vec<GlassShown> {
        let shown = |(access_key, row): (String, Arc<GlassRow>)| GlassShown {
            access_key,
            request: hex::encode(&row.request),
            row: (*row).clone(),
        };
        self.glasses().into_iter().map(shown).collect()
    }

    /// Marks the entry of a credential that break-glass made.
    pub(crate) fn mark_glass(&self, access_key: &str, fields: &mut Fields) {
        if let Some(glass) = self.glass_of(access_key) {
            fields.purpose = Some(PURPOSE.to_owned());
            fields.case_reference = Some(hex::encode(&glass.request));
            fields.consumer = Some(glass.officer.clone());
        }
    }

    /// Whether a credential keeps to its break-glass, if it is one of those. What goes beyond is an entry.
    pub(crate) async fn within_glass(
        &self,
        who: &Who,
        action: Action,
        bucket: Option<&BucketName>,
    ) -> Result<(), VaultError> {
        let Some(glass) = self.glass_of(&who.access_key) else {
            return Ok(());
        };
        let named = bucket.map_or("", BucketName::as_str);
        let within = READS.contains(&action)
            && named == glass.bucket
            && glass.state == GlassState::Open
            && self.host.now() < glass.ends;
        self.keep_within(who, action, named, within).await
    }

    /// The same for a name, or the beginning of names that are listed.
    pub(crate) async fn within_glass_names(
        &self,
        who: &Who,
        action: Action,
        name: &str,
    ) -> Result<(), VaultError> {
        let Some(glass) = self.glass_of(&who.access_key) else {
            return Ok(());
        };
        let within = name.starts_with(&glass.prefix);
        self.keep_within(who, action, name, within).await
    }

    async fn keep_within(
        &self,
        who: &Who,
        action: Action,
        what: &str,
        within: bool,
    ) -> Result<(), VaultError> {
        if within {
            return Ok(());
        }
        let mut fields = self.fields_of(Kind::Deny, who, action.name());
        fields.resource = Some(what.to_owned());
        fields.decision = Some("beyond-break-glass".into());
        self.note(self.entry_for(&who.tenant, &fields)).await?;
        Err(VaultError::Denied)
    }

    /// Writes down what has ended by itself. Nothing depends on this being in time: the credential itself ends.
    pub async fn end_glasses(&self) -> Result<GlassTick, JointError> {
        let secrets = self.secrets()?;
        let _one = self.joint.one.lock().await;
        let mut tick = GlassTick::default();
        for (access_key, glass) in self.glasses() {
            if glass.state != GlassState::Open || self.host.now() < glass.ends {
                continue;
            }
            let said = format!(
                "it ended by itself; a report of {} is due: clarence glass-report {access_key}",
                glass.officer
            );
            let ended = GlassState::Ended;
            self.glass_becomes(
                &secrets,
                &access_key,
                &glass,
                ended,
                "BreakGlassEnded",
                said,
            )
            .await?;
            tick.ended += 1;
        }
        Ok(tick)
    }

    /// Takes the report on a break-glass that has ended.
    pub async fn report_glass(&self, access_key: &str, report: &str) -> Result<(), JointError> {
        let secrets = self.secrets()?;
        if report.trim().is_empty() || report.chars().count() > REASON_CHARS_MAX {
            let why = format!("a report of 1 to {REASON_CHARS_MAX} characters is needed");
            return Err(JointError::act("usage", why));
        }
        let _one = self.joint.one.lock().await;
        let Some(glass) = self.glass_of(access_key) else {
            let why = format!(
                "there is no break-glass with the credential {access_key} that waits for a report"
            );
            return Err(JointError::act("not-found", why));
        };
        if self.host.now() < glass.ends {
            let why =
                "it has not ended yet; report when it has, or stop its credential and report then";
            return Err(JointError::act("conflict", why));
        }
        let reported = GlassState::Reported;
        let said = report.trim().to_owned();
        self.glass_becomes(
            &secrets,
            access_key,
            &glass,
            reported,
            "BreakGlassReport",
            said,
        )
        .await
    }

    async fn glass_becomes(
        &self,
        secrets: &Secrets,
        access_key: &str,
        glass: &GlassRow,
        state: GlassState,
        operation: &str,
        said: String,
    ) -> Result<(), JointError> {
        let id = AccessKeyId::parse(access_key)
            .map_err(|_| VaultError::NoSuchAccessKey(access_key.to_owned()))?;
        let row = GlassRow {
            state,
            ..glass.clone()
        };
        let mut fields = self.fields(Kind::Admin);
        fields.operation = Some(operation.to_owned());
        fields.actor = Some(glass.officer.clone());
        fields.tenant = Some(glass.tenant);
        fields.resource = Some(format!("{}{}*", glass.bucket, slash(&glass.prefix)));
        fields.purpose = Some(PURPOSE.to_owned());
        fields.case_reference = Some(hex::encode(&glass.request));
        fields.reason = Some(said);
        let tenant = self.tenant(secrets, glass.tenant).await?;
        let key = record::glass_key(&id);
        let change = Change {
            preconditions: vec![Precondition::Present(key.clone())],
            mutations: vec![self.sealed_paper(secrets, key, &row.encode())],
            entries: vec![
                self.entry_of_cloud(secrets, &fields),
                self.entry_for(&tenant, &fields),
            ],
        };
        self.file(change, self.latest().await?).await?;
        self.change_glasses(|all| match state {
            GlassState::Reported => drop(all.remove(access_key)),
            _ => drop(all.insert(access_key.to_owned(), Arc::new(row))),
        });
        Ok(())
    }
}

fn slash(prefix: &str) -> String {
    format!("/{prefix}")
}

/// Who is to read: a person whose card holds, the proposer unless another one is named.
fn officer(bench: &Bench, request: &Request) -> Result<Person, JointError> {
    let officer = match request.parameter("officer") {
        None => request.proposer().clone(),
        Some(text) => Person::parse(text).ok_or_else(|| {
            let why = format!("officer={text} is no person such as anna of ctie");
            JointError::act("usage", why)
        })?,
    };
    let card = bench.roll.find(&officer);
    match card.is_some_and(|card| card.standing() == Standing::Active) {
        true => Ok(officer),
        false => Err(Refusal::UnknownApprover(officer).into()),
    }
}
