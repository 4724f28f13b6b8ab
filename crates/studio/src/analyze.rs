//! What the features of one recording are: f0, confidence and loudness over time.

use std::fmt::Write as _;
use std::path::Path;

use ddsp_data::{Audio, ExtractedFeatures, extract_features, read_audio};
use ddsp_kernels::{FrameGrid, VOICED_CONFIDENCE, note_frames};
use serde::Serialize;

use crate::axis::{Axis, extent};
use crate::error::{Error, Result};
use crate::figure::{Figure, Role};
use crate::report::{
    Block, Report, Section, number, pitch_points, points, spectrogram_figure, with_notes,
};
use crate::sheet::sheet;
use crate::spectrogram::spectrogram_db;
use crate::wav::wav_bytes;

/// A recording with its features.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Name of the file.
    pub name: String,
    /// The recording at the grid's rate.
    pub audio: Audio,
    /// Frames of the features.
    pub grid: FrameGrid,
    /// f0, confidence, loudness.
    pub features: ExtractedFeatures,
}

/// The features of a recording in a few figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AnalysisSummary {
    /// Length, seconds.
    pub seconds: f64,
    /// Samples a second of the file.
    pub original_rate: u32,
    /// Share of frames with a pitch, percent.
    pub voiced_percent: f64,
    /// Median f0 of these, Hz; absent if there is none.
    pub median_f0_hz: Option<f64>,
    /// Mean loudness over note frames, dB; absent if there is none.
    pub loudness_db: Option<f64>,
}

/// Reads the recording at `path` and extracts its features on `grid`.
///
/// # Errors
///
/// If it cannot be read as audio or is shorter than a frame.
pub fn analyze(path: &Path, grid: FrameGrid) -> Result<Analysis> {
    let audio = read_audio(path, grid.sample_rate)?;
    if grid.n_frames(audio.samples.len()) == 0 {
        return Err(Error::TooShort { path: path.to_owned(), hop: grid.hop });
    }
    let features = extract_features(&audio.samples, grid);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Analysis { name, audio, grid, features })
}

/// The grid of `sample_rate` and `frame_rate`.
///
/// # Errors
///
/// If one does not divide the other.
pub fn frame_grid(sample_rate: u32, frame_rate: u32) -> Result<FrameGrid> {
    FrameGrid::new(sample_rate, frame_rate).ok_or(Error::FrameRate { sample_rate, frame_rate })
}

impl Analysis {
    /// One line a frame: `seconds,f0_hz,f0_confidence,loudness_db`, with a heading.
    pub fn csv(&self) -> String {
        let mut csv = String::from("seconds,f0_hz,f0_confidence,loudness_db\n");
        let ExtractedFeatures { f0_hz, f0_confidence, loudness_db } = &self.features;
        let frames = f0_hz.iter().zip(f0_confidence).zip(loudness_db);
        for (i, ((f0_hz, confidence), loudness_db)) in frames.enumerate() {
            let secs = self.grid.secs(i);
            writeln!(csv, "{secs:.4},{f0_hz:.3},{confidence:.3},{loudness_db:.2}")
                .expect("a string takes every write");
        }
        csv
    }

    /// The figures of the summary.
    pub fn summary(&self) -> AnalysisSummary {
        let mut f0_hz: Vec<f32> =
            self.features.f0_hz.iter().zip(self.voiced()).filter(|f| f.1).map(|f| *f.0).collect();
        f0_hz.sort_by(f32::total_cmp);
        let ExtractedFeatures { f0_confidence, loudness_db, .. } = &self.features;
        let notes = note_frames(f0_confidence, loudness_db);
        let loud: Vec<f64> =
            loudness_db.iter().zip(notes).filter(|f| f.1).map(|f| f64::from(*f.0)).collect();
        let n_frames = self.features.f0_hz.len();
        AnalysisSummary {
            seconds: self.audio.samples.len() as f64 / f64::from(self.grid.sample_rate),
            original_rate: self.audio.original_rate,
            voiced_percent: 100.0 * f0_hz.len() as f64 / n_frames.max(1) as f64,
            median_f0_hz: f0_hz.get(f0_hz.len() / 2).map(|f0| f64::from(*f0)),
            loudness_db: (!loud.is_empty()).then(|| loud.iter().sum::<f64>() / loud.len() as f64),
        }
    }

    /// A page with everything and the sound.
    pub fn report(&self) -> Report {
        let summary = self.summary();
        let or_none = |value: Option<f64>, unit| {
            value.map_or_else(|| "none".to_owned(), |v| format!("{} {unit}", number(v)))
        };
        let facts = [
            ("Length", format!("{} s", number(summary.seconds))),
            ("Sample rate of the file", format!("{} Hz", summary.original_rate)),
            ("Frames with a pitch", format!("{} %", number(summary.voiced_percent))),
            ("Median f0", or_none(summary.median_f0_hz, "Hz")),
            ("Loudness of the notes", or_none(summary.loudness_db, "dB")),
        ];
        let mut section = Section::new("Features", "Shaded: frames that have a pitch.");
        section.blocks.push(Block::Facts(facts.map(|(n, v)| (n.to_owned(), v)).to_vec()));
        let mut figures: Vec<_> = self.figures().into_iter().map(|f| (f, None)).collect();
        figures[0].1 = Some(wav_bytes(&self.audio.samples, self.grid.sample_rate));
        section.blocks.push(Block::Figures(figures));
        Report { title: self.name.clone(), sections: vec![section], ..Report::default() }
    }

    /// The same figures as an SVG file.
    pub fn picture(&self) -> String {
        sheet(&self.figures(), 2)
    }

    fn voiced(&self) -> impl Iterator<Item = bool> {
        self.features.f0_confidence.iter().map(|c| *c >= VOICED_CONFIDENCE)
    }

    fn figures(&self) -> Vec<Figure> {
        let (grid, voiced) = (self.grid, self.voiced().collect::<Vec<_>>());
        let time = || {
            Axis::linear("s", 0.0, self.audio.samples.len() as f64 / f64::from(grid.sample_rate))
        };
        let spectrogram = spectrogram_db(&self.audio.samples, grid.sample_rate);
        let max = spectrogram.max().max(-100.0).ceil();
        let f0 = pitch_points(grid, &self.features.f0_hz, &voiced);
        let (min_hz, max_hz) = extent(f0.iter().map(|p| p.1));
        let f0 = Figure::new("f0", time(), Axis::log("Hz", min_hz / 1.15, max_hz * 1.15)).curve(
            "",
            Role::Input,
            f0,
        );
        let loudness = points(grid, &self.features.loudness_db);
        let axis = Axis::around("dB", loudness.iter().map(|p| p.1));
        let loudness = Figure::new("Loudness", time(), axis).curve("", Role::Input, loudness);
        let confidence = points(grid, &self.features.f0_confidence);
        let confidence = Figure::new("Confidence in f0", time(), Axis::linear("", 0.0, 1.0))
            .level("voiced", f64::from(VOICED_CONFIDENCE))
            .curve("", Role::Input, confidence);
        let mut figures =
            vec![spectrogram_figure("Spectrogram", spectrogram, max, time(), grid.sample_rate)];
        figures.extend([f0, loudness, confidence].map(|f| with_notes(f, grid, &voiced)));
        figures[1].height = figures[0].height;
        figures
    }
}
