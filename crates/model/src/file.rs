//! The model file: one `.safetensors` file that holds all there is to know of a model.
//!
//! Its metadata, all text: `format`, `format_version`, `config` (TOML), `sample_rate` and
//! `frame_rate` (Hz), `pitch_statistics`, `loudness_statistics` and `training` (JSON, where known),
//! `provenance`, `licence`, `selection` (where known), and `sha256` of the tensor bytes. Equal models are equal files.

mod container;
mod statistics;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;

use self::container::{Container, Metadata, Tensor, format_error};
use crate::error::Error;
use crate::{Config, Model, ModelMetadata, Parameters};

/// What the metadata's `format` says.
const FORMAT: &str = "ddsp-model";

/// Version of the metadata and of the tensors' meaning.
const FORMAT_VERSION: u32 = 2;

/// Longest file that is read; the largest configuration allowed needs less.
const LARGEST_FILE: u64 = 4 << 30;

impl Model {
    /// The model as the bytes of a file.
    ///
    /// # Errors
    ///
    /// If a parameter is NaN or infinite: a broken model is never written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let table = self.config.parameter_table();
        let tensors: Vec<Tensor> = table
            .entries
            .iter()
            .map(|entry| Tensor {
                name: &entry.name,
                shape: &entry.shape,
                values: &self.parameters.values[entry.range.clone()],
            })
            .collect();
        for tensor in &tensors {
            if !tensor.values.iter().all(|value| value.is_finite()) {
                return Err(Error::NotFinite { tensor: tensor.name.to_owned() });
            }
        }
        Ok(container::encode(self.header(), &tensors))
    }

    /// The metadata of the file.
    fn header(&self) -> Metadata {
        let json = |value: serde_json::Result<String>| value.expect("plain data has a JSON form");
        let mut header = Metadata::new();
        let mut insert = |key: &str, value: String| header.insert(key.to_owned(), value);
        insert("format", FORMAT.to_owned());
        insert("format_version", FORMAT_VERSION.to_string());
        insert("config", self.config.to_toml());
        insert("sample_rate", self.config.audio.sample_rate.to_string());
        insert("frame_rate", self.config.audio.frame_rate.to_string());
        insert("provenance", self.metadata.provenance.clone());
        insert("licence", self.metadata.licence.clone());
        if let Some(training) = &self.metadata.training {
            insert("training", json(serde_json::to_string(training)));
        }
        if let Some(selection) = &self.metadata.selection {
            insert("selection", selection.clone());
        }
        statistics::write(&self.metadata, &mut header);
        header
    }

    /// Reads any bytes.
    ///
    /// # Errors
    ///
    /// If they are not a model file, are of another format version, damaged, or contradict
    /// themselves; the message names what and, where there is one, the way out.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let container = Container::parse(bytes)?;
        check_format(&container)?;
        container.check_sha256()?;
        let config = Config::from_toml(container.text("config")?)?;
        for (key, rate) in
            [("sample_rate", config.audio.sample_rate), ("frame_rate", config.audio.frame_rate)]
        {
            if container.text(key)? != rate.to_string() {
                let reason = format!("its header's {key} is not that of its configuration");
                return Err(format_error(reason));
            }
        }
        let parameters = read_parameters(&container, &config)?;
        let metadata = ModelMetadata {
            pitch: statistics::read_pitch(&container)?,
            loudness: statistics::read_loudness(&container)?,
            training: optional_json(&container, "training")?,
            provenance: container.text("provenance")?.to_owned(),
            licence: container.text("licence")?.to_owned(),
            selection: container.metadata.get("selection").cloned(),
        };
        Ok(Self { config, parameters, metadata })
    }

    /// Writes the model to `path`: the old content stays until the new is complete.
    ///
    /// # Errors
    ///
    /// As [`to_bytes`](Self::to_bytes), and if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let in_file = |source| Error::InFile { path: path.to_owned(), source: Box::new(source) };
        let bytes = self.to_bytes().map_err(in_file)?;
        write_beside(path, &bytes).map_err(io_error("write", path))
    }

    /// Reads the model at `path`.
    ///
    /// # Errors
    ///
    /// As [`from_bytes`](Self::from_bytes), and if the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(io_error("read", path))?;
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(io_error("read", path))?;
        let model = if bytes.len() as u64 > LARGEST_FILE {
            Err(format_error(format!("it is longer than {LARGEST_FILE} bytes")))
        } else {
            Self::from_bytes(&bytes)
        };
        model.map_err(|source| Error::InFile { path: path.to_owned(), source: Box::new(source) })
    }
}

/// Checks that the file is a model of the version known here.
fn check_format(container: &Container) -> Result<(), Error> {
    let format = container.metadata.get("format").map_or("", String::as_str);
    if format != FORMAT {
        return Err(format_error(format!(
            "a safetensors file, but not one that `ddsp train` wrote (its format is `{format}`)"
        )));
    }
    let found = container.text("format_version")?;
    if found != FORMAT_VERSION.to_string() {
        return Err(Error::Version { found: found.to_owned(), known: FORMAT_VERSION });
    }
    Ok(())
}

/// Copies all tensors, once their bytes are known to be as many as `config` asks for.
fn read_parameters(container: &Container, config: &Config) -> Result<Parameters, Error> {
    let table = config.parameter_table();
    let (n_tensors, n_bytes) = (table.entries.len(), 4 * table.n_values());
    if container.n_tensors() != n_tensors || container.data_len() != n_bytes {
        return Err(format_error(format!(
            "it has {} tensors of {} bytes, but its configuration asks for {n_tensors} of {n_bytes}",
            container.n_tensors(),
            container.data_len(),
        )));
    }
    let mut values = vec![0.0; table.n_values()];
    for entry in &table.entries {
        container.read(&entry.name, &entry.shape, &mut values[entry.range.clone()])?;
    }
    Ok(Parameters { values })
}

/// The JSON under `key`, if it is there.
fn optional_json<T: DeserializeOwned>(
    container: &Container,
    key: &str,
) -> Result<Option<T>, Error> {
    let unreadable = |e| format_error(format!("its header's `{key}` cannot be read ({e})"));
    container
        .metadata
        .get(key)
        .map(|json| serde_json::from_str(json))
        .transpose()
        .map_err(unreadable)
}

/// Writes `bytes` to a file beside `path`, then renames it.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ddsp-tmp-");
    // Readable as any other file: the default of temporary files, 0600, would survive the renaming.
    #[cfg(unix)]
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

#[cfg(test)]
mod tests;
