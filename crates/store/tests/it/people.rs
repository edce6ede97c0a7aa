//! Who used my data: what a person is told after statements, reads, crashes and an erasure, each time proven by the log
//! and checked as the person checks it.

use crate::rig::{Rig, key};
use crate::shred::{erase, put_about};
use crate::statements::{asked, def, own, table};
use ::people::{Access, Answer, verify};
use catalog::{Commit, Mutation};
use ledger::{Kind, VerifierKeys};
use sim::Node;
use statement::limits::SUBJECTS_MAX;
use statement::{Asked, Ended, Session, Source, TableDef, Use, Whom};
use store::OpenStatement;
use vault::VaultError;
use words::{CloudId, OpId, Subject, TenantName};

const ANNA: &str = "1893120105732";
const BEN: &str = "1901010100011";

async fn answered(node: &Node, subject: &str) -> Result<Answer, VaultError> {
    let tenant = TenantName::parse("tax-office").unwrap();
    let subject = Subject::parse(subject).unwrap();
    let cloud = CloudId::from_bytes([7; 16]);
    let vault = &node.vault;
    let record = vault
        .person_record(cloud, &tenant, &subject, Some("file 12/2026"))
        .await?;
    let folder = tempfile::tempdir().unwrap();
    let mut log = vault.publisher(folder.path())?;
    loop {
        let first = log.next_index();
        let leaves = vault.leaves(first).await?;
        if leaves.is_empty() {
            break;
        }
        log.publish(first, &leaves).unwrap();
    }
    log.checkpoint(node.host.now()).unwrap();
    vault.person_answer(record, folder.path()).await
}

/// What a person is told, without the answers themselves.
async fn told(node: &Node, subject: &str) -> Vec<Access> {
    let answer = answered(node, subject).await.unwrap();
    let keys = VerifierKeys::parse(&node.vault.verifier_keys().unwrap()).unwrap();
    let answer = Answer::read(answer.to_text().as_bytes()).unwrap();
    let checked = verify(&answer, &keys, Some(subject)).unwrap();
    let all = checked.accesses.into_iter().map(|(_, access)| access);
    all.filter(|access| access.operation != ::people::OPERATION)
        .collect()
}

fn about(told: &[Access]) -> Vec<&str> {
    told.iter().map(|access| access.about.as_str()).collect()
}

async fn begun(rig: &Rig, session: &Session, asked: &Asked) -> OpenStatement {
    rig.node
        .store
        .begin_statement(session.id, asked)
        .await
        .unwrap()
}

fn ended(bytes: u64, whom: Whom) -> Ended {
    Ended {
        rows: 1,
        bytes: vec![bytes],
        whom: vec![whom],
        broken: None,
    }
}

/// A table of two persons.
async fn scene() -> (Rig, Session) {
    let rig = Rig::quick().await;
    let rows = format!("nin,income\n{ANNA},1\n{BEN},2\n");
    rig.put("tax/a.csv", rows.as_bytes()).await;
    let session = own(&rig).await;
    let declared = rig.node.vault.sql_declare(session.id, def("tax", "tax/"));
    declared.await.unwrap();
    (rig, session)
}

#[tokio::test(start_paused = true)]
async fn whose_row_was_read_is_told_and_nobody_else() {
    let (rig, session) = scene().await;
    let mut query = asked(table("tax"), Use::Read);
    query.purpose = Some("tax/assessment".into());
    let statement = begun(&rig, &session, &query).await;
    // While it runs it may be about anybody.
    assert_eq!(about(&told(&rig.node, BEN).await), ["perhaps-you"]);
    let from = rig.next_index().await;
    let end = ended(
        40,
        Whom::These(vec![ANNA.into(), String::new(), ANNA.into()]),
    );
    rig.node
        .vault
        .close_statement(statement.grant(), &end)
        .await
        .unwrap();
    let (_, close) = rig.entries(from).await.pop().unwrap();
    assert!(close.kind == Kind::Close && close.subject_set.is_some());

    let anna = told(&rig.node, ANNA).await;
    assert_eq!(about(&anna), ["you"]);
    let access = &anna[0];
    assert_eq!(
        (access.recipient.as_str(), access.provider.as_str()),
        ("tax-office", "tax-office")
    );
    assert_eq!(
        (access.operation.as_str(), access.data.as_deref()),
        ("Query", Some("tax"))
    );
    assert_eq!(access.columns.as_deref(), Some("nin,income"));
    assert_eq!(access.purpose.as_deref(), Some("tax/assessment"));
    assert_eq!((access.bytes, access.rows), (Some(40), Some(1)));
    assert!(told(&rig.node, BEN).await.is_empty());
    assert!(told(&rig.node, "somebody else").await.is_empty());
    // Each answer is itself a line of the next one: five were given, two of them to Ben.
    let answer = answered(&rig.node, BEN).await.unwrap();
    let answers = answer
        .lines
        .iter()
        .filter(|line| line.access.operation == ::people::OPERATION);
    assert_eq!(answers.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_ended_may_have_been_about_anybody() {
    let (rig, session) = scene().await;
    drop(begun(&rig, &session, &asked(table("tax"), Use::Read)).await);
    // The power fails in the middle of another one.
    let _running = begun(&rig, &session, &asked(table("tax"), Use::Read)).await;
    rig.node.crash();
    let node = rig.world.start().unwrap();
    rig.world.unseal(&node, [0, 2]).await.unwrap();
    for person in [ANNA, BEN, "somebody else"] {
        let told = told(&node, person).await;
        assert_eq!(about(&told), ["perhaps-you", "perhaps-you"]);
        assert_eq!(
            (told[0].data.as_deref(), told[0].bytes),
            (Some("tax"), None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn many_persons_have_their_lines_and_too_many_are_the_whole_dataset() {
    let (rig, session) = scene().await;
    let vault = &rig.node.vault;
    let persons = |count: usize| {
        (0..count)
            .map(|n| format!("person-{n}"))
            .collect::<Vec<_>>()
    };
    let query = asked(table("tax"), Use::Read);
    let statement = begun(&rig, &session, &query).await;
    let all = ended(9, Whom::These(persons(SUBJECTS_MAX)));
    vault
        .close_statement(statement.grant(), &all)
        .await
        .unwrap();
    for n in [0, 1, 399, 400, 2048, SUBJECTS_MAX - 1] {
        let told = told(&rig.node, &format!("person-{n}")).await;
        assert_eq!(about(&told), ["you"], "{n}");
    }
    assert!(told(&rig.node, ANNA).await.is_empty());
    for whom in [
        Whom::These(persons(SUBJECTS_MAX + 1)),
        Whom::Whole,
        // A spelling under which nobody can ask.
        Whom::These(vec![" 12 ".into()]),
    ] {
        let statement = begun(&rig, &session, &query).await;
        vault
            .close_statement(statement.grant(), &ended(9, whom))
            .await
            .unwrap();
    }
    let anna = told(&rig.node, ANNA).await;
    assert_eq!(about(&anna), ["whole-dataset"; 3]);
    assert_eq!(anna[0].bytes, Some(9));
    // Nobody's rows, nobody's line.
    let statement = begun(&rig, &session, &query).await;
    vault
        .close_statement(statement.grant(), &ended(0, Whom::Nobody))
        .await
        .unwrap();
    assert_eq!(told(&rig.node, ANNA).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_object_about_a_person_is_told_and_goes_with_them() {
    let (rig, session) = scene().await;
    let query = asked(table("tax"), Use::Read);
    let read_anna = async || {
        let statement = begun(&rig, &session, &query).await;
        let end = ended(9, Whom::These(vec![ANNA.into()]));
        rig.node
            .vault
            .close_statement(statement.grant(), &end)
            .await
            .unwrap();
    };
    read_anna().await;
    put_about(&rig, "files/anna", ANNA, b"about anna").await;
    assert_eq!(rig.get("files/anna").await, b"about anna");
    rig.client
        .head(&rig.node, &rig.bucket, &key("files/anna"))
        .await
        .unwrap();
    read_anna().await;
    let anna = told(&rig.node, ANNA).await;
    let what: Vec<_> = anna
        .iter()
        .map(|access| access.operation.as_str())
        .collect();
    assert_eq!(what, ["Query", "GetObject", "HeadObject", "Query"]);
    assert_eq!(about(&anna), ["you"; 4]);
    assert_eq!(anna[1].data.as_deref(), Some("records/files/anna"));
    assert!(told(&rig.node, BEN).await.is_empty());
    // Many at once: each has a line of its own.
    let gets = (0..20).map(|_| rig.get("files/anna"));
    futures::future::join_all(gets).await;
    assert_eq!(told(&rig.node, ANNA).await.len(), 24);

    erase(&rig, ANNA).await.unwrap();
    // What hung under her key is gone with it; what was there before her key is left.
    let anna = told(&rig.node, ANNA).await;
    assert_eq!(about(&anna), ["you"]);
    read_anna().await;
    assert_eq!(told(&rig.node, ANNA).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn objects_read_past_their_table_count_as_the_whole_dataset() {
    let (rig, session) = scene().await;
    rig.put("other/b.csv", b"nin\n").await;
    rig.get("other/b.csv").await;
    rig.client
        .head(&rig.node, &rig.bucket, &key("tax/a.csv"))
        .await
        .unwrap();
    assert!(told(&rig.node, ANNA).await.is_empty());
    rig.get("tax/a.csv").await;
    let past = told(&rig.node, ANNA).await;
    assert_eq!(about(&past), ["whole-dataset"]);
    assert_eq!(
        (past[0].operation.as_str(), &past[0].data),
        ("GetObject", &None)
    );
    // By a statement over the objects, and by a table that says nothing of persons.
    let mut objects = asked(table("tax"), Use::Read);
    objects.tables[0].source = Source::Objects {
        bucket: rig.bucket.clone(),
        prefix: "ta".into(),
    };
    let statement = begun(&rig, &session, &objects).await;
    let close = |end| rig.node.vault.close_statement(statement.grant(), end);
    close(&ended(9, Whom::Nobody)).await.unwrap();
    let mute = TableDef {
        subject: None,
        ..def("mute", "tax/a")
    };
    rig.node.vault.sql_declare(session.id, mute).await.unwrap();
    drop(begun(&rig, &session, &asked(table("mute"), Use::Read)).await);
    let past = told(&rig.node, BEN).await;
    assert_eq!(
        about(&past),
        ["whole-dataset", "whole-dataset", "perhaps-you"]
    );
    // A table that is taken away names nobody any more.
    rig.node
        .vault
        .sql_withdraw(session.id, &table("tax"))
        .await
        .unwrap();
    rig.get("tax/a.csv").await;
    assert_eq!(told(&rig.node, BEN).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_somebody_takes_away_is_missed_and_none_tells_a_name() {
    let (rig, session) = scene().await;
    for _ in 0..3 {
        let statement = begun(&rig, &session, &asked(table("tax"), Use::Read)).await;
        let end = ended(9, Whom::These(vec![ANNA.into(), BEN.into()]));
        rig.node
            .vault
            .close_statement(statement.grant(), &end)
            .await
            .unwrap();
    }
    let lines = rig.node.rows(b"Al").await.unwrap();
    assert_eq!(lines.len(), 6);
    for (key, row) in rig.node.rows(b"A").await.unwrap() {
        for name in [ANNA, BEN] {
            let holds = |bytes: &[u8]| {
                bytes
                    .windows(name.len())
                    .any(|part| part == name.as_bytes())
            };
            assert!(!holds(&key) && !holds(&row.value));
        }
    }
    let sizes: std::collections::BTreeSet<usize> =
        lines.iter().map(|(_, row)| row.value.len()).collect();
    assert_eq!(sizes.len(), 1, "lines cannot be told apart by their length");
    assert_eq!(told(&rig.node, ANNA).await.len(), 3);
    // Whoever takes one of the first two away is noticed by the one who is behind it.
    let mut noticed = 0;
    for (key, row) in lines {
        let change = |mutation| Commit {
            op: OpId::from_bytes(rig.node.host.random()),
            preconditions: Vec::new(),
            mutations: vec![mutation],
            entries: Vec::new(),
        };
        let gone = change(Mutation::Delete { key: key.clone() });
        let _ = rig.node.engine.commit(gone).await;
        for person in [ANNA, BEN] {
            match answered(&rig.node, person).await {
                Err(VaultError::RowAltered(what)) => {
                    noticed += usize::from(what.contains("it is gone"))
                }
                outcome => drop(outcome.unwrap()),
            }
        }
        let back = change(Mutation::Put {
            key,
            value: row.value,
        });
        let _ = rig.node.engine.commit(back).await;
    }
    assert!(noticed >= 4, "{noticed}");
}
