//! Seeded random numbers: the same bits on every machine.

use rand::Rng;
use rand_pcg::{Pcg64, rand_core::SeedableRng};

/// Overwrites `noise` with values uniform in `[-1, 1)`, determined by `seed`.
pub fn uniform_noise(seed: u64, noise: &mut [f32]) {
    let mut rng = Pcg64::seed_from_u64(seed);
    for pair in noise.chunks_mut(2) {
        let bits = rng.next_u64();
        for (value, shift) in pair.iter_mut().zip([40, 8]) {
            *value = signed_unit(bits >> shift);
        }
    }
}

/// The low 24 bits as a value in `[-1, 1)`; exact, since `f32` has 24 bits.
fn signed_unit(bits: u64) -> f32 {
    const HALF: u32 = 1 << 23;
    let bits = (bits & 0xff_ffff) as u32;
    (bits as f32 - HALF as f32) / HALF as f32
}

/// A seed for one purpose out of another seed, by SplitMix64's finalizer; unrelated for different
/// `index`.
pub fn derived_seed(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_uniform_and_repeats() {
        let [mut noise, mut again] = [vec![0.0; 100_001], vec![0.0; 100_001]];
        uniform_noise(7, &mut noise);
        uniform_noise(7, &mut again);
        assert_eq!(noise, again, "same seed, same noise");
        uniform_noise(8, &mut again);
        assert_ne!(noise, again, "another seed, other noise");
        assert!(noise.iter().all(|x| (-1.0..1.0).contains(x)), "values in [-1, 1)");
        let mean = |f: &dyn Fn(f64) -> f64| {
            noise.iter().map(|&x| f(f64::from(x))).sum::<f64>() / noise.len() as f64
        };
        // Four standard errors of 100,001 draws: 0.0073 for the mean, 0.0038 for the square.
        assert!(mean(&|x| x).abs() < 0.0073, "mean {}", mean(&|x| x));
        let square = mean(&|x| x * x);
        assert!((square - 1.0 / 3.0).abs() < 0.0038, "mean square {square}");
        let next = noise.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / 1e5;
        assert!(next.abs() < 0.0043, "neighbours are correlated: {next}");
    }
}
