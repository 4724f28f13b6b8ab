//! The safetensors container: named `f32` tensors behind a JSON header with text metadata.
//!
//! Reading goes through the `safetensors` crate, which checks every offset. Writing is done here,
//! since that crate keeps metadata in a hash map, and equal models shall be equal bytes.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// Text metadata by key.
pub(super) type Metadata = BTreeMap<String, String>;

/// Key of the SHA-256 of the tensor bytes, in lower-case hexadecimal.
const SHA256: &str = "sha256";

/// One named tensor.
pub(super) struct Tensor<'a> {
    /// Its name in the file.
    pub(super) name: &'a str,
    /// Its shape; the product is `values.len()`.
    pub(super) shape: &'a [usize],
    /// Its values, row-major.
    pub(super) values: &'a [f32],
}

/// The file's bytes: length of the header, header, tensors in the order given.
pub(super) fn encode(mut metadata: Metadata, tensors: &[Tensor]) -> Vec<u8> {
    let n_values: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
    let mut data = Vec::with_capacity(4 * n_values);
    let mut header = Map::new();
    for tensor in tensors {
        let start = data.len();
        data.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        let offsets = [start, data.len()];
        let entry = json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": offsets});
        header.insert(tensor.name.to_owned(), entry);
    }
    metadata.insert(SHA256.to_owned(), hex_sha256(&data));
    let metadata = metadata.into_iter().map(|(key, value)| (key, Value::String(value)));
    header.insert("__metadata__".to_owned(), metadata.collect::<Map<_, _>>().into());

    let mut json = Value::Object(header).to_string().into_bytes();
    // The format asks for tensors that begin on a multiple of eight bytes.
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + json.len() + data.len());
    bytes.extend((json.len() as u64).to_le_bytes());
    bytes.extend(json);
    bytes.extend(data);
    bytes
}

/// A container whose structure is sound; whose tensors are, [`check_sha256`](Self::check_sha256)
/// tells.
pub(super) struct Container<'a> {
    /// The text metadata, the hash included.
    pub(super) metadata: Metadata,
    tensors: SafeTensors<'a>,
    data: &'a [u8],
}

impl<'a> Container<'a> {
    /// Parses any bytes.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let not_ours = |e| format_error(format!("not a safetensors file, or cut short ({e})"));
        let (header_len, header) = SafeTensors::read_metadata(bytes).map_err(not_ours)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_ours)?;
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { metadata, tensors, data: &bytes[8 + header_len..] })
    }

    /// The metadata under `key`.
    pub(super) fn text(&self, key: &str) -> Result<&str, Error> {
        let missing = || format_error(format!("its header lacks `{key}`"));
        self.metadata.get(key).map(String::as_str).ok_or_else(missing)
    }

    /// Number of tensors.
    pub(super) fn n_tensors(&self) -> usize {
        self.tensors.len()
    }

    /// Checks the tensor bytes against the header's hash.
    pub(super) fn check_sha256(&self) -> Result<(), Error> {
        if self.text(SHA256)? == hex_sha256(self.data) {
            return Ok(());
        }
        Err(format_error("its tensors are damaged (SHA-256 differs): copy the file anew".into()))
    }

    /// Bytes of all tensors.
    pub(super) fn data_len(&self) -> usize {
        self.data.len()
    }

    /// Copies the tensor `name` of `shape` to `values`, whose length is the product of `shape`.
    pub(super) fn read(
        &self,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
    ) -> Result<(), Error> {
        let missing = |_| format_error(format!("it lacks the tensor {name}"));
        let tensor = self.tensors.tensor(name).map_err(missing)?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return Err(format_error(format!(
                "tensor {name} is {:?} {:?}, but its configuration asks for F32 {shape:?}",
                tensor.dtype(),
                tensor.shape(),
            )));
        }
        for (value, bytes) in values.iter_mut().zip(tensor.data().chunks_exact(4)) {
            *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        if values.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(Error::NotFinite { tensor: name.to_owned() })
    }
}

/// A file that is not what it should be.
pub(super) fn format_error(reason: String) -> Error {
    Error::Format { reason }
}

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
