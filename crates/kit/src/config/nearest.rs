//! Guesses what a mistyped name was meant to be.

/// The known names that are closest to `name`, if any is close; at most three.
pub(super) fn nearest<'a>(name: &str, known: &'a [String]) -> Vec<&'a str> {
    let limit = (name.len() / 4).clamp(2, 6);
    let mut found: Vec<(usize, &str)> = known
        .iter()
        .map(|candidate| (distance(name.as_bytes(), candidate.as_bytes()), candidate.as_str()))
        .filter(|(edits, _)| *edits <= limit)
        .collect();
    found.sort_unstable();
    found.truncate(3);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// How many single-byte edits lead from one to the other (Levenshtein).
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(previous.len());
        current.push(row + 1);
        for (column, b) in right.iter().enumerate() {
            let replaced = previous[column] + usize::from(a != b);
            current.push(replaced.min(previous[column + 1] + 1).min(current[column] + 1));
        }
        previous = current;
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        for (left, right, edits) in [("", "", 0), ("a", "", 1), ("nats_ulr", "nats_url", 2), ("log", "blog", 1)] {
            assert_eq!(distance(left.as_bytes(), right.as_bytes()), edits, "{left} {right}");
        }
    }

    #[test]
    fn the_closest_first() {
        let known = ["database_url", "nats_url", "log"].map(str::to_owned);
        assert_eq!(nearest("nats_ulr", &known), ["nats_url"]);
        assert!(nearest("something else", &known).is_empty());
    }
}
