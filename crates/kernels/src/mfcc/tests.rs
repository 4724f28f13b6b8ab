use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::framing::{FrameAlignment, Framing};
use crate::golden::Golden;
use crate::magnitudes::tests::{for_all_audio, reference_log};
use crate::mel::tests::reference_mel;
use crate::stft::tests::golden_clips;
use crate::testing::{pseudo_random, widen};

fn forward(measure: &mut Mfcc, audio: &[f32]) -> Vec<f32> {
    let mut mfcc = vec![f32::NAN; measure.n_frames(audio.len()) * measure.n_coefficients()];
    measure.forward(audio, &mut mfcc);
    mfcc
}

/// Coefficients by their definition in `f64`.
fn reference_mfcc(
    audio: &[f64],
    framing: Framing,
    fft_len: usize,
    bands: MelBands,
    n_coefficients: usize,
) -> Vec<f64> {
    let mel = reference_mel(audio, framing, fft_len, bands);
    let n = bands.n_bands as f64;
    let mut mfcc = Vec::new();
    for row in mel.chunks(bands.n_bands) {
        let logs: Vec<f64> = row.iter().map(|&x| reference_log(x)).collect();
        for c in 0..n_coefficients {
            let angle = |b: usize| std::f64::consts::PI * c as f64 * (2 * b + 1) as f64 / (2.0 * n);
            let sum: f64 = logs.iter().enumerate().map(|(b, l)| 2.0 * l * angle(b).cos()).sum();
            mfcc.push(sum / (2.0 * n).sqrt());
        }
    }
    mfcc
}

fn golden(operation: &mut Operation) {
    for (case, n_coefficients) in [("mfcc", 13), ("mfcc30", 30)] {
        let mut measure = Mfcc::with_defaults(n_coefficients);
        let [sines, noise] = golden_clips().map(|audio| forward(&mut measure, &audio));
        let expected = Golden::open("spectral").values(&format!("{case}.out.y"));
        // Coefficients of up to 200, an ulp of 1.5e-5; the reference's weights are off by 1e-5.
        let tolerance = Tolerance::absolute(4e-5);
        let in_noise = &expected[sines.len()..];
        operation.oracle("noise", &noise, &widen(in_noise), tolerance);
        // The last frames of the sines, where they break off, have no band that is rounding alone;
        // but the faintest is 1e-4 of the loudest bin, whose rounding moves its logarithm by up to
        // 4e-3, a coefficient by sqrt(2 / 128) of that.
        let whole = 12 * n_coefficients;
        let in_end = widen(&expected[whole..sines.len()]);
        operation.oracle("end", &sines[whole..], &in_end, Tolerance::absolute(5e-4));
        // In the others the bands between partials hold the rounding of the transform at hand, 1e-7
        // of the loudest, and their logarithms differ by nepers: computed in f64, the coefficients
        // are off from the reference's by up to 3.3, where a wrong scale would be off by a hundred.
        let whole = [sines, noise].concat();
        operation.golden(&format!("spectral/{case}"), "y", &whole, Tolerance::absolute(4.0));
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("mfcc");
    golden(operation);
    let bands = MelBands { low_hz: 100.0, high_hz: 7000.0, n_bands: 4, ..MelBands::default() };
    for n_coefficients in [1, 3, 4] {
        for_all_audio(|framing, fft_len, simd, audio, gain| {
            let measure = || {
                let magnitudes = Magnitudes::new(framing, fft_len).with_simd(simd);
                Mfcc::new(Mel::new(magnitudes, bands), n_coefficients)
            };
            let reference = |x: &[f64]| reference_mfcc(x, framing, fft_len, bands, n_coefficients);
            let expected = reference(&widen(audio));
            // As the logarithms.
            let actual = forward(&mut measure(), audio);
            operation.oracle("mfcc", &actual, &expected, Tolerance::absolute(4e-4));
            operation.gradient(
                "audio",
                audio,
                expected.len(),
                1e-5 * f64::from(gain),
                |x, y| y.copy_from_slice(&reference(x)),
                |x, grad_y, grad_x| measure().backward(x, grad_y, grad_x),
            );
        });
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn silence_is_the_transform_of_the_floor_and_has_no_gradient() {
    let mut measure = Mfcc::with_defaults(13);
    let mfcc = forward(&mut measure, &[0.0; 512]);
    for row in mfcc.chunks(13) {
        // sqrt(2 / 128) * 128 * ln 1e-5, and nothing else.
        assert!((row[0] - 16.0 * 1e-5_f32.ln()).abs() <= 1e-4, "{row:?}");
        assert!(row[1..].iter().all(|c| c.abs() <= 2e-5), "{row:?}");
    }
    let mut grad_audio = vec![0.0; 512];
    measure.backward(&[0.0; 512], &vec![1.0; mfcc.len()], &mut grad_audio);
    assert_eq!(grad_audio, [0.0; 512]);
}

#[test]
fn nan_stays() {
    let mut audio = pseudo_random(1, 512);
    audio[300] = f32::NAN;
    let mut measure = Mfcc::with_defaults(5);
    let mfcc = forward(&mut measure, &audio);
    assert!(mfcc[5..].iter().all(|x| x.is_nan()), "NaN in, NaN out: {mfcc:?}");
    let mut grad_audio = vec![0.0; 512];
    measure.backward(&audio, &vec![1.0; mfcc.len()], &mut grad_audio);
    assert!(grad_audio[300].is_nan(), "and back");
}

#[test]
#[should_panic(expected = "Mfcc: 5 coefficients of 4 bands")]
fn more_coefficients_than_bands_are_refused() {
    let framing = Framing { window_len: 16, hop: 4, alignment: FrameAlignment::Start };
    let bands = MelBands { n_bands: 4, ..MelBands::default() };
    Mfcc::new(Mel::new(Magnitudes::new(framing, 16), bands), 5);
}

#[test]
#[should_panic(expected = "Mfcc: mfcc: 9 values where 256 samples of audio need [1, 13]")]
fn a_wrong_length_is_named() {
    Mfcc::with_defaults(13).forward(&[0.0; 256], &mut [0.0; 9]);
}
