use super::signals::{SAMPLE_RATE, Sound, Truth, harmonics, zoo};
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
        assert!(score.right * 100 >= score.tone * 98, "{name}: raw pitch accuracy");
        assert!(score.octave * 200 <= score.tone, "{name}: octave errors");
        assert!(score.heard * 100 >= score.tone * 97, "{name}: voicing recall");
        assert!(score.false_alarm * 100 <= score.noise * 5, "{name}: false alarms");
    }
}

#[test]
fn every_kind_of_tone_is_tracked() {
    check_zoo(13, 100);
}

/// The whole range, every 5 semitones: `cargo test -p ddsp-kernels -- --ignored --nocapture zoo`.
#[test]
#[ignore = "half a minute; the coarser one runs always"]
fn the_whole_zoo_is_tracked() {
    check_zoo(5, 64);
}

#[test]
fn any_block_split_gives_the_same_bits() {
    let sound = Sound { secs: 0.5, ..Sound::new(harmonics(1, 9, |k| 1.0 / k), 217.0) };
    for (sample_rate, hop) in [(16_000, 64), (44_100, 441)] {
        let config = PitchConfig::new(sample_rate, hop);
        let audio = sound.render(sample_rate);
        let whole = track_pitch(config, &audio);
        assert_eq!(whole.len(), audio.len() / hop, "frames of {} samples", audio.len());
        // The same tracker again and again: finish leaves nothing behind.
        let mut tracker = PitchTracker::new(config);
        for block_len in [1, 7, 64, 1000, 4096] {
            let mut frames = Vec::new();
            for (i, block) in audio.chunks(block_len).enumerate() {
                tracker.push(block, &mut frames);
                let n_pushed = (i * block_len) + block.len();
                let due = (n_pushed + hop).saturating_sub(tracker.latency_samples()) / hop;
                assert!(frames.len() >= due, "{} frames of {due} are out", frames.len());
            }
            tracker.finish(&mut frames);
            assert!(frames == whole, "blocks of {block_len} samples differ");
        }
    }
}
