//! What a report says of a training.

use ddsp_model::{Config, Level, LossSummary};

use super::{BaselineLosses, LearnReport};
use crate::report::{Baseline, LossPoint, Report, Section, number, training_section};

/// Name of the model before training.
const UNTRAINED: &str = "untrained";

/// The section on training of a report.
pub fn learning_section(
    config: &Config,
    report: &LearnReport,
    training: &[LossPoint],
    held_out: &[LossPoint],
) -> Section {
    let lede = format!(
        "A recurrent layer of {} units learns to set {} and {} noise bands {} times a second from \
         f0 and {}.",
        config.decoder.gru_units,
        tone(config),
        config.noise.n_bands,
        config.audio.frame_rate,
        match (config.decoder.level, &config.encoder) {
            (Level::Loudness, None) => "loudness alone",
            (Level::Power, None) => "power alone",
            (_, Some(_)) => "loudness, and what an encoder hears",
        },
    );
    let facts = [
        ("Examples learned from", report.n_examples.to_string()),
        ("Held out", report.n_held_out.to_string()),
        ("Parameters", thousands(report.n_parameters)),
        ("Steps", report.steps.to_string()),
        ("Kept from step", report.best_step.to_string()),
        ("Time", format!("{} s", number(report.seconds))),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let rows = rows(report);
    // What the model was before its first step is where its curve begins.
    let untrained = rows.iter().filter(|row| row.name == UNTRAINED).map(|row| row.loss);
    let held_out: Vec<LossPoint> = untrained.chain(held_out.iter().copied()).collect();
    training_section(&lede, facts, training, &held_out, &rows)
}

/// What the synthesizer of the pitched part is made of.
fn tone(config: &Config) -> String {
    let harmonic = config.harmonic.as_ref().map(|c| format!("{} harmonics", c.n_harmonics));
    let sinusoidal = config.sinusoidal.as_ref().map(|c| format!("{} sinusoids", c.n_sinusoids));
    let wavetable = config.wavetable.as_ref().map(|c| format!("{} wavetables", c.n_tables));
    harmonic.or(sinusoidal).or(wavetable).unwrap_or_default()
}

/// The baselines, then the model.
fn rows(report: &LearnReport) -> Vec<Baseline> {
    let row = |name: &str, loss: LossSummary| Baseline {
        name: name.to_owned(),
        loss: LossPoint {
            step: 0,
            total: loss.total,
            magnitude: loss.magnitude,
            log_magnitude: loss.log_magnitude,
        },
    };
    match (report.baselines, report.held_out_loss) {
        (Some(BaselineLosses { silence, untrained, mean_spectrum }), Some(held_out)) => vec![
            row(UNTRAINED, untrained),
            row("silence", silence),
            row("mean spectrum", mean_spectrum),
            row("trained", held_out),
        ],
        _ => vec![row("training notes, last steps", report.loss)],
    }
}

/// The page of a run folder.
pub(super) fn page(
    config: &Config,
    report: &LearnReport,
    training: &[LossPoint],
    held_out: &[LossPoint],
) -> Report {
    Report {
        title: "How the training went".to_owned(),
        sections: vec![learning_section(config, report, training, held_out)],
        ..Report::default()
    }
}

/// Digits in groups of three.
pub(crate) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    grouped.join(",")
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!([7, 1000, 814_171].map(thousands), ["7", "1,000", "814,171"]);
    }
}
