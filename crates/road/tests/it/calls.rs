use crate::memory::{self, Memory, asked, definition, ended, object, table};
use crate::{joined, password, signed_in};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use statement::Cohort;
use statement::Sums;
use statement::{Database, Endings, GrantId, Refused, Release, Road as _, Sign, Signed, Whom, Why};
use std::io;
use std::net::IpAddr;

#[tokio::test]
async fn signing_in_comes_through() {
    let memory = Memory::new(3);
    let (far, ..) = joined(&memory);
    let from: IpAddr = "2001:db8::7".parse().unwrap();
    let first = Sign::ScramFirst {
        user: "CLRTEST".into(),
        message: "n,,n=,r=abc".into(),
    };
    let Ok(Signed::Challenge { exchange, message }) =
        far.sign_in(first, "agr_00ff", Some(from)).await
    else {
        panic!()
    };
    assert_eq!(message, "r=n,,n=,r=abc");
    let last = || Sign::ScramFinal {
        exchange,
        message: "c=biws".into(),
    };
    let Ok(Signed::In { session, message }) = far.sign_in(last(), "agr_00ff", None).await else {
        panic!()
    };
    assert_eq!(message, "v=c=biws");
    assert_eq!(session.database, Database::Agreement("00ff".into()));
    assert_eq!(session.user, "scram");
    assert_eq!(memory.seen().from, [Some(from), None]);
    // An exchange is answered once.
    let again = far.sign_in(last(), "agr_00ff", None).await.unwrap_err();
    assert_eq!(again.why, Why::Unauthenticated);
    let wrong = far.sign_in(password("wrong"), "clarence", None).await;
    assert_eq!(
        wrong.unwrap_err(),
        Refused::new(
            Why::Unauthenticated,
            "the password is wrong; nothing was shown"
        )
    );
    far.sign_out(session.id).await;
    assert_eq!(memory.seen().signed_out, [session.id]);
}

#[tokio::test]
async fn tables_and_their_declarations_come_through() {
    let memory = Memory::new(1000);
    let (far, ..) = joined(&memory);
    let session = signed_in(&far).await;
    let tables = far.tables(session).await.unwrap();
    assert_eq!(tables, memory.tables(session).await.unwrap());
    assert_eq!(tables.len(), 1000);
    far.declare(session, definition()).await.unwrap();
    far.withdraw(session, table()).await.unwrap();
    assert_eq!(memory.seen().declared, [definition()]);
    assert_eq!(memory.seen().withdrawn, [table()]);
}

#[tokio::test]
async fn a_statement_comes_through() {
    let memory = Memory::new(70_000);
    let (far, counts, _serving) = joined(&memory);
    let session = signed_in(&far).await;
    let granted = far.begin(session, asked(2)).await.unwrap();
    assert_eq!(memory.seen().grants[&granted.id], asked(2));
    assert_eq!(counts.now().running, 1);
    for table in &granted.tables {
        assert_eq!(table.objects.len(), 70_000);
        assert_eq!(table.objects[69_999], object(69_999));
        assert_eq!(table.terms, memory::terms());
        assert_eq!((table.version, table.entry), (Some(4), 11));
        assert_eq!(table.def, definition());
    }
    let ranges = vec![0..10, 5..5, 1_000_000..1_200_000, 4096..4097];
    let read = far.read(granted.id, 1, 3, ranges.clone()).await.unwrap();
    let expected: Vec<Bytes> = ranges.into_iter().map(|r| memory::bytes(3, r)).collect();
    assert_eq!(read, expected);
    let mut sums = Sums::new(3);
    sums.add(7);
    let release = Release {
        table: 1,
        cohorts: vec![Cohort {
            measure: "income".into(),
            shape: 9,
            persons: 12,
            people: sums.clone(),
            rows: sums,
        }],
    };
    let shown = far.release(granted.id, release.clone()).await.unwrap();
    assert_eq!(shown, [true]);
    assert_eq!(memory.seen().released, [release]);
    far.close(granted.id, ended(2)).await.unwrap();
    let closed = memory.seen().closed.clone();
    // The vault's side knows better how much was given.
    let mut expected = ended(2);
    expected.bytes = vec![1, 200_011];
    assert_eq!(closed, [(granted.id, expected)]);
    let counted = counts.now();
    assert_eq!((counted.running, counted.done, counted.broken), (0, 1, 0));
    assert_eq!(counted.read_bytes, 200_011);
    let late = far.read(granted.id, 0, 0, vec![0..1]).await.unwrap_err();
    assert_eq!(late.why, Why::Revoked);
}

#[tokio::test]
async fn large_reads_come_through_whole_and_at_once() {
    let memory = Memory::new(2);
    let (far, ..) = joined(&memory);
    let session = signed_in(&far).await;
    let granted = far.begin(session, asked(1)).await.unwrap().id;
    let all = far.read(granted, 0, 1, vec![7..64 * 1024 * 1024 + 7]).await;
    assert_eq!(all.unwrap()[0], memory::bytes(1, 7..64 * 1024 * 1024 + 7));
    // At the end of an object a range is as long as the object is.
    let tail = memory::OBJECT_BYTES - 5..memory::OBJECT_BYTES + 100;
    let tail = far.read(granted, 0, 1, vec![tail]).await.unwrap();
    assert_eq!(tail[0].len(), 5);
    let reads = (0..40_u64).map(|n| {
        let far = far.clone();
        async move {
            let start = n * 100_003;
            let range = start..start + 300_000;
            let read = far.read(granted, 0, 1, vec![range.clone(), 0..3]).await;
            let read = read.unwrap();
            assert_eq!(read, [memory::bytes(1, range), memory::bytes(1, 0..3)]);
        }
    });
    futures::future::join_all(reads).await;
}

#[tokio::test]
async fn limits_hold_on_either_side() {
    let memory = Memory::new(1);
    let (far, ..) = joined(&memory);
    let session = signed_in(&far).await;
    let granted = far.begin(session, asked(1)).await.unwrap().id;
    let too_large = [
        vec![0..64 * 1024 * 1024 + 1],
        vec![0..40 * 1024 * 1024; 2],
        vec![0..1; 1025],
        vec![0..u64::MAX, 0..u64::MAX],
    ];
    for ranges in too_large {
        let no = far.read(granted, 0, 0, ranges).await.unwrap_err();
        assert_eq!(no.why, Why::TooLarge, "{no}");
    }
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = far.read(granted, 0, 0, vec![5..4]).await.unwrap_err();
    assert_eq!(backwards.why, Why::Invalid);
    let other = far.read(granted, 1, 0, vec![0..1]).await.unwrap_err();
    assert_eq!(other.why, Why::Invalid);
    let missing = far.read(granted, 0, 1, vec![0..1]).await.unwrap_err();
    assert_eq!(
        missing,
        Refused::new(Why::NotFound, "there is no such object")
    );
    let no = far.begin(session, asked(65)).await.unwrap_err();
    assert_eq!(no.why, Why::TooLarge);
    let mut whom = ended(1);
    whom.whom = vec![Whom::These(vec!["1".into(); 4097])];
    assert_eq!(
        far.close(granted, whom).await.unwrap_err().why,
        Why::TooLarge
    );
    let two = far.close(granted, ended(2)).await.unwrap_err();
    assert_eq!(two.why, Why::Invalid);
    let mut long = ended(1);
    long.broken = Some("é".repeat(10_000));
    far.close(granted, long).await.unwrap();
    let kept = memory.seen().closed[0].1.broken.clone();
    assert_eq!(kept, Some("é".repeat(500)));
    let mut wide = definition();
    wide.columns = vec![wide.columns[0].clone(); 1024];
    let no = far.declare(session, wide).await.unwrap_err();
    assert_eq!(no.why, Why::TooLarge);
    assert!(memory.seen().declared.is_empty());
}

#[tokio::test]
async fn what_is_written_comes_through_or_breaks() {
    let memory = Memory::new(1);
    let (far, ..) = joined(&memory);
    let session = signed_in(&far).await;
    let granted = far.begin(session, asked(2)).await.unwrap().id;
    let pieces: Vec<Bytes> = [3, 700_000, 0, 50_000, 2_000_000]
        .iter()
        .map(|length| memory::bytes(9, 0..*length))
        .collect();
    let whole: Vec<u8> = pieces.concat();
    let body = stream::iter(pieces.into_iter().map(Ok)).boxed();
    let written = far.write(granted, 0, body).await.unwrap();
    assert_eq!(written, object(1));
    assert_eq!(memory.seen().written, [whole]);
    let version = far.commit(granted, 0, vec![written.clone()]).await.unwrap();
    assert_eq!(memory.seen().committed[&version], [written]);

    let lost = stream::iter([
        Ok(Bytes::from_static(b"begun")),
        Err(io::Error::other("the plan failed")),
    ]);
    let broken = far.write(granted, 0, lost.boxed()).await.unwrap_err();
    assert_eq!(
        broken,
        Refused::new(Why::Invalid, "it broke; nothing was kept")
    );
    assert_eq!(memory.seen().writes_broken, ["the plan failed"]);

    // A refusal before the end of a body that never ends by itself.
    let endless = stream::repeat_with(|| Ok(Bytes::from(vec![1; 300_000])));
    let full = far.write(granted, 1, endless.boxed()).await.unwrap_err();
    assert_eq!(full, Refused::new(Why::TooLarge, "the table is full"));
    let slow = stream::once(async { Ok(Bytes::from_static(b"x")) }).chain(stream::pending());
    let full = far.write(granted, 1, slow.boxed()).await.unwrap_err();
    assert_eq!(full.why, Why::TooLarge);

    // The engine gives a write up: what came of it does not count as written.
    let never = stream::once(async { Ok(Bytes::from_static(b"y")) }).chain(stream::pending());
    let writing = far.write(granted, 0, never.boxed());
    let waited = tokio::time::timeout(std::time::Duration::from_millis(100), writing).await;
    assert!(waited.is_err());
    memory.until(|seen| seen.writes_broken.len() == 2).await;
    assert_eq!(memory.seen().written.len(), 1);
}

#[tokio::test]
async fn endings_are_waited_for() {
    let memory = Memory::new(1);
    let (far, ..) = joined(&memory);
    let waiting = tokio::spawn({
        let far = far.clone();
        async move { far.endings(0).await }
    });
    while memory.waiting.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let told = Endings {
        next: 3,
        grants: vec![GrantId([4; 16])],
    };
    memory.endings.send_replace(told.clone());
    assert_eq!(waiting.await.unwrap().unwrap(), told);
    assert_eq!(far.endings(2).await.unwrap(), told);
    // One that is waited for no longer costs the vault nothing.
    let waiting = tokio::spawn({
        let far = far.clone();
        async move { far.endings(3).await }
    });
    let of = |count| {
        let waiting = memory.waiting.clone();
        async move {
            while waiting.load(std::sync::atomic::Ordering::SeqCst) != count {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        }
    };
    of(1).await;
    waiting.abort();
    of(0).await;
}
