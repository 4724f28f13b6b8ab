//! From a record to an example on a grid of frames.

use ddsp_kernels::{FrameGrid, VOICED_CONFIDENCE};

use super::tracked::Track;
use super::{F0Source, RATE_16K, TrainingExample};
use crate::features::extract_loudness;
use crate::record::NoteRecord;

/// Frames a second of NSynth's features.
const NSYNTH_FRAME_RATE: f64 = 250.0;

/// Puts a record on `grid`; `track` finds f0 and confidence where they are not to be the record's.
pub(crate) fn to_example(
    record: NoteRecord,
    grid: FrameGrid,
    f0: F0Source,
    track: &dyn Fn(&[f32]) -> Track,
) -> Result<TrainingExample, String> {
    check_rate(&record, grid)?;
    let NoteRecord { id, audio, audio_16k, f0_hz, f0_confidence, labels, frame_rate, .. } = record;
    let mut audio = match audio_16k {
        Some(audio_16k) if grid.sample_rate == RATE_16K => audio_16k,
        _ => audio,
    };
    let n_frames = grid.n_frames(audio.len());
    if n_frames == 0 {
        return Err(format!("{} samples of audio are less than a frame", audio.len()));
    }
    let n_samples = audio.len();
    audio.truncate(n_frames * grid.hop);
    let loudness_db = extract_loudness(&audio, grid);
    let (f0_hz, f0_confidence) = match f0 {
        F0Source::Tracker => track(&audio),
        F0Source::Record => recorded_f0(f0_hz, f0_confidence, frame_rate, grid, n_samples)?,
    };
    Ok(TrainingExample { id, audio, f0_hz, f0_confidence, loudness_db, labels })
}

/// Refuses audio at another rate than the grid's, as far as the record tells.
fn check_rate(record: &NoteRecord, grid: FrameGrid) -> Result<(), String> {
    let has_16k = record.audio_16k.is_some() && grid.sample_rate == RATE_16K;
    match record.sample_rate {
        Some(has) if has != grid.sample_rate && !has_16k => {
            let hint = "prepare it at that rate";
            Err(format!("its audio has {has} Hz, wanted are {}: {hint}", grid.sample_rate))
        }
        _ => Ok(()),
    }
}

/// The record's f0 and confidence at the grid's frames.
fn recorded_f0(
    f0_hz: Option<Vec<f32>>,
    f0_confidence: Option<Vec<f32>>,
    told: Option<u32>,
    grid: FrameGrid,
    n_samples: usize,
) -> Result<(Vec<f32>, Vec<f32>), String> {
    let hint = "compute it with --f0 tracker";
    let f0_hz = f0_hz.ok_or_else(|| format!("no f0 (`f0_hz` or `f0/hz`): {hint}"))?;
    if let Some(hz) = f0_hz.iter().find(|&&hz| hz < 0.0) {
        return Err(format!("f0 of {hz} Hz: {hint}"));
    }
    let confidence = f0_confidence.unwrap_or_else(|| {
        f0_hz.iter().map(|&hz| if hz > 0.0 { 1.0 } else { VOICED_CONFIDENCE / 2.0 }).collect()
    });
    if confidence.len() != f0_hz.len() {
        let (has, wants) = (confidence.len(), f0_hz.len());
        return Err(format!("f0 confidence has {has} frames where f0 has {wants}: {hint}"));
    }
    let secs = n_samples as f64 / f64::from(grid.sample_rate);
    let own_rate = own_frame_rate(f0_hz.len(), told, grid.frame_rate(), secs)
        .ok_or_else(|| rate_refusal(f0_hz.len(), told, grid.frame_rate(), secs))?;
    let n_frames = grid.n_frames(n_samples);
    Ok(at_frames(f0_hz, confidence, own_rate / grid.frame_rate(), n_frames))
}

/// Frames a second of a record whose `secs` have `len` frames: what it tells; else the wanted rate;
/// else NSynth's 250, whose records tell nothing. `None` if the number fits none of them.
///
/// One frame more is what magenta/ddsp writes for centred frames.
fn own_frame_rate(len: usize, told: Option<u32>, wanted: f64, secs: f64) -> Option<f64> {
    let candidates = told.map_or([wanted, NSYNTH_FRAME_RATE], |rate| [f64::from(rate); 2]);
    candidates.into_iter().find(|rate| {
        let whole = (secs * rate).floor();
        [whole, whole + 1.0].contains(&(len as f64))
    })
}

fn rate_refusal(len: usize, told: Option<u32>, wanted: f64, secs: f64) -> String {
    let rates = match told {
        Some(rate) => format!("the {rate} frames/s that it tells"),
        None => format!("{wanted} frames/s, nor {NSYNTH_FRAME_RATE} as in NSynth"),
    };
    format!("its {len} frames of f0 in {secs} s of audio are not {rates}: use --f0 tracker")
}

/// The values at `n_frames` frames that are `ratio` of the given frames apart.
///
/// Between frames f0 goes in a straight line of pitch. Across a step (more than a semitone between
/// neighbours, or to a frame without pitch) the nearer frame counts: a value in between was never played.
fn at_frames(
    f0_hz: Vec<f32>,
    confidence: Vec<f32>,
    ratio: f64,
    n_frames: usize,
) -> (Vec<f32>, Vec<f32>) {
    let at = |i: usize| {
        let place = i as f64 * ratio;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let left = (place.floor() as usize).min(f0_hz.len() - 1);
        let right = (left + 1).min(f0_hz.len() - 1);
        #[expect(clippy::cast_possible_truncation, reason = "0 to 1")]
        let share = (place - left as f64).min(1.0) as f32;
        let octaves = (f0_hz[right] / f0_hz[left]).log2();
        if octaves.abs() <= 1.0 / 12.0 {
            let between = confidence[left] + share * (confidence[right] - confidence[left]);
            return (f0_hz[left] * (share * octaves).exp2(), between);
        }
        let nearest = if share < 0.5 { left } else { right };
        (f0_hz[nearest], confidence[nearest])
    };
    (0..n_frames).map(at).unzip()
}
