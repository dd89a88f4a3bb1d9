//! Histories as others may write them: every `testdata/histories/VERDICT-NAME.jsonl` through the real
//! `master verify`, whose verdict is the first word of its name, compared with `.out` beside it.
//!
//! `PIPEBANK_BLESS=1` rewrites `.out`; read the diff.

use std::fs;
use std::path::{Path, PathBuf};

use testing::Folder;

fn histories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/histories");
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut histories: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    histories.sort();
    histories
}

#[test]
fn every_history_has_the_verdict_that_is_its_first_name() {
    let place = Folder::new();
    let bless = std::env::var_os("PIPEBANK_BLESS").is_some();
    let histories = histories();
    assert!(histories.len() > 25);
    for path in histories {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let status = match name.split('-').next() {
            Some("valid") => 0,
            Some("invalid") => 1,
            _ => 4,
        };
        let file = path.to_str().unwrap();
        let ended = place.run(&["verify", file]);
        assert_eq!(ended.err, "", "{name}");
        let golden = path.with_extension("out");
        if bless {
            fs::write(&golden, &ended.out).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(
            ended.out, expected,
            "{name}: PIPEBANK_BLESS=1 rewrites .out"
        );
        ended.expect_status(status);
        // Drawn straight, and as JSON, it is no other.
        place
            .run(&["verify", "--reorder", file])
            .expect_status(status);
        let ended = place.run(&["verify", "--json", file]);
        ended.expect_status(status);
        for line in ended.out.lines() {
            let line: Result<serde_json::Value, _> = serde_json::from_str(line);
            assert!(line.is_ok(), "{name}: {}", ended.out);
        }
    }
}
