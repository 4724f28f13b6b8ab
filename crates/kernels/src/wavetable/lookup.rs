//! One table, or one for each sample, read at given phases.

/// One period of a waveform, or several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tables<'a> {
    /// One table for all, `[table_len]`.
    One(&'a [f32]),
    /// A table for each sample or frame, `[n, table_len]`.
    Each(&'a [f32]),
}

impl<'a> Tables<'a> {
    /// All values, as they lie in memory.
    pub fn values(self) -> &'a [f32] {
        match self {
            Self::One(tables) | Self::Each(tables) => tables,
        }
    }

    /// The length of a table, if they are one or `n`.
    pub(super) fn checked_len(self, what: &str, n: usize) -> usize {
        let n_values = self.values().len();
        let n_tables = match self {
            Self::One(_) => 1,
            Self::Each(_) => n,
        };
        assert!(
            n_values.is_multiple_of(n_tables.max(1)) && (n_tables == 0) == (n_values == 0),
            "{what}: {n_values} values are not {n_tables} tables"
        );
        n_values / n_tables.max(1)
    }

    /// Where table `i` begins.
    pub(super) fn start(self, i: usize, table_len: usize) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Each(_) => i * table_len,
        }
    }
}

/// Reads `tables` at `phase` with linear interpolation; overwrites `audio`, `[n_samples]`.
///
/// `phase` `[n_samples]` is in cycles: 0 is the first value of a table, 1 the first again.
/// `audio[n] = (1 - u) table[i] + u table[i + 1]` with `i + u = table_len * (phase[n] mod 1)`; the
/// table goes on from its last value to its first. [`Tables::Each`] is one table for each sample.
/// Two values are read for a sample, where the reference (magenta/ddsp's `core.linear_lookup`)
/// multiplies the whole table with a hat function. Outside `[0, 1]` the phase wraps; the reference
/// fades to silence there. No band limit: see [`Wavetable`](crate::Wavetable) for that.
///
/// A phase of `p` cycles is off by `2^-24 p`, which is `2^-24 p table_len` of the way from one value
/// to the next. A phase that is not finite gives NaN.
///
/// # Panics
///
/// If `phase` and `audio` differ in length, if `tables` is not one table or one for each sample, or
/// if a table is empty.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn linear_lookup(phase: &[f32], tables: Tables<'_>, audio: &mut [f32]) {
    let table_len = check_lengths(phase, tables, audio.len());
    for (n, (y, phase)) in audio.iter_mut().zip(phase).enumerate() {
        let table = &tables.values()[tables.start(n, table_len)..][..table_len];
        *y = Cell::at(*phase, table_len).read(table).0;
    }
}

/// Accumulates the vector-Jacobian product of [`linear_lookup`] with `grad_audio` into `grad_phase`
/// `[n_samples]` and `grad_tables`, shaped as `tables`.
///
/// `grad phase[n] = grad_audio[n] table_len (table[i + 1] - table[i])`: at a value of the table, where
/// the slope jumps, it is that of the values to come (the reference's is 0). `grad table[i]` and
/// `grad table[i + 1]` get `grad_audio[n]` times their weights.
///
/// # Panics
///
/// As [`linear_lookup`], or if a gradient's length is not its input's.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn linear_lookup_backward(
    phase: &[f32],
    tables: Tables<'_>,
    grad_audio: &[f32],
    grad_phase: &mut [f32],
    grad_tables: &mut [f32],
) {
    let table_len = check_lengths(phase, tables, grad_audio.len());
    let (n, n_grad) = (phase.len(), grad_phase.len());
    assert_eq!(n_grad, n, "linear_lookup: grad of {n_grad} of {n} phases");
    let (n, n_grad) = (tables.values().len(), grad_tables.len());
    assert_eq!(n_grad, n, "linear_lookup: grad of {n_grad} of {n} table values");
    for (n, grad) in grad_audio.iter().enumerate() {
        let range = tables.start(n, table_len)..tables.start(n, table_len) + table_len;
        let cell = Cell::at(phase[n], table_len);
        grad_phase[n] += grad * cell.read(&tables.values()[range.clone()]).1;
        cell.spread(*grad, &mut grad_tables[range]);
    }
}

fn check_lengths(phase: &[f32], tables: Tables<'_>, n_samples: usize) -> usize {
    let n = phase.len();
    assert_eq!(n_samples, n, "linear_lookup: {n_samples} samples for {n} phases");
    tables.checked_len("linear_lookup", n)
}

/// A place between two values of a table.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    here: usize,
    next: usize,
    /// Way from the one to the other, in `[0, 1)`.
    offset: f32,
}

impl Cell {
    /// At `phase` cycles in a table of `table_len` values, at least one.
    fn at(phase: f32, table_len: usize) -> Self {
        let position = fraction(phase) * table_len as f32;
        #[expect(clippy::cast_possible_truncation, reason = "the floor; NaN becomes 0")]
        let here = position as usize;
        let offset = position - here as f32;
        // A phase just below a whole one can round to it.
        Self::between(if here < table_len { here } else { 0 }, offset, table_len)
    }

    /// At `phase`, of which 2^32 are a cycle; exact.
    pub(super) fn at_phase(phase: u32, table_len: usize) -> Self {
        let position = u64::from(phase) * table_len as u64;
        #[expect(clippy::cast_possible_truncation, reason = "below table_len, and the low bits")]
        let (here, low) = ((position >> 32) as usize, position as u32);
        // 24 bits, which an f32 holds.
        Self::between(here, (low >> 8) as f32 * (1.0 / 16_777_216.0), table_len)
    }

    fn between(here: usize, offset: f32, table_len: usize) -> Self {
        let next = if here + 1 < table_len { here + 1 } else { 0 };
        Self { here, next, offset }
    }

    /// The value there, and its change over a cycle.
    pub(super) fn read(self, table: &[f32]) -> (f32, f32) {
        let (a, b) = (table[self.here], table[self.next]);
        (a + self.offset * (b - a), (b - a) * table.len() as f32)
    }

    /// The transpose of reading the value.
    pub(super) fn spread(self, grad: f32, grad_table: &mut [f32]) {
        grad_table[self.here] += (1.0 - self.offset) * grad;
        grad_table[self.next] += self.offset * grad;
    }
}

/// `phase` less its whole cycles, in `[0, 1]`; NaN if it is not finite.
fn fraction(phase: f32) -> f32 {
    // From 2^23 on every f32 is whole. This is `floor` without a call into the C library.
    #[expect(clippy::cast_possible_truncation, reason = "the whole part, far from the ends of i32")]
    let whole = if phase.abs() < 8_388_608.0 { phase as i32 as f32 } else { phase };
    let rest = phase - whole;
    if rest < 0.0 { rest + 1.0 } else { rest }
}

#[cfg(test)]
pub(super) mod tests;
