//! No name of an object comes into the log, whatever its level; what an operator needs does.

use crate::client::ask;
use crate::node::World;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps everything that anybody logs.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let target = event.metadata().target().to_owned();
        writeln!(self.0.lock().unwrap(), "[{target}]").unwrap();
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_names() {
    let log = Everything::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let world = World::start().await;
    world.bucket("own");
    let delete = |xml: &str| ask("POST", "/own?delete").body(xml.to_owned());
    for (asked, status) in [
        (delete("<Delete><Object><Key>canary</Key></Object>"), 400),
        (
            delete("<Delete><Object><Key>canary</Key><X/></Object></Delete>"),
            400,
        ),
        (
            delete("<Delete><Object><Key>canary</Key></Object></Delete>"),
            200,
        ),
        (
            ask("PUT", "/own/canary")
                .body("canary")
                .header("x-amz-meta-a", "canary"),
            200,
        ),
        (ask("GET", "/own/canary"), 200),
        (ask("GET", "/own?prefix=canary&max-keys=x"), 400),
        (ask("GET", "/own/canary-that-is-not-there"), 404),
        (
            ask("PUT", "/own/canary").header("x-amz-tagging", "canary"),
            501,
        ),
        (ask("GET", "/own/canary").unsigned(), 403),
        (ask("GET", "/own/broken"), 500),
    ] {
        assert_eq!(asked.send(&world).await.status, status);
    }
    let text = log.0.lock().unwrap().clone();
    // hyper and its friends log the wire at TRACE, below what the binary offers; s3s must say nothing.
    assert!(!text.contains("[s3s"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert!(
        text.contains("the disk is on fire"),
        "the operator must read it: {text}"
    );
}
