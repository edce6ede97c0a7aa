//! The accept loop.

use crate::backend::Backend;
use crate::config::Config;
use crate::ops::Ops;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves S3 until `shutdown` is done and the running requests have ended or their deadline is over.
pub async fn serve(
    listener: TcpListener,
    backend: Arc<dyn Backend>,
    ops: Arc<dyn Ops>,
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
) {
    let _ = (listener, backend, ops, config);
    shutdown.await;
}
