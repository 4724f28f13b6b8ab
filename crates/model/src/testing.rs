//! Small models of every preset, and sounds for them.

use crate::config::{Config, HarmonicConfig, InharmonicityConfig};
use crate::features::{Features, power_db};
use crate::random::uniform_noise;

/// Every preset made small, and a stiff one, by name.
pub(crate) fn small_configs() -> Vec<(&'static str, Config)> {
    let presets = Config::preset_names().map(|name| (name, small_config(name)));
    presets.chain([("seed-harmonic, stiff", stiff_config(-1.0))]).collect()
}

/// A small `seed-harmonic` with inharmonicity; none crosses the Nyquist frequency, where a small
/// change of frequency is a jump.
pub(crate) fn stiff_config(initial_bias: f64) -> Config {
    let mut config = small_config("seed-harmonic");
    config.harmonic = config.harmonic.map(|harmonic| HarmonicConfig { n_harmonics: 3, ..harmonic });
    config.inharmonicity = Some(InharmonicityConfig { highest: 0.01, initial_bias });
    config
}

/// A preset made small enough for thousands of renderings.
pub(crate) fn small_config(preset: &str) -> Config {
    let mut config = Config::preset(preset).unwrap_or_else(|e| panic!("{preset}: {e}"));
    config.decoder.gru_units = 6;
    config.decoder.fc_units = 8;
    (config.noise.n_bands, config.noise.initial_bias) = (6, -1.0);
    if let Some(encoder) = &mut config.encoder {
        (encoder.n_coefficients, encoder.gru_units, encoder.z_len) = (5, 6, 3);
        (encoder.fft_len, encoder.hop) = (256, 128);
    }
    if let Some(harmonic) = &mut config.harmonic {
        harmonic.n_harmonics = 5;
    }
    if let Some(sinusoidal) = &mut config.sinusoidal {
        // None crosses the Nyquist frequency, where a small change of frequency is a jump.
        sinusoidal.n_sinusoids = 3;
    }
    if let Some(wavetable) = &mut config.wavetable {
        (wavetable.n_tables, wavetable.table_len) = (3, 32);
    }
    if let Some(reverb) = &mut config.reverb {
        reverb.ir_len = 100;
    }
    if let Some(reverb) = &mut config.noise_reverb {
        (reverb.ir_len, reverb.n_frames, reverb.n_bands, reverb.window_len) = (96, 6, 5, 0);
    }
    config.validate().unwrap_or_else(|e| panic!("{preset}: {e}"));
    config
}

/// A sound with its features.
pub(crate) struct Example {
    pub(crate) f0_hz: Vec<f32>,
    pub(crate) loudness_db: Vec<f32>,
    power_db: Vec<f32>,
    audio: Vec<f32>,
}

impl Example {
    /// A rising scale that grows louder; its fifth harmonic crosses a Nyquist frequency of 8 kHz.
    pub(crate) fn rising(config: &Config, n_frames: usize) -> Self {
        let ramp = |i: usize| i as f32 / n_frames as f32;
        let f0_hz = (0..n_frames).map(|i| 300.0 * 8.0_f32.powf(ramp(i))).collect();
        let loudness_db = (0..n_frames).map(|i| -60.0 + 50.0 * ramp(i)).collect();
        Self::new(config, f0_hz, loudness_db)
    }

    /// The same backwards.
    pub(crate) fn falling(config: &Config, n_frames: usize) -> Self {
        let Self { mut f0_hz, mut loudness_db, .. } = Self::rising(config, n_frames);
        f0_hz.reverse();
        loudness_db.reverse();
        Self::new(config, f0_hz, loudness_db)
    }

    /// Noise of the given level stands for the sound itself.
    fn new(config: &Config, f0_hz: Vec<f32>, loudness_db: Vec<f32>) -> Self {
        let hop = config.grid().hop;
        let mut audio = vec![0.0; f0_hz.len() * hop];
        uniform_noise(f0_hz.len() as u64, &mut audio);
        for (audio, level_db) in audio.chunks_mut(hop).zip(&loudness_db) {
            let gain = 10.0_f32.powf(level_db / 20.0);
            audio.iter_mut().for_each(|sample| *sample *= gain);
        }
        Self { power_db: power_db(&audio, config.grid()), f0_hz, loudness_db, audio }
    }

    /// All that is known of it.
    pub(crate) fn features(&self) -> Features<'_> {
        let Self { f0_hz, loudness_db, power_db, audio } = self;
        Features { f0_hz, loudness_db, power_db, audio }
    }
}
