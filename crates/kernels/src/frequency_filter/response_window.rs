//! The window that shortens a designed response, and where its taps lie.

use std::f64::consts::TAU;

use crate::FftConvolve;

/// Where the taps of a designed response lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterAlignment {
    /// The window is centred on the peak and the whole delay is compensated: flat magnitudes give
    /// the identity, every filter has zero phase.
    Centred,
    /// As magenta/ddsp 3.7, for comparison with it. It compensates `(ir_len - 1) / 2 - 1` samples,
    /// two short of the peak of an even response, one of an odd one. A window shorter than the
    /// response it puts together a sample off: the peak of what is left is in time, but a window of
    /// odd length has its crest beside it, and one of length 1 misses it and leaves two zeros.
    Reference,
}

/// In which order the samples of a symmetric response stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseForm {
    /// As they sound: the peak is at sample `len / 2`.
    Causal,
    /// As an inverse Fourier transform gives them: the peak is first, negative times are at the end.
    ZeroPhase,
}

/// Tapers and shortens a symmetric response with a Hann window, and back.
///
/// `h(d) = (0.5 + 0.5 cos(2 pi d / window_len)) x(d)` for `|d| < window_len / 2` samples from the
/// peak. A `window_len` of 0, or longer than the response, is the whole response. A shorter one
/// leaves an odd number of taps: `window_len`, or one less.
#[derive(Clone, Debug)]
pub struct ResponseWindow {
    response_len: usize,
    /// Tap at which the peak lies.
    centre: usize,
    /// Samples of a convolution to drop for an output in step with the input.
    delay: usize,
    taps: Vec<f32>,
}

impl ResponseWindow {
    /// A window of `window_len` samples for responses of `response_len`.
    ///
    /// # Panics
    ///
    /// If `response_len` is 0, or odd for [`FilterAlignment::Reference`], which shifts those in
    /// turns that do not undo each other.
    pub fn new(response_len: usize, window_len: usize, alignment: FilterAlignment) -> Self {
        let n = response_len;
        assert!(n > 0, "ResponseWindow: a response of {n} samples");
        let whole = window_len == 0 || window_len >= n;
        let (centre, taps) = match alignment {
            // The first tap of an even response is the far end of the window, 0.
            FilterAlignment::Centred if whole => (n / 2, hann(n, n / 2, n, 0.0)),
            FilterAlignment::Centred => {
                let centre = (window_len - 1) / 2;
                (centre, hann(2 * centre + 1, centre, window_len, 0.0))
            }
            FilterAlignment::Reference => {
                assert!(n.is_multiple_of(2), "ResponseWindow: no reference for {n} samples");
                if whole { (n / 2, hann(n, n / 2, n, 0.0)) } else { reference(window_len) }
            }
        };
        let delay = match alignment {
            FilterAlignment::Centred => centre,
            FilterAlignment::Reference => FftConvolve::reference_delay(taps.len()),
        };
        let taps = taps.into_iter().map(round).collect();
        Self { response_len, centre, delay, taps }
    }

    /// Taps of a windowed response.
    pub fn ir_len(&self) -> usize {
        self.taps.len()
    }

    /// Samples of a convolution with a windowed response to drop, so that its output is in step with
    /// its input: the tap of the peak, for [`FilterAlignment::Centred`].
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// The factor of each tap, and the tap of the peak.
    pub(crate) fn taps(&self) -> (&[f32], usize) {
        (&self.taps, self.centre)
    }

    /// Overwrites `windowed`, `ir_len` taps in causal order, from `response`.
    ///
    /// # Panics
    ///
    /// If `response` does not have `response_len` samples or `windowed` `ir_len`.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&self, response: &[f32], form: ResponseForm, windowed: &mut [f32]) {
        self.check(response.len(), windowed.len());
        let (start, n_first) = self.pieces(form);
        let (first, second) = windowed.split_at_mut(n_first);
        let (first_taps, second_taps) = self.taps.split_at(n_first);
        for ((h, w), x) in first.iter_mut().zip(first_taps).zip(&response[start..]) {
            *h = w * x;
        }
        for ((h, w), x) in second.iter_mut().zip(second_taps).zip(response) {
            *h = w * x;
        }
    }

    /// Accumulates into `grad_response` the transpose of [`forward`](Self::forward), a linear map.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&self, grad_windowed: &[f32], form: ResponseForm, grad_response: &mut [f32]) {
        self.check(grad_response.len(), grad_windowed.len());
        let (start, n_first) = self.pieces(form);
        let (first, second) = grad_windowed.split_at(n_first);
        let (first_taps, second_taps) = self.taps.split_at(n_first);
        for ((x, w), g) in grad_response[start..].iter_mut().zip(first_taps).zip(first) {
            *x += w * g;
        }
        for ((x, w), g) in grad_response.iter_mut().zip(second_taps).zip(second) {
            *x += w * g;
        }
    }

    /// Where in a response the first tap is, and how many lie before the response wraps around.
    fn pieces(&self, form: ResponseForm) -> (usize, usize) {
        let n = self.response_len;
        let peak = match form {
            ResponseForm::Causal => n / 2,
            ResponseForm::ZeroPhase => n,
        };
        let start = (peak - self.centre) % n;
        (start, (n - start).min(self.taps.len()))
    }

    fn check(&self, n_response: usize, n_windowed: usize) {
        let (n, ir_len) = (self.response_len, self.taps.len());
        assert!(
            n_response == n && n_windowed == ir_len,
            "ResponseWindow: a response of {n_response} samples for {n_windowed} taps, not {n} for \
             {ir_len}"
        );
    }
}

/// A periodic Hann window of `len` samples, at `ir_len` taps of which `centre` is its crest, `offset`
/// samples away.
fn hann(ir_len: usize, centre: usize, len: usize, offset: f64) -> Vec<f64> {
    let at = |d: f64| 0.5 + 0.5 * (TAU * d / len as f64).cos();
    (0..ir_len).map(|t| at(t as f64 - centre as f64 + offset)).collect()
}

/// The reference's tap of the peak and window, where it is shorter than the response.
///
/// An odd window of TensorFlow's is symmetric, not periodic, and its halves are put together one
/// sample off. The last taps, past the window's end, are empty. Of the windows of 1 and 2 samples
/// only the second has a sample left where the response is read.
fn reference(window_len: usize) -> (usize, Vec<f64>) {
    let half = window_len.div_ceil(2);
    if half == 1 {
        return (0, vec![if window_len == 2 { 1.0 } else { 0.0 }, 0.0]);
    }
    let odd = window_len % 2;
    let centre = half - 2;
    let mut window = hann(2 * half - 1, centre, window_len - odd, odd as f64);
    window[centre + window_len - half..].fill(0.0);
    (centre, window)
}

#[expect(clippy::cast_possible_truncation, reason = "rounds a window value in [0, 1] to f32")]
fn round(x: f64) -> f32 {
    x as f32
}
