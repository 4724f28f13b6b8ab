//! Windows that slide over frames and frequencies, and the patches that they see.

use std::ops::Range;

/// A window that slides over frames and frequencies with `SAME` padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Frames and frequencies, of everything below too.
    size: [usize; 2],
    window: [usize; 2],
    stride: [usize; 2],
}

impl Window {
    /// # Panics
    ///
    /// If a size of the window or a stride is 0.
    pub(super) fn new(size: [usize; 2], window: [usize; 2], stride: [usize; 2]) -> Self {
        assert!(window.iter().all(|&n| n > 0), "a window of {window:?}");
        assert!(stride.iter().all(|&n| n > 0), "strides of {stride:?}");
        Self { size, window, stride }
    }

    pub(super) fn output_size(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis].div_ceil(self.stride[axis]))
    }

    /// Number of places where the window comes to lie.
    pub(super) fn n_places(&self) -> usize {
        self.output_size().iter().product()
    }

    /// Whether each place of the window sees one place of the tensor, in their order.
    pub(super) fn is_one_place(&self) -> bool {
        (self.window, self.stride) == ([1, 1], [1, 1])
    }

    /// For the place `place`: along each axis the index of the first input that the window meets,
    /// and which of its own places do.
    pub(super) fn meeting(&self, place: usize) -> [(usize, Range<usize>); 2] {
        let output_size = self.output_size();
        let at = [place / output_size[1], place % output_size[1]];
        [0, 1].map(|axis| {
            let (size, window, stride) = (self.size[axis], self.window[axis], self.stride[axis]);
            let padded = (output_size[axis] - 1) * stride + window;
            let before = padded.saturating_sub(size) / 2;
            let begin = at[axis] * stride;
            let first = before.saturating_sub(begin).min(window);
            let end = (size + before).saturating_sub(begin).min(window).max(first);
            ((begin + first).saturating_sub(before), first..end)
        })
    }
}

/// The patches of a tensor, one for each place of a window, some of them unfolded together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches<'a> {
    window: &'a Window,
    n_channels: usize,
    n_together: usize,
}

impl<'a> Patches<'a> {
    /// As many patches together as there are in `scratch_len` values.
    pub(super) fn new(window: &'a Window, n_channels: usize, scratch_len: usize) -> Self {
        let patch_len = window.window[0] * window.window[1] * n_channels;
        Self { window, n_channels, n_together: (scratch_len / patch_len.max(1)).max(1) }
    }

    /// Values of a patch.
    pub(super) fn patch_len(&self) -> usize {
        self.window.window[0] * self.window.window[1] * self.n_channels
    }

    /// Patches that are unfolded together.
    pub(super) fn n_together(&self) -> usize {
        self.n_together
    }

    /// The places of the patches that are unfolded together.
    pub(super) fn places(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (n_places, n_together) = (self.window.n_places(), self.n_together);
        (0..n_places).step_by(n_together).map(move |p| p..(p + n_together).min(n_places))
    }

    /// Writes the patches at `places`, `[places, window, n_channels]`.
    pub(super) fn gather(&self, places: Range<usize>, x: &[f32], patches: &mut [f32]) {
        for (place, patch) in places.zip(patches.chunks_exact_mut(self.patch_len().max(1))) {
            patch.fill(0.0);
            for (in_patch, in_x) in self.runs(place) {
                patch[in_patch].copy_from_slice(&x[in_x]);
            }
        }
    }

    /// Adds the patches at `places` to where they came from.
    pub(super) fn scatter(&self, places: Range<usize>, patches: &[f32], x: &mut [f32]) {
        for (place, patch) in places.zip(patches.chunks_exact(self.patch_len().max(1))) {
            for (in_patch, in_x) in self.runs(place) {
                x[in_x].iter_mut().zip(&patch[in_patch]).for_each(|(x, patch)| *x += patch);
            }
        }
    }

    /// The values that lie next to each other both in the patch at `place` and in the tensor: those
    /// of one frame.
    fn runs(&self, place: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
        let Window { size, window, .. } = *self.window;
        let n_channels = self.n_channels;
        let [(first_frame, frames), (first_freq, freqs)] = self.window.meeting(place);
        let len = freqs.len() * n_channels;
        frames.enumerate().map(move |(i, frame)| {
            let in_patch = (frame * window[1] + freqs.start) * n_channels;
            let in_x = ((first_frame + i) * size[1] + first_freq) * n_channels;
            (in_patch..in_patch + len, in_x..in_x + len)
        })
    }
}
