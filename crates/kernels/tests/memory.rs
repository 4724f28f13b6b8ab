//! What synthesis needs of the heap. One test, since the counters are the whole process's.

use std::alloc::System;

use ddsp_kernels::{AmplitudeInterpolation, FrameGrid, Harmonic, HarmonicGradients};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };
const N_CLIPS: usize = 16;
const N_FRAMES: usize = 1000;
const N_HARMONICS: usize = 100;

/// One clip's inputs, output and gradients.
struct Clip {
    f0_hz: Vec<f32>,
    amplitudes: Vec<f32>,
    distribution: Vec<f32>,
    audio: Vec<f32>,
    grads: [Vec<f32>; 3],
}

impl Clip {
    fn new() -> Self {
        Self {
            f0_hz: (0..N_FRAMES).map(|i| 70.0 + (i as f32 * 0.1).sin()).collect(),
            amplitudes: vec![0.5; N_FRAMES],
            distribution: vec![0.01; N_FRAMES * N_HARMONICS],
            audio: vec![0.0; N_FRAMES * GRID.hop],
            grads: [N_FRAMES, N_FRAMES, N_FRAMES * N_HARMONICS].map(|n| vec![0.0; n]),
        }
    }

    fn forward_and_backward(&mut self, harmonic: &mut Harmonic) {
        let Self { f0_hz, amplitudes, distribution, audio, grads } = self;
        harmonic.forward(f0_hz, amplitudes, distribution, 0.0, audio);
        let [grad_f0_hz, grad_amplitudes, grad_distribution] = grads;
        let mut grad_initial_phase = 0.0;
        let grads = HarmonicGradients {
            f0_hz: Some(grad_f0_hz),
            initial_phase: Some(&mut grad_initial_phase),
            amplitudes: grad_amplitudes,
            harmonic_distribution: grad_distribution,
        };
        harmonic.backward(f0_hz, amplitudes, distribution, 0.0, audio, grads);
    }
}

/// What `work` took from the heap, whether it gave it back or not: a bound on the peak.
fn taken(work: impl FnOnce()) -> Stats {
    let region = Region::new(HEAP);
    work();
    region.change()
}

#[test]
fn a_batch_needs_kilobytes_and_processing_takes_nothing() {
    let mut clips: Vec<Clip> = (0..N_CLIPS).map(|_| Clip::new()).collect();
    // A synthesizer for each clip, as sixteen threads would have.
    let batch = taken(|| {
        for clip in &mut clips {
            let mut harmonic = Harmonic::new(GRID, N_HARMONICS, AmplitudeInterpolation::Window);
            clip.forward_and_backward(&mut harmonic);
        }
    });
    // The reference holds [samples x harmonics] buffers: 4.6 GB. The goal is 100 MB.
    assert!(batch.bytes_allocated <= 1 << 20, "{} bytes for a batch", batch.bytes_allocated);
    assert!(batch.bytes_allocated > 0, "the counters count");

    let mut harmonic = Harmonic::new(GRID, N_HARMONICS, AmplitudeInterpolation::Window);
    let processing = taken(|| clips[0].forward_and_backward(&mut harmonic));
    let n_requests = processing.allocations + processing.reallocations;
    assert_eq!(n_requests, 0, "processing allocated {} bytes", processing.bytes_allocated);
}
