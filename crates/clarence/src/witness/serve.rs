//! `clarence witness serve`.

use super::args::ServeWitness;
use super::read_file;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::{envelope, logging, process};
use host::Host;
use serde_json::json;
use std::sync::Arc;
use tls::{Classical, Identity, Server};
use witness::Witness;
use witness::serve::{ListenError, Tls, listen, serve as cosign};

const PEM_BYTES_MAX: u64 = 256 * 1024;

pub fn serve(asked: &ServeWitness, json: bool, talk: Talk) -> Outcome {
    logging::begin_as("info", "text", talk.colour())?;
    let tls = certificates(asked)?;
    let witness = Witness::open(&asked.dir, Host::real())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::General, format!("the program could not begin: {e}")))?;
    runtime.block_on(run(asked, tls, witness, json, talk))
}

async fn run(asked: &ServeWitness, tls: Tls, witness: Witness, json: bool, talk: Talk) -> Outcome {
    let listener = listen(asked.listen, &tls).await?;
    let address = listener.local_addr();
    let address = address.map_err(|e| ListenError::Bind(asked.listen, e))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = format!("{scheme}://{address}");
    if json {
        let vkey = witness.public().to_text();
        let data = json!({ "state": "serving", "endpoint": endpoint, "vkey": vkey });
        envelope::print(&envelope::success("witness.serve", &data));
    } else {
        talk.note(&format!(
            "{} cosigns at {endpoint}.",
            witness.public().name()
        ));
    }
    cosign(listener, tls, witness, process::told_to_stop()).await;
    Ok(Answer {
        data: json!({ "state": "ended" }),
        text: String::new(),
    })
}

fn certificates(asked: &ServeWitness) -> Result<Tls, Failure> {
    let (Some(chain), Some(key)) = (&asked.tls_cert, &asked.tls_key) else {
        return Ok(None);
    };
    let secret = zeroize::Zeroizing::new(read_file(key, PEM_BYTES_MAX)?);
    let identity = Identity::from_pem(&read_file(chain, PEM_BYTES_MAX)?, &secret);
    let server = identity.and_then(|identity| Server::new(&[identity], Classical::Allow));
    let server = server.map_err(|e| Failure::usage(format!("{}: {e}", chain.display())))?;
    Ok(Some(Arc::new(server)))
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        let exit = match &error {
            ListenError::Plain(_) => Exit::Usage,
            ListenError::Bind(..) => Exit::Network,
        };
        Self::new(exit, error)
    }
}
