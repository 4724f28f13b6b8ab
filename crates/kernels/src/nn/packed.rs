//! The product of a few rows with a packed matrix, blocked for registers.
//!
//! A general matrix product spends its time on packing when it has 1 to 8 rows, as each frame of a
//! recurrence does. Here the matrix is packed once for a whole sequence, and the sums of a block of
//! columns stay in registers.

use super::lanes::{LANES, Lanes};
use crate::simd::mul_add;

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
        *sums = add_up::<FMA, WIDE, ROWS, BLOCKS, BLOCKS>(x, packed, |packed| *packed);
    } else {
        for block in 0..BLOCKS {
            let column = add_up::<FMA, WIDE, ROWS, BLOCKS, 1>(x, packed, |packed| [packed[block]]);
            for (sums, column) in sums.iter_mut().zip(&column) {
                sums[block] = column[0];
            }
        }
    }
}

/// The sum over `k` of `x` times the blocks of `packed` that `part` takes.
///
/// A multiply-add takes four clock cycles, and two can begin in each. Few sums cannot keep them
/// coming, so each fourth value of `k` goes to sums of its own then. (One row of three blocks waits
/// for the second-level cache anyway, which sends a block or less in a cycle.)
#[inline(always)]
fn add_up<
    const FMA: bool,
    const WIDE: bool,
    const ROWS: usize,
    const BLOCKS: usize,
    const PART: usize,
>(
    x: &[[f32; ROWS]],
    packed: &[[Lanes; BLOCKS]],
    part: impl Fn(&[Lanes; BLOCKS]) -> [Lanes; PART],
) -> Sums<ROWS, PART> {
    let mut a = [[[0.0; LANES]; PART]; ROWS];
    let are_few = if WIDE { matches!(ROWS * PART, 1 | 2 | 4) } else { ROWS * PART == 1 };
    if !are_few {
        for (x, packed) in x.iter().zip(packed) {
            add_outer_product::<FMA, ROWS, PART>(x, &part(packed), &mut a);
        }
        return a;
    }
    let (mut b, mut c, mut d) = (a, a, a);
    let (x_fours, x_rest) = x.as_chunks::<4>();
    let (packed_fours, packed_rest) = packed.as_chunks::<4>();
    for ([x0, x1, x2, x3], [p0, p1, p2, p3]) in x_fours.iter().zip(packed_fours) {
        add_outer_product::<FMA, ROWS, PART>(x0, &part(p0), &mut a);
        add_outer_product::<FMA, ROWS, PART>(x1, &part(p1), &mut b);
        add_outer_product::<FMA, ROWS, PART>(x2, &part(p2), &mut c);
        add_outer_product::<FMA, ROWS, PART>(x3, &part(p3), &mut d);
    }
    for (x, packed) in x_rest.iter().zip(packed_rest) {
        add_outer_product::<FMA, ROWS, PART>(x, &part(packed), &mut a);
    }
    add_sums(&mut a, &b);
    add_sums(&mut c, &d);
    add_sums(&mut a, &c);
    a
}

#[inline(always)]
fn add_sums<const ROWS: usize, const BLOCKS: usize>(
    sums: &mut Sums<ROWS, BLOCKS>,
    others: &Sums<ROWS, BLOCKS>,
) {
    for row in 0..ROWS {
        for block in 0..BLOCKS {
            for lane in 0..LANES {
                sums[row][block][lane] += others[row][block][lane];
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
