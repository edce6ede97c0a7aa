//! Statements over tables: signed in, decided, written down, read in ranges.

#![allow(clippy::single_range_in_vec_init)] // one range is what is asked for
use crate::authorisation::{allow, narrowed};
use crate::rig::{Rig, bucket, bytes};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use ledger::Kind;
use statement::{
    Asked, Column, Database, Ended, Format, Kind as Type, Refused, Session, SessionId, Sign,
    Signed, Source, TableAsked, TableDef, TableName, TableRef, Use, Whom, Why,
};
use std::num::NonZeroU32;
use store::OpenStatement;

pub fn def(name: &str, prefix: &str) -> TableDef {
    let column = |name: &str, kind| Column {
        name: name.into(),
        kind,
        nullable: true,
        sensitive: false,
    };
    TableDef {
        name: TableName::parse(name).unwrap(),
        format: Format::Csv {
            header: true,
            delimiter: ',',
        },
        bucket: bucket("records"),
        prefix: prefix.into(),
        columns: vec![column("nin", Type::Text), column("income", Type::Int64)],
        partitions: Vec::new(),
        subject: Some("nin".into()),
        managed: false,
    }
}

pub fn table(name: &str) -> TableRef {
    TableRef {
        database: Database::Own,
        table: TableName::parse(name).unwrap(),
    }
}

pub fn asked(table: TableRef, used: Use) -> Asked {
    Asked {
        tables: vec![TableAsked {
            source: Source::Table {
                table,
                version: None,
                at: None,
            },
            columns: None,
            used,
        }],
        statement: [7; 32],
        purpose: None,
        case: Some("2026/17".into()),
    }
}

pub async fn sign_in(rig: &Rig, client: &sim::Client, database: &str) -> Result<Session, Refused> {
    let sign = Sign::Password {
        user: client.access_key.clone(),
        password: client.secret.clone(),
        token: None,
    };
    match rig.node.vault.sql_sign_in(sign, database, None).await? {
        Signed::In { session, .. } => Ok(session),
        Signed::Challenge { .. } => panic!("a password asks for nothing more"),
    }
}

pub async fn own(rig: &Rig) -> Session {
    sign_in(rig, &rig.client, "clarence").await.unwrap()
}

async fn begin(rig: &Rig, session: SessionId, asked: &Asked) -> Result<OpenStatement, Refused> {
    rig.node.store.begin_statement(session, asked).await
}

fn ended(bytes: u64) -> Ended {
    Ended {
        rows: 1,
        bytes: vec![bytes],
        whom: vec![Whom::Whole],
        broken: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_statement_is_on_the_ledger_before_a_byte_of_its_tables() {
    let rig = Rig::quick().await;
    let (small, large) = (b"nin,income\n1,2\n".to_vec(), bytes(3 << 20, 1));
    rig.put("tax/a.csv", &small).await;
    rig.put("tax/b.csv", &large).await;
    rig.put("other/c.csv", b"x").await;
    let session = own(&rig).await;
    let vault = &rig.node.vault;
    vault
        .sql_declare(session.id, def("tax", "tax/"))
        .await
        .unwrap();
    let shown = vault.sql_tables(session.id).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].columns[1].name, "income");
    let from = rig.next_index().await;
    let statement = begin(&rig, session.id, &asked(table("tax"), Use::Read))
        .await
        .unwrap();
    let granted = statement.shown().unwrap();
    let entries = rig.entries(from).await;
    let (index, grant) = &entries[0];
    assert_eq!((entries.len(), grant.kind), (1, Kind::Grant));
    assert_eq!(*index, granted[0].entry);
    assert_eq!(grant.resource.as_deref(), Some("tax"));
    assert_eq!(grant.columns.as_deref(), Some("nin,income"));
    assert_eq!(grant.case_reference.as_deref(), Some("2026/17"));
    assert_eq!(grant.request_digest, Some([7; 32]));
    assert_eq!(grant.bytes, Some((small.len() + large.len()) as u64));
    let names: Vec<_> = granted[0].objects.iter().map(|o| o.key.as_str()).collect();
    assert_eq!(names, ["tax/a.csv", "tax/b.csv"]);

    let store = &rig.node.store;
    let ranges = [0..10, 100_000..2_500_000, (3 << 20) - 5..3 << 20, 7..7];
    let read = store
        .read_statement(&statement, 0, 1, &ranges)
        .await
        .unwrap();
    for (range, got) in ranges.iter().zip(&read) {
        assert_eq!(got, &large[range.start as usize..range.end as usize]);
    }
    let whole = store.read_statement(&statement, 0, 0, &[0..15]).await;
    assert_eq!(whole.unwrap()[0], small);
    for (object, range) in [(0, 0..16), (1, 5..(3 << 20) + 1), (2, 0..1)] {
        let outcome = store.read_statement(&statement, 0, object, &[range]).await;
        assert_eq!(outcome.unwrap_err().why, Why::Invalid);
    }
    vault
        .close_statement(statement.grant(), &ended(99))
        .await
        .unwrap();
    let entries = rig.entries(*index).await;
    let (_, close) = entries.last().unwrap();
    assert_eq!((close.kind, close.link), (Kind::Close, Some(*index)));
    assert_eq!((close.bytes, close.rows), (Some(99), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn an_object_written_over_is_read_as_it_was_granted() {
    let rig = Rig::quick().await;
    rig.put("tax/a.csv", b"before").await;
    let session = own(&rig).await;
    let vault = &rig.node.vault;
    vault
        .sql_declare(session.id, def("tax", "tax/"))
        .await
        .unwrap();
    let statement = begin(&rig, session.id, &asked(table("tax"), Use::Read))
        .await
        .unwrap();
    rig.put("tax/a.csv", b"after!").await;
    let read = rig.node.store.read_statement(&statement, 0, 0, &[0..6]);
    assert_eq!(read.await.unwrap()[0], b"before"[..]);
    // A sealed node reads no further.
    vault.seal();
    let read = rig.node.store.read_statement(&statement, 0, 0, &[0..6]);
    assert_eq!(read.await.unwrap_err().why, Why::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_every_object_reads_none() {
    let rig = Rig::quick().await;
    rig.put("tax/2025/a.csv", b"a").await;
    rig.put("tax/2026/a.csv", b"a").await;
    let session = own(&rig).await;
    let vault = &rig.node.vault;
    vault
        .sql_declare(session.id, def("tax", "tax/"))
        .await
        .unwrap();
    vault
        .sql_declare(session.id, def("lately", "tax/2026/"))
        .await
        .unwrap();
    let policy = allow(&["s3:GetObject"], &["arn:aws:s3:::records/tax/2026/*"]);
    let clerk = narrowed(&rig, &policy).await;
    let theirs = sign_in(&rig, &clerk, "tax-office").await.unwrap();
    let shown = vault.sql_tables(theirs.id).await.unwrap();
    let names: Vec<_> = shown.iter().map(|t| t.table.table.to_string()).collect();
    assert_eq!(names, ["lately"]);
    let from = rig.next_index().await;
    let refused = begin(&rig, theirs.id, &asked(table("tax"), Use::Read)).await;
    assert_eq!(refused.err().unwrap().why, Why::Denied);
    let entries = rig.entries(from).await;
    assert_eq!((entries.len(), entries[0].1.kind), (1, Kind::Deny));
    let lately = begin(&rig, theirs.id, &asked(table("lately"), Use::Read))
        .await
        .unwrap();
    assert_eq!(lately.shown().unwrap()[0].objects.len(), 1);
    // They neither declare nor withdraw what they may not write.
    let outcome = vault.sql_declare(theirs.id, def("mine", "tax/2026/")).await;
    assert!(matches!(outcome, Err(vault::VaultError::Denied)));
    let outcome = vault.sql_withdraw(theirs.id, &table("tax")).await;
    assert!(matches!(outcome, Err(vault::VaultError::Denied)));
    // A stopped key stops their sessions.
    let key = words::AccessKeyId::parse(&clerk.access_key).unwrap();
    vault.key_suspend(&key).await.unwrap();
    let read = rig.node.store.read_statement(&lately, 0, 0, &[0..1]).await;
    assert_eq!(read.unwrap_err().why, Why::Revoked);
    let again = begin(&rig, theirs.id, &asked(table("lately"), Use::Read)).await;
    assert!(again.is_err());
}

#[tokio::test(start_paused = true)]
async fn versions_of_a_written_table() {
    let rig = Rig::quick().await;
    let session = own(&rig).await;
    let (vault, store) = (&rig.node.vault, &rig.node.store);
    let made = TableDef {
        format: Format::Parquet,
        managed: true,
        ..def("summary", "tables/summary/")
    };
    let write = async |used: Use, bytes: Vec<u8>| {
        let statement = begin(&rig, session.id, &asked(table("summary"), used.clone())).await?;
        let pieces: Vec<_> = bytes
            .chunks(1 << 20)
            .map(|piece| Ok(bytes::Bytes::copy_from_slice(piece)))
            .collect();
        let body = futures::stream::iter(pieces).boxed();
        let written = store.write_statement(&statement, 0, body).await?;
        assert_eq!(written.bytes, bytes.len() as u64);
        let version = vault
            .sql_commit(session.id, &made, &used, &[written])
            .await?;
        Ok::<u64, Refused>(version)
    };
    let (first, second) = (bytes(1000, 1), bytes((40 << 20) + 17, 2));
    assert_eq!(write(Use::Create(made.clone()), first.clone()).await, Ok(1));
    let refused = write(Use::Create(made.clone()), first.clone()).await;
    assert_eq!(refused.unwrap_err().why, Why::Conflict);
    let middle = rig.put("now", b"").await.modified;
    rig.skip(1000);
    assert_eq!(write(Use::Append, second.clone()).await, Ok(2));
    let read = async |version: Option<u64>, at| {
        let mut asked = asked(table("summary"), Use::Read);
        let Source::Table {
            version: v, at: a, ..
        } = &mut asked.tables[0].source
        else {
            unreachable!()
        };
        (*v, *a) = (version, at);
        let statement = begin(&rig, session.id, &asked).await?;
        let granted = statement.shown()?;
        let mut all = Vec::new();
        for (at, object) in granted[0].objects.iter().enumerate() {
            let whole = [0..object.bytes];
            let mut read = store.read_statement(&statement, 0, at, &whole).await?;
            all.push(read.remove(0).to_vec());
        }
        Ok::<_, Refused>((granted[0].version, all))
    };
    let both = (Some(2), vec![first.clone(), second.clone()]);
    assert_eq!(read(None, None).await, Ok(both));
    let one = (Some(1), vec![first.clone()]);
    assert_eq!(read(Some(1), None).await, Ok(one.clone()));
    assert_eq!(read(None, Some(middle)).await, Ok(one));
    let none = read(Some(3), None).await.unwrap_err();
    assert_eq!(none.why, Why::NotFound);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_in_words() {
    let rig = Rig::quick().await;
    let session = own(&rig).await;
    let vault = &rig.node.vault;
    let declare = async |def: TableDef| {
        let refused: Refused = vault
            .sql_declare(session.id, def)
            .await
            .err()
            .unwrap()
            .into();
        refused.why
    };
    let wrong = TableDef {
        subject: Some("nobody".into()),
        ..def("tax", "tax/")
    };
    assert_eq!(declare(wrong).await, Why::Invalid);
    let nowhere = TableDef {
        bucket: bucket("nowhere"),
        ..def("tax", "tax/")
    };
    assert_eq!(declare(nowhere).await, Why::NotFound);
    vault
        .sql_declare(session.id, def("tax", "tax/"))
        .await
        .unwrap();
    assert_eq!(declare(def("tax", "other/")).await, Why::Conflict);
    let none = begin(&rig, session.id, &asked(table("none"), Use::Read)).await;
    assert_eq!(none.err().unwrap().why, Why::NotFound);
    let append = begin(&rig, session.id, &asked(table("tax"), Use::Append)).await;
    assert_eq!(append.err().unwrap().why, Why::Invalid);
    let nobody = begin(&rig, SessionId([9; 16]), &asked(table("tax"), Use::Read)).await;
    assert_eq!(nobody.err().unwrap().why, Why::SessionEnded);
    rig.skip(13 * 3_600_000);
    let later = begin(&rig, session.id, &asked(table("tax"), Use::Read)).await;
    assert_eq!(later.err().unwrap().why, Why::SessionEnded);
}

/// A client's side of SCRAM, to prove ours against the RFC's formulas and not against itself.
fn proof(secret: &str, bare: &str, challenge: &str) -> (String, String) {
    let field = |name: &str| {
        let found = challenge.split(',').find_map(|f| f.strip_prefix(name));
        found.unwrap().to_owned()
    };
    let (nonce, salt) = (field("r="), STANDARD.decode(field("s=")).unwrap());
    let rounds = NonZeroU32::new(field("i=").parse().unwrap()).unwrap();
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        &salt,
        secret.as_bytes(),
        &mut salted,
    );
    let mac = |key: &[u8], said: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, said.as_bytes()).as_ref().to_vec()
    };
    let client = mac(&salted, "Client Key");
    let stored = digest::digest(&digest::SHA256, &client);
    let last = format!("c=biws,r={nonce}");
    let message = format!("{bare},{challenge},{last}");
    let signature = mac(stored.as_ref(), &message);
    let proof: Vec<u8> = client.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let server = mac(&mac(&salted, "Server Key"), &message);
    (
        format!("{last},p={}", STANDARD.encode(proof)),
        format!("v={}", STANDARD.encode(server)),
    )
}

#[tokio::test(start_paused = true)]
async fn signing_in_by_scram() {
    let rig = Rig::quick().await;
    let vault = &rig.node.vault;
    let bare = "n=,r=fyko+d2lbbFgONRv9qkxdawL";
    let exchange = async |user: &str, secret: &str| {
        let first = Sign::ScramFirst {
            user: user.to_owned(),
            message: format!("n,,{bare}"),
        };
        let Signed::Challenge { exchange, message } =
            vault.sql_sign_in(first, "clarence", None).await?
        else {
            panic!("a first message is answered by a challenge")
        };
        let (last, expected) = proof(secret, bare, &message);
        let last = Sign::ScramFinal {
            exchange,
            message: last,
        };
        match vault.sql_sign_in(last.clone(), "clarence", None).await? {
            Signed::In { message, .. } => assert_eq!(message, expected),
            Signed::Challenge { .. } => panic!("the last message ends it"),
        }
        // An exchange is used up.
        let again = vault.sql_sign_in(last, "clarence", None).await;
        assert!(matches!(again, Err(vault::VaultError::Unauthenticated)));
        Ok::<(), vault::VaultError>(())
    };
    let (user, secret) = (&rig.client.access_key, &rig.client.secret);
    exchange(user, secret).await.unwrap();
    let from = rig.next_index().await;
    for (user, secret) in [(user.as_str(), "wrong"), ("CLRNOBODY", secret.as_str())] {
        let outcome = exchange(user, secret).await;
        assert!(matches!(outcome, Err(vault::VaultError::Unauthenticated)));
    }
    assert!(vault.flush_later(std::time::Duration::from_secs(5)).await);
    assert_eq!(rig.count(from, Kind::Refuse).await, 2);
    let elsewhere = sign_in(&rig, &rig.client, "land-registry").await;
    assert_eq!(elsewhere.unwrap_err().why, Why::NotFound);
}
