//! Flight SQL's calls, each to where it is answered.

use super::believe::Who;
use super::statements::{Order, Rows};
use super::{Door, actions, bound, lists, statements};
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::metadata::XdbcTypeInfoDataBuilder;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionBeginTransactionResult, ActionCancelQueryRequest,
    ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, CommandGetCatalogs,
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, CommandPreparedStatementQuery, CommandPreparedStatementUpdate,
    CommandStatementQuery, CommandStatementUpdate, DoPutPreparedStatementResult, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket,
};
use futures::{Stream, stream};
use http::header::AUTHORIZATION;
use std::pin::Pin;
use std::sync::Arc;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

type Info = Result<Response<FlightInfo>, Status>;
type Got = Result<Response<Rows>, Status>;
type Shaken = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;

/// The service.
pub struct Flight {
    door: Arc<Door>,
}

impl Flight {
    pub const fn new(door: Arc<Door>) -> Self {
        Self { door }
    }
}

/// Whoever was believed; nobody's call comes here otherwise.
fn who<T>(request: &Request<T>) -> Result<Who, Status> {
    let who = request.extensions().get::<Who>().cloned();
    who.ok_or_else(|| Status::unauthenticated("nobody has proven who they are"))
}

#[tonic::async_trait]
impl FlightSqlService for Flight {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Shaken>, Status> {
        let who = who(&request)?;
        // Whoever comes with a token keeps it.
        let token = match who.token {
            Some(token) => token,
            None => {
                let given = self.door.tokens.give(who.signed);
                given.map_err(|refusal| super::fail::refused(&refusal))?
            }
        };
        let bearer = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Status::internal("the token has no room in a header"))?;
        let answer = HandshakeResponse {
            protocol_version: 0,
            payload: token.into(),
        };
        let answers: Shaken = Box::pin(stream::iter([Ok(answer)]));
        let mut response = Response::new(answers);
        let headers = response.metadata_mut();
        headers.insert(AUTHORIZATION.as_str(), bearer);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Info {
        outside_blocks(query.transaction_id.as_deref())?;
        let order = Order::new(&who(&request)?, request.metadata(), &query.query, &[])?;
        statements::info(&self.door, order, request.into_inner()).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Info {
        let who = who(&request)?;
        let handle = &query.prepared_statement_handle;
        let taken = self.door.shelf.of(&who.signed.owner, handle);
        let taken = taken.map_err(|refusal| super::fail::refused(&refusal))?;
        let order = Order::new(&who, request.metadata(), &taken.text, &taken.bound)?;
        statements::info(&self.door, order, request.into_inner()).await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Got {
        statements::rows(&self.door, &who(&request)?, &ticket.statement_handle)
    }

    async fn do_put_statement_update(
        &self,
        update: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        outside_blocks(update.transaction_id.as_deref())?;
        let order = Order::new(&who(&request)?, request.metadata(), &update.query, &[])?;
        statements::update(&self.door, order).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        outside_blocks(query.transaction_id.as_deref())?;
        statements::prepare(&self.door, &who(&request)?, &query.query).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let owner = &who(&request)?.signed.owner;
        self.door
            .shelf
            .close(owner, &query.prepared_statement_handle);
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let who = who(&request)?;
        let handle = query.prepared_statement_handle;
        statements::bind(&self.door, &who, handle, request.into_inner()).await
    }

    async fn do_put_prepared_statement_update(
        &self,
        query: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let who = who(&request)?;
        let handle = &query.prepared_statement_handle;
        let taken = self.door.shelf.of(&who.signed.owner, handle);
        let taken = taken.map_err(|refusal| super::fail::refused(&refusal))?;
        let (metadata, _, stream) = request.into_parts();
        // Some clients send values with this call, others have bound them before.
        let sent = bound::read(stream).await?;
        let values = sent.as_deref().unwrap_or(&taken.bound);
        let order = Order::new(&who, &metadata, &taken.text, values)?;
        statements::update(&self.door, order).await
    }

    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        Err(no_blocks())
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let who = who(&request)?;
        let result = actions::cancel_bytes(&self.door, &who, query.info).await?;
        Ok(ActionCancelQueryResult { result })
    }

    async fn list_custom_actions(&self) -> Option<Vec<Result<ActionType, Status>>> {
        Some(actions::all())
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Result<Response<<Self as FlightService>::DoActionStream>, Status> {
        let who = who(&request)?;
        let body = actions::act(&self.door, &who, request.get_ref()).await?;
        let result = arrow_flight::Result::new(body);
        Ok(Response::new(Box::pin(stream::iter([Ok(result)]))))
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Info {
        let schema = query.into_builder().schema();
        lists::info(&query, &schema, request.into_inner())
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, request: Request<Ticket>) -> Got {
        lists::catalogs(&who(&request)?.signed, query).await
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Info {
        let schema = query.clone().into_builder().schema();
        lists::info(&query, &schema, request.into_inner())
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, request: Request<Ticket>) -> Got {
        lists::schemas(&who(&request)?.signed, query).await
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Info {
        let schema = query.clone().into_builder().schema();
        lists::info(&query, &schema, request.into_inner())
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> Got {
        lists::tables(&who(&request)?.signed, query).await
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Info {
        let schema = query.into_builder().schema();
        lists::info(&query, &schema, request.into_inner())
    }

    async fn do_get_table_types(&self, query: CommandGetTableTypes, _: Request<Ticket>) -> Got {
        lists::table_types(query)
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Info {
        let schema = lists::served()?.schema();
        lists::info(&query, &schema, request.into_inner())
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, _: Request<Ticket>) -> Got {
        lists::sql_info(query)
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Info {
        let schema = XdbcTypeInfoDataBuilder::new().schema();
        lists::info(&query, &schema, request.into_inner())
    }

    async fn do_get_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        _: Request<Ticket>,
    ) -> Got {
        lists::types(query)
    }

    async fn get_flight_info_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Info {
        lists::info(&query, &lists::no_primary_keys(), request.into_inner())
    }

    async fn do_get_primary_keys(&self, _: CommandGetPrimaryKeys, _: Request<Ticket>) -> Got {
        Ok(lists::none(lists::no_primary_keys()))
    }

    async fn get_flight_info_exported_keys(
        &self,
        query: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Info {
        lists::info(&query, &lists::no_foreign_keys(), request.into_inner())
    }

    async fn do_get_exported_keys(&self, _: CommandGetExportedKeys, _: Request<Ticket>) -> Got {
        Ok(lists::none(lists::no_foreign_keys()))
    }

    async fn get_flight_info_imported_keys(
        &self,
        query: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Info {
        lists::info(&query, &lists::no_foreign_keys(), request.into_inner())
    }

    async fn do_get_imported_keys(&self, _: CommandGetImportedKeys, _: Request<Ticket>) -> Got {
        Ok(lists::none(lists::no_foreign_keys()))
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Info {
        lists::info(&query, &lists::no_foreign_keys(), request.into_inner())
    }

    async fn do_get_cross_reference(&self, _: CommandGetCrossReference, _: Request<Ticket>) -> Got {
        Ok(lists::none(lists::no_foreign_keys()))
    }

    /// Nothing is registered from outside.
    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

/// No statement stands in a block, for none can be begun.
fn outside_blocks(transaction: Option<&[u8]>) -> Result<(), Status> {
    match transaction {
        Some(id) if !id.is_empty() => Err(no_blocks()),
        _ => Ok(()),
    }
}

fn no_blocks() -> Status {
    Status::unimplemented(
        "there are no transactions: each statement reads what is there when it begins, and each write is committed by itself",
    )
}
