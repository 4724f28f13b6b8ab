//! The ranges of a configuration's values: wide enough for any sensible model, narrow enough that
//! a foreign file cannot ask for memory without end.

use super::{AudioConfig, Config, example_frames};
use crate::encoder::{MFCC_BANDS, MFCC_RATE};
use crate::error::Error;

impl Config {
    /// Checks every range.
    ///
    /// # Errors
    ///
    /// Names the first key out of range, its value and what is allowed.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_audio()?;
        within("decoder.gru_units", self.decoder.gru_units, 1, 4096)?;
        within("decoder.fc_units", self.decoder.fc_units, 1, 4096)?;
        within("decoder.fc_layers", self.decoder.fc_layers, 0, 16)?;
        self.validate_encoder()?;
        self.validate_synthesizer()?;
        within("noise.n_bands", self.noise.n_bands, 2, 4096)?;
        within("noise.window_len", self.noise.window_len, 0, 8192)?;
        within("noise.initial_bias", self.noise.initial_bias, -50.0, 50.0)?;
        self.validate_reverb()?;
        self.validate_loss()?;
        self.validate_train()
    }

    fn validate_audio(&self) -> Result<(), Error> {
        let AudioConfig { sample_rate, frame_rate } = self.audio;
        within("audio.sample_rate", sample_rate, 8000, 192_000)?;
        within("audio.frame_rate", frame_rate, 1, sample_rate)?;
        if !sample_rate.is_multiple_of(frame_rate) {
            let allowed = format!("a divisor of audio.sample_rate = {sample_rate}");
            return Err(out_of_range("audio.frame_rate", frame_rate, allowed));
        }
        Ok(())
    }

    fn validate_encoder(&self) -> Result<(), Error> {
        let Some(encoder) = &self.encoder else { return Ok(()) };
        within("encoder.n_coefficients", encoder.n_coefficients, 1, MFCC_BANDS)?;
        within("encoder.fft_len", encoder.fft_len, 64, 65_536)?;
        if !encoder.fft_len.is_multiple_of(4) {
            let allowed = "a multiple of 4".to_owned();
            return Err(out_of_range("encoder.fft_len", encoder.fft_len, allowed));
        }
        within("encoder.hop", encoder.hop, 1, encoder.fft_len)?;
        within("encoder.gru_units", encoder.gru_units, 1, 4096)?;
        within("encoder.z_len", encoder.z_len, 1, 4096)?;
        let sample_rate = self.audio.sample_rate;
        if sample_rate < MFCC_RATE {
            let allowed = format!("at least {MFCC_RATE} for an encoder");
            return Err(out_of_range("audio.sample_rate", sample_rate, allowed));
        }
        Ok(())
    }

    fn validate_synthesizer(&self) -> Result<(), Error> {
        let parts = [
            ("harmonic", self.harmonic.is_some()),
            ("sinusoidal", self.sinusoidal.is_some()),
            ("wavetable", self.wavetable.is_some()),
        ];
        let there: Vec<&str> = parts.iter().filter(|part| part.1).map(|part| part.0).collect();
        if there.len() != 1 {
            let found = if there.is_empty() { "none".to_owned() } else { there.join(" and ") };
            let wanted = "one of [harmonic], [sinusoidal] and [wavetable]";
            return Err(Error::Sections { wanted, found });
        }
        if let Some(harmonic) = &self.harmonic {
            within("harmonic.n_harmonics", harmonic.n_harmonics, 1, 1000)?;
        }
        if let Some(inharmonicity) = &self.inharmonicity {
            within("inharmonicity.highest", inharmonicity.highest, 1e-6, 0.1)?;
            within("inharmonicity.initial_bias", inharmonicity.initial_bias, -50.0, 50.0)?;
            if self.harmonic.is_none() {
                let found = "none".to_owned();
                return Err(Error::Sections { wanted: "[harmonic] for [inharmonicity]", found });
            }
        }
        if let Some(sinusoidal) = &self.sinusoidal {
            within("sinusoidal.n_sinusoids", sinusoidal.n_sinusoids, 1, 1000)?;
            within("sinusoidal.detune_semitones", sinusoidal.detune_semitones, 0.0, 48.0)?;
            within("sinusoidal.initial_bias", sinusoidal.initial_bias, -50.0, 50.0)?;
        }
        if let Some(wavetable) = &self.wavetable {
            within("wavetable.n_tables", wavetable.n_tables, 1, 1000)?;
            within("wavetable.table_len", wavetable.table_len, 4, 65_536)?;
        }
        Ok(())
    }

    fn validate_reverb(&self) -> Result<(), Error> {
        let longest = 10 * self.audio.sample_rate as usize;
        if let Some(reverb) = &self.reverb {
            within("reverb.ir_len", reverb.ir_len, 2, longest)?;
            if self.noise_reverb.is_some() {
                let found = "reverb and noise_reverb".to_owned();
                return Err(Error::Sections { wanted: "one reverb at most", found });
            }
        }
        let Some(reverb) = &self.noise_reverb else { return Ok(()) };
        within("noise_reverb.ir_len", reverb.ir_len, 2, longest)?;
        within("noise_reverb.n_frames", reverb.n_frames, 1, reverb.ir_len)?;
        if !reverb.ir_len.is_multiple_of(reverb.n_frames) {
            let allowed = format!("a divisor of noise_reverb.ir_len = {}", reverb.ir_len);
            return Err(out_of_range("noise_reverb.n_frames", reverb.n_frames, allowed));
        }
        within("noise_reverb.n_bands", reverb.n_bands, 2, 4096)?;
        within("noise_reverb.window_len", reverb.window_len, 0, 8192)?;
        within("noise_reverb.initial_bias", reverb.initial_bias, -50.0, 50.0)
    }

    fn validate_loss(&self) -> Result<(), Error> {
        let loss = &self.loss;
        within("the count of loss.fft_lens", loss.fft_lens.len(), 1, 16)?;
        for &fft_len in &loss.fft_lens {
            within("an entry of loss.fft_lens", fft_len, 16, 65_536)?;
            if !fft_len.is_multiple_of(4) {
                let allowed = "a multiple of 4".to_owned();
                return Err(out_of_range("an entry of loss.fft_lens", fft_len, allowed));
            }
        }
        within("loss.magnitude_weight", loss.magnitude_weight, 0.0, 1e6)?;
        within("loss.log_magnitude_weight", loss.log_magnitude_weight, 0.0, 1e6)?;
        if loss.magnitude_weight + loss.log_magnitude_weight == 0.0 {
            let allowed = "above 0, or loss.log_magnitude_weight must be".to_owned();
            return Err(out_of_range("loss.magnitude_weight", 0, allowed));
        }
        Ok(())
    }

    fn validate_train(&self) -> Result<(), Error> {
        let train = &self.train;
        within("train.steps", train.steps, 1, 1_000_000_000)?;
        within("train.batch", train.batch, 1, 1024)?;
        within("train.example_secs", train.example_secs, 0.01, 600.0)?;
        if example_frames(self) == 0 {
            let allowed = "at least one frame long".to_owned();
            return Err(out_of_range("train.example_secs", train.example_secs, allowed));
        }
        within("train.learning_rate", train.learning_rate, 1e-9, 1.0)?;
        within("train.decay_rate", train.decay_rate, 1e-3, 1.0)?;
        within("train.decay_steps", train.decay_steps, 0, 1_000_000_000)?;
        within("train.warmup_steps", train.warmup_steps, 0, 1_000_000_000)?;
        within("train.gradient_clip", train.gradient_clip, 1e-6, 1e12)?;
        within("train.evaluate_every", train.evaluate_every, 1, 1_000_000_000)?;
        within("train.evaluate_examples", train.evaluate_examples, 1, 1_000_000)?;
        within("train.patience", train.patience, 0, 1_000_000_000)?;
        within("train.checkpoint_every", train.checkpoint_every, 1, 1_000_000_000)?;
        within("train.seed", train.seed, 0, i64::MAX.unsigned_abs())
    }
}

/// Checks `lowest <= value <= highest`, which NaN is not.
fn within<T: PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: T,
    lowest: T,
    highest: T,
) -> Result<(), Error> {
    if value >= lowest && value <= highest {
        return Ok(());
    }
    Err(out_of_range(key, value, format!("from {lowest} to {highest}")))
}

fn out_of_range(key: &'static str, value: impl std::fmt::Display, allowed: String) -> Error {
    Error::OutOfRange { key, value: value.to_string(), allowed }
}
