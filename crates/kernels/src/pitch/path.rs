//! The path through the candidates: Viterbi with a fixed look-ahead.

#![expect(
    clippy::cast_possible_truncation,
    reason = "node numbers are below the number of candidates"
)]

use super::PitchFrame;
use super::candidates::{Found, MAX_CANDIDATES};

/// Seconds of future that may change a frame's decision.
const LOOK_AHEAD_SECS: f32 = 0.1;

/// Score of the unvoiced state; a candidate's is the mean of its salience and correlation.
const UNVOICED_SCORE: f32 = 0.75;

/// Seconds of full score that a change of an octave costs. A semitone costs a twelfth of it.
const JUMP_COST: f32 = 0.06;

/// Seconds of full score that voicing's begin or end costs.
const VOICING_COST: f32 = 0.01;

/// Nodes of a frame: the candidates, then the unvoiced state.
const N_NODES: usize = MAX_CANDIDATES + 1;
const UNVOICED: usize = MAX_CANDIDATES;

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
    held_hz: Option<f32>,
    decisions: Vec<usize>,
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
            held_hz: None,
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
        self.held_hz = None;
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
        let nodes = (0..found.as_slice().len()).chain([UNVOICED]);
        for node in nodes {
            let (mut best, mut from) = (f32::NEG_INFINITY, UNVOICED);
            match &before {
                None => best = 0.0,
                Some(before) => {
                    for node_before in (0..before.as_slice().len()).chain([UNVOICED]) {
                        let score = self.scores[node_before]
                            - transition_cost(before, node_before, found, node);
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
        for index in (self.n_emitted..self.n_steps).rev() {
            if index < self.n_emitted + n {
                self.decisions.push(node);
            }
            node = usize::from(self.step(index).previous[node]);
        }
        while let Some(node) = self.decisions.pop() {
            let found = self.step(self.n_emitted).found;
            frames.push(self.frame(&found, node));
            self.n_emitted += 1;
        }
    }

    /// The estimate for a decided node.
    fn frame(&mut self, found: &Found, node: usize) -> PitchFrame {
        let candidates = found.as_slice();
        if node != UNVOICED {
            let f0_hz = candidates[node].f0_hz;
            self.held_hz = Some(f0_hz);
            let confidence = candidates[node].correlation.clamp(0.5, 1.0);
            return PitchFrame { f0_hz, confidence };
        }
        let held_hz = *self.held_hz.get_or_insert(candidates[0].f0_hz);
        // Half a semitone: what the same note may have drifted by unheard.
        let near = candidates.iter().find(|c| octaves(c.f0_hz, held_hz) < 1.0 / 24.0);
        let correlation = near.map_or(0.0, |c| c.correlation);
        let f0_hz = near.map_or(held_hz, |c| c.f0_hz);
        PitchFrame { f0_hz, confidence: (0.5 * correlation).clamp(0.0, 0.49) }
    }
}

fn octaves(a_hz: f32, b_hz: f32) -> f32 {
    (a_hz / b_hz).log2().abs()
}

fn node_score(found: &Found, node: usize) -> f32 {
    if node == UNVOICED {
        return UNVOICED_SCORE;
    }
    let candidate = &found.as_slice()[node];
    0.5 * (candidate.salience + candidate.correlation)
}

fn transition_cost(before: &Found, node_before: usize, found: &Found, node: usize) -> f32 {
    match (node_before, node) {
        (UNVOICED, UNVOICED) => 0.0,
        (UNVOICED, _) | (_, UNVOICED) => VOICING_COST,
        _ => {
            let from = before.as_slice()[node_before].f0_hz;
            JUMP_COST * octaves(found.as_slice()[node].f0_hz, from)
        }
    }
}
