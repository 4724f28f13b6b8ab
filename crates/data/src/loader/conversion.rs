//! From a record to an example on a grid of frames.

use ddsp_kernels::{FrameGrid, VOICED_CONFIDENCE};

use super::tracked::Track;
use super::{F0Source, RATE_16K, TrainingExample};
use crate::features::extract_loudness;
use crate::record::NoteRecord;

/// Puts a record on `grid`; `track` finds f0 and confidence where they are not to be the record's.
pub(crate) fn to_example(
    record: NoteRecord,
    grid: FrameGrid,
    f0: F0Source,
    track: &dyn Fn(&[f32]) -> Track,
) -> Result<TrainingExample, String> {
    check_rates(&record, grid, f0)?;
    let NoteRecord { id, audio, audio_16k, f0_hz, f0_confidence, labels, .. } = record;
    let mut audio = match audio_16k {
        Some(audio_16k) if grid.sample_rate == RATE_16K => audio_16k,
        _ => audio,
    };
    let n_frames = grid.n_frames(audio.len());
    if n_frames == 0 {
        return Err(format!("{} samples of audio are less than a frame", audio.len()));
    }
    audio.truncate(n_frames * grid.hop);
    let loudness_db = extract_loudness(&audio, grid);
    let (f0_hz, f0_confidence) = match f0 {
        F0Source::Tracker => track(&audio),
        F0Source::Record => recorded_f0(f0_hz, f0_confidence, n_frames)?,
    };
    Ok(TrainingExample { id, audio, f0_hz, f0_confidence, loudness_db, labels })
}

/// Refuses audio or features at another rate than the grid's, as far as the record tells.
fn check_rates(record: &NoteRecord, grid: FrameGrid, f0: F0Source) -> Result<(), String> {
    let has_16k = record.audio_16k.is_some() && grid.sample_rate == RATE_16K;
    match record.sample_rate {
        Some(has) if has != grid.sample_rate && !has_16k => {
            let hint = "prepare it at that rate";
            return Err(format!("its audio has {has} Hz, wanted are {}: {hint}", grid.sample_rate));
        }
        _ => {}
    }
    match record.frame_rate.map(f64::from) {
        Some(rate) if f0 == F0Source::Record && rate != grid.frame_rate() => {
            let wants = grid.frame_rate();
            Err(format!("its f0 has {rate} frames/s, wanted are {wants}: use --f0 tracker"))
        }
        _ => Ok(()),
    }
}

/// The record's f0 and confidence, cut to `n_frames`.
///
/// One frame more is what magenta/ddsp writes for centred frames. Any other number means that the
/// audio or the features have another rate than thought.
fn recorded_f0(
    f0_hz: Option<Vec<f32>>,
    f0_confidence: Option<Vec<f32>>,
    n_frames: usize,
) -> Result<(Vec<f32>, Vec<f32>), String> {
    let hint = "compute it with --f0 tracker";
    let mut f0_hz = f0_hz.ok_or_else(|| format!("no f0 (`f0_hz` or `f0/hz`): {hint}"))?;
    let mut f0_confidence = f0_confidence.unwrap_or_else(|| {
        f0_hz.iter().map(|&hz| if hz > 0.0 { 1.0 } else { VOICED_CONFIDENCE / 2.0 }).collect()
    });
    for (name, values) in [("f0", &mut f0_hz), ("f0 confidence", &mut f0_confidence)] {
        let len = values.len();
        if len != n_frames && len != n_frames + 1 {
            let rates = "its sample rate or frame rate is another";
            return Err(format!("{name} has {len} frames where audio has {n_frames}: {rates}"));
        }
        values.truncate(n_frames);
    }
    match f0_hz.iter().find(|&&hz| hz < 0.0) {
        Some(hz) => Err(format!("f0 of {hz} Hz: {hint}")),
        None => Ok((f0_hz, f0_confidence)),
    }
}
