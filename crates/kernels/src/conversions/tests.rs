use std::f64::consts::TAU;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

const NYQUIST: f64 = 8000.0;

/// Frames of sinusoids near and between the harmonics of a fundamental.
struct Sinusoids {
    frequencies_hz: Vec<f32>,
    amplitudes: Vec<f32>,
    f0_hz: Vec<f32>,
}

impl Sinusoids {
    fn new(n_frames: usize, n_sinusoids: usize, f0_hz: f32, scale: f32) -> Self {
        let n = n_frames * n_sinusoids;
        let spread = pseudo_random(8, n);
        let frequency = |i: usize| f0_hz * ((i % n_sinusoids) as f32 * 0.6 + 1.0 + 0.1 * spread[i]);
        Self {
            frequencies_hz: (0..n).map(frequency).collect(),
            amplitudes: pseudo_random(9, n).iter().map(|a| scale * (1.1 + a)).collect(),
            f0_hz: vec![f0_hz; n_frames],
        }
    }

    fn controls(&self) -> SinusoidalControls<'_> {
        let Self { frequencies_hz, amplitudes, .. } = self;
        SinusoidalControls { frequencies_hz, amplitudes }
    }
}

/// Five sinusoids about one harmonic, whose weights there add up to more than 1.
fn crowded() -> Sinusoids {
    Sinusoids {
        frequencies_hz: [0.93, 0.98, 1.01, 1.04, 2.02].map(|ratio| 300.0 * ratio).to_vec(),
        amplitudes: vec![0.3, 1.0, 0.5, 0.7, 0.2],
        f0_hz: vec![300.0],
    }
}

/// Amplitudes, then distribution, of the definition in `f64`.
fn to_harmonic_oracle(
    map: SinusoidalToHarmonic,
    (hz, amplitudes, f0): (&[f64], &[f64], &[f64]),
    y: &mut [f64],
) {
    let (n_frames, n_harmonics) = (f0.len(), map.n_harmonics);
    let n = hz.len() / n_frames;
    let (total, distribution) = y.split_at_mut(n_frames);
    for i in 0..n_frames {
        let row = &mut distribution[i * n_harmonics..][..n_harmonics];
        for (k, y) in row.iter_mut().enumerate() {
            let harmonic_hz = (k + 1) as f64 * f0[i];
            let weights = hz[i * n..(i + 1) * n].iter().map(|hz| {
                let widths = (hz - harmonic_hz) / f0[i] / f64::from(map.harmonic_width);
                (-widths.powi(2)).exp()
            });
            let weights: Vec<f64> = weights.collect();
            let sum: f64 = weights.iter().sum();
            let divisor = if map.is_normalized && sum > 1.0 { sum } else { 1.0 };
            let products = weights.iter().zip(&amplitudes[i * n..]).map(|(w, a)| w * a);
            *y = if harmonic_hz >= NYQUIST { 0.0 } else { products.sum::<f64>() / divisor };
        }
        total[i] = row.iter().sum();
        row.iter_mut().for_each(|y| *y = if total[i] == 0.0 { 0.0 } else { *y / total[i] });
    }
}

/// Gradient checks of one set of sinusoids, input by input.
fn to_harmonic_gradients(operation: &mut Operation, map: SinusoidalToHarmonic, x: &Sinusoids) {
    let n_frames = x.f0_hz.len();
    let y_len = n_frames * (1 + map.n_harmonics);
    let backward = |x: &Sinusoids, grad_y: &[f32], grads: [&mut [f32]; 3]| {
        let [frequencies_hz, amplitudes, f0_hz] = grads;
        let (grad_amplitudes, harmonic_distribution) = grad_y.split_at(n_frames);
        map.backward(
            x.controls(),
            &x.f0_hz,
            HarmonicControls { f0_hz: &[], amplitudes: grad_amplitudes, harmonic_distribution },
            SinusoidalControlsMut { frequencies_hz, amplitudes },
            f0_hz,
        );
    };
    let n = x.amplitudes.len();
    let (hz, amplitudes, f0) = (widen(&x.frequencies_hz), widen(&x.amplitudes), widen(&x.f0_hz));
    // A ten-thousandth of the width of a harmonic.
    let step = 1e-5 * f0[0];
    operation.gradient(
        "frequencies_hz",
        &x.frequencies_hz,
        y_len,
        step,
        |hz, y| to_harmonic_oracle(map, (hz, &amplitudes, &f0), y),
        |_, g, grad| backward(x, g, [grad, &mut vec![0.0; n], &mut vec![0.0; n_frames]]),
    );
    operation.gradient(
        "amplitudes",
        &x.amplitudes,
        y_len,
        1e-4 * amplitudes.iter().sum::<f64>().max(1e-30) / n as f64,
        |a, y| to_harmonic_oracle(map, (&hz, a, &f0), y),
        |_, g, grad| backward(x, g, [&mut vec![0.0; n], grad, &mut vec![0.0; n_frames]]),
    );
    operation.gradient(
        "f0_hz",
        &x.f0_hz,
        y_len,
        0.1 * step,
        |f0, y| to_harmonic_oracle(map, (&hz, &amplitudes, f0), y),
        |_, g, grad| backward(x, g, [&mut vec![0.0; n], &mut vec![0.0; n], grad]),
    );
}

fn to_harmonic_agreement(report: &mut Report) {
    let operation = report.operation("sinusoidal_to_harmonic");
    let mut golden = Golden::open("oscillators");
    let [amplitudes, frequencies_hz] =
        ["amps", "freqs"].map(|name| golden.values(&format!("sinusoidal_to_harmonic_0.in.{name}")));
    let f0: Vec<f32> =
        golden.values("base.in.f0").chunks(50).flat_map(|clip| clip[..6].to_vec()).collect();
    for is_normalized in [false, true] {
        let map = SinusoidalToHarmonic {
            n_harmonics: 20,
            is_normalized,
            ..SinusoidalToHarmonic::default()
        };
        let (mut amp, mut dist) = (vec![f32::NAN; f0.len()], vec![f32::NAN; 20 * f0.len()]);
        let sinusoids =
            SinusoidalControls { frequencies_hz: &frequencies_hz, amplitudes: &amplitudes };
        map.forward(sinusoids, &f0, &mut amp, &mut dist);
        let case = format!("oscillators/sinusoidal_to_harmonic_{}", u8::from(is_normalized));
        // The reference squares ratios of up to 80 widths in f32, whose error is that of a weight:
        // those that count are below 4 widths, of a frequency of up to 20 harmonics.
        let tolerance = Tolerance::of_peak(4e-5);
        operation.golden(&case, "amp", &amp, tolerance);
        operation.golden(&case, "dist", &dist, tolerance);
        for (n_frames, n_sinusoids, n_harmonics, f0_hz, scale) in [
            (3, 5, 4, 200.0, 1.0),
            (1, 1, 1, 440.0, 1.0),
            (2, 9, 20, 600.0, 1e-9),
            (2, 4, 3, 300.0, 1e9),
            (1, 3, 2, 9000.0, 1.0),
            (2, 3, 3, 250.0, 0.0),
        ] {
            let map = SinusoidalToHarmonic { n_harmonics, ..map };
            let x = Sinusoids::new(n_frames, n_sinusoids, f0_hz, scale);
            let (mut amp, mut dist) =
                (vec![f32::NAN; n_frames], vec![f32::NAN; n_frames * n_harmonics]);
            map.forward(x.controls(), &x.f0_hz, &mut amp, &mut dist);
            let mut expected = vec![0.0; n_frames * (1 + n_harmonics)];
            let (hz, a) = (widen(&x.frequencies_hz), widen(&x.amplitudes));
            to_harmonic_oracle(map, (&hz, &a, &widen(&x.f0_hz)), &mut expected);
            // Computed in f64, rounded at the end.
            let exact = Tolerance::relative_above(3e-7, 1e-30);
            operation.oracle("amplitudes", &amp, &expected[..n_frames], exact);
            operation.oracle("distribution", &dist, &expected[n_frames..], exact);
            if scale > 0.0 {
                to_harmonic_gradients(operation, map, &x);
            }
        }
        to_harmonic_gradients(
            operation,
            SinusoidalToHarmonic { n_harmonics: 3, ..map },
            &crowded(),
        );
    }
}

/// Frequencies, then amplitudes, of the definition in `f64`.
fn to_sinusoidal_oracle((f0, a, d): (&[f64], &[f64], &[f64]), y: &mut [f64]) {
    let n = d.len() / f0.len();
    let (hz, amplitudes) = y.split_at_mut(d.len());
    for i in 0..f0.len() {
        let below = |k: usize| (k + 1) as f64 * f0[i] < NYQUIST;
        let sum: f64 = (0..n).filter(|&k| below(k)).map(|k| d[i * n + k]).sum();
        for k in 0..n {
            hz[i * n + k] = (k + 1) as f64 * f0[i];
            let is_kept = below(k) && sum != 0.0;
            amplitudes[i * n + k] = if is_kept { a[i] * d[i * n + k] / sum } else { 0.0 };
        }
    }
}

fn to_sinusoidal_gradients(
    operation: &mut Operation,
    f0_hz: f32,
    [a, d]: [f32; 2],
    shape: [usize; 2],
) {
    let [n_frames, n_harmonics] = shape;
    let n = n_frames * n_harmonics;
    let f0 = vec![f0_hz; n_frames];
    let amplitudes: Vec<f32> = pseudo_random(1, n_frames).iter().map(|x| a * (1.2 + x)).collect();
    let distribution: Vec<f32> = pseudo_random(2, n).iter().map(|x| d * (1.2 + x)).collect();
    let backward = |f0_hz: &[f32], g: &[f32], grads: [&mut [f32]; 3]| {
        let [grad_f0, grad_amplitudes, harmonic_distribution] = grads;
        let (frequencies_hz, grad) = g.split_at(n);
        harmonic_to_sinusoidal_backward(
            HarmonicControls {
                f0_hz,
                amplitudes: &amplitudes,
                harmonic_distribution: &distribution,
            },
            16_000.0,
            SinusoidalControls { frequencies_hz, amplitudes: grad },
            HarmonicControlsMut {
                f0_hz: grad_f0,
                amplitudes: grad_amplitudes,
                harmonic_distribution,
            },
        );
    };
    let (f0_64, a_64, d_64) = (widen(&f0), widen(&amplitudes), widen(&distribution));
    let none = || (vec![0.0; n_frames], vec![0.0; n]);
    operation.gradient(
        "f0_hz",
        &f0,
        2 * n,
        1e-3,
        |f0, y| to_sinusoidal_oracle((f0, &a_64, &d_64), y),
        |x, g, grad| backward(x, g, [grad, &mut none().0, &mut none().1]),
    );
    operation.gradient(
        "amplitudes",
        &amplitudes,
        2 * n,
        f64::from(a),
        |a, y| to_sinusoidal_oracle((&f0_64, a, &d_64), y),
        |_, g, grad| backward(&f0, g, [&mut none().0, grad, &mut none().1]),
    );
    operation.gradient(
        "harmonic_distribution",
        &distribution,
        2 * n,
        1e-4 * f64::from(d),
        |d, y| to_sinusoidal_oracle((&f0_64, &a_64, d), y),
        |_, g, grad| backward(&f0, g, [&mut none().0, &mut none().0, grad]),
    );
}

fn to_sinusoidal_agreement(report: &mut Report) {
    let operation = report.operation("harmonic_to_sinusoidal");
    let mut golden = Golden::open("oscillators");
    let [f0_hz, amplitudes, distribution] =
        ["f0", "amp", "hd"].map(|name| golden.values(&format!("base.in.{name}")));
    let (mut hz, mut a) = (vec![f32::NAN; distribution.len()], vec![f32::NAN; distribution.len()]);
    harmonic_to_sinusoidal(
        HarmonicControls {
            f0_hz: &f0_hz,
            amplitudes: &amplitudes,
            harmonic_distribution: &distribution,
        },
        16_000.0,
        SinusoidalControlsMut { frequencies_hz: &mut hz, amplitudes: &mut a },
    );
    // Sums of 30 values, a quotient and a product, each rounding at 2^-24.
    let tolerance = Tolerance::relative(1e-6);
    operation.golden("oscillators/harmonic_to_sinusoidal", "freqs", &hz, tolerance);
    operation.golden("oscillators/harmonic_to_sinusoidal", "amps", &a, tolerance);
    for (f0_hz, scales, shape) in [
        (220.0, [1.0, 1.0], [3, 7]),
        (440.0, [1.0, 1.0], [1, 1]),
        (1300.0, [1e-9, 1.0], [2, 9]),
        (300.0, [1e9, 1e-9], [2, 3]),
        (9000.0, [1.0, 1.0], [2, 2]),
    ] {
        to_sinusoidal_gradients(operation, f0_hz, scales, shape);
    }
}

fn to_wavetable_agreement(report: &mut Report) {
    let operation = report.operation("harmonic_distribution_to_wavetable");
    let oracle = |d: &[f64], n: usize, table_len: usize, y: &mut [f64]| {
        for (i, y) in y.iter_mut().enumerate() {
            let (frame, t) = (i / table_len, (i % table_len) as f64 / table_len as f64);
            let harmonics = d[frame * n..(frame + 1) * n].iter().zip(1..);
            *y = harmonics.map(|(d, k)| d * (TAU * f64::from(k) * t).cos()).sum();
        }
    };
    // An FFT of up to 256 samples rounds eight times at 2^-24 of the largest.
    let tolerance = Tolerance::of_peak(5e-7);
    let plain = Golden::open("oscillators").values("normalize_harmonics_plain.out.y");
    let frames = |n: usize| plain.chunks(50 * 30).flat_map(move |clip| clip[..n * 30].to_vec());
    let (signal, shape) = Golden::open("synths").array("harmonic_as_wavetable.out.wavetables");
    assert_eq!(
        (signal.len(), shape),
        (2 * 5 * 128, vec![2, 5, 128]),
        "the golden of the processor"
    );
    for table_len in [64, 256] {
        let distribution: Vec<f32> = frames(5).collect();
        let mut tables = vec![f32::NAN; 10 * table_len];
        HarmonicToWavetable::new(30, table_len).forward(&distribution, &mut tables);
        let case = format!("oscillators/hd_to_wavetable_{table_len}");
        operation.golden(&case, "y", &tables, tolerance);
    }
    // The golden has every tenth frame.
    let distribution: Vec<f32> = Golden::open("synths")
        .values("harmonic.out.harmonic_distribution")
        .chunks(30)
        .step_by(10)
        .flatten()
        .copied()
        .collect();
    let mut tables = vec![f32::NAN; 10 * 128];
    HarmonicToWavetable::new(30, 128).forward(&distribution, &mut tables);
    operation.golden("synths/harmonic_as_wavetable", "wavetables", &tables, tolerance);
    for (n_frames, n, table_len, scale) in
        [(3, 7, 16, 1.0), (1, 1, 4, 1.0), (2, 5, 12, 1e-9), (1, 9, 50, 1e9), (2, 3, 8, 0.0)]
    {
        let d: Vec<f32> = pseudo_random(4, n_frames * n).iter().map(|d| scale * d).collect();
        let mut tables = vec![f32::NAN; n_frames * table_len];
        HarmonicToWavetable::new(n, table_len).forward(&d, &mut tables);
        let mut expected = vec![0.0; tables.len()];
        oracle(&widen(&d), n, table_len, &mut expected);
        if scale > 0.0 {
            operation.oracle("tables", &tables, &expected, tolerance);
        }
        operation.gradient(
            "harmonic_distribution",
            &d,
            tables.len(),
            f64::from(scale).max(1e-9),
            |d, y| oracle(d, n, table_len, y),
            |_, g, grad| HarmonicToWavetable::new(n, table_len).backward(g, grad),
        );
    }
}

pub(crate) fn agreement(report: &mut Report) {
    to_sinusoidal_agreement(report);
    to_harmonic_agreement(report);
    to_wavetable_agreement(report);
}

#[test]
fn they_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}

#[test]
fn there_and_back_keeps_harmonics_that_are_apart() {
    let (f0, a) = ([200.0, 300.0], [0.5, 0.25]);
    let d = [0.5, 0.3, 0.2, 0.1, 0.6, 0.3];
    let (mut hz, mut amplitudes) = ([0.0; 6], [0.0; 6]);
    harmonic_to_sinusoidal(
        HarmonicControls { f0_hz: &f0, amplitudes: &a, harmonic_distribution: &d },
        16_000.0,
        SinusoidalControlsMut { frequencies_hz: &mut hz, amplitudes: &mut amplitudes },
    );
    let (mut back_a, mut back_d) = ([0.0; 2], [0.0; 6]);
    let map = SinusoidalToHarmonic { n_harmonics: 3, ..SinusoidalToHarmonic::default() };
    let sinusoids = SinusoidalControls { frequencies_hz: &hz, amplitudes: &amplitudes };
    map.forward(sinusoids, &f0, &mut back_a, &mut back_d);
    // A neighbour one f0 away, ten widths, weighs e^-100.
    crate::testing::assert_close("amplitudes", &back_a, &widen(&a), 1e-7);
    crate::testing::assert_close("distribution", &back_d, &widen(&d), 1e-7);
}

#[test]
fn an_f0_that_is_no_number_shows_in_its_frame_only() {
    let map = SinusoidalToHarmonic { n_harmonics: 2, ..SinusoidalToHarmonic::default() };
    let sinusoids = SinusoidalControls { frequencies_hz: &[200.0; 4], amplitudes: &[1.0; 4] };
    let (mut a, mut d) = ([0.0; 2], [0.0; 4]);
    map.forward(sinusoids, &[f32::NAN, 200.0], &mut a, &mut d);
    assert!(a[0].is_nan() && d[0].is_nan() && a[1] == 2.0, "{a:?} {d:?}");
    map.forward(sinusoids, &[0.0, 0.0], &mut a, &mut d);
    assert_eq!((a, d), ([0.0; 2], [0.0; 4]), "no fundamental, no harmonics");
}

#[test]
#[should_panic(expected = "harmonic_distribution has 5 values where 6 are needed")]
fn a_wrong_length_names_both() {
    let map = SinusoidalToHarmonic { n_harmonics: 3, ..SinusoidalToHarmonic::default() };
    let sinusoids = SinusoidalControls { frequencies_hz: &[200.0; 4], amplitudes: &[1.0; 4] };
    map.forward(sinusoids, &[100.0; 2], &mut [0.0; 2], &mut [0.0; 5]);
}

#[test]
#[should_panic(expected = "8 harmonics in 16 samples")]
fn a_table_without_room_is_refused() {
    HarmonicToWavetable::new(8, 16);
}
