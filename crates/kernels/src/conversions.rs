//! From the controls of one synthesizer to those of another.

mod sinusoidal;
#[cfg(test)]
pub(crate) mod tests;
mod wavetable;

pub use sinusoidal::{
    HarmonicControls, HarmonicControlsMut, SinusoidalControls, SinusoidalControlsMut,
    SinusoidalToHarmonic, harmonic_to_sinusoidal, harmonic_to_sinusoidal_backward,
};
pub use wavetable::HarmonicToWavetable;
