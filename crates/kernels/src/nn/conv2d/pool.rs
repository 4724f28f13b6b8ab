//! The largest value of each window.

use super::patches::Window;

/// Max pooling over frames and frequencies with `SAME` padding, for each channel alone.
///
/// A window's places outside the tensor do not count. If a window has a NaN, its first is the
/// largest.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool {
    size: [usize; 2],
    n_channels: usize,
    window: Window,
}

impl MaxPool {
    /// Pooling of tensors `[n_frames, n_freq, n_channels]`, `size` being the first two.
    ///
    /// # Panics
    ///
    /// If a size of the window or a stride is 0.
    pub fn new(
        size: [usize; 2],
        n_channels: usize,
        window: [usize; 2],
        stride: [usize; 2],
    ) -> Self {
        Self { size, n_channels, window: Window::new(size, window, stride) }
    }

    /// Frames and frequencies of the output.
    pub fn output_size(&self) -> [usize; 2] {
        self.window.output_size()
    }

    /// Writes the largest values of `x`, `[n_frames, n_freq, n_channels]`, to `y`,
    /// `[.., .., n_channels]`.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If a length is not that of the geometry.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        self.check_lens(x.len(), y.len());
        for (place, y) in y.chunks_exact_mut(self.n_channels.max(1)).enumerate() {
            let mut inputs = self.inputs(place);
            let first = inputs.next().expect("a window meets its tensor");
            y.copy_from_slice(&x[first..first + self.n_channels]);
            for input in inputs {
                for (y, &x) in y.iter_mut().zip(&x[input..]) {
                    *y = if is_larger(x, *y) { x } else { *y };
                }
            }
        }
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward): the first
    /// of the largest values of a window gets its gradient.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If a length is not that of the geometry.
    pub fn backward(&self, x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        self.check_lens(x.len(), grad_y.len());
        let (n_grad, n_x) = (grad_x.len(), x.len());
        assert_eq!(n_grad, n_x, "MaxPool: {n_grad} values of grad_x for {n_x} of x");
        for (place, grad_y) in grad_y.chunks_exact(self.n_channels.max(1)).enumerate() {
            for (channel, grad_y) in grad_y.iter().enumerate() {
                let inputs = self.inputs(place).map(|input| input + channel);
                let largest =
                    inputs.reduce(|best, i| if is_larger(x[i], x[best]) { i } else { best });
                grad_x[largest.expect("a window meets its tensor")] += grad_y;
            }
        }
    }

    /// Where the inputs that the window at `place` meets begin in the tensor.
    fn inputs(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        let [(first_frame, frames), (first_freq, freqs)] = self.window.meeting(place);
        let (n_freq, n_channels) = (self.size[1], self.n_channels);
        (first_frame..first_frame + frames.len()).flat_map(move |frame| {
            (first_freq..first_freq + freqs.len())
                .map(move |freq| (frame * n_freq + freq) * n_channels)
        })
    }

    fn check_lens(&self, x_len: usize, y_len: usize) {
        let Self { size, n_channels, .. } = *self;
        let expected = size[0] * size[1] * n_channels;
        assert_eq!(
            x_len, expected,
            "MaxPool: {x_len} values of x for {size:?} of {n_channels} channels"
        );
        let [n_frames, n_freq] = self.output_size();
        assert_eq!(
            y_len,
            n_frames * n_freq * n_channels,
            "MaxPool: {y_len} values of y for [{n_frames}, {n_freq}] of {n_channels} channels"
        );
    }
}

/// Whether `x` takes the place of `best`: a larger one, or the first NaN.
fn is_larger(x: f32, best: f32) -> bool {
    x > best || x.is_nan() && !best.is_nan()
}
