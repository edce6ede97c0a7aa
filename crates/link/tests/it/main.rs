//! A door and a vault that speak over a trunk and lanes, each honest or not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod behind;

use authn::{PayloadHash, RequestHead};
use behind::{Node, node};
use bytes::Bytes;
use futures::StreamExt as _;
use gate::{Backend as _, Ops as _, Readiness};
use link::lane::{Kind, Lane};
use link::say::{Ask, Check, Head, Trouble, Verb};
use link::{Behind, Far, FarOps, Trunk, serve};
use std::borrow::Cow;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::StoreError;
use store::api::{BodyError, BodyIn, Expected, Metadata, PutAsked, ReadAsked};
use tokio::net::UnixStream;
use words::{BucketName, ObjectKey};

fn names() -> (BucketName, ObjectKey) {
    (
        BucketName::parse("own").unwrap(),
        ObjectKey::parse("k").unwrap(),
    )
}

fn begin() -> (Arc<Node>, Far) {
    let node = node();
    let (door, vault) = Trunk::pair().unwrap();
    let behind = Behind {
        backend: Arc::clone(&node) as _,
        ops: Arc::clone(&node) as _,
        domains: Arc::new([]),
    };
    tokio::spawn(serve(vault, behind));
    (node, Far::new(door))
}

fn headers(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut headers = vec![
        ("host".to_owned(), "h".to_owned()),
        ("authorization".to_owned(), "ok".to_owned()),
    ];
    for (name, value) in more {
        headers.push(((*name).to_owned(), (*value).to_owned()));
    }
    headers
}

fn head<'a>(method: &'a str, path: &'a str, headers: &'a [(String, String)]) -> RequestHead<'a> {
    RequestHead {
        method,
        raw_path: path,
        raw_query: "",
        headers,
        via: authn::Via::default(),
    }
}

fn put(length: u64) -> PutAsked {
    PutAsked {
        metadata: Metadata::default(),
        length,
        expected: Expected::default(),
        conditions: store::api::Conditions::default(),
    }
}

fn body(pieces: Vec<Result<Bytes, BodyError>>) -> BodyIn {
    futures::stream::iter(pieces).boxed()
}

#[tokio::test]
async fn a_request_is_asked_and_answered_and_its_lane_used_again() {
    let (node, far) = begin();
    let (bucket, key) = names();
    let headers = headers(&[]);
    for round in 0_u8..20 {
        let sent = vec![round; 300_000 * usize::from(round % 3)];
        let known = far
            .identify(&head("PUT", "/own/k", &headers))
            .await
            .unwrap();
        let pieces = sent.chunks(70_001).map(Bytes::copy_from_slice).map(Ok);
        let done = far
            .put_object(
                known.caller,
                &bucket,
                &key,
                put(sent.len() as u64),
                body(pieces.collect()),
            )
            .await
            .unwrap();
        assert_eq!(done.etag, sent.len().to_string());
        let known = far
            .identify(&head("GET", "/own/k", &headers))
            .await
            .unwrap();
        let out = far
            .get_object(known.caller, &bucket, &key, ReadAsked::default())
            .await
            .unwrap();
        assert_eq!(out.length, sent.len() as u64);
        let mut came = Vec::new();
        let mut stream = out.body;
        while let Some(piece) = stream.next().await {
            came.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(came, sent);
    }
    assert_eq!(node.lanes_seen(), 40, "each request identified once");
}

#[tokio::test]
async fn a_stranger_is_refused_in_the_backends_words() {
    let (_, far) = begin();
    let no = far.identify(&head("GET", "/own/k", &[])).await;
    let Err(no) = no else {
        panic!("a request without a signature was believed")
    };
    assert_eq!((no.code.as_ref(), no.status), ("AccessDenied", 403));
    assert_eq!(no.region.as_deref(), Some("lu-1"));
}

#[tokio::test]
async fn errors_cross_as_they_are() {
    let (_, far) = begin();
    let (bucket, _) = names();
    let headers = headers(&[]);
    let missing = ObjectKey::parse("missing").unwrap();
    let known = far
        .identify(&head("GET", "/own/missing", &headers))
        .await
        .unwrap();
    let answer = far
        .get_object(known.caller, &bucket, &missing, ReadAsked::default())
        .await;
    assert!(matches!(answer, Err(StoreError::NoSuchKey)));
}

#[tokio::test]
async fn forms_and_policies_cross() {
    let (_, far) = begin();
    let (bucket, _) = names();
    let headers = headers(&[]);
    let mut head = head("POST", "/", &headers);
    head.via.source = Some("10.1.2.3".parse().unwrap());
    let answered = far
        .query(&head, b"GetCallerIdentity".to_vec())
        .await
        .unwrap();
    assert_eq!(answered.action, "GetCallerIdentity");
    let source = gate::Element::Text("Source".into(), "10.1.2.3".into());
    assert_eq!(
        answered.elements,
        [gate::Element::Group("Via".into(), vec![source])]
    );

    let put = |method| RequestHead {
        method,
        raw_path: "/own",
        raw_query: "policy=",
        headers: &headers,
        via: authn::Via::default(),
    };
    let known = far.identify(&put("PUT")).await.unwrap();
    let text = store::PolicyAct::Put("{}".into());
    let answer = far.bucket_policy(known.caller, &bucket, text).await;
    assert_eq!(answer.unwrap().as_deref(), Some("{}"));
    let known = far.identify(&put("GET")).await.unwrap();
    let other = far
        .bucket_policy(known.caller, &bucket, store::PolicyAct::Delete)
        .await;
    assert!(matches!(other, Err(StoreError::Denied)));
}

#[tokio::test]
async fn a_body_that_breaks_is_not_stored() {
    let (node, far) = begin();
    let (bucket, key) = names();
    let headers = headers(&[]);
    let known = far
        .identify(&head("PUT", "/own/k", &headers))
        .await
        .unwrap();
    let pieces = vec![
        Ok(Bytes::from_static(b"half")),
        Err(BodyError::Connection("it was lost".into())),
    ];
    let done = far
        .put_object(known.caller, &bucket, &key, put(8), body(pieces))
        .await;
    assert!(
        matches!(done, Err(StoreError::Body(BodyError::Connection(_)))),
        "{done:?}"
    );
    assert!(node.stored().is_none());
}

#[tokio::test]
async fn a_client_that_waits_for_leave_sends_nothing_before_it_is_asked() {
    let (node, far) = begin();
    let (bucket, key) = names();
    let headers = headers(&[("expect", "100-continue")]);
    node.refuse_puts.store(true, Ordering::SeqCst);
    let known = far
        .identify(&head("PUT", "/own/k", &headers))
        .await
        .unwrap();
    let read = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = Arc::clone(&read);
    let pieces = futures::stream::once(async move {
        seen.store(true, Ordering::SeqCst);
        Ok(Bytes::from_static(b"body"))
    });
    let done = far
        .put_object(known.caller, &bucket, &key, put(4), pieces.boxed())
        .await;
    assert!(matches!(done, Err(StoreError::NoSpace)), "{done:?}");
    assert!(
        !read.load(Ordering::SeqCst),
        "the body was read for nothing"
    );

    node.refuse_puts.store(false, Ordering::SeqCst);
    let known = far
        .identify(&head("PUT", "/own/k", &headers))
        .await
        .unwrap();
    let pieces = body(vec![Ok(Bytes::from_static(b"body"))]);
    far.put_object(known.caller, &bucket, &key, put(4), pieces)
        .await
        .unwrap();
    assert_eq!(node.stored().as_deref(), Some(&b"body"[..]));
}

#[tokio::test]
async fn a_refused_body_is_not_sent_to_its_end() {
    let (node, far) = begin();
    let (bucket, key) = names();
    let headers = headers(&[]);
    node.refuse_puts.store(true, Ordering::SeqCst);
    let known = far
        .identify(&head("PUT", "/own/k", &headers))
        .await
        .unwrap();
    // Endless, and always ready.
    let pieces = futures::stream::repeat_with(|| Ok(Bytes::from(vec![1; 65_536])));
    let done = far
        .put_object(known.caller, &bucket, &key, put(u64::MAX), pieces.boxed())
        .await;
    assert!(matches!(done, Err(StoreError::NoSpace)), "{done:?}");
}

#[tokio::test]
async fn the_hash_that_was_signed_counts_and_not_what_the_door_says() {
    let (node, far) = begin();
    let (bucket, key) = names();
    let headers = headers(&[("x-amz-content-sha256", "signed")]);
    let known = far
        .identify(&head("PUT", "/own/k", &headers))
        .await
        .unwrap();
    assert_eq!(known.payload, PayloadHash::Hex([9; 32]));
    let mut asked = put(1);
    asked.expected.payload_sha256 = None;
    let pieces = body(vec![Ok(Bytes::from_static(b"x"))]);
    far.put_object(known.caller, &bucket, &key, asked, pieces)
        .await
        .unwrap();
    assert_eq!(node.expected_hash(), Some([9; 32]));
}

#[tokio::test]
async fn signed_chunks_are_checked_where_the_key_is() {
    let (bucket, key) = names();
    let headers = headers(&[("x-amz-content-sha256", "chunks")]);
    for (signature, data, good) in [
        ("good", "abc", true),
        ("bad", "abc", false),
        ("good", "abX", false),
    ] {
        let (node, far) = begin();
        let mut known = far
            .identify(&head("PUT", "/own/k", &headers))
            .await
            .unwrap();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"abc");
        let hash: [u8; 32] = hash.as_ref().try_into().unwrap();
        let mut chunks = known.chunks.take();
        // As the door's decoder does it: the last piece is let go when the end of the framing was seen.
        let pieces = futures::stream::once(async move {
            let chain = chunks.as_mut().unwrap();
            chain.chunk(&hash, 3, signature).unwrap();
            chain.chunk(&[0; 32], 0, "good").unwrap();
            Ok(Bytes::from_static(data.as_bytes()))
        });
        let done = far
            .put_object(known.caller, &bucket, &key, put(3), pieces.boxed())
            .await;
        assert_eq!(done.is_ok(), good, "{signature} {data}: {done:?}");
        assert_eq!(node.stored().is_some(), good);
    }
}

/// A door that was taken over: it holds the trunk and speaks as it likes.
async fn lane(trunk: &Trunk) -> Lane {
    let (ours, theirs) = UnixStream::pair().unwrap();
    trunk.send(b"lane", &[theirs.as_fd()]).unwrap();
    Lane::new(ours)
}

fn forged() -> (Arc<Node>, Trunk) {
    let node = node();
    node.store(b"the treasure");
    let (door, vault) = Trunk::pair().unwrap();
    let behind = Behind {
        backend: Arc::clone(&node) as _,
        ops: Arc::clone(&node) as _,
        domains: Arc::new([]),
    };
    tokio::spawn(serve(vault, behind));
    (node, door)
}

fn get(bucket: &str, key: &str) -> Ask {
    Ask {
        verb: Verb::GetObject(
            BucketName::parse(bucket).unwrap(),
            ObjectKey::parse(key).unwrap(),
            ReadAsked::default(),
        ),
        checks: Vec::new(),
    }
}

#[tokio::test]
async fn f6_a_forged_door_without_a_clients_signature_gets_nothing() {
    let (node, trunk) = forged();
    let mut lane = lane(&trunk).await;
    lane.say(Kind::Ask, &get("own", "k")).unwrap();
    lane.flush().await.unwrap();
    assert!(lane.hear().await.is_ok_and(|frame| frame.is_none()));
    assert_eq!(node.reads(), 0);
}

#[tokio::test]
async fn f6_a_live_signature_opens_what_was_signed_and_nothing_else() {
    let (node, trunk) = forged();
    let headers = headers(&[]);
    for (path, bucket, key, opens) in [
        ("/own/k", "own", "k", true),
        ("/own/other", "own", "k", false),
        ("/other/k", "own", "k", false),
        ("/own", "own", "k", false),
    ] {
        let before = node.reads();
        let mut lane = lane(&trunk).await;
        let head = Head {
            method: Cow::Borrowed("GET"),
            path: Cow::Borrowed(path),
            query: Cow::Borrowed(""),
            headers: Cow::Borrowed(&headers),
            source: None,
            secure: false,
        };
        lane.say(Kind::Head, &head).unwrap();
        lane.flush().await.unwrap();
        assert_eq!(lane.expect().await.unwrap().kind, Kind::Believed);
        lane.say(Kind::Ask, &get(bucket, key)).unwrap();
        lane.flush().await.unwrap();
        let frame = lane.expect().await.unwrap();
        if opens {
            assert_eq!(frame.kind, Kind::Answer);
            assert_eq!(node.reads(), before + 1);
        } else {
            let trouble: Trouble = frame.read().unwrap();
            assert!(matches!(trouble, Trouble::Denied), "{path}");
            assert_eq!(node.reads(), before, "{path}");
        }
    }
}

#[tokio::test]
async fn f6_a_believed_head_is_good_for_one_verb() {
    let (node, trunk) = forged();
    let headers = headers(&[]);
    let mut lane = lane(&trunk).await;
    let head = Head {
        method: Cow::Borrowed("GET"),
        path: Cow::Borrowed("/own/k"),
        query: Cow::Borrowed(""),
        headers: Cow::Borrowed(&headers),
        source: None,
        secure: false,
    };
    lane.say(Kind::Head, &head).unwrap();
    lane.say(Kind::Ask, &get("own", "k")).unwrap();
    lane.say(Kind::Ask, &get("own", "k")).unwrap();
    lane.flush().await.unwrap();
    let mut ends = 0;
    while let Ok(Some(frame)) = lane.hear().await {
        ends += usize::from(frame.kind == Kind::OutEnd);
    }
    assert_eq!((ends, node.reads()), (1, 1));
}

#[tokio::test]
async fn a_signature_in_a_document_that_is_wrong_stops_the_verb() {
    let (node, trunk) = forged();
    let headers = headers(&[("x-amz-content-sha256", "chunks")]);
    let mut lane = lane(&trunk).await;
    let head = Head {
        method: Cow::Borrowed("GET"),
        path: Cow::Borrowed("/own/k"),
        query: Cow::Borrowed(""),
        headers: Cow::Borrowed(&headers),
        source: None,
        secure: false,
    };
    lane.say(Kind::Head, &head).unwrap();
    let mut ask = get("own", "k");
    ask.checks.push(Check::Chunk {
        sha256: [1; 32],
        length: 1,
        signature: "bad".into(),
    });
    lane.say(Kind::Ask, &ask).unwrap();
    lane.flush().await.unwrap();
    assert_eq!(lane.expect().await.unwrap().kind, Kind::Believed);
    assert_eq!(lane.expect().await.unwrap().kind, Kind::Trouble);
    assert_eq!(node.reads(), 0);
}

#[tokio::test]
async fn the_door_follows_the_nodes_state_and_tells_what_it_saw() {
    let (node, far) = begin();
    let ops = FarOps::new(&far, None);
    let following = Arc::clone(&ops);
    let task = tokio::spawn(async move { following.run().await });
    until(|| ops.readiness() == Readiness::Sealed).await;
    node.open();
    until(|| ops.readiness() == Readiness::Ready).await;
    ops.seen(gate::Seen {
        verb: "GetObject",
        status: 200,
        took: std::time::Duration::from_millis(3),
    });
    assert_eq!(ops.metrics().await, "seen GetObject 200\n");
    task.abort();
}

async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it did not happen");
}
