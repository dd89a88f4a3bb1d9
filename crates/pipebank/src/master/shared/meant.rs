//! Words that were mistyped.

/// The name that was probably meant by a word that is none: the nearest, if it is near.
pub(crate) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let names = names.into_iter();
    let names = names.map(|name| (strsim::osa_distance(name, &word), name));
    let near = names.filter(|(distance, name)| distance * 3 <= name.len());
    Some(near.min()?.1)
}
