#![expect(clippy::cast_possible_truncation, reason = "audio is single precision")]

use super::signals::{Noise, SAMPLE_RATE, Sound, Truth, harmonics, zoo};
use super::*;

/// Counts over the frames of some sounds.
#[derive(Default)]
struct Score {
    tone: usize,
    right: usize,
    octave: usize,
    heard: usize,
    noise: usize,
    false_alarm: usize,
    cents: Vec<f64>,
}

impl Score {
    fn add(&mut self, sound: &Sound, sample_rate: u32, hop: usize) {
        let frames = track_pitch(PitchConfig::new(sample_rate, hop), &sound.render(sample_rate));
        for (i, frame) in frames.iter().enumerate() {
            let voiced = frame.confidence >= VOICED_CONFIDENCE;
            match sound.truth((i * hop) as f64 / f64::from(sample_rate)) {
                Truth::Tone(f0_hz) => {
                    let cents = 1200.0 * (f64::from(frame.f0_hz) / f0_hz).log2();
                    let octaves = (cents / 1200.0).round();
                    self.tone += 1;
                    self.right += usize::from(cents.abs() <= 50.0);
                    let is_octave = octaves != 0.0 && (cents - 1200.0 * octaves).abs() <= 50.0;
                    self.octave += usize::from(is_octave);
                    self.heard += usize::from(voiced);
                    self.cents.push(cents.abs());
                }
                Truth::Noise => {
                    self.noise += 1;
                    self.false_alarm += usize::from(voiced);
                }
                Truth::Faint => (),
            }
        }
    }

    fn row(&mut self, name: &str) -> String {
        let percent = |n: usize, of: usize| 100.0 * n as f64 / of.max(1) as f64;
        self.cents.sort_by(f64::total_cmp);
        format!(
            "{name:18} {:6.2} {:6.2} {:6.2} {:6.2} {:7.2} {:7.2}",
            percent(self.right, self.tone),
            percent(self.octave, self.tone),
            percent(self.heard, self.tone),
            percent(self.false_alarm, self.noise),
            self.cents.get(self.cents.len() / 2).copied().unwrap_or(0.0),
            self.cents.get(self.cents.len() * 95 / 100).copied().unwrap_or(0.0),
        )
    }
}

/// Every kind of sound, at pitches some semitones apart.
fn check_zoo(semitones: usize, hop: usize) {
    println!(
        "{:18} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7}",
        "", "RPA", "octave", "recall", "false", "median", "p95 ct"
    );
    for (name, sounds) in zoo(semitones) {
        let mut score = Score::default();
        for sound in &sounds {
            score.add(sound, SAMPLE_RATE, hop);
        }
        println!("{}", score.row(name));
        // While a bar's inharmonic overtones are as strong as its fundamental, one period does not
        // look like the next, and nothing tells its voicing from noise but the spectrum.
        let (right, heard) = if name == "bar 1:2.76:5.4" { (97, 85) } else { (98, 97) };
        assert!(score.right * 100 >= score.tone * right, "{name}: raw pitch accuracy");
        assert!(score.octave * 200 <= score.tone, "{name}: octave errors");
        assert!(score.heard * 100 >= score.tone * heard, "{name}: voicing recall");
        assert!(score.false_alarm * 100 <= score.noise * 5, "{name}: false alarms");
    }
}

#[test]
fn every_kind_of_tone_is_tracked() {
    check_zoo(13, 160);
}

#[test]
fn every_kind_of_tone_is_tracked_at_many_frames_a_second() {
    check_zoo(5, 64);
}

#[test]
fn both_ends_of_the_range_are_reached() {
    for (f0_hz, n_harmonics) in [(20.5, 12), (20.5, 40), (3950.0, 1), (3950.0, 2)] {
        let sound = Sound::new(harmonics(1, n_harmonics, |k| 1.0 / k), f0_hz);
        let mut score = Score::default();
        score.add(&sound, SAMPLE_RATE, 160);
        let row = score.row(&format!("{f0_hz} Hz"));
        assert!(score.right * 100 >= score.tone * 97, "{n_harmonics} harmonics: {row}");
        assert!(score.heard * 100 >= score.tone * 97, "{n_harmonics} harmonics: {row}");
    }
}

#[test]
fn any_sample_rate_is_tracked() {
    for sample_rate in [16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
        let mut score = Score::default();
        for f0_hz in [61.7, 440.3, 2113.0] {
            let sound = Sound::new(harmonics(1, 12, |k| 1.0 / k), f0_hz);
            score.add(&sound, sample_rate, sample_rate as usize / 100);
        }
        let row = score.row(&format!("{sample_rate} Hz"));
        assert!(score.right * 100 >= score.tone * 99, "{row}");
        assert!(score.false_alarm * 100 <= score.noise * 5, "{row}");
        // Far below what is audible, and above the interpolation's error of 0.2 cents.
        assert!(score.cents[score.cents.len() / 2] < 0.5, "{row}");
    }
}

/// The lag in seconds that explains the error best: errors regressed on the slope of the truth.
fn lag_secs(f0_hz: fn(f64, f64) -> f64, base_hz: f64, sample_rate: u32, hop: usize) -> f64 {
    let sound = Sound { f0_hz, ..Sound::new(harmonics(1, 20, |k| 1.0 / k), base_hz) };
    let frames = track_pitch(PitchConfig::new(sample_rate, hop), &sound.render(sample_rate));
    let frame_secs = hop as f64 / f64::from(sample_rate);
    let log = |t: f64| f0_hz(base_hz, t).log2();
    let (mut xy, mut xx) = (0.0, 0.0);
    for (i, frame) in frames.iter().enumerate() {
        let t = i as f64 * frame_secs;
        if !(0.2..1.3).contains(&t) {
            continue;
        }
        let slope = (log(t + 1e-4) - log(t - 1e-4)) / 2e-4;
        xy += slope * (log(t) - f64::from(frame.f0_hz).log2());
        xx += slope * slope;
    }
    xy / xx
}

#[test]
fn glides_and_vibrato_show_no_lag() {
    let up: fn(f64, f64) -> f64 = |f, t| f * (2.0 * t).exp2();
    let down: fn(f64, f64) -> f64 = |f, t| 8.0 * f * (-2.0 * t).exp2();
    let linear: fn(f64, f64) -> f64 = |f, t| f * (1.0 + 4.0 * t);
    let vibrato: fn(f64, f64) -> f64 = |f, t| f * (0.04 * (33.0 * t).sin()).exp2();
    for (name, f0_hz) in [("up", up), ("down", down), ("linear", linear), ("vibrato", vibrato)] {
        for (sample_rate, hop) in [(16_000, 64), (16_000, 160), (44_100, 441)] {
            let lag = lag_secs(f0_hz, 110.0, sample_rate, hop);
            // A tenth of the shortest hop here. A lag of half a window would be 16 ms.
            assert!(lag.abs() < 4e-4, "{name} at {sample_rate} Hz, hop {hop}: {lag:.6} s late");
        }
    }
}

#[test]
fn silence_and_noise_are_unvoiced() {
    let config = PitchConfig::new(SAMPLE_RATE, 80);
    let mut noise = Noise(7);
    let white: Vec<f32> = (0..32_000).map(|_| 0.1 * noise.next() as f32).collect();
    let mut state = 0.0;
    let rumble: Vec<f32> = white
        .iter()
        .map(|x| {
            state += 0.05 * (x - state);
            state
        })
        .collect();
    for (name, audio) in [("zeros", vec![0.0; 32_000]), ("offset", vec![0.5; 32_000])] {
        let frames = track_pitch(config, &audio);
        // The step of an offset that begins with the stream is a sound; it is over after 0.3 s.
        let voiced = frames[60..].iter().filter(|f| f.confidence >= VOICED_CONFIDENCE).count();
        assert_eq!(voiced, 0, "voiced frames in {name}");
        assert!(frames.iter().all(|f| f.f0_hz > 0.0), "f0 is above 0 in {name}");
    }
    for (name, audio) in [("white", white), ("rumble", rumble)] {
        let frames = track_pitch(config, &audio);
        let voiced = frames.iter().filter(|f| f.confidence >= VOICED_CONFIDENCE).count();
        assert!(voiced * 100 <= frames.len() * 2, "{voiced} voiced frames in {name} noise");
    }
}

#[test]
fn a_note_on_digital_silence_ends_where_it_ends() {
    let sound = Sound { floor: 0.0, ..Sound::new(harmonics(1, 9, |k| 1.0 / k), 110.0) };
    let mut audio = sound.render(SAMPLE_RATE)[..16_000].to_vec();
    audio.resize(32_000, 0.0);
    let frames = track_pitch(PitchConfig::new(SAMPLE_RATE, 160), &audio);
    for (i, frame) in frames.iter().enumerate() {
        let voiced = frame.confidence >= VOICED_CONFIDENCE;
        // Two periods, which take 18 ms, are seen at once.
        assert!(voiced || !(3..98).contains(&i), "frame {i} of the note is unvoiced");
        assert!(!voiced || i < 103, "frame {i} of the silence is voiced");
    }
}

#[test]
fn garbage_is_unvoiced_and_forgotten() {
    let sound = Sound::new(harmonics(1, 9, |k| 1.0 / k), 220.0);
    let clean = sound.render(SAMPLE_RATE);
    for garbage in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE] {
        let mut audio = clean.clone();
        audio[8000..8100].fill(garbage);
        let frames = track_pitch(PitchConfig::new(SAMPLE_RATE, 100), &audio);
        let is_number = garbage == f32::MIN_POSITIVE;
        for (i, frame) in frames.iter().enumerate() {
            assert!(
                frame.f0_hz > 0.0 && frame.f0_hz.is_finite(),
                "{garbage}, frame {i}: {frame:?}"
            );
            let range = 0.0..=1.0;
            assert!(range.contains(&frame.confidence), "{garbage}, frame {i}: {frame:?}");
            assert!(is_number || !(80..=81).contains(&i) || frame.confidence == 0.0, "frame {i}");
            // 0.1 s later nothing is left of it, to the end of the tone at 1.5 s.
            if (97..235).contains(&i) {
                let cents = 1200.0 * (frame.f0_hz / 220.0).log2();
                assert!(
                    cents.abs() < 1.0 && frame.confidence > 0.9,
                    "{garbage}, frame {i}: {frame:?}"
                );
            }
        }
    }
}

#[test]
fn there_are_as_many_frames_as_whole_hops() {
    for hop in [1, 7, 1000, 20_000] {
        for n_samples in [0, 1, 99, 20_000, 20_001] {
            let n_samples = if hop == 1 { n_samples.min(99) } else { n_samples };
            let frames = track_pitch(PitchConfig::new(SAMPLE_RATE, hop), &vec![0.1; n_samples]);
            assert_eq!(frames.len(), n_samples / hop, "hop {hop}, {n_samples} samples");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(12))]

    /// The same tracker twice: finish leaves nothing behind.
    #[test]
    fn any_block_split_gives_the_same_bits(
        block_lens in proptest::collection::vec(1..3000_usize, 1..40),
        (sample_rate, hop) in proptest::sample::select(vec![(16_000, 64), (44_100, 441)]),
    ) {
        let sound = Sound { secs: 0.5, ..Sound::new(harmonics(1, 9, |k| 1.0 / k), 217.0) };
        let config = PitchConfig::new(sample_rate, hop);
        let audio = sound.render(sample_rate);
        let whole = track_pitch(config, &audio);
        assert_eq!(whole.len(), audio.len() / hop, "frames of {} samples", audio.len());
        let mut tracker = PitchTracker::new(config);
        for _ in 0..2 {
            let mut frames = Vec::new();
            let mut n_pushed = 0;
            for block_len in block_lens.iter().cycle() {
                let end = (n_pushed + block_len).min(audio.len());
                tracker.push(&audio[n_pushed..end], &mut frames);
                n_pushed = end;
                let due = (n_pushed + hop).saturating_sub(tracker.latency_samples()) / hop;
                assert!(frames.len() >= due, "{} frames of {due} are out", frames.len());
                if end == audio.len() {
                    break;
                }
            }
            tracker.finish(&mut frames);
            assert!(frames == whole, "blocks of {block_lens:?} samples differ");
        }
    }
}
