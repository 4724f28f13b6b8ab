use std::collections::HashMap;

use ddsp_kernels::gradcheck::check_vjp;

use super::*;
use crate::architecture::Architecture;
use crate::golden::Golden;

/// A decoder of the golden case's sizes, and its parameters.
fn small_decoder() -> (RnnFcDecoder, ParameterTable) {
    let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
    config.decoder.gru_units = 12;
    config.decoder.fc_units = 10;
    config.decoder.fc_layers = 2;
    config.set("harmonic.n_harmonics=9").expect("a valid size");
    config.noise.n_bands = 5;
    let architecture = Architecture::new(&config);
    (architecture.decoder().clone(), architecture.table().clone())
}

/// Rows of the golden arrays are (example, frame); ours are (frame, example).
fn time_major(values: &[f32], n_examples: usize, n_frames: usize) -> Vec<f32> {
    let width = values.len() / (n_examples * n_frames);
    let rows = (0..n_examples * n_frames).map(|i| i % n_examples * n_frames + i / n_examples);
    rows.flat_map(|row| &values[row * width..][..width]).copied().collect()
}

/// The golden case's weights in order, which is the order of the table.
fn golden_parameters(golden: &mut Golden, table: &ParameterTable) -> Vec<f32> {
    let mut values = Vec::new();
    for (i, entry) in table.entries.iter().enumerate() {
        let tensor = entry.name.rsplit('/').next().expect("a name has a last part");
        let keras = HashMap::from([("gain", "gamma"), ("shift", "beta")]);
        let key = format!("rnn_fc_decoder.in.w{i}_{}", keras.get(tensor).unwrap_or(&tensor));
        let (weights, shape) = golden.array(&key);
        assert_eq!(shape, entry.shape, "{}", entry.name);
        values.extend(weights);
    }
    values
}

#[test]
fn outputs_and_all_gradients_match_the_reference() {
    let (n_examples, n_frames) = (2, 20);
    let (decoder, table) = small_decoder();
    let mut golden = Golden::open("nn");
    let parameters = golden_parameters(&mut golden, &table);
    let [loudness, f0] = ["ld_scaled", "f0_scaled"].map(|name| {
        let values = golden.values(&format!("rnn_fc_decoder.in.{name}"));
        time_major(&values, n_examples, n_frames)
    });
    let inputs = [loudness.as_slice(), &f0];
    let mut cache = DecoderCache::new(&decoder, n_frames, n_examples);
    let mut outputs = vec![f32::NAN; n_frames * n_examples * decoder.n_outputs()];
    decoder.forward(&parameters, &inputs, &mut cache, &mut outputs);

    let mut column = 0;
    for name in ["amps", "harmonic_distribution", "noise_magnitudes"] {
        let values = golden.values(&format!("rnn_fc_decoder.out.{name}"));
        let width = values.len() / (n_frames * n_examples);
        let expected = time_major(&values, n_examples, n_frames);
        for (row, expected) in outputs.chunks(decoder.n_outputs()).zip(expected.chunks(width)) {
            for (y, expected) in row[column..column + width].iter().zip(expected) {
                // Two float32 programs: each of the seven layers rounds, and norms magnify.
                assert!((y - expected).abs() <= 1e-5, "{name}: {y} != {expected}");
            }
        }
        column += width;
    }

    // The golden loss is the sum of squares.
    let grad_outputs: Vec<f32> = outputs.iter().map(|y| 2.0 * y).collect();
    let mut grad_parameters = vec![0.0; parameters.len()];
    decoder.backward(
        &parameters,
        &inputs,
        &mut cache,
        &grad_outputs,
        grad_parameters.as_mut_slice().into(),
    );
    for (i, entry) in table.entries.iter().enumerate() {
        let expected = golden.values(&format!("rnn_fc_decoder.out.d_w{i}"));
        let largest = expected.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        for (g, expected) in grad_parameters[entry.range.clone()].iter().zip(expected) {
            // A gradient is a sum over 40 rows, rounded relative to its largest neighbours.
            let difference = (g - expected).abs();
            assert!(difference <= 1e-5 * largest, "{}: {g} != {expected}", entry.name);
        }
    }
}

/// The decoder in double precision, one row after another, straight from the formulas.
struct Reference<'a> {
    table: &'a ParameterTable,
    parameters: &'a [f64],
}

impl Reference<'_> {
    fn tensor(&self, name: &str) -> &[f64] {
        let entry = self.table.entries.iter().find(|entry| entry.name == name);
        &self.parameters[entry.unwrap_or_else(|| panic!("no {name}")).range.clone()]
    }

    fn dense(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let kernel = self.tensor(&format!("{name}/kernel"));
        let mut y = self.tensor(&format!("{name}/bias")).to_vec();
        let n_out = y.len();
        for (i, x) in x.iter().enumerate() {
            y.iter_mut().zip(&kernel[i * n_out..]).for_each(|(y, k)| *y += x * k);
        }
        y
    }

    fn stack(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let mut x = x.to_vec();
        for layer in 0..2 {
            let y = self.dense(&format!("{name}/{layer}"), &x);
            let n = y.len() as f64;
            let mean = y.iter().sum::<f64>() / n;
            let variance = y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n;
            let gain = self.tensor(&format!("{name}/{layer}/gain"));
            let shift = self.tensor(&format!("{name}/{layer}/shift"));
            let normalized = y.iter().map(|y| (y - mean) / (variance + 1e-3).sqrt());
            let linear = normalized.zip(gain).zip(shift).map(|((n, gain), shift)| n * gain + shift);
            x = linear.map(|linear| linear.max(0.2 * linear)).collect();
        }
        x
    }

    /// The state after `h`.
    fn gru(&self, x: &[f64], h: &[f64]) -> Vec<f64> {
        let n = h.len();
        let product = |kernel: &[f64], x: &[f64], column: usize| -> f64 {
            x.iter().enumerate().map(|(i, x)| x * kernel[i * 3 * n + column]).sum()
        };
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (kernel, bias) = (self.tensor("gru/kernel"), self.tensor("gru/bias"));
        let recurrent_kernel = self.tensor("gru/recurrent_kernel");
        let part = |unit: usize, gate: usize| {
            let column = gate * n + unit;
            let input = product(kernel, x, column) + bias[column];
            (input, product(recurrent_kernel, h, column) + bias[3 * n + column])
        };
        let state = |unit: usize| {
            let [z, r, c] = [0, 1, 2].map(|gate| part(unit, gate));
            let (z, r) = (sigmoid(z.0 + z.1), sigmoid(r.0 + r.1));
            z * h[unit] + (1.0 - z) * (c.0 + r * c.1).tanh()
        };
        (0..n).map(state).collect()
    }

    /// All outputs of one example.
    fn forward(&self, loudness: &[f64], f0: &[f64]) -> Vec<f64> {
        let mut h = vec![0.0; self.tensor("gru/bias").len() / 6];
        let mut outputs = Vec::new();
        for (loudness, f0) in loudness.iter().zip(f0) {
            let stacks = [("loudness_scaled", loudness), ("f0_scaled", f0)]
                .map(|(name, x)| self.stack(name, &[*x]));
            let stacks = stacks.concat();
            h = self.gru(&stacks, &h);
            let hidden = self.stack("output_stack", &[stacks, h.clone()].concat());
            outputs.extend(self.dense("output", &hidden));
        }
        outputs
    }
}

/// A slowly varying input of `n` frames in [0, 1].
fn feature(n: usize, rate: f32) -> Vec<f32> {
    (0..n).map(|i| 0.5 + 0.4 * (rate * i as f32).sin()).collect()
}

/// Initial parameters, with biases and shifts that are not zero.
fn parameters_for(table: &ParameterTable) -> Vec<f32> {
    let mut parameters = table.initial_parameters(3).values;
    let wobble = feature(parameters.len(), 1.7);
    parameters.iter_mut().zip(wobble).for_each(|(p, w)| *p += 0.2 * (w - 0.5));
    parameters
}

#[test]
fn backward_is_the_transposed_jacobian_of_all_parameters() {
    let (decoder, table) = small_decoder();
    let n_frames = 6;
    let (loudness, f0) = (feature(n_frames, 0.9), feature(n_frames, 0.4));
    let [loudness64, f0_64] =
        [&loudness, &f0].map(|v| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    let forward = |parameters: &[f64], outputs: &mut [f64]| {
        let reference = Reference { table: &table, parameters };
        outputs.copy_from_slice(&reference.forward(&loudness64, &f0_64));
    };
    let n_outputs = n_frames * decoder.n_outputs();
    // The step is short: a wider one crosses corners of leaky ReLUs.
    check_vjp(&parameters_for(&table), n_outputs, 1e-6, forward, |parameters, grad_y, grad| {
        let mut cache = DecoderCache::new(&decoder, n_frames, 1);
        let mut outputs = vec![0.0; n_outputs];
        let inputs = [loudness.as_slice(), &f0];
        decoder.forward(parameters, &inputs, &mut cache, &mut outputs);
        decoder.backward(parameters, &inputs, &mut cache, grad_y, grad.into());
    });
}

#[test]
fn examples_are_independent_and_many_rows_are_chunked() {
    // More rows than a chunk holds, and not a multiple of it.
    let (n_frames, n_examples) = (130, 3);
    let (decoder, table) = small_decoder();
    let parameters = parameters_for(&table);
    let n_outputs = decoder.n_outputs();
    let run = |loudness: &[f32], f0: &[f32], n_examples: usize| {
        let mut cache = DecoderCache::new(&decoder, n_frames, n_examples);
        let mut outputs = vec![f32::NAN; n_frames * n_examples * n_outputs];
        decoder.forward(&parameters, &[loudness, f0], &mut cache, &mut outputs);
        let grad_outputs = feature(outputs.len(), 2.1);
        let mut grad = vec![0.0; parameters.len()];
        decoder.backward(
            &parameters,
            &[loudness, f0],
            &mut cache,
            &grad_outputs,
            grad.as_mut_slice().into(),
        );
        (outputs, grad_outputs, grad)
    };
    let (loudness, f0) = (feature(n_frames * n_examples, 0.9), feature(n_frames * n_examples, 0.4));
    let (outputs, grad_outputs, grad) = run(&loudness, &f0, n_examples);

    let of_example = |values: &[f32], width: usize, example: usize| -> Vec<f32> {
        let rows = values.chunks(width).skip(example).step_by(n_examples);
        rows.flatten().copied().collect()
    };
    let mut grad_sum = vec![0.0_f32; parameters.len()];
    for example in 0..n_examples {
        let (loudness, f0) = (of_example(&loudness, 1, example), of_example(&f0, 1, example));
        let mut cache = DecoderCache::new(&decoder, n_frames, 1);
        let mut alone = vec![f32::NAN; n_frames * n_outputs];
        decoder.forward(&parameters, &[&loudness, &f0], &mut cache, &mut alone);
        let together = of_example(&outputs, n_outputs, example);
        for (alone, together) in alone.iter().zip(&together) {
            // The GRU sums the same products in the same order, dense layers may not.
            assert!((alone - together).abs() <= 1e-5, "example {example}: {alone} {together}");
        }
        let grad_y = of_example(&grad_outputs, n_outputs, example);
        decoder.backward(
            &parameters,
            &[&loudness, &f0],
            &mut cache,
            &grad_y,
            grad_sum.as_mut_slice().into(),
        );
    }
    for entry in &table.entries {
        let (together, alone) = (&grad[entry.range.clone()], &grad_sum[entry.range.clone()]);
        let largest = together.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        for (together, alone) in together.iter().zip(alone) {
            // Sums over 390 rows in two orders.
            let difference = (together - alone).abs();
            assert!(difference <= 3e-5 * largest, "{}: {together} {alone}", entry.name);
        }
    }
}

#[test]
fn blocks_of_any_length_give_the_whole() {
    let n_frames = 40;
    let (decoder, table) = small_decoder();
    let parameters = parameters_for(&table);
    let n_outputs = decoder.n_outputs();
    let (loudness, f0) = (feature(n_frames, 0.9), feature(n_frames, 0.4));
    let mut whole = vec![0.0; n_frames * n_outputs];
    let mut cache = DecoderCache::new(&decoder, n_frames, 1);
    decoder.forward(&parameters, &[&loudness, &f0], &mut cache, &mut whole);

    let mut stream = DecoderStream::new(decoder, parameters);
    for blocks in [vec![1; 40], vec![40], vec![3, 1, 17, 0, 9, 10]] {
        stream.reset();
        let (mut frame, mut outputs) = (0, vec![0.0; n_frames * n_outputs]);
        for n in blocks {
            let block = frame..frame + n;
            let outputs = &mut outputs[frame * n_outputs..][..n * n_outputs];
            stream.process(&[&loudness[block.clone()], &f0[block]], outputs);
            frame += n;
        }
        for (whole, streamed) in whole.iter().zip(&outputs) {
            // Sums of 32 products in two orders, through seven layers.
            assert!((whole - streamed).abs() <= 1e-5, "{whole} {streamed}");
        }
    }
}
