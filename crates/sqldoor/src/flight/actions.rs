//! What a client asks to be done besides statements: to end one, or its session.

use super::Door;
use super::believe::Who;
use super::fail::refused;
use arrow_flight::sql::{Any, Command};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
};
use prost::Message;
use std::time::Duration;
use tonic::Status;

const CANCEL: &str = "CancelFlightInfo";
const CLOSE: &str = "CloseSession";
/// How long whoever cancels waits to hear that it has ended.
const ENDS: Duration = Duration::from_secs(5);
/// `CLOSED` of Flight's `CloseSessionResult`.
const CLOSED: i32 = 1;

/// Flight's answer to `CloseSession`, which the library does not know yet.
#[derive(Clone, PartialEq, Message)]
struct CloseSessionResult {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Those that are served besides Flight SQL's own.
pub fn all() -> Vec<Result<ActionType, Status>> {
    let one = |name: &str, description: &str| {
        Ok(ActionType {
            r#type: name.to_owned(),
            description: description.to_owned(),
        })
    };
    vec![
        one(CANCEL, "Ends a statement, by its FlightInfo."),
        one(CLOSE, "Ends the session of the token that it comes with."),
    ]
}

/// Does one, and gives its answer.
pub async fn act(door: &Door, who: &Who, action: &Action) -> Result<Vec<u8>, Status> {
    match action.r#type.as_str() {
        CANCEL => {
            let request = CancelFlightInfoRequest::decode(action.body.clone()).map_err(unread)?;
            let status = cancel(door, who, request.info.unwrap_or_default()).await?;
            Ok(CancelFlightInfoResult::new(status).encode_to_vec())
        }
        CLOSE => {
            if let Some(token) = &who.token {
                door.tokens.end(token);
            }
            Ok(CloseSessionResult { status: CLOSED }.encode_to_vec())
        }
        other => {
            let other: String = other.chars().take(40).collect();
            Err(Status::unimplemented(format!(
                "the action {other} is not served; say database, clarence.purpose, clarence.case and clarence.timeout-ms as headers"
            )))
        }
    }
}

/// Ends the statement of somebody's FlightInfo.
pub async fn cancel(door: &Door, who: &Who, info: FlightInfo) -> Result<CancelStatus, Status> {
    let mut handles = info.endpoint.iter().filter_map(|endpoint| {
        let ticket = Any::decode(endpoint.ticket.as_ref()?.ticket.clone()).ok()?;
        match Command::try_from(ticket).ok()? {
            Command::TicketStatementQuery(ticket) => Some(ticket.statement_handle),
            _ => None,
        }
    });
    let Some(handle) = handles.next() else {
        return Ok(CancelStatus::NotCancellable);
    };
    let id = std::str::from_utf8(&handle).unwrap_or_default();
    let run = door.runs.of(&who.signed.owner, id);
    let run = run.map_err(|refusal| refused(&refusal))?;
    run.cancel();
    match tokio::time::timeout(ENDS, run.ended()).await {
        Ok(_) => Ok(CancelStatus::Cancelled),
        Err(_) => Ok(CancelStatus::Cancelling),
    }
}

/// Ends the statement of a FlightInfo that comes as bytes.
pub async fn cancel_bytes(door: &Door, who: &Who, info: bytes::Bytes) -> Result<i32, Status> {
    let info = FlightInfo::decode(info).map_err(unread)?;
    // The numbers of `CancelResult` are those of `CancelStatus`.
    Ok(cancel(door, who, info).await? as i32)
}

fn unread(error: prost::DecodeError) -> Status {
    Status::invalid_argument(format!("the action cannot be read: {error}"))
}
