//! Held-out examples as the model plays them in the course of training: sounds and pictures.

use std::fs;
use std::path::{Path, PathBuf};

use ddsp_data::{WavFormat, read_audio, write_wav};
use ddsp_model::Model;
use ddsp_train::{EventFile, EventValue, ExampleSource, PlayedExample, play_example};

use crate::axis::Axis;
use crate::error::Result;
use crate::figure::Figure;
use crate::picture::Grid;
use crate::report::{Block, Section, spectrogram_figure};
use crate::spectrogram::spectrogram_db;
use crate::wav::wav_bytes;

/// Examples that are played: enough to hear whether it is one note that fails or all.
const N_EXAMPLES: usize = 3;

/// Moments of the training that the page shows: it holds the sounds, 170 kB for 4 s each.
const N_MOMENTS: usize = 5;

/// Colours span this many dB below the loudest point of the recording.
const RANGE_DB: f32 = 80.0;

/// Columns of the brightest colour between the two halves of a picture.
const GAP: usize = 4;

/// Folder of the recordings beside those of the steps.
const RECORDED: &str = "recorded";

/// Plays some of the examples of `source` with `model`, as it is after `step`, and leaves sounds and
/// pictures in `folder/samples/step-…` and in the event file.
///
/// A picture has the recording on the left and the model on the right, from 40 Hz at the bottom to
/// the Nyquist frequency.
pub(super) fn write(
    folder: &Path,
    step: u64,
    model: &Model,
    source: &dyn ExampleSource,
    events: &mut EventFile,
) -> Result<()> {
    let rate = model.config.audio.sample_rate;
    let n = source.len().min(N_EXAMPLES);
    let [recordings, steps] =
        [RECORDED.to_owned(), step_name(step)].map(|name| folder.join("samples").join(name));
    for path in [&recordings, &steps] {
        fs::create_dir_all(path).map_err(ddsp_data::Error::io("create folder", path))?;
    }
    for i in 0..n {
        let example = play_example(model, source, i * source.len() / n)?;
        let name = file_name(i, &example.id);
        let recording = recordings.join(format!("{name}.wav"));
        if !recording.exists() {
            write_wav(&recording, &example.recorded, rate, WavFormat::Int16)?;
        }
        write_wav(&steps.join(format!("{name}.wav")), &example.played, rate, WavFormat::Int16)?;
        let (grid, png) = picture(&example, rate);
        let path = steps.join(format!("{name}.png"));
        ddsp_data::write_atomically(&path, |file| std::io::Write::write_all(file, &png))?;
        let (sound, spectrum) = (format!("samples/{name}"), format!("spectrograms/{name}"));
        let (wav, n_samples) = (wav_bytes(&example.played, rate), example.played.len());
        let (width, height) = (grid.n_columns, grid.n_rows);
        let shown = [
            (&*sound, EventValue::Audio { wav: &wav, sample_rate: rate, n_samples }),
            (&*spectrum, EventValue::Picture { png: &png, width, height }),
        ];
        events.write(step, &shown)?;
    }
    Ok(())
}

/// Whether the examples were played after `step`.
pub(super) fn exist(folder: &Path, step: u64) -> bool {
    folder.join("samples").join(step_name(step)).is_dir()
}

/// Removes what was played after steps that a resumed run repeats.
pub(super) fn remove_after(folder: &Path, last_step: u64) -> Result<()> {
    for (step, path) in moments(folder)? {
        if step > last_step {
            fs::remove_dir_all(&path).map_err(ddsp_data::Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// The sounds and spectrograms over the steps, for the page of the run; none if none were made.
pub(super) fn section(folder: &Path, sample_rate: u32) -> Result<Option<Section>> {
    let moments = moments(folder)?;
    if moments.is_empty() {
        return Ok(None);
    }
    let shown = spread(moments.len()).into_iter().map(|i| &moments[i]);
    let recorded = folder.join("samples").join(RECORDED);
    let columns: Vec<(String, &Path)> = std::iter::once(("Recorded".to_owned(), &*recorded))
        .chain(shown.map(|(step, path)| (format!("After step {step}"), &**path)))
        .collect();
    let lede = "The same notes after more and more steps, with the recording first: the colours of \
                a row mean the same levels.";
    let mut section = Section::new("How it came to sound", lede);
    for name in sounds(&recorded)? {
        let mut figures = Vec::new();
        let mut max = None;
        for (title, path) in &columns {
            let path = path.join(&name);
            if !path.exists() {
                continue;
            }
            let audio = read_audio(&path, sample_rate)?.samples;
            let grid = spectrogram_db(&audio, sample_rate);
            let max = *max.get_or_insert_with(|| brightest(&grid));
            figures.push((
                figure(title, grid, max, &audio, sample_rate),
                Some(wav_bytes(&audio, sample_rate)),
            ));
        }
        section.blocks.push(Block::Figures(figures));
    }
    Ok(Some(section))
}

fn figure(title: &str, grid: Grid, max: f32, audio: &[f32], sample_rate: u32) -> Figure {
    let time = Axis::linear("s", 0.0, audio.len() as f64 / f64::from(sample_rate));
    spectrogram_figure(title, grid, max, time, sample_rate)
}

/// The level of the brightest colour, dB; silence shows as dark.
fn brightest(grid: &Grid) -> f32 {
    grid.max().max(RANGE_DB - 180.0).ceil()
}

/// The two spectrograms side by side, and the same as PNG.
fn picture(example: &PlayedExample, sample_rate: u32) -> (Grid, Vec<u8>) {
    let recorded = spectrogram_db(&example.recorded, sample_rate);
    let played = spectrogram_db(&example.played, sample_rate);
    let max = brightest(&recorded);
    let mut values = recorded.values;
    values.extend(vec![max; GAP * recorded.n_rows]);
    values.extend(played.values);
    let grid = Grid::new(recorded.n_rows, values);
    let png = grid.png(max - RANGE_DB, max);
    (grid, png)
}

fn step_name(step: u64) -> String {
    format!("step-{step:06}")
}

/// A name for files: what any system allows of the example's name.
fn file_name(i: usize, id: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let id: String = id.chars().map(allowed).collect();
    let kept = id.len().saturating_sub(60);
    format!("{}-{}", i + 1, &id[kept..])
}

/// The steps after which examples were played, in order, with their folders.
fn moments(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let samples = folder.join("samples");
    if !samples.is_dir() {
        return Ok(Vec::new());
    }
    let mut moments = Vec::new();
    for path in entries(&samples)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(Ok(step)) = name.strip_prefix("step-").map(str::parse) {
            moments.push((step, path));
        }
    }
    moments.sort();
    Ok(moments)
}

/// Names of the sounds in a folder, in order.
fn sounds(folder: &Path) -> Result<Vec<String>> {
    let names = entries(folder)?.into_iter();
    let name = |path: PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    let mut names: Vec<String> = names.filter_map(name).filter(|n| n.ends_with(".wav")).collect();
    names.sort();
    Ok(names)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || ddsp_data::Error::io("read folder", folder);
    let entries = fs::read_dir(folder).map_err(failed())?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    Ok(paths.collect::<std::io::Result<_>>().map_err(failed())?)
}

/// Up to [`N_MOMENTS`] of `n` indices, the first and the last among them.
fn spread(n: usize) -> Vec<usize> {
    match n {
        0..=N_MOMENTS => (0..n).collect(),
        _ => (0..N_MOMENTS).map(|i| i * (n - 1) / (N_MOMENTS - 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_first_the_last_and_some_between() {
        assert_eq!(spread(3), [0, 1, 2]);
        assert_eq!(spread(11), [0, 2, 5, 7, 10]);
    }

    #[test]
    fn names_of_examples_become_names_of_files() {
        assert_eq!(file_name(0, "a/b c:ü"), "1-a-b-c--");
        assert_eq!(file_name(9, &"x".repeat(100)).len(), 3 + 60);
    }

    #[test]
    fn a_picture_has_the_recording_on_the_left_on_one_scale() {
        let tone: Vec<f32> = (0..4000_u16).map(|i| (f32::from(i) * 0.3).sin()).collect();
        let example = PlayedExample { id: String::new(), recorded: tone, played: vec![0.0; 4000] };
        let (grid, png) = picture(&example, 16_000);
        let half = (grid.n_columns - GAP) / 2;
        let [left, right] =
            [&grid.values[..half * grid.n_rows], &grid.values[(half + GAP) * grid.n_rows..]];
        let max = |values: &[f32]| values.iter().copied().fold(f32::MIN, f32::max);
        assert!(max(left) > -3.0 && max(right) < -100.0, "{} and {}", max(left), max(right));
        assert!(png.starts_with(b"\x89PNG"), "a PNG file");
    }

    #[test]
    fn what_a_resumed_run_repeats_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["step-000001", "step-000500", "recorded"] {
            fs::create_dir_all(folder.path().join("samples").join(name)).expect("made");
        }
        remove_after(folder.path(), 499).expect("removed");
        assert!(exist(folder.path(), 1) && !exist(folder.path(), 500));
        assert!(folder.path().join("samples/recorded").is_dir(), "recordings stay");
    }
}
