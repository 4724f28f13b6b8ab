//! The few f0 that each frame may have.

#![expect(clippy::cast_possible_truncation, reason = "lags and bin numbers are small and positive")]

use super::band::Band;
use super::correlation::Correlation;
use super::salience::Grid;
use super::stream::{COARSE, Front};

/// Candidates kept of a frame.
pub(super) const MAX_CANDIDATES: usize = 6;

/// Window lengths in seconds, whether on the coarse stream, and the f0 from which each is used.
/// A window holds at least five periods, eight where the low notes' sluggishness permits it.
const BANDS: [(f32, bool, f32); 5] = [
    (0.256, true, 0.0),
    (0.128, true, 50.0),
    (0.064, false, 100.0),
    (0.032, false, 250.0),
    (0.016, false, 1000.0),
];

/// f0 below which the correlation looks at the coarse stream.
const COARSE_CORRELATION_HZ: f32 = 125.0;

/// The correlation's shortest stretch: shorter ones find periods in noise.
const CORRELATION_SECS: f32 = 0.010;

/// Garbage within this many seconds of a frame makes it unvoiced.
const GARBAGE_SECS: f32 = 0.02;

/// Highest harmonic that makes f0 exact: partials of stiff strings run away above.
const REFINE_HARMONICS: usize = 5;

/// Where the peak of the fundamental is looked for, and (times the root of its number) that of a
/// harmonic, relative to f0.
const FUNDAMENTAL_REACH: f32 = 0.1;
const HARMONIC_REACH: f32 = 0.03;

/// Disagreement on f0 up to which two harmonics belong to one tone.
const AGREEMENT: f32 = 0.01;

/// One f0 that a frame may have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidate {
    pub(super) f0_hz: f32,
    /// Salience relative to the best candidate's, in `[0, 1]`.
    pub(super) salience: f32,
    /// Likeness of neighbouring periods, in `[-1, 1]`.
    pub(super) correlation: f32,
}

/// A frame's candidates, best salience first; never none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    candidates: [Candidate; MAX_CANDIDATES],
    len: usize,
}

impl Found {
    pub(super) fn as_slice(&self) -> &[Candidate] {
        &self.candidates[..self.len]
    }
}

/// Finds candidates; holds all buffers.
pub(super) struct Candidates {
    grid: Grid,
    /// The bands in use, and whether each reads the coarse stream.
    bands: Vec<(Band, bool)>,
    salience: Vec<f32>,
    correlation: Correlation,
    fine_rate: f32,
}

impl Candidates {
    pub(super) fn new(front: &Front, min_hz: f32, max_hz: f32) -> Self {
        let fine_rate = front.fine_rate();
        let max_hz = max_hz.min(0.3 * fine_rate);
        let grid = Grid::new(min_hz, max_hz);
        let mut bands = Vec::new();
        for (i, &(secs, coarse, from_hz)) in BANDS.iter().enumerate() {
            let to_hz = BANDS.get(i + 1).map_or(f32::INFINITY, |b| b.2);
            if to_hz <= min_hz || from_hz >= max_hz {
                continue;
            }
            let first = if from_hz <= min_hz { 0 } else { grid.candidate(from_hz) };
            let last = if to_hz >= max_hz { grid.len } else { grid.candidate(to_hz) };
            let rate = if coarse { fine_rate / COARSE as f32 } else { fine_rate };
            bands.push((Band::new(rate, secs, &grid, (first, last)), coarse));
        }
        let salience = vec![0.0; grid.len];
        let longest = (fine_rate * 0.05) as usize;
        Self { grid, bands, salience, correlation: Correlation::new(longest), fine_rate }
    }

    /// Fine samples after a frame's centre that its analysis reads.
    pub(super) fn look_ahead(&self) -> usize {
        let half = |(band, coarse): &(Band, bool)| {
            if *coarse { band.half() * COARSE } else { band.half() }
        };
        self.bands.iter().map(half).max().unwrap_or(0).max((self.fine_rate * 0.06) as usize)
    }

    /// Whether `front` holds all that the frame at fine index `centre` needs.
    pub(super) fn is_ready(&self, front: &Front, centre: i64) -> bool {
        let last = centre + self.look_ahead() as i64;
        front.fine().end() > last && front.coarse().end() > last / COARSE as i64 + 1
    }

    /// Candidates of the frame centred on fine index `centre`.
    pub(super) fn find(&mut self, front: &Front, centre: i64) -> Found {
        for (band, coarse) in &mut self.bands {
            let (stream, centre) = if *coarse {
                (front.coarse(), coarse_index(centre))
            } else {
                (front.fine(), centre)
            };
            band.analyse(stream, centre);
            self.grid.salience(&band.log_spectrum, &mut self.salience[band.first..band.last]);
        }
        let mut found = self.peaks();
        let scale = 1.0 / found.candidates[0].salience.max(1e-9);
        let reach = (GARBAGE_SECS * self.fine_rate) as i64;
        let is_garbage = front.is_garbage(centre, reach);
        for candidate in &mut found.candidates[..found.len] {
            candidate.salience = (candidate.salience * scale).max(0.0);
            candidate.f0_hz = self.refine(candidate.f0_hz);
            candidate.correlation =
                if is_garbage { -1.0 } else { self.correlate(front, centre, candidate.f0_hz) };
        }
        found
    }

    /// The highest local maxima of the salience, or the lowest f0 if there is none.
    fn peaks(&self) -> Found {
        let mut found = Found::default();
        let s = &self.salience;
        for i in 0..s.len() {
            let left = if i == 0 { f32::NEG_INFINITY } else { s[i - 1] };
            let right = s.get(i + 1).copied().unwrap_or(f32::NEG_INFINITY);
            if s[i] <= 0.0 || s[i] < left || s[i] <= right {
                continue;
            }
            let full = found.len == MAX_CANDIDATES;
            if full && s[i] <= found.candidates[MAX_CANDIDATES - 1].salience {
                continue;
            }
            let shift = if i == 0 || i + 1 == s.len() { 0.0 } else { vertex(left, s[i], right) };
            let f0_hz = self.grid.hz(i) * self.grid.ratio(shift);
            found.len += usize::from(!full);
            let rank = found.candidates[..found.len - 1]
                .iter()
                .position(|c| c.salience < s[i])
                .unwrap_or(found.len - 1);
            found.candidates.copy_within(rank..found.len - 1, rank + 1);
            found.candidates[rank] = Candidate { f0_hz, salience: s[i], correlation: 0.0 };
        }
        if found.len == 0 {
            found.len = 1;
            found.candidates[0].f0_hz = self.grid.hz(0);
        }
        found
    }

    /// A candidate's f0 from the peaks of its lowest harmonics.
    fn refine(&self, f0_hz: f32) -> f32 {
        let index = self.grid.candidate(f0_hz);
        let band = &self.bands.iter().find(|b| index < b.0.last).unwrap_or(&self.bands[0]).0;
        let mut peaks = [(0.0, 0.0); REFINE_HARMONICS];
        for (k, peak) in (1_u8..).map(f32::from).zip(&mut peaks) {
            // Inharmonic partials pull the salience, so the fundamental may be some way off.
            let reach = if k < 2.0 { FUNDAMENTAL_REACH } else { HARMONIC_REACH * k.sqrt() };
            let (hz, power) = peak_near(band, k * f0_hz, reach * f0_hz);
            *peak = (hz / k, power);
        }
        // A partial names f0 with the support of those that agree with it; low ones count more, as
        // a bar's fundamental must win against its inharmonic overtones, but a weak fundamental
        // under the leakage of its harmonics must not.
        let agree = |a: f32, b: f32| (a - b).abs() <= AGREEMENT * b;
        let support = |anchor: f32| -> f32 {
            let agreeing = (1_u8..).map(f32::from).zip(&peaks).filter(|(_, p)| agree(p.0, anchor));
            agreeing.map(|(k, p)| p.1.sqrt() / k).sum()
        };
        let heard = peaks.iter().filter(|p| p.1 > 0.0);
        let anchor = heard.map(|p| (p.0, support(p.0))).max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((anchor, _)) = anchor else { return f0_hz };
        let (mut sum, mut weights) = (0.0, 0.0);
        for (hz, power) in peaks.into_iter().filter(|p| agree(p.0, anchor)) {
            // The error of hz / k falls as amplitude * k, that of the model (stiffness) grows as
            // k^2: k is left out.
            sum += power.sqrt() * hz;
            weights += power.sqrt();
        }
        sum / weights
    }

    fn correlate(&mut self, front: &Front, centre: i64, f0_hz: f32) -> f32 {
        let (stream, centre, rate) = if f0_hz < COARSE_CORRELATION_HZ {
            (front.coarse(), coarse_index(centre), self.fine_rate / COARSE as f32)
        } else {
            (front.fine(), centre, self.fine_rate)
        };
        // Several periods of lag where one is short: the correlation must outlast noise.
        let lag = rate / f0_hz;
        let len = lag.max(CORRELATION_SECS * rate) as usize;
        self.correlation.at(stream, centre, lag.max(4.0), len)
    }
}

/// Coarse index nearest to a fine one.
fn coarse_index(fine: i64) -> i64 {
    (fine + COARSE as i64 / 2) / COARSE as i64
}

/// Offset in `[-0.5, 0.5]` of the vertex of the parabola through three equally spaced values.
fn vertex(left: f32, middle: f32, right: f32) -> f32 {
    let curvature = left - 2.0 * middle + right;
    if curvature < 0.0 { (0.5 * (left - right) / curvature).clamp(-0.5, 0.5) } else { 0.0 }
}

/// The strongest spectral peak within `reach` of `hz`: its frequency and power, 0 if there is none.
fn peak_near(band: &Band, hz: f32, reach: f32) -> (f32, f32) {
    let p = &band.power;
    let from = ((hz - reach) * band.bins_per_hz).floor().max(1.0) as usize;
    let to = (((hz + reach) * band.bins_per_hz).ceil() as usize).min(p.len() - 2);
    let peak = (from..=to).filter(|&i| p[i] >= p[i - 1] && p[i] >= p[i + 1]);
    let Some(i) = peak.max_by(|&a, &b| p[a].total_cmp(&p[b])) else { return (0.0, 0.0) };
    // The logarithm of a Hann window's main lobe is nearly a parabola.
    let [left, middle, right] = [p[i - 1], p[i], p[i + 1]].map(|p| p.max(1e-30).ln());
    ((i as f32 + vertex(left, middle, right)) / band.bins_per_hz, p[i])
}
