//! What differs between two configurations.

use ddsp_model::Config;

/// Settings that say when a run ends or is saved: they change no step, so they may change.
const FREE: [&str; 3] = ["train.steps", "train.patience", "train.checkpoint_every"];

/// Every setting that is not free and differs, as `train.batch was 1, now 4`.
pub(super) fn changes(was: &Config, now: &Config) -> Vec<String> {
    let [was, now] = [was, now].map(settings);
    let value = |settings: &[(String, String)], key: &str| {
        let found = settings.iter().find(|(name, _)| name == key);
        found.map_or_else(|| "absent".to_owned(), |(_, value)| value.clone())
    };
    let mut keys: Vec<&String> = was.iter().chain(&now).map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut changes = Vec::new();
    for key in keys {
        let (was, now) = (value(&was, key), value(&now, key));
        if was != now && !FREE.contains(&key.as_str()) {
            changes.push(format!("{key} was {was}, now {now}"));
        }
    }
    changes
}

/// `section.key` and value of every setting: TOML as a configuration is written has one on a line.
fn settings(config: &Config) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut settings = Vec::new();
    for line in config.to_toml().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = line.split_once(" = ") {
            settings.push((format!("{section}.{key}"), value.to_owned()));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_told_but_those_of_the_end() {
        let was = Config::preset("seed-harmonic").expect("the preset is valid");
        let mut now = was.clone();
        for assignment in ["train.steps=7000", "train.patience=9", "train.checkpoint_every=3"] {
            now.set(assignment).expect("a valid setting");
        }
        assert!(changes(&was, &now).is_empty(), "{:?}", changes(&was, &now));
        for assignment in ["train.batch=4", "noise.n_bands=9", "loss.fft_lens=[512]"] {
            now.set(assignment).expect("a valid setting");
        }
        let expected = [
            "loss.fft_lens was [2048, 1024, 512, 256, 128, 64], now [512]",
            "noise.n_bands was 45, now 9",
            "train.batch was 1, now 4",
        ];
        assert_eq!(changes(&was, &now), expected);
    }

    #[test]
    fn every_setting_is_compared() {
        let config = Config::preset("seed-harmonic").expect("the preset is valid");
        let n_lines = config.to_toml().lines().filter(|line| line.contains('=')).count();
        assert_eq!(settings(&config).len(), n_lines, "{}", config.to_toml());
    }
}
