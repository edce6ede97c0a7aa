//! What was sealed comes out on this TPM, in this state, in time; nowhere and never else.

use crate::swtpm::Swtpm;
use tpm::{Fault, Policy};

const SECRET: [u8; 32] = [0xa7; 32];
const HOUR: u64 = 3_600_000;

fn policy(tpm: &Swtpm, pcrs: &[u8]) -> Policy {
    let now = tpm.tpm().unwrap().clock().unwrap().clock_ms;
    Policy::new(pcrs, now + HOUR).unwrap()
}

#[test]
fn it_comes_out_also_after_a_restart_and_any_number_of_times() {
    let Some(mut swtpm) = Swtpm::start() else {
        return;
    };
    let policy = policy(&swtpm, &[7, 11]);
    let blob = swtpm.tpm().unwrap().seal(&policy, &SECRET).unwrap();
    let shown = [&blob.public[..], &blob.private].concat();
    assert!(!shown.windows(8).any(|part| part == &SECRET[..8]));
    // More often than a TPM has room for objects and sessions: everything is flushed.
    for _ in 0..20 {
        assert_eq!(
            *swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap(),
            SECRET
        );
    }
    swtpm.switch_off();
    swtpm.switch_on();
    assert_eq!(
        *swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap(),
        SECRET
    );
}

#[test]
fn a_changed_pcr_is_refused_and_others_do_not_matter() {
    let Some(mut swtpm) = Swtpm::start() else {
        return;
    };
    let policy = policy(&swtpm, &[7]);
    let blob = swtpm.tpm().unwrap().seal(&policy, &SECRET).unwrap();
    let other = format!("11:sha256={}", "ab".repeat(32));
    swtpm.tool("tpm2_pcrextend", &[&other]);
    assert_eq!(
        *swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap(),
        SECRET
    );
    let extend = format!("7:sha256={}", "cd".repeat(32));
    swtpm.tool("tpm2_pcrextend", &[&extend]);
    for _ in 0..10 {
        let fault = swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap_err();
        assert!(matches!(fault, Fault::Changed), "{fault:?}");
    }
    // Asking for less than was sealed does not help.
    let less = Policy::new(&[11], policy.clock_before_ms).unwrap();
    let fault = swtpm.tpm().unwrap().unseal(&less, &blob).unwrap_err();
    assert!(matches!(fault, Fault::Changed), "{fault:?}");
    swtpm.switch_off();
    swtpm.switch_on();
    assert_eq!(
        *swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap(),
        SECRET
    );
}

#[test]
fn the_tpms_own_clock_ends_it_and_cannot_be_set_back() {
    let Some(swtpm) = Swtpm::start() else {
        return;
    };
    let policy = policy(&swtpm, &[7]);
    let blob = swtpm.tpm().unwrap().seal(&policy, &SECRET).unwrap();
    let later = (policy.clock_before_ms + 1).to_string();
    swtpm.tool("tpm2_setclock", &[&later]);
    let fault = swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap_err();
    assert!(matches!(fault, Fault::ClockOver), "{fault:?}");
    // A longer policy than the one that was sealed is another policy.
    let longer = Policy::new(&[7], policy.clock_before_ms + HOUR).unwrap();
    let fault = swtpm.tpm().unwrap().unseal(&longer, &blob).unwrap_err();
    assert!(matches!(fault, Fault::Changed), "{fault:?}");
    let back = std::process::Command::new("/usr/bin/tpm2_setclock")
        .args([
            "1",
            "-T",
            &format!("swtpm:path={}/s", swtpm.folder.path().display()),
        ])
        .output()
        .unwrap();
    assert!(!back.status.success(), "the TPM's clock went back");
}

#[test]
fn another_tpm_a_changed_blob_and_a_cleared_tpm_give_nothing() {
    let (Some(swtpm), Some(other)) = (Swtpm::start(), Swtpm::start()) else {
        return;
    };
    let policy = policy(&swtpm, &[7]);
    let blob = swtpm.tpm().unwrap().seal(&policy, &SECRET).unwrap();
    assert!(other.tpm().unwrap().unseal(&policy, &blob).is_err());
    for part in [0, 1] {
        let mut bad = blob.clone();
        let bytes = if part == 0 {
            &mut bad.public
        } else {
            &mut bad.private
        };
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(
            swtpm.tpm().unwrap().unseal(&policy, &bad).is_err(),
            "part {part}"
        );
    }
    assert_eq!(
        *swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap(),
        SECRET
    );
    swtpm.tool("tpm2_clear", &["-c", "p"]);
    let fault = swtpm.tpm().unwrap().unseal(&policy, &blob).unwrap_err();
    assert!(matches!(fault, Fault::OtherTpm), "{fault:?}");
}

/// The other way in: a character device. A pseudo-terminal stands in for the kernel's, with the simulator behind it.
#[test]
fn a_device_is_spoken_to_as_a_socket_is() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    const BRIDGE: &str = "import os, pty, socket, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
tpm = socket.socket(socket.AF_UNIX)
tpm.connect(sys.argv[1])
while True:
    command = b''
    while len(command) < 10 or len(command) < int.from_bytes(command[2:6], 'big'):
        command += os.read(master, 4096)
    tpm.sendall(command)
    os.write(master, tpm.recv(4096))
";
    let Some(swtpm) = Swtpm::start() else {
        return;
    };
    let policy = policy(&swtpm, &[7]);
    let mut bridge = Command::new("/usr/bin/python3")
        .args(["-c", BRIDGE])
        .arg(swtpm.folder.path().join("s"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut device = String::new();
    let told = BufReader::new(bridge.stdout.take().unwrap()).read_line(&mut device);
    let place = tpm::Place::parse(device.trim());
    let outcome = (|| {
        let mut tpm = tpm::Tpm::open(&place, &host::Host::real())?;
        let blob = tpm.seal(&policy, &SECRET)?;
        tpm.unseal(&policy, &blob)
    })();
    let _ = bridge.kill();
    let _ = bridge.wait();
    told.unwrap();
    assert!(device.starts_with("/dev/pts/"), "{device}");
    assert_eq!(*outcome.unwrap(), SECRET);
}

#[test]
fn a_tpm_that_is_not_there_is_said_to_be_away() {
    let folder = tempfile::tempdir().unwrap();
    let place = tpm::Place::parse(&format!("unix:{}/none", folder.path().display()));
    let fault = tpm::Tpm::open(&place, &host::Host::real())
        .map(drop)
        .unwrap_err();
    assert!(fault.to_string().contains("tpm.device"), "{fault}");
}
