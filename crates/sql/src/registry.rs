//! Which stores a statement reaches: those of its own grant, by their number. There is no other scheme, and nothing is
//! registered later.

use crate::error::{Fault, SqlError};
use crate::files::url_of;
use crate::objects::Objects;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// The stores of one statement.
#[derive(Default)]
pub struct Registry(Vec<Arc<Objects>>);

impl Registry {
    /// Over a grant's tables.
    pub fn new(tables: &[Arc<Objects>]) -> Self {
        Self(tables.to_vec())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

impl ObjectStoreRegistry for Registry {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let found = self
            .0
            .iter()
            .enumerate()
            .find(|(at, _)| url.as_str() == url_of(*at));
        match found {
            Some((_, objects)) => Ok(Arc::clone(objects) as Arc<dyn ObjectStore>),
            None => Err(DataFusionError::from(SqlError::new(
                Fault::Unsupported,
                "a statement reads tables, and no file or address",
            ))),
        }
    }
}
