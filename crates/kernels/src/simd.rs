//! Run-time choice of the widest vector instructions the processor has.
//!
//! A kernel is a plain loop over fixed-size arrays, written once and marked `#[inline(always)]`;
//! here it is compiled again inside functions that may use AVX2 or AVX-512, and the compiler
//! vectorises each copy. Elsewhere (aarch64, wasm32) only the baseline copy exists, which uses
//! whatever the build target guarantees. Every other file of this crate but `gemm` is safe code.

#![allow(
    unsafe_code,
    reason = "calling a function compiled for more features than the build target"
)]

/// A computation that profits from wide vectors.
pub(crate) trait Kernel {
    /// What the computation returns.
    type Output;

    /// Runs it. `FMA` tells that a fused multiply-add is one instruction.
    ///
    /// Implementations and all they call must be `#[inline(always)]`: a function that is not inlined
    /// into its caller does not inherit the caller's instruction set.
    fn run<const FMA: bool>(self) -> Self::Output;

    /// The same where there are 32 registers of 16 lanes, for loops that keep many sums in registers.
    #[inline(always)]
    fn run_wide<const FMA: bool>(self) -> Self::Output
    where
        Self: Sized,
    {
        self.run::<FMA>()
    }
}

/// Whether the build target itself has a fused multiply-add.
///
/// Without one, `f32::mul_add` is a call into the C library, hundreds of times slower than a
/// product and a sum.
const BASE_HAS_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// An instruction set that this processor was seen to have.
///
/// Only this module can make one, so holding it proves that [`run`](Self::run) may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Simd(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Base,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// The widest set that this processor has.
    pub(crate) fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Self(Level::Avx512);
            }
            if has_avx2() {
                return Self(Level::Avx2);
            }
        }
        Self(Level::Base)
    }

    /// Every set that this processor has, narrowest first, so that a test can force each path.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self(Level::Base)];
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx2() {
                all.push(Self(Level::Avx2));
            }
            if has_avx512() {
                all.push(Self(Level::Avx512));
            }
        }
        all
    }

    /// Runs `kernel` with these instructions.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Base => kernel.run::<BASE_HAS_FMA>(),
            // SAFETY: the level was made by `widest` or `all`, which saw AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { run_avx2(kernel) },
            // SAFETY: the level was made by `widest` or `all`, which saw all these features.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { run_avx512(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run_wide::<true>()
}

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
pub(crate) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The sum of all lanes, added pairwise so that it stays in one vector register.
#[inline(always)]
pub(crate) fn sum_lanes<const LANES: usize>(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dot<'a>(&'a [f32; 32], &'a [f32; 32]);

    impl Kernel for Dot<'_> {
        type Output = f32;

        #[inline(always)]
        fn run<const FMA: bool>(self) -> f32 {
            let mut lanes = [0.0; 16];
            for i in 0..32 {
                lanes[i % 16] = mul_add::<FMA>(self.0[i], self.1[i], lanes[i % 16]);
            }
            sum_lanes(lanes)
        }
    }

    #[test]
    fn every_path_computes_the_same() {
        let a = std::array::from_fn(|i| i as f32);
        let b = std::array::from_fn(|i| if i < 16 { 1.0 } else { 2.0 });
        // Small integers: exact in any order, fused or not. 0..=15 once and 16..=31 twice.
        for simd in Simd::all() {
            assert_eq!(simd.run(Dot(&a, &b)), 120.0 + 2.0 * 376.0, "{simd:?}");
        }
    }

    #[test]
    fn the_widest_is_the_last_of_all() {
        assert_eq!(Simd::all().last(), Some(&Simd::widest()), "same detection in both");
    }
}
