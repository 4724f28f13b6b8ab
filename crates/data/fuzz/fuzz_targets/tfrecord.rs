//! Any bytes are records that account for every byte, or an error.

#![no_main]

use std::path::Path;

use ddsp_data::tfrecord::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes, Path::new("x"));
    let mut n_bytes = 0;
    let is_whole = loop {
        match reader.next_record() {
            Ok(Some(record)) => n_bytes += record.data().len() + 16,
            Ok(None) => break true,
            Err(error) => {
                assert!(error.to_string().contains("x: record at byte "), "{error}");
                break false;
            }
        }
    };
    assert!(!is_whole || n_bytes == bytes.len(), "{n_bytes} of {} bytes", bytes.len());
});
