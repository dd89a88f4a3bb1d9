//! `master import`: scripts and histories of other programs' files.

mod cos418;
mod shiviz;

use testing::Folder;

/// What is said of a file that is malformed: its place, what is wrong there, and a line with carets under
/// this word of it; or one behind it, where the word is empty.
#[track_caller]
fn assert_refused(place: &Folder, arguments: &[&str], at: [&str; 4]) {
    let [file, what, line, word] = at;
    let start = if word.is_empty() {
        line.len()
    } else {
        line.find(word).unwrap()
    };
    let (indent, width) = (start, word.chars().count().max(1));
    let told = format!(
        "{file}:{}: {what}\n    {line}\n    {:indent$}{:^<width$}\n",
        start + 1,
        "",
        ""
    );
    place.run(arguments).expect(2, "", &told);
}
