//! The engine against a vault in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them
#![allow(clippy::cast_possible_truncation)] // small numbers of a test

mod basics;
mod groups;
mod road;
mod shown;
mod tables;
mod watched;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use road::TestRoad;
use sql::{Connection, Done, Engine, Limits, Nothing, SignedIn, SqlError, datafusion};
use statement::{Column, Database, Format, Kind, Sign, TableDef, TableName};
use std::sync::Arc;
use std::time::Duration;
use words::BucketName;

struct House {
    road: Arc<TestRoad>,
    engine: Arc<Engine>,
    _spill: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(64 << 20, 2)
    }

    fn with(memory: u64, threads: usize) -> Self {
        let road = Arc::new(TestRoad::default());
        let spill = tempfile::tempdir().unwrap();
        let limits = Limits {
            memory_bytes: memory,
            cache_bytes: 16 << 20,
            spill: spill.path().to_owned(),
            spill_bytes_max: 1 << 30,
            statement_timeout: Duration::from_secs(60),
            threads,
        };
        let engine = Engine::new(road::of(&road), limits, Arc::new(Nothing)).unwrap();
        Self {
            road,
            engine,
            _spill: spill,
        }
    }

    async fn connect(&self) -> Arc<Connection> {
        let sign = Sign::Password {
            user: "u".into(),
            password: "p".into(),
            token: None,
        };
        match self.engine.sign_in(sign, "clarence", None).await.unwrap() {
            SignedIn::In { connection, .. } => connection,
            SignedIn::Challenge { .. } => panic!("a password is not challenged"),
        }
    }

    async fn connect_to(&self, agreement: &str) -> Arc<Connection> {
        self.road.state.lock().unwrap().database = Some(Database::Agreement(agreement.into()));
        self.connect().await
    }
}

async fn rows(connection: &Arc<Connection>, text: &str) -> Result<Vec<RecordBatch>, SqlError> {
    let prepared = connection.prepare(text).await?;
    match connection.run(&prepared, Vec::new()).await? {
        Done::Rows(answer) => answer.rows.try_collect().await,
        Done::Count { .. } => Ok(Vec::new()),
    }
}

/// An answer as text, its rows in order.
async fn text(connection: &Arc<Connection>, text: &str) -> String {
    let batches = rows(connection, text).await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn refused(connection: &Arc<Connection>, text: &str) -> SqlError {
    match rows(connection, text).await {
        Ok(rows) => panic!("{text} was answered: {rows:?}"),
        Err(error) => error,
    }
}

async fn count(connection: &Arc<Connection>, text: &str) -> u64 {
    let prepared = connection.prepare(text).await.unwrap();
    match connection.run(&prepared, Vec::new()).await.unwrap() {
        Done::Count { rows, .. } => rows,
        Done::Rows(_) => panic!("{text} gave rows"),
    }
}

fn column(name: &str, kind: Kind) -> Column {
    Column {
        name: name.into(),
        kind,
        nullable: true,
        sensitive: false,
    }
}

fn csv(name: &str, columns: Vec<Column>, subject: Option<&str>) -> TableDef {
    TableDef {
        name: TableName::parse(name).unwrap(),
        format: Format::Csv {
            header: true,
            delimiter: ',',
        },
        bucket: BucketName::parse("registers").unwrap(),
        prefix: format!("{name}/"),
        columns,
        partitions: Vec::new(),
        subject: subject.map(str::to_owned),
        managed: false,
    }
}

/// Four people.
fn people() -> TableDef {
    csv(
        "people",
        vec![
            column("id", Kind::Text),
            column("born", Kind::Date),
            column("canton", Kind::Text),
            column("income", Kind::Int64),
        ],
        Some("id"),
    )
}

const PEOPLE: &str = "id,born,canton,income\n\
    p1,1980-02-03,esch,1000\n\
    p2,1990-05-06,esch,2500\n\
    p3,1990-07-08,diekirch,3000\n\
    p4,2001-09-10,vianden,\n";
