//! Who may do what on what, printed for a small administration and compared with the table that is kept. After
//! a change of what policies mean, look at it, then write it anew with `GOLDEN=write` before the test's run.

use crate::authorisation::{allow, tenant};
use crate::rig::{Rig, bucket};
use store::PolicyAct;
use vault::NewIdentity;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/table.txt");

async fn administration() -> Rig {
    let rig = Rig::quick().await;
    let office = tenant("tax-office");
    for name in ["letters", "statistics"] {
        let made = rig.client.create_bucket(&rig.node, &bucket(name)).await;
        made.unwrap();
    }
    let id = rig.client.tenant;
    let trust = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{id}:root"}},"Action":"sts:AssumeRole"}}}}"#
    );
    let deputy = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Action":["iam:*"],"Resource":"arn:aws:iam::{id}:user/*"}},{{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::letters","arn:aws:s3:::letters/*"]}}]}}"#
    );
    let in_office = r#"{"Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::records","arn:aws:s3:::records/*"],"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}"#;
    for (role, name, policy) in [
        (
            false,
            "anna",
            Some(allow(&["s3:GetObject", "s3:ListBucket"], &["*"])),
        ),
        (false, "deputy", Some(deputy)),
        (false, "luc", Some(in_office.to_owned())),
        (false, "nobody", None),
        (
            true,
            "clerk",
            Some(allow(
                &["s3:GetObject", "s3:PutObject"],
                &["arn:aws:s3:::letters/incoming/*"],
            )),
        ),
    ] {
        let new = NewIdentity {
            name: name.to_owned(),
            workload: false,
            policy,
            trust: Some(trust.clone()),
            session_seconds_max: 3600,
        };
        let made = rig.node.vault.identity_add(&office, role, new).await;
        made.unwrap();
    }
    let sealed = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":["s3:DeleteObject","s3:DeleteBucket"],"Resource":["arn:aws:s3:::statistics","arn:aws:s3:::statistics/*"]}}"#;
    let caller = rig
        .client
        .ask(&rig.node, "PUT", &bucket("statistics"))
        .await;
    rig.node
        .store
        .bucket_policy(
            caller.unwrap(),
            &bucket("statistics"),
            PolicyAct::Put(sealed.into()),
        )
        .await
        .unwrap();
    rig
}

#[tokio::test(start_paused = true)]
#[allow(clippy::disallowed_methods)] // the table is a file of the source tree
async fn who_may_do_what_is_as_printed() {
    let rig = administration().await;
    let table = rig.node.vault.policy_table(None).await.unwrap();
    let table = table.replace(&rig.client.tenant.to_string(), "TENANT");
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        std::fs::write(PATH, &table).unwrap();
    }
    let printed = std::fs::read(PATH)
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .unwrap_or_default();
    assert_eq!(table, printed, "the table is not the one printed in {PATH}");
    let one = rig
        .node
        .vault
        .policy_table(Some(&tenant("tax-office")))
        .await
        .unwrap();
    assert!(one.contains("TENANT tax-office"));
}
