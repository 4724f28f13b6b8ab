//! The processor's own limits, for benchmarks to stand beside.

use crate::simd::{Kernel, Simd, mul_add};

/// Sums that do not wait for each other: eight registers of AVX-512, sixteen of AVX2. A multiply-add
/// takes four cycles and two begin in each.
const N_SUMS: usize = 8 * 16;

/// Does at least `n` multiply-adds with all lanes and as little else as possible.
///
/// Returns how many were done and a value that depends on all of them. The time they take is the least that any kernel with so many arithmetic
/// instructions can take on this processor: its peak, a multiply-add being two operations.
pub fn multiply_adds(n: u64) -> (u64, f32) {
    let n_rounds = n.div_ceil(N_SUMS as u64);
    let sum = Simd::widest().run(MultiplyAdds { n_rounds });
    (n_rounds * N_SUMS as u64, sum)
}

struct MultiplyAdds {
    n_rounds: u64,
}

impl Kernel for MultiplyAdds {
    type Output = f32;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f32 {
        // One flat array: nested ones are kept in memory. A factor below 1 keeps the sums finite.
        let mut sums = [1.0_f32; N_SUMS];
        for _ in 0..self.n_rounds {
            for sum in &mut sums {
                *sum = mul_add::<FMA>(*sum, 0.5, 0.75);
            }
        }
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_so_many_are_done() {
        let (n, sum) = multiply_adds(1000);
        assert!((1000..1000 + N_SUMS as u64).contains(&n), "{n}");
        // 3 / 2 - 1 / 2 / 2^8 after eight rounds from 1, exact in f32 but for the sum.
        let expected = 1.5 - 0.5_f32.powi(9);
        assert!((sum / N_SUMS as f32 - expected).abs() <= 1e-5, "{sum} of {N_SUMS}");
    }
}
