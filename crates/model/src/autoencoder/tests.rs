use super::*;

const N_FRAMES: usize = 12;

/// A configuration small enough for thousands of renderings.
fn small_config() -> Config {
    let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
    for assignment in [
        "decoder.gru_units=6",
        "decoder.fc_units=8",
        "harmonic.n_harmonics=5",
        "noise.n_bands=6",
        "noise.initial_bias=-1",
    ] {
        config.set(assignment).expect("a valid size");
    }
    config
}

/// A rising scale that grows louder; harmonic 5 crosses the Nyquist frequency of 8 kHz.
fn rising(n_frames: usize) -> (Vec<f32>, Vec<f32>) {
    let ramp = |i: usize| i as f32 / n_frames as f32;
    let f0_hz = (0..n_frames).map(|i| 300.0 * 8.0_f32.powf(ramp(i))).collect();
    (f0_hz, (0..n_frames).map(|i| -60.0 + 50.0 * ramp(i)).collect())
}

/// A second example, unlike the first.
fn falling(n_frames: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut f0_hz, mut loudness_db) = rising(n_frames);
    f0_hz.reverse();
    loudness_db.reverse();
    (f0_hz, loudness_db)
}

fn noise(seed: u64, n_samples: usize) -> Vec<f32> {
    let mut noise = vec![0.0; n_samples];
    uniform_noise(seed, &mut noise);
    noise
}

/// The audio of every example, one after another.
fn forward(autoencoder: &mut Autoencoder, parameters: &[f32], examples: &[Features]) -> Vec<f32> {
    autoencoder.decode(parameters, examples);
    let mut all = Vec::new();
    for (row, features) in examples.iter().enumerate() {
        let n_samples = features.f0_hz.len() * 64;
        let [mut harmonic, mut filtered] = [vec![0.0; n_samples], vec![0.0; n_samples]];
        let (harmonic_branch, noise_branch) = autoencoder.branches(row);
        harmonic_branch.forward(features.f0_hz, &mut harmonic);
        noise_branch.forward(&noise(row as u64, n_samples), &mut filtered);
        all.extend(harmonic.iter().zip(&filtered).map(|(harmonic, noise)| harmonic + noise));
    }
    all
}

#[test]
fn the_seed_s_model_has_as_many_parameters_as_it_printed() {
    let config = Config::preset("seed-harmonic").expect("the preset is valid");
    assert_eq!(Model::new(config, 0).parameters.values.len(), 814_171);
}

/// The derivative of `sum grad_audio * audio` along the gradient itself, within each tensor, is the
/// length of that gradient.
#[test]
fn the_gradient_of_every_tensor_is_the_slope_along_it() {
    let config = small_config();
    let (rising, falling) = (rising(N_FRAMES), falling(N_FRAMES));
    let examples = [&rising, &falling].map(|(f0_hz, loudness_db)| Features { f0_hz, loudness_db });
    let parameters = Model::new(config.clone(), 3).parameters.values;
    let mut autoencoder = Autoencoder::new(&config, N_FRAMES, 2);
    let grad_audio = noise(9, 2 * N_FRAMES * 64);

    autoencoder.decode(&parameters, &examples);
    for (row, features) in examples.iter().enumerate() {
        let n_samples = N_FRAMES * 64;
        let grad_audio = &grad_audio[row * n_samples..(row + 1) * n_samples];
        let input = noise(row as u64, n_samples);
        let mut audio = vec![0.0; n_samples];
        let (harmonic_branch, noise_branch) = autoencoder.branches(row);
        harmonic_branch.forward(features.f0_hz, &mut audio);
        noise_branch.forward(&input, &mut audio);
        harmonic_branch.backward(features.f0_hz, grad_audio);
        noise_branch.backward(&input, grad_audio);
        autoencoder.store_gradient(row);
    }
    let mut gradient = vec![0.0; parameters.len()];
    autoencoder.backward(&parameters, &mut gradient);

    for entry in RnnFcDecoder::new(&config).table().entries {
        let direction = &gradient[entry.range.clone()];
        let length = direction.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
        assert!(length > 0.0, "{} has no gradient", entry.name);
        let mut slope = |step: f64| {
            let [plus, minus] = [step, -step].map(|step| {
                let mut moved = parameters.clone();
                for (value, &g) in moved[entry.range.clone()].iter_mut().zip(direction) {
                    #[expect(clippy::cast_possible_truncation, reason = "a parameter is f32")]
                    let change = (step * f64::from(g) / length) as f32;
                    *value += change;
                }
                let audio = forward(&mut autoencoder, &moved, &examples);
                let terms = audio.iter().zip(&grad_audio);
                terms.map(|(&x, &g)| f64::from(x) * f64::from(g)).sum::<f64>()
            });
            (plus - minus) / (2.0 * step)
        };
        let (coarse, fine) = (slope(0.02), slope(0.01));
        let numeric = fine + (fine - coarse) / 3.0;
        // 1,536 samples of about 0.5, each rounded by 3e-8, weigh into a difference over 0.02 with
        // 3e-8 * sqrt(1536) * 0.5 / 0.02 = 3e-5; what extrapolation leaves is of the order of its
        // own correction.
        let tolerance = 2e-3 * length + 1e-4 + 0.2 * (fine - coarse).abs();
        assert!(
            (numeric - length).abs() <= tolerance,
            "{}: slope {numeric}, gradient {length}, tolerance {tolerance}",
            entry.name,
        );
        assert!(tolerance < 0.05 * length, "{}: the step tells nothing", entry.name);
    }
}

#[test]
fn an_example_sounds_the_same_alone_and_in_company() {
    let config = small_config();
    let (rising, falling) = (rising(N_FRAMES), falling(N_FRAMES));
    let examples = [&rising, &falling].map(|(f0_hz, loudness_db)| Features { f0_hz, loudness_db });
    let model = Model::new(config.clone(), 3);
    let mut autoencoder = Autoencoder::new(&config, N_FRAMES, 2);
    let together = forward(&mut autoencoder, &model.parameters.values, &examples);
    for (row, features) in examples.into_iter().enumerate() {
        let alone = model.render(features, row as u64).audio;
        let together = &together[row * N_FRAMES * 64..(row + 1) * N_FRAMES * 64];
        for (n, (alone, together)) in alone.iter().zip(together).enumerate() {
            // Sums of a few tens of products of the size of 1, in another order.
            assert!((alone - together).abs() < 1e-5, "{row}, {n}: {alone} != {together}");
        }
    }
}

#[test]
fn a_rendering_is_the_sum_of_its_parts_and_repeats() {
    let (f0_hz, loudness_db) = rising(50);
    let features = Features { f0_hz: &f0_hz, loudness_db: &loudness_db };
    let model = Model::new(small_config(), 3);
    let rendering = model.render(features, 1);
    assert_eq!(rendering.audio.len(), 50 * 64, "a hop for every frame");
    for ((audio, harmonic), noise) in
        rendering.audio.iter().zip(&rendering.harmonic).zip(&rendering.noise)
    {
        assert_eq!(*audio, harmonic + noise, "the sum of both parts");
    }
    assert_eq!(model.render(features, 1), rendering, "same seed, same sound");
    let other = model.render(features, 2);
    assert_eq!(other.harmonic, rendering.harmonic, "the harmonic part knows no chance");
    assert_ne!(other.noise, rendering.noise, "another seed, other noise");
    assert_eq!(rendering.controls.magnitudes.len(), 50 * 6, "bands of every frame");
    for row in rendering.controls.harmonic_distribution.chunks(5) {
        let sum: f32 = row.iter().sum();
        // Five shares, each rounded.
        assert!((sum - 1.0).abs() < 1e-6, "shares sum to {sum}");
    }
}

#[test]
fn a_long_sound_is_rendered_as_a_short_one() {
    let n_frames = MOST_FRAMES_AT_ONCE + 50;
    let (f0_hz, loudness_db) = rising(n_frames);
    let part = |n: usize| Features { f0_hz: &f0_hz[..n], loudness_db: &loudness_db[..n] };
    let model = Model::new(small_config(), 3);
    let short = model.decode(part(MOST_FRAMES_AT_ONCE));
    let long = model.decode(part(n_frames));
    for (i, (long, short)) in long.iter().zip(&short).enumerate() {
        // The stream's sums have another order; the recurrence forgets rather than amplifies.
        assert!((long - short).abs() < 1e-4, "value {i}: {long} != {short}");
    }
}
