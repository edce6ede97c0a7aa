use crate::memory::{Memory, asked, ended};
use crate::{joined, signed_in};
use link::Trunk;
use link::lane::{Kind, Lane};
use road::say::{Answer, Question};
use road::{Behind, Counts};
use statement::{Refused, Release, Road as _, SessionId, Sign, Signed, Whom, Why};
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::net::UnixStream;

#[tokio::test]
async fn what_belongs_to_another_engine_is_refused() {
    let memory = Memory::new(1);
    let (one, ..) = joined(&memory);
    let (other, ..) = joined(&memory);
    let session = signed_in(&one).await;
    let granted = one.begin(session, asked(1)).await.unwrap().id;
    let first = Sign::ScramFirst {
        user: "CLRTEST".into(),
        message: "n,,n=,r=abc".into(),
    };
    let Ok(Signed::Challenge { exchange, .. }) = one.sign_in(first, "clarence", None).await else {
        panic!()
    };

    let ended_session = Why::SessionEnded;
    assert_eq!(other.tables(session).await.unwrap_err().why, ended_session);
    let no = other.begin(session, asked(1)).await.unwrap_err();
    assert_eq!(no.why, ended_session);
    let def = crate::memory::definition();
    let no = other.declare(session, def).await.unwrap_err();
    assert_eq!(no.why, ended_session);
    let table = crate::memory::table();
    let no = other.withdraw(session, table).await.unwrap_err();
    assert_eq!(no.why, ended_session);
    other.sign_out(session).await;
    assert!(memory.seen().signed_out.is_empty());
    let last = Sign::ScramFinal {
        exchange,
        message: "c=".into(),
    };
    let no = other.sign_in(last, "clarence", None).await.unwrap_err();
    assert_eq!(no.why, Why::Unauthenticated);

    let revoked = Why::Revoked;
    let no = other.read(granted, 0, 0, vec![0..1]).await.unwrap_err();
    assert_eq!(no.why, revoked);
    let release = other.release(granted, Release::default()).await;
    assert_eq!(release.unwrap_err().why, revoked);
    let body = Box::pin(futures::stream::empty());
    let no = other.write(granted, 0, body).await.unwrap_err();
    assert_eq!(no.why, revoked);
    let no = other.commit(granted, 0, vec![]).await.unwrap_err();
    assert_eq!(no.why, revoked);
    let no = other.close(granted, ended(1)).await.unwrap_err();
    assert_eq!(no.why, revoked);
    let seen = memory.seen();
    assert!(seen.closed.is_empty() && seen.released.is_empty() && seen.written.is_empty());
    assert!(seen.committed.is_empty() && seen.declared.is_empty() && seen.withdrawn.is_empty());
}

#[tokio::test]
async fn an_engine_that_ends_leaves_nothing_open() {
    let memory = Memory::new(2);
    let (far, counts, serving) = joined(&memory);
    let session = signed_in(&far).await;
    let done = far.begin(session, asked(1)).await.unwrap().id;
    far.close(done, ended(1)).await.unwrap();
    let open = far.begin(session, asked(2)).await.unwrap().id;
    far.read(open, 1, 1, vec![0..1000, 5..10]).await.unwrap();
    drop(far);
    serving.await.unwrap().unwrap();
    let seen = memory.seen();
    let (last, how) = seen.closed.last().unwrap();
    assert_eq!((seen.closed.len(), *last), (2, open));
    assert_eq!(how.bytes, [0, 1005]);
    assert_eq!(how.whom, [Whom::Whole, Whom::Whole]);
    assert!(how.broken.as_deref().unwrap().contains("query engine"));
    assert_eq!(seen.signed_out, [session]);
    let counted = counts.now();
    assert_eq!((counted.running, counted.done, counted.broken), (0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_the_vault_cannot_make_durable_is_tried_again() {
    let memory = Memory::new(1);
    let (far, _, serving) = joined(&memory);
    let session = signed_in(&far).await;
    let open = far.begin(session, asked(1)).await.unwrap().id;
    let away = || Refused::new(Why::Unavailable, "a site is away");
    memory.seen().close_refusals = vec![away()];
    let no = far.close(open, ended(1)).await.unwrap_err();
    assert_eq!(no, away());
    // It is open still, and may be closed again.
    memory.seen().close_refusals = vec![away(), away(), away()];
    drop(far);
    serving.await.unwrap().unwrap();
    assert_eq!(memory.seen().closed.len(), 1);
}

/// A lane of an engine that follows no rules.
async fn raw_lane(trunk: &Trunk) -> Lane {
    let (ours, theirs) = UnixStream::pair().unwrap();
    trunk.send(b"lane", &[theirs.as_fd()]).unwrap();
    Lane::new(ours)
}

fn raw(memory: &Arc<Memory>) -> (Trunk, Arc<Counts>) {
    let (ours, theirs) = Trunk::pair().unwrap();
    let counts = Arc::new(Counts::default());
    let behind = Behind {
        road: Arc::clone(memory) as _,
        counts: Arc::clone(&counts),
    };
    tokio::spawn(road::serve(theirs, behind));
    (ours, counts)
}

async fn session_on(lane: &mut Lane) -> SessionId {
    let question = Question::SignIn {
        sign: crate::password(crate::memory::PASSWORD),
        database: "clarence".into(),
        from: None,
    };
    lane.say(Kind::Ask, &question).unwrap();
    lane.flush().await.unwrap();
    match lane.expect().await.unwrap().read().unwrap() {
        Answer::Signed(Signed::In { session, .. }) => session.id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_grant_that_nobody_took_is_closed() {
    let memory = Memory::new(600);
    let (trunk, counts) = raw(&memory);
    let mut lane = raw_lane(&trunk).await;
    let session = session_on(&mut lane).await;
    // The lane closes while the vault decides.
    memory.begins.forget_permits(usize::MAX);
    lane.say(Kind::Ask, &Question::Begin(session, asked(1)))
        .unwrap();
    lane.flush().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    drop(lane);
    memory.begins.add_permits(1);
    memory.until(|seen| seen.closed.len() == 1).await;
    // It closes when the grant was told, but not taken.
    memory.begins.add_permits(1);
    let mut lane = raw_lane(&trunk).await;
    lane.say(Kind::Ask, &Question::Begin(session, asked(1)))
        .unwrap();
    lane.flush().await.unwrap();
    lane.expect().await.unwrap();
    drop(lane);
    memory.until(|seen| seen.closed.len() == 2).await;
    assert!(
        memory
            .seen()
            .closed
            .iter()
            .all(|(_, how)| how.broken.is_some())
    );
    assert_eq!(counts.now().running, 0);
}

#[tokio::test]
async fn a_grant_that_comes_after_the_engine_has_ended_is_closed() {
    let memory = Memory::new(1);
    let (far, counts, serving) = joined(&memory);
    let session = signed_in(&far).await;
    memory.begins.forget_permits(usize::MAX);
    let beginning = tokio::spawn(async move { far.begin(session, asked(1)).await });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    beginning.abort();
    let _ = beginning.await;
    memory.until(|seen| seen.signed_out.len() == 1).await;
    memory.begins.add_permits(1);
    serving.await.unwrap().unwrap();
    assert_eq!(memory.seen().closed.len(), 1);
    assert_eq!(counts.now().running, 0);
}

#[tokio::test]
async fn an_engine_has_so_many_lanes_and_no_more() {
    let memory = Memory::new(1);
    let (trunk, _) = raw(&memory);
    let mut lanes = Vec::new();
    for _ in 0..256 {
        lanes.push(raw_lane(&trunk).await);
    }
    session_on(lanes.last_mut().unwrap()).await;
    let mut one_more = raw_lane(&trunk).await;
    assert!(one_more.hear().await.unwrap().is_none());
    drop(lanes.swap_remove(0));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    session_on(&mut raw_lane(&trunk).await).await;
}

#[tokio::test]
async fn many_calls_at_once_wait_for_a_lane() {
    let memory = Memory::new(1);
    let (far, ..) = joined(&memory);
    let session = signed_in(&far).await;
    let granted = far.begin(session, asked(1)).await.unwrap().id;
    let reads = (0..1000_u64).map(|n| {
        let far = far.clone();
        async move { far.read(granted, 0, 0, vec![n..n + 70_000]).await.unwrap() }
    });
    let all = futures::future::join_all(reads).await;
    assert!(all.iter().all(|read| read[0].len() == 70_000));
}

#[tokio::test]
async fn a_vault_that_is_gone_is_told_as_such() {
    let (ours, theirs) = Trunk::pair().unwrap();
    drop(theirs);
    let far = road::Far::new(ours);
    let no = far.tables(SessionId([1; 16])).await.unwrap_err();
    assert_eq!(no.why, Why::Unavailable);
    assert!(no.message.contains("vault"), "{no}");
}
