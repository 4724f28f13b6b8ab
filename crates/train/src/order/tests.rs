use ddsp_data::TrainingExample;

use super::*;
use crate::source::MixedExamples;

fn config(batch: usize) -> Config {
    let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
    config.train.batch = batch;
    config.train.example_secs = 0.04;
    config
}

/// `n_frames` frames whose values are their numbers.
fn ramp(n_frames: u16) -> TrainingExample {
    let frames: Vec<f32> = (0..n_frames).map(f32::from).collect();
    let audio = frames.iter().flat_map(|&frame| [frame; 64]).collect();
    TrainingExample {
        id: "ramp".to_owned(),
        audio,
        f0_hz: frames.clone(),
        f0_confidence: frames.clone(),
        loudness_db: frames,
        labels: Default::default(),
    }
}

fn indices(draws: &[Draw]) -> Vec<usize> {
    draws.iter().map(|draw| draw.index).collect()
}

#[test]
fn an_epoch_is_a_permutation_and_the_next_another() {
    let source = vec![ramp(10); 10];
    let mut order = Order::new(&source, &config(4));
    let drawn: Vec<usize> = (0..5).flat_map(|step| indices(&order.batch(step))).collect();
    for epoch in drawn.chunks(10) {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>(), "every example once: {epoch:?}");
    }
    assert_ne!(drawn[..10], drawn[10..], "the second epoch has an order of its own");
    let mut fresh = Order::new(&source, &config(4));
    assert_eq!(order.batch(1), fresh.batch(1), "a step's batch does not depend on the way");
}

/// Sets of any sizes and weights, read from any position on.
#[test]
fn what_a_position_holds_does_not_depend_on_the_way() {
    for (case, lens) in [(0, vec![1]), (1, vec![7]), (2, vec![3, 40]), (3, vec![5, 1, 90])] {
        let source = mixture(&lens, &[0.3, 1.7, 0.01]);
        let mut config = config(3);
        config.train.seed = case;
        let mut whole = Order::new(&source, &config);
        let all: Vec<Draw> = (0..6000).flat_map(|step| whole.batch(step)).collect();
        for step in [5999, 0, 17, 1365, 1366, 4000] {
            let mut resumed = Order::new(&source, &config);
            let first = 3 * usize::try_from(step).expect("small");
            assert_eq!(resumed.batch(step), all[first..first + 3], "case {case}, step {step}");
        }
    }
}

fn mixture(lens: &[usize], weights: &[f64]) -> MixedExamples {
    let mut first = 0;
    let share = |(&len, &weight): (&usize, &f64)| {
        first += len;
        Share { weight, indices: (first - len..first).collect() }
    };
    let shares = lens.iter().zip(weights).map(share).collect();
    MixedExamples { examples: vec![ramp(10); lens.iter().sum()], shares }
}

#[test]
fn mixed_data_sets_are_drawn_by_weight_each_in_epochs_of_its_own() {
    let (lens, weights) = ([5, 60, 8], [0.7, 0.25, 0.05]);
    let source = mixture(&lens, &weights);
    let mut order = Order::new(&source, &config(10));
    let drawn: Vec<usize> = (0..1000).flat_map(|step| indices(&order.batch(step))).collect();
    let mut first = 0;
    for (len, weight) in lens.into_iter().zip(weights) {
        let own: Vec<usize> =
            drawn.iter().copied().filter(|index| (first..first + len).contains(index)).collect();
        // Three deviations of a binomial distribution; blocks keep the shares closer than chance.
        let (n, expected) = (drawn.len() as f64, weight * drawn.len() as f64);
        let bound = 3.0 * (n * weight * (1.0 - weight)).sqrt();
        assert!((own.len() as f64 - expected).abs() < bound, "{} of {n}: {weight}", own.len());
        let mut epochs = own.chunks_exact(len);
        for epoch in &mut epochs {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(first..first + len), "every example once: {epoch:?}");
        }
        first += len;
    }
    let early = &drawn[..100];
    let is_mixed = (0..90).all(|i| early[i..i + 10].iter().any(|&index| index < 5));
    assert!(is_mixed, "sets take turns: {early:?}");
}

#[test]
fn quotas_fill_a_block_and_leave_nobody_out() {
    for weights in [vec![1.0, 1.0, 1.0], vec![1e-9, 1.0], vec![0.1; 7], vec![1e12, 3.0, 1e-3]] {
        let quotas = quotas(&weights);
        assert_eq!(quotas.iter().sum::<u64>(), BLOCK, "{weights:?}: {quotas:?}");
        assert!(quotas.iter().all(|&quota| quota > 0), "{weights:?}: {quotas:?}");
    }
}

#[test]
fn a_window_of_a_long_example_is_part_of_it_on_the_frame_grid() {
    let (config, source) = (config(1), vec![ramp(50)]);
    let mut firsts = Vec::new();
    for step in 0..20 {
        let draw = Order::new(&source, &config).batch(step)[0];
        let window = draw.window(&source, &config).expect("a readable example");
        let first = window.f0_hz[0];
        assert_eq!((window.f0_hz.len(), window.audio.len()), (10, 640), "0.04 s");
        for (i, samples) in window.audio.chunks(64).enumerate() {
            let frame = window.f0_hz[i];
            assert_eq!(frame, first + f32::from(u8::try_from(i).expect("ten")), "in order");
            assert!(samples.iter().all(|&x| x == frame), "audio and features agree");
        }
        firsts.push(first);
    }
    firsts.sort_by(f32::total_cmp);
    firsts.dedup();
    assert!(firsts.len() > 5, "windows begin anywhere: {firsts:?}");
}

#[test]
fn a_long_example_is_drawn_as_often_as_windows_fit_and_everywhere() {
    let (config, source) = (config(1), vec![ramp(12), ramp(53), ramp(3)]);
    let mut order = Order::new(&source, &config);
    let mut starts = Vec::new();
    for epoch in 0..20 {
        let draws: Vec<Draw> = (0..7).map(|i| order.batch(7 * epoch + i)[0]).collect();
        let count = |index| draws.iter().filter(|draw| draw.index == index).count();
        assert_eq!([0, 1, 2].map(count), [1, 5, 1], "windows of ten frames");
        let mut firsts: Vec<f32> = draws
            .iter()
            .filter(|draw| draw.index == 1)
            .map(|draw| draw.window(&source, &config).expect("a readable example").f0_hz[0])
            .collect();
        firsts.sort_by(f32::total_cmp);
        // 44 first frames in five stretches.
        for (i, &first) in firsts.iter().enumerate() {
            let (lowest, end) = (i * 44 / 5, (i + 1) * 44 / 5);
            assert!((lowest as f32..end as f32).contains(&first), "epoch {epoch}: {firsts:?}");
        }
        starts.extend(firsts);
    }
    starts.sort_by(f32::total_cmp);
    assert_eq!((starts[0], starts[99]), (0.0, 43.0), "both ends are reached");
}
