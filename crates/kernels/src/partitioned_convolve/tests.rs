use proptest::prelude::*;

use super::*;
use crate::FftConvolve;
use crate::agreement::Report;
use crate::fft_convolve::laws::{assert_late, pieces};
use crate::fft_convolve::tests as fft_convolve;
use crate::testing::{pseudo_random, widen};

/// A convolution with a pseudo-random response, on some instruction set.
fn convolve(block_len: usize, response: &[f32], simd: Simd) -> PartitionedConvolve {
    let mut convolve = PartitionedConvolve::new(block_len, response.len());
    convolve.simd = simd;
    convolve.set_impulse_response(response);
    convolve
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("PartitionedConvolve");
    // Whole groups of bins and partitions, parts of both, one partition, blocks of one sample.
    for (n, block_len, ir_len) in
        [(400, 16, 160), (300, 20, 171), (100, 48, 7), (50, 1, 20), (130, 33, 34)]
    {
        let (audio, response) = (pseudo_random(1, n), pseudo_random(2, ir_len));
        let latency = block_len - 1;
        let mut expected = vec![0.0; n];
        let sizes = [n, ir_len, 0];
        fft_convolve::oracle(&widen(&audio), &widen(&response), sizes, &mut expected);
        for simd in Simd::all() {
            let mut convolve = convolve(block_len, &response, simd);
            let mut stream = convolve.new_stream(StreamSplit::Anywhere);
            let mut output = vec![f32::NAN; n];
            convolve.process(&mut stream, &audio, &mut output);
            let what = format!("{n} samples, blocks of {block_len}, {ir_len} taps, {simd:?}");
            let (early, late) = output.split_at(latency);
            assert!(early.iter().all(|y| *y == 0.0), "{what}: {early:?}");
            let expected = &expected[..n - latency];
            operation.oracle(&what, late, expected, fft_convolve::tolerance());
        }
    }
}

#[test]
fn it_agrees_with_the_definition() {
    agreement(&mut Report::default());
}

#[test]
fn a_long_response_is_that_of_one_transform() {
    let (audio, response) = (pseudo_random(3, 30_000), pseudo_random(4, 20_000));
    let mut offline = vec![f32::NAN; 30_000];
    FftConvolve::for_one_response(30_000, 20_000, 0).forward(&audio, &response, &mut offline);
    let mut convolve = convolve(64, &response, Simd::widest());
    let mut stream = convolve.new_stream(StreamSplit::Anywhere);
    let mut output = vec![f32::NAN; 30_000];
    convolve.process(&mut stream, &audio, &mut output);
    assert_late(&output, &offline, 63);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    /// Any split gives the same samples; whole blocks have no latency; and again after a reset.
    #[test]
    fn any_split_is_the_offline_output(
        block_len in 1_usize..40,
        ir_len in 1_usize..150,
        n_blocks in 1_usize..12,
        lengths in prop::collection::vec(0_usize..60, 1..8),
        at_hops: bool,
    ) {
        prop_assume!(lengths.iter().any(|n| *n > 0));
        let n = n_blocks * block_len;
        let (audio, response) = (pseudo_random(5, n), pseudo_random(6, ir_len));
        let mut offline = vec![f32::NAN; n];
        FftConvolve::new(n, ir_len, 0).forward(&audio, &response, &mut offline);
        let (split, unit, latency) = if at_hops {
            (StreamSplit::AtHops, block_len, 0)
        } else {
            (StreamSplit::Anywhere, 1, block_len - 1)
        };
        let mut convolve = convolve(block_len, &response, Simd::widest());
        let mut stream = convolve.new_stream(split);
        prop_assert_eq!(stream.latency(), latency);
        let mut outputs = [vec![f32::NAN; n], vec![f32::NAN; n]];
        for output in &mut outputs {
            let mut at = 0;
            for piece in pieces(n, &lengths, unit) {
                let samples = at..at + piece;
                convolve.process(&mut stream, &audio[samples.clone()], &mut output[samples]);
                at += piece;
            }
            assert_late(output, &offline, latency);
            // A part of a block too, where it may be cut.
            let extra = block_len * (n_blocks / 2) + if at_hops { 0 } else { block_len / 2 };
            convolve.process(&mut stream, &audio[..extra], &mut vec![0.0; extra]);
            stream.reset();
        }
        let [first, second] = outputs;
        prop_assert_eq!(first, second);
    }
}

#[test]
fn streams_share_a_response_and_nothing_else() {
    let (a, b) = (pseudo_random(7, 200), pseudo_random(8, 200));
    let mut convolve = convolve(16, &pseudo_random(9, 70), Simd::widest());
    let mut alone = [vec![0.0; 200], vec![0.0; 200]];
    for (audio, output) in [&a, &b].into_iter().zip(&mut alone) {
        let mut stream = convolve.new_stream(StreamSplit::Anywhere);
        convolve.process(&mut stream, audio, output);
    }
    let mut streams = [StreamSplit::Anywhere; 2].map(|split| convolve.new_stream(split));
    let mut together = [vec![0.0; 200], vec![0.0; 200]];
    for at in (0..200).step_by(10) {
        for ((audio, output), stream) in [&a, &b].into_iter().zip(&mut together).zip(&mut streams) {
            convolve.process(stream, &audio[at..at + 10], &mut output[at..at + 10]);
        }
    }
    assert_eq!(alone, together);
}

#[test]
fn silence_stays_silent_and_a_number_that_is_none_is_gone_with_the_response() {
    let mut convolve = convolve(8, &pseudo_random(10, 20), Simd::widest());
    let mut stream = convolve.new_stream(StreamSplit::AtHops);
    let mut output = [f32::NAN; 64];
    convolve.process(&mut stream, &[0.0; 64], &mut output);
    assert_eq!(output, [0.0; 64], "silence");
    let mut audio = [0.5; 64];
    audio[3] = f32::NAN;
    convolve.process(&mut stream, &audio, &mut output);
    assert!(output[3..23].iter().all(|y| y.is_nan()), "{output:?}");
    // Three partitions after the block that had it, and the overlap of one.
    assert!(output[32..].iter().all(|y| y.is_finite()), "{output:?}");
}

#[test]
fn a_new_response_holds_from_the_next_block_on() {
    let mut convolve = convolve(4, &[1.0, 0.0], Simd::widest());
    let mut stream = convolve.new_stream(StreamSplit::AtHops);
    let mut output = [f32::NAN; 8];
    convolve.process(&mut stream, &[1.0; 4], &mut output[..4]);
    convolve.set_impulse_response(&[0.0, 3.0]);
    convolve.process(&mut stream, &[2.0; 4], &mut output[4..]);
    for (y, expected) in output.iter().zip([1.0, 1.0, 1.0, 1.0, 3.0, 6.0, 6.0, 6.0]) {
        assert!((y - expected).abs() <= 1e-5, "{output:?}");
    }
}

#[test]
#[should_panic(expected = "a response of 19 samples, not 20")]
fn a_wrong_response_names_both() {
    PartitionedConvolve::new(8, 20).set_impulse_response(&[0.0; 19]);
}

#[test]
#[should_panic(expected = "12 samples are not whole blocks of 8")]
fn a_piece_that_is_not_whole_blocks_is_refused() {
    let mut convolve = PartitionedConvolve::new(8, 20);
    let mut stream = convolve.new_stream(StreamSplit::AtHops);
    convolve.process(&mut stream, &[0.0; 12], &mut [0.0; 12]);
}

#[test]
#[should_panic(expected = "a stream of blocks of 8 with 3 spectra for blocks of 8 and 200 taps")]
fn another_convolutions_stream_is_refused() {
    let mut stream = PartitionedConvolve::new(8, 20).new_stream(StreamSplit::Anywhere);
    PartitionedConvolve::new(8, 200).process(&mut stream, &[0.0; 5], &mut [0.0; 5]);
}
