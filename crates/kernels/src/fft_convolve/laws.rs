use proptest::prelude::*;

use super::*;
use crate::testing::pseudo_random;

/// Cuts `n` samples into pieces of these lengths, over and over; `unit` samples each.
pub(crate) fn pieces(n: usize, lengths: &[usize], unit: usize) -> Vec<usize> {
    let mut left = n;
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if left == 0 {
            break;
        }
        let piece = (length * unit).min(left);
        pieces.push(piece);
        left -= piece;
    }
    pieces
}

/// Feeds audio piece by piece; `process` takes a piece of the audio, the rows of the frames that
/// begin in it, and the output.
pub(crate) fn feed(
    stream: &mut ConvolveStream,
    audio: &[f32],
    (rows, width): (&[f32], usize),
    pieces: &[usize],
    mut process: impl FnMut(&mut ConvolveStream, &[f32], &[f32], &mut [f32]),
) -> Vec<f32> {
    let mut output = vec![f32::NAN; audio.len()];
    let (mut at, mut row) = (0, 0);
    for &n in pieces {
        let n_frames = stream.n_frames(n);
        let rows = &rows[row * width..][..n_frames * width];
        process(stream, &audio[at..][..n], rows, &mut output[at..][..n]);
        at += n;
        row += n_frames;
    }
    assert_eq!((at, row * width), (audio.len(), rows.len()), "all was fed");
    output
}

/// Asserts that a stream's `output` is `offline`, `latency` samples later, to rounding of the
/// larger of 1 and its largest sample.
pub(crate) fn assert_late(output: &[f32], offline: &[f32], latency: usize) {
    let peak = offline.iter().fold(1.0_f32, |m, y| m.max(y.abs()));
    for (i, y) in output.iter().enumerate() {
        // Before the offline output begins, a filter that looks ahead may sound already.
        if let Some(expected) = i.checked_sub(latency).map(|i| offline[i]) {
            assert!((y - expected).abs() <= 1e-6 * peak, "[{i}]: {y}, not {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    /// Any split gives the offline output, late by the latency; and again after a reset.
    #[test]
    fn any_split_is_the_offline_output(
        hop in 1_usize..40,
        ir_len in 1_usize..60,
        delay in 0_usize..50,
        n_frames in 1_usize..12,
        lengths in prop::collection::vec(0_usize..60, 1..8),
        at_hops: bool,
    ) {
        prop_assume!(lengths.iter().any(|n| *n > 0));
        let n = n_frames * hop;
        let (audio, rows) = (pseudo_random(1, n), pseudo_random(2, n_frames * ir_len));
        let mut convolve = FftConvolve::new(hop, ir_len, delay);
        let mut offline = vec![0.0; n];
        convolve.forward(&audio, &rows, &mut offline);
        let (split, unit, latency) = if at_hops {
            (StreamSplit::AtHops, hop, delay)
        } else {
            (StreamSplit::Anywhere, 1, delay + hop - 1)
        };
        let mut stream = convolve.new_stream(split);
        prop_assert_eq!(stream.latency(), latency);
        let pieces = pieces(n, &lengths, unit);
        let first = feed(&mut stream, &audio, (&rows, ir_len), &pieces, |s, x, h, y| {
            convolve.process(s, x, h, y);
        });
        assert_late(&first, &offline, latency);
        // Of what was before nothing is heard after a reset, not of a part of a block either.
        let extra = if at_hops { hop } else { hop.div_ceil(2) };
        convolve.process(&mut stream, &audio[..extra], &[], &mut vec![0.0; extra]);
        stream.reset();
        let second = feed(&mut stream, &audio, (&rows, ir_len), &pieces, |s, x, h, y| {
            convolve.process(s, x, h, y);
        });
        prop_assert_eq!(first, second);
    }

    /// With one response the hop does not matter, nor what was computed before.
    #[test]
    fn one_response_gives_the_same_in_any_blocks(
        hop in 1_usize..70,
        ir_len in 1_usize..60,
        n in 1_usize..200,
    ) {
        let (audio, response) = (pseudo_random(3, n), pseudo_random(4, ir_len));
        let mut whole = vec![f32::NAN; n + ir_len - 1];
        FftConvolve::for_one_response(n, ir_len, 0).forward(&audio, &response, &mut whole);
        let mut convolve = FftConvolve::new(hop, ir_len, 0);
        let mut blocks = vec![f32::NAN; whole.len()];
        convolve.forward(&audio, &response, &mut blocks);
        assert_late(&blocks, &whole, 0);
        let mut again = blocks.clone();
        convolve.forward(&pseudo_random(5, n), &pseudo_random(6, ir_len), &mut again);
        let grads = (&mut vec![0.0; n][..], &mut vec![0.0; ir_len][..]);
        convolve.backward(&audio, &response, &again, Some(grads.0), Some(grads.1));
        convolve.forward(&audio, &response, &mut again);
        prop_assert_eq!(blocks, again);
    }

    /// Twice the audio is twice the output, bit for bit; blocks of silence leave none behind.
    #[test]
    fn it_is_linear_and_silence_stays_silent(
        hop in 1_usize..40,
        ir_len in 1_usize..60,
        n_frames in 1_usize..8,
    ) {
        let n = n_frames * hop;
        let (mut audio, rows) = (pseudo_random(7, n), pseudo_random(8, n_frames * ir_len));
        audio[..n / 2].fill(0.0);
        let mut convolve = FftConvolve::new(hop, ir_len, 0);
        let (mut once, mut twice) = (vec![f32::NAN; n], vec![f32::NAN; n]);
        convolve.forward(&audio, &rows, &mut once);
        prop_assert!(once[..n / 2 / hop * hop].iter().all(|y| *y == 0.0));
        audio.iter_mut().for_each(|x| *x *= 2.0);
        convolve.forward(&audio, &rows, &mut twice);
        for (a, b) in twice.iter().zip(&once) {
            prop_assert_eq!(*a, 2.0 * b);
        }
    }
}

#[test]
fn a_stream_without_new_responses_goes_on_with_the_last() {
    let (audio, response) = (pseudo_random(1, 40), pseudo_random(2, 7));
    let mut convolve = FftConvolve::new(8, 7, 0);
    let mut offline = vec![0.0; 40];
    convolve.forward(&audio, &response, &mut offline);
    let mut stream = convolve.new_stream(StreamSplit::AtHops);
    let mut output = vec![f32::NAN; 40];
    convolve.process(&mut stream, &audio[..8], &response, &mut output[..8]);
    convolve.process(&mut stream, &audio[8..], &[], &mut output[8..]);
    assert_late(&output, &offline, 0);
}
