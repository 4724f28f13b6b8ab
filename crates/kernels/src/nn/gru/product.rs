//! The product of a few rows with a packed matrix, blocked for registers.
//!
//! A general matrix product spends its time on packing when it has 1 to 8 rows, as each frame of a
//! recurrence does. Here the matrix is packed once for a whole sequence, and the sums of a block of
//! columns stay in registers.

use crate::simd::mul_add;

/// Columns of one register block; one AVX-512 register.
pub(super) const LANES: usize = 16;

/// `LANES` columns of a row.
pub(super) type Lanes = [f32; LANES];

/// Most rows whose sums fit the registers.
pub(super) const MOST_ROWS: usize = 8;

/// The sums of `ROWS` rows and `BLOCKS` blocks of columns.
type Sums<const ROWS: usize, const BLOCKS: usize> = [[Lanes; BLOCKS]; ROWS];

/// Writes to `sums` the product of `x` and `packed`.
///
/// `x` is `[n_rows, depth]`, `packed` `[groups, depth, BLOCKS, LANES]` and `sums`
/// `[n_rows, groups, BLOCKS, LANES]`; `columns` has room for `MOST_ROWS * depth`.
#[inline(always)]
pub(super) fn multiply<const FMA: bool, const WIDE: bool, const BLOCKS: usize>(
    x: &[f32],
    depth: usize,
    packed: &[f32],
    columns: &mut [f32],
    sums: &mut [f32],
) {
    let n_rows = x.len() / depth;
    let width = sums.len() / n_rows;
    let mut first = 0;
    while first < n_rows {
        let x = &x[first * depth..];
        let sums = &mut sums[first * width..];
        first += match n_rows - first {
            8.. if WIDE => multiply_rows::<FMA, WIDE, 8, BLOCKS>(x, depth, packed, columns, sums),
            4.. => multiply_rows::<FMA, WIDE, 4, BLOCKS>(x, depth, packed, columns, sums),
            2.. => multiply_rows::<FMA, WIDE, 2, BLOCKS>(x, depth, packed, columns, sums),
            _ => multiply_rows::<FMA, WIDE, 1, BLOCKS>(x, depth, packed, columns, sums),
        };
    }
}

/// [`multiply`] for the first `ROWS` rows; returns `ROWS`.
#[inline(always)]
fn multiply_rows<const FMA: bool, const WIDE: bool, const ROWS: usize, const BLOCKS: usize>(
    x: &[f32],
    depth: usize,
    packed: &[f32],
    columns: &mut [f32],
    sums: &mut [f32],
) -> usize {
    let columns = &mut columns.as_chunks_mut::<ROWS>().0[..depth];
    for (row, x) in x.chunks_exact(depth).take(ROWS).enumerate() {
        columns.iter_mut().zip(x).for_each(|(column, &x)| column[row] = x);
    }
    let packed = packed.as_chunks::<LANES>().0.as_chunks::<BLOCKS>().0;
    let sums = sums.as_chunks_mut::<LANES>().0.as_chunks_mut::<BLOCKS>().0;
    let n_groups = packed.len() / depth;
    let mut group_sums: Sums<ROWS, BLOCKS> = [[[0.0; LANES]; BLOCKS]; ROWS];
    for (group, packed) in packed.chunks_exact(depth).enumerate() {
        product::<FMA, WIDE, ROWS, BLOCKS>(columns, packed, &mut group_sums);
        for (row, group_sums) in group_sums.iter().enumerate() {
            sums[row * n_groups + group] = *group_sums;
        }
    }
    ROWS
}

/// Writes to `sums` the product of `x`, the rows transposed, `[k][row]`, and `packed`,
/// `[k][block][lane]`.
///
/// `WIDE` tells that there are 32 registers of 16 lanes: room for 8 rows of 3 blocks. Narrower
/// registers take one block after the other, with up to 4 rows.
#[inline(always)]
fn product<const FMA: bool, const WIDE: bool, const ROWS: usize, const BLOCKS: usize>(
    x: &[[f32; ROWS]],
    packed: &[[Lanes; BLOCKS]],
    sums: &mut Sums<ROWS, BLOCKS>,
) {
    if WIDE {
        let mut local = [[[0.0; LANES]; BLOCKS]; ROWS];
        for (x, packed) in x.iter().zip(packed) {
            add_outer_product::<FMA, ROWS, BLOCKS>(x, packed, &mut local);
        }
        *sums = local;
    } else {
        for block in 0..BLOCKS {
            let mut local = [[[0.0; LANES]; 1]; ROWS];
            for (x, packed) in x.iter().zip(packed) {
                add_outer_product::<FMA, ROWS, 1>(x, &[packed[block]], &mut local);
            }
            for (sums, local) in sums.iter_mut().zip(&local) {
                sums[block] = local[0];
            }
        }
    }
}

/// Adds to each row of `sums` its value of `x` times `packed`.
///
/// The rows are spelled out: a loop over them is too large for the compiler to unroll before it
/// decides what may live in registers, which costs a factor of 40.
#[inline(always)]
fn add_outer_product<const FMA: bool, const ROWS: usize, const BLOCKS: usize>(
    x: &[f32; ROWS],
    packed: &[Lanes; BLOCKS],
    sums: &mut Sums<ROWS, BLOCKS>,
) {
    const { assert!(ROWS <= MOST_ROWS, "a row for each line below") };
    add_row::<FMA, BLOCKS>(x[0], packed, &mut sums[0]);
    if ROWS > 1 {
        add_row::<FMA, BLOCKS>(x[1], packed, &mut sums[1]);
    }
    if ROWS > 2 {
        add_row::<FMA, BLOCKS>(x[2], packed, &mut sums[2]);
    }
    if ROWS > 3 {
        add_row::<FMA, BLOCKS>(x[3], packed, &mut sums[3]);
    }
    if ROWS > 4 {
        add_row::<FMA, BLOCKS>(x[4], packed, &mut sums[4]);
    }
    if ROWS > 5 {
        add_row::<FMA, BLOCKS>(x[5], packed, &mut sums[5]);
    }
    if ROWS > 6 {
        add_row::<FMA, BLOCKS>(x[6], packed, &mut sums[6]);
    }
    if ROWS > 7 {
        add_row::<FMA, BLOCKS>(x[7], packed, &mut sums[7]);
    }
}

#[inline(always)]
fn add_row<const FMA: bool, const BLOCKS: usize>(
    x: f32,
    packed: &[Lanes; BLOCKS],
    sums: &mut [Lanes; BLOCKS],
) {
    for block in 0..BLOCKS {
        for lane in 0..LANES {
            sums[block][lane] = mul_add::<FMA>(x, packed[block][lane], sums[block][lane]);
        }
    }
}

/// Packs `matrix(k, column)` for [`multiply`]: groups of `width` columns, `[groups, depth, width]`.
///
/// A column that is `None` is zero.
pub(super) fn pack(
    depth: usize,
    columns: impl Iterator<Item = Option<usize>> + Clone,
    width: usize,
    matrix: impl Fn(usize, usize) -> f32,
    packed: &mut Vec<f32>,
) {
    let columns: Vec<Option<usize>> = columns.collect();
    packed.clear();
    for group in columns.chunks(width) {
        for k in 0..depth {
            packed.extend(group.iter().map(|column| column.map_or(0.0, |c| matrix(k, c))));
        }
    }
}

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
