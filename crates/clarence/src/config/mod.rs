//! The configuration of a node: about twenty keys, each from a flag, the environment, a file or a default,
//! in this order. An unknown key refuses to start and names the nearest known one.
//!
//! Reading order: [`keys`], [`value`], [`layers`], [`settings`].

mod keys;
mod layers;
mod places;
mod settings;
mod value;

pub use keys::{KEYS, template};
pub use layers::{ConfigError, Flag};
pub use places::{Places, absolute};
pub use settings::Settings;
pub use value::Value;
