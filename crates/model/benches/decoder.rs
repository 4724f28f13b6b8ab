//! Speed of the decoder of the preset `seed-harmonic`: GRU 256, layers of 256, 45 harmonics and 45
//! bands, 1000 frames. Items are multiply-adds times two, so that a rate in Gitem/s is GFLOP/s.
//!
//! `two_threads` splits the examples over two threads, as training does.

use std::thread;

use ddsp_model::{Architecture, Config, DecoderCache, DecoderStream, RnnFcDecoder};
use divan::Bencher;
use divan::counter::ItemsCount;

const N_FRAMES: usize = 1000;

fn main() {
    divan::main();
}

/// One thread's share: examples with everything that a training step needs.
struct Share {
    decoder: RnnFcDecoder,
    parameters: Vec<f32>,
    cache: DecoderCache,
    inputs: [Vec<f32>; 2],
    outputs: Vec<f32>,
    gradients: Vec<f32>,
}

impl Share {
    fn new(n_examples: usize) -> Self {
        let config = Config::preset("seed-harmonic").expect("the preset is valid");
        let architecture = Architecture::new(&config);
        let parameters = architecture.table().initial_parameters(1).values;
        let decoder = architecture.decoder().clone();
        let n_rows = N_FRAMES * n_examples;
        let input = |rate: f32| (0..n_rows).map(|i| 0.5 + 0.5 * (rate * i as f32).sin()).collect();
        Self {
            cache: DecoderCache::new(&decoder, N_FRAMES, n_examples),
            inputs: [input(0.013), input(0.007)],
            outputs: vec![0.0; n_rows * decoder.n_outputs()],
            gradients: vec![0.0; parameters.len()],
            decoder,
            parameters,
        }
    }

    fn forward(&mut self) {
        let Self { decoder, parameters, cache, inputs: [loudness, f0], outputs, .. } = self;
        decoder.forward(parameters, &[loudness, f0], cache, outputs);
    }

    /// The outputs serve as their own gradient.
    fn backward(&mut self) {
        let Self { decoder, parameters, cache, inputs: [loudness, f0], outputs, gradients } = self;
        decoder.backward(
            parameters,
            &[loudness, f0],
            cache,
            outputs,
            gradients.as_mut_slice().into(),
        );
    }

    /// Two for each weight of a kernel and row; a backward pass needs twice as many.
    fn flop(&self, n_examples: usize) -> usize {
        2 * self.parameters.len() * N_FRAMES * n_examples
    }
}

#[divan::bench(args = [1, 8])]
fn forward(bencher: Bencher<'_, '_>, n_examples: usize) {
    let mut share = Share::new(n_examples);
    bencher.counter(ItemsCount::new(share.flop(n_examples))).bench_local(|| share.forward());
}

#[divan::bench(args = [1, 8])]
fn forward_and_backward(bencher: Bencher<'_, '_>, n_examples: usize) {
    let mut share = Share::new(n_examples);
    bencher.counter(ItemsCount::new(3 * share.flop(n_examples))).bench_local(|| {
        share.forward();
        share.backward();
    });
}

/// Half of the examples on each thread.
#[divan::bench(args = [2, 8, 16])]
fn two_threads_forward_and_backward(bencher: Bencher<'_, '_>, n_examples: usize) {
    let mut shares = [0, 1].map(|_| Share::new(n_examples / 2));
    let flop = 2 * 3 * shares[0].flop(n_examples / 2);
    bencher.counter(ItemsCount::new(flop)).bench_local(|| {
        thread::scope(|scope| {
            for share in &mut shares {
                scope.spawn(|| {
                    share.forward();
                    share.backward();
                });
            }
        });
    });
}

/// One frame after another, as live playing does; items as above.
#[divan::bench]
fn stream(bencher: Bencher<'_, '_>) {
    let share = Share::new(1);
    let flop = share.flop(1);
    let Share { decoder, parameters, inputs: [loudness, f0], mut outputs, .. } = share;
    let n_outputs = decoder.n_outputs();
    let mut stream = DecoderStream::new(decoder, parameters);
    bencher.counter(ItemsCount::new(flop)).bench_local(|| {
        for (frame, outputs) in outputs.chunks_exact_mut(n_outputs).enumerate() {
            stream.process(&[&loudness[frame..=frame], &f0[frame..=frame]], outputs);
        }
    });
}
