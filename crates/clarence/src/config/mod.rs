//! The configuration of a node: about twenty keys, each from a flag, the environment, a file or a default,
//! in this order. An unknown key refuses to start and names the nearest known one.
//!
//! Reading order: [`keys`], [`value`], [`layers`], [`settings`].

mod keys;
mod layers;
mod places;
mod settings;
mod value;

pub use keys::{KEYS, SITE_BUCKETS, template};
pub use layers::{ConfigError, Flag};
pub use places::{Places, absolute};
pub use settings::Settings;
pub use value::{Value, seconds};

/// For the fuzz target alone, compiled under `--cfg fuzzing` and nowhere else.
#[cfg(fuzzing)]
pub mod fuzzing {
    use super::{ConfigError, Places, Settings, layers};
    use std::path::{Path, PathBuf};

    /// Reads the text of a file under these variables, without touching file or environment.
    pub fn read(text: &str, variables: &[(String, String)]) -> Result<Settings, ConfigError> {
        let places = Places {
            data: PathBuf::from("/data"),
            file: None,
            file_named: true,
        };
        let file = Some((Path::new("clarence.toml"), text));
        let resolved = layers::lay(&places, file, variables.iter().cloned(), &[])?;
        Ok(Settings { places, resolved })
    }
}
