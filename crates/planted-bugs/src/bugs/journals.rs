//! Bugs of journals.

use super::Bug;

const JOURNAL: &str = "crates/journal/src/journal.rs";
const SEGMENTS: &str = "crates/journal/src/segments.rs";
const PAST: &str = "crates/journal/src/past.rs";
const FORMAT: &str = "crates/journal/src/format.rs";

pub(super) const JOURNALS: &[Bug] = &[
    Bug {
        name: "word-before-its-block",
        breaks: "a process that is killed leaves the word of a block without its contents",
        file: SEGMENTS,
        before: "segment.file.write(at + WORD, contents);\n    segment.file.store(at, word);",
        after: "segment.file.store(at, word);\n    segment.file.write(at + WORD, contents);",
    },
    Bug {
        name: "torn-end-stays",
        breaks: "what a death has torn stays behind what is appended next",
        file: JOURNAL,
        before: "if past.torn_bytes() > 0 {",
        after: "if false {",
    },
    Bug {
        name: "commit-without-sync",
        breaks: "what is to survive a failure of the machine is promised before it is on the disk",
        file: JOURNAL,
        before: "let synced = self.present.file.sync();",
        after: "let synced = io::Result::Ok(());",
    },
    Bug {
        name: "refused-block-trusted",
        breaks: "a block that the disk has refused is promised once another process has read it",
        file: SEGMENTS,
        before: "newest.write(from, block.unwrap_or_default());",
        after: "let _ = block;",
    },
    Bug {
        name: "segment-has-its-name-too-soon",
        breaks: "a segment takes its name before it is on the disk",
        file: SEGMENTS,
        before: "begun.file.sync().map_err(not_synced)?;",
        after: "",
    },
    Bug {
        name: "whole-blocks-dropped",
        breaks: "damage is taken for the end of a journal, and what follows it is gone",
        file: PAST,
        before: "end.unwrap_or(at) == at && followed_at.is_none();",
        after: "end.unwrap_or(at) == at;",
    },
    Bug {
        name: "block-of-another-place",
        breaks: "a block is taken for one wherever it lies",
        file: FORMAT,
        before: "let place = (at / ALIGNED) as u32;",
        after: "let place = (at / at.max(1)) as u32;",
    },
];
