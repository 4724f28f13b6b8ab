//! Grids of values as PNG pictures in perceptual colours.

#![expect(clippy::cast_possible_truncation, reason = "palette indices are clamped to 0..=255")]
#![expect(clippy::cast_sign_loss, reason = "palette indices are clamped to 0..=255")]

use colorgrad::Gradient as _;

/// Colours of the palette: enough that no step is seen.
const N_COLOURS: usize = 256;

/// Values over time and one other axis: `[n_columns, n_rows]`, row 0 at the bottom of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Points in time.
    pub n_columns: usize,
    /// Values at each.
    pub n_rows: usize,
    /// `[n_columns, n_rows]`.
    pub values: Vec<f32>,
}

impl Grid {
    /// A grid of `values`, `[n_columns, n_rows]`.
    ///
    /// # Panics
    ///
    /// If `values` does not hold whole columns.
    pub fn new(n_rows: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len() % n_rows, 0, "Grid: columns of {n_rows} values");
        Self { n_columns: values.len() / n_rows, n_rows, values }
    }

    /// Greatest value that is finite, or 0.
    pub fn max(&self) -> f32 {
        let max = self.values.iter().copied().filter(|v| v.is_finite()).reduce(f32::max);
        max.unwrap_or(0.0)
    }

    /// The same values in at most `n` columns: each keeps the greatest of those it stands for, so
    /// that a short event is not lost.
    pub fn at_most(&self, n: usize) -> Self {
        let stride = self.n_columns.div_ceil(n.max(1)).max(1);
        let mut values = Vec::new();
        for columns in self.values.chunks(stride * self.n_rows) {
            let mut kept = columns[..self.n_rows].to_vec();
            for column in columns.chunks_exact(self.n_rows) {
                kept.iter_mut().zip(column).for_each(|(k, v)| *k = k.max(*v));
            }
            values.extend(kept);
        }
        Self::new(self.n_rows, values)
    }

    /// The grid as an indexed PNG of one pixel a value: `min` and below in the darkest colour, `max`
    /// and above in the brightest.
    pub fn png(&self, min: f32, max: f32) -> Vec<u8> {
        let scale = (N_COLOURS - 1) as f32 / (max - min).max(f32::MIN_POSITIVE);
        let mut pixels = Vec::with_capacity(self.values.len());
        for row in (0..self.n_rows).rev() {
            pixels.extend((0..self.n_columns).map(|column| {
                let value = self.values[column * self.n_rows + row];
                ((value - min) * scale).clamp(0.0, (N_COLOURS - 1) as f32) as u8
            }));
        }
        encode_png(self.n_columns, self.n_rows, &pixels)
    }
}

/// A bar of the palette, darkest at the bottom, as PNG.
pub fn palette_png() -> Vec<u8> {
    Grid::new(64, (0..64_u8).map(f32::from).collect()).png(0.0, 63.0)
}

/// The palette as RGB triples, dark to bright; equal steps look equal, and it survives grey print.
fn palette() -> Vec<u8> {
    let gradient = colorgrad::preset::magma();
    (0..N_COLOURS)
        .flat_map(|i| {
            let [r, g, b, _] = gradient.at(i as f32 / (N_COLOURS - 1) as f32).to_rgba8();
            [r, g, b]
        })
        .collect()
}

fn encode_png(width: usize, height: usize, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette());
    encoder.set_compression(png::Compression::High);
    // A vector takes every write, and the sizes are right: one pixel a value.
    let mut writer = encoder.write_header().expect("a PNG header fits into memory");
    writer.write_image_data(pixels).expect("width x height pixels");
    writer.finish().expect("a PNG end fits into memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small picture")];
        let info = reader.next_frame(&mut pixels).expect("pixels");
        (info.width, info.height, pixels)
    }

    #[test]
    fn row_zero_is_the_lowest_and_brighter_is_more() {
        let grid = Grid::new(2, vec![0.0, 1.0, 0.25, f32::NAN, 9.0, -9.0]);
        let (width, height, pixels) = decode(&grid.png(0.0, 1.0));
        assert_eq!((width, height), (3, 2));
        assert_eq!(pixels, [255, 0, 0, 0, 63, 255], "upper row first");
        let brightness: Vec<u32> =
            palette().chunks(3).map(|c| c.iter().map(|&v| u32::from(v)).sum()).collect();
        assert!(brightness[0] < 20 && brightness[255] > 600, "from black to near white");
    }

    #[test]
    fn fewer_columns_keep_the_peaks() {
        let grid = Grid::new(1, vec![0.0, 5.0, 1.0, 0.0, 7.0]);
        assert_eq!(grid.at_most(3).values, [5.0, 1.0, 7.0]);
        assert_eq!(grid.at_most(9), grid, "small grids stay");
    }
}
