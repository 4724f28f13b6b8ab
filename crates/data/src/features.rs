//! The features of audio that a model is conditioned on, by the kernels that live playing uses too.

use ddsp_kernels::{FrameGrid, Loudness, PitchConfig, track_pitch};

/// Features of one piece of audio, each `[n_frames]` with frame `i` centred on sample `i * hop`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractedFeatures {
    /// Fundamental frequency in Hz, held where nothing sounds; always above 0.
    pub f0_hz: Vec<f32>,
    /// Confidence in it, 0 to 1.
    pub f0_confidence: Vec<f32>,
    /// A-weighted loudness in dB.
    pub loudness_db: Vec<f32>,
}

/// Extracts f0, confidence and loudness from mono audio at the grid's rate.
pub fn extract_features(audio: &[f32], grid: FrameGrid) -> ExtractedFeatures {
    let (f0_hz, f0_confidence) = extract_f0(audio, grid);
    ExtractedFeatures { f0_hz, f0_confidence, loudness_db: extract_loudness(audio, grid) }
}

/// The tracked f0 in Hz and the confidence in it.
pub fn extract_f0(audio: &[f32], grid: FrameGrid) -> (Vec<f32>, Vec<f32>) {
    let frames = track_pitch(PitchConfig::new(grid.sample_rate, grid.hop), audio);
    frames.iter().map(|frame| (frame.f0_hz, frame.confidence)).unzip()
}

/// The A-weighted loudness in dB.
pub fn extract_loudness(audio: &[f32], grid: FrameGrid) -> Vec<f32> {
    let mut loudness_db = vec![0.0; grid.n_frames(audio.len())];
    Loudness::new(grid).forward(audio, &mut loudness_db);
    loudness_db
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_share_one_grid() {
        let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
        // Half a second of a 330 Hz tone with three partials, a remainder shorter than a hop after it.
        let omega = std::f32::consts::TAU * 330.0 / 16_000.0;
        let partial = |i: usize, k: usize| 0.2 * (omega * (k * i) as f32).sin() / k as f32;
        let audio: Vec<f32> = (0..8040).map(|i| (1..4).map(|k| partial(i, k)).sum()).collect();
        let features = extract_features(&audio, grid);
        let lengths = [&features.f0_hz, &features.f0_confidence, &features.loudness_db];
        assert_eq!(lengths.map(Vec::len), [125; 3]);
        for i in 10..115 {
            let cents = 1200.0 * (features.f0_hz[i] / 330.0).log2();
            assert!(cents.abs() < 10.0, "frame {i}: {cents} cents off");
        }
    }
}
