//! What is in force: the one place that says whether an agreement lets something be read.

use super::kept::Kept;
use crate::Vault;
use crate::entries::{Under, Who};
use crate::error::VaultError;
use crate::secrets::{Secrets, Tenant};
use agreement::{Agreement, Op, State, Visibility, purpose};
use ledger::Kind;
use statement::terms::MaskKey;
use statement::{TableDef, TableName, Terms};
use std::sync::Arc;
use words::{TenantId, UnixMillis};

const DAY_MS: u64 = 24 * 3_600_000;
/// Characters of a refusal's reason on the ledger.
const REASON_CHARS: usize = 200;

/// What was asked under an agreement that is in force.
#[derive(Clone, Copy)]
pub struct AskedUnder<'a> {
    pub table: &'a TableName,
    pub purpose: &'a str,
    pub case: Option<&'a str>,
}

/// An agreement that is in force for its consumer.
pub struct InForce {
    pub id: String,
    pub provider: Arc<Tenant>,
    pub agreement: Agreement,
    /// The digest of its first version.
    pub first: [u8; 32],
}

impl InForce {
    fn of(kept: Kept) -> Self {
        Self {
            id: kept.id,
            provider: kept.provider,
            agreement: kept.agreement,
            first: kept.row.first,
        }
    }

    /// The terms under which a table is seen. A person's pseudonym is made with a key of the agreement's first version and the
    /// domain, so that it is the same under each version that follows.
    pub fn terms(&self, def: &TableDef, statement_key: [u8; 32]) -> Result<Terms, VaultError> {
        let first = agreement::id_of(&self.first);
        let key = |domain: &str| {
            let what = format!("clarence/v1/pseudonym\0{first}\0{domain}");
            MaskKey(seal::name_hash(&self.provider.name_key, what.as_bytes()))
        };
        let terms = self
            .agreement
            .terms(def, key, MaskKey(statement_key))
            .map_err(|error| {
                VaultError::Basis(format!(
                    "the agreement {} does not fit the table any more: {error}; its sides have to agree anew",
                    self.id
                ))
            })?;
        let watched = terms
            .aggregate
            .as_ref()
            .is_some_and(|rules| rules.differencing);
        // One key for a table and a consumer, whatever the agreement: their questions under two of them are held together.
        let cohorts = watched.then(|| {
            let what = format!(
                "clarence/v1/cohorts\0{}\0{}",
                def.name, self.agreement.consumer
            );
            MaskKey(seal::name_hash(&self.provider.name_key, what.as_bytes()))
        });
        Ok(Terms { cohorts, ..terms })
    }

    /// What entries say of it, for a purpose.
    pub fn under(&self, purpose: String, now: UnixMillis) -> Under {
        let visible_from = match &self.agreement.visibility {
            Visibility::Immediate => UnixMillis(0),
            Visibility::Deferred { days, .. } => now.plus(u64::from(*days) * DAY_MS),
        };
        Under {
            agreement: self.id.clone(),
            provider: self.agreement.provider.clone(),
            consumer: self.agreement.consumer.clone(),
            purpose,
            legal_basis: self.agreement.legal_basis.join(" "),
            visible_from,
        }
    }
}

/// Whether an agreement lets its consumer query now, and for what purpose; or the basis that is missing.
pub fn decide(
    state: State,
    agreement: &Agreement,
    now: UnixMillis,
    asked: Option<&str>,
) -> Result<String, String> {
    match state {
        State::Active => {}
        State::Suspended => return Err("it is suspended".into()),
        State::Revoked => return Err("it was revoked".into()),
        State::Expired => return Err("its time is over".into()),
        State::Replaced => return Err("a newer version of it has taken its place".into()),
        State::Draft | State::Proposed | State::ProviderSigned | State::ConsumerSigned => {
            return Err("it is not active: its sides have not signed and begun it".into());
        }
    }
    if now < agreement.not_before {
        return Err("its time has not come".into());
    }
    if now >= agreement.not_after {
        return Err("its time is over".into());
    }
    if !agreement.ops.contains(&Op::Query) && !agreement.ops.contains(&Op::Aggregate) {
        return Err("it does not let its table be queried".into());
    }
    if !agreement.ops.contains(&Op::Query) && agreement.aggregate.is_none() {
        return Err("it lets aggregates leave and gives no rules for them".into());
    }
    match asked {
        None => Ok(agreement.purpose.clone()),
        Some(asked) if purpose::is_under(asked, &agreement.purpose) => Ok(asked.to_owned()),
        Some(asked) => Err(format!(
            "it is for the purpose {}, and {asked} is not that or under it",
            agreement.purpose
        )),
    }
}

impl Vault {
    /// An agreement that a consumer may query under, for a purpose. What is refused is on the ledger when this returns.
    pub(crate) async fn in_force(
        &self,
        secrets: &Secrets,
        who: &Who,
        id: &str,
        asked: Option<&str>,
    ) -> Result<(InForce, String), VaultError> {
        let kept = self.of_consumer(secrets, who.tenant.id, id).await?;
        let kept = kept.ok_or_else(|| VaultError::NoSuchDatabase(format!("agr_{id}")))?;
        let decided = match kept.provider.suspended {
            true => Err("its provider is suspended".to_owned()),
            false => decide(kept.row.state, &kept.agreement, self.host.now(), asked),
        };
        match decided {
            Ok(purpose) => Ok((InForce::of(kept), purpose)),
            Err(why) => {
                let message = format!("the agreement {id} is no basis: {why}; nothing was read");
                self.refuse_under(who, &kept, asked, &message).await?;
                Err(VaultError::Basis(message))
            }
        }
    }

    /// Whether an agreement that something runs under is in force still, for whatever purpose.
    pub(crate) async fn still_in_force(
        &self,
        secrets: &Secrets,
        consumer: TenantId,
        id: &str,
    ) -> Result<bool, VaultError> {
        let kept = self.of_consumer(secrets, consumer, id).await?;
        Ok(kept.is_some_and(|kept| {
            let now = self.host.now();
            !kept.provider.suspended && decide(kept.row.state, &kept.agreement, now, None).is_ok()
        }))
    }

    /// An agreement of a consumer, in whatever state.
    pub(crate) async fn of_consumer(
        &self,
        secrets: &Secrets,
        consumer: TenantId,
        id: &str,
    ) -> Result<Option<Kept>, VaultError> {
        let consumer = self.tenant(secrets, consumer).await?;
        let Some(foreign) = self.foreign(&consumer, id).await? else {
            return Ok(None);
        };
        let provider = self.tenant(secrets, foreign.provider).await?;
        self.kept(secrets, &provider, id).await
    }

    /// The agreements that let a consumer query now, for whatever purpose they are.
    pub(crate) async fn all_in_force(
        &self,
        secrets: &Secrets,
        consumer: &Tenant,
    ) -> Result<Vec<InForce>, VaultError> {
        let mut all = Vec::new();
        for foreign in self.agreements_of(consumer).await? {
            let provider = self.tenant(secrets, foreign.provider).await?;
            let Some(kept) = self.kept(secrets, &provider, &foreign.id).await? else {
                continue;
            };
            let now = self.host.now();
            if decide(kept.row.state, &kept.agreement, now, None).is_ok() && !provider.suspended {
                all.push(InForce::of(kept));
            }
        }
        Ok(all)
    }

    /// A refusal, to both sides.
    async fn refuse_under(
        &self,
        who: &Who,
        kept: &Kept,
        asked: Option<&str>,
        message: &str,
    ) -> Result<(), VaultError> {
        let mut fields = self.fields_of(Kind::Deny, who, "Query");
        fields.resource = Some(kept.agreement.table.to_string());
        fields.agreement = Some(kept.id.clone());
        fields.provider = Some(kept.agreement.provider.clone());
        fields.consumer = Some(kept.agreement.consumer.clone());
        fields.purpose = asked.map(str::to_owned);
        fields.decision = Some("deny".into());
        fields.reason = Some(message.chars().take(REASON_CHARS).collect());
        self.meter.refused(who.tenant.id);
        self.note(self.entry_for(&kept.provider, &fields)).await?;
        self.note(self.entry_for(&who.tenant, &fields)).await
    }

    /// The same for what a statement asks that the agreement, which is in force, does not let it do. Gives the refusal back
    /// once it is on the ledger of both sides.
    pub(crate) async fn refuse_asked(
        &self,
        who: &Who,
        force: &InForce,
        asked: AskedUnder<'_>,
        refusal: VaultError,
    ) -> Result<VaultError, VaultError> {
        let mut fields = self.fields_of(Kind::Deny, who, "Query");
        fields.resource = Some(asked.table.to_string());
        fields.agreement = Some(force.id.clone());
        fields.provider = Some(force.agreement.provider.clone());
        fields.consumer = Some(force.agreement.consumer.clone());
        fields.purpose = Some(asked.purpose.to_owned());
        fields.legal_basis = Some(force.agreement.legal_basis.join(" "));
        fields.case_reference = asked.case.map(str::to_owned);
        fields.decision = Some("deny".into());
        fields.reason = Some(refusal.to_string().chars().take(REASON_CHARS).collect());
        self.meter.refused(who.tenant.id);
        self.note(self.entry_for(&force.provider, &fields)).await?;
        self.note(self.entry_for(&who.tenant, &fields)).await?;
        Ok(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_796_083_200_000 + 3_600_000); // an hour after the template begins

    fn template() -> Agreement {
        Agreement::from_toml(Agreement::template()).unwrap()
    }

    fn asked(state: State, agreement: &Agreement, now: UnixMillis) -> Result<String, String> {
        decide(state, agreement, now, None)
    }

    #[test]
    fn only_an_active_agreement_in_its_time_is_a_basis() {
        let agreement = template();
        assert_eq!(
            asked(State::Active, &agreement, NOW).unwrap(),
            agreement.purpose
        );
        for (state, word) in [
            (State::Draft, "not active"),
            (State::Proposed, "not active"),
            (State::ProviderSigned, "not active"),
            (State::ConsumerSigned, "not active"),
            (State::Suspended, "suspended"),
            (State::Revoked, "revoked"),
            (State::Expired, "over"),
            (State::Replaced, "newer version"),
        ] {
            let why = asked(state, &agreement, NOW).unwrap_err();
            assert!(why.contains(word), "{state:?}: {why}");
        }
        let (first, end) = (agreement.not_before, agreement.not_after);
        assert!(asked(State::Active, &agreement, first).is_ok());
        assert!(asked(State::Active, &agreement, UnixMillis(first.0 - 1)).is_err());
        assert!(asked(State::Active, &agreement, UnixMillis(end.0 - 1)).is_ok());
        assert!(asked(State::Active, &agreement, end).is_err());
    }

    #[test]
    fn a_purpose_is_the_agreed_one_or_under_it() {
        let mut agreement = template();
        agreement.purpose = "social".into();
        let ask = |purpose| decide(State::Active, &agreement, NOW, Some(purpose));
        assert_eq!(ask("social").unwrap(), "social");
        assert_eq!(ask("social.pensions").unwrap(), "social.pensions");
        for other in [
            "tax",
            "social.anything",
            "socialism",
            "",
            "statistics.official",
        ] {
            assert!(ask(other).unwrap_err().contains("purpose"), "{other}");
        }
    }

    #[test]
    fn what_may_not_be_queried_is_not() {
        let mut agreement = template();
        agreement.ops = [Op::Link, Op::Export].into();
        assert!(asked(State::Active, &agreement, NOW).is_err());
        agreement.ops = [Op::Aggregate].into();
        agreement.aggregate = None;
        assert!(
            asked(State::Active, &agreement, NOW).is_err(),
            "without rules no aggregate leaves"
        );
    }
}
