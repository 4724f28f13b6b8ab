use super::*;
use crate::audio_file::{WavFormat, write_wav};
use crate::loader::{ExampleIndex, F0Source};

/// Half a second to an example, a quarter from one to the next.
fn options() -> PrepareOptions {
    let (example_secs, hop_secs) = (0.5, 0.25);
    PrepareOptions { example_secs, hop_secs, held_out_share: 0.3, ..PrepareOptions::default() }
}

/// Harmonic tones of a second each, one file for each frequency.
fn folder(frequencies: &[f32], rate: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for hz in frequencies {
        let omega = std::f32::consts::TAU * hz / rate as f32;
        let partial = |i: usize, k: usize| 0.2 * (omega * (k * i) as f32).sin() / k as f32;
        let audio: Vec<f32> =
            (0..rate as usize).map(|i| (1..6).map(|k| partial(i, k)).sum()).collect();
        let path = dir.path().join(format!("{hz}.wav"));
        write_wav(&path, &audio, rate, WavFormat::Float32).expect("writable");
    }
    dir
}

fn run(
    input: &Path,
    options: &PrepareOptions,
    n_threads: usize,
) -> Result<(PrepareReport, tempfile::TempDir)> {
    let out = tempfile::tempdir().expect("a temporary folder");
    let report = prepare(&[input.to_owned()], out.path(), options, n_threads, &mut |_| ())?;
    Ok((report, out))
}

#[test]
fn recordings_become_examples_with_their_features() {
    let input = folder(&[220.0, 330.0, 440.0], 16_000);
    let (report, out) = run(input.path(), &options(), 2).expect("prepared");
    // A second holds windows at 0, 0.25 and 0.5 s; one recording of three is held out.
    assert_eq!((report.train_examples, report.held_out_examples), (6, 3));
    assert_eq!((report.recordings.len(), report.left_out.len()), (3, 0));
    let index = ExampleIndex::open(&[out.path()], F0Source::Record).expect("intact");
    assert_eq!(index.len(), 9);
    let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
    for i in 0..9 {
        let example = index.read(i, grid).expect("an example");
        assert_eq!((example.audio.len(), example.f0_hz.len()), (8000, 125));
        let (hz, _) = example.id.split_once('@').expect("named after file and place");
        let hz: f32 = hz.parse().expect("the file's name");
        let cents = 1200.0 * (example.f0_hz[60] / hz).log2();
        assert!(cents.abs() < 10.0, "{}: {cents} cents off", example.id);
    }
}

#[test]
fn features_are_those_of_their_window() {
    let input = folder(&[220.0], 16_000);
    let path = input.path().join("220.wav");
    let mut audio = read_audio(&path, 16_000).expect("written").samples;
    for sample in &mut audio[8000..] {
        *sample *= 0.1;
    }
    write_wav(&path, &audio, 16_000, WavFormat::Float32).expect("writable");
    let (_, out) = run(input.path(), &options(), 1).expect("prepared");
    let index = ExampleIndex::open(&[out.path()], F0Source::Record).expect("intact");
    let loudness_db = |i: usize| {
        let record = index.read_record(i).expect("a record");
        (record.loudness_db.expect("written")[60], record.id)
    };
    let ((first, _), (last, id)) = (loudness_db(0), loudness_db(2));
    assert_eq!(id, "220@0.500");
    // A tenth of the amplitude: 20 dB less, to the precision of single-precision spectra.
    assert!((first - last - 20.0).abs() < 0.01, "{first} dB, then {last} dB");
}

#[test]
fn no_recording_is_on_both_sides() {
    let input = folder(&[220.0, 330.0, 440.0], 16_000);
    let (report, out) = run(input.path(), &options(), 2).expect("prepared");
    let held: Vec<_> = report.recordings.iter().filter(|r| r.is_held_out).collect();
    assert_eq!(held.len(), 1);
    let stem = held[0].file.file_stem().expect("a name").to_string_lossy().into_owned();
    for (pattern, is_held_out) in [("train*", false), ("held_out*", true)] {
        let index = ExampleIndex::open(&[out.path().join(pattern)], F0Source::Record);
        let index = index.expect("intact");
        for i in 0..index.len() {
            let id = index.read_record(i).expect("a record").id;
            assert_eq!(id.starts_with(&stem), is_held_out, "{id}");
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let input = folder(&[220.0, 330.0, 440.0], 16_000);
    let bytes = |n_threads| {
        let (report, out) = run(input.path(), &options(), n_threads).expect("prepared");
        let read = |file| std::fs::read(out.path().join(file)).expect("written");
        report.files.iter().map(read).collect::<Vec<_>>()
    };
    assert_eq!(bytes(1), bytes(3));
}

#[test]
fn other_rates_carry_16_khz_along() {
    let input = folder(&[220.0], 48_000);
    let options = PrepareOptions { sample_rate: 48_000, ..options() };
    let (report, out) = run(input.path(), &options, 1).expect("prepared");
    assert_eq!((report.train_examples, report.held_out_examples), (3, 0), "never all held out");
    let index = ExampleIndex::open(&[out.path()], F0Source::Record).expect("intact");
    let record = index.read_record(0).expect("a record");
    assert_eq!((record.audio.len(), record.sample_rate), (24_000, Some(48_000)));
    assert_eq!(record.audio_16k.map(|audio| audio.len()), Some(8000));
    for (sample_rate, hop) in [(16_000, 64), (48_000, 192)] {
        let example = index.read(0, FrameGrid { sample_rate, hop }).expect("both rates");
        assert_eq!((example.audio.len(), example.f0_hz.len()), (125 * hop, 125));
    }
}

#[test]
fn what_cannot_be_used_is_listed() {
    let input = folder(&[220.0], 16_000);
    let write = |name: &str, audio: &[f32]| {
        write_wav(&input.path().join(name), audio, 16_000, WavFormat::Int16).expect("writable");
    };
    write("short.wav", &[0.1; 4000]);
    write("silent.wav", &[0.0; 16_000]);
    std::fs::write(input.path().join("broken.wav"), b"no audio").expect("writable");
    std::fs::write(input.path().join("notes.txt"), b"not even tried").expect("writable");
    let (report, _out) = run(input.path(), &options(), 2).expect("one can be used");
    assert_eq!((report.recordings.len(), report.unvoiced_windows), (1, 3));
    let mut reasons: Vec<_> = report.left_out.iter().map(|l| l.reason.as_str()).collect();
    reasons.sort_unstable();
    assert!(reasons[0].contains("broken.wav: not an audio file"), "{reasons:?}");
    assert_eq!(reasons[1], "0.25 s long, shorter than an example (0.5 s)");
    assert_eq!(reasons[2], "no pitch was found in it");

    std::fs::remove_file(input.path().join("220.wav")).expect("there");
    let error = run(input.path(), &options(), 2).expect_err("none").to_string();
    assert!(error.starts_with("none of 3 files can be used; the first: "), "{error}");
}

#[test]
fn folders_without_audio_are_told() {
    let input = tempfile::tempdir().expect("a temporary folder");
    let error = run(input.path(), &options(), 1).expect_err("nothing").to_string();
    assert!(error.contains(": no audio files (wav, "), "{error}");
    let missing = run(&input.path().join("no"), &options(), 1).expect_err("missing").to_string();
    assert!(missing.starts_with("cannot read "), "{missing}");
}
