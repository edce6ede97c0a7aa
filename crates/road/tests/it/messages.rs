use crate::memory::{Memory, asked, definition, ended, table};
use link::Trunk;
use link::lane::{Kind, Lane};
use proptest::prelude::*;
use road::say::{Answer, Question};
use road::{Behind, Certificates, Counts, Far, Log, Start};
use statement::{GrantId, Release, Road as _, SessionId, Why};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// One question of each kind.
fn questions() -> Vec<Question> {
    let (session, grant) = (SessionId([1; 16]), GrantId([2; 16]));
    vec![
        Question::SignIn {
            sign: crate::password("x"),
            database: "clarence".into(),
            from: Some("127.0.0.1".parse().unwrap()),
        },
        Question::SignOut(session),
        Question::Tables(session),
        Question::Begin(session, asked(2)),
        Question::Read {
            grant,
            table: 0,
            object: 0,
            ranges: vec![0..7, 3..900_000],
        },
        Question::Release(grant, Release::default()),
        Question::Write { grant, table: 0 },
        Question::Commit {
            grant,
            table: 0,
            written: vec![crate::memory::object(3)],
        },
        Question::Close(grant, ended(2)),
        Question::Declare(session, definition()),
        Question::Withdraw(session, table()),
        Question::Endings(0),
    ]
}

/// Sends bytes on a lane and waits until the vault's side has closed it or nothing more comes.
async fn thrown(bytes: Vec<u8>) {
    let memory = Memory::new(1);
    let (trunk, theirs) = Trunk::pair().unwrap();
    let behind = Behind {
        road: memory as _,
        counts: Arc::new(Counts::default()),
    };
    let serving = tokio::spawn(road::serve(theirs, behind));
    let (mut ours, handed) = UnixStream::pair().unwrap();
    trunk.send(b"lane", &[handed.as_fd()]).unwrap();
    drop(handed);
    let _ = ours.write_all(&bytes).await;
    let _ = ours.shutdown().await;
    let mut rest = Vec::new();
    let heard = ours.read_to_end(&mut rest);
    let heard = tokio::time::timeout(std::time::Duration::from_secs(10), heard).await;
    assert!(heard.is_ok(), "a lane hangs");
    drop(trunk);
    serving.await.unwrap().unwrap();
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}

#[test]
fn the_order_of_questions_is_fixed() {
    let tags = questions().into_iter().map(|question| {
        let bytes = postcard::to_stdvec(&question).unwrap();
        bytes[0]
    });
    assert_eq!(tags.collect::<Vec<u8>>(), (0..12).collect::<Vec<u8>>());
}

#[tokio::test]
async fn frames_out_of_turn_end_the_lane_and_nothing_else() {
    let memory = Memory::new(1);
    let (trunk, theirs) = Trunk::pair().unwrap();
    let behind = Behind {
        road: Arc::clone(&memory) as _,
        counts: Arc::new(Counts::default()),
    };
    tokio::spawn(road::serve(theirs, behind));
    for kind in [Kind::Head, Kind::Want, Kind::Answer, Kind::OutEnd] {
        let (ours, handed) = UnixStream::pair().unwrap();
        trunk.send(b"lane", &[handed.as_fd()]).unwrap();
        drop(handed);
        let mut lane = Lane::new(ours);
        lane.sign(kind);
        lane.flush().await.unwrap();
        assert!(lane.hear().await.unwrap().is_none(), "{kind:?}");
    }
    // A descriptor that is no socket, and then one that is.
    let file = std::io::pipe().unwrap();
    trunk.send(b"lane", &[file.1.as_fd()]).unwrap();
    let far = Far::new(trunk);
    crate::signed_in(&far).await;
}

#[tokio::test]
async fn an_answer_of_another_kind_is_not_believed() {
    for (question, answer) in [
        (0, Answer::Done),
        (1, Answer::Version(1)),
        (2, Answer::Lengths(vec![1 << 40])),
        (2, Answer::Lengths(vec![1, 1])),
        (3, Answer::Tables(u64::MAX)),
        (4, Answer::Done),
    ] {
        let (ours, theirs) = Trunk::pair().unwrap();
        let vault = std::thread::spawn(move || theirs.receive().unwrap().unwrap().1.remove(0));
        let far = Far::new(ours);
        let asking = tokio::spawn(async move {
            let grant = GrantId([1; 16]);
            match question {
                0 => far.commit(grant, 0, vec![]).await.map(|_| ()),
                1 => far.close(grant, ended(1)).await,
                2 => far.read(grant, 0, 0, vec![0..10]).await.map(|_| ()),
                3 => far.tables(SessionId([1; 16])).await.map(|_| ()),
                _ => far.begin(SessionId([1; 16]), asked(1)).await.map(|_| ()),
            }
        });
        let fd = tokio::task::spawn_blocking(|| vault.join().unwrap())
            .await
            .unwrap();
        let stream = std::os::unix::net::UnixStream::from(fd);
        stream.set_nonblocking(true).unwrap();
        let mut lane = Lane::new(UnixStream::from_std(stream).unwrap());
        lane.expect().await.unwrap();
        lane.say(Kind::Answer, &answer).unwrap();
        lane.flush().await.unwrap();
        let no = asking.await.unwrap().unwrap_err();
        assert_eq!(no.why, Why::Unavailable, "{answer:?}");
    }
}

#[test]
fn the_start_is_told_whole() {
    let start = Start {
        postgres: Some("127.0.0.1:5433".parse().unwrap()),
        http: None,
        flight: Some("[::1]:7".parse().unwrap()),
        certificates: Some(Certificates::LocalAuthority("/d".into())),
        refuse_classical: true,
        spill: "/d/spill".into(),
        memory_bytes: 1,
        cache_bytes: 2,
        spill_bytes_max: 3,
        statement_timeout_ms: 4,
        log: Log {
            level: "info".into(),
            format: "text".into(),
            colour: false,
        },
    };
    let (launcher, engine) = Trunk::pair().unwrap();
    let (vault, _) = Trunk::pair().unwrap();
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners.each_ref().map(|l| l.local_addr().unwrap());
    let both = [&listeners[0], &listeners[1]];
    start.tell(&launcher, &vault, &both).unwrap();
    let (heard, handed) = Start::hear(&engine).unwrap().unwrap();
    assert_eq!(heard, start);
    assert!(handed.http.is_none());
    let address = |listener: Option<TcpListener>| listener.unwrap().local_addr().unwrap();
    assert_eq!(address(handed.postgres), addresses[0]);
    assert_eq!(address(handed.flight), addresses[1]);
    // One listener too few is no start.
    start.tell(&launcher, &vault, &both[..1]).unwrap();
    assert!(Start::hear(&engine).is_err());
    launcher.send(b"{}", &[]).unwrap();
    assert!(Start::hear(&engine).is_err());
    drop(launcher);
    assert!(Start::hear(&engine).unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn questions_that_were_altered_hang_nothing(
        which in 0..12_usize,
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<Option<prop::sample::Index>>(),
        more in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut payload = postcard::to_stdvec(&questions()[which]).unwrap();
        let at = at.index(payload.len());
        payload[at] = to;
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        let mut bytes = frame(Kind::Ask as u8, &payload);
        bytes.extend(more);
        run(thrown(bytes));
    }

    #[test]
    fn any_bytes_hang_nothing(kind in 0..25_u8, payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = frame(kind, &payload);
        bytes.extend(&payload);
        run(thrown(bytes));
    }
}
