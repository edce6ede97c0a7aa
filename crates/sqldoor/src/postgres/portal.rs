//! Statements that a client has prepared, and portals in which they run.

use super::settings::Settings;
use super::values::type_of;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::sql::parser::{ResetStatement, Statement};
use datafusion::sql::sqlparser::ast;
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::FieldInfo;
use pgwire::messages::data::{FieldDescription, RowDescription};
use sql::{Answer, Fault, Prepared, SqlError, Verb, datafusion};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A statement of a client.
pub struct Stored {
    /// As it was sent.
    pub text: String,
    pub what: Parsed,
    /// Types of its parameters.
    pub types: Vec<Type>,
    /// Types that it states of its parameters itself (`$1::int8`), by number.
    pub stated: BTreeMap<usize, DataType>,
    /// Names of its answer's columns, where it names them not itself.
    pub names: Vec<Option<String>>,
}

/// What a statement is.
pub enum Parsed {
    Nothing,
    /// Something that the door does by itself.
    Command(Command),
    /// Something for the engine, and how it was parsed, should it have to be planned again.
    Planned(Arc<Prepared>, Box<Statement>),
}

/// What the door does by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Begin,
    Commit,
    Rollback,
    /// `SAVEPOINT`, `RELEASE`: there is nothing to go back to, and nothing is lost.
    Mark(&'static str),
    Set(Vec<(String, Option<String>)>),
    Reset(Option<String>),
    Show(String),
    DiscardAll,
    Deallocate(Option<String>),
    Unlisten,
}

impl Command {
    /// The command that a statement is, if it is one.
    pub fn of(statement: &Statement) -> Result<Option<Self>, SqlError> {
        let statement = match statement {
            Statement::Reset(ResetStatement::Variable(name)) => {
                let name = dotted(name);
                let all = name.eq_ignore_ascii_case("all");
                return Ok(Some(Self::Reset((!all).then_some(name))));
            }
            Statement::Statement(statement) => statement.as_ref(),
            _ => return Ok(None),
        };
        Ok(Some(match statement {
            ast::Statement::StartTransaction { .. } => Self::Begin,
            ast::Statement::Commit { .. } => Self::Commit,
            ast::Statement::Rollback {
                savepoint: None, ..
            } => Self::Rollback,
            ast::Statement::Rollback { .. } => Self::Mark("ROLLBACK"),
            ast::Statement::Savepoint { .. } => Self::Mark("SAVEPOINT"),
            ast::Statement::ReleaseSavepoint { .. } => Self::Mark("RELEASE"),
            ast::Statement::Set(set) => Self::Set(settings_of(set)?),
            ast::Statement::Reset(reset) => match &reset.reset {
                ast::Reset::ALL => Self::Reset(None),
                ast::Reset::ConfigurationParameter(name) => Self::Reset(Some(dotted(name))),
            },
            ast::Statement::ShowVariable { variable } => {
                let parts: Vec<&str> = variable.iter().map(|part| part.value.as_str()).collect();
                let name = parts.join(".").to_ascii_lowercase();
                Self::Show(match name.as_str() {
                    "time.zone" => "timezone".to_owned(),
                    "transaction.isolation.level" => "transaction_isolation".to_owned(),
                    "session.authorization" => "session_authorization".to_owned(),
                    _ => name,
                })
            }
            ast::Statement::Discard { .. } => Self::DiscardAll,
            ast::Statement::Deallocate { name, .. } => {
                let all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
                Self::Deallocate((!all).then(|| name.value.clone()))
            }
            ast::Statement::UNLISTEN { .. } => Self::Unlisten,
            _ => return Ok(None),
        }))
    }

    /// What a client is told when it is done.
    pub const fn tag(&self) -> &'static str {
        match self {
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Mark(tag) => tag,
            Self::Set(_) => "SET",
            Self::Reset(_) => "RESET",
            Self::Show(_) => "SHOW",
            Self::DiscardAll => "DISCARD ALL",
            Self::Deallocate(_) => "DEALLOCATE",
            Self::Unlisten => "UNLISTEN",
        }
    }

    /// The columns of its answer.
    pub fn columns(&self) -> Vec<String> {
        match self {
            Self::Show(name) if name == "all" => ["name", "setting"].map(str::to_owned).to_vec(),
            Self::Show(name) => vec![name.clone()],
            _ => Vec::new(),
        }
    }

    /// The rows of its answer.
    pub fn rows(&self, settings: &Settings) -> Result<Vec<Vec<String>>, SqlError> {
        match self {
            Self::Show(name) if name == "all" => Ok(settings
                .all()
                .map(|(name, value)| vec![name.to_owned(), value.to_owned()])
                .collect()),
            Self::Show(name) => match settings.get(name) {
                Some(value) => Ok(vec![vec![value.to_owned()]]),
                None => Err(SqlError::new(
                    Fault::Name,
                    format!("unrecognized configuration parameter \"{name}\""),
                )),
            },
            _ => Ok(Vec::new()),
        }
    }
}

fn dotted(name: &ast::ObjectName) -> String {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| match part.as_ident() {
            Some(ident) => ident.value.clone(),
            None => part.to_string(),
        })
        .collect();
    parts.join(".")
}

/// Names and values of a SET; no value puts the setting back.
fn settings_of(set: &ast::Set) -> Result<Vec<(String, Option<String>)>, SqlError> {
    Ok(match set {
        ast::Set::SingleAssignment {
            variable, values, ..
        } => {
            let parts: Vec<String> = values.iter().map(value_of).collect();
            let value = parts.join(", ");
            let value = (!value.eq_ignore_ascii_case("default")).then_some(value);
            vec![(dotted(variable), value)]
        }
        ast::Set::SetTimeZone { value, .. } => {
            vec![("timezone".to_owned(), Some(value_of(value)))]
        }
        ast::Set::SetNames { charset_name, .. } => {
            vec![(
                "client_encoding".to_owned(),
                Some(charset_name.value.clone()),
            )]
        }
        ast::Set::SetNamesDefault {} => vec![("client_encoding".to_owned(), None)],
        // Every statement reads what is there when it begins, whatever the level is called.
        ast::Set::SetTransaction { .. } => Vec::new(),
        other => {
            return Err(SqlError::unsupported(format!("SET {other} is not served")));
        }
    })
}

fn value_of(value: &ast::Expr) -> String {
    match value {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text)
            | ast::Value::DoubleQuotedString(text)
            | ast::Value::EscapedStringLiteral(text) => text.clone(),
            other => other.to_string(),
        },
        ast::Expr::Identifier(ident) => ident.value.clone(),
        other => other.to_string(),
    }
}

/// A statement with its values.
pub struct Portal {
    pub stored: Arc<Stored>,
    pub values: Vec<datafusion::common::ScalarValue>,
    pub format: Format,
    pub run: Run,
}

/// How far a portal is.
pub enum Run {
    Fresh,
    /// Rows are on their way, and some are here already.
    Rows {
        answer: Answer,
        fields: Arc<Vec<FieldInfo>>,
        waiting: Option<(RecordBatch, usize)>,
        sent: u64,
    },
    Over,
}

impl Stored {
    /// The type that a parameter has in the plan, or that its statement states; by place.
    pub fn planned(
        prepared: &Prepared,
        stated: &BTreeMap<usize, DataType>,
        at: usize,
    ) -> Option<DataType> {
        let planned = prepared.parameters().get(at).cloned().flatten();
        planned.or_else(|| stated.get(&(at + 1)).cloned())
    }

    /// Types of a planned statement's parameters, with what its client said of them.
    pub fn types_of(
        prepared: &Prepared,
        stated: &BTreeMap<usize, DataType>,
        said: &[u32],
    ) -> Vec<Type> {
        let count = prepared.parameters().len().max(said.len());
        (0..count)
            .map(|at| {
                let planned = Self::planned(prepared, stated, at);
                type_of(said.get(at).copied(), planned.as_ref())
            })
            .collect()
    }
}

/// The columns of an answer.
pub fn fields_of(
    schema: &Schema,
    names: &[Option<String>],
    format: &Format,
) -> Result<Vec<FieldInfo>, SqlError> {
    let fields = arrow_pg::datatypes::arrow_schema_to_pg_fields(schema, format, None);
    let fields = fields.map_err(|error| {
        SqlError::unsupported(format!(
            "a column cannot be shown: {error}; cast it to text"
        ))
    })?;
    if names.len() != fields.len() {
        return Ok(fields);
    }
    let renamed = fields
        .into_iter()
        .zip(names)
        .map(|(field, name)| match name {
            Some(name) => FieldInfo::new(
                name.clone(),
                None,
                None,
                field.datatype().clone(),
                field.format(),
            ),
            None => field,
        });
    Ok(renamed.collect())
}

/// The same in a message.
pub fn described(fields: &[FieldInfo]) -> RowDescription {
    RowDescription::new(fields.iter().map(FieldDescription::from).collect())
}

/// The columns of what the door answers by itself: text.
pub fn text_fields(columns: &[String]) -> Vec<FieldInfo> {
    let field = |name: &String| {
        FieldInfo::new(
            name.clone(),
            None,
            None,
            Type::TEXT,
            pgwire::api::results::FieldFormat::Text,
        )
    };
    columns.iter().map(field).collect()
}

/// What a client is told when a statement is done.
pub fn tag_of(verb: Verb, rows: u64) -> String {
    match verb {
        Verb::Select | Verb::CreateTableAs => format!("SELECT {rows}"),
        Verb::Explain => "EXPLAIN".to_owned(),
        Verb::CreateTable => "CREATE TABLE".to_owned(),
        Verb::Insert => format!("INSERT 0 {rows}"),
        Verb::DropTable => "DROP TABLE".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_door_does_is_known() {
        let command = |text: &str| Command::of(&sql::text::parse(text).unwrap()).unwrap();
        let set = |name: &str, value: &str| {
            Some(Command::Set(vec![(
                name.to_owned(),
                Some(value.to_owned()),
            )]))
        };
        assert_eq!(
            command("SET clarence.purpose = 'a b'"),
            set("clarence.purpose", "a b")
        );
        assert_eq!(
            command("SET clarence.purpose TO statistics"),
            set("clarence.purpose", "statistics")
        );
        assert_eq!(
            command("SET SESSION statement_timeout = 500"),
            set("statement_timeout", "500")
        );
        assert_eq!(command("SET TIME ZONE 'UTC'"), set("timezone", "UTC"));
        assert_eq!(
            command("SET extra_float_digits = 3"),
            set("extra_float_digits", "3")
        );
        assert_eq!(command("BEGIN"), Some(Command::Begin));
        assert_eq!(
            command("BEGIN ISOLATION LEVEL READ COMMITTED"),
            Some(Command::Begin)
        );
        assert_eq!(command("ROLLBACK"), Some(Command::Rollback));
        assert_eq!(
            command("SHOW server_version"),
            Some(Command::Show("server_version".into()))
        );
        assert_eq!(
            command("SHOW TRANSACTION ISOLATION LEVEL"),
            Some(Command::Show("transaction_isolation".into()))
        );
        assert_eq!(command("DISCARD ALL"), Some(Command::DiscardAll));
        assert_eq!(command("DEALLOCATE ALL"), Some(Command::Deallocate(None)));
        assert_eq!(command("RESET ALL"), Some(Command::Reset(None)));
        assert_eq!(
            command("RESET clarence.case"),
            Some(Command::Reset(Some("clarence.case".into())))
        );
        assert_eq!(command("SELECT 1"), None);
    }
}
