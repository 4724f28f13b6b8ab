//! Files of the run folder.

use std::path::Path;

use ddsp_model::Config;

use crate::error::Error;

/// Name of the best model in a run folder.
pub(super) const MODEL_FILE: &str = "model.safetensors";

/// Writes the configuration as resolved.
pub(super) fn write_config(folder: &Path, config: &Config) -> Result<(), Error> {
    Ok(ddsp_data::write_atomically(&folder.join("config.toml"), |file| {
        std::io::Write::write_all(file, config.to_toml().as_bytes())
    })?)
}

/// Removes a file that an earlier run left.
pub(super) fn remove_if_there(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
