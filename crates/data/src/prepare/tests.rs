use super::*;
use crate::audio_file::{WavFormat, read_audio, write_wav};
use crate::loader::{ExampleIndex, F0Source};
use ddsp_kernels::FrameGrid;

/// Half a second to an example, a quarter from one to the next.
fn options() -> PrepareOptions {
    let (example_secs, hop_secs) = (0.5, 0.25);
    let (held_out_share, n_threads) = (0.3, 2);
    PrepareOptions { example_secs, hop_secs, held_out_share, n_threads, ..Default::default() }
}

/// A harmonic tone.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "short tones")]
fn tone(hz: f32, secs: f32, rate: u32) -> Vec<f32> {
    let omega = std::f64::consts::TAU * f64::from(hz) / f64::from(rate);
    let partial = |i: usize, k: u32| 0.2 * (omega * f64::from(k) * i as f64).sin() / f64::from(k);
    let n = (secs * rate as f32) as usize;
    (0..n).map(|i| (1..6).map(|k| partial(i, k)).sum::<f64>() as f32).collect()
}

/// Harmonic tones of a second each, one file for each frequency.
fn folder(frequencies: &[f32], rate: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for hz in frequencies {
        let path = dir.path().join(format!("{hz}.wav"));
        write_wav(&path, &tone(*hz, 1.0, rate), rate, WavFormat::Float32).expect("writable");
    }
    dir
}

fn run(input: &Path, options: &PrepareOptions) -> Result<(PrepareReport, tempfile::TempDir)> {
    let out = tempfile::tempdir().expect("a temporary folder");
    let report = prepare(&[input.to_owned()], out.path(), options, &mut |_| ())?;
    Ok((report, out))
}

/// The ids of the records in files that match.
fn ids(out: &tempfile::TempDir, pattern: &str) -> Vec<String> {
    let index = ExampleIndex::open(&[out.path().join(pattern)], F0Source::Record).expect("intact");
    (0..index.len()).map(|i| index.read_record(i).expect("a record").id).collect()
}

#[test]
fn recordings_become_examples_with_their_features() {
    let input = folder(&[220.0, 330.0, 440.0], 16_000);
    let (report, out) = run(input.path(), &options()).expect("prepared");
    // A second holds windows at 0, 0.25 and 0.5 s; one recording of three is held out.
    assert_eq!((report.train_examples, report.held_out_examples), (6, 3));
    assert_eq!((report.recordings.len(), report.left_out.len()), (3, 0));
    assert_eq!(report.split_by, SplitBy::File);
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
    let again = prepare(&[input.path().to_owned()], out.path(), &options(), &mut |_| ());
    assert!(again.expect("verified").already_done, "the second run verifies");
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
    let (_, out) = run(input.path(), &options()).expect("prepared");
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
    let (report, out) = run(input.path(), &options()).expect("prepared");
    let held: Vec<_> = report.recordings.iter().filter(|r| r.held_out_examples > 0).collect();
    assert_eq!((held.len(), held[0].train_examples), (1, 0));
    let stem = held[0].file.file_stem().expect("a name").to_string_lossy().into_owned();
    for (pattern, is_held_out) in [("train*", false), ("held_out*", true)] {
        for id in ids(&out, pattern) {
            assert_eq!(id.starts_with(&stem), is_held_out, "{id}");
        }
    }
}

#[test]
fn no_moment_is_on_both_sides_of_a_split_by_time() {
    let input = tempfile::tempdir().expect("a temporary folder");
    let path = input.path().join("long.wav");
    write_wav(&path, &tone(220.0, 20.0, 16_000), 16_000, WavFormat::Int16).expect("writable");
    let options = PrepareOptions { hop_secs: 0.2, ..options() };
    let (report, out) = run(input.path(), &options).expect("prepared");
    assert_eq!(report.split_by, SplitBy::Time, "there is only one file");
    // 6 s hold 28 windows of half a second, 20 s hold 98 and one at the end; each border costs two or
    // three of them, unless it is an end of the recording.
    assert_eq!(report.held_out_examples, 28);
    assert_eq!(report.train_examples + 28 + report.border_windows, 99);
    assert!((2..=6).contains(&report.border_windows), "{report:?}");
    let [from, to] = report.recordings[0].held_out_secs[0];
    assert!((to - from - 6.0).abs() < 1e-9, "30% of 20 s");
    let starts = |pattern| -> Vec<f64> {
        let start = |id: String| id.split_once('@').expect("a time").1.parse().expect("seconds");
        ids(&out, pattern).into_iter().map(start).collect()
    };
    assert!(starts("held_out*").iter().all(|&s| s >= from && s + 0.5 <= to), "inside");
    assert!(starts("train*").iter().all(|&s| s >= to || s + 0.5 <= from), "outside");
    let other = PrepareOptions { seed: 5, ..options };
    let (other, _) = run(input.path(), &other).expect("prepared");
    assert_ne!(other.recordings[0].held_out_secs, [[from, to]], "the seed decides");
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let input = folder(&[220.0, 330.0, 440.0], 16_000);
    // Long enough to be shared by several threads.
    let path = input.path().join("long.wav");
    write_wav(&path, &tone(250.0, 70.0, 16_000), 16_000, WavFormat::Int16).expect("writable");
    let bytes = |n_threads| {
        let options = PrepareOptions { n_threads, hop_secs: 5.0, ..options() };
        let (report, out) = run(input.path(), &options).expect("prepared");
        let read = |name: &str| std::fs::read(out.path().join(name)).expect("written");
        let files = report.files.iter().map(|file| read(&file.file));
        files.chain([read(MANIFEST)]).collect::<Vec<_>>()
    };
    assert!(bytes(1) == bytes(3), "one and three threads differ");
}

#[test]
fn other_rates_carry_16_khz_along() {
    for (sample_rate, frame_rate) in [(48_000, 250), (44_100, 100)] {
        let input = folder(&[220.0], 48_000);
        let options = PrepareOptions { sample_rate, frame_rate, ..options() };
        let (report, out) = run(input.path(), &options).expect("prepared");
        let counts = (report.train_examples, report.held_out_examples);
        assert_eq!(counts, (3, 0), "never all held out");
        let index = ExampleIndex::open(&[out.path()], F0Source::Record).expect("intact");
        let record = index.read_record(0).expect("a record");
        let n_samples = sample_rate as usize / 2;
        assert_eq!((record.audio.len(), record.sample_rate), (n_samples, Some(sample_rate)));
        assert_eq!(record.audio_16k.map(|audio| audio.len()), Some(8000));
        for rate in [16_000, sample_rate] {
            let grid = FrameGrid::new(rate, frame_rate).expect("both are on the grid");
            let example = index.read(0, grid).expect("both rates");
            let n_frames = frame_rate as usize / 2;
            assert_eq!((example.audio.len(), example.f0_hz.len()), (rate as usize / 2, n_frames));
        }
    }
}

#[test]
fn each_channel_becomes_examples_of_its_own() {
    let input = tempfile::tempdir().expect("a temporary folder");
    let path = input.path().join("two.wav");
    let (channels, sample_rate, bits_per_sample) = (2, 16_000, 32);
    let sample_format = hound::SampleFormat::Float;
    let spec = hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format };
    let mut writer = hound::WavWriter::create(&path, spec).expect("writable");
    // The second channel is silent.
    for sample in tone(220.0, 1.0, 16_000) {
        writer.write_sample(sample).expect("writable");
        writer.write_sample(0.0_f32).expect("writable");
    }
    writer.finalize().expect("writable");
    let of = |channels, keep_silence| {
        let options = PrepareOptions { channels, keep_silence, ..options() };
        run(input.path(), &options).map(|(report, out)| (report, ids(&out, "*tfrecord*")))
    };
    let (report, names) = of(Channels::Each, true).expect("prepared");
    assert_eq!((report.train_examples, report.recordings[0].channels), (6, 2));
    // A quarter of a second is 62.5 frames, and so 63.
    assert_eq!(names[..3], ["two:1@0.000", "two:2@0.000", "two:1@0.252"]);
    let (report, _) = of(Channels::Each, false).expect("prepared");
    assert_eq!((report.train_examples, report.silent_windows), (3, 3));
    assert_eq!(report.recordings[0].skipped[0].channel, Some(2));
    assert_eq!(of(Channels::Left, false).expect("the tone").0.train_examples, 3);
    let error = of(Channels::Right, false).expect_err("silence").to_string();
    assert!(error.contains("two.wav: silent: never above -60 dB"), "{error}");
}

#[test]
fn silence_and_noise_are_left_out_with_their_time() {
    let input = tempfile::tempdir().expect("a temporary folder");
    let path = input.path().join("a.wav");
    let mut audio = tone(220.0, 2.0, 16_000);
    audio.extend(vec![0.0; 2 * 16_000]);
    let mut state = 1_u32;
    audio.extend((0..2 * 16_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 - 0.5
    }));
    write_wav(&path, &audio, 16_000, WavFormat::Float32).expect("writable");
    let of = |keep_silence, keep_unvoiced| {
        let options =
            PrepareOptions { keep_silence, keep_unvoiced, held_out_share: 0.0, ..options() };
        run(input.path(), &options).expect("prepared").0
    };
    let report = of(false, false);
    let skipped = &report.recordings[0].skipped;
    let find = |reason| skipped.iter().find(|s| s.reason == reason).expect("skipped");
    // Windows from 2.0 to 3.5 s hold nothing; the loudness's window reaches 16 ms into the first.
    let silent = find(Reason::Silent);
    assert!(silent.from_secs <= 2.25 && silent.to_secs >= 3.75, "{skipped:?}");
    let unvoiced = find(Reason::Unvoiced);
    assert!(unvoiced.from_secs < 4.1 && unvoiced.to_secs > 5.9, "{skipped:?}");
    assert_eq!(report.train_examples + report.silent_windows + report.unvoiced_windows, 23);
    // A window that is half a tone and half silence is voiced enough, or not.
    let options = PrepareOptions { min_voiced_share: 0.9, held_out_share: 0.0, ..options() };
    let strict = run(input.path(), &options).expect("prepared").0;
    assert!(strict.unvoiced_windows > report.unvoiced_windows, "{strict:?}");
    assert!((5..report.train_examples).contains(&strict.train_examples), "{strict:?}");
    assert_eq!(of(true, false).silent_windows, 0);
    let all = of(true, true);
    assert_eq!((all.train_examples, all.recordings[0].skipped.len()), (23, 0));
}

#[test]
fn what_comes_before_damage_is_used() {
    let input = folder(&[220.0], 16_000);
    let path = input.path().join("220.wav");
    let bytes = std::fs::read(&path).expect("written");
    std::fs::write(&path, &bytes[..bytes.len() - 16_000]).expect("writable");
    let (report, _out) = run(input.path(), &options()).expect("prepared");
    assert_eq!(report.train_examples, 2, "0.75 s are left");
    let damage = report.recordings[0].damage.as_deref();
    assert_eq!(damage, Some("cut off: it holds 12000 of 16000 samples"));
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
    // Whether the silent or the sounding file is held out is a matter of the seed.
    let options = PrepareOptions { held_out_share: 0.0, ..options() };
    let (report, _out) = run(input.path(), &options).expect("one can be used");
    assert_eq!((report.recordings.len(), report.silent_windows), (1, 3));
    let mut reasons: Vec<_> = report.left_out.iter().map(|l| l.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons[0], "0.25 s long, shorter than an example (0.5 s)");
    assert!(reasons[1].contains("not an audio file"), "{reasons:?}");
    assert_eq!(reasons[2], "silent: never above -60 dB");

    std::fs::remove_file(input.path().join("220.wav")).expect("there");
    let error = run(input.path(), &options).expect_err("none").to_string();
    assert!(error.starts_with("none of 3 files can be used; the first: "), "{error}");
}

#[test]
fn folders_without_audio_are_told() {
    let input = tempfile::tempdir().expect("a temporary folder");
    let error = run(input.path(), &options()).expect_err("nothing").to_string();
    assert!(error.contains(": no audio files (wav, "), "{error}");
    let missing = run(&input.path().join("no"), &options()).expect_err("missing").to_string();
    assert!(missing.starts_with("cannot read "), "{missing}");
}
