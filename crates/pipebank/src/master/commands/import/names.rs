//! Numbers for processes that have names.

use std::collections::BTreeSet;

/// A number for each name: the one that it ends with, where all begin alike, as in `N1`, `N2`; otherwise
/// they are counted from 1.
pub(super) fn numbers<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<u64> {
    let ends: Option<Vec<(&str, u64)>> = names.clone().map(split).collect();
    let is_alike = |ends: &Vec<(&str, u64)>| {
        let numbers: BTreeSet<u64> = ends.iter().map(|(_, number)| *number).collect();
        let mut beginnings = ends.iter().map(|(beginning, _)| beginning);
        let first = beginnings.next();
        numbers.len() == ends.len() && beginnings.all(|other| Some(other) == first)
    };
    match ends.filter(is_alike) {
        Some(ends) => ends.into_iter().map(|(_, number)| number).collect(),
        None => names.zip(1..).map(|(_, number)| number).collect(),
    }
}

/// A name that ends with a number, in its two parts.
fn split(name: &str) -> Option<(&str, u64)> {
    let beginning = name.trim_end_matches(|char: char| char.is_ascii_digit());
    let number = name[beginning.len()..].parse().ok()?;
    Some((beginning, number))
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn names_that_differ_by_a_number_alone_keep_it() {
        let of = |names: &[&'static str]| numbers(names.iter().copied());
        assert_eq!(of(&["N7", "N10", "N0"]), [7, 10, 0]);
        assert_eq!(of(&["12", "3"]), [12, 3]);
        for others in [
            &["N7", "M8"][..],
            &["N7", "N07"],
            &["N7", "N"],
            &["Zürich", "Genève"],
            &["N18446744073709551616", "N2"],
        ] {
            assert_eq!(of(others), [1, 2], "{others:?}");
        }
        assert_eq!(of(&[]), [0; 0]);
    }
}
