//! One client's session: its messages one after another.

use super::channel::Channel;
use super::fail::{self, fatal};
use super::names::names_of;
use super::portal::{
    Command, Parsed, Portal, Run, Stored, described, fields_of, tag_of, text_fields,
};
use super::settings::Settings;
use super::start::Begun;
use super::values::value;
use super::{Door, cancels::Known};
use crate::catalog;
use arrow_pg::row_encoder::RowEncoder;
use bytes::BytesMut;
use datafusion::arrow::array::RecordBatch;
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use pgwire::api::portal::Format;
use pgwire::api::results::FieldInfo;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, CloseComplete, Execute, Parse, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, ReadyForQuery, TransactionStatus,
};
use pgwire::messages::startup::{BackendKeyData, ParameterStatus, SecretKey};
use pgwire::messages::{PgWireBackendMessage as Say, PgWireFrontendMessage as Heard};
use sql::{Connection, Done, Fault, SqlError, datafusion, text};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::sync::Arc;

/// Statements and portals that a client may keep.
const KEPT_MAX: usize = 1024;
/// Target of Describe and Close.
const STATEMENT: u8 = b'S';
const PORTAL: u8 = b'P';

pub(super) struct Session<'a> {
    pub(super) channel: Channel,
    pub(super) connection: Arc<Connection>,
    pub(super) settings: Settings,
    pub(super) status: TransactionStatus,
    pub(super) statements: HashMap<String, Arc<Stored>>,
    pub(super) portals: HashMap<String, Portal>,
    /// After a failure, messages up to the next Sync are passed over.
    skipping: bool,
    known: Known<'a>,
}

/// A failure of a statement, or of the connection.
pub(super) enum Failure {
    Statement(SqlError),
    Connection(io::Error),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Statement(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// Serves somebody who is in, until they leave.
pub async fn serve(door: &Door, begun: Begun) -> io::Result<()> {
    let connection = Arc::clone(&begun.connection);
    let mut session = Session {
        channel: begun.channel,
        connection: begun.connection,
        settings: begun.settings,
        status: TransactionStatus::Idle,
        statements: HashMap::new(),
        portals: HashMap::new(),
        skipping: false,
        known: door.cancels.know(&connection),
    };
    let served = session.serve().await;
    drop(session);
    connection.end().await;
    served
}

impl Session<'_> {
    async fn serve(&mut self) -> io::Result<()> {
        let told: Vec<(String, String)> = self
            .settings
            .told()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (name, value) in told {
            self.told(name, value).await?;
        }
        let key = BackendKeyData::new(self.known.number, SecretKey::I32(self.known.secret));
        self.channel.say(Say::BackendKeyData(key)).await?;
        self.ready().await?;
        while let Some(message) = self.channel.next().await? {
            if self.skipping && !matches!(message, Heard::Sync(_) | Heard::Terminate(_)) {
                continue;
            }
            let extended = message.is_extended_query();
            match Box::pin(self.hear(message)).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Failure::Connection(error)) => return Err(error),
                Err(Failure::Statement(error)) => {
                    self.failed(&error).await?;
                    match extended {
                        true => self.skipping = true,
                        false => self.ready().await?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the session goes on.
    async fn hear(&mut self, message: Heard) -> Result<bool, Failure> {
        match message {
            Heard::Query(query) => self.query(&query.query).await?,
            Heard::Parse(parse) => self.parse(parse).await?,
            Heard::Bind(bind) => self.bind(bind).await?,
            Heard::Describe(describe) => {
                let name = describe.name.unwrap_or_default();
                self.describe(describe.target_type, &name).await?;
            }
            Heard::Execute(execute) => self.execute(execute).await?,
            Heard::Close(close) => {
                let name = close.name.unwrap_or_default();
                match close.target_type {
                    STATEMENT => drop(self.statements.remove(&name)),
                    _ => drop(self.portals.remove(&name)),
                }
                self.channel
                    .say(Say::CloseComplete(CloseComplete::new()))
                    .await?;
            }
            Heard::Sync(_) => {
                self.skipping = false;
                if self.status != TransactionStatus::Transaction {
                    self.portals.clear();
                }
                self.ready().await?;
            }
            Heard::Flush(_) => self.channel.flush().await?,
            Heard::Terminate(_) => return Ok(false),
            Heard::CopyData(_) | Heard::CopyDone(_) | Heard::CopyFail(_) => {}
            _ => {
                let message = fatal("08P01", "this message has no place here");
                self.channel.say(message).await?;
                self.channel.flush().await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn ready(&mut self) -> io::Result<()> {
        let ready = ReadyForQuery::new(self.status);
        self.channel.say(Say::ReadyForQuery(ready)).await?;
        self.channel.flush().await
    }

    pub(super) async fn told(&mut self, name: String, value: String) -> io::Result<()> {
        let status = ParameterStatus::new(name, value);
        self.channel.say(Say::ParameterStatus(status)).await
    }

    async fn failed(&mut self, error: &SqlError) -> io::Result<()> {
        if self.status == TransactionStatus::Transaction {
            self.status = TransactionStatus::Error;
        }
        self.channel.say(fail::error(error)).await
    }

    /// A text with any number of statements. The first failure ends it.
    async fn query(&mut self, whole: &str) -> Result<(), Failure> {
        let all = text::parse_all(whole)?;
        if all.is_empty() {
            let empty = EmptyQueryResponse::new();
            self.channel.say(Say::EmptyQueryResponse(empty)).await?;
        }
        let alone = all.len() == 1;
        for statement in all {
            let own = match alone {
                true => whole.to_owned(),
                false => statement.to_string(),
            };
            let stored = Arc::new(self.stored(own, statement, &[]).await?);
            if !stored.types.is_empty() {
                return Err(no_values().into());
            }
            let mut portal = Portal {
                stored,
                values: Vec::new(),
                format: Format::UnifiedText,
                run: Run::Fresh,
            };
            self.run(&mut portal, 0, true).await?;
        }
        self.ready().await?;
        Ok(())
    }

    async fn stored(
        &mut self,
        own: String,
        statement: Statement,
        said: &[u32],
    ) -> Result<Stored, Failure> {
        if let Some(command) = Command::of(&statement)? {
            return Ok(Stored {
                text: own,
                what: Parsed::Command(command),
                types: Vec::new(),
                names: Vec::new(),
                stated: BTreeMap::new(),
            });
        }
        self.may_run()?;
        let names = names_of(&statement);
        let stated = catalog::parameter_types(&statement);
        let statement = catalog::rewrite(statement);
        let connection = Arc::clone(&self.connection);
        let planning = connection.prepare_rewritten(&own, statement.clone());
        let prepared = self.unless_gone(planning).await??;
        Ok(Stored {
            types: Stored::types_of(&prepared, &stated, said),
            stated,
            what: Parsed::Planned(Arc::new(prepared), Box::new(statement)),
            names,
            text: own,
        })
    }

    /// A result, unless the client goes away first: then what runs is dropped, and so ended.
    async fn unless_gone<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            error = self.channel.gone() => Err(error),
        }
    }

    pub(super) fn may_run(&self) -> Result<(), SqlError> {
        if self.status == TransactionStatus::Error {
            return Err(SqlError::new(
                Fault::InFailedBlock,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    async fn parse(&mut self, parse: Parse) -> Result<(), Failure> {
        let name = parse.name.unwrap_or_default();
        if !name.is_empty() && self.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new(Fault::Value, message).into());
        }
        if self.statements.len() >= KEPT_MAX {
            return Err(too_many("prepared statements").into());
        }
        let mut all = text::parse_all(&parse.query)?;
        let stored = match (all.pop(), all.is_empty()) {
            (None, _) => Stored {
                text: parse.query,
                what: Parsed::Nothing,
                types: Vec::new(),
                names: Vec::new(),
                stated: BTreeMap::new(),
            },
            (Some(one), true) => self.stored(parse.query, one, &parse.type_oids).await?,
            (Some(_), false) => {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(SqlError::new(Fault::Syntax, message).into());
            }
        };
        self.statements.insert(name, Arc::new(stored));
        self.channel
            .say(Say::ParseComplete(ParseComplete::new()))
            .await?;
        Ok(())
    }

    async fn bind(&mut self, bind: Bind) -> Result<(), Failure> {
        let stored = self.statement(&bind.statement_name.unwrap_or_default())?;
        if bind.parameters.len() != stored.types.len() {
            return Err(no_values().into());
        }
        if self.portals.len() >= KEPT_MAX {
            return Err(too_many("portals").into());
        }
        let codes = &bind.parameter_format_codes;
        let mut values = Vec::with_capacity(bind.parameters.len());
        for (at, (bytes, pg)) in bind.parameters.iter().zip(&stored.types).enumerate() {
            let code = match codes.as_slice() {
                [] => 0,
                [one] => *one,
                all => all.get(at).copied().unwrap_or_default(),
            };
            let planned = match &stored.what {
                Parsed::Planned(prepared, _) => Stored::planned(prepared, &stored.stated, at),
                _ => None,
            };
            values.push(value(bytes.as_deref(), code == 1, pg, planned.as_ref())?);
        }
        let format = match bind.result_column_format_codes.as_slice() {
            [] => Format::UnifiedText,
            [one] => Format::from(*one),
            all => Format::Individual(all.to_vec()),
        };
        let portal = Portal {
            stored,
            values,
            format,
            run: Run::Fresh,
        };
        self.portals
            .insert(bind.portal_name.unwrap_or_default(), portal);
        self.channel
            .say(Say::BindComplete(BindComplete::new()))
            .await?;
        Ok(())
    }

    fn statement(&self, name: &str) -> Result<Arc<Stored>, SqlError> {
        let found = self.statements.get(name).cloned();
        found.ok_or_else(|| {
            SqlError::new(
                Fault::Name,
                format!("prepared statement \"{name}\" does not exist"),
            )
        })
    }

    async fn describe(&mut self, target: u8, name: &str) -> Result<(), Failure> {
        let (stored, format) = match target {
            STATEMENT => (self.statement(name)?, Format::UnifiedText),
            PORTAL => match self.portals.get(name) {
                Some(portal) => (Arc::clone(&portal.stored), portal.format.clone()),
                None => return Err(no_portal(name).into()),
            },
            _ => {
                return Err(SqlError::new(
                    Fault::Syntax,
                    "only statements and portals are described",
                )
                .into());
            }
        };
        if target == STATEMENT {
            let types = stored.types.iter().map(pgwire::api::Type::oid).collect();
            let parameters = ParameterDescription::new(types);
            self.channel
                .say(Say::ParameterDescription(parameters))
                .await?;
        }
        let fields = match &stored.what {
            Parsed::Nothing => Vec::new(),
            Parsed::Command(command) => text_fields(&command.columns()),
            Parsed::Planned(prepared, _) => fields_of(&prepared.schema(), &stored.names, &format)?,
        };
        let message = match fields.is_empty() {
            true => Say::NoData(NoData::new()),
            false => Say::RowDescription(described(&fields)),
        };
        self.channel.say(message).await?;
        Ok(())
    }

    async fn execute(&mut self, execute: Execute) -> Result<(), Failure> {
        let name = execute.name.unwrap_or_default();
        let portal = self.portals.remove(&name);
        let mut portal = portal.ok_or_else(|| no_portal(&name))?;
        let most = u64::try_from(execute.max_rows).unwrap_or_default();
        self.run(&mut portal, most, false).await?;
        self.portals.insert(name, portal);
        Ok(())
    }

    /// Runs a portal, up to so many rows (0 for all).
    async fn run(&mut self, portal: &mut Portal, most: u64, describe: bool) -> Result<(), Failure> {
        let stored = Arc::clone(&portal.stored);
        match &stored.what {
            Parsed::Nothing => {
                let empty = EmptyQueryResponse::new();
                self.channel.say(Say::EmptyQueryResponse(empty)).await?;
                return Ok(());
            }
            Parsed::Command(command) => return self.command(command, describe).await,
            Parsed::Planned(..) => {}
        }
        if matches!(portal.run, Run::Fresh) {
            self.may_run()?;
            let values = std::mem::take(&mut portal.values);
            match self.begin(&stored, values).await? {
                Done::Count { verb, rows } => {
                    portal.run = Run::Over;
                    return self.done(tag_of(verb, rows)).await;
                }
                Done::Rows(answer) => {
                    let fields =
                        Arc::new(fields_of(&answer.schema, &stored.names, &portal.format)?);
                    if describe {
                        let message = Say::RowDescription(described(&fields));
                        self.channel.say(message).await?;
                    }
                    portal.run = Run::Rows {
                        answer,
                        fields,
                        waiting: None,
                        sent: 0,
                    };
                }
            }
        }
        self.rows(portal, most).await
    }

    /// Begins a statement. One whose tables were declared anew is planned again, if its answer still looks the same.
    async fn begin(
        &mut self,
        stored: &Stored,
        values: Vec<datafusion::common::ScalarValue>,
    ) -> Result<Done, Failure> {
        let Parsed::Planned(prepared, statement) = &stored.what else {
            return Err(SqlError::new(Fault::Internal, "there is nothing to run").into());
        };
        let connection = Arc::clone(&self.connection);
        let running = connection.run(prepared, values.clone());
        let done = self.unless_gone(running).await?;
        match done {
            Err(error) if error.fault == Fault::Stale => {
                let planning = connection.prepare_rewritten(&stored.text, *statement.clone());
                let again = self.unless_gone(planning).await??;
                if again.schema() != prepared.schema() {
                    return Err(error.into());
                }
                let running = connection.run(&again, values);
                Ok(self.unless_gone(running).await??)
            }
            other => Ok(other?),
        }
    }

    async fn rows(&mut self, portal: &mut Portal, most: u64) -> Result<(), Failure> {
        let Run::Rows {
            answer,
            fields,
            waiting,
            sent,
        } = &mut portal.run
        else {
            // It was run to its end before.
            return self.done("SELECT 0".to_owned()).await;
        };
        let mut left = if most == 0 { u64::MAX } else { most };
        loop {
            let (batch, from) = match waiting.take() {
                Some(kept) => kept,
                None => {
                    let next = tokio::select! {
                        biased;
                        next = answer.rows.next() => next,
                        error = self.channel.gone() => return Err(error.into()),
                    };
                    match next {
                        Some(batch) => (batch?, 0),
                        None => {
                            let tag = tag_of(answer.verb, *sent);
                            portal.run = Run::Over;
                            return self.done(tag).await;
                        }
                    }
                }
            };
            let count = usize::try_from(left).unwrap_or(usize::MAX);
            let now = count.min(batch.num_rows() - from);
            send(&mut self.channel, batch.slice(from, now), fields).await?;
            *sent += now as u64;
            left -= now as u64;
            if from + now < batch.num_rows() {
                *waiting = Some((batch, from + now));
            }
            if left == 0 {
                let suspended = PortalSuspended::new();
                self.channel.say(Say::PortalSuspended(suspended)).await?;
                return Ok(());
            }
        }
    }

    pub(super) async fn done(&mut self, tag: String) -> Result<(), Failure> {
        let done = CommandComplete::new(tag);
        self.channel.say(Say::CommandComplete(done)).await?;
        Ok(())
    }
}

async fn send(
    channel: &mut Channel,
    batch: RecordBatch,
    fields: &Arc<Vec<FieldInfo>>,
) -> Result<(), Failure> {
    if fields.is_empty() {
        // A row without columns is a row.
        for _ in 0..batch.num_rows() {
            let row = pgwire::messages::data::DataRow::new(BytesMut::new(), 0);
            channel.say(Say::DataRow(row)).await?;
        }
        return Ok(());
    }
    let mut rows = RowEncoder::new(batch, Arc::clone(fields));
    while let Some(row) = rows.next_row() {
        channel.say(Say::DataRow(row.map_err(unshown)?)).await?;
    }
    Ok(())
}

pub(super) fn unshown(error: pgwire::error::PgWireError) -> SqlError {
    SqlError::unsupported(format!(
        "a value cannot be shown in the form that was asked for: {error}; cast the column to text"
    ))
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new(Fault::Name, format!("portal \"{name}\" does not exist"))
}

fn no_values() -> SqlError {
    SqlError::new(
        Fault::Value,
        "there are as many values as the statement has parameters",
    )
}

fn too_many(what: &str) -> SqlError {
    SqlError::new(
        Fault::Resources,
        format!("a connection keeps at most {KEPT_MAX} {what}; close some"),
    )
}
