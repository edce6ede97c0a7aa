//! Modules that crash, hang or are none. The test's process is the node here: it must not even notice.

use crate::softhsm::{there, worker};
use host::{Host, files};
use hsm::{Access, Fault, Hsm};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn build(folder: &Path, body: &str) -> Option<Access> {
    if !there(&["/usr/bin/cc"]) {
        return None;
    }
    let source = folder.join("bad.c");
    let module = folder.join("bad.so");
    let text = format!(
        "#include <stdlib.h>\n#include <unistd.h>\nunsigned long C_GetFunctionList(void **list) {{ {body} }}\n"
    );
    std::fs::write(&source, text).unwrap();
    let built = Command::new("/usr/bin/cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&module, &source])
        .status()
        .unwrap();
    assert!(built.success());
    let pin_file = folder.join("pin");
    files::write_durable(&pin_file, b"1234", 0o600).unwrap();
    Some(Access {
        module,
        token: "any".into(),
        pin_file,
        starter: hsm::Starter::default(),
    })
}

#[test]
fn a_module_that_crashes_ends_its_own_process_and_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(access) = build(folder.path(), "abort();") else {
        return;
    };
    let mut hsm = Hsm::new(Host::real(), worker(&[]), &access).unwrap();
    for _ in 0..3 {
        assert!(matches!(hsm.token(), Err(Fault::Crashed(_))));
    }
    assert_eq!(hsm.token(), Err(Fault::TooOften(3)));
    assert_eq!(
        hsm.wrap(hsm::KeyName([0; 16]), b"", &[0; 32]),
        Err(Fault::TooOften(3))
    );
}

#[test]
fn a_module_that_hangs_is_ended_at_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let Some(access) = build(folder.path(), "sleep(3600); return 5;") else {
        return;
    };
    let mut program = worker(&[]);
    program.patience = Duration::from_secs(1);
    let mut hsm = Hsm::new(Host::real(), program, &access).unwrap();
    let begun = Instant::now();
    let fault = hsm.token().unwrap_err();
    assert!(
        matches!(&fault, Fault::Crashed(why) if why.contains("1 seconds")),
        "{fault:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_no_module_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut access) = build(folder.path(), "return 5;") else {
        return;
    };
    let mut hsm = Hsm::new(Host::real(), worker(&[]), &access).unwrap();
    let fault = hsm.token().unwrap_err();
    assert!(matches!(fault, Fault::Module(_)), "{fault:?}");
    access.module = folder.path().join("nothing.so");
    let mut hsm = Hsm::new(Host::real(), worker(&[]), &access).unwrap();
    assert!(matches!(hsm.token(), Err(Fault::Module(_))));
    access.pin_file = folder.path().join("no pin");
    assert!(Hsm::new(Host::real(), worker(&[]), &access).is_err());
}
