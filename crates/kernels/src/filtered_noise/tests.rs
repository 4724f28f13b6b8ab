use super::*;
use crate::ExpSigmoid;
use crate::agreement::{Operation, Report, Tolerance};
use crate::fft_convolve::laws::{assert_late, feed};
use crate::fir_filter::tests::{QUIRK, SIZES};
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

/// Of the largest sample: `exp_sigmoid` is good to 4e-6 of a magnitude, the rest to less.
fn tolerance() -> Tolerance {
    Tolerance::of_peak(5e-6)
}

/// Raw network outputs, biased as the reference's `get_controls` does.
fn biased(raw: &[f32], bias: f32) -> Vec<f32> {
    raw.iter().map(|m| m + bias).collect()
}

/// Raw network outputs, biased and scaled.
pub(crate) fn scaled(raw: &[f32], bias: f32) -> Vec<f32> {
    let mut magnitudes = vec![f32::NAN; raw.len()];
    ExpSigmoid::default().forward(&biased(raw, bias), &mut magnitudes);
    magnitudes
}

/// Both clips of 50 frames of 65 bands.
fn batch(synth: &mut FilteredNoise, noise: &[f32], magnitudes: &[f32]) -> Vec<f32> {
    let mut audio = vec![f32::NAN; noise.len()];
    let clips = noise.chunks(3200).zip(magnitudes.chunks(3250));
    for ((noise, magnitudes), audio) in clips.zip(audio.chunks_mut(3200)) {
        synth.forward(noise, magnitudes, audio);
    }
    audio
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("FilteredNoise");
    compare_synth(operation);
    compare_gradient(operation);
    for scale in [1.0, 0.0, 1e-40, 1e-9, 1e9] {
        check_gradient(operation, scale);
    }
}

fn compare_synth(operation: &mut Operation) {
    let mut golden = Golden::open("synths");
    let noise = golden.values("filtered_noise_w257.in.noise");
    let magnitudes = scaled(&golden.values("filtered_noise_w257.in.magnitudes"), -5.0);
    // The tolerance of `exp_sigmoid`.
    let of_value = Tolerance::relative(4e-6);
    operation.golden("synths/filtered_noise_w257", "magnitudes", &magnitudes, of_value);
    for (window_len, case) in [(257, "w257"), (0, "w0"), (33, "w33")] {
        let reference = FilterAlignment::Reference;
        let mut synth = FilteredNoise::with_alignment(GRID, 65, window_len, reference);
        let audio = batch(&mut synth, &noise, &magnitudes);
        let case = format!("synths/filtered_noise_{case}");
        operation.golden_with_quirk(&case, "signal", &audio, tolerance(), QUIRK);
    }
}

fn compare_gradient(operation: &mut Operation) {
    let mut golden = Golden::open("gradients");
    let noise = golden.values("filtered_noise.in.noise");
    let raw = golden.values("filtered_noise.in.magnitudes");
    let v = golden.values("base.in.v");
    let magnitudes = scaled(&raw, -5.0);
    let mut synth = FilteredNoise::with_alignment(GRID, 65, 0, FilterAlignment::Reference);
    let audio = batch(&mut synth, &noise, &magnitudes);
    let mut grad = vec![0.0; magnitudes.len()];
    let clips = noise.chunks(3200).zip(magnitudes.chunks(3250)).zip(v.chunks(3200));
    for (((noise, magnitudes), v), grad) in clips.zip(grad.chunks_mut(3250)) {
        synth.backward(noise, magnitudes, v, grad);
    }
    let mut grad_raw = vec![0.0; raw.len()];
    ExpSigmoid::default().backward(&biased(&raw, -5.0), &grad, &mut grad_raw);
    let case = "gradients/filtered_noise";
    operation.golden_with_quirk(case, "d_magnitudes", &grad_raw, tolerance(), QUIRK);
    // Its terms have both signs and 35 times its magnitude, and so has their rounding.
    let of_value = Tolerance::relative(1e-5);
    operation.golden_with_quirk(case, "dot", &[dot(&audio, &v)], of_value, QUIRK);
}

/// The reference's scalar: the sum of the products of the output with fixed values.
pub(crate) fn dot(output: &[f32], v: &[f32]) -> f32 {
    let sum: f64 = output.iter().zip(v).map(|(y, v)| f64::from(*y) * f64::from(*v)).sum();
    #[expect(clippy::cast_possible_truncation, reason = "compared with an f32")]
    let sum = sum as f32;
    sum
}

fn check_gradient(operation: &mut Operation, scale: f32) {
    for sizes in SIZES.into_iter().filter(|sizes| sizes.n.is_multiple_of(sizes.hop)) {
        let grid = FrameGrid { sample_rate: 16_000, hop: sizes.hop };
        let noise = pseudo_random(1, sizes.n);
        let plain = pseudo_random(2, sizes.n_frames() * sizes.n_bands);
        let magnitudes: Vec<f32> = plain.iter().map(|m| scale * m).collect();
        let step = if scale < 1e-20 { 1e-2 } else { 1e-2 * f64::from(scale) };
        let wide = widen(&noise);
        let oracle = |x: &[f64], y: &mut [f64]| sizes.oracle(&wide, x, y);
        operation.gradient("magnitudes", &magnitudes, sizes.n, step, oracle, |x, g, grad| {
            FilteredNoise::new(grid, sizes.n_bands, sizes.window_len).backward(&noise, x, g, grad);
        });
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn it_is_the_filter_of_the_noise() {
    for sizes in SIZES.into_iter().filter(|sizes| sizes.n.is_multiple_of(sizes.hop)) {
        let grid = FrameGrid { sample_rate: 16_000, hop: sizes.hop };
        let noise = pseudo_random(3, sizes.n);
        let magnitudes = pseudo_random(4, sizes.n_frames() * sizes.n_bands);
        let mut synth = FilteredNoise::new(grid, sizes.n_bands, sizes.window_len);
        let (mut audio, mut filtered) = (vec![f32::NAN; sizes.n], vec![f32::NAN; sizes.n]);
        synth.forward(&noise, &magnitudes, &mut audio);
        let alignment = FilterAlignment::Centred;
        FirFilter::new(sizes.hop, sizes.n_bands, sizes.window_len, alignment).forward(
            &noise,
            &magnitudes,
            &mut filtered,
        );
        assert_eq!(audio, filtered, "{sizes:?}");
    }
}

#[test]
fn a_stream_is_the_offline_audio_half_a_response_later() {
    let (noise, magnitudes) = (pseudo_random(5, 640), pseudo_random(6, 650));
    let mut synth = FilteredNoise::new(GRID, 65, 0);
    let mut offline = vec![f32::NAN; 640];
    synth.forward(&noise, &magnitudes, &mut offline);
    let [whole, odd]: [&[usize]; 2] = [&[64, 128, 64, 384], &[1, 62, 100, 1, 300, 176]];
    for (split, pieces, latency) in
        [(StreamSplit::AtHops, whole, 64), (StreamSplit::Anywhere, odd, 127)]
    {
        let mut stream = synth.new_stream(split);
        assert_eq!(stream.latency(), latency, "{split:?}");
        let audio = feed(&mut stream, &noise, (&magnitudes, 65), pieces, |s, x, m, y| {
            synth.process(s, x, m, y);
        });
        assert_late(&audio, &offline, latency);
    }
}

#[test]
#[should_panic(expected = "14 magnitudes of 7 bands for 30 samples at hop 10")]
fn a_wrong_length_names_both() {
    let grid = FrameGrid { sample_rate: 16_000, hop: 10 };
    FilteredNoise::new(grid, 7, 0).forward(&[0.0; 30], &[0.0; 14], &mut [0.0; 30]);
}
