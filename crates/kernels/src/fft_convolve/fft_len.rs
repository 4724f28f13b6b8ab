//! Which length a transform is given.

/// The fewest complex values, a length that transforms fast, for at least `min_samples` real ones.
///
/// With AVX, rustfft takes about as long for each value and doubling with any of the factors 3, 5,
/// 7 and 9 beside a power of two: 0.06 to 0.08 ns (5 and 7 together, or squared, 20% more). Without,
/// it takes 0.15 ns for powers of two and three times those, 0.24 for all others, which so are never
/// the fastest; nor are they among short lengths, where the factors' own passes weigh most.
pub(super) fn fast_n_bins(min_samples: usize) -> usize {
    fastest(min_samples.div_ceil(2).max(1), has_avx())
}

/// Above this, any small odd factor is as good as the next.
const SHORT: usize = 256;

fn fastest(min_bins: usize, has_avx: bool) -> usize {
    let factors: &[usize] = if has_avx && min_bins > SHORT { &[1, 3, 5, 7, 9] } else { &[1, 3] };
    let lengths =
        factors.iter().map(|factor| factor * min_bins.div_ceil(*factor).next_power_of_two());
    lengths.min().expect("there are factors")
}

#[cfg(target_arch = "x86_64")]
fn has_avx() -> bool {
    is_x86_feature_detected!("avx") && is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx() -> bool {
    false
}

/// Bins with which a block's buffers have left the caches far enough that it takes twice as long.
const BEYOND_CACHES: f64 = 400_000.0;

/// What is done once a block, in the unit of [`block_cost`].
const BLOCK_OVERHEAD: f64 = 1200.0;

/// Time of a block of `n_bins` complex values, in units of about 0.08 ns: two transforms, and passes
/// over the values that take as long as four doublings of one of them; within 10% of what was
/// measured from 32,768 to 524,288.
pub(super) fn block_cost(n_bins: usize) -> f64 {
    let n_bins = n_bins as f64;
    let passes = n_bins * (2.0 * n_bins.log2() + 4.0);
    BLOCK_OVERHEAD + passes * (1.0 + n_bins / BEYOND_CACHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_is_long_enough_and_never_much_too_long() {
        for min_bins in 1..5000 {
            for has_avx in [false, true] {
                let n_bins = fastest(min_bins, has_avx);
                assert!(n_bins >= min_bins, "{n_bins} for {min_bins}");
                // Neighbours differ by half, or by a quarter where there are more factors.
                let many = has_avx && min_bins > SHORT;
                let most = if many { 5 * min_bins / 4 } else { 3 * min_bins / 2 };
                assert!(n_bins <= most, "{n_bins} for {min_bins}, AVX {has_avx}");
            }
        }
        assert_eq!([fast_n_bins(0), fast_n_bins(1), fast_n_bins(191)], [1, 1, 96], "rounded up");
    }
}
