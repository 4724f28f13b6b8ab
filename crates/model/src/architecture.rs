//! The parts of a model and where their parameters lie: what a configuration amounts to.

use std::ops::Range;

use crate::config::Config;
use crate::decoder::RnnFcDecoder;
use crate::encoder::MfccEncoder;
use crate::parameters::{Initial, ParameterTable};

/// Standard deviation of an impulse response before training, as the reference's: inaudible.
const RESPONSE_STD: f64 = 1e-6;

/// Standard deviation of a noise reverb's values before training, as the reference's.
const MAGNITUDE_STD: f64 = 1e-2;

/// The networks of a model, and the places of its other parameters.
#[derive(Clone, Debug)]
pub struct Architecture {
    pub(crate) decoder: RnnFcDecoder,
    pub(crate) encoder: Option<MfccEncoder>,
    /// `[n_tables, table_len]`
    pub(crate) tables: Option<Range<usize>>,
    /// `[ir_len]`, or the magnitudes of a noise reverb before their map, `[n_frames, n_bands]`.
    pub(crate) reverb: Option<Range<usize>>,
    table: ParameterTable,
}

impl Architecture {
    /// The architecture that `config` describes.
    ///
    /// # Panics
    ///
    /// If `config` is not valid; those from a preset, TOML or `set` are.
    pub fn new(config: &Config) -> Self {
        let mut table = ParameterTable::default();
        let mut decoder =
            RnnFcDecoder::new(config, config.n_tone_outputs() + config.noise.n_bands, &mut table);
        let encoder = MfccEncoder::new(config, &mut table);
        let tables = config.wavetable.as_ref().map(|tables| {
            let shape = [tables.n_tables, tables.table_len];
            table.push("wavetable/tables".to_owned(), &shape, Initial::Periods)
        });
        let response = config.reverb.as_ref().map(|reverb| {
            let initial = Initial::Normal { std: RESPONSE_STD };
            table.push("reverb/impulse_response".to_owned(), &[reverb.ir_len], initial)
        });
        let magnitudes = config.noise_reverb.as_ref().map(|reverb| {
            let initial = Initial::Normal { std: MAGNITUDE_STD };
            let shape = [reverb.n_frames, reverb.n_bands];
            table.push("noise_reverb/magnitudes".to_owned(), &shape, initial)
        });
        decoder.set_n_parameters(table.n_values());
        Self { decoder, encoder, tables, reverb: response.or(magnitudes), table }
    }

    /// Names, shapes and places of all parameters.
    pub fn table(&self) -> &ParameterTable {
        &self.table
    }

    /// The network from features to controls.
    pub fn decoder(&self) -> &RnnFcDecoder {
        &self.decoder
    }
}

impl Config {
    /// Outputs of the network for the tone in each frame: amplitude, distribution and perhaps
    /// inharmonicity; amplitudes and detunings; or amplitude and weights of tables.
    pub(crate) fn n_tone_outputs(&self) -> usize {
        let n_stretches = usize::from(self.inharmonicity.is_some());
        let harmonic =
            self.harmonic.as_ref().map(|harmonic| 1 + harmonic.n_harmonics + n_stretches);
        let sinusoidal = self.sinusoidal.as_ref().map(|sinusoidal| 2 * sinusoidal.n_sinusoids);
        let wavetable = self.wavetable.as_ref().map(|wavetable| 1 + wavetable.n_tables);
        harmonic.or(sinusoidal).or(wavetable).expect("validated: there is a synthesizer")
    }

    /// Names, shapes and places of the parameters of a model of this configuration.
    pub fn parameter_table(&self) -> ParameterTable {
        Architecture::new(self).table
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Values of the network from features to controls, and of all else. Those of `seed-harmonic` and the
    /// last six are magenta/ddsp's, counted in its configurations; its two siblings have its
    /// network of 790,784 values before its last layer.
    const COUNTS: [(&str, usize, usize); 10] = [
        // Two stacks in and one out of 64 units, whose GRU they feed with 128.
        ("player", 58_430, 0),
        ("seed-harmonic", 814_171, 0),
        // 45 amplitudes, 45 detunings, 45 bands of 256 weights and a bias.
        ("seed-sinusoidal", 790_784 + 135 * 257, 0),
        // An amplitude, 8 weights, 45 bands; 8 tables of 512.
        ("seed-wavetable", 790_784 + 54 * 257, 8 * 512),
        ("solo", 4_801_150, 48_000),
        ("tiny", 232_314, 48_000),
        ("nsynth-ae", 6_407_334, 843_852),
        ("vst", 1_873_278, 16_000),
        ("vst-32k", 1_892_039, 16_000),
        ("vst-48k", 1_892_039, 16_000),
    ];

    /// `1234567` as `1,234,567`.
    fn with_commas(n: usize) -> String {
        if n < 1000 { n.to_string() } else { format!("{},{:03}", with_commas(n / 1000), n % 1000) }
    }

    fn read(path: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    #[test]
    fn presets_have_the_parameters_that_they_and_the_documentation_say() {
        assert!(Config::preset_names().eq(COUNTS.map(|count| count.0)), "every preset is counted");
        let page = read("../../docs/models.md");
        for (preset, network, rest) in COUNTS {
            let config = Config::preset(preset).unwrap_or_else(|e| panic!("{preset}: {e}"));
            let table = config.parameter_table();
            let is_rest = |name: &str| {
                ["encoder/", "wavetable/", "reverb/", "noise_reverb/"]
                    .iter()
                    .any(|part| name.starts_with(part))
            };
            let (others, own): (Vec<_>, Vec<_>) =
                table.entries.iter().partition(|entry| is_rest(&entry.name));
            let sum = |entries: Vec<&crate::ParameterEntry>| {
                entries.iter().map(|entry| entry.range.len()).sum::<usize>()
            };
            assert_eq!((sum(own), sum(others)), (network, rest), "{preset}: network and the rest");
            assert_eq!(table.n_values(), network + rest, "{preset}: in all");

            let total = with_commas(network + rest);
            let text = read(&format!("presets/{preset}.toml"));
            assert!(text.contains(&format!("{total} parameters")), "{preset}.toml: not {total}");
            let line = page.lines().find(|line| line.starts_with(&format!("| `{preset}` |")));
            let line = line.unwrap_or_else(|| panic!("docs/models.md: no {preset}"));
            let written = if rest == 0 || preset == "seed-wavetable" {
                total
            } else {
                format!("{} + {}", with_commas(network), with_commas(rest))
            };
            assert!(line.contains(&written), "docs/models.md: {preset} without {written}");
        }
    }
}
