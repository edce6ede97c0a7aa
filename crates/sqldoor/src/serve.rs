//! All doors of a process, over one engine.

use crate::catalog::Catalog;
use crate::flight;
use crate::http;
use crate::postgres;
use crate::process::Begun;
use sql::{Engine, Limits};
use std::future::Future;
use std::sync::Arc;

/// Serves until told to end.
pub async fn serve(begun: Begun, told_to_end: impl Future<Output = ()>) {
    let settings = begun.settings;
    let limits = Limits {
        memory_bytes: settings.memory_bytes,
        cache_bytes: settings.cache_bytes,
        spill: settings.spill,
        spill_bytes_max: settings.spill_bytes_max,
        statement_timeout: settings.statement_timeout,
        threads: settings.threads,
    };
    let engine = match Engine::new(begun.road, limits, Arc::new(Catalog)) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::error!(%error, "the query engine cannot begin");
            return;
        }
    };
    let watching = engine.watch();
    let postgres = async {
        match begun.listeners.postgres {
            Some(listener) => {
                postgres::serve(listener, Arc::clone(&engine), settings.tls.clone()).await;
            }
            None => std::future::pending().await,
        }
    };
    let http = async {
        match begun.listeners.http {
            Some(listener) => {
                http::serve(listener, Arc::clone(&engine), settings.tls.clone()).await;
            }
            None => std::future::pending().await,
        }
    };
    let flight = async {
        match begun.listeners.flight {
            Some(listener) => {
                flight::serve(listener, Arc::clone(&engine), settings.tls.clone()).await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = watching => {}
        () = postgres => {}
        () = http => {}
        () = flight => {}
        () = told_to_end => {}
    }
}
