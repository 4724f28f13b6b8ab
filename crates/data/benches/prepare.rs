//! Preparing recordings, in seconds of audio a second, beside decoding and resampling alone.
//!
//! `cargo bench -p ddsp-data --bench prepare`. The recording is ten minutes of a synthetic melody,
//! 44.1 kHz stereo, as WAV; as FLAC and MP3 too where the programs `flac` and `lame` are there.
//! Features at 250 frames/s, examples of 4 s every 4 s. Every row is the best of three runs. Argument
//! `memory`: one run over three hours of 48 kHz stereo, and the peak of its memory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ddsp_data::{PrepareOptions, prepare, read_audio};

const SECS: u32 = 600;
const N_RUNS: usize = 3;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    if std::env::args().any(|argument| argument == "memory") {
        return measure_memory(folder.path());
    }
    let wav = folder.path().join("melody.wav");
    write_melody(&wav, 44_100, SECS);
    println!("{SECS} s of 44.1 kHz stereo: seconds of audio a second");
    println!("  {:6} {:>12} {:>12} {:>14}", "", "1 thread", "2 threads", "decode alone");
    for (program, options, ending) in [
        ("", &[] as &[&str], "wav"),
        ("flac", &["-s", "-o"], "flac"),
        ("lame", &["--quiet"], "mp3"),
    ] {
        let file = wav.with_extension(ending);
        if !program.is_empty() && !encode(program, options, &wav, &file) {
            println!("  {ending:6} {program} is not there");
            continue;
        }
        let rates = [1, 2].map(|n_threads| rate(|| run(&file, folder.path(), n_threads)));
        let plain = rate(|| drop(read_audio(&file, 16_000).expect("audio")));
        println!("  {ending:6} {:>10.0} x {:>10.0} x {plain:>12.0} x", rates[0], rates[1]);
    }
}

/// Seconds of audio a second, at best.
fn rate(work: impl Fn()) -> f64 {
    let time = || {
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64()
    };
    let best = (0..N_RUNS).map(|_| time()).fold(f64::INFINITY, f64::min);
    f64::from(SECS) / best
}

fn run(file: &Path, folder: &Path, n_threads: usize) {
    let out = tempfile::tempdir_in(folder).expect("a folder");
    let options = PrepareOptions { n_threads, hop_secs: 4.0, ..PrepareOptions::default() };
    let inputs = [file.to_owned()];
    let report = prepare(&inputs, &out.path().join("out"), &options, &mut |_| ()).expect("done");
    assert!(report.train_examples > 0, "there is something to learn");
}

/// Runs an encoder; `false` if there is none.
fn encode(program: &str, options: &[&str], wav: &Path, file: &PathBuf) -> bool {
    let mut command = Command::new(program);
    // `flac -o OUT IN`, but `lame IN OUT`.
    match options.contains(&"-o") {
        true => command.args(options).arg(file).arg(wav),
        false => command.args(options).arg(wav).arg(file),
    };
    command.status().is_ok_and(|status| status.success())
}

/// Notes with vibrato over quiet noise; the channels differ in level. 16 bits.
#[expect(clippy::cast_possible_truncation, reason = "samples of 16 bits")]
fn write_melody(path: &Path, sample_rate: u32, secs: u32) {
    let (channels, bits_per_sample, sample_format) = (2, 16, hound::SampleFormat::Int);
    let spec = hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format };
    let mut writer = hound::WavWriter::create(path, spec).expect("disk");
    let (mut phase, mut state) = (0.0_f64, 1_u32);
    for i in 0..secs * sample_rate {
        let t = f64::from(i) / f64::from(sample_rate);
        let note = f64::from((t * 2.0) as u32 * 7 % 24);
        phase += 110.0 * (note / 12.0).exp2() * (1.0 + 0.003 * (30.0 * t).sin())
            / f64::from(sample_rate);
        // Seven harmonics from one sine, by Chebyshev's recurrence.
        let (sin, cos) = (std::f64::consts::TAU * phase.fract()).sin_cos();
        let (mut sum, mut before, mut now) = (0.0, 0.0, sin);
        for k in 1..=7 {
            sum += now / f64::from(k);
            (before, now) = (now, 2.0 * cos * now - before);
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(state >> 8) / 16_777_216.0 - 0.5;
        let level = 0.3 * (1.0 - 0.8 * (t * 2.0).fract());
        for gain in [8_000.0, 5_000.0] {
            writer.write_sample((gain * (level * sum + 0.01 * noise)) as i16).expect("disk");
        }
    }
    writer.finalize().expect("disk");
}

/// Prepares three hours, and prints the peak of the resident memory.
fn measure_memory(folder: &Path) {
    let wav = folder.join("long.wav");
    write_melody(&wav, 48_000, 3 * 3600);
    let begin = Instant::now();
    let out = tempfile::tempdir_in(folder).expect("a folder");
    let options = PrepareOptions { hop_secs: 4.0, sample_rate: 48_000, ..Default::default() };
    prepare(&[wav], &out.path().join("out"), &options, &mut |_| ()).expect("done");
    let secs = begin.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    println!("3 hours of 48 kHz stereo, kept at 48 kHz: {secs:.0} s, {peak}");
}
