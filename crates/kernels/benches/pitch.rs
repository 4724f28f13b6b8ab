//! Pitch of 60 s of sound on one thread, at the frame rates of training (250) and analysis (100).
//!
//! `cargo bench -p ddsp-kernels --bench pitch`; the item rate is samples a second, so `x real time`
//! is that over 16 000.

use ddsp_kernels::{PitchConfig, track_pitch};

const SAMPLE_RATE: u32 = 16_000;

fn main() {
    divan::main();
}

/// A glissando of sawtooth-like tones.
fn audio(secs: usize) -> Vec<f32> {
    let n_samples = secs * SAMPLE_RATE as usize;
    let mut phase = 0.0_f32;
    (0..n_samples)
        .map(|i| {
            let t = i as f32 / n_samples as f32;
            phase = (phase + 60.0 * (4.0 * t).exp2() / SAMPLE_RATE as f32).fract();
            (1..=5_u8).map(|k| (std::f32::consts::TAU * phase * f32::from(k)).sin() / 8.0).sum()
        })
        .collect()
}

#[divan::bench(args = [100, 250], sample_count = 5)]
fn sixty_seconds(bencher: divan::Bencher, frame_rate: u32) {
    let audio = audio(60);
    let config = PitchConfig::new(SAMPLE_RATE, (SAMPLE_RATE / frame_rate) as usize);
    bencher
        .counter(divan::counter::ItemsCount::new(audio.len()))
        .bench_local(|| track_pitch(config, &audio));
}
