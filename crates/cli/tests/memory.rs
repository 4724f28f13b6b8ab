//! The memory of a command does not grow with the length of its input.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a 16-bit WAV file of two channels at 48 kHz: a sawtooth of 200 Hz.
fn write_wav(path: &Path, secs: u32) {
    let n_bytes = secs * 48_000 * 4;
    let mut file = BufWriter::new(fs::File::create(path).expect("disk"));
    let mut write = |bytes: &[u8]| file.write_all(bytes).expect("disk");
    write(b"RIFF");
    write(&(n_bytes + 36).to_le_bytes());
    write(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    write(&48_000_u32.to_le_bytes());
    write(&192_000_u32.to_le_bytes());
    write(b"\x04\0\x10\0data");
    write(&n_bytes.to_le_bytes());
    let period: Vec<u8> = (0..240_i16)
        .flat_map(|i| [(i - 120) * 80, (i - 120) * 40])
        .flat_map(i16::to_le_bytes)
        .collect();
    for _ in 0..secs * 200 {
        write(&period);
    }
}

/// The most memory that a process held while it ran, in MB, as seen every few milliseconds.
fn peak_megabytes(mut command: Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The system keeps the peak itself, so that it does not matter when one looks.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) / 1000);
        if let Some(status) = child.try_wait().expect("a child") {
            let mut text = String::new();
            let stderr = child.stderr.as_mut().expect("piped");
            // A few lines of progress, far from filling the pipe.
            stderr.read_to_string(&mut text).expect("text");
            assert!(status.success(), "{status}: {text}");
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn preparing_a_long_recording_takes_no_more_memory_than_a_short_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let peak = |secs: u32| {
        let wav = folder.path().join(format!("{secs}.wav"));
        write_wav(&wav, secs);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddsp"));
        command.args(["data", "prepare", "--threads", "2", "--hop-secs", "20"]);
        command.args(["--sample-rate", "48000", "--channels", "left"]).arg(&wav);
        command.arg("--out").arg(folder.path().join(format!("out-{secs}")));
        peak_megabytes(command)
    };
    // All of it in memory at both rates would be 38 MB for the short one, 179 MB for the long one.
    let (short, long) = (peak(150), peak(700));
    eprintln!("{short} MB for 150 s, {long} MB for 700 s");
    assert!(short > 10, "it was measured: {short} MB");
    assert!(long < short + 20, "{short} MB for 150 s, {long} MB for 700 s");
    assert!(long < 300, "{long} MB");
}
