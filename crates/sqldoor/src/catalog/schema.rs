//! The two schemas. A relation's rows are made when somebody asks for it.

use super::known::Known;
use super::relation::table;
use super::{information, rows, specs};
use async_trait::async_trait;
use sql::datafusion::catalog::{SchemaProvider, TableProvider};
use sql::datafusion::error::Result;
use std::fmt;
use std::sync::Arc;

/// One of them.
pub struct Schema {
    known: Arc<Known>,
    standard: bool,
}

impl Schema {
    /// `pg_catalog`.
    pub const fn pg_catalog(known: Arc<Known>) -> Self {
        Self {
            known,
            standard: false,
        }
    }

    /// `information_schema`.
    pub const fn information(known: Arc<Known>) -> Self {
        Self {
            known,
            standard: true,
        }
    }

    fn line(&self, name: &str) -> Option<&'static str> {
        if self.standard {
            let found = information::RELATIONS
                .iter()
                .find(|(known, _)| *known == name);
            return found.map(|(_, line)| *line);
        }
        specs::named(name).map(|spec| spec.line)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.standard {
            "information_schema"
        } else {
            "pg_catalog"
        })
    }
}

#[async_trait]
impl SchemaProvider for Schema {
    fn table_names(&self) -> Vec<String> {
        match self.standard {
            true => information::RELATIONS
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            false => specs::RELATIONS
                .iter()
                .map(|spec| spec.name.to_owned())
                .collect(),
        }
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(line) = self.line(name) else {
            return Ok(None);
        };
        let rows = match self.standard {
            true => information::rows(&self.known, name),
            false => rows::rows(&self.known, name),
        };
        table(line, &rows).map(Some)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.line(name).is_some()
    }
}
