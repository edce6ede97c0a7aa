//! `clarence proxy`.

use crate::args::{Everywhere, Proxy};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::proxy::Tunnel;
use crate::talk::Talk;
use crate::{envelope, process};
use host::files;
use serde_json::json;
use tokio::net::TcpListener;

const CA_BYTES_MAX: u64 = 1024 * 1024;

pub fn proxy(everywhere: &Everywhere, asked: &Proxy, talk: Talk) -> Outcome {
    if !asked.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "--listen {} is not a loopback address; what comes in there is not encrypted, so it may not come from another machine",
            asked.listen
        )));
    }
    let ca = asked.ca.display();
    let authorities = files::read(&asked.ca, CA_BYTES_MAX)
        .map_err(|e| Failure::usage(format!("{ca} could not be read: {e}")))?
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no file at {ca}")))?;
    let config =
        tls::client::config(&authorities).map_err(|e| Failure::usage(format!("{ca}: {e}")))?;
    let tunnel = Tunnel::new(asked.to.clone(), config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::General, format!("the program could not begin: {e}")))?;
    runtime.block_on(run(tunnel, asked, everywhere.json, talk))
}

async fn run(tunnel: Tunnel, asked: &Proxy, json: bool, talk: Talk) -> Outcome {
    let failed = |e| {
        let listen = asked.listen;
        Failure::new(
            Exit::Network,
            format!("{listen} cannot be listened on: {e}"),
        )
    };
    let listener = TcpListener::bind(asked.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let group = match tunnel.try_out().await {
        Ok(group) => {
            talk.note(&format!("{} answers with {group}.", asked.to));
            Some(group)
        }
        // The node may come later; until then each client is told.
        Err(why) => {
            talk.warn(&format!("{}: {why}", asked.to));
            None
        }
    };
    if json {
        let data = json!({
            "state": "serving",
            "endpoint": format!("http://{address}"),
            "to": asked.to.to_string(),
            "key_exchange": group,
        });
        envelope::print(&envelope::success("proxy", &data));
    } else {
        talk.note(&format!("Listening on http://{address}."));
    }
    let connections = usize::try_from(asked.connections).unwrap_or(usize::MAX);
    tunnel
        .serve(listener, connections, talk, process::told_to_stop())
        .await;
    Ok(Answer {
        data: json!({ "state": "ended" }),
        text: String::new(),
    })
}
