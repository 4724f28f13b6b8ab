use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::framing::Framing;
use crate::golden::Golden;
use crate::magnitudes::tests::{
    ROUNDING_QUIRK, for_all_audio, reference_log, reference_magnitudes, without_rounding,
};
use crate::stft::tests::golden_clips;
use crate::testing::{pseudo_random, widen};

/// The weights by their definition in `f64`, `[n_bins, n_bands]`.
fn reference_matrix(bands: MelBands, n_bins: usize) -> Vec<f64> {
    let mel = |hz: f64| 1127.0 * (1.0 + hz / 700.0).ln();
    let (low, high) = (mel(bands.low_hz.into()), mel(bands.high_hz.into()));
    let step = (high - low) / (bands.n_bands + 1) as f64;
    let bin_hz = f64::from(bands.sample_rate) / (2 * (n_bins - 1)) as f64;
    let weight = |bin: usize, band: usize| {
        // Bands are equally wide on the scale: how far from the centre, in widths.
        let centre = low + step * (band + 1) as f64;
        let away = (mel(bin as f64 * bin_hz) - centre).abs() / step;
        if bin == 0 { 0.0 } else { (1.0 - away).max(0.0) }
    };
    (0..n_bins).flat_map(|bin| (0..bands.n_bands).map(move |band| weight(bin, band))).collect()
}

/// Sums of bands by their definition in `f64`.
pub(crate) fn reference_mel(
    audio: &[f64],
    framing: Framing,
    fft_len: usize,
    bands: MelBands,
) -> Vec<f64> {
    let n_bins = fft_len / 2 + 1;
    let matrix = reference_matrix(bands, n_bins);
    let magnitudes = reference_magnitudes(audio, framing, fft_len);
    let mut mel = Vec::new();
    for row in magnitudes.chunks(n_bins) {
        for band in 0..bands.n_bands {
            let weights = matrix.iter().skip(band).step_by(bands.n_bands);
            mel.push(row.iter().zip(weights).map(|(x, w)| x * w).sum());
        }
    }
    mel
}

/// Few wide bands, so that none is empty at 16 samples, and one of a hundred that are narrow.
fn bands() -> [MelBands; 2] {
    let wide = MelBands { low_hz: 100.0, high_hz: 7000.0, n_bands: 4, ..MelBands::default() };
    [wide, MelBands { n_bands: 37, ..MelBands::default() }]
}

fn forward(measure: &mut Mel, audio: &[f32]) -> Vec<f32> {
    let mut mel = vec![f32::NAN; measure.n_frames(audio.len()) * measure.n_bands()];
    measure.forward(audio, &mut mel);
    mel
}

fn forward_log(measure: &mut Mel, audio: &[f32]) -> Vec<f32> {
    let mut logs = vec![f32::NAN; measure.n_frames(audio.len()) * measure.n_bands()];
    measure.forward_log(audio, &mut logs);
    logs
}

/// The weights that `mel` holds, `[n_bins, n_bands]`.
fn dense(mel: &Mel) -> Vec<f32> {
    let n_bands = mel.n_bands();
    let mut matrix = vec![0.0; mel.magnitudes.n_bins() * n_bands];
    for (band, filter) in mel.filters.iter().enumerate() {
        let weights = &mel.weights[filter.weights[0]..filter.weights[1]];
        for (bin, weight) in (filter.first_bin..).zip(weights) {
            matrix[bin * n_bands + band] = *weight;
        }
    }
    matrix
}

fn golden(operation: &mut Operation) {
    let mut measure = Mel::new(Magnitudes::with_quarter_hop(2048), MelBands::default());
    // Every fourth of the 1025 bins is kept.
    let matrix: Vec<f32> = dense(&measure).chunks(64).step_by(4).flatten().copied().collect();
    // The reference has mels of up to 2840 in float32, to 1.2e-4 each, in bands 43 wide.
    operation.golden("spectral/mel_matrix", "y", &matrix, Tolerance::absolute(1.2e-5));
    let mel: Vec<f32> = golden_clips().iter().flat_map(|x| forward(&mut measure, x)).collect();
    // Sums of up to 70 products with weights of that error, which is of either sign.
    operation.golden("spectral/mel", "y", &mel, Tolerance::of_peak(4e-6));
}

fn golden_log(operation: &mut Operation) {
    let bands = MelBands { low_hz: 80.0, high_hz: 7600.0, ..MelBands::default() };
    let mut measure = Mel::new(Magnitudes::with_quarter_hop(2048), bands);
    let [sines, noise] = golden_clips().map(|audio| forward_log(&mut measure, &audio));
    let expected = Golden::open("spectral").values("logmel.out.y");
    // In noise, what the errors of the reference's weights do to a sum; an ulp of 5 is 4e-7.
    let tolerance = Tolerance::absolute(1.2e-5);
    operation.oracle("noise", &noise, &widen(&expected[sines.len()..]), tolerance);
    let mut actual = [sines, noise].concat();
    without_rounding(&mut actual, &expected, 64);
    let tolerance = Tolerance::absolute(4e-3);
    operation.golden_with_quirk("spectral/logmel", "y", &actual, tolerance, ROUNDING_QUIRK);
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("mel");
    golden(operation);
    check(operation);
    let operation = report.operation("log mel");
    golden_log(operation);
    check_log(operation);
}

fn check(operation: &mut Operation) {
    for bands in bands() {
        for_all_audio(|framing, fft_len, simd, audio, gain| {
            let measure = || Mel::new(Magnitudes::new(framing, fft_len).with_simd(simd), bands);
            let reference = |x: &[f64]| reference_mel(x, framing, fft_len, bands);
            let expected = reference(&widen(audio));
            // As the magnitudes, of which a band sums few.
            let actual = forward(&mut measure(), audio);
            operation.oracle("mel", &actual, &expected, Tolerance::of_peak(4e-7));
            operation.gradient(
                "audio",
                audio,
                expected.len(),
                1e-4 * f64::from(gain),
                |x, y| y.copy_from_slice(&reference(x)),
                |x, grad_y, grad_x| measure().backward(x, grad_y, grad_x),
            );
        });
    }
}

fn check_log(operation: &mut Operation) {
    for bands in bands() {
        for_all_audio(|framing, fft_len, simd, audio, gain| {
            let measure = || Mel::new(Magnitudes::new(framing, fft_len).with_simd(simd), bands);
            let reference = |x: &[f64]| -> Vec<f64> {
                let mel = reference_mel(x, framing, fft_len, bands);
                mel.into_iter().map(reference_log).collect()
            };
            let expected = reference(&widen(audio));
            // The faintest band is 1e-3 of the loudest bin.
            let actual = forward_log(&mut measure(), audio);
            operation.oracle("log mel", &actual, &expected, Tolerance::absolute(4e-4));
            operation.gradient(
                "audio",
                audio,
                expected.len(),
                1e-5 * f64::from(gain),
                |x, y| y.copy_from_slice(&reference(x)),
                |x, grad_y, grad_x| measure().backward_log(x, grad_y, grad_x),
            );
        });
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn an_empty_band_is_zero_and_its_logarithm_that_of_its_stand_in() {
    let narrow = MelBands { low_hz: 600.0, high_hz: 620.0, n_bands: 2, ..MelBands::default() };
    let mut mel = Mel::new(Magnitudes::with_quarter_hop(64), narrow);
    let audio = pseudo_random(1, 64);
    assert_eq!(forward(&mut mel, &audio), [0.0; 8], "no bin between 500 and 750 Hz");
    let floor = 1e-5_f32.ln();
    assert!(forward_log(&mut mel, &audio).iter().all(|l| (l - floor).abs() <= 1e-6), "ln 1e-5");
    let mut grad_audio = vec![0.0; 64];
    mel.backward_log(&audio, &[1.0; 8], &mut grad_audio);
    assert_eq!(grad_audio, [0.0; 64], "nothing to change");
}

#[test]
fn nan_stays() {
    let mut audio = pseudo_random(1, 64);
    audio[20] = f32::NAN;
    let mut mel = Mel::new(Magnitudes::with_quarter_hop(16), bands()[0]);
    assert!(forward(&mut mel, &audio).iter().any(|x| x.is_nan()), "NaN in, NaN out");
    let logs = forward_log(&mut mel, &audio);
    assert!(logs.iter().any(|x| x.is_nan()), "and in its logarithm");
    let mut grad_audio = vec![0.0; 64];
    mel.backward_log(&audio, &vec![1.0; logs.len()], &mut grad_audio);
    assert!(grad_audio[20].is_nan(), "and back");
}

#[test]
#[should_panic(expected = "Mel: bands from 20 Hz to 9000 Hz at a sample rate of 16000 Hz")]
fn a_band_above_nyquist_is_refused() {
    let bands = MelBands { low_hz: 20.0, high_hz: 9000.0, ..MelBands::default() };
    Mel::new(Magnitudes::with_quarter_hop(64), bands);
}

#[test]
#[should_panic(expected = "Mel: grad_mel: 9 values where 16 samples of audio need [1, 64]")]
fn a_wrong_length_is_named() {
    let mut mel = Mel::new(Magnitudes::with_quarter_hop(64), MelBands::default());
    mel.backward(&[0.0; 16], &[0.0; 9], &mut [0.0; 16]);
}
