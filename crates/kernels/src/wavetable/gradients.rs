//! The backward pass of the synthesizer.

#![expect(clippy::cast_possible_truncation, reason = "sums in f64 are rounded to f32 at the end")]

use super::Wavetable;
use super::backward::BackwardHop;
use super::forward::Cells;
use super::hop::Controls;
use crate::phase::Phase;

/// Where [`Wavetable::backward`] accumulates; shapes as the inputs of the same name.
#[derive(Debug)]
pub struct WavetableGradients<'a> {
    /// With respect to `f0_hz`, `[n_frames]`, if needed.
    pub f0_hz: Option<&'a mut [f32]>,
    /// With respect to `initial_phase`, for each turn, if needed.
    pub initial_phase: Option<&'a mut f64>,
    /// With respect to `amplitudes`, `[n_frames]`.
    pub amplitudes: &'a mut [f32],
    /// With respect to `table_weights`, `[n_frames, n_tables]`.
    pub table_weights: &'a mut [f32],
    /// With respect to the tables, `[n_tables, table_len]`; `None` if they are not learned.
    pub tables: Option<&'a mut [f32]>,
}

impl Wavetable {
    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_audio`.
    ///
    /// With `g = grad_audio`, `v_t` what is read of table `t`, `v = sum_t weight_t v_t`, and `u` and `w`
    /// the weights of the next frame for tables and amplitudes, over the hop after frame `i`:
    ///
    /// 1. `grad amplitudes[i]` gets `sum_n g v (1 - w)`, and `grad amplitudes[i + 1]` the same with `w`;
    /// 2. `grad table_weights[i, t]` gets `sum_n g amplitude v_t (1 - u)`, frame `i + 1` that with `u`;
    /// 3. the four values around the phase get `g amplitude weight_t` times the spline's weights, and
    ///    the tables what the transposed Fourier transforms make of them;
    /// 4. the phase of sample `n` moves with every f0 before it, so `grad f0[n] = sum over m > n of
    ///    g[m] amplitude[m] v'[m] / sample_rate`, and `initial_phase` moves all of them; where a
    ///    bandwidth fades, f0 sets its share too, and gets the gradient of that.
    ///
    /// # Panics
    ///
    /// If a length is not as in [`forward`](Self::forward), or a gradient's is not its input's.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(
        &mut self,
        f0_hz: &[f32],
        amplitudes: &[f32],
        table_weights: &[f32],
        initial_phase: f64,
        grad_audio: &[f32],
        mut grads: WavetableGradients<'_>,
    ) {
        let controls = Controls { f0_hz, amplitudes, table_weights };
        self.check(controls, grad_audio.len());
        self.check_gradients(controls, &grads);
        let (grid, hop) = (self.grid, self.grid.hop);
        let mut phase = Phase::from_turns(initial_phase);
        for i in 0..grad_audio.len() / hop {
            phase = controls.glide(grid, i).after_hop(phase, hop);
        }
        // Backwards in time, so that the sum over later phases is at hand.
        let mut later_phases = 0.0;
        for (i, grad_audio) in grad_audio.chunks_exact(hop).enumerate().rev() {
            let glide = controls.glide(grid, i);
            phase = glide.before_hop(phase, hop);
            self.scratch.prepare(controls, i, phase, glide);
            self.backward_levels(controls, i, grad_audio, grads.tables.is_some());
            self.backward_amplitudes(controls, i, grad_audio, grads.amplitudes);
            self.scratch.add_table_weights(controls, i, grads.table_weights);
            later_phases += self.backward_f0(controls, i, later_phases, grads.f0_hz.as_deref_mut());
        }
        if let Some(grad) = grads.initial_phase {
            *grad += later_phases;
        }
        if let Some(grad_tables) = grads.tables {
            self.levels.backward(grad_tables);
        }
    }

    /// Gradients of everything that the prepared hop reads, into the scratch and the levels.
    fn backward_levels(
        &mut self,
        controls: Controls<'_>,
        i: usize,
        grad_audio: &[f32],
        with_tables: bool,
    ) {
        let scratch = &mut self.scratch;
        let (a, b) = (controls.amplitudes[i], controls.amplitudes[controls.next(i)]);
        let grad_values = scratch.grad_values.iter_mut();
        for ((grad, g), weight) in grad_values.zip(grad_audio).zip(&self.amplitude_weights) {
            *grad = g * (a + weight * (b - a));
        }
        scratch.clear();
        let width = self.levels.width();
        for i in scratch.audible(&self.levels) {
            scratch.set_gains(&self.levels, i);
            scratch.set_gain_slopes(&self.levels, i);
            for ((grad, g), gain) in
                scratch.grad_level_values.iter_mut().zip(&scratch.grad_values).zip(&scratch.gains)
            {
                *grad = g * gain;
            }
            let level = self.levels.level_mut(i);
            level.touched |= with_tables;
            self.simd.run(BackwardHop {
                cells: Cells { values: &level.cells, bits: level.bits, width },
                samples: scratch.samples.as_ref(),
                grad_values: &scratch.grad_level_values,
                values: &mut scratch.level_values,
                slopes: &mut scratch.level_slopes,
                grad_weights: &mut scratch.grad_weights,
                grad_next_weights: &mut scratch.grad_next_weights,
                grad_cells: with_tables.then_some(&mut level.grad_cells[..]),
            });
            scratch.add_level();
        }
    }

    /// Spreads the gradient of the amplitudes of hop `i` over its two ends.
    fn backward_amplitudes(
        &self,
        controls: Controls<'_>,
        i: usize,
        grad_audio: &[f32],
        grad_amplitudes: &mut [f32],
    ) {
        let (mut both, mut next) = (0.0, 0.0);
        for ((g, value), weight) in
            grad_audio.iter().zip(&self.scratch.values).zip(&self.amplitude_weights)
        {
            let grad = f64::from(g * value);
            both += grad;
            next += grad * f64::from(*weight);
        }
        grad_amplitudes[i] += (both - next) as f32;
        grad_amplitudes[controls.next(i)] += next as f32;
    }

    /// Spreads the gradient of the f0 of hop `i` over its two ends, if asked for; returns the sum of
    /// the gradients of its phases. `later_phases` is that of the phases after the hop.
    fn backward_f0(
        &self,
        controls: Controls<'_>,
        i: usize,
        later_phases: f64,
        grad_f0_hz: Option<&mut [f32]>,
    ) -> f64 {
        let (hop, sample_rate) = (self.grid.hop, f64::from(self.grid.sample_rate));
        let (mut here, mut next) = (0.0, 0.0);
        let mut later = later_phases;
        for j in (0..hop).rev() {
            // f0 of this sample moves the phases after it only. Twice: the unit is Nyquist's frequency.
            let grad = later + 2.0 * f64::from(self.scratch.grad_f0_nyquist[j]);
            here += grad * (hop - j) as f64;
            next += grad * j as f64;
            later += f64::from(self.scratch.grad_phases[j]);
        }
        if let Some(grad_f0_hz) = grad_f0_hz {
            let scale = 1.0 / (hop as f64 * sample_rate);
            grad_f0_hz[i] += (here * scale) as f32;
            grad_f0_hz[controls.next(i)] += (next * scale) as f32;
        }
        later - later_phases
    }

    fn check_gradients(&self, controls: Controls<'_>, grads: &WavetableGradients<'_>) {
        let n_tables = self.n_tables() * self.table_len();
        for (name, n_grad, n) in [
            ("f0_hz", grads.f0_hz.as_ref().map(|g| g.len()), controls.f0_hz.len()),
            ("amplitudes", Some(grads.amplitudes.len()), controls.amplitudes.len()),
            ("table_weights", Some(grads.table_weights.len()), controls.table_weights.len()),
            ("tables", grads.tables.as_ref().map(|g| g.len()), n_tables),
        ] {
            let n_grad = n_grad.unwrap_or(n);
            assert_eq!(n_grad, n, "Wavetable: grad of {n_grad} of {n} {name} values");
        }
    }
}
