//! Any bytes are audio or an error that names the file.

#![no_main]

use std::path::Path;
use std::sync::Once;

use ddsp_data::AudioReader;
use libfuzzer_sys::fuzz_target;

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // Panics of the decoders are caught by the reader: only those that get out count.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    // The first byte chooses the hint.
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let endings = ["wav", "flac", "mp3", "ogg", "m4a", "aiff", "aac", "x"];
    let name = format!("f.{}", endings[usize::from(kind) % endings.len()]);
    let result = read(bytes.to_vec(), Path::new(&name));
    if let Err(error) = result {
        // Without the hook, nothing but an abort is seen.
        if !error.to_string().starts_with("f.") {
            eprintln!("an error without its file: {error}");
            std::process::abort();
        }
    }
});

fn read(bytes: Vec<u8>, path: &Path) -> ddsp_data::Result<()> {
    let mut reader = AudioReader::from_bytes(bytes, path)?;
    while let Some(block) = reader.next_block()? {
        let n_channels = block.n_channels;
        if !block.interleaved.len().is_multiple_of(n_channels) || reader.n_samples() > 1 << 24 {
            break;
        }
    }
    Ok(())
}
