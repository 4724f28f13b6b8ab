//! Data sets with weights, as a user spells them: `strings*=0.7 flutes*=0.3`.

use std::path::{Path, PathBuf};

use ddsp_data::{ExampleIndex, F0Source};

use crate::error::Result;

/// Opens `data` and tells how many data sets are mixed: one for each weight, or one in all.
///
/// # Errors
///
/// If files cannot be read, or some patterns have a weight and others have none.
pub(super) fn open(data: &[PathBuf], f0: F0Source) -> Result<(ExampleIndex, usize)> {
    let sets: Vec<(PathBuf, Option<f64>)> = data.iter().map(|path| split_weight(path)).collect();
    let weighted: Vec<(&Path, f64)> =
        sets.iter().filter_map(|(path, weight)| Some((path.as_path(), (*weight)?))).collect();
    if weighted.is_empty() {
        return Ok((ExampleIndex::open(data, f0)?, 1));
    }
    if let Some((path, _)) = sets.iter().find(|(_, weight)| weight.is_none()) {
        let path = path.display();
        let reason = format!("{path} has no weight: give all data sets one, as in {path}=0.5");
        return Err(ddsp_data::Error::Data(reason).into());
    }
    Ok((ExampleIndex::open_mixed(&weighted, f0)?, weighted.len()))
}

/// The pattern and the weight after its last `=`, unless a file has that name.
fn split_weight(argument: &Path) -> (PathBuf, Option<f64>) {
    let whole = || (argument.to_owned(), None);
    let Some((pattern, weight)) = argument.to_str().and_then(|text| text.rsplit_once('=')) else {
        return whole();
    };
    match weight.parse() {
        Ok(weight) if !argument.exists() => (PathBuf::from(pattern), Some(weight)),
        _ => whole(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_follows_the_last_equals_sign() {
        let split = |text: &str| {
            let (path, weight) = split_weight(Path::new(text));
            (path.display().to_string(), weight)
        };
        assert_eq!(split("a*=0.7"), ("a*".to_owned(), Some(0.7)));
        assert_eq!(split("x=1/b*=2"), ("x=1/b*".to_owned(), Some(2.0)));
        assert_eq!(split("x=1/b*"), ("x=1/b*".to_owned(), None));
        assert_eq!(split("plain"), ("plain".to_owned(), None));
        let folder = tempfile::tempdir().expect("a folder");
        let named = folder.path().join("take=3");
        std::fs::write(&named, "").expect("written");
        assert_eq!(split_weight(&named), (named.clone(), None), "a file of that name");
    }

    #[test]
    fn a_weight_for_some_is_refused() {
        let data = [PathBuf::from("a*=0.7"), PathBuf::from("b*")];
        let error = open(&data, F0Source::Record).expect_err("b has none").to_string();
        assert!(error.contains("b* has no weight"), "{error}");
    }
}
