//! Where the node's folder and its configuration file are.

use crate::args::Everywhere;
use host::files;
use std::env;
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "clarence.toml";
const SYSTEM_FILE: &str = "/etc/clarence/clarence.toml";
const SYSTEM_DATA: &str = "/var/lib/clarence";

/// The folder and the file.
#[derive(Clone, Debug)]
pub struct Places {
    /// The node's folder, absolute.
    pub data: PathBuf,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Whether the file was named by the caller and so has to be there.
    pub file_named: bool,
}

impl Places {
    /// From the flags and the environment.
    pub fn find(everywhere: &Everywhere) -> Self {
        let data = absolute(&everywhere.data.clone().unwrap_or_else(usual_data));
        if let Some(file) = &everywhere.config {
            return Self {
                data,
                file: Some(absolute(file)),
                file_named: true,
            };
        }
        let file = [data.join(FILE_NAME), PathBuf::from(SYSTEM_FILE)]
            .into_iter()
            .find(|path| files::stat(path).is_ok_and(|found| found.is_some()));
        Self {
            data,
            file,
            file_named: false,
        }
    }

    /// Where `up` writes its configuration.
    pub fn own_file(&self) -> PathBuf {
        self.data.join(FILE_NAME)
    }
}

/// A path that does not depend on where the command was called.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// As the XDG base directories have it; a service without a home keeps its things in /var/lib.
fn usual_data() -> PathBuf {
    let folder = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if let Some(data) = folder("XDG_DATA_HOME") {
        return data.join("clarence");
    }
    match folder("HOME") {
        Some(home) => home.join(".local/share/clarence"),
        None => PathBuf::from(SYSTEM_DATA),
    }
}
