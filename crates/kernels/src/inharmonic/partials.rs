//! Frequencies of stretched partials.

/// What the frequencies of the partials depend on, at the frames.
///
/// Partial `k` (1 is the lowest) is at `f_k = k f0 sqrt(1 + B k^2) (1 + harmonic_shifts_k)`: the
/// series of an ideal string that is also stiff, whose overtones are sharp, times a deviation of
/// each partial's own. For a string of length `L`, diameter `d`, tension `T` and Young's modulus
/// `E`, `B = pi^3 E d^4 / (64 T L^2)`: 1e-4 in the middle of a piano, 1e-2 at its top. From
/// H. Fletcher, "Normal Vibration Frequencies of a Stiff Piano String", J. Acoust. Soc. Am. 36
/// (1964) 203-209, and H. Fletcher, E. D. Blackham, R. Stratton, "Quality of Piano Tones",
/// J. Acoust. Soc. Am. 34 (1962) 749-761. As there, `f0` is that of the string without stiffness:
/// the lowest partial sounds at `f0 sqrt(1 + B)`.
///
/// The reference has the shifts and no `B`.
#[derive(Clone, Copy, Debug)]
pub struct StretchedPartials<'a> {
    /// Fundamental frequency of the string without stiffness, in Hz, `[n_frames]`.
    pub f0_hz: &'a [f32],
    /// `B`, `[n_frames]`; 0 is harmonic, negative ones compress. Above `-1 / n_partials^2`, else
    /// there is no frequency.
    pub inharmonicity: &'a [f32],
    /// Deviation of each partial relative to its frequency, `[n_frames, n_partials]`; none is 0.
    pub harmonic_shifts: Option<&'a [f32]>,
}

/// Where gradients with respect to [`StretchedPartials`] accumulate; shapes as there.
#[derive(Debug)]
pub struct StretchedPartialsGradients<'a> {
    /// With respect to `f0_hz`, `[n_frames]`.
    pub f0_hz: &'a mut [f32],
    /// With respect to `inharmonicity`, `[n_frames]`.
    pub inharmonicity: &'a mut [f32],
    /// With respect to `harmonic_shifts`, `[n_frames, n_partials]`, if wanted.
    pub harmonic_shifts: Option<&'a mut [f32]>,
}

impl<'a> StretchedPartials<'a> {
    /// Panics unless all have as many frames.
    pub(super) fn check(self, n_partials: usize) {
        let (n_frames, n_inharmonicity) = (self.f0_hz.len(), self.inharmonicity.len());
        assert_eq!(
            n_inharmonicity, n_frames,
            "StretchedPartials: {n_inharmonicity} values of inharmonicity, {n_frames} f0_hz"
        );
        if let Some(shifts) = self.harmonic_shifts {
            let n_shifts = shifts.len();
            assert_eq!(
                n_shifts,
                n_frames * n_partials,
                "StretchedPartials: {n_shifts} harmonic_shifts for {n_frames} frames of \
                 {n_partials} partials"
            );
        }
    }

    /// Frame `i`.
    pub(super) fn frame(self, i: usize, n_partials: usize) -> StretchedFrame<'a> {
        StretchedFrame {
            f0_hz: f64::from(self.f0_hz[i]),
            inharmonicity: f64::from(self.inharmonicity[i]),
            shifts: self.harmonic_shifts.map(|shifts| &shifts[i * n_partials..][..n_partials]),
            n_partials,
        }
    }
}

impl StretchedPartialsGradients<'_> {
    /// Panics unless every gradient has the length of its input.
    pub(super) fn check(&self, n_frames: usize, n_partials: usize) {
        let n_f0 = self.f0_hz.len();
        assert_eq!(n_f0, n_frames, "StretchedPartials: grad of {n_f0} of {n_frames} f0_hz");
        let n = self.inharmonicity.len();
        assert_eq!(n, n_frames, "StretchedPartials: grad of {n} of {n_frames} inharmonicity");
        if let Some(shifts) = &self.harmonic_shifts {
            let (n_grad, n) = (shifts.len(), n_frames * n_partials);
            assert_eq!(n_grad, n, "StretchedPartials: grad of {n_grad} of {n} harmonic_shifts");
        }
    }
}

/// One frame of [`StretchedPartials`].
#[derive(Clone, Copy)]
pub(super) struct StretchedFrame<'a> {
    f0_hz: f64,
    inharmonicity: f64,
    shifts: Option<&'a [f32]>,
    n_partials: usize,
}

impl StretchedFrame<'_> {
    /// `f_k` of partial `k + 1`, in Hz.
    pub(super) fn frequency(self, k: usize) -> f64 {
        let (number, stretch) = self.stretch(k);
        number * self.f0_hz * stretch * self.shift(k)
    }

    /// The number of partial `k + 1`, and how far it is stretched.
    fn stretch(self, k: usize) -> (f64, f64) {
        let number = (k + 1) as f64;
        (number, (1.0 + self.inharmonicity * number * number).sqrt())
    }

    fn shift(self, k: usize) -> f64 {
        1.0 + self.shifts.map_or(0.0, |shifts| f64::from(shifts[k]))
    }

    /// Accumulates the gradient of frame `i` from that of `f_k`, which is `grad_frequency(k)`.
    pub(super) fn backward(
        self,
        i: usize,
        grad_frequency: impl Fn(usize) -> f64,
        grads: &mut StretchedPartialsGradients<'_>,
    ) {
        let (mut f0_hz, mut inharmonicity) = (0.0, 0.0);
        for k in 0..self.n_partials {
            let (number, stretch) = self.stretch(k);
            let (grad, shift) = (grad_frequency(k), self.shift(k));
            f0_hz += grad * number * stretch * shift;
            inharmonicity += grad * number * self.f0_hz * shift * number * number / (2.0 * stretch);
            if let Some(shifts) = grads.harmonic_shifts.as_deref_mut() {
                shifts[i * self.n_partials + k] += (grad * number * self.f0_hz * stretch) as f32;
            }
        }
        grads.f0_hz[i] += f0_hz as f32;
        grads.inharmonicity[i] += inharmonicity as f32;
    }
}

/// Writes the frequencies of the partials in Hz, `[n_frames, n_partials]`, to `frequencies_hz`.
///
/// # Panics
///
/// If `partials` have not as many frames each, or `frequencies_hz` is not `n_partials` for each.
pub fn partial_frequencies(
    partials: StretchedPartials<'_>,
    n_partials: usize,
    frequencies_hz: &mut [f32],
) {
    check("partial_frequencies", partials, n_partials, frequencies_hz.len());
    for i in 0..partials.f0_hz.len() {
        let frame = partials.frame(i, n_partials);
        let row = &mut frequencies_hz[i * n_partials..][..n_partials];
        for (k, f) in row.iter_mut().enumerate() {
            *f = frame.frequency(k) as f32;
        }
    }
}

/// Accumulates the vector-Jacobian product of [`partial_frequencies`].
///
/// With `r_k = sqrt(1 + B k^2)` and `h_k` the shifts: `grad f0 = sum_k grad f_k k r_k (1 + h_k)`,
/// `grad B = sum_k grad f_k k f0 (1 + h_k) k^2 / (2 r_k)`, `grad h_k = grad f_k k f0 r_k`.
///
/// # Panics
///
/// As [`partial_frequencies`], or if a gradient has not the length of its input.
pub fn partial_frequencies_backward(
    partials: StretchedPartials<'_>,
    n_partials: usize,
    grad_frequencies_hz: &[f32],
    grads: &mut StretchedPartialsGradients<'_>,
) {
    check("partial_frequencies_backward", partials, n_partials, grad_frequencies_hz.len());
    let n_frames = partials.f0_hz.len();
    grads.check(n_frames, n_partials);
    for i in 0..n_frames {
        let row = &grad_frequencies_hz[i * n_partials..][..n_partials];
        partials.frame(i, n_partials).backward(i, |k| f64::from(row[k]), grads);
    }
}

fn check(what: &str, partials: StretchedPartials<'_>, n_partials: usize, n_frequencies: usize) {
    partials.check(n_partials);
    let n_frames = partials.f0_hz.len();
    assert_eq!(
        n_frequencies,
        n_frames * n_partials,
        "{what}: {n_frequencies} frequencies for {n_frames} frames of {n_partials} partials"
    );
}
