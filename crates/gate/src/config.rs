//! How the door is set up. The defaults are those of a production node.

use crate::tls::Tls;
use host::Host;
use std::time::Duration;
use words::limits::CONNECTIONS_MAX;

/// A directive for the binary's tracing filter. s3s logs each failed request at ERROR with its document, in
/// which names can stand. The door gives it no log while it reads a request; this is the second lock.
pub const TRACING_DIRECTIVE: &str = "s3s=off";

/// How the door is set up.
#[derive(Clone)]
pub struct Config {
    /// Clock and randomness.
    pub host: Host,
    /// The region's name in answers.
    pub region: String,
    /// Domains before which a bucket's name may stand (`bucket.domain`). Any other host means path style.
    pub domains: Vec<String>,
    /// Certificate and key, if the door speaks TLS.
    pub tls: Option<Tls>,
    /// Connections served at once; others wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a client may take for a request's head, and how long a connection may rest between two.
    pub head_timeout: Duration,
    /// How long a body may stand still in either direction.
    pub idle_timeout: Duration,
    /// How long running requests may go on after the shutdown began.
    pub shutdown_timeout: Duration,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            host,
            region: "lu-1".to_owned(),
            domains: vec![
                "s3.lu-1.clarence.internal".to_owned(),
                "localhost".to_owned(),
            ],
            tls: None,
            connections_max: CONNECTIONS_MAX,
            head_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}
