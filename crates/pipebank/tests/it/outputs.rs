//! What master writes to: never what it reads, nothing twice, and nothing is lost before the run begins.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use testing::{Folder, master};

const SCRIPT: &str = "StartMaster\nCreateNode 1 5\nCreateNode 2 5\nSend 1 2 3\nReceive 2\nnodes\n";
/// What the script is called where its name says that a picture can be drawn there.
const NAMES: [&str; 4] = ["s.dot", "./s.dot", "hard.dot", "soft.dot"];

/// A script of four names, and files of before.
fn folder() -> Folder {
    let place = Folder::new();
    place.file("s.dot", SCRIPT);
    fs::hard_link(place.path("s.dot"), place.path("hard.dot")).unwrap();
    symlink("s.dot", place.path("soft.dot")).unwrap();
    place.file("old.dot", "before\n");
    symlink("old.dot", place.path("soft-old.dot")).unwrap();
    place
}

/// `master` with words and redirections as a shell takes them.
fn run(place: &Folder, words: &str) -> (Option<i32>, String, String) {
    let line = format!("exec \"$0\" {words}");
    let mut command = Command::new("sh");
    command.args(["-c", &line, master()]);
    let output = command.current_dir(place.path("")).output().unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let [stdout, stderr] = [stdout, stderr].map(|it| String::from_utf8(it).unwrap());
    (status.code(), stdout, stderr)
}

/// The names in the folder.
fn names(place: &Folder) -> Vec<String> {
    let entries = fs::read_dir(place.path("")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn assert_refused(place: &Folder, words: &str, reason: &str) {
    let before = names(place);
    let (status, out, err) = run(place, words);
    assert_eq!((status, &out[..]), (Some(2), ""), "{words}: {err}");
    assert!(err.contains(reason), "{words}: {err}");
    assert_eq!(
        fs::read_to_string(place.path("s.dot")).unwrap(),
        SCRIPT,
        "{words}"
    );
    assert_eq!(
        fs::read_to_string(place.path("old.dot")).unwrap(),
        "before\n",
        "{words}"
    );
    assert_eq!(names(place), before, "{words}");
}

#[test]
fn the_script_is_never_written_to_whichever_way_it_comes() {
    let place = folder();
    let ways = NAMES
        .into_iter()
        .flat_map(|name| [name.to_owned(), format!("<{name}"), format!("- <{name}")]);
    for way in ways {
        for name in NAMES {
            let sinks = [
                (
                    format!("--history {name}"),
                    "the history would overwrite the script",
                ),
                (
                    format!("--diagram {name}"),
                    "the picture would overwrite the script",
                ),
                (
                    format!("--history h --diagram {name}"),
                    "would overwrite the script",
                ),
                (
                    format!("--diagram a.svg --history {name}"),
                    "would overwrite the script",
                ),
                (
                    format!(">>{name}"),
                    "results would be written into what is read",
                ),
                // What would be said would be in the script.
                (format!("2>>{name}"), ""),
                (format!(">>{name} 2>&1"), ""),
                (
                    format!("--check >>{name}"),
                    "results would be written into what is read",
                ),
            ];
            for (sink, reason) in sinks {
                assert_refused(&place, &format!("{sink} {way}"), reason);
            }
        }
    }
}

#[test]
fn a_script_with_mistakes_is_not_told_of_them_in_itself() {
    let place = folder();
    place.file("bad.txt", "Send\n");
    for words in [
        "bad.txt 2>>bad.txt",
        "<bad.txt 2>>bad.txt",
        "--check bad.txt >>bad.txt 2>&1",
    ] {
        assert_refused(&place, words, "");
        assert_eq!(
            fs::read_to_string(place.path("bad.txt")).unwrap(),
            "Send\n",
            "{words}"
        );
    }
}

#[test]
fn no_two_outputs_are_one_file() {
    let place = folder();
    for script in ["s.dot", "<s.dot"] {
        for (words, reason) in [
            (
                "--history a.dot --diagram ./a.dot",
                "./a.dot: the picture would overwrite the history a.dot; --diagram needs another file",
            ),
            (
                "--history old.dot --diagram soft-old.dot",
                "the picture would overwrite the history old.dot",
            ),
            (
                "--diagram a.dot --diagram a.dot",
                "the picture would overwrite the picture a.dot",
            ),
            (
                "--diagram soft-old.dot --diagram old.dot",
                "would overwrite the picture soft-old.dot",
            ),
            (
                "--history old.dot >>old.dot",
                "the history would overwrite the results (standard output)",
            ),
            ("--history old.dot 2>>/dev/null >>soft-old.dot", ""),
            (
                "--diagram old.dot >>soft-old.dot",
                "the picture would overwrite the results",
            ),
            (
                "--history /dev/stdout | cat >&2; exit 2",
                "the history would overwrite the results",
            ),
        ] {
            assert_refused(&place, &format!("{script} {words}"), reason);
        }
    }
    // Where nothing is kept, nothing is overwritten.
    let (status, _, err) = run(&place, "s.dot --history /dev/null >/dev/null");
    assert_eq!(status, Some(0), "{err}");
}

#[test]
fn a_run_that_is_refused_leaves_every_file_as_it_was() {
    let place = folder();
    place.file("bad.txt", "Send\n");
    fs::create_dir(place.path("open")).unwrap();
    symlink("nowhere.dot", place.path("dangling.dot")).unwrap();
    let outputs = [
        "--history old.dot",
        "--diagram old.dot",
        "--history new --diagram old.dot",
        "--history old.dot --diagram new.svg",
        "--history dangling.dot",
        "--diagram dangling.dot",
    ];
    let mistakes = [
        ("bad.txt", "missing FROM TO AMOUNT"),
        ("none.txt", "No such file"),
        ("s.dot --bin-dir none", "there is no program"),
        ("s.dot --run-dir open", "open to others"),
        ("s.dot --run-dir open --timeout 0", "more than 0 seconds"),
        (
            "s.dot --diagram none/b.svg",
            "none/b.svg: the picture cannot be written",
        ),
        ("s.dot --diagram s.dot", "would overwrite the script"),
        ("<s.dot --run-dir open", "open to others"),
        ("surplus s.dot", ""),
    ];
    for output in outputs {
        for (mistake, reason) in mistakes {
            assert_refused(&place, &format!("{output} {mistake}"), reason);
        }
    }
    assert_refused(
        &place,
        "--diagram old.dot s.dot --history none/h",
        "none/h: the history cannot be",
    );
    // And one that is not replaces it.
    let (status, _, err) = run(&place, "s.dot --history old.dot");
    assert_eq!(status, Some(0), "{err}");
    assert!(
        fs::read_to_string(place.path("old.dot"))
            .unwrap()
            .starts_with("{\"history\":2")
    );
}

#[test]
fn a_history_is_never_written_to_by_what_reads_it() {
    let place = folder();
    let (status, ..) = run(&place, "s.dot --history h.svg");
    assert_eq!(status, Some(0));
    fs::hard_link(place.path("h.svg"), place.path("hard.svg")).unwrap();
    symlink("h.svg", place.path("soft.svg")).unwrap();
    let before = fs::read_to_string(place.path("h.svg")).unwrap();
    for way in ["h.svg", "- <h.svg"] {
        for name in ["h.svg", "./h.svg", "hard.svg", "soft.svg"] {
            for (words, reason) in [
                (
                    format!("diagram {way} -o {name}"),
                    "the picture would overwrite the history",
                ),
                (
                    format!("diagram {way} -o a.svg -o {name}"),
                    "the picture would overwrite the history",
                ),
                (
                    format!("diagram {way} >>{name}"),
                    "results would be written into what is read",
                ),
                (
                    format!("verify {way} >>{name}"),
                    "results would be written into what is read",
                ),
                (format!("verify {way} 2>>{name}"), ""),
            ] {
                assert_refused(&place, &words, reason);
                assert_eq!(
                    fs::read_to_string(place.path("h.svg")).unwrap(),
                    before,
                    "{words}"
                );
            }
        }
    }
    // Nothing is written where one of them cannot be, or is another's.
    assert_refused(
        &place,
        "diagram h.svg -o old.dot -o ./old.dot",
        "would overwrite the picture old.dot",
    );
    let (status, _, err) = run(&place, "diagram h.svg -o old.dot -o none/a.svg");
    assert_eq!(status, Some(1));
    assert!(
        err.contains("none/a.svg: the picture cannot be written"),
        "{err}"
    );
    assert_eq!(
        fs::read_to_string(place.path("old.dot")).unwrap(),
        "before\n"
    );
}
