//! The door's process: no folder but that of its certificates, no key but theirs, no connection that it makes
//! itself.

use super::{failed, runtime, take};
use crate::certificates::Watch;
use crate::config::{Certificates, NodeConfig};
use crate::node::{RunError, gate_config};
use host::Host;
use link::{Far, FarOps, Trunk};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

pub fn run(config: NodeConfig, fds: Vec<OwnedFd>) -> Result<(), RunError> {
    wall::forbid_images();
    let mut fds = fds.into_iter();
    let listener = std::net::TcpListener::from(take(&mut fds)?);
    let trunk = Trunk::of(take(&mut fds)?);
    let host = Host::real();
    // Read before the folders are fenced off, so that a missing file is told as such.
    let gate = gate_config(&config, &host)?;
    let built = wall::build(wall::Role::Door, &certificates(&config), &[]);
    let built = built.map_err(|e| failed(&e))?;
    tracing::debug!(?built, "the door's walls stand");
    runtime().map_err(|e| failed(&e))?.block_on(async {
        listener.set_nonblocking(true).map_err(|e| failed(&e))?;
        let listener = TcpListener::from_std(listener).map_err(|e| failed(&e))?;
        let mut end = signal(SignalKind::terminate()).map_err(|e| failed(&e))?;
        let far = Far::new(trunk);
        let ops = FarOps::new(&far, gate.tls.clone());
        let tls = gate.tls.clone();
        let watch = Watch {
            config: &config,
            host: &host,
            tls: tls.as_ref(),
        };
        let serving = gate::serve(
            listener,
            Arc::new(far),
            Arc::clone(&ops) as _,
            gate,
            async move {
                end.recv().await;
            },
        );
        tokio::select! {
            () = serving => {}
            () = ops.run() => {}
            () = watch.run() => {}
        }
        ops.tell_now().await;
        Ok(())
    })
}

/// The folders and files in which the certificates lie.
fn certificates(config: &NodeConfig) -> Vec<PathBuf> {
    match &config.tls {
        None => Vec::new(),
        Some(Certificates::LocalAuthority) => tls::Folder::in_data(&config.layout.data)
            .server_files()
            .iter()
            .filter_map(|file| file.parent().map(PathBuf::from))
            .collect(),
        Some(Certificates::Files { chain, key }) => [chain, key]
            .iter()
            .filter_map(|file| file.parent().map(PathBuf::from))
            .collect(),
    }
}
