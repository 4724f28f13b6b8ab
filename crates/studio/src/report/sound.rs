//! The panel of one sound: what went in, what came out, and what the model did in between.

use ddsp_kernels::{AverageSpectrum, FrameGrid, SpectralEnvelope};
use ddsp_model::{Controls, ToneControls};

use super::{Block, Section};
use crate::axis::{Axis, extent};
use crate::figure::{Figure, Image, Role};
use crate::picture::Grid;
use crate::spectrogram::{MIN_HZ, spectrogram_db};
use crate::wav::wav_bytes;

/// Colours of a spectrogram span this many dB below the loudest point of the input and output.
const SPECTROGRAM_RANGE_DB: f32 = 80.0;

/// Colours of a heat map span this many dB.
const HEAT_MAP_RANGE_DB: f32 = 60.0;

/// Pitch and loudness over time, `[n_frames]` each.
#[derive(Clone, Copy, Debug)]
pub struct FeatureCurves<'a> {
    /// Fundamental frequency, Hz.
    pub f0_hz: &'a [f32],
    /// Whether a frame has a pitch; only these are drawn.
    pub voiced: &'a [bool],
    /// A-weighted loudness, dB.
    pub loudness_db: &'a [f32],
}

/// All there is to show of one sound.
#[derive(Clone, Copy, Debug)]
pub struct Sound<'a> {
    /// Frames of everything over time.
    pub grid: FrameGrid,
    /// The audio that went in.
    pub input: &'a [f32],
    /// Measured on the input.
    pub input_features: FeatureCurves<'a>,
    /// What the model was asked for, after adjustment.
    pub request: FeatureCurves<'a>,
    /// The audio that came out: the sum of the two parts, in the room if there is one.
    pub output: &'a [f32],
    /// Measured on the output.
    pub output_features: FeatureCurves<'a>,
    /// The pitched part, dry.
    pub tone: &'a [f32],
    /// The noise part, dry.
    pub noise: &'a [f32],
    /// What drove both.
    pub controls: &'a Controls,
    /// What the output's average spectrum should be like, with a name.
    pub reference: Option<(&'a str, &'a SpectralEnvelope)>,
}

impl Sound<'_> {
    /// The panel.
    pub fn section(&self, title: &str, lede: &str, facts: Vec<(String, String)>) -> Section {
        let mut section = Section::new(title, lede);
        if !facts.is_empty() {
            section.blocks.push(Block::Facts(facts));
        }
        section.blocks.push(Block::Figures(self.spectrograms()));
        section.blocks.push(self.curves());
        section
    }

    /// What was asked for, what came out, and the controls in between, without a sound.
    pub fn curves(&self) -> Block {
        let figures = [self.f0(), self.loudness(), self.amplitudes()]
            .into_iter()
            .chain(self.tone_map())
            .chain(self.noise_map())
            .chain([self.average_spectra()]);
        Block::Figures(figures.map(|figure| (figure, None)).collect())
    }

    /// The four spectrograms on one colour scale, each with its sound.
    pub fn spectrograms(&self) -> Vec<(Figure, Option<Vec<u8>>)> {
        let sample_rate = self.grid.sample_rate;
        let parts = [
            ("Input", self.input),
            ("Output", self.output),
            ("Pitched part of the output", self.tone),
            ("Noise part of the output", self.noise),
        ];
        let parts = parts.map(|(title, audio)| Heard { title, audio, sample_rate });
        // Parts that cancel are brighter than all: the whole sets the scale.
        spectrograms(&parts, 2, &self.time())
    }

    /// Time of the longer of input and output.
    fn time(&self) -> Axis {
        let n_samples = self.input.len().max(self.output.len());
        Axis::linear("s", 0.0, n_samples as f64 / f64::from(self.grid.sample_rate))
    }

    fn f0(&self) -> Figure {
        let curves = [self.request, self.input_features, self.output_features];
        let voiced = |f: FeatureCurves| pitch_points(self.grid, f.f0_hz, f.voiced);
        let [request, input, output] = curves.map(voiced);
        let all = input.iter().chain(&output).chain(&request).map(|p| p.1);
        let (min, max) = extent(all);
        let figure = Figure::new("f0", self.time(), Axis::log("Hz", min / 1.15, max * 1.15));
        let moved = self.request.f0_hz != self.input_features.f0_hz;
        let figure = figure.curve("input", Role::Input, input);
        let figure = if moved { figure.curve("requested", Role::Request, request) } else { figure };
        with_notes(figure.curve("output", Role::Output, output), self.grid, self.request.voiced)
    }

    fn loudness(&self) -> Figure {
        let curves = [self.input_features, self.request, self.output_features];
        let [input, request, output] = curves.map(|f| points(self.grid, f.loudness_db));
        let all = input.iter().chain(&output).chain(&request).map(|p| p.1);
        let figure = Figure::new("Loudness", self.time(), Axis::around("dB", all))
            .curve("input", Role::Input, input)
            .curve("requested", Role::Request, request)
            .curve("output", Role::Output, output);
        with_notes(figure, self.grid, self.request.voiced)
    }

    fn amplitudes(&self) -> Figure {
        let amplitudes = match &self.controls.tone {
            ToneControls::Harmonic { amplitudes, .. }
            | ToneControls::Wavetable { amplitudes, .. } => amplitudes.clone(),
            // Of all sinusoids together.
            ToneControls::Sinusoidal { amplitudes, .. } => {
                let n_sinusoids = amplitudes.len() / self.n_frames().max(1);
                amplitudes.chunks(n_sinusoids.max(1)).map(|frame| frame.iter().sum()).collect()
            }
        };
        let points = points(self.grid, &amplitudes);
        let axis = Axis::linear("linear", 0.0, 1.05 * extent(points.iter().map(|p| p.1)).1);
        Figure::new("Amplitude of the tone", self.time(), axis).curve("", Role::Harmonic, points)
    }

    fn average_spectra(&self) -> Figure {
        let envelope = |audio: &[f32]| {
            let mut average = AverageSpectrum::new(self.grid.sample_rate);
            average.add(audio);
            average.envelope()
        };
        let (input, output) = (envelope(self.input), envelope(self.output));
        let curves = [
            (self.reference.map_or("", |r| r.0), Role::Reference, self.reference.map(|r| r.1)),
            ("input", Role::Input, input.as_ref()),
            ("output", Role::Output, output.as_ref()),
        ];
        let curves: Vec<_> = curves
            .into_iter()
            .filter_map(|(name, role, envelope)| Some((name, role, envelope_points(envelope?))))
            .collect();
        let all = || curves.iter().flat_map(|(.., points)| points);
        let (min_hz, max_hz) = extent(all().map(|p| p.0));
        let (_, max_db) = extent(all().map(|p| p.1));
        let y = Axis::linear("dB", max_db - f64::from(HEAT_MAP_RANGE_DB), max_db + 3.0);
        let figure = Figure::new("Average spectrum", Axis::log("Hz", min_hz, max_hz), y);
        curves
            .into_iter()
            .fold(figure, |figure, (name, role, points)| figure.curve(name, role, points))
    }

    /// Frames of the controls.
    fn n_frames(&self) -> usize {
        self.request.f0_hz.len()
    }

    fn tone_map(&self) -> Option<Figure> {
        let (title, values) = match &self.controls.tone {
            ToneControls::Harmonic { harmonic_distribution, .. } => {
                ("Harmonic distribution", harmonic_distribution)
            }
            ToneControls::Sinusoidal { amplitudes, .. } => {
                ("Amplitudes of the sinusoids", amplitudes)
            }
            ToneControls::Wavetable { table_weights, .. } => {
                ("Shares of the tables", table_weights)
            }
        };
        let n_rows = values.len().checked_div(self.n_frames())?;
        let axis = Axis::linear("number", 0.5, n_rows as f64 + 0.5);
        Some(heat_map(title, self.time(), axis, n_rows, values))
    }

    fn noise_map(&self) -> Option<Figure> {
        let magnitudes = &self.controls.magnitudes;
        let n_bands = magnitudes.len().checked_div(self.n_frames())?;
        let axis = Axis::linear("kHz", 0.0, f64::from(self.grid.sample_rate) / 2000.0);
        Some(heat_map("Noise magnitudes", self.time(), axis, n_bands, magnitudes))
    }
}

/// A sound with a name.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// What it is.
    pub title: &'a str,
    /// Full scale ±1.
    pub audio: &'a [f32],
    /// Samples a second.
    pub sample_rate: u32,
}

/// Spectrograms of sounds, each with its sound, on one colour scale that reaches up to the loudest
/// point of the first `n_loudest`.
pub fn spectrograms(
    sounds: &[Heard<'_>],
    n_loudest: usize,
    time: &Axis,
) -> Vec<(Figure, Option<Vec<u8>>)> {
    let grids: Vec<Grid> =
        sounds.iter().map(|sound| spectrogram_db(sound.audio, sound.sample_rate)).collect();
    let floor = SPECTROGRAM_RANGE_DB - 180.0;
    let max = grids.iter().take(n_loudest).map(Grid::max).fold(floor, f32::max).ceil();
    let pictures = sounds.iter().zip(grids).map(|(sound, grid)| {
        let Heard { title, audio, sample_rate } = *sound;
        let figure = spectrogram_figure(title, grid, max, time.clone(), sample_rate);
        (figure, Some(wav_bytes(audio, sample_rate)))
    });
    pictures.collect()
}

/// A spectrogram whose brightest colour is `max` dB.
pub fn spectrogram_figure(
    title: &str,
    grid: Grid,
    max: f32,
    time: Axis,
    sample_rate: u32,
) -> Figure {
    let axis = Axis::log("Hz", MIN_HZ, f64::from(sample_rate) / 2.0);
    let mut figure = Figure::new(title, time, axis).image(Image {
        grid,
        min: max - SPECTROGRAM_RANGE_DB,
        max,
        unit: "dB",
        crisp: false,
    });
    figure.height = 210;
    figure
}

fn envelope_points(envelope: &SpectralEnvelope) -> Vec<(f64, f64)> {
    let bands = envelope.band_hz.iter().zip(&envelope.bands_db);
    bands.map(|(hz, db)| (f64::from(*hz), f64::from(*db))).collect()
}

/// Points of a value at every frame.
pub fn points(grid: FrameGrid, values: &[f32]) -> Vec<(f64, f64)> {
    values.iter().enumerate().map(|(i, v)| (grid.secs(i), f64::from(*v))).collect()
}

/// Points of a pitch at every voiced frame, with gaps elsewhere.
pub fn pitch_points(grid: FrameGrid, f0_hz: &[f32], voiced: &[bool]) -> Vec<(f64, f64)> {
    let at = |(i, (f0_hz, voiced)): (usize, (&f32, &bool))| {
        (grid.secs(i), if *voiced { f64::from(*f0_hz) } else { f64::NAN })
    };
    f0_hz.iter().zip(voiced).enumerate().map(at).collect()
}

/// The figure with the stretches of `voiced` frames shaded.
pub fn with_notes(mut figure: Figure, grid: FrameGrid, voiced: &[bool]) -> Figure {
    let mut start = None;
    for (i, voiced) in voiced.iter().chain(&[false]).enumerate() {
        match (start, voiced) {
            (None, true) => start = Some(i),
            (Some(first), false) => {
                figure.spans.push((grid.secs(first), grid.secs(i)));
                start = None;
            }
            _ => {}
        }
    }
    figure
}

/// Linear values, `[n_frames, n_rows]`, as a picture in dB.
fn heat_map(title: &str, time: Axis, axis: Axis, n_rows: usize, values: &[f32]) -> Figure {
    let db = values.iter().map(|v| 20.0 * v.max(1e-9).log10()).collect();
    let grid = Grid::new(n_rows.max(1), db);
    let max = grid.max().ceil();
    Figure::new(title, time, axis).image(Image {
        grid,
        min: max - HEAT_MAP_RANGE_DB,
        max,
        unit: "dB",
        crisp: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_shows_four_spectrograms_with_sound_and_six_figures() {
        let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
        let (audio, frames, voiced) = (vec![0.1; 640], vec![220.0; 10], vec![false; 10]);
        let features = FeatureCurves { f0_hz: &frames, voiced: &voiced, loudness_db: &frames };
        let (amplitudes, harmonic_distribution) = (vec![0.0; 10], vec![0.5; 20]);
        let tone =
            ToneControls::Harmonic { amplitudes, harmonic_distribution, inharmonicity: None };
        let controls = Controls { tone, magnitudes: vec![0.0; 30] };
        let sound = Sound {
            grid,
            input: &audio,
            input_features: features,
            request: features,
            output: &audio,
            output_features: features,
            tone: &audio,
            noise: &[0.0; 640],
            controls: &controls,
            reference: None,
        };
        let section = sound.section("Silence", "", Vec::new());
        let [Block::Figures(spectrograms), Block::Figures(curves)] = &section.blocks[..] else {
            panic!("two blocks of figures")
        };
        assert!(spectrograms.len() == 4 && spectrograms.iter().all(|(_, wav)| wav.is_some()));
        assert_eq!(curves.len(), 6);
        for (figure, _) in spectrograms.iter().chain(curves) {
            assert!(!figure.svg().into_string().contains("NaN"), "{} has no extent", figure.title);
        }
    }

    #[test]
    fn notes_are_shaded_from_their_first_frame_to_the_frame_after_the_last() {
        let grid = FrameGrid { sample_rate: 1000, hop: 100 };
        let figure = Figure::new("", Axis::linear("s", 0.0, 1.0), Axis::linear("", 0.0, 1.0));
        let figure = with_notes(figure, grid, &[false, true, true, false, true]);
        assert_eq!(figure.spans, [(0.1, 0.3), (0.4, 0.5)]);
    }
}
