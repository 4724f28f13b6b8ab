use super::*;
use crate::example::ExampleBuilder;
use crate::record::{Keys, Labels, NoteRecord};
use crate::tfrecord::write_record;

fn note(family: i64, level: f32) -> Vec<u8> {
    let labels = Labels { family: Some(family), pitch: Some(60), ..Labels::default() };
    let audio = vec![level, -level, 0.0];
    let id = format!("note-{family}");
    NoteRecord { id, audio, labels, ..NoteRecord::default() }.encode(Keys::Nsynth)
}

struct Scene {
    dir: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl Scene {
    fn new(files: &[&[Vec<u8>]]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut paths = Vec::new();
        for (i, records) in files.iter().enumerate() {
            let path = dir.path().join(format!("{i}.tfrecord"));
            let mut file = Vec::new();
            for record in *records {
                write_record(&mut file, record).expect("a Vec takes everything");
            }
            std::fs::write(&path, file).expect("writable");
            paths.push(path);
        }
        Self { dir, files: paths }
    }

    fn inspect(&self, options: &InspectOptions) -> Result<Inspection> {
        inspect(&self.files, options, None, &mut |_| ())
    }
}

fn only(condition: &str) -> InspectOptions {
    let predicate = Some(condition.parse().expect("a condition"));
    InspectOptions { predicate, ..InspectOptions::default() }
}

#[test]
fn features_are_summed_up() {
    let scene = Scene::new(&[&[note(8, 0.5), note(8, 0.25), note(4, 0.75)]]);
    let inspection = scene.inspect(&InspectOptions::default()).expect("intact");
    assert_eq!((inspection.records, inspection.files.len()), (3, 1));
    let audio = &inspection.features["audio"];
    assert_eq!((audio.records, audio.min_len, audio.max_len), (3, 3, 3));
    assert_eq!((audio.min, audio.max, audio.mean), (Some(-0.75), Some(0.75), Some(0.0)));
    assert_eq!(audio.kinds, BTreeMap::from([("float".to_owned(), 3)]));
    let families = inspection.features["instrument/family"].counts.clone();
    let expected = BTreeMap::from([("string".to_owned(), 2), ("keyboard".to_owned(), 1)]);
    assert_eq!(families, Some(expected));
    assert_eq!(inspection.features["id"].first.as_deref(), Some("note-8"));
}

#[test]
fn faults_in_values_are_counted() {
    let scene = Scene::new(&[&[note(8, f32::NAN), note(8, 0.5)]]);
    let inspection = scene.inspect(&InspectOptions::default()).expect("intact");
    let audio = &inspection.features["audio"];
    assert_eq!((audio.not_finite, audio.max), (2, Some(0.5)));
}

#[test]
fn files_without_records_are_told() {
    let error = |records: &[Vec<u8>], options: &InspectOptions| {
        Scene::new(&[records]).inspect(options).expect_err("nothing").to_string()
    };
    let all = InspectOptions::default();
    assert!(error(&[], &all).ends_with("0.tfrecord: no records"), "empty");
    let text = error(&[b"text".to_vec()], &all);
    assert!(text.contains("record at byte 0: not an Example"), "{text}");
    let text = error(&[note(8, 0.5)], &only("pitch > 60"));
    assert!(text.ends_with("none of 1 records passes `pitch > 60`"), "{text}");
    let text = error(&[note(8, 0.5)], &only("audio > 60"));
    assert!(text.contains("record at byte 0: `audio` is a float list of 3"), "{text}");
}

#[test]
fn only_records_that_pass_count() {
    let scene = Scene::new(&[&[note(8, 0.5), note(4, 0.9)], &[note(8, 0.25), note(3, 1.0)]]);
    let inspection = scene.inspect(&only("instrument/family == 'string'")).expect("intact");
    assert_eq!((inspection.records, inspection.dropped), (2, 2));
    assert_eq!(inspection.features["audio"].max, Some(0.5));
    assert_eq!(inspection.files.iter().map(|file| file.records).collect::<Vec<_>>(), [1, 1]);
}

/// Enough records for several chunks and threads, with values that round differently in another order.
fn many() -> Vec<Vec<u8>> {
    let record = |n: u16| {
        let level = 1.0 / f32::from(n + 3);
        let mut builder = ExampleBuilder::default();
        builder.floats("audio", &vec![level; 20_000 + usize::from(n)]);
        builder.int64s("pitch", &[i64::from(n % 7)]);
        builder.int64s("label", &[i64::from(n)]);
        builder.bytes("id", format!("note {n}").as_bytes());
        builder.finish()
    };
    (0..150).map(record).collect()
}

#[test]
fn threads_and_shards_change_nothing() {
    let records = many();
    let scene = Scene::new(&[&records[..70], &records[70..72], &records[72..]]);
    let with = |n_threads, shard: &str| {
        let shard = shard.parse().expect("a shard");
        InspectOptions { n_threads, shard, ..InspectOptions::default() }
    };
    let expected = scene.inspect(&with(1, "0/1")).expect("intact");
    assert_eq!(expected.records, 150);
    let plain: f64 = (0..150_u16)
        .map(|n| f64::from(1.0 / f32::from(n + 3)) * f64::from(20_000 + u32::from(n)))
        .sum();
    let sum = expected.features["audio"].sum;
    assert!((sum / plain - 1.0).abs() < 1e-12, "{sum} is not {plain}");
    for n_threads in [2, 5] {
        assert_eq!(scene.inspect(&with(n_threads, "0/1")).expect("intact"), expected);
    }
    let part = scene.inspect(&with(1, "1/3")).expect("intact");
    assert_eq!((part.records, &part.files[..]), (2, &expected.files[1..2]));

    let into = |out: &Path, shard| inspect_into(&scene.files, out, &with(2, shard), &mut |_| ());
    let one = scene.dir.path().join("one");
    assert_eq!(into(&one, "0/1").expect("intact"), expected);
    let out = scene.dir.path().join("out");
    assert_eq!(into(&out, "2/3").expect("intact").files_missing, 2);
    assert_eq!(into(&out, "0/3").expect("intact").files_missing, 1);
    assert_eq!(into(&out, "1/3").expect("intact"), expected);
    let manifest = |out: &Path| std::fs::read(out.join("manifest.json")).expect("written");
    assert_eq!(manifest(&out), manifest(&one), "to the last bit");
    assert_eq!(into(&out, "1/3").expect("verified"), expected, "a second run reports the same");
}

#[test]
fn records_are_shown_in_order() {
    let records = many();
    let scene = Scene::new(&[&records[..70], &records[70..]]);
    let mut shown = Vec::new();
    let mut sink = |view: &RecordView| {
        shown.push((view.file.to_owned(), view.index, view.offset));
        Ok(())
    };
    let options = InspectOptions { n_threads: 3, ..only("label in 60..79") };
    inspect(&scene.files, &options, Some(&mut sink), &mut |_| ()).expect("intact");
    let expected: Vec<u64> = (60..70).chain(0..10).collect();
    assert_eq!(shown.iter().map(|&(_, index, _)| index).collect::<Vec<_>>(), expected);
    assert!(shown[9].0 == scene.files[0] && shown[10].0 == scene.files[1], "files in order");
    let frame = |n: usize| records[n].len() as u64 + 16;
    assert_eq!(shown[10].2, 0);
    assert_eq!(shown[11].2, frame(70));

    let mut failing = |_: &RecordView| Err(io::Error::other("enough"));
    let error = inspect(&scene.files, &options, Some(&mut failing), &mut |_| ());
    assert_eq!(error.expect_err("ended").to_string(), "cannot write the results: enough");
}

#[test]
fn one_record_is_found() {
    let scene = Scene::new(&[&many()[..3], &many()[3..5]]);
    let found = find_record(&scene.files, 4, None).expect("there");
    let view = found.view();
    assert_eq!((view.file, view.index), (&*scene.files[1], 1));
    let third: Predicate = "label > 1".parse().expect("a condition");
    let found = find_record(&scene.files, 1, Some(&third)).expect("there");
    assert_eq!(found.view().example.get("label").and_then(|f| f.int64()), Some(3));
    let error = find_record(&scene.files, 5, None).expect_err("too far").to_string();
    assert_eq!(error, "there is no record 5: 5 in all, counted from 0");
    let error = find_record(&scene.files, 9, Some(&third)).expect_err("too far").to_string();
    assert_eq!(error, "there is no record 9: 3 that pass, counted from 0");
}

#[test]
fn a_record_is_shown_as_json_and_as_lines() {
    let mut builder = ExampleBuilder::default();
    builder.floats("audio", &[0.1, -1.0, f32::NAN, 2.5e-3, 0.0, 1e9, 7.0, 8.0, 9.0, 10.0]);
    builder.bytes("id", "größe".as_bytes());
    builder.bytes("raw", b"\xff\x00");
    builder.bytes("long", "ß".repeat(100).as_bytes());
    builder.int64s("pitch", &[60]);
    builder.floats("none", &[]);
    let data = builder.finish();
    let example = Example::parse(&data).expect("an Example");
    let view = RecordView { file: Path::new("x"), index: 2, offset: 300, example };
    let json = |full| serde_json::to_value(view.json(full)).expect("JSON");
    let short = json(false);
    assert_eq!(
        (&short["file"], &short["record"], &short["offset"]),
        (&"x".into(), &2.into(), &300.into())
    );
    let audio = &short["features"]["audio"];
    assert_eq!((&audio["kind"], &audio["len"]), (&"float".into(), &10.into()));
    assert_eq!(audio["values"].as_array().map(Vec::len), Some(8), "shortened");
    assert_eq!(audio["values"][2], "NaN");
    let text = serde_json::to_string(&view.json(false)).expect("JSON");
    assert!(text.contains("[0.1,-1.0,"), "a float's own digits: {text}");
    assert_eq!(short["features"]["id"]["values"][0], "größe");
    assert_eq!(short["features"]["raw"]["values"][0]["base64"], "/wA=");
    assert_eq!(short["features"]["long"]["values"][0], format!("{}…", "ß".repeat(60)));
    let full = json(true);
    assert_eq!(full["features"]["audio"]["values"].as_array().map(Vec::len), Some(10));
    assert_eq!(full["features"]["long"]["values"][0], "ß".repeat(100));

    let lines = view.lines();
    assert_eq!(lines[0], "  audio  float  × 10      0.1 -1 NaN 0.0025 0 1000000000 7 8 …");
    assert_eq!(lines[1], "  id     bytes  × 1       \"größe\"");
    assert_eq!(lines[3], "  none   float  × 0");
    assert_eq!(lines[4], "  pitch  int64  × 1       60");
}
