//! A statement that is planned, and not yet granted.

use crate::catalog::{SCHEMA, named};
use crate::connection::{Connection, Seen};
use crate::declare::{Declaration, MakeAs};
use crate::error::{Fault, SqlError};
use crate::limits::PARAMETERS_MAX;
use crate::names::made_distinct;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{LogicalPlan, WriteOp};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, ObjectType};
use statement::TableRef;
use std::sync::Arc;

/// The column of a plan that is shown.
pub const PLAN_COLUMN: &str = "QUERY PLAN";

/// What a statement does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// It reads.
    Select,
    /// It shows a plan.
    Explain,
    /// It declares a table over objects.
    CreateTable,
    /// It makes a table of rows.
    CreateTableAs,
    /// It adds rows.
    Insert,
    /// It withdraws a declaration.
    DropTable,
}

/// A statement that is planned.
pub struct Prepared {
    pub(crate) seen: Arc<Seen>,
    pub(crate) digest: [u8; 32],
    pub(crate) what: What,
    schema: SchemaRef,
    parameters: Vec<Option<DataType>>,
}

pub(crate) enum What {
    Query(LogicalPlan),
    Explain(LogicalPlan),
    Declare(Box<Declaration>),
    MakeAs(Box<MakeAs>, LogicalPlan),
    Insert(TableRef, LogicalPlan),
    Drop(Vec<TableRef>, bool),
}

impl Prepared {
    /// What the answer looks like; without columns where there is none.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The parameters `$1`, `$2`, … and their types, where these are known.
    #[must_use]
    pub fn parameters(&self) -> &[Option<DataType>] {
        &self.parameters
    }

    /// What it does.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self.what {
            What::Query(_) => Verb::Select,
            What::Explain(_) => Verb::Explain,
            What::Declare(_) => Verb::CreateTable,
            What::MakeAs(..) => Verb::CreateTableAs,
            What::Insert(..) => Verb::Insert,
            What::Drop(..) => Verb::DropTable,
        }
    }

    pub(crate) async fn plan(
        connection: &Connection,
        seen: Arc<Seen>,
        statement: Statement,
        digest: [u8; 32],
    ) -> Result<Self, SqlError> {
        let what = what(connection, &seen, statement).await?;
        let (schema, parameters) = match &what {
            What::Query(plan) => (Arc::clone(plan.schema().inner()), parameters(plan)?),
            What::MakeAs(_, plan) | What::Insert(_, plan) => {
                (Arc::new(Schema::empty()), parameters(plan)?)
            }
            What::Explain(plan) => (explained(), parameters(plan)?),
            What::Declare(_) | What::Drop(..) => (Arc::new(Schema::empty()), Vec::new()),
        };
        Ok(Self {
            seen,
            digest,
            what,
            schema,
            parameters,
        })
    }

    /// The plan with values for its parameters.
    pub(crate) fn bound(
        &self,
        plan: &LogicalPlan,
        values: Vec<ScalarValue>,
    ) -> Result<LogicalPlan, SqlError> {
        if values.len() != self.parameters.len() {
            return Err(SqlError::new(
                Fault::Value,
                format!(
                    "the statement has {} parameters, and {} values were given",
                    self.parameters.len(),
                    values.len()
                ),
            ));
        }
        if values.is_empty() {
            return Ok(plan.clone());
        }
        Ok(plan.clone().with_param_values(values)?)
    }
}

/// The schema of a plan that is shown.
pub fn explained() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        PLAN_COLUMN,
        DataType::Utf8,
        false,
    )]))
}

async fn what(
    connection: &Connection,
    seen: &Seen,
    statement: Statement,
) -> Result<What, SqlError> {
    let session = connection.session();
    match statement {
        Statement::CreateExternalTable(create) => {
            Ok(What::Declare(Box::new(Declaration::of(session, create)?)))
        }
        Statement::Explain(explain) => {
            if explain.options.analyze {
                return Err(SqlError::unsupported(
                    "EXPLAIN ANALYZE is not served: how long a part took says something about rows that are not shown",
                ));
            }
            Ok(What::Explain(query(seen, *explain.statement).await?))
        }
        Statement::Statement(statement) => match *statement {
            ast::Statement::Query(mut asked) => {
                made_distinct(&mut asked);
                let asked = ast::Statement::Query(asked);
                let plan = query(seen, Statement::Statement(Box::new(asked))).await?;
                Ok(What::Query(plan))
            }
            ast::Statement::CreateTable(create) if create.query.is_some() => {
                made_as(connection, seen, create).await
            }
            ast::Statement::CreateTable(_) => Err(SqlError::unsupported(
                "an empty table is not made; write CREATE EXTERNAL TABLE … STORED AS … LOCATION 's3://…' for objects that are there, or CREATE TABLE … AS SELECT …",
            )),
            insert @ ast::Statement::Insert(_) => inserted(connection, seen, insert).await,
            ast::Statement::Drop {
                object_type: ObjectType::Table,
                if_exists,
                names,
                ..
            } => {
                let tables: Result<Vec<TableRef>, SqlError> = names
                    .iter()
                    .map(|name| named(session, &parts_of_name(name)))
                    .collect();
                Ok(What::Drop(tables?, if_exists))
            }
            other => Err(SqlError::unsupported(format!(
                "{} is not served; there are queries, EXPLAIN, CREATE EXTERNAL TABLE, CREATE TABLE AS, INSERT and DROP TABLE",
                first_word(&other.to_string())
            ))),
        },
        other => Err(SqlError::unsupported(format!(
            "{} is not served: nothing is read from or written to files and addresses",
            first_word(&other.to_string())
        ))),
    }
}

async fn made_as(
    connection: &Connection,
    seen: &Seen,
    create: ast::CreateTable,
) -> Result<What, SqlError> {
    let (make, create) = MakeAs::of(connection, create)?;
    let statement = ast::Statement::CreateTable(create);
    let plan = planned(seen, Statement::Statement(Box::new(statement))).await?;
    let input = match &plan {
        LogicalPlan::Ddl(ddl) => ddl.inputs().first().map(|input| (*input).clone()),
        _ => None,
    };
    let input = input.ok_or_else(|| {
        SqlError::unsupported("a table is made of the rows of a query: CREATE TABLE … AS SELECT …")
    })?;
    read_only(&input)?;
    Ok(What::MakeAs(Box::new(make), input))
}

async fn inserted(
    connection: &Connection,
    seen: &Seen,
    statement: ast::Statement,
) -> Result<What, SqlError> {
    let plan = planned(seen, Statement::Statement(Box::new(statement))).await?;
    let LogicalPlan::Dml(write) = plan else {
        return Err(SqlError::unsupported("this way to add rows is not served"));
    };
    if !matches!(write.op, WriteOp::Insert(InsertOp::Append)) {
        return Err(SqlError::unsupported(
            "rows are added and never replaced; an earlier version of the table stays readable",
        ));
    }
    let table = named(connection.session(), &parts_of(&write.table_name))?;
    read_only(&write.input)?;
    Ok(What::Insert(table, write.input.as_ref().clone()))
}

async fn query(seen: &Seen, statement: Statement) -> Result<LogicalPlan, SqlError> {
    let plan = planned(seen, statement).await?;
    read_only(&plan)?;
    Ok(plan)
}

async fn planned(seen: &Seen, statement: Statement) -> Result<LogicalPlan, SqlError> {
    Ok(Box::pin(seen.state.statement_to_plan(statement)).await?)
}

/// Nothing in a query changes anything.
fn read_only(plan: &LogicalPlan) -> Result<(), SqlError> {
    let options = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    options.verify_plan(plan).map_err(|error| {
        SqlError::unsupported(format!("a query only reads: {}", error.strip_backtrace()))
    })
}

fn parameters(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>, SqlError> {
    let found = plan.get_parameter_types()?;
    let mut parameters = Vec::new();
    for (name, data_type) in found {
        let number: Option<usize> = name.strip_prefix('$').and_then(|n| n.parse().ok());
        let Some(number) = number.filter(|number| (1..=PARAMETERS_MAX).contains(number)) else {
            return Err(SqlError::new(
                Fault::Syntax,
                format!("{name} is no parameter; they are $1, $2, and so on"),
            ));
        };
        if parameters.len() < number {
            parameters.resize(number, None);
        }
        parameters[number - 1] = data_type;
    }
    Ok(parameters)
}

/// A table's name in a plan.
pub(crate) fn parts_of(name: &datafusion::common::TableReference) -> Vec<String> {
    let catalog = name.catalog().map(str::to_owned);
    let schema = name.schema().map(str::to_owned);
    let schema = schema.or_else(|| catalog.as_ref().map(|_| SCHEMA.to_owned()));
    let mut parts: Vec<String> = catalog.into_iter().chain(schema).collect();
    parts.push(name.table().to_owned());
    parts
}

/// A table's name in a statement: what is not quoted is written small.
pub(crate) fn parts_of_name(name: &ast::ObjectName) -> Vec<String> {
    let part = |part: &ast::ObjectNamePart| match part.as_ident() {
        Some(ident) if ident.quote_style.is_none() => ident.value.to_ascii_lowercase(),
        Some(ident) => ident.value.clone(),
        None => part.to_string(),
    };
    name.0.iter().map(part).collect()
}

fn first_word(text: &str) -> String {
    text.split_whitespace()
        .next()
        .unwrap_or_default()
        .chars()
        .take(40)
        .collect()
}
