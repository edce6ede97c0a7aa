//! Sign-in with certificates over the real road: CreateSession, then requests with what it gave.

use crate::authorisation::{allow, tenant};
use crate::maker::{Authority, Holder, Wish};
use crate::rig::{Rig, key};
use authn::{RequestHead, Via};
use ledger::Kind;
use sim::Client;
use store::StoreError;
use vault::{Element, NewIdentity, QueryDone, Refusal};
use words::UnixMillis;

/// What the vault answers when a certificate is not believed, whatever the reason.
const NO: (&str, u16) = ("AccessDeniedException", 403);

struct Signing {
    rig: Rig,
    root: Authority,
    /// Seconds at the beginning.
    began: u64,
}

fn stamp(at: UnixMillis) -> String {
    let time =
        time::OffsetDateTime::from_unix_timestamp(i64::try_from(at.seconds()).unwrap()).unwrap();
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

fn text(done: &QueryDone, name: &str) -> String {
    fn find(all: &[Element], name: &str) -> Option<String> {
        all.iter().find_map(|one| match one {
            Element::Text(known, text) => (known == name).then(|| text.clone()),
            Element::Group(_, inside) => find(inside, name),
        })
    }
    find(&done.elements, name).unwrap()
}

impl Signing {
    /// A cloud with the anchor `cards` and the role `reader`, which trusts Anna's certificate.
    async fn new() -> Self {
        let rig = Rig::quick().await;
        rig.put("doc", b"text").await;
        let began = rig.node.host.now().seconds();
        let root = Authority::root("Root", began);
        let it = Self { rig, root, began };
        it.anchor("cards", &it.root, &[]).await;
        it.role(
            "reader",
            r#""sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity""#,
        )
        .await;
        it
    }
    async fn anchor(&self, name: &str, of: &Authority, lists: &[Vec<u8>]) {
        let vault = &self.rig.node.vault;
        let done = vault
            .anchor_add(
                &tenant("tax-office"),
                name.into(),
                of.pem().as_bytes(),
                lists,
            )
            .await
            .unwrap();
        assert_eq!(
            done.arn,
            self.arn("rolesanywhere:lu-1", &format!("trust-anchor/{name}"))
        );
    }
    async fn role(&self, name: &str, actions: &str) {
        let anchor = self.arn("rolesanywhere:lu-1", "trust-anchor/cards");
        let trust = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"Service":"rolesanywhere.amazonaws.com"}},"Action":[{actions}],"Condition":{{"StringEquals":{{"aws:PrincipalTag/x509Subject/CN":"Anna"}},"ArnEquals":{{"aws:SourceArn":"{anchor}"}}}}}}}}"#
        );
        let narrow = allow(&["s3:GetObject"], &["*"]);
        self.add(name, &trust, &narrow).await;
    }
    async fn add(&self, name: &str, trust: &str, policy: &str) {
        let new = NewIdentity {
            name: name.into(),
            workload: false,
            policy: Some(policy.into()),
            trust: Some(trust.into()),
            session_seconds_max: 7200,
        };
        let vault = &self.rig.node.vault;
        vault
            .identity_add(&tenant("tax-office"), true, new)
            .await
            .unwrap();
    }
    fn arn(&self, service: &str, what: &str) -> String {
        format!("arn:aws:{service}:{}:{what}", self.rig.client.tenant)
    }
    fn issue(&self, name: &str, serial: u64) -> Holder {
        let wish = Wish {
            until: self.began + 40_000,
            ..Wish::new(name, serial, self.began)
        };
        self.root.issue(&wish)
    }
    fn body(&self, role: &str, anchor: &str, more: &str) -> String {
        let (role_arn, profile) = (
            self.arn("iam:", &format!("role/{role}")),
            self.arn("rolesanywhere:lu-1", &format!("profile/{role}")),
        );
        let anchor = self.arn("rolesanywhere:lu-1", &format!("trust-anchor/{anchor}"));
        format!(
            r#"{{"roleArn":"{role_arn}","profileArn":"{profile}","trustAnchorArn":"{anchor}"{more}}}"#
        )
    }
    async fn send(&self, headers: &[(String, String)], body: &str) -> Result<QueryDone, Refusal> {
        let head = RequestHead {
            method: "POST",
            raw_path: "/sessions",
            raw_query: "",
            headers,
            via: Via::default(),
        };
        self.rig.node.vault.query(&head, body.as_bytes()).await
    }
    async fn ask(&self, holder: &Holder, body: &str) -> Result<QueryDone, Refusal> {
        // Signed texts have seconds; two of one second would be one.
        self.rig.skip(1000);
        let stamp = stamp(self.rig.node.host.now());
        self.send(&holder.headers(&[], body, &stamp, "lu-1"), body)
            .await
    }
    async fn sign_in(&self, holder: &Holder) -> Result<QueryDone, Refusal> {
        self.ask(holder, &self.body("reader", "cards", "")).await
    }
    fn session(&self, done: &QueryDone) -> Client {
        Client {
            access_key: text(done, "accessKeyId"),
            secret: text(done, "secretAccessKey"),
            tenant: self.rig.client.tenant,
            token: Some(text(done, "sessionToken")),
        }
    }
    async fn reads(&self, client: &Client) -> Result<Vec<u8>, StoreError> {
        let rig = &self.rig;
        let got = client
            .get(&rig.node, &rig.bucket, &key("doc"), None)
            .await?;
        Ok(got.body.unwrap())
    }
}

#[track_caller]
fn no(done: Result<QueryDone, Refusal>, expected: (&str, u16)) -> String {
    let refusal = done.map(|_| ()).expect_err("a refusal");
    assert_eq!(
        (refusal.code, refusal.status),
        expected,
        "{}",
        refusal.message
    );
    refusal.message
}

#[tokio::test(start_paused = true)]
async fn a_card_gives_a_session_of_the_role_and_no_more() {
    let it = Signing::new().await;
    let anna = it.issue("Anna", 200);
    let from = it.rig.next_index().await;
    let body = it.body(
        "reader",
        "cards",
        r#","durationSeconds":900,"roleSessionName":"desk-4""#,
    );
    let done = it.ask(&anna, &body).await.unwrap();
    assert_eq!(
        (done.action.as_str(), done.service),
        ("CreateSession", "rolesanywhere")
    );
    assert_eq!(text(&done, "sourceIdentity"), "Anna");
    assert!(text(&done, "arn").ends_with(":assumed-role/reader/desk-4"));
    let session = it.session(&done);
    assert_eq!(it.reads(&session).await.unwrap(), b"text");
    let rig = &it.rig;
    let write = session.put(&rig.node, &rig.bucket, &key("x"), b"x").await;
    assert!(matches!(write, Err(StoreError::Denied)));
    // Its entry names the certificate.
    rig.node
        .vault
        .flush_later(std::time::Duration::from_secs(10))
        .await;
    let entries = rig.entries(from).await;
    let entry = entries
        .iter()
        .find(|(_, fields)| fields.operation.as_deref() == Some("CreateSession"))
        .unwrap();
    let actor = entry.1.actor.clone().unwrap();
    assert!(
        actor.contains("CN=Anna") && actor.contains("serial 00c8"),
        "{actor}"
    );
    assert_eq!(
        entry.1.resource.as_deref(),
        Some(session.access_key.as_str())
    );
    // It ends when it ends, and without a name it is called by its serial number.
    rig.skip(901 * 1000);
    assert!(it.reads(&session).await.is_err());
    let done = it.sign_in(&anna).await.unwrap();
    assert!(text(&done, "arn").ends_with("/reader/00c8"));
    // It outlives no certificate.
    let short = Wish {
        until: rig.node.host.now().seconds() + 600,
        ..Wish::new("Anna", 201, it.began)
    };
    let session = it.session(&it.sign_in(&it.root.issue(&short)).await.unwrap());
    assert!(it.reads(&session).await.is_ok());
    rig.skip(601 * 1000);
    assert!(it.reads(&session).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn every_other_certificate_gets_the_same_answer() {
    let it = Signing::new().await;
    let (anna, luc) = (it.issue("Anna", 1), it.issue("Luc", 2));
    let stranger = Authority::root("Root", it.began);
    it.anchor("others", &stranger, &[]).await;
    let foreign = stranger.issue(&Wish::new("Anna", 3, it.began));
    it.role("half", r#""sts:AssumeRole""#).await;
    let own = it.arn("iam:", "root");
    let tag = r#"{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"Anna"}}"#;
    for (name, principal) in [
        ("office", format!(r#"{{"AWS":"{own}"}}"#)),
        (
            "federated",
            r#"{"Federated":"https://idp.example.lu"}"#.to_owned(),
        ),
    ] {
        let trust = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{tag}}}}}"#
        );
        it.add(name, &trust, &allow(&["s3:*"], &["*"])).await;
    }
    let from = it.rig.next_index().await;
    let mut told = std::collections::BTreeSet::new();
    let good = it.body("reader", "cards", "");
    told.insert(no(it.ask(&luc, &good).await, NO));
    told.insert(no(it.ask(&foreign, &good).await, NO));
    told.insert(no(
        it.ask(&foreign, &it.body("reader", "others", "")).await,
        NO,
    ));
    for (role, anchor) in [
        ("reader", "nowhere"),
        ("nobody", "cards"),
        ("half", "cards"),
        // Whoever has a credential of the tenant may; a certificate alone is none.
        ("office", "cards"),
        ("federated", "cards"),
    ] {
        told.insert(no(it.ask(&anna, &it.body(role, anchor, "")).await, NO));
    }
    let elsewhere = good.replace(&it.rig.client.tenant.to_string(), &"9".repeat(32));
    told.insert(no(it.ask(&anna, &elsewhere).await, NO));
    let stamp = stamp(it.rig.node.host.now());
    let headers = anna.headers(&[], &good, &stamp, "lu-1");
    told.insert(no(
        it.send(&headers, &good.replace("reader", "office")).await,
        NO,
    ));
    // Caught on its way and sent again: one signed request is one session.
    assert!(it.send(&headers, &good).await.is_ok());
    for _ in 0..3 {
        told.insert(no(it.send(&headers, &good).await, NO));
    }
    it.rig.node.vault.seal();
    it.rig.world.unseal(&it.rig.node, [0, 1]).await.unwrap();
    told.insert(no(it.send(&headers, &good).await, NO));
    assert_eq!(told.len(), 1, "{told:?}");
    let vault = &it.rig.node.vault;
    vault.flush_later(std::time::Duration::from_secs(10)).await;
    assert_eq!(it.rig.count(from, Kind::Refuse).await, 14);
    vault
        .identity_suspend(&tenant("tax-office"), true, "reader")
        .await
        .unwrap();
    no(it.sign_in(&anna).await, NO);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_wrongly_is_told() {
    let it = Signing::new().await;
    let anna = it.issue("Anna", 1);
    let good = it.body("reader", "cards", "");
    let wrong = ("ValidationException", 400);
    for body in [
        good.replace("profile/reader", "profile/other"),
        good.replace("rolesanywhere:lu-1", "rolesanywhere:de-1"),
        good.replace(":role/", ":user/"),
        good.replace("roleArn", "roleName"),
        it.body("reader", "cards", r#","durationSeconds":60"#),
        it.body("reader", "cards", r#","durationSeconds":43200"#),
        it.body("reader", "cards", r#","roleSessionName":"a b""#),
        it.body("reader", "cards", r#","instanceProperties":{}"#),
        "{}".to_owned(),
        "no JSON".to_owned(),
    ] {
        no(it.ask(&anna, &body).await, wrong);
    }
    let headers = anna.headers(&[], &good, "20200101T000000Z", "lu-1");
    no(it.send(&headers, &good).await, NO);
    // Many failures shut the certificate out for a minute, and another one at the same address stays.
    let luc = it.issue("Luc", 2);
    let mut last = String::new();
    let stamp = stamp(it.rig.node.host.now());
    let headers = luc.headers(&[], &good, &stamp, "lu-1");
    for _ in 0..202 {
        last = it.send(&headers, &good).await.unwrap_err().code.to_owned();
    }
    assert_eq!(last, "SlowDown");
    assert!(it.sign_in(&anna).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn revocation_and_removal_end_sessions() {
    let it = Signing::new().await;
    let office = tenant("tax-office");
    let vault = &it.rig.node.vault;
    let anna = it.issue("Anna", 200);
    let session = it.session(&it.sign_in(&anna).await.unwrap());
    assert!(it.reads(&session).await.is_ok());
    let next = it.began + 7000;
    let first = it.root.list(5, &[], next);
    let info = vault.anchor_list(&office, "cards", &first).await.unwrap();
    assert_eq!((info.lists.len(), info.lists[0].revoked), (1, 0));
    assert!(it.reads(&session).await.is_ok());
    // Only a newer list is taken, of one of the anchor's authorities, that is still in force.
    for bad in [
        first.clone(),
        it.root.list(4, &[200], next),
        it.root.list(9, &[200], it.began - 1),
        Authority::root("Root", it.began).list(9, &[], next),
        b"no list".to_vec(),
    ] {
        assert!(vault.anchor_list(&office, "cards", &bad).await.is_err());
    }
    assert!(it.reads(&session).await.is_ok());
    // Long lists lie in several rows.
    let many: Vec<u64> = (1000..5000).chain([200]).collect();
    let info = vault
        .anchor_list(&office, "cards", &it.root.list(6, &many, next))
        .await
        .unwrap();
    assert_eq!(info.lists[0].revoked, 4001);
    assert!(it.reads(&session).await.is_err());
    no(it.sign_in(&anna).await, NO);
    vault
        .anchor_list(&office, "cards", &it.root.list(7, &[], next))
        .await
        .unwrap();
    let session = it.session(&it.sign_in(&anna).await.unwrap());
    assert!(it.reads(&session).await.is_ok());
    assert_eq!(vault.anchors(&office).await.unwrap().len(), 1);
    vault.anchor_remove(&office, "cards").await.unwrap();
    assert!(it.reads(&session).await.is_err());
    no(it.sign_in(&anna).await, NO);
    assert!(vault.anchor_remove(&office, "cards").await.is_err());
    // Another anchor under its name brings no session back.
    it.rig.skip(1000);
    it.anchor("cards", &it.root, &[]).await;
    assert!(it.reads(&session).await.is_err());
    let again = vault
        .anchor_add(&office, "cards".into(), it.root.pem().as_bytes(), &[])
        .await;
    assert!(again.is_err());
    // A list that is past its next update lets nobody in.
    vault
        .anchor_list(&office, "cards", &it.root.list(8, &[], next))
        .await
        .unwrap();
    assert!(it.sign_in(&anna).await.is_ok());
    it.rig.skip(7100 * 1000);
    no(it.sign_in(&anna).await, NO);
}
