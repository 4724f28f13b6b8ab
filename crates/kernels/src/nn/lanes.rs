//! Vectors of 16 values in and out of slices, which may end before the vector does.

/// Values of a vector; one AVX-512 register.
pub(super) const LANES: usize = 16;

/// A vector.
pub(super) type Lanes = [f32; LANES];

/// The lanes of `values`, zero where there are fewer.
#[inline(always)]
pub(super) fn load(values: &[f32]) -> Lanes {
    match values.first_chunk::<LANES>() {
        Some(lanes) => *lanes,
        None => {
            let mut lanes = [0.0; LANES];
            lanes[..values.len()].copy_from_slice(values);
            lanes
        }
    }
}

/// Writes as many lanes as `values` has room for.
#[inline(always)]
pub(super) fn store(lanes: &Lanes, values: &mut [f32]) {
    match values.first_chunk_mut::<LANES>() {
        Some(whole) => *whole = *lanes,
        None => {
            let n = values.len();
            values.copy_from_slice(&lanes[..n]);
        }
    }
}
