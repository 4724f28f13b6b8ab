//! A whole autoencoder as the reference computes it: our network, scaling, noise, reverb and loss,
//! with the reference's phases, its late filters and its noise in place of ours.

use ddsp_kernels::{
    ExpSigmoid, FilterAlignment, FilteredNoise, FrameGrid, Reverb, SpectralLoss,
    SpectralLossConfig, normalize_harmonics, normalize_harmonics_backward,
};
use ddsp_model::{
    Architecture, Config, DecoderCache, DecoderGradients, NoiseReverbConfig, ParameterEntry,
    scale_f0, scale_loudness,
};

use crate::golden::noise;
use crate::running_sum::{Controls, RunningSum};

/// One example through one autoencoder.
pub(crate) struct Chain {
    config: Config,
    architecture: Architecture,
    f0_hz: Vec<f32>,
    /// Scaled level and f0.
    inputs: [Vec<f32>; 2],
    target: Vec<f32>,
    cache: DecoderCache,
    tone: RunningSum,
    noise: FilteredNoise,
    reverb: Reverb,
    loss: SpectralLoss,
}

/// What lies between the network and the sound.
struct Synthesis {
    raw: Split,
    controls: Split,
    /// Distribution before its normalisation.
    scaled_distribution: Vec<f32>,
    /// Tone and noise.
    dry: Vec<f32>,
}

/// Rows of a network's outputs, apart.
struct Split {
    amplitudes: Vec<f32>,
    distribution: Vec<f32>,
    magnitudes: Vec<f32>,
}

impl Chain {
    /// For one example of `config`: f0 and level of its frames, and what it ought to sound like.
    pub(crate) fn new(config: Config, f0_hz: Vec<f32>, level_db: &[f32], target: Vec<f32>) -> Self {
        let architecture = Architecture::new(&config);
        let grid = config.grid();
        let n_frames = f0_hz.len();
        let harmonic = config.harmonic.as_ref().expect("a harmonic model");
        let ir_len = config.reverb.as_ref().map(|reverb| reverb.ir_len);
        let ir_len = ir_len.or(config.noise_reverb.as_ref().map(|reverb| reverb.ir_len));
        Self {
            cache: DecoderCache::new(architecture.decoder(), n_frames, 1),
            tone: RunningSum {
                sample_rate: sample_rate(grid),
                hop: grid.hop,
                curve: harmonic.interpolation,
                exact: false,
            },
            noise: FilteredNoise::with_alignment(
                grid,
                config.noise.n_bands,
                config.noise.window_len,
                FilterAlignment::Reference,
            ),
            reverb: Reverb::new(n_frames * grid.hop, ir_len.expect("a reverb"), true),
            loss: SpectralLoss::new(&SpectralLossConfig::default(), target.len()),
            inputs: [
                level_db.iter().copied().map(scale_loudness).collect(),
                f0_hz.iter().copied().map(scale_f0).collect(),
            ],
            f0_hz,
            target,
            architecture,
            config,
        }
    }

    /// The same with phases that do not drift.
    pub(crate) fn with_exact_phases(mut self) -> Self {
        self.tone.exact = true;
        self
    }

    /// The parameters' names and places.
    pub(crate) fn entries(&self) -> &[ParameterEntry] {
        &self.architecture.table().entries
    }

    /// The loss and its gradient.
    pub(crate) fn evaluate(&mut self, parameters: &[f32]) -> (f64, Vec<f32>) {
        let decoder = self.architecture.decoder();
        let inputs = [self.inputs[0].as_slice(), &self.inputs[1]];
        let mut raw = vec![0.0; self.f0_hz.len() * decoder.n_outputs()];
        decoder.forward(parameters, &inputs, &mut self.cache, &mut raw);
        let synthesis = self.synthesize(&raw);
        let n_samples = synthesis.dry.len();
        self.set_response(parameters);
        let mut wet = vec![0.0; n_samples];
        self.reverb.forward(&synthesis.dry, &mut wet);
        // The reference's last frame is for the interpolation: what it makes is cut off.
        let mut grad_wet = vec![0.0; n_samples];
        let heard = self.target.len();
        let grad_heard = Some(&mut grad_wet[..heard]);
        let terms = self.loss.evaluate(&self.target, &wet[..heard], grad_heard);

        let mut gradient = vec![0.0; parameters.len()];
        let mut grad_dry = vec![0.0; n_samples];
        self.reverb.backward(&synthesis.dry, &grad_wet, Some(&mut grad_dry));
        self.take_response_gradient(parameters, &mut gradient);
        let grad_raw = self.synthesize_backward(&synthesis, &grad_dry);
        let inputs = [self.inputs[0].as_slice(), &self.inputs[1]];
        let grads = DecoderGradients { parameters: &mut gradient, z: None };
        let decoder = self.architecture.decoder();
        decoder.backward(parameters, &inputs, &mut self.cache, &grad_raw, grads);
        (terms.total(), gradient)
    }

    fn synthesize(&mut self, raw: &[f32]) -> Synthesis {
        let mut raw = Split::of_rows(raw, self.f0_hz.len(), self.config.noise.n_bands);
        let bias = single(self.config.noise.initial_bias);
        raw.magnitudes.iter_mut().for_each(|x| *x += bias);
        let scaled_distribution = scaled(&raw.distribution);
        let mut controls = Split {
            amplitudes: scaled(&raw.amplitudes),
            distribution: vec![0.0; scaled_distribution.len()],
            magnitudes: scaled(&raw.magnitudes),
        };
        let rate = sample_rate(self.config.grid());
        let distribution = &mut controls.distribution;
        normalize_harmonics(&scaled_distribution, &self.f0_hz, rate, distribution);
        let mut dry = self.tone.forward(self.tone_controls(&controls));
        let mut noisy = vec![0.0; dry.len()];
        self.noise.forward(&noise(dry.len()), &controls.magnitudes, &mut noisy);
        dry.iter_mut().zip(noisy).for_each(|(dry, noisy)| *dry += noisy);
        Synthesis { raw, controls, scaled_distribution, dry }
    }

    /// Gradient of the network's outputs.
    fn synthesize_backward(&mut self, synthesis: &Synthesis, grad_dry: &[f32]) -> Vec<f32> {
        let Synthesis { raw, controls, scaled_distribution, .. } = synthesis;
        let (grad_amplitudes, grad_distribution) =
            self.tone.backward(self.tone_controls(controls), grad_dry);
        let mut grad_scaled = vec![0.0; grad_distribution.len()];
        normalize_harmonics_backward(
            scaled_distribution,
            &self.f0_hz,
            sample_rate(self.config.grid()),
            &grad_distribution,
            &mut grad_scaled,
        );
        let mut grad_magnitudes = vec![0.0; controls.magnitudes.len()];
        let input = noise(grad_dry.len());
        self.noise.backward(&input, &controls.magnitudes, grad_dry, &mut grad_magnitudes);
        Split {
            amplitudes: scaled_backward(&raw.amplitudes, &grad_amplitudes),
            distribution: scaled_backward(&raw.distribution, &grad_scaled),
            magnitudes: scaled_backward(&raw.magnitudes, &grad_magnitudes),
        }
        .into_rows()
    }

    fn tone_controls<'a>(&'a self, controls: &'a Split) -> Controls<'a> {
        Controls {
            f0_hz: &self.f0_hz,
            amplitudes: &controls.amplitudes,
            distribution: &controls.distribution,
        }
    }

    /// Where the reverb's parameters lie: they are the last.
    fn reverb_parameters<'a>(&self, parameters: &'a [f32]) -> &'a [f32] {
        &parameters[self.entries().last().expect("a reverb").range.clone()]
    }

    fn set_response(&mut self, parameters: &[f32]) {
        let values = self.reverb_parameters(parameters);
        match self.config.noise_reverb.clone() {
            None => self.reverb.set_impulse_response(values),
            Some(config) => {
                let mut response = vec![0.0; config.ir_len];
                let magnitudes = scaled(&biased(values, &config));
                let mut synth = response_synth(&config);
                synth.forward(&noise(config.ir_len), &magnitudes, &mut response);
                self.reverb.set_impulse_response(&response);
            }
        }
    }

    fn take_response_gradient(&mut self, parameters: &[f32], gradient: &mut [f32]) {
        let range = self.entries().last().expect("a reverb").range.clone();
        let gradient = &mut gradient[range];
        let Some(config) = self.config.noise_reverb.clone() else {
            return self.reverb.take_impulse_response_gradient(gradient);
        };
        let mut grad_response = vec![0.0; config.ir_len];
        self.reverb.take_impulse_response_gradient(&mut grad_response);
        let raw = biased(self.reverb_parameters(parameters), &config);
        let mut grad_magnitudes = vec![0.0; raw.len()];
        let mut synth = response_synth(&config);
        synth.backward(&noise(config.ir_len), &raw, &grad_response, &mut grad_magnitudes);
        gradient.copy_from_slice(&scaled_backward(&raw, &grad_magnitudes));
    }
}

impl Split {
    fn of_rows(rows: &[f32], n_frames: usize, n_bands: usize) -> Self {
        let width = rows.len() / n_frames;
        let columns = |columns: std::ops::Range<usize>| {
            rows.chunks_exact(width).flat_map(|row| &row[columns.clone()]).copied().collect()
        };
        Self {
            amplitudes: columns(0..1),
            distribution: columns(1..width - n_bands),
            magnitudes: columns(width - n_bands..width),
        }
    }

    fn into_rows(self) -> Vec<f32> {
        let n_frames = self.amplitudes.len();
        let n_harmonics = self.distribution.len() / n_frames;
        let n_bands = self.magnitudes.len() / n_frames;
        let frame = |i: usize| {
            let distribution = &self.distribution[i * n_harmonics..][..n_harmonics];
            let magnitudes = &self.magnitudes[i * n_bands..][..n_bands];
            [&self.amplitudes[i..=i], distribution, magnitudes].concat()
        };
        (0..n_frames).flat_map(frame).collect()
    }
}

fn scaled(raw: &[f32]) -> Vec<f32> {
    let mut scaled = vec![0.0; raw.len()];
    ExpSigmoid::default().forward(raw, &mut scaled);
    scaled
}

fn scaled_backward(raw: &[f32], grad_scaled: &[f32]) -> Vec<f32> {
    let mut grad_raw = vec![0.0; raw.len()];
    ExpSigmoid::default().backward(raw, grad_scaled, &mut grad_raw);
    grad_raw
}

fn biased(values: &[f32], config: &NoiseReverbConfig) -> Vec<f32> {
    values.iter().map(|value| value + single(config.initial_bias)).collect()
}

fn response_synth(config: &NoiseReverbConfig) -> FilteredNoise {
    let hop = config.ir_len / config.n_frames;
    let grid = FrameGrid { sample_rate: 16_000, hop };
    let alignment = FilterAlignment::Reference;
    FilteredNoise::with_alignment(grid, config.n_bands, config.window_len, alignment)
}

#[expect(clippy::cast_possible_truncation, reason = "validated: a small number")]
fn single(value: f64) -> f32 {
    value as f32
}

fn sample_rate(grid: FrameGrid) -> f32 {
    grid.sample_rate as f32
}
