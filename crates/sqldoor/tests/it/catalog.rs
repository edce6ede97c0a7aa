//! What real clients ask about the catalog: their own texts are planned, run, and answered with what the session sees.

use crate::road::{self, TestRoad};
use futures::TryStreamExt;
use sql::datafusion::arrow::array::RecordBatch;
use sql::datafusion::arrow::datatypes::DataType;
use sql::datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use sql::datafusion::common::ScalarValue;
use sql::{Connection, Done, Engine, Limits, SignedIn, SqlError};
use sqldoor::catalog::{Catalog, parameter_types, rewrite};
use statement::{Column, Database, Format, Kind, Sign, TableDef, TableName};
use std::sync::Arc;
use std::time::Duration;
use words::BucketName;

struct House {
    connection: Arc<Connection>,
    _spill: tempfile::TempDir,
}

fn column(name: &str, kind: Kind, nullable: bool) -> Column {
    Column {
        name: name.into(),
        kind,
        nullable,
        sensitive: false,
    }
}

fn hold(road: &TestRoad, database: Database, name: &str, columns: Vec<Column>) {
    let def = TableDef {
        name: TableName::parse(name).unwrap(),
        format: Format::Parquet,
        bucket: BucketName::parse("lake").unwrap(),
        prefix: format!("{name}/"),
        columns,
        partitions: Vec::new(),
        subject: None,
        managed: false,
    };
    let terms = road::owner_terms(&def);
    road.hold(database, def, terms, Vec::new());
}

/// Two tables of the session's database, and one of another.
pub fn held(road: &TestRoad) {
    hold(
        road,
        Database::Own,
        "planes",
        vec![
            column("id", Kind::Int64, false),
            column("tail", Kind::Text, true),
            column("weight", Kind::Decimal(10, 2), true),
            column("seen", Kind::TimestampUtc, true),
        ],
    );
    hold(
        road,
        Database::Own,
        "people",
        vec![column("id", Kind::Int32, true)],
    );
    let other = Database::Agreement("a1".into());
    hold(
        road,
        other,
        "elsewhere",
        vec![column("id", Kind::Int32, true)],
    );
}

async fn house() -> House {
    let road = Arc::new(TestRoad::default());
    held(&road);
    let spill = tempfile::tempdir().unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        cache_bytes: 16 << 20,
        spill: spill.path().to_owned(),
        spill_bytes_max: 1 << 30,
        statement_timeout: Duration::from_secs(60),
        threads: 2,
    };
    let engine = Engine::new(road::of(&road), limits, Arc::new(Catalog)).unwrap();
    let sign = Sign::Password {
        user: "u".into(),
        password: "p".into(),
        token: None,
    };
    let connection = match engine.sign_in(sign, "clarence", None).await.unwrap() {
        SignedIn::In { connection, .. } => connection,
        SignedIn::Challenge { .. } => panic!("a password is not challenged"),
    };
    House {
        connection,
        _spill: spill,
    }
}

/// A value of a client, as the type that the statement wants.
fn value(text: &str, wanted: Option<&DataType>) -> ScalarValue {
    let text = match text {
        "NULL" => None,
        text => Some(text.trim_matches('\'').to_owned()),
    };
    let scalar = ScalarValue::Utf8(text.clone());
    match wanted {
        Some(DataType::List(item)) => {
            let text = text.unwrap_or_default();
            let all = text.trim_matches(['{', '}']).split(',');
            let all: Vec<ScalarValue> = all.map(|one| value(one, Some(item.data_type()))).collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&all, item.data_type()))
        }
        Some(wanted) => scalar.cast_to(wanted).unwrap(),
        None => scalar,
    }
}

impl House {
    async fn ask(&self, text: &str, values: &[String]) -> Result<Vec<RecordBatch>, SqlError> {
        let statement = sql::text::parse(text)?;
        let said = parameter_types(&statement);
        let statement = rewrite(statement);
        let prepared = self.connection.prepare_rewritten(text, statement).await?;
        let values = prepared
            .parameters()
            .iter()
            .zip(values)
            .enumerate()
            .map(|(at, (wanted, text))| value(text, wanted.as_ref().or(said.get(&(at + 1)))))
            .collect();
        match self.connection.run(&prepared, values).await? {
            Done::Rows(answer) => answer.rows.try_collect().await,
            Done::Count { .. } => Ok(Vec::new()),
        }
    }

    /// The rows, a line each, their values with a bar between.
    async fn lines(&self, text: &str, values: &[String]) -> Result<Vec<String>, SqlError> {
        let options = FormatOptions::default().with_null("");
        let mut lines = Vec::new();
        for batch in self.ask(text, values).await? {
            let columns: Vec<ArrayFormatter<'_>> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let all: Vec<String> = columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect();
                lines.push(all.join("|"));
            }
        }
        Ok(lines)
    }

    async fn said(&self, text: &str) -> Vec<String> {
        self.lines(text, &[]).await.unwrap()
    }

    async fn planes(&self) -> String {
        self.said("SELECT oid FROM pg_class WHERE relname = 'planes'")
            .await
            .remove(0)
    }
}

/// One query of a client's file: its text, and the values that the client sends with it.
fn queries(file: &str, planes: &str) -> Vec<(String, Vec<String>)> {
    let one = |text: &str| {
        let values = text
            .lines()
            .find_map(|line| line.strip_prefix("-- with "))
            .map(|line| line.split(", ").map(str::to_owned).collect())
            .unwrap_or_default();
        (text.to_owned(), values)
    };
    let text = file.replace("{planes}", planes);
    text.split("---\n").map(one).collect()
}

/// Every text of a client is answered, and no answer holds what the session does not see.
async fn all_answer(client: &str, file: &str) {
    let house = house().await;
    let planes = house.planes().await;
    let mut failed = Vec::new();
    for (text, values) in queries(file, &planes) {
        match house.lines(&text, &values).await {
            Ok(lines) => {
                if std::env::var_os("SHOW_ANSWERS").is_some() {
                    println!(
                        "{text}\n==> {}\n{}\n",
                        lines.len(),
                        lines[..lines.len().min(4)].join("\n")
                    );
                }
                assert!(
                    lines.iter().all(|line| !line.contains("elsewhere")),
                    "{text}"
                );
            }
            Err(error) => {
                let written = rewrite(sql::text::parse(&text).unwrap());
                failed.push(format!("{text}\n==> {error}\n==< {written}"));
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{client}: {}\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

macro_rules! clients {
    ($($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            all_answer(stringify!($name), include_str!(concat!("queries/", stringify!($name), ".sql"))).await;
        }
    )*};
}

clients!(
    psql, sqlalchemy, pg8000, psycopg, asyncpg, jdbc, dbeaver, grafana, metabase, npgsql
);

#[tokio::test]
async fn a_session_learns_of_what_it_sees_and_nothing_else() {
    let house = house().await;
    assert_eq!(
        house
            .said("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .await,
        ["people", "planes"]
    );
    assert_eq!(
        house
            .said("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
            .await,
        ["people", "planes"]
    );
    assert_eq!(
        house.said("SELECT to_regclass('elsewhere') IS NULL, to_regclass('planes') = 'public.planes'::regclass").await,
        ["true|true"]
    );
    // The databases that the session may connect to, by name only.
    assert_eq!(
        house
            .said("SELECT datname FROM pg_database ORDER BY 1")
            .await,
        ["agr_a1", "ministry"]
    );
}

#[tokio::test]
async fn columns_have_the_types_that_clients_know() {
    let house = house().await;
    assert_eq!(
        house
            .said(
                "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull \
                 FROM pg_attribute a WHERE a.attrelid = 'planes'::regclass AND a.attnum > 0 ORDER BY a.attnum"
            )
            .await,
        [
            "id|bigint|true",
            "tail|text|false",
            "weight|numeric(10,2)|false",
            "seen|timestamp with time zone|false"
        ]
    );
    assert_eq!(
        house
            .said(
                "SELECT column_name, data_type, is_nullable, numeric_precision, numeric_scale \
                 FROM information_schema.columns WHERE table_name = 'planes' ORDER BY ordinal_position"
            )
            .await,
        [
            "id|bigint|NO|64|0",
            "tail|text|YES||",
            "weight|numeric|YES|10|2",
            "seen|timestamp with time zone|YES||"
        ]
    );
}

#[tokio::test]
async fn names_and_numbers_of_objects_go_both_ways() {
    let house = house().await;
    for (text, expected) in [
        ("SELECT 'planes'::regclass", "planes"),
        ("SELECT 'planes'::regclass::oid::regclass::text", "planes"),
        ("SELECT 'pg_class'::regclass::oid", "1259"),
        ("SELECT 'int4'::regtype::oid", "23"),
        ("SELECT 1700::regtype", "numeric"),
        (
            "SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{limit,offset}'::text[]) AND word LIKE '%e'",
            "analyse,analyze,freeze,ilike,verbose",
        ),
        ("SELECT '_text'::regtype::text", "text[]"),
        ("SELECT 'public'::regnamespace::oid", "2200"),
        (
            "SELECT current_schema, current_user, session_user, current_database()",
            "public|u|u|ministry",
        ),
        ("SELECT current_schemas(true)", "[pg_catalog, public]"),
        (
            "SELECT pg_catalog.current_setting('server_version_num')::int >= 150000",
            "true",
        ),
        (
            "SELECT has_table_privilege('planes', 'SELECT'), has_table_privilege('u', 'public.planes', 'select')",
            "true|true",
        ),
        ("SELECT pg_size_pretty(20480::bigint)", "20 kB"),
        (
            "SELECT quote_ident('a b'), format('%I.%s', 'A', 'b')",
            "\"a b\"|\"A\".b",
        ),
        (
            "SELECT name FROM pg_settings WHERE name LIKE 'server/_version' ESCAPE '/'",
            "server_version",
        ),
    ] {
        assert_eq!(house.said(text).await, [expected], "{text}");
    }
}

#[test]
fn a_statement_over_tables_stays_as_it_is() {
    for text in [
        "SELECT a::text, b::int, lower(c) FROM planes WHERE d = ANY (ARRAY[1, 2]) ORDER BY 1",
        "SELECT (SELECT max(x) FROM t WHERE t.y = u.y) FROM u WHERE z LIKE 'a/%' ESCAPE '/'",
        "INSERT INTO planes SELECT * FROM other",
    ] {
        let statement = sql::text::parse(text).unwrap();
        assert_eq!(rewrite(statement.clone()), statement);
    }
}
