//! Notes and MIDI files through a SoundFont.

mod tiny_soundfont;

use std::fs;
use std::path::{Path, PathBuf};

use ddsp_data::{
    Error, ExampleIndex, F0Source, Keys, NoteRecord, PresetChoice, RenderOptions, RenderReport,
    Shard, list_presets, render,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tiny_soundfont::{TRUE_HZ, tiny_midi, tiny_soundfont};

fn choice(preset: &str, family: Option<&str>) -> PresetChoice {
    PresetChoice { preset: preset.to_owned(), family: family.map(str::to_owned) }
}

/// Options for a font in `folder`, one note of the violin.
fn options(folder: &Path) -> RenderOptions {
    let soundfont = folder.join("tiny.sf2");
    fs::write(&soundfont, tiny_soundfont()).expect("written");
    RenderOptions {
        soundfont,
        presets: vec![choice("violin", None)],
        pitches: vec![69],
        velocities: vec![100],
        n_shards: 1,
        ..RenderOptions::default()
    }
}

fn run(options: &RenderOptions, out: &Path) -> Result<RenderReport, Error> {
    render(options, out, 2, &mut |_| {})
}

/// All records of a finished folder, in order of the files.
fn records(out: &Path) -> Vec<NoteRecord> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(out).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    let is_records = |path: &&PathBuf| path.to_string_lossy().contains("tfrecord");
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).expect("a file");
        let mut reader = ddsp_data::tfrecord::Reader::open(path).expect("a record file");
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().expect("a record") {
            records.push(NoteRecord::decode(record.data()).expect("a note"));
        }
        assert!(!bytes.is_empty(), "a file with records");
        records
    };
    files.iter().filter(is_records).flat_map(read).collect()
}

#[test]
fn f0_is_measured_and_labels_are_those_of_general_midi() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("notes");
    let report = run(&options(folder.path()), &out).expect("rendered");
    assert_eq!((report.records, report.presets[0].performances), (1, 1));
    let record = &records(&out)[0];
    assert_eq!(record.audio.len(), 64_000, "NSynth's length");
    assert_eq!(record.labels.family, Some(8), "program 40 is a string");
    assert_eq!((record.labels.pitch, record.labels.velocity), (Some(69), Some(100)));
    let f0_hz = record.f0_hz.as_ref().expect("f0");
    for f0_hz in &f0_hz[25..700] {
        // The tracker is good to a cent on a steady tone; the key's 440 Hz would be 3.9 away.
        let cents = 1200.0 * (f0_hz / TRUE_HZ).log2();
        assert!(cents.abs() < 1.0, "{f0_hz} Hz is {cents} cents from what sounds");
    }
    let rms = |range: std::ops::Range<usize>| {
        let n = range.len() as f32;
        (record.audio[range].iter().map(|x| x * x).sum::<f32>() / n).sqrt()
    };
    assert!(rms(16_000..40_000) > 0.01, "it sounds: {}", rms(16_000..40_000));
    assert!(rms(60_000..64_000) < 0.01 * rms(16_000..40_000), "it ends after 3 s");
}

#[test]
fn files_do_not_depend_on_the_threads_and_a_second_run_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = RenderOptions {
        presets: vec![choice("0:0", None), choice("Test Kit", Some("mallet"))],
        pitches: vec![57, 69],
        velocities: vec![40, 120],
        n_shards: 2,
        ..options(folder.path())
    };
    let bytes = |out: &Path, n_threads| {
        let report = render(&options, out, n_threads, &mut |_| {}).expect("rendered");
        let files = report.files.iter().map(|f| fs::read(out.join(f)).expect("a file"));
        files.collect::<Vec<_>>()
    };
    let (one, three) = (folder.path().join("one"), folder.path().join("three"));
    assert!(bytes(&one, 1) == bytes(&three, 3), "threads changed the bytes");
    assert!(run(&options, &one).expect("verified").already_done, "a second run");
    let families: Vec<_> = records(&one).iter().map(|record| record.labels.family).collect();
    let count = |family| families.iter().filter(|f| **f == Some(family)).count();
    assert_eq!((count(4), count(5)), (4, 4), "keyboard and mallet: {families:?}");
    ExampleIndex::open(&[one.join("soundfont*")], F0Source::Record).expect("trainable");
}

#[test]
fn a_midi_file_becomes_phrases_of_four_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let midi = folder.path().join("scale.mid");
    fs::write(&midi, tiny_midi()).expect("written");
    for (sample_rate, keys) in [(16_000, Keys::Nsynth), (48_000, Keys::Ddsp)] {
        let options =
            RenderOptions { midi: vec![midi.clone()], sample_rate, keys, ..options(folder.path()) };
        let out = folder.path().join(sample_rate.to_string());
        // Six notes of a second and one second of tail are two records.
        assert_eq!(run(&options, &out).expect("rendered").records, 2);
        let records = records(&out);
        let n_samples = 4 * sample_rate as usize;
        assert!(records.iter().all(|record| record.audio.len() == n_samples), "{sample_rate}");
        assert_eq!(records[0].audio_16k.is_some(), sample_rate != 16_000);
        assert_eq!(records[0].id, "string_00040-scale-01@0");
        let f0_hz = records[1].f0_hz.as_ref().expect("f0");
        // The second record begins with the fifth note, a whole tone below the sixth.
        for (frame, key) in [(125, 67.0), (375, 69.0)] {
            let expected = TRUE_HZ * 2.0_f32.powf((key - 69.0) / 12.0);
            let cents = 1200.0 * (f0_hz[frame] / expected).log2();
            assert!(cents.abs() < 2.0, "frame {frame}: {} Hz", f0_hz[frame]);
        }
    }
}

#[test]
fn what_cannot_be_played_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = options(folder.path());
    let (text, empty) = (folder.path().join("x.sf2"), folder.path().join("x.mid"));
    fs::write(&text, "no font").expect("written");
    fs::write(&empty, b"MThd\0\0\0\x06\0\0\0\x00\x01\xe0").expect("written");
    for (options, expected) in [
        (RenderOptions { soundfont: text, ..good.clone() }, "x.sf2: not a SoundFont"),
        (RenderOptions { soundfont: "gone.sf2".into(), ..good.clone() }, "cannot read gone.sf2"),
        (
            RenderOptions { presets: vec![choice("oboe", None)], ..good.clone() },
            "--list shows them",
        ),
        (RenderOptions { presets: vec![choice("test", None)], ..good.clone() }, "0:40 Test Violin"),
        (
            RenderOptions { presets: vec![choice("0", Some("harp"))], ..good.clone() },
            "no family harp",
        ),
        (RenderOptions { presets: vec![], ..good.clone() }, "no preset"),
        (RenderOptions { midi: vec![empty], ..good.clone() }, "x.mid: it holds no notes"),
        (RenderOptions { velocities: vec![0], ..good.clone() }, "velocity 0"),
        (RenderOptions { pitches: vec![128], ..good.clone() }, "pitch 128"),
        (RenderOptions { secs: 0.0015, ..good.clone() }, "not a whole number of frames"),
        (RenderOptions { secs: 1e9, ..good.clone() }, "up to 60 s"),
        (RenderOptions { presets: vec![choice("0", None); 2], ..good.clone() }, "asked for twice"),
        (RenderOptions { hold_secs: f64::NAN, ..good.clone() }, "held for NaN s"),
        (RenderOptions { sample_rate: 44_100, ..good.clone() }, "44100 Hz"),
    ] {
        let out = folder.path().join("out");
        let error = run(&options, &out).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
        assert!(!out.exists(), "{expected}: nothing is made");
    }
    let names: Vec<_> = list_presets(&good.soundfont).expect("presets");
    assert_eq!(names.iter().map(|p| p.program).collect::<Vec<_>>(), [0, 40, 0]);
}

/// Broken variants of `bytes`: overwritten bytes from `from` on, and cuts.
fn mutants(bytes: &[u8], from: usize, n: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..n).map(move |seed| {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut mutant = bytes.to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(from..mutant.len());
            let values = [0, 1, 0x7f, 0x80, 0xff, mutant[at] ^ 1, rng.random()];
            mutant[at] = values[rng.random_range(0..values.len())];
        }
        if rng.random_range(0..8) == 0 {
            mutant.truncate(rng.random_range(from..mutant.len()));
        }
        mutant
    })
}

#[test]
fn damaged_soundfonts_give_a_sound_or_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = options(folder.path());
    let options = RenderOptions {
        presets: vec![choice("0", None)],
        secs: 0.1,
        hold_secs: 0.05,
        force: true,
        ..good
    };
    let font = tiny_soundfont();
    // The parameters follow the samples, whose values are all valid.
    let samples = font.windows(4).position(|w| w == b"smpl").expect("samples");
    let parameters = font.windows(4).position(|w| w == b"pdta").expect("parameters");
    let inside = mutants(&font, parameters, 3000);
    let head = &font[..samples + 8];
    let headers = mutants(head, 0, 500).map(|head| [&head, &font[samples + 8..]].concat());
    let (mut refused, mut played, mut n) = (0, 0, 0);
    for (i, mutant) in inside.chain(headers).enumerate() {
        n += 1;
        fs::write(&options.soundfont, &mutant).expect("written");
        let error = match list_presets(&options.soundfont) {
            // Playing takes longer than reading.
            Ok(presets) if i % 4 == 0 && presets.iter().any(|p| (p.bank, p.program) == (0, 0)) => {
                match run(&options, &folder.path().join("out")) {
                    Ok(_) => {
                        played += 1;
                        continue;
                    }
                    Err(error) => error,
                }
            }
            Ok(_) => continue,
            Err(error) => error,
        };
        let error = error.to_string();
        refused += 1;
        let says = error.contains("tiny.sf2: not a SoundFont") || error.contains("has a pitch");
        assert!(says, "{error}");
    }
    assert!(refused > n / 5 && played > 50, "{n} mutants: {refused} refused, {played} played");
}

#[test]
fn a_soundfont_cannot_ask_for_more_memory_than_it_has_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(folder.path());
    let font = tiny_soundfont();
    let place = |name: &[u8; 4]| font.windows(4).position(|w| w == name).expect("a chunk");
    // A length of 4 GB, and lists whose zones would hold each generator over and over.
    for (name, offset, value, expected) in [
        (b"smpl", 4, 0xffff_fffe_u32, "smpl says 4294967294 bytes"),
        (b"isng", 4, 0x7fff_ffff, "isng says"),
        (b"pmod", 4, 0x4000_0000, "pmod says"),
        (b"ibag", 8, 0xffff, "entry 0 of ibag points to 65535"),
        (b"pbag", 8, 3, "entry 1 of pbag points to 1"),
        (b"phdr", 8 + 38 + 24, 9, "entry 1 of phdr points to 9"),
    ] {
        let mut bytes = font.clone();
        let at = place(name) + offset;
        let len = if value > 0xffff { 4 } else { 2 };
        bytes[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
        fs::write(&options.soundfont, &bytes).expect("written");
        let error = list_presets(&options.soundfont).expect_err(expected).to_string();
        assert!(error.contains("at byte ") && error.contains(expected), "{error}");
    }
}

#[test]
fn damaged_midi_files_are_played_or_left_out_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let songs = folder.path().join("songs");
    fs::create_dir(&songs).expect("a folder");
    let options = RenderOptions { midi: vec![songs.clone()], ..options(folder.path()) };
    let n = 3000;
    for (i, mutant) in mutants(&tiny_midi(), 0, n).enumerate() {
        fs::write(songs.join(format!("{i:04}.mid")), mutant).expect("written");
    }
    fs::write(songs.join("huge.MID"), vec![0; 5 << 20]).expect("written");
    fs::write(songs.join("song.txt"), "not looked at").expect("written");
    // One of a thousand shards: the files are read, and few are rendered.
    let options =
        RenderOptions { n_shards: 1000, shard: Shard::new(0, 1000).expect("a shard"), ..options };
    let report = run(&options, &folder.path().join("out")).expect("some can be played");
    let played = report.presets[0].performances;
    assert!(played > n / 4, "{played} of {n} are played");
    assert!(report.left_out.len() > 20, "{} of {n} are left out", report.left_out.len());
    for file in &report.left_out {
        let name = file.file.display().to_string();
        assert!(file.reason.starts_with(&name) && file.reason.len() > name.len(), "{file:?}");
    }
    assert!(report.left_out.iter().any(|file| file.file.ends_with("huge.MID")), "too long");
    assert_eq!(report.parts_missing, 999);
}

#[test]
fn records_that_are_off_their_notes_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(folder.path());
    assert_eq!(run(&options, &folder.path().join("right")).expect("rendered").off_pitch, []);
    // A font that says of its sample that it sounds at key 57, where 69 is right.
    let mut font = tiny_soundfont();
    let header = font.windows(4).position(|w| w == b"shdr").expect("samples") + 8;
    assert_eq!(font[header + 40], 69, "the original key");
    font[header + 40] = 57;
    fs::write(&options.soundfont, font).expect("written");
    let off = run(&options, &folder.path().join("off")).expect("rendered").off_pitch;
    let [off] = &off[..] else { panic!("one record is off: {off:?}") };
    assert_eq!(off.id, "string_00040-069-100");
    assert!((off.semitones - 12.04).abs() < 0.05, "{off:?}");
}

#[test]
fn a_long_performance_is_cut_without_a_seam() {
    let folder = tempfile::tempdir().expect("a folder");
    let midi = folder.path().join("scale.mid");
    fs::write(&midi, tiny_midi()).expect("written");
    let options = RenderOptions { midi: vec![midi], ..options(folder.path()) };
    let audio = |secs: f64| {
        let out = folder.path().join(secs.to_string());
        run(&RenderOptions { secs, ..options.clone() }, &out).expect("rendered");
        records(&out).into_iter().flat_map(|record| record.audio).collect::<Vec<f32>>()
    };
    let (one, many) = (audio(8.0), audio(1.0));
    assert!(many.len() >= 6 * 16_000, "six seconds sound: {}", many.len());
    for (i, (a, b)) in one.iter().zip(&many).enumerate() {
        // The resampler's filter falls to -100 dB within its block.
        assert!((a - b).abs() < 1e-4, "sample {i}: {a} and {b}");
    }
}

#[test]
fn shards_make_the_files_of_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let options =
        RenderOptions { pitches: vec![60, 64, 67], n_shards: 3, ..options(folder.path()) };
    let (one, many) = (folder.path().join("one"), folder.path().join("many"));
    let report = run(&options, &one).expect("rendered");
    for (index, missing) in [(1, 1), (0, 0)] {
        let shard = Shard::new(index, 2).expect("a shard");
        let part = run(&RenderOptions { shard, ..options.clone() }, &many).expect("rendered");
        // The first has one of three files, the second two.
        assert_eq!(part.parts_missing, 2 * missing);
    }
    for file in report.files.iter().map(String::as_str).chain(["manifest.json", "ddsp-output.json"])
    {
        let read = |folder: &Path| fs::read(folder.join(file)).expect("a file");
        assert!(read(&one) == read(&many), "{file}");
    }
}
