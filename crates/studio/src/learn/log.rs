//! Reading the log of a run.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::report::LossPoint;

/// What is used of a line of `metrics.jsonl`.
#[derive(Deserialize)]
struct Line {
    step: u64,
    loss: f64,
    loss_magnitude: f64,
    loss_log_magnitude: f64,
    held_out_loss: Option<f64>,
    held_out_loss_magnitude: Option<f64>,
    held_out_loss_log_magnitude: Option<f64>,
}

/// The training losses of all steps, and the held-out losses of those that have one.
pub(super) fn read(path: &Path) -> Result<(Vec<LossPoint>, Vec<LossPoint>)> {
    let text = std::fs::read_to_string(path).map_err(ddsp_data::Error::io("read", path))?;
    let (mut training, mut held_out) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let line: Line = serde_json::from_str(line).map_err(|e| Error::Log {
            path: path.to_owned(),
            line: i + 1,
            reason: e.to_string(),
        })?;
        training.push(LossPoint {
            step: line.step,
            total: line.loss,
            magnitude: line.loss_magnitude,
            log_magnitude: line.loss_log_magnitude,
        });
        let terms =
            (line.held_out_loss, line.held_out_loss_magnitude, line.held_out_loss_log_magnitude);
        if let (Some(total), Some(magnitude), Some(log_magnitude)) = terms {
            held_out.push(LossPoint { step: line.step, total, magnitude, log_magnitude });
        }
    }
    Ok((training, held_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_off_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.jsonl");
        let line = |step: u64, held_out: &str| {
            format!(
                "{{\"step\":{step},\"loss\":3.0,\"loss_magnitude\":1.0,\"loss_log_magnitude\":2.0,\
                 \"held_out_loss\":{held_out},\"held_out_loss_magnitude\":{held_out},\
                 \"held_out_loss_log_magnitude\":{held_out},\"seconds\":1.5}}\n"
            )
        };
        std::fs::write(&path, line(1, "null") + &line(2, "2.5")).expect("written");
        let (training, held_out) = read(&path).expect("two whole lines");
        assert_eq!((training.len(), held_out.len()), (2, 1));
        assert_eq!((held_out[0].step, held_out[0].total), (2, 2.5));
        std::fs::write(&path, line(1, "null") + "{\"step\":2,").expect("written");
        let error = read(&path).expect_err("cut off").to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
