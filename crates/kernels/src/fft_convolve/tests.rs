use super::*;
use crate::golden::Golden;
use crate::gradcheck::check_vjp;

/// The definition, in f64.
fn oracle(audio: &[f64], responses: &[f64], ir_len: usize, hop: usize, full: &mut [f64]) {
    full.fill(0.0);
    for (n, x) in audio.iter().enumerate() {
        let b = if responses.len() == ir_len { 0 } else { n / hop };
        for t in 0..ir_len {
            full[n + t] += x * responses[b * ir_len + t];
        }
    }
}

fn wave(n: usize, speed: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * speed).sin()).collect()
}

#[test]
fn matches_the_oracle_at_every_size() {
    // The last case has audio shorter than the delay, and output longer than everything.
    for (n, hop, ir_len, delay, n_out) in [
        (100, 100, 33, 16, 100),
        (100, 8, 33, 16, 100),
        (95, 10, 7, 0, 101),
        (50, 64, 1, 0, 50),
        (1, 1, 1, 0, 1),
        (10, 3, 40, 45, 70),
    ] {
        let audio = wave(n, 0.7);
        for n_responses in [1, n.div_ceil(hop)] {
            let responses = wave(n_responses * ir_len, 1.9);
            let mut full = vec![0.0; n + ir_len - 1];
            let (audio_64, responses_64): (Vec<f64>, Vec<f64>) = (
                audio.iter().map(|&x| x.into()).collect(),
                responses.iter().map(|&x| x.into()).collect(),
            );
            oracle(&audio_64, &responses_64, ir_len, hop, &mut full);
            let mut output = vec![f32::NAN; n_out];
            FftConvolve::new(hop, ir_len, delay).forward(&audio, &responses, &mut output);
            for (i, y) in output.iter().enumerate() {
                let expected = full.get(i + delay).copied().unwrap_or(0.0);
                // Each of about 3 log2(128) stages rounds at 2^-24 of a spectrum's rms.
                let error = (f64::from(*y) - expected).abs();
                assert!(error <= 1e-5, "{n}/{hop}/{ir_len}/{delay}[{i}]: {y}, not {expected}");
            }
        }
    }
}

#[test]
fn backward_is_the_transposed_jacobian() {
    for (n, hop, ir_len, delay, n_out, n_responses) in
        [(40, 16, 9, 4, 40, 3), (40, 16, 9, 0, 48, 1), (20, 20, 30, 25, 20, 1)]
    {
        let audio = wave(n, 0.7);
        let responses = wave(n_responses * ir_len, 1.9);
        let packed: Vec<f32> = audio.iter().chain(&responses).copied().collect();
        let forward = |x: &[f64], y: &mut [f64]| {
            let mut full = vec![0.0; n + ir_len - 1];
            oracle(&x[..n], &x[n..], ir_len, hop, &mut full);
            for (i, y) in y.iter_mut().enumerate() {
                *y = full.get(i + delay).copied().unwrap_or(0.0);
            }
        };
        check_vjp(&packed, n_out, 1e-2, forward, |x, grad_y, grad_x| {
            let (grad_audio, grad_responses) = grad_x.split_at_mut(n);
            FftConvolve::new(hop, ir_len, delay).backward(
                &x[..n],
                &x[n..],
                grad_y,
                Some(grad_audio),
                Some(grad_responses),
            );
        });
    }
}

#[test]
fn matches_the_reference() {
    let mut golden = Golden::open("filters");
    let audio = golden.values("audio.in.x");
    for ir_len in [1_usize, 2, 3, 16, 17, 100, 257, 1500] {
        let responses = golden.values(&format!("ir{ir_len}.in.x"));
        for (padding, n_out) in [("same", 1000), ("valid", 1000 + ir_len - 1)] {
            for (name, delay) in [("-1", ((ir_len - 1) / 2).wrapping_sub(1)), ("0", 0), ("5", 5)] {
                let case = format!("fft_convolve_{ir_len}_{padding}_{name}.out.y");
                let expected = golden.values(&case);
                // With one or two taps the reference's default delay gives an empty answer.
                if !expected.is_empty() {
                    compare_golden(&case, &audio, &responses, (1000, delay, n_out), &expected);
                    assert_eq!(expected.len(), 2 * n_out, "{case}");
                }
            }
        }
    }
}

#[test]
fn time_varying_matches_the_reference() {
    let mut golden = Golden::open("filters");
    let audio = golden.values("audio.in.x");
    for (n_blocks, ir_len) in [(10, 64), (7, 33), (50, 128), (1000, 8)] {
        let case = format!("fft_convolve_ltv_{n_blocks}x{ir_len}");
        let responses = golden.values(&format!("{case}.in.ir"));
        let delay = (ir_len - 1) / 2 - 1;
        for (padding, n_out) in [("same", 1000), ("valid", 1000 + ir_len - 1)] {
            let expected = golden.values(&format!("{case}.out.{padding}"));
            let hop = 1000_usize.div_ceil(n_blocks);
            if !expected.is_empty() {
                compare_golden(&case, &audio, &responses, (hop, delay, n_out), &expected);
            }
        }
    }
}

/// Compares both rows of a batch; `(hop, delay, n_out)`.
fn compare_golden(
    case: &str,
    audio: &[f32],
    responses: &[f32],
    (hop, delay, n_out): (usize, usize, usize),
    expected: &[f32],
) {
    let n_blocks = 1000_usize.div_ceil(hop);
    let ir_len = responses.len() / 2 / n_blocks;
    let mut convolve = FftConvolve::new(hop, ir_len, delay);
    let norm = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
    for row in 0..2 {
        let (audio, responses) =
            (&audio[row * 1000..][..1000], &responses[row * responses.len() / 2..]);
        let responses = &responses[..n_blocks * ir_len];
        let mut output = vec![f32::NAN; n_out];
        convolve.forward(audio, responses, &mut output);
        // An FFT's error is a few 2^-24 for each stage of the norm of what it transforms,
        // and as many blocks overlap as fit in a response.
        let tolerance =
            1e-6 * norm(&audio[..hop.max(ir_len).min(1000)]) * norm(&responses[..ir_len]).max(1.0);
        for (i, (y, e)) in output.iter().zip(&expected[row * n_out..]).enumerate() {
            assert!((y - e).abs() <= tolerance, "{case}[{i}]: {y}, not {e} ({tolerance:e})");
        }
    }
}

#[test]
fn dirty_buffers_do_not_matter() {
    let mut convolve = FftConvolve::new(10, 5, 2);
    let (audio, response) = (wave(30, 0.4), wave(5, 1.0));
    let mut first = vec![0.0; 30];
    convolve.forward(&audio, &response, &mut first);
    convolve.forward(&wave(30, 3.0), &wave(15, 2.0), &mut [1e9; 30]);
    let mut second = vec![f32::NAN; 30];
    convolve.forward(&audio, &response, &mut second);
    assert_eq!(first, second);
}

#[test]
#[should_panic(expected = "11 values for 3 impulse responses of 5 samples")]
fn a_wrong_length_names_both() {
    FftConvolve::new(10, 5, 0).forward(&[0.0; 30], &[0.0; 11], &mut [0.0; 30]);
}

#[test]
fn a_number_that_is_none_is_passed_on() {
    let mut output = [0.0; 8];
    let mut convolve = FftConvolve::new(4, 3, 0);
    convolve.forward(&[0.0, f32::NAN, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], &[1.0; 3], &mut output);
    assert!(output[1].is_nan(), "{output:?}");
}
