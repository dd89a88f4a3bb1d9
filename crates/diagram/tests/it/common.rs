//! What the tests of diagrams share: the histories under `testdata/diagrams`, and overlaps.

use std::fs;
use std::path::{Path, PathBuf};

use diagram::Rect;
use history::{Header, Reader, System};

/// A history and its first system.
pub(crate) struct Example {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    pub(crate) system: System,
}

/// Every `testdata/diagrams/NAME.history`.
pub(crate) fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/diagrams");
    let entries = fs::read_dir(folder).expect("testdata/diagrams is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == "history"));
    paths.sort();
    assert!(paths.len() >= 5, "only {} histories", paths.len());
    paths.into_iter().map(example).collect()
}

fn example(path: PathBuf) -> Example {
    let text = fs::read_to_string(&path).unwrap();
    let (header, mut systems) = read(&text);
    Example {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        path,
        header,
        system: systems.swap_remove(0),
    }
}

pub(crate) fn read(text: &str) -> (Header, Vec<System>) {
    let mut reader = Reader::new(text.as_bytes()).unwrap();
    let events: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    (reader.header().clone(), System::link(events).unwrap())
}

/// Two of the areas that overlap.
pub(crate) fn overlapping(areas: &[Rect]) -> Option<(usize, usize)> {
    let mut order: Vec<usize> = (0..areas.len()).collect();
    order.sort_by_key(|index| areas[*index].x);
    for (nth, a) in order.iter().enumerate() {
        let right = areas[*a].x + areas[*a].width;
        let near = order[nth + 1..].iter().take_while(|b| areas[**b].x < right);
        for b in near {
            if areas[*a].overlaps(&areas[*b]) {
                return Some((*a, *b));
            }
        }
    }
    None
}
