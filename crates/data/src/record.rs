//! The record of one note or excerpt, and its two spellings as a `tf.train.Example`.

use ddsp_kernels::hz_to_midi;

use crate::example::{Example, ExampleBuilder, Feature};

/// NSynth's instrument families, by the number that `instrument/family` holds.
pub const FAMILIES: [&str; 11] = [
    "bass",
    "brass",
    "flute",
    "guitar",
    "keyboard",
    "mallet",
    "organ",
    "reed",
    "string",
    "synth_lead",
    "vocal",
];

/// NSynth's sources of sound, by the number that `instrument/source` holds.
pub const SOURCES: [&str; 3] = ["acoustic", "electronic", "synthetic"];

/// NSynth's qualities, in the order of [`NoteRecord::qualities`].
pub const QUALITIES: [&str; 10] = [
    "bright",
    "dark",
    "distortion",
    "fast_decay",
    "long_release",
    "multiphonic",
    "nonlinear_env",
    "percussive",
    "reverb",
    "tempo-synced",
];

/// The names of a label's values, by number; none where the values are plain numbers.
pub(crate) fn label_values(feature: &str) -> &'static [&'static str] {
    match feature {
        "instrument/family" | "family" => &FAMILIES,
        "instrument/source" | "source" => &SOURCES,
        _ => &[],
    }
}

/// Stands for a label that is not known, in NSynth's spelling, which has no way to leave one out.
const UNKNOWN: i64 = -1;

/// How the features of a record are spelt. Both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    /// `f0_hz`, `f0_confidence`, `loudness_db`: what magenta/ddsp's own tools write.
    #[default]
    Ddsp,
    /// `f0/hz`, `instrument/family`, …: exactly those of `nsynth/gansynth_subset.f0_and_loudness`.
    Nsynth,
}

/// What is said about a note, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize)]
pub struct Labels {
    /// Index into [`FAMILIES`].
    pub family: Option<i64>,
    /// The instrument's own number.
    pub instrument: Option<i64>,
    /// Index into [`SOURCES`].
    pub source: Option<i64>,
    /// MIDI note number of the key.
    pub pitch: Option<i64>,
    /// MIDI velocity, 1 to 127.
    pub velocity: Option<i64>,
}

impl Labels {
    /// The spellings of each label.
    const NAMES: [[&str; 2]; 5] = [
        ["instrument/family", "family"],
        ["instrument/label", "instrument"],
        ["instrument/source", "source"],
        ["pitch", "pitch"],
        ["velocity", "velocity"],
    ];

    /// Reads the labels of a parsed record; what is absent stays `None`.
    ///
    /// # Errors
    ///
    /// If a label is there but not one integer.
    pub fn decode(example: &Example) -> Result<Self, String> {
        let mut values = [None; 5];
        for (value, names) in values.iter_mut().zip(Self::NAMES) {
            let Some((name, feature)) = find(example, &names) else { continue };
            // TensorFlow writes an absent optional value as an empty list, NSynth's spelling as -1.
            if !feature.is_empty() {
                let one = feature.int64();
                let one = one.ok_or_else(|| wrong_kind(name, feature, "one int64"))?;
                *value = Some(one).filter(|&one| one != UNKNOWN);
            }
        }
        let [family, instrument, source, pitch, velocity] = values;
        Ok(Self { family, instrument, source, pitch, velocity })
    }
}

/// A note or excerpt with its features and labels.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct NoteRecord {
    /// Its name, such as `string_acoustic_056-057-127`.
    pub id: String,
    /// Samples a second of `audio`, where the record says so (NSynth's never do: 16 kHz).
    pub sample_rate: Option<u32>,
    /// Frames a second of the features, where the record says so (NSynth's never do: 250).
    pub frame_rate: Option<u32>,
    /// Full scale ±1, `[n_samples]`.
    pub audio: Vec<f32>,
    /// The same at 16 kHz, where `audio` has another rate.
    pub audio_16k: Option<Vec<f32>>,
    /// Fundamental frequency in Hz, `[n_frames]`; 0 where a foreign tracker found none.
    pub f0_hz: Option<Vec<f32>>,
    /// Confidence in it, 0 to 1, `[n_frames]`.
    pub f0_confidence: Option<Vec<f32>>,
    /// Loudness in dB as stored, `[n_frames]`. Scales differ between data sets: do not train on it.
    pub loudness_db: Option<Vec<f32>>,
    /// Family, instrument, source, pitch, velocity.
    pub labels: Labels,
    /// One flag for each of [`QUALITIES`].
    pub qualities: [bool; 10],
}

impl NoteRecord {
    /// Reads a record in either spelling.
    ///
    /// # Errors
    ///
    /// If the bytes are no Example, a feature has another type than its name promises, there is no
    /// audio, or audio or f0 hold values that are not finite; the message names the feature.
    pub fn decode(data: &[u8]) -> Result<Self, String> {
        let example = Example::parse(data).map_err(|e| e.to_string())?;
        let floats = |names: &[&str]| finite_floats(&example, names);
        let audio_16k = floats(&["audio_16k"])?;
        let Some(audio) = floats(&["audio"])?.or_else(|| audio_16k.clone()) else {
            let names: Vec<_> = example.features().iter().map(|f| f.0).collect();
            return Err(format!("no feature `audio`; it has [{}]", names.join(", ")));
        };
        let mut qualities = [false; 10];
        for (flag, quality) in qualities.iter_mut().zip(QUALITIES) {
            let feature = example.get(&format!("qualities/{quality}"));
            *flag = feature.and_then(|f| f.int64()).is_some_and(|value| value != 0);
        }
        Ok(Self {
            id: text(&example, "id"),
            sample_rate: rate(&example, "sample_rate")?,
            frame_rate: rate(&example, "frame_rate")?,
            audio,
            audio_16k,
            f0_hz: floats(&["f0_hz", "f0/hz"])?,
            f0_confidence: floats(&["f0_confidence", "f0/confidence"])?,
            loudness_db: floats(&["loudness_db", "loudness/db"])?,
            labels: Labels::decode(&example)?,
            qualities,
        })
    }

    /// The record as the data of a TFRecord.
    ///
    /// NSynth's spelling holds exactly its features, absent labels as -1 and absent f0 or loudness
    /// as empty lists; what it has no place for (`audio_16k`, the rates) is left out. DDSP's spelling
    /// holds what there is, plus `id`, rates and labels.
    pub fn encode(&self, keys: Keys) -> Vec<u8> {
        match keys {
            Keys::Ddsp => self.encode_ddsp(),
            Keys::Nsynth => self.encode_nsynth(),
        }
    }

    fn encode_ddsp(&self) -> Vec<u8> {
        let mut builder = ExampleBuilder::default();
        builder.floats("audio", &self.audio);
        let lists = [
            ("audio_16k", &self.audio_16k),
            ("f0_hz", &self.f0_hz),
            ("f0_confidence", &self.f0_confidence),
            ("loudness_db", &self.loudness_db),
        ];
        for (name, values) in lists {
            if let Some(values) = values {
                builder.floats(name, values);
            }
        }
        builder.bytes("id", self.id.as_bytes());
        let rates = [("sample_rate", self.sample_rate), ("frame_rate", self.frame_rate)];
        for (name, value) in rates {
            if let Some(value) = value {
                builder.int64s(name, &[i64::from(value)]);
            }
        }
        for ([_, name], value) in Labels::NAMES.iter().zip(self.label_values()) {
            if let Some(value) = value {
                builder.int64s(name, &[value]);
            }
        }
        builder.finish()
    }

    fn encode_nsynth(&self) -> Vec<u8> {
        let mut builder = ExampleBuilder::default();
        let f0_hz = self.f0_hz.as_deref().unwrap_or_default();
        let f0_midi: Vec<f32> = f0_hz.iter().map(|&hz| hz_to_midi(hz)).collect();
        builder.floats("audio", &self.audio);
        builder.floats("f0/confidence", self.f0_confidence.as_deref().unwrap_or_default());
        builder.floats("f0/hz", f0_hz);
        builder.floats("f0/midi", &f0_midi);
        builder.bytes("id", self.id.as_bytes());
        for ([name, _], value) in Labels::NAMES.iter().zip(self.label_values()) {
            builder.int64s(name, &[value.unwrap_or(UNKNOWN)]);
        }
        builder.floats("loudness/db", self.loudness_db.as_deref().unwrap_or_default());
        for (quality, &flag) in QUALITIES.iter().zip(&self.qualities) {
            builder.int64s(&format!("qualities/{quality}"), &[i64::from(flag)]);
        }
        builder.finish()
    }

    fn label_values(&self) -> [Option<i64>; 5] {
        let Labels { family, instrument, source, pitch, velocity } = self.labels;
        [family, instrument, source, pitch, velocity]
    }
}

/// The first of several spellings that is there.
fn find<'a, 'n>(example: &Example<'a>, names: &[&'n str]) -> Option<(&'n str, Feature<'a>)> {
    names.iter().find_map(|&name| Some((name, example.get(name)?)))
}

/// A list of finite floats under the first spelling that is there.
fn finite_floats(example: &Example, names: &[&str]) -> Result<Option<Vec<f32>>, String> {
    let Some((name, feature)) = find(example, names) else { return Ok(None) };
    if feature.is_empty() {
        return Ok(None);
    }
    let floats = feature.floats().ok_or_else(|| wrong_kind(name, feature, "floats"))?;
    match floats.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(format!("feature `{name}`: value {at} is {}", floats[at])),
        None => Ok(Some(floats)),
    }
}

fn rate(example: &Example, name: &str) -> Result<Option<u32>, String> {
    let Some(feature) = example.get(name) else { return Ok(None) };
    let value = feature.int64().and_then(|value| u32::try_from(value).ok()).filter(|&v| v > 0);
    value.map(Some).ok_or_else(|| wrong_kind(name, feature, "one positive int64"))
}

/// A byte string as text; empty where there is none.
fn text(example: &Example, name: &str) -> String {
    let strings = example.get(name).and_then(|feature| feature.bytes()).unwrap_or_default();
    strings.first().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

fn wrong_kind(name: &str, feature: Feature, expected: &str) -> String {
    let (kind, len) = (feature.kind(), feature.len());
    format!("feature `{name}` should be {expected} and is a {kind} list of {len}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::mutants;

    fn note() -> NoteRecord {
        NoteRecord {
            id: "string_acoustic_056-057-127".to_owned(),
            audio: vec![0.25, -0.5, 0.125, 0.0],
            f0_hz: Some(vec![220.0, 0.0]),
            f0_confidence: Some(vec![0.9, 0.1]),
            loudness_db: Some(vec![-20.0, -80.0]),
            labels: Labels {
                family: Some(8),
                instrument: Some(56),
                source: Some(0),
                pitch: Some(57),
                velocity: Some(127),
            },
            qualities: [true, false, false, false, false, false, false, false, true, false],
            ..NoteRecord::default()
        }
    }

    #[test]
    fn nsynth_records_have_exactly_its_features() {
        let data = note().encode(Keys::Nsynth);
        let example = Example::parse(&data).expect("an Example");
        let mut expected: Vec<(String, &str)> =
            ["audio", "f0/hz", "f0/midi", "f0/confidence", "loudness/db"]
                .map(|name| (name.to_owned(), "float"))
                .to_vec();
        let ints =
            ["pitch", "velocity", "instrument/family", "instrument/label", "instrument/source"];
        expected.extend(ints.map(|name| (name.to_owned(), "int64")));
        expected.extend(QUALITIES.map(|name| (format!("qualities/{name}"), "int64")));
        expected.push(("id".to_owned(), "bytes"));
        expected.sort();
        let found: Vec<_> =
            example.features().iter().map(|(n, f)| ((*n).to_owned(), f.kind())).collect();
        assert_eq!(found, expected);
        let midi = example.get("f0/midi").and_then(|f| f.floats());
        assert_eq!(midi, Some(vec![57.0, 0.0]), "A3, and 0 where there is no pitch");
    }

    #[test]
    fn both_spellings_come_back() {
        assert_eq!(NoteRecord::decode(&note().encode(Keys::Nsynth)), Ok(note()));
        let qualities = [false; 10];
        let note = NoteRecord {
            sample_rate: Some(48_000),
            frame_rate: Some(250),
            audio_16k: Some(vec![1.0]),
            qualities,
            ..note()
        };
        assert_eq!(NoteRecord::decode(&note.encode(Keys::Ddsp)), Ok(note));
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let bare = NoteRecord { audio: vec![0.5], ..NoteRecord::default() };
        assert_eq!(NoteRecord::decode(&bare.encode(Keys::Ddsp)), Ok(bare));
    }

    #[test]
    fn nsynth_tells_unknown_labels_from_the_first_ones() {
        // 0 would be a bass.
        let bare = NoteRecord { audio: vec![0.5], ..NoteRecord::default() };
        let data = bare.encode(Keys::Nsynth);
        let example = Example::parse(&data).expect("an Example");
        assert_eq!(example.get("instrument/family").and_then(|f| f.int64()), Some(-1));
        let labels = NoteRecord::decode(&data).expect("a note").labels;
        assert_eq!(labels, Labels::default(), "read back as unknown");
    }

    #[test]
    fn faults_name_the_feature() {
        let error = |build: fn(&mut ExampleBuilder)| {
            let mut builder = ExampleBuilder::default();
            build(&mut builder);
            NoteRecord::decode(&builder.finish()).expect_err("not a note")
        };
        assert_eq!(
            error(|b| b.int64s("pitch", &[60])),
            "no feature `audio`; it has [pitch]",
            "no audio"
        );
        let text = error(|b| b.int64s("audio", &[1, 2]));
        assert_eq!(text, "feature `audio` should be floats and is a int64 list of 2");
        let text = error(|b| b.floats("audio", &[0.0, f32::NAN]));
        assert_eq!(text, "feature `audio`: value 1 is NaN");
        let text = error(|b| {
            b.floats("audio", &[0.0]);
            b.int64s("pitch", &[60, 61]);
        });
        assert!(text.contains("`pitch` should be one int64"), "{text}");
    }

    #[test]
    fn any_bytes_give_a_note_or_an_error() {
        for keys in [Keys::Ddsp, Keys::Nsynth] {
            let data = note().encode(keys);
            for mutant in mutants(&data, 3000) {
                if let Ok(note) = NoteRecord::decode(&mutant) {
                    assert!(note.audio.iter().all(|v| v.is_finite()), "only sound audio passes");
                }
            }
        }
    }
}
