//! The matrix at a size that takes seconds: interrupted anywhere it ends with the same figures, and the
//! figures are those of the sounds.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ddsp_data::instruments::{Family, instrument_label, instrument_name};
use ddsp_data::{ExampleIndex, F0Source, HoldOut, Pitches, extract_features, read_audio};
use ddsp_kernels::VOICED_CONFIDENCE;
use ddsp_studio::{
    Conductor, DemoOptions, Error, Event, MatrixCell, MatrixOptions, MatrixReport, demo, matrix,
};

/// A matrix of two families and models that learn next to nothing in six steps.
fn tiny(out: &Path) -> MatrixOptions {
    let mut options = MatrixOptions::new(out.to_owned()).expect("the preset");
    options.families = vec![Family::Bass, Family::Flute];
    options.synth.families = ["bass", "flute", "string"].map(str::to_owned).to_vec();
    options.synth.n_instruments = 2;
    options.synth.pitches = Pitches::Count(4);
    options.synth.velocities = vec![80];
    options.synth.secs = 1.0;
    options.n_held_out = [1, 1];
    options.training_secs = 600.0;
    let settings = [
        "decoder.gru_units=16",
        "decoder.fc_units=16",
        "harmonic.n_harmonics=10",
        "noise.n_bands=9",
        "train.example_secs=1.0",
        "train.batch=2",
        "train.steps=6",
        "train.evaluate_every=3",
        "train.checkpoint_every=2",
    ];
    for setting in settings {
        options.config.set(setting).expect("a setting");
    }
    options
}

/// Runs with somebody listening who may set the flag to stop.
fn run(
    options: &MatrixOptions,
    mut hear: impl FnMut(&Event, &AtomicBool),
) -> Result<MatrixReport, Error> {
    let stop = AtomicBool::new(false);
    let mut tell = |event| hear(&event, &stop);
    matrix(options, &mut Conductor { tell: &mut tell, stop: &stop, n_threads: 2 })
}

/// `matrix.json` without times.
fn figures(options: &MatrixOptions) -> String {
    let text = fs::read_to_string(options.out.join("matrix/matrix.json")).expect("a file");
    text.lines().filter(|line| !line.contains("\"seconds\"")).collect::<Vec<_>>().join("\n")
}

fn is_step(event: &Event, step: u64) -> bool {
    matches!(event, Event::Training(progress) if progress.step == step)
}

/// Ends the second training twice.
fn interrupt_learning(options: &MatrixOptions) {
    // As if killed after a checkpoint and before the next.
    let mut n_third_steps = 0;
    let killed = catch_unwind(AssertUnwindSafe(|| {
        run(options, |event, _| {
            n_third_steps += u32::from(is_step(event, 3));
            assert!(n_third_steps < 2, "killed");
        })
    }));
    assert!(killed.is_err(), "killed while learning the flute");
    // Ctrl-C.
    let stopped = run(options, |event, stop| {
        stop.fetch_or(is_step(event, 4), Ordering::Relaxed);
    });
    let during = match stopped {
        Err(Error::Interrupted { during }) => during,
        other => panic!("{other:?}"),
    };
    assert_eq!(during, "learning flute", "the fifth step was the last");
}

#[test]
fn interrupted_anywhere_it_ends_with_the_same_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = tiny(&folder.path().join("whole"));
    run(&whole, |_, _| ()).expect("the work is done");

    let parts = tiny(&folder.path().join("parts"));
    interrupt_learning(&parts);
    // Ctrl-C among the transfers.
    let mut n_steps = 0;
    let mut lines = Vec::new();
    let stopped = run(&parts, |event, stop| match event {
        Event::Training(_) => n_steps += 1,
        Event::Result(line) => lines.push(line.clone()),
        Event::Progress { unit: "transfers", .. } => stop.store(true, Ordering::Relaxed),
        _ => {}
    });
    assert!(matches!(stopped, Err(Error::Interrupted { .. })), "stopped among the transfers");
    assert_eq!(n_steps, 1, "the sixth step was left");
    assert!(lines.iter().any(|line| line.starts_with("bass: learned earlier")), "{lines:?}");
    assert!(!parts.out.join("matrix/matrix.json").exists(), "not finished");

    let mut n_steps = 0;
    let report = run(&parts, |event, _| n_steps += u32::from(matches!(event, Event::Training(_))));
    report.expect("the work is done");
    assert_eq!(n_steps, 0, "nothing is trained again");
    assert_eq!(figures(&parts), figures(&whole));
}

#[test]
fn what_is_whole_is_kept_and_what_was_changed_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = tiny(folder.path());
    run(&options, |_, _| ()).expect("the work is done");
    let before = figures(&options);
    let place = |name: &str| options.out.join("matrix").join(name);
    let modified =
        |name: &str| fs::metadata(place(name)).and_then(|m| m.modified()).expect("there");
    let names = ["audio/bass-by-flute.wav", "audio/flute-by-bass.wav"];
    let times = names.map(modified);
    let sound = fs::read(place(names[0])).expect("a sound");
    fs::write(place(names[0]), &sound[..sound.len() / 2]).expect("damaged");

    run(&options, |_, _| ()).expect("the work is done");
    assert_eq!(fs::read(place(names[0])).expect("a sound"), sound, "the damage is repaired");
    assert_eq!(modified(names[1]), times[1], "the other was not made again");
    assert_eq!(figures(&options), before);

    // The models change places: every sound is another, and so are the figures.
    let [bass, flute] = ["bass", "flute"].map(|name| place(&format!("{name}/model.safetensors")));
    let swapped = fs::read(&bass).expect("a model");
    fs::copy(&flute, &bass).expect("copied");
    fs::write(&flute, swapped).expect("written");
    let error = run(&options, |_, _| ()).expect_err("the folders know their models");
    assert!(error.to_string().contains("model.safetensors was changed"), "{error}");
}

#[test]
fn the_demo_and_the_matrix_share_a_folder_and_its_notes() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = tiny(folder.path());
    run(&options, |_, _| ()).expect("the work is done");
    let before = figures(&options);

    let mut strings = DemoOptions::new(options.out.clone()).expect("the preset");
    strings.synth = options.synth.clone();
    strings.n_held_out = options.n_held_out;
    strings.config = options.config.clone();
    let (mut made_notes, stop) = (false, AtomicBool::new(false));
    let mut tell = |event| made_notes |= matches!(event, Event::Progress { unit: "notes", .. });
    let mut conductor = Conductor { tell: &mut tell, stop: &stop, n_threads: 2 };
    let report = demo(&strings, &mut conductor).expect("the work is done");
    assert!(report.notes.already_done && !made_notes, "the notes are those of the matrix");
    run(&options, |_, _| ()).expect("the work is done");
    assert_eq!(figures(&options), before, "the demo left the matrix alone");
}

#[test]
fn more_time_trains_on_and_the_sounds_follow() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = tiny(&folder.path().join("whole"));
    run(&whole, |_, _| ()).expect("the work is done");

    let mut slow = tiny(&folder.path().join("slow"));
    // Over before the second step, on any machine; and one family first.
    slow.training_secs = 1e-6;
    slow.families = vec![Family::Flute];
    let report = run(&slow, |_, _| ()).expect("the work is done");
    assert_eq!((report.models[0].steps, &*report.models[0].ending), (1, "time budget"));
    assert_eq!(report.cells.len(), 1, "one family");
    slow.training_secs = whole.training_secs;
    slow.families = whole.families.clone();
    run(&slow, |_, _| ()).expect("the work is done");
    assert_eq!(figures(&slow), figures(&whole));
}

#[test]
fn figures_are_those_of_the_sounds() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = tiny(folder.path());
    let report = run(&options, |_, _| ()).expect("the work is done");
    assert_eq!(report.failed().count(), 0, "{:?}", report.checks);
    let cells: Vec<[&str; 2]> = report.cells.iter().map(|cell| [cell.phrase, cell.model]).collect();
    let expected = [["bass", "bass"], ["bass", "flute"], ["flute", "bass"], ["flute", "flute"]];
    assert_eq!(cells, expected, "phrase by phrase");
    // The flute lies two octaves above the bass: one of the two moves wherever they meet.
    let octaves: Vec<i8> = report.cells.iter().map(|cell| cell.octaves).collect();
    assert!(octaves[0] == 0 && octaves[1] > 0 && octaves[2] < 0 && octaves[3] == 0, "{octaves:?}");

    let page = fs::read_to_string(&report.page).expect("a page");
    assert!(page.len() < 100_000 && !page.contains("data:audio"), "sounds lie beside the page");
    for cell in &report.cells {
        assert_eq!(cell.audio, format!("audio/{}-by-{}.wav", cell.phrase, cell.model));
        check_sound(&options.out.join("matrix"), cell);
        check_place(cell);
        for file in [&cell.audio, &cell.picture] {
            assert!(page.contains(&**file), "the page does not name {file}");
            assert!(options.out.join("matrix").join(file).is_file(), "no {file}");
        }
    }
    check_summary(&report);
    for (phrase, &family) in report.phrases.iter().zip(&options.families) {
        let heard = instruments_heard(&options, family);
        assert!(phrase.is_held_out && !heard.contains(&phrase.instrument), "{phrase:?}: {heard:?}");
    }
}

/// Names of the instruments that a family's model learned from.
fn instruments_heard(options: &MatrixOptions, family: Family) -> Vec<&'static str> {
    let records = options.out.join("sorted").join(format!("{}.tfrecord*", family.name()));
    let [n_instruments, n_pitches] = options.n_held_out;
    let hold_out = HoldOut::Labels { n_instruments, n_pitches, seed: options.synth.seed };
    let all = ExampleIndex::open(&[records], F0Source::Record).expect("records");
    let (training, _) = all.hold_out(&hold_out).expect("two instruments, four pitches");
    let plays = |instrument: &u32| {
        let label = Some(instrument_label(family, *instrument));
        (0..training.len()).any(|i| training.labels(i).instrument == label)
    };
    let heard = (0..ddsp_data::instruments::n_instruments(family)).filter(plays);
    heard.map(|instrument| instrument_name(family, instrument)).collect()
}

/// Measures the files of a cell again.
fn check_sound(root: &Path, cell: &MatrixCell) {
    let grid = tiny(root).config.grid();
    let features = |path: &str| {
        let audio = read_audio(&root.join(path), grid.sample_rate).expect("a sound");
        extract_features(&audio.samples, grid)
    };
    let before = features(&format!("audio/{}.wav", cell.phrase));
    let after = features(&cell.audio);
    let is_voiced = |confidence: &[f32], i: usize| confidence[i] >= VOICED_CONFIDENCE;
    let voiced: Vec<usize> =
        (0..before.f0_hz.len()).filter(|&i| is_voiced(&before.f0_confidence, i)).collect();
    let kept = voiced.iter().copied().filter(|&i| is_voiced(&after.f0_confidence, i));
    let asked = |i: usize| f64::from(before.f0_hz[i]) * 2_f64.powi(i32::from(cell.octaves));
    let mut cents: Vec<f64> =
        kept.map(|i| 1200.0 * (f64::from(after.f0_hz[i]) / asked(i)).log2().abs()).collect();
    cents.sort_by(f64::total_cmp);
    let percent = 100.0 * cents.len() as f64 / voiced.len() as f64;
    // 16 bits may move a frame at the edge of being voiced.
    assert!((percent - cell.voiced_kept_percent).abs() <= 1.0, "{percent}: {cell:?}");
    let (median, said) = (cents[cents.len() / 2], cell.median_f0_error_cents.expect("voiced"));
    assert!((median - said).abs() <= 0.1 + 0.05 * said, "{median}: {cell:?}");
}

/// Whose sound a cell is follows from its distances, in the register of its notes.
fn check_place(cell: &MatrixCell) {
    // A3 to B flat 4 with a fourth around it, two octaves lower on a bass, one higher on a flute.
    let tune = if cell.phrase == "bass" { 52 - 24 } else { 52 + 12 };
    let low = u8::try_from(tune + 12 * i32::from(cell.octaves)).expect("MIDI");
    assert_eq!(cell.placed.register, [low, low + 23], "{cell:?}");
    let [model, phrase] = [cell.model, cell.phrase].map(|f| cell.placed.distances_db[f]);
    let expected = (cell.model != cell.phrase).then_some(model < phrase);
    assert_eq!(cell.is_nearer_to_learned, expected, "{cell:?}");
    assert_eq!(cell.distance_to_learned_db(), Some(model), "{cell:?}");
}

fn check_summary(report: &MatrixReport) {
    let count = |is: fn(&&MatrixCell) -> bool| report.cells.iter().filter(is).count();
    let summary = &report.summary;
    assert_eq!(summary.n_off_diagonal, 2, "of four cells");
    let n_nearer = count(|cell| cell.is_nearer_to_learned == Some(true));
    assert_eq!(summary.n_nearer_to_learned, n_nearer, "{summary:?}");
    let errors = report.cells.iter().filter_map(|cell| cell.loudness_error_db);
    let worst = summary.loudness_error_db.as_ref().expect("errors").worst;
    assert_eq!(worst, errors.fold(0.0, f64::max), "{summary:?}");
}
