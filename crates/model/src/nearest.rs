//! The known name that a misspelt one most resembles.

/// The candidate with the fewest edits to `name`, unless more than a third of it would change.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    candidates
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .min()
        .filter(|(edits, candidate)| 3 * edits <= candidate.len().max(3))
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein distance: insertions, deletions and substitutions of one character.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // row[j]: edits from the part of `a` read so far to the first j characters of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_single_characters() {
        assert_eq!((edits("kitten", "sitting"), edits("", "abc"), edits("abc", "abc")), (3, 3, 0));
    }

    #[test]
    fn only_a_likely_name_is_suggested() {
        let keys = ["train.steps", "train.batch"];
        assert_eq!(nearest("train.step", keys).as_deref(), Some("train.steps"));
        assert_eq!(nearest("completely.other", keys), None);
    }
}
