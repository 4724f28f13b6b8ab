//! The sections of a configuration: what each part of a model, and its training, is made of.

use ddsp_kernels::AmplitudeInterpolation;
use serde::{Deserialize, Serialize};

/// Rates of audio and controls, Hz.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioConfig {
    /// Samples a second.
    pub sample_rate: u32,
    /// Frames a second; divides `sample_rate`.
    pub frame_rate: u32,
}

/// The network from features to controls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderConfig {
    /// Which measure of level it takes beside f0.
    pub level: Level,
    /// Width of the recurrent layer.
    pub gru_units: usize,
    /// Width of each dense layer.
    pub fc_units: usize,
    /// Dense layers in each stack; 0 leads the inputs straight to the recurrent layer, and its
    /// outputs, beside them, straight to the controls.
    pub fc_layers: usize,
}

/// A measure of level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A-weighted loudness.
    Loudness,
    /// Unweighted power under a window of 64 ms, which is quick to measure live.
    Power,
}

/// The network from mel-frequency cepstral coefficients to a latent `z` at a low rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Coefficients of a frame.
    pub n_coefficients: usize,
    /// Samples under the window of a frame.
    pub fft_len: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Width of the recurrent layer.
    pub gru_units: usize,
    /// Width of `z`.
    pub z_len: usize,
}

/// The harmonic synthesizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmonicConfig {
    /// Partials, the fundamental included.
    pub n_harmonics: usize,
    /// How amplitudes go from frame to frame.
    pub interpolation: AmplitudeCurve,
}

/// Stiffness of what sounds: the partials of the harmonic synthesizer lie at
/// `k f0 sqrt((1 + B k^2) / (1 + B))`, as those of a string whose lowest one is f0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InharmonicityConfig {
    /// `B` is predicted between 0 and this: 1e-4 in the middle of a piano, 1e-2 at its top.
    pub highest: f64,
    /// Added to the network's output before the map to `B`.
    pub initial_bias: f64,
}

/// The sinusoidal synthesizer: partials whose amplitudes and frequencies are predicted one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinusoidalConfig {
    /// Sinusoids.
    pub n_sinusoids: usize,
    /// Semitones by which sinusoid `k` may leave `k f0` to either side.
    pub detune_semitones: f64,
    /// Added to the network's output before the map to amplitudes, which is not normalised: with
    /// 0, many sinusoids together would begin far too loud.
    pub initial_bias: f64,
    /// How amplitudes go from frame to frame.
    pub interpolation: AmplitudeCurve,
}

/// The wavetable synthesizer: periods that are learned, and mixed from frame to frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WavetableConfig {
    /// Tables.
    pub n_tables: usize,
    /// Values in a table.
    pub table_len: usize,
    /// How amplitudes go from frame to frame.
    pub interpolation: AmplitudeCurve,
}

/// How amplitudes go from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AmplitudeCurve {
    /// In halves of a Hann window, smooth at the frames.
    Window,
    /// In straight lines.
    Linear,
}

impl From<AmplitudeCurve> for AmplitudeInterpolation {
    fn from(curve: AmplitudeCurve) -> Self {
        match curve {
            AmplitudeCurve::Window => Self::Window,
            AmplitudeCurve::Linear => Self::Linear,
        }
    }
}

/// The noise synthesizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseConfig {
    /// Filter magnitudes from DC to the Nyquist frequency.
    pub n_bands: usize,
    /// Taps of the filter; 0 keeps all `2 (n_bands - 1)`.
    pub window_len: usize,
    /// Added to the network's output before the map to magnitudes.
    pub initial_bias: f64,
}

/// Reverberation by a learned impulse response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReverbConfig {
    /// Taps of the response, samples.
    pub ir_len: usize,
}

/// Reverberation by noise with learned decays: a response of [`ReverbConfig`]'s kind whose bands
/// are magnitudes at a frame rate, with fewer values to learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseReverbConfig {
    /// Taps of the response, samples; whole frames.
    pub ir_len: usize,
    /// Frames of the magnitudes.
    pub n_frames: usize,
    /// Filter magnitudes from DC to the Nyquist frequency.
    pub n_bands: usize,
    /// Taps of the filter; 0 keeps all `2 (n_bands - 1)`.
    pub window_len: usize,
    /// Added to the learned values before the map to magnitudes.
    pub initial_bias: f64,
}

/// The spectral loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// FFT lengths, samples.
    pub fft_lens: Vec<usize>,
    /// Weight of the mean difference of magnitudes.
    pub magnitude_weight: f64,
    /// Weight of the mean difference of natural log magnitudes.
    pub log_magnitude_weight: f64,
}

/// How training goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Updates of the parameters.
    pub steps: u64,
    /// Windows averaged into one step.
    pub batch: usize,
    /// Length of a window, seconds.
    pub example_secs: f64,
    /// Adam's learning rate at step 0.
    pub learning_rate: f64,
    /// Factor on the learning rate every `decay_steps`, applied continuously.
    pub decay_rate: f64,
    /// Steps over which the learning rate falls by `decay_rate`; 0 stands for `steps`: the rate then
    /// falls by it once, however long the training.
    pub decay_steps: u64,
    /// Steps over which the learning rate rises from 0 in a straight line; 0 begins in full.
    pub warmup_steps: u64,
    /// Largest norm of the whole gradient; a longer one is scaled down to it.
    pub gradient_clip: f64,
    /// Steps from one held-out loss to the next.
    pub evaluate_every: u64,
    /// Held-out windows that each of those looks at, at most.
    pub evaluate_examples: usize,
    /// Held-out losses without a new lowest after which training ends; 0 goes on to the last step.
    pub patience: u64,
    /// Steps from one checkpoint, from which an interrupted training goes on, to the next.
    pub checkpoint_every: u64,
    /// Seed of the initial parameters, the order of examples, the windows and the noise.
    pub seed: u64,
}
