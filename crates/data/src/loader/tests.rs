use super::*;
use crate::features::extract_loudness;
use crate::record::Keys;
use crate::tfrecord::write_record;

const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

fn note(family: i64, instrument: i64, pitch: i64) -> NoteRecord {
    let omega = std::f32::consts::TAU * 220.0 / 16_000.0;
    NoteRecord {
        id: format!("{family}-{instrument}-{pitch}"),
        audio: (0..2560).map(|i| 0.25 * (omega * i as f32).sin()).collect(),
        f0_hz: Some(vec![220.0; 40]),
        f0_confidence: Some(vec![0.9; 40]),
        // A stale scale, as in old NSynth records: must not be believed.
        loudness_db: Some(vec![-94.7; 40]),
        labels: Labels {
            family: Some(family),
            instrument: Some(instrument),
            source: Some(0),
            pitch: Some(pitch),
            velocity: Some(100),
        },
        ..NoteRecord::default()
    }
}

struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new(files: &[Vec<NoteRecord>], keys: Keys) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (i, notes) in files.iter().enumerate() {
            let mut file = Vec::new();
            for note in notes {
                write_record(&mut file, &note.encode(keys)).expect("a Vec takes everything");
            }
            let path = dir.path().join(format!("{i}.tfrecord"));
            std::fs::write(path, file).expect("writable");
        }
        Self { dir }
    }

    fn open(&self, f0: F0Source) -> Result<ExampleIndex> {
        ExampleIndex::open(&[self.dir.path()], f0)
    }
}

fn read_one(note: NoteRecord, f0: F0Source) -> Result<TrainingExample> {
    Scene::new(&[vec![note]], Keys::Ddsp).open(f0)?.read(0, GRID)
}

fn error(note: NoteRecord) -> String {
    read_one(note, F0Source::Record).expect_err("refused").to_string()
}

#[test]
fn examples_come_in_order_from_all_files() {
    let files = [vec![note(8, 1, 60), note(4, 2, 61)], vec![], vec![note(8, 3, 62)]];
    let scene = Scene::new(&files, Keys::Nsynth);
    let index = scene.open(F0Source::Record).expect("intact");
    assert_eq!(index.len(), 3);
    assert_eq!(index.labels(1).family, Some(4));
    for (i, id) in ["8-1-60", "4-2-61", "8-3-62"].into_iter().enumerate() {
        assert_eq!(index.read(i, GRID).expect("a note").id, id);
    }
}

#[test]
fn loudness_is_computed_and_f0_is_read() {
    let example = read_one(note(8, 1, 57), F0Source::Record).expect("a note");
    assert_eq!((example.audio.len(), example.f0_hz.len()), (2560, 40));
    assert_eq!(example.f0_hz, vec![220.0; 40]);
    assert_eq!(example.loudness_db, extract_loudness(&example.audio, GRID));
    assert!(example.loudness_db[20] > -60.0, "the record's own -94.7 dB is ignored");
}

#[test]
fn centred_records_lose_their_last_frame() {
    let mut centred = note(8, 1, 57);
    centred.f0_hz = Some(vec![220.0; 41]);
    centred.f0_confidence = None;
    let example = read_one(centred, F0Source::Record).expect("a note");
    assert_eq!((example.f0_hz.len(), example.f0_confidence), (40, vec![1.0; 40]));
}

#[test]
fn f0_is_tracked_on_request() {
    let bare = NoteRecord { f0_hz: None, f0_confidence: None, ..note(8, 1, 57) };
    let text = error(bare.clone());
    assert!(text.contains("at byte 0: no f0") && text.contains("--f0 tracker"), "{text}");
    let example = read_one(bare, F0Source::Tracker).expect("a note");
    assert_eq!(example.f0_hz.len(), 40);
    assert!((example.f0_hz[20] / 220.0 - 1.0).abs() < 0.01, "{} Hz", example.f0_hz[20]);
}

#[test]
fn another_rate_is_noticed() {
    let told = NoteRecord { sample_rate: Some(48_000), ..note(8, 1, 57) };
    assert!(error(told.clone()).contains("its audio has 48000 Hz"), "told by the record");
    let both = NoteRecord { audio_16k: Some(vec![0.5; 2560]), audio: vec![0.1; 7680], ..told };
    let example = read_one(both, F0Source::Record).expect("has 16 kHz too");
    assert_eq!(example.audio, vec![0.5; 2560]);
    let untold = NoteRecord { audio: vec![0.1; 7680], ..note(8, 1, 57) };
    assert!(error(untold).contains("40 frames of f0 in 0.48 s"), "told by the lengths");
    let long = NoteRecord { f0_hz: Some(vec![220.0; 80]), f0_confidence: None, ..note(8, 1, 57) };
    assert!(error(long).contains("not 250 frames/s, nor 250"), "too many frames");
    let slow = NoteRecord { frame_rate: Some(100), ..note(8, 1, 57) };
    assert!(error(slow).contains("not the 100 frames/s that it tells"), "another frame rate");
    let uneven = NoteRecord { f0_confidence: Some(vec![0.9; 39]), ..note(8, 1, 57) };
    assert!(error(uneven).contains("confidence has 39 frames where f0 has 40"), "lengths differ");
}

/// A record of `f0_hz` that is 0.16 s long.
fn melody(f0_hz: Vec<f32>, frame_rate: Option<u32>) -> NoteRecord {
    let f0_confidence = Some((0..f0_hz.len()).map(|i| i as f32 / 100.0).collect());
    NoteRecord { f0_hz: Some(f0_hz), f0_confidence, frame_rate, ..note(8, 1, 57) }
}

#[test]
fn f0_is_read_at_any_frame_rate() {
    // A glide of 0.2 semitones a frame at 250 frames/s, as NSynth has them, and centred as ddsp does.
    let glide = |n: usize| (0..n).map(|i| 220.0 * (i as f32 / 60.0).exp2()).collect::<Vec<_>>();
    for (n, told) in [(40, None), (41, None), (40, Some(250)), (41, Some(250))] {
        for hop in [64, 160, 320, 40] {
            let grid = FrameGrid { sample_rate: 16_000, hop };
            let index = Scene::new(&[vec![melody(glide(n), told)]], Keys::Ddsp);
            let example = index.open(F0Source::Record).expect("intact").read(0, grid);
            let example = example.expect("converted");
            assert_eq!(example.f0_hz.len(), 2560 / hop);
            for i in 0..2560 / hop {
                let place = (i * hop) as f32 / 64.0;
                let place = place.min(n as f32 - 1.0);
                let off = example.f0_hz[i] / (220.0 * (place / 60.0).exp2()) - 1.0;
                assert!(off.abs() < 1e-5, "hop {hop}, frame {i}: {off}");
                let off = example.f0_confidence[i] - place / 100.0;
                assert!(off.abs() < 1e-6, "hop {hop}, frame {i}: {off}");
            }
        }
    }
}

#[test]
fn a_step_of_f0_stays_a_step() {
    let grid = FrameGrid { sample_rate: 16_000, hop: 160 };
    for (before, after) in [(220.0, 440.0), (220.0, 0.0), (0.0, 330.0)] {
        let f0_hz = (0..40).map(|i| if i < 18 { before } else { after }).collect();
        let scene = Scene::new(&[vec![melody(f0_hz, None)]], Keys::Nsynth);
        let example = scene.open(F0Source::Record).expect("intact").read(0, grid);
        // Frame 7 lies half way, at 17.5.
        let expected = [vec![before; 7], vec![after; 9]].concat();
        assert_eq!(example.expect("converted").f0_hz, expected);
    }
}

#[test]
fn an_unwanted_family_says_what_there_is() {
    let scene = Scene::new(&[vec![note(4, 1, 60), note(4, 1, 61), note(5, 1, 60)]], Keys::Nsynth);
    let index = scene.open(F0Source::Record).expect("intact");
    let filter = Filter { families: vec![4], pitches: vec![61, 62], ..Filter::default() };
    assert_eq!(index.filter(&filter).expect("there is one").labels(0).pitch, Some(61));
    let filter = Filter { families: vec![8], ..Filter::default() };
    let text = index.filter(&filter).expect_err("none").to_string();
    assert_eq!(text, "none of 3 records is string; there are keyboard (2), mallet (1)");
}

fn orchestra() -> ExampleIndex {
    let notes = (0..5).flat_map(|instrument| (60..68).map(move |pitch| note(8, instrument, pitch)));
    Scene::new(&[notes.collect()], Keys::Nsynth).open(F0Source::Record).expect("intact")
}

#[test]
fn whole_instruments_and_pitches_are_held_out() {
    let index = orchestra();
    let distinct = |index: &ExampleIndex, label: fn(&Labels) -> Option<i64>| {
        let values = (0..index.len()).filter_map(|i| label(index.labels(i)));
        values.collect::<std::collections::BTreeSet<_>>()
    };
    for seed in 0..20 {
        let hold_out = HoldOut::Labels { n_instruments: 1, n_pitches: 2, seed };
        let (train, held_out) = index.hold_out(&hold_out).expect("enough");
        // 4 instruments x 6 pitches remain.
        assert_eq!((train.len(), held_out.len()), (24, 16));
        let pitches = distinct(&train, |l| l.pitch);
        assert_eq!((distinct(&train, |l| l.instrument).len(), pitches.len()), (4, 6));
        assert!(
            pitches.contains(&60) && pitches.contains(&67),
            "the range is trained: {pitches:?}"
        );
        let again = index.hold_out(&hold_out).expect("enough").0;
        let places =
            |index: &ExampleIndex| (0..index.len()).map(|i| index.place(i).1).collect::<Vec<_>>();
        assert_eq!(places(&train), places(&again), "the same seed, the same split");
    }
}

#[test]
fn too_little_to_hold_out_is_told() {
    let index = orchestra();
    let hold_out = HoldOut::Labels { n_instruments: 5, n_pitches: 0, seed: 1 };
    let text = index.hold_out(&hold_out).expect_err("all of them").to_string();
    assert_eq!(text, "cannot hold out 5 of 5 instruments");
    let (train, held_out) = index.hold_out(&HoldOut::Share { share: 0.1, seed: 1 }).expect("some");
    assert_eq!((train.len(), held_out.len()), (36, 4));
    let unlabelled = NoteRecord { labels: Labels::default(), ..note(0, 0, 0) };
    let index = Scene::new(&[vec![unlabelled]], Keys::Ddsp).open(F0Source::Record).expect("intact");
    let hold_out = HoldOut::Labels { n_instruments: 1, n_pitches: 0, seed: 1 };
    let text = index.hold_out(&hold_out).expect_err("no labels").to_string();
    assert!(text.contains("no instrument label"), "{text}");
}

#[test]
fn statistics_cover_the_notes() {
    let scene = Scene::new(&[vec![note(8, 1, 57), note(8, 1, 57)]], Keys::Nsynth);
    let index = scene.open(F0Source::Record).expect("intact");
    let (pitch, loudness) = index.statistics(GRID).expect("voiced");
    assert!((pitch.f0_midi.mean - 57.0).abs() < 1e-3, "A3: {}", pitch.f0_midi.mean);
    assert!(loudness.loudness_db.max > -60.0, "{}", loudness.loudness_db.max);
    let silent = NoteRecord { f0_confidence: Some(vec![0.0; 40]), ..note(8, 1, 57) };
    let scene = Scene::new(&[vec![silent]], Keys::Ddsp);
    let index = scene.open(F0Source::Record).expect("intact");
    let text = index.statistics(GRID).expect_err("unvoiced").to_string();
    assert!(text.contains("no frame of the data is voiced"), "{text}");
}

#[test]
fn mixed_data_sets_keep_their_weights_through_a_selection() {
    let strings = Scene::new(&[vec![note(8, 1, 60), note(8, 2, 61)]], Keys::Nsynth);
    let others =
        Scene::new(&[vec![note(4, 3, 62), note(8, 4, 63)], vec![note(8, 5, 64)]], Keys::Ddsp);
    let sets = [(strings.dir.path(), 0.25), (others.dir.path(), 3.0)];
    let index = ExampleIndex::open_mixed(&sets, F0Source::Record).expect("intact");
    let share = |weight, indices: &[usize]| Share { weight, indices: indices.to_vec() };
    assert_eq!(index.shares(), [share(0.25, &[0, 1]), share(3.0, &[2, 3, 4])]);
    assert_eq!(index.read(4, GRID).expect("a note").id, "8-5-64", "files of the second set");
    let filter = Filter { families: vec![8], pitches: vec![61, 62, 64], ..Filter::default() };
    let selected = index.filter(&filter).expect("two notes");
    assert_eq!(selected.shares(), [share(0.25, &[0]), share(3.0, &[1])]);
    let filter = Filter { families: vec![4], ..Filter::default() };
    let selected = index.filter(&filter).expect("one note");
    assert_eq!(selected.shares(), [share(3.0, &[0])], "a data set without examples has no share");
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let sets = [(strings.dir.path(), weight)];
        let error = ExampleIndex::open_mixed(&sets, F0Source::Record).expect_err("no weight");
        assert!(error.to_string().contains("is not above 0"), "{error}");
    }
}

#[test]
fn lengths_and_checksums_are_known_without_reading() {
    let (first, mut second) = (note(8, 1, 60), note(8, 1, 60));
    second.sample_rate = Some(48_000);
    second.audio_16k = Some(second.audio.clone());
    second.audio = vec![0.0; 3 * 2560];
    let scene = Scene::new(&[vec![first.clone(), second, first]], Keys::Ddsp);
    let index = scene.open(F0Source::Record).expect("intact");
    let lens = |rate| [0, 1].map(|i| index.n_samples(i, rate));
    assert_eq!((lens(16_000), lens(48_000)), ([2560, 2560], [2560, 7680]));
    assert_eq!(index.checksum(0), index.checksum(2), "equal records");
    assert_ne!(index.checksum(0), index.checksum(1), "other data");
}
