use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::simd::Simd;
use crate::testing::{pseudo_random, widen};

/// Of the largest sample: each of about ten passes of three transforms, here and in the reference,
/// rounds at 2^-24 of a rms that the largest sample is not far above.
pub(crate) fn tolerance() -> Tolerance {
    Tolerance::of_peak(1e-6)
}

/// The definition in f64: `responses` are `[n_blocks, ir_len]`, or one for all; `output` begins at
/// sample `delay` of the whole.
pub(crate) fn oracle(
    audio: &[f64],
    responses: &[f64],
    [hop, ir_len, delay]: [usize; 3],
    output: &mut [f64],
) {
    output.fill(0.0);
    for (n, x) in audio.iter().enumerate() {
        let b = if responses.len() == ir_len { 0 } else { n / hop };
        for (t, h) in responses[b * ir_len..][..ir_len].iter().enumerate() {
            if let Some(y) = (n + t).checked_sub(delay).and_then(|i| output.get_mut(i)) {
                *y += x * h;
            }
        }
    }
}

/// Sizes of one convolution.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    n: usize,
    hop: usize,
    ir_len: usize,
    delay: usize,
    n_out: usize,
}

/// Whole blocks and a remainder, one block, more room than audio, blocks and responses of one
/// sample, responses longer than the audio, a delay beyond its end.
const SIZES: [Sizes; 8] = [
    Sizes { n: 100, hop: 100, ir_len: 33, delay: 16, n_out: 100 },
    Sizes { n: 100, hop: 8, ir_len: 33, delay: 16, n_out: 100 },
    Sizes { n: 95, hop: 10, ir_len: 7, delay: 0, n_out: 101 },
    Sizes { n: 50, hop: 64, ir_len: 1, delay: 0, n_out: 50 },
    Sizes { n: 1, hop: 1, ir_len: 1, delay: 0, n_out: 1 },
    Sizes { n: 20, hop: 1, ir_len: 5, delay: 2, n_out: 20 },
    Sizes { n: 10, hop: 3, ir_len: 40, delay: 45, n_out: 70 },
    Sizes { n: 700, hop: 600, ir_len: 300, delay: 3, n_out: 710 },
];

impl Sizes {
    fn convolve(self, simd: Simd) -> FftConvolve {
        let mut convolve = FftConvolve::new(self.hop, self.ir_len, self.delay);
        convolve.set_simd(simd);
        convolve
    }

    fn oracle(self, audio: &[f64], responses: &[f64], output: &mut [f64]) {
        oracle(audio, responses, [self.hop, self.ir_len, self.delay], output);
    }

    /// One response, and one for each block.
    fn n_responses(self) -> [usize; 2] {
        [1, self.n.div_ceil(self.hop)]
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("FftConvolve");
    compare_one_response(operation);
    compare_time_varying(operation);
    compare_oracle(operation);
    check_gradients(operation);
}

/// Both clips of a golden case: `[2, n_out]` of `audio` and `responses` `[2, n_blocks, ir_len]`.
fn batch(convolve: &mut FftConvolve, audio: &[f32], responses: &[f32], n_out: usize) -> Vec<f32> {
    let mut output = vec![f32::NAN; 2 * n_out];
    let clips = audio.chunks(audio.len() / 2).zip(responses.chunks(responses.len() / 2));
    for ((audio, responses), output) in clips.zip(output.chunks_mut(n_out)) {
        convolve.forward(audio, responses, output);
    }
    output
}

const NO_AUDIO: &str = "The reference returns no audio where the samples that it means to cut from \
                        the end are none or fewer";

/// Says that a case has no expected values, and compares `output` with the definition.
fn depart(
    operation: &mut Operation,
    (case, key): (&str, &str),
    [audio, responses, output]: [&[f32]; 3],
    [hop, ir_len, delay]: [usize; 3],
) {
    operation.departs(case, key, NO_AUDIO);
    let mut expected = vec![0.0; output.len()];
    let (audio, responses) = (widen(audio), widen(responses));
    let clips = audio.chunks(audio.len() / 2).zip(responses.chunks(responses.len() / 2));
    let n_out = output.len() / 2;
    for ((audio, responses), expected) in clips.zip(expected.chunks_mut(n_out)) {
        oracle(audio, responses, [hop, ir_len, delay], expected);
    }
    operation.oracle(case, output, &expected, tolerance());
}

fn compare_one_response(operation: &mut Operation) {
    let mut golden = Golden::open("filters");
    let audio = golden.values("audio.in.x");
    for ir_len in [1_usize, 2, 3, 16, 17, 100, 257, 1500] {
        let responses = golden.values(&format!("ir{ir_len}.in.x"));
        for (padding, n_out) in [("same", 1000), ("valid", 1000 + ir_len - 1)] {
            for (name, delay) in [("-1", FftConvolve::reference_delay(ir_len)), ("0", 0), ("5", 5)]
            {
                let case = format!("filters/fft_convolve_{ir_len}_{padding}_{name}");
                let mut convolve = FftConvolve::for_one_response(1000, ir_len, delay);
                let output = batch(&mut convolve, &audio, &responses, n_out);
                if name == "-1" && ir_len <= 2 {
                    let arrays = [&*audio, &responses, &output];
                    depart(operation, (&case, "y"), arrays, [1000, ir_len, delay]);
                } else {
                    operation.golden(&case, "y", &output, tolerance());
                }
            }
        }
    }
    let response = golden.values("fft_convolve_bcast.in.ir").repeat(2);
    let mut convolve = FftConvolve::new(1000, 33, FftConvolve::reference_delay(33));
    let output = batch(&mut convolve, &audio, &response, 1000);
    operation.golden("filters/fft_convolve_bcast", "y", &output, tolerance());
}

fn compare_time_varying(operation: &mut Operation) {
    let mut golden = Golden::open("filters");
    let audio = golden.values("audio.in.x");
    for (n_blocks, ir_len) in [(10, 64), (7, 33), (50, 128), (1000, 8)] {
        let case = format!("fft_convolve_ltv_{n_blocks}x{ir_len}");
        let responses = golden.values(&format!("{case}.in.ir"));
        let (hop, delay) = (1000_usize.div_ceil(n_blocks), FftConvolve::reference_delay(ir_len));
        let case = format!("filters/{case}");
        for (padding, n_out) in [("same", 1000), ("valid", 1000 + ir_len - 1)] {
            let mut convolve = FftConvolve::new(hop, ir_len, delay);
            let output = batch(&mut convolve, &audio, &responses, n_out);
            if n_blocks == 1000 && padding == "valid" {
                let arrays = [&*audio, &responses, &output];
                depart(operation, (&case, padding), arrays, [hop, ir_len, delay]);
            } else {
                operation.golden(&case, padding, &output, tolerance());
            }
        }
    }
}

fn compare_oracle(operation: &mut Operation) {
    for sizes in SIZES {
        let audio = pseudo_random(1, sizes.n);
        for n_responses in sizes.n_responses() {
            let responses = pseudo_random(2, n_responses * sizes.ir_len);
            let mut expected = vec![0.0; sizes.n_out];
            sizes.oracle(&widen(&audio), &widen(&responses), &mut expected);
            for simd in Simd::all() {
                let mut output = vec![f32::NAN; sizes.n_out];
                sizes.convolve(simd).forward(&audio, &responses, &mut output);
                let what = format!("{sizes:?}, {n_responses} responses, {simd:?}");
                operation.oracle(&what, &output, &expected, tolerance());
            }
        }
    }
}

fn check_gradients(operation: &mut Operation) {
    // Values of any size: nothing, almost nothing, little, much.
    for scale in [1.0, 0.0, 1e-40, 1e-9, 1e9] {
        for sizes in SIZES {
            for n_responses in sizes.n_responses() {
                check_gradient(operation, sizes, n_responses, scale);
            }
        }
    }
}

/// Checks one input's gradient while the other is of ordinary size.
fn check_gradient(operation: &mut Operation, sizes: Sizes, n_responses: usize, scale: f32) {
    let plain = [pseudo_random(3, sizes.n), pseudo_random(4, n_responses * sizes.ir_len)];
    let [audio, responses] =
        plain.each_ref().map(|values| values.iter().map(|x| scale * x).collect::<Vec<f32>>());
    let wide = plain.each_ref().map(|values| widen(values));
    let step = if scale < 1e-20 { 1e-2 } else { 1e-2 * f64::from(scale) };
    for simd in Simd::all() {
        operation.gradient(
            "audio",
            &audio,
            sizes.n_out,
            step,
            |x, y| sizes.oracle(x, &wide[1], y),
            |x, g, grad| {
                sizes.convolve(simd).backward(x, &plain[1], g, Some(grad), None);
            },
        );
        operation.gradient(
            "impulse_responses",
            &responses,
            sizes.n_out,
            step,
            |x, y| sizes.oracle(&wide[0], x, y),
            |x, g, grad| {
                sizes.convolve(simd).backward(&plain[0], x, g, None, Some(grad));
            },
        );
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn the_other_input_may_have_any_scale() {
    // The gradient of one input is the other's size.
    let mut report = Report::default();
    let operation = report.operation("FftConvolve");
    for scale in [0.0, 1e-9, 1e9] {
        let sizes = SIZES[1];
        let other = pseudo_random(5, sizes.ir_len).iter().map(|x| scale * x).collect::<Vec<f32>>();
        let wide = widen(&other);
        operation.gradient(
            "audio",
            &pseudo_random(6, sizes.n),
            sizes.n_out,
            1e-2,
            |x, y| sizes.oracle(x, &wide, y),
            |x, g, grad| {
                sizes.convolve(Simd::widest()).backward(x, &other, g, Some(grad), None);
            },
        );
    }
}

#[test]
fn both_gradients_at_once_are_the_same() {
    for sizes in SIZES {
        for n_responses in sizes.n_responses() {
            let (audio, g) = (pseudo_random(7, sizes.n), pseudo_random(8, sizes.n_out));
            let responses = pseudo_random(9, n_responses * sizes.ir_len);
            let mut convolve = sizes.convolve(Simd::widest());
            let mut apart = [vec![0.0; audio.len()], vec![0.0; responses.len()]];
            let mut both = apart.clone();
            convolve.backward(&audio, &responses, &g, Some(&mut apart[0]), None);
            convolve.backward(&audio, &responses, &g, None, Some(&mut apart[1]));
            let [grad_audio, grad_responses] = &mut both;
            convolve.backward(&audio, &responses, &g, Some(grad_audio), Some(grad_responses));
            assert_eq!(both, apart, "{sizes:?}");
        }
    }
}

#[test]
fn one_response_is_convolved_in_the_fastest_blocks() {
    // All at once where that is little more than the response; in blocks of a few times its length
    // where the audio is much longer, also if it is short.
    for (n, ir_len) in [(64_000, 48_000), (960_000, 48_000), (64_000, 100), (10, 1), (3, 500)] {
        let convolve = FftConvolve::for_one_response(n, ir_len, 0);
        let n_blocks = n.div_ceil(convolve.hop);
        assert!(convolve.hop <= n, "{n} {ir_len}: hop {}", convolve.hop);
        let expected = match (n, ir_len) {
            (64_000, 100) => 8..200,
            (960_000, _) => 2..12,
            _ => 1..2,
        };
        assert!(expected.contains(&n_blocks), "{n} {ir_len}: {n_blocks} blocks");
    }
}

#[test]
#[should_panic(expected = "11 values for 3 impulse responses of 5 samples")]
fn a_wrong_length_names_both() {
    FftConvolve::new(10, 5, 0).forward(&[0.0; 30], &[0.0; 11], &mut [0.0; 30]);
}

#[test]
#[should_panic(expected = "grad of 29 of 30 audio samples")]
fn a_wrong_gradient_names_both() {
    let mut grad = [0.0; 29];
    FftConvolve::new(10, 5, 0).backward(&[0.0; 30], &[0.0; 5], &[0.0; 30], Some(&mut grad), None);
}

#[test]
#[should_panic(expected = "stream: 15 samples are not whole hops of 10")]
fn a_piece_that_is_not_whole_hops_is_refused() {
    let mut convolve = FftConvolve::new(10, 5, 0);
    let mut stream = convolve.new_stream(StreamSplit::AtHops);
    convolve.process(&mut stream, &[0.0; 15], &[0.0; 10], &mut [0.0; 15]);
}

#[test]
#[should_panic(expected = "stream: made for hop 10 and 5 taps, not hop 10 and 6")]
fn another_convolutions_stream_is_refused() {
    let mut stream = FftConvolve::new(10, 5, 0).new_stream(StreamSplit::Anywhere);
    FftConvolve::new(10, 6, 0).process(&mut stream, &[0.0; 5], &[], &mut [0.0; 5]);
}

#[test]
fn a_number_that_is_none_is_passed_on_and_stays_in_reach() {
    let mut convolve = FftConvolve::new(4, 3, 0);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (mut audio, mut output) = ([0.5; 16], [0.0; 16]);
        audio[5] = bad;
        convolve.forward(&audio, &[1.0; 3], &mut output);
        assert!(output[5..8].iter().all(|y| !y.is_finite()), "{output:?}");
        // The block of samples 4 to 7 reaches two further; the others know nothing of it.
        assert!(output[..4].iter().chain(&output[10..]).all(|y| y.is_finite()), "{output:?}");
        let (mut grad_audio, mut grad_response) = ([0.0; 16], [0.0; 3]);
        let grads = (Some(&mut grad_audio[..]), Some(&mut grad_response[..]));
        convolve.backward(&audio, &[1.0; 3], &[1.0; 16], grads.0, grads.1);
        assert!(grad_audio.iter().all(|g| g.is_finite()), "{grad_audio:?}");
        assert!(grad_response.iter().all(|g| g.is_nan()), "{grad_response:?}");
    }
}
