//! Agreements between two tenants over a whole cloud in memory: nothing before both sides have signed, exactly what was agreed
//! while it is in force, nothing after; and every refusal is on the ledger of both.

use crate::rig::Rig;
use crate::statements::{asked, def, own, sign_in, table};
use agreement::{Agreement, Side, Signed, State, Word};
use ledger::{Fields, Kind};
use sign::SigningKey;
use sim::Client;
use statement::{Asked, Database, Refused, Session, TableName, TableRef, Transform, Use, Why};
use store::OpenStatement;
use vault::{AgreementStep, SignerOf, VaultError};
use words::{TenantName, UnixMillis};

const TEXT: &str = r#"
format = 1
provider = "tax-office"
consumer = "health-fund"
table = "tax"
purpose = "social"
legal_basis = ["eli/etat/leg/loi/2013/06/19/n1/jo#art_4"]
ops = ["query"]
retention_days = 30
[valid]
from = "2020-01-01"
until = "2029-01-01"
[columns]
nin = { show = "pseudonym", domain = "entitlement", conditions = true }
[sign.provider]
"dpo, head, owner" = 2
[sign.consumer]
head = 1
"#;

fn key(person: &str) -> SigningKey {
    let mut seeds = [9; 64];
    seeds[..person.len()].copy_from_slice(person.as_bytes());
    SigningKey::from_seeds(&seeds).unwrap()
}

fn name(tenant: &str) -> TenantName {
    TenantName::parse(tenant).unwrap()
}

pub struct Two {
    pub rig: Rig,
    pub fund: Client,
    pub agreement: Agreement,
}

pub const SIGNS: [(Side, &str, &str); 3] = [
    (Side::Provider, "owner", "anna"),
    (Side::Provider, "dpo", "ben"),
    (Side::Consumer, "head", "carla"),
];

impl Two {
    pub async fn open() -> Self {
        let rig = Rig::quick().await;
        rig.put("tax/a.csv", b"nin,income\n1,250\n2,0\n").await;
        let session = own(&rig).await;
        let vault = &rig.node.vault;
        vault
            .sql_declare(session.id, def("tax", "tax/"))
            .await
            .unwrap();
        let fund = rig.node.client("health-fund").await.unwrap();
        let signer = |role: &str, person: &str| SignerOf {
            role: role.into(),
            person: person.into(),
            key: key(person).public().clone(),
        };
        for (tenant, signers) in [
            (
                "tax-office",
                vec![signer("owner", "anna"), signer("dpo", "ben")],
            ),
            ("health-fund", vec![signer("head", "carla")]),
        ] {
            vault
                .agreement_signers(&name(tenant), signers)
                .await
                .unwrap();
        }
        let mut agreement = Agreement::from_toml(TEXT).unwrap();
        let now = rig.node.host.now();
        agreement.not_before = UnixMillis(now.0.saturating_sub(1000));
        agreement.not_after = now.plus(3_600_000 * 24);
        Self {
            rig,
            fund,
            agreement,
        }
    }
    pub async fn active() -> Self {
        let two = Self::open().await;
        two.begin_all(&two.agreement).await;
        two
    }
    pub async fn begin_all(&self, agreement: &Agreement) {
        let vault = &self.rig.node.vault;
        vault.agreement_propose(&agreement.encode()).await.unwrap();
        for sign in SIGNS {
            self.sign(agreement, Word::Agree, sign).await.unwrap();
        }
        let facts = self.step(agreement, AgreementStep::Activate).await;
        assert_eq!(facts.unwrap(), State::Active);
    }
    pub async fn sign(
        &self,
        agreement: &Agreement,
        word: Word,
        (side, role, person): (Side, &str, &str),
    ) -> Result<State, VaultError> {
        let signed: Signed = agreement
            .sign(word, side, role, person, &key(person))
            .unwrap();
        let vault = &self.rig.node.vault;
        let paper = signed.to_text();
        let facts = vault
            .agreement_sign(&agreement.id(), paper.as_bytes())
            .await?;
        Ok(facts.state)
    }
    pub async fn step(
        &self,
        agreement: &Agreement,
        step: AgreementStep,
    ) -> Result<State, VaultError> {
        let vault = &self.rig.node.vault;
        Ok(vault.agreement_step(&agreement.id(), step).await?.state)
    }
    pub async fn session(&self, agreement: &Agreement) -> Session {
        let database = format!("agr_{}", agreement.id());
        sign_in(&self.rig, &self.fund, &database).await.unwrap()
    }
    pub async fn ask(&self, session: &Session, asked: &Asked) -> Result<OpenStatement, Refused> {
        self.rig.node.store.begin_statement(session.id, asked).await
    }
    /// Asks, and gives what was refused with the entries about it: one to each side.
    async fn refused(&self, session: &Session, asked: &Asked) -> (Refused, Vec<Fields>) {
        let from = self.rig.next_index().await;
        let refused = self.ask(session, asked).await.err().expect("a refusal");
        let entries = self.rig.entries(from).await;
        let kinds: Vec<Kind> = entries.iter().map(|(_, fields)| fields.kind).collect();
        assert_eq!(kinds, [Kind::Deny, Kind::Deny], "{refused}");
        (
            refused,
            entries.into_iter().map(|(_, fields)| fields).collect(),
        )
    }
    pub async fn last_entry(&self) -> u64 {
        let vault = &self.rig.node.vault;
        let last = vault.last_entries(None, 1).await.unwrap();
        last.last().map_or(0, |entry| entry.index)
    }
    async fn stands(&self, statement: &OpenStatement) -> bool {
        let vault = &self.rig.node.vault;
        vault.statement_stands(statement.grant()).await.is_ok()
    }
}

pub fn of(agreement: &Agreement, table: &str) -> TableRef {
    TableRef {
        database: Database::Agreement(agreement.id()),
        table: TableName::parse(table).unwrap(),
    }
}

pub fn asking(agreement: &Agreement) -> Asked {
    let mut asked = asked(of(agreement, "tax"), Use::Read);
    asked.tables[0].columns = Some(vec!["nin".into()]);
    asked
}

fn pseudonym_key(statement: &OpenStatement) -> [u8; 32] {
    match &statement.shown().unwrap()[0].terms.columns[0].transform {
        Transform::Pseudonym(key) => key.0,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_before_both_sides_have_signed_and_it_has_begun() {
    let two = Two::open().await;
    let agreement = &two.agreement;
    let vault = &two.rig.node.vault;
    vault.agreement_propose(&agreement.encode()).await.unwrap();
    let session = two.session(agreement).await;
    for (sign, then) in SIGNS.into_iter().zip([
        State::Proposed,
        State::ProviderSigned,
        State::ConsumerSigned,
    ]) {
        let (refused, entries) = two.refused(&session, &asking(agreement)).await;
        assert_eq!(refused.why, Why::Denied);
        assert!(refused.message.contains("not active"), "{refused}");
        for entry in entries {
            assert_eq!(entry.agreement.as_deref(), Some(agreement.id().as_str()));
            assert_eq!(entry.resource.as_deref(), Some("tax"));
        }
        let early = two.step(agreement, AgreementStep::Activate).await;
        assert!(early.is_err(), "a signature is missing");
        assert_eq!(
            two.sign(agreement, Word::Agree, sign).await.unwrap(),
            then,
            "{sign:?}"
        );
    }
    assert!(two.ask(&session, &asking(agreement)).await.is_err());
    let state = two.step(agreement, AgreementStep::Activate).await.unwrap();
    assert_eq!(state, State::Active);
    let from = two.rig.next_index().await;
    two.ask(&session, &asking(agreement)).await.unwrap();
    let (_, grant) = &two.rig.entries(from).await[0];
    assert_eq!(grant.kind, Kind::Grant);
    assert_eq!(grant.agreement.as_deref(), Some(agreement.id().as_str()));
    assert_eq!(grant.purpose.as_deref(), Some("social"));
    assert_eq!(grant.columns.as_deref(), Some("nin:pseudonym"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_agreed_is_refused_and_written_down_for_both() {
    let two = Two::active().await;
    let agreement = &two.agreement;
    let session = two.session(agreement).await;
    let mut hidden = asking(agreement);
    hidden.tables[0].columns = Some(vec!["nin".into(), "income".into()]);
    let mut purpose = asking(agreement);
    purpose.purpose = Some("tax".into());
    let mut other = asking(agreement);
    other.tables[0].source = asked(of(agreement, "income"), Use::Read).tables[0]
        .source
        .clone();
    let mut written = asking(agreement);
    written.tables[0].used = Use::Append;
    let mut older = asking(agreement);
    if let statement::Source::Table { version, .. } = &mut older.tables[0].source {
        *version = Some(1);
    }
    for (wanted, why, word) in [
        (hidden, Why::Denied, "income"),
        (purpose, Why::Denied, "purpose"),
        (other, Why::NotFound, "income"),
        (written, Why::Denied, "nothing is written"),
        (older, Why::Denied, "another version"),
    ] {
        let (refused, entries) = two.refused(&session, &wanted).await;
        assert_eq!(refused.why, why, "{refused}");
        assert!(refused.message.contains(word), "{refused}");
        for entry in &entries {
            assert_eq!(entry.agreement.as_deref(), Some(agreement.id().as_str()));
            assert!(entry.resource.is_some() && entry.purpose.is_some() || word == "purpose");
            assert!(entry.reason.as_deref().unwrap().contains(word));
        }
    }
    // Joined with a table of the consumer's own, without link.
    let vault = &two.rig.node.vault;
    let home = sign_in(&two.rig, &two.fund, "clarence").await.unwrap();
    let bucket = crate::rig::bucket("fund-records");
    two.fund
        .create_bucket(&two.rig.node, &bucket)
        .await
        .unwrap();
    let mut own = def("members", "members/");
    own.bucket = bucket;
    vault.sql_declare(home.id, own).await.unwrap();
    let mut joined = asking(agreement);
    joined
        .tables
        .extend(asked(table("members"), Use::Read).tables);
    let (refused, entries) = two.refused(&home, &joined).await;
    assert!(refused.message.contains("link"), "{refused}");
    assert_eq!(entries[0].resource.as_deref(), Some("tax"));
}

#[tokio::test(start_paused = true)]
async fn the_table_as_declared_anew_has_to_fit() {
    let two = Two::active().await;
    let session = two.session(&two.agreement).await;
    let home = own(&two.rig).await;
    let vault = &two.rig.node.vault;
    vault.sql_withdraw(home.id, &table("tax")).await.unwrap();
    let (refused, _) = two.refused(&session, &asking(&two.agreement)).await;
    assert_eq!(refused.why, Why::NotFound);
    let mut other = def("tax", "tax/");
    other.columns[0].name = "number".into();
    other.subject = Some("number".into());
    vault.sql_declare(home.id, other).await.unwrap();
    let (refused, _) = two.refused(&session, &asking(&two.agreement)).await;
    assert!(refused.message.contains("does not fit"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_told_nothing_and_written_down() {
    let two = Two::active().await;
    let stranger = two.rig.node.client("customs").await.unwrap();
    let from = two.rig.next_index().await;
    let real = format!("agr_{}", two.agreement.id());
    let first = sign_in(&two.rig, &stranger, &real).await.unwrap_err();
    let invented = sign_in(&two.rig, &stranger, "agr_0000000000000000").await;
    let invented = invented.unwrap_err();
    assert_eq!(first.why, Why::NotFound);
    assert_eq!(
        first.message.replace(&real, ""),
        invented.message.replace("agr_0000000000000000", ""),
        "one that is there and one that is not look alike"
    );
    let entries = two.rig.entries(from).await;
    assert_eq!(entries.len(), 2);
    for (_, entry) in entries {
        assert_eq!(
            (entry.kind, entry.tenant),
            (Kind::Deny, Some(stranger.tenant))
        );
        assert!(entry.agreement.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_runs_does_not_outlive_what_it_stands_on() {
    for end in 0..3 {
        let two = Two::active().await;
        let session = two.session(&two.agreement).await;
        let statement = two.ask(&session, &asking(&two.agreement)).await.unwrap();
        assert!(two.stands(&statement).await);
        match end {
            0 => {
                let step = AgreementStep::Suspend(Side::Provider);
                two.step(&two.agreement, step).await.unwrap();
            }
            1 => {
                let step = AgreementStep::Revoke(Side::Consumer);
                two.step(&two.agreement, step).await.unwrap();
            }
            _ => two.rig.skip(3_600_000 * 24),
        }
        assert!(!two.stands(&statement).await, "{end}");
        let store = &two.rig.node.store;
        #[allow(clippy::single_range_in_vec_init)] // one range is what is asked for
        let read = store.read_statement(&statement, 0, 0, &[0..4]).await;
        assert!(read.is_err(), "{end}");
        assert!(two.ask(&session, &asking(&two.agreement)).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_when_both_sides_sign_for_that_suspension() {
    let two = Two::active().await;
    let agreement = &two.agreement;
    let session = two.session(agreement).await;
    for turn in 1..=2 {
        let step = AgreementStep::Suspend(Side::Consumer);
        assert_eq!(two.step(agreement, step).await.unwrap(), State::Suspended);
        assert!(two.ask(&session, &asking(agreement)).await.is_err());
        assert!(two.step(agreement, AgreementStep::Activate).await.is_err());
        let other = Word::Resume(3 - turn);
        assert!(two.sign(agreement, other, SIGNS[0]).await.is_err());
        for (sign, then) in
            SIGNS
                .into_iter()
                .zip([State::Suspended, State::Suspended, State::Active])
        {
            let word = Word::Resume(turn);
            assert_eq!(two.sign(agreement, word, sign).await.unwrap(), then);
        }
        let statement = two.ask(&session, &asking(agreement)).await.unwrap();
        assert!(two.stands(&statement).await);
    }
    // What is not suspended is not let go on.
    let word = Word::Resume(2);
    assert!(two.sign(agreement, word, SIGNS[0]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_new_version_takes_the_place_of_the_old_one_and_keeps_its_pseudonyms() {
    let two = Two::active().await;
    let old = &two.agreement;
    let session = two.session(old).await;
    let running = two.ask(&session, &asking(old)).await.unwrap();
    let mut new = old.clone();
    new.previous = Some(old.digest());
    new.retention_days = 60;
    let mut rival = new.clone();
    rival.retention_days = 90;
    let vault = &two.rig.node.vault;
    vault.agreement_propose(&rival.encode()).await.unwrap();
    for sign in SIGNS {
        two.sign(&rival, Word::Agree, sign).await.unwrap();
    }
    assert!(
        two.stands(&running).await,
        "what is only proposed ends nothing"
    );
    let from = two.rig.next_index().await;
    two.begin_all(&new).await;
    let operations: Vec<String> = two
        .rig
        .entries(from)
        .await
        .into_iter()
        .filter_map(|(_, entry)| entry.operation)
        .collect();
    assert_eq!(
        operations[operations.len() - 4..],
        [
            "ActivateAgreement",
            "ActivateAgreement",
            "ReplaceAgreement",
            "ReplaceAgreement"
        ]
    );
    assert!(!two.stands(&running).await);
    assert!(two.ask(&session, &asking(old)).await.is_err());
    let facts = vault.agreement(&old.id()).await.unwrap();
    assert_eq!(facts.state, State::Replaced);
    let session = two.session(&new).await;
    let statement = two.ask(&session, &asking(&new)).await.unwrap();
    assert_eq!(pseudonym_key(&statement), pseudonym_key(&running));
    // Of two that would take the same place, one does.
    let late = two.step(&rival, AgreementStep::Activate).await;
    assert!(late.is_err());
    // A version of nothing, and one of another's, are none.
    let mut lost = old.clone();
    lost.previous = Some([7; 32]);
    assert!(vault.agreement_propose(&lost.encode()).await.is_err());
    let mut others = new.clone();
    others.previous = Some(new.digest());
    others.consumer = "customs".into();
    two.rig.node.client("customs").await.unwrap();
    assert!(vault.agreement_propose(&others.encode()).await.is_err());
    // And one that stands alone has pseudonyms of its own.
    let mut alone = old.clone();
    alone.retention_days = 10;
    two.begin_all(&alone).await;
    let session = two.session(&alone).await;
    let statement = two.ask(&session, &asking(&alone)).await.unwrap();
    assert_ne!(pseudonym_key(&statement), pseudonym_key(&running));
}
