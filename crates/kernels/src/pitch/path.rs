//! The path through the candidates: Viterbi with a fixed look-ahead.

#![expect(
    clippy::cast_possible_truncation,
    reason = "node numbers are below the number of candidates"
)]

use super::candidates::{Found, MAX_CANDIDATES};
use super::{PitchFrame, VOICED_CONFIDENCE};

/// Seconds of future that may change a frame's decision.
const LOOK_AHEAD_SECS: f32 = 0.1;

/// Correlation at which the best candidate is as good as the unvoiced state: a tone 5 dB above white
/// noise. A higher one misses decays into the noise, a lower one finds tones in it. On the built-in
/// instruments it gives 2.8% false alarms and misses 0.2%.
const VOICED_CORRELATION: f32 = 0.76;

/// Seconds of full score that a change of an octave costs. A semitone costs a twelfth of it.
const JUMP_COST: f32 = 0.06;

/// Octaves a second that cost nothing, so that a fast glide is no worse than a held note.
const FREE_SLEW: f32 = 6.0;

/// Seconds of full score that voicing's begin or end costs: flicker of a few frames goes away.
const VOICING_COST: f32 = 0.006;

/// Highest confidence of a frame that the path calls unvoiced.
const UNVOICED_CONFIDENCE: f32 = 0.49;

/// Nodes of a frame: the candidates, then the unvoiced state.
const N_NODES: usize = MAX_CANDIDATES + 1;
const UNVOICED: usize = MAX_CANDIDATES;

/// Index and f0 of a voiced frame.
type Voiced = (usize, f32);

/// A frame whose decision is pending.
#[derive(Clone, Copy, Default)]
struct Step {
    found: Found,
    /// Best predecessor of each node.
    previous: [u8; N_NODES],
}

/// Finds the best path; frames come out [`look_ahead_frames`](Path::look_ahead_frames) late.
pub(super) struct Path {
    frame_secs: f32,
    /// A ring of the latest steps.
    steps: Vec<Step>,
    n_steps: usize,
    n_emitted: usize,
    /// Score of the best path to each node of the latest step, relative to the best node's.
    scores: [f32; N_NODES],
    last: Option<Voiced>,
    decisions: Vec<(usize, Option<Voiced>)>,
}

impl Path {
    pub(super) fn new(frame_secs: f32) -> Self {
        let look_ahead = (LOOK_AHEAD_SECS / frame_secs).ceil() as usize;
        Self {
            frame_secs,
            steps: vec![Step::default(); look_ahead + 1],
            n_steps: 0,
            n_emitted: 0,
            scores: [0.0; N_NODES],
            last: None,
            decisions: Vec::with_capacity(look_ahead + 1),
        }
    }

    pub(super) fn look_ahead_frames(&self) -> usize {
        self.steps.len() - 1
    }

    pub(super) fn reset(&mut self) {
        self.n_steps = 0;
        self.n_emitted = 0;
        self.scores = [0.0; N_NODES];
        self.last = None;
    }

    /// Takes the next frame's candidates and appends the frame that is now decided.
    pub(super) fn push(&mut self, found: Found, frames: &mut Vec<PitchFrame>) {
        let previous = self.advance(&found);
        let len = self.steps.len();
        self.steps[self.n_steps % len] = Step { found, previous };
        self.n_steps += 1;
        if self.n_steps - self.n_emitted == len {
            self.emit(1, frames);
        }
    }

    /// Appends all frames that are pending.
    pub(super) fn finish(&mut self, frames: &mut Vec<PitchFrame>) {
        self.emit(self.n_steps - self.n_emitted, frames);
    }

    /// Extends the best paths by one step; returns each node's predecessor.
    fn advance(&mut self, found: &Found) -> [u8; N_NODES] {
        let mut previous = [0; N_NODES];
        let mut scores = [f32::NEG_INFINITY; N_NODES];
        let before = (self.n_steps > 0).then(|| self.step(self.n_steps - 1).found);
        let free = FREE_SLEW * self.frame_secs;
        let nodes = (0..found.as_slice().len()).chain([UNVOICED]);
        for node in nodes {
            let (mut best, mut from) = (f32::NEG_INFINITY, UNVOICED);
            match &before {
                None => best = 0.0,
                Some(before) => {
                    for node_before in (0..before.as_slice().len()).chain([UNVOICED]) {
                        let score = self.scores[node_before]
                            - transition_cost(before, node_before, found, node, free);
                        if score > best {
                            (best, from) = (score, node_before);
                        }
                    }
                }
            }
            scores[node] = best + self.frame_secs * node_score(found, node);
            previous[node] = from as u8;
        }
        let best = scores.iter().fold(f32::NEG_INFINITY, |m, &s| m.max(s));
        self.scores = scores.map(|s| s - best);
        previous
    }

    fn step(&self, index: usize) -> &Step {
        &self.steps[index % self.steps.len()]
    }

    /// Decides the oldest `n` pending frames from the best path so far.
    fn emit(&mut self, n: usize, frames: &mut Vec<PitchFrame>) {
        let mut node = (0..N_NODES)
            .max_by(|&a, &b| self.scores[a].total_cmp(&self.scores[b]))
            .unwrap_or(UNVOICED);
        self.decisions.clear();
        let mut next = None;
        for index in (self.n_emitted..self.n_steps).rev() {
            let step = self.step(index);
            if node != UNVOICED {
                next = Some((index, step.found.as_slice()[node].f0_hz));
            }
            let previous = usize::from(step.previous[node]);
            if index < self.n_emitted + n {
                self.decisions.push((node, next));
            }
            node = previous;
        }
        while let Some((node, next)) = self.decisions.pop() {
            let found = self.step(self.n_emitted).found;
            frames.push(self.frame(&found, node, next));
            self.n_emitted += 1;
        }
    }

    /// The estimate for a decided node; `next` is the voiced frame that is to follow, if known.
    fn frame(&mut self, found: &Found, node: usize, next: Option<Voiced>) -> PitchFrame {
        let candidates = found.as_slice();
        if node != UNVOICED {
            let f0_hz = candidates[node].f0_hz;
            self.last = Some((self.n_emitted, f0_hz));
            let confidence = confidence(candidates[node].correlation).max(VOICED_CONFIDENCE);
            return PitchFrame { f0_hz, confidence };
        }
        let held_hz = self.nearest_voiced(next).unwrap_or(candidates[0].f0_hz);
        // Half a semitone: what the same note may have drifted by unheard.
        let near = candidates.iter().find(|c| octaves(c.f0_hz, held_hz) < 1.0 / 24.0);
        let f0_hz = near.map_or(held_hz, |c| c.f0_hz);
        let confidence = confidence(near.map_or(0.0, |c| c.correlation)).min(UNVOICED_CONFIDENCE);
        PitchFrame { f0_hz, confidence }
    }

    /// f0 of the voiced frame nearest to the one being emitted.
    fn nearest_voiced(&self, next: Option<Voiced>) -> Option<f32> {
        let (Some(last), Some(next)) = (self.last, next) else {
            return self.last.or(next).map(|voiced| voiced.1);
        };
        let is_next_nearer = next.0 - self.n_emitted < self.n_emitted - last.0;
        Some(if is_next_nearer { next.1 } else { last.1 })
    }
}

/// Maps [-1, 0] to 0, [`VOICED_CORRELATION`] to [`VOICED_CONFIDENCE`] and 1 to 1, linearly between.
fn confidence(correlation: f32) -> f32 {
    let excess = (correlation - VOICED_CORRELATION) / (1.0 - VOICED_CORRELATION);
    let below = VOICED_CONFIDENCE * correlation / VOICED_CORRELATION;
    if excess > 0.0 {
        VOICED_CONFIDENCE + (1.0 - VOICED_CONFIDENCE) * excess.min(1.0)
    } else {
        below.max(0.0)
    }
}

fn octaves(a_hz: f32, b_hz: f32) -> f32 {
    (a_hz / b_hz).log2().abs()
}

/// Salience is 1 for the best candidate, so a lone one is judged by its correlation.
fn node_score(found: &Found, node: usize) -> f32 {
    if node == UNVOICED {
        return 0.5 * (1.0 + VOICED_CORRELATION);
    }
    let candidate = &found.as_slice()[node];
    0.5 * (candidate.salience + candidate.correlation)
}

/// `free` octaves of a step between candidates cost nothing.
fn transition_cost(
    before: &Found,
    node_before: usize,
    found: &Found,
    node: usize,
    free: f32,
) -> f32 {
    match (node_before, node) {
        (UNVOICED, UNVOICED) => 0.0,
        (UNVOICED, _) | (_, UNVOICED) => VOICING_COST,
        _ => {
            let from = before.as_slice()[node_before].f0_hz;
            JUMP_COST * (octaves(found.as_slice()[node].f0_hz, from) - free).max(0.0)
        }
    }
}
