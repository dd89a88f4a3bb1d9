//! The house checks its own order: which crate may know which, what must never occur in a crate,
//! and how long things may be. DESIGN and STYLE as a test; each complaint says where and what to do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::source::{Source, functions, has_absolute, has_word, with_std_paths_spelt_out};

/// Which crate of the workspace may depend on which, and which besides in its tests only.
struct Arrows {
    from: &'static str,
    to: &'static [&'static str],
    in_tests: &'static [&'static str],
}

const ARROWS: [Arrows; 12] = [
    Arrows {
        from: "pipebank",
        to: &[
            "pipebank-snapshot",
            "pipebank-bank",
            "pipebank-pipes",
            "pipebank-history",
            "pipebank-diagram",
            "pipebank-journal",
            "pipebank-hosts",
            // Whoever judges outputs is not who prints them.
            "pipebank-reference",
        ],
        in_tests: &["pipebank-testing"],
    },
    Arrows {
        from: "pipebank-bank",
        // What master wants written is events of the history.
        to: &["pipebank-snapshot", "pipebank-history"],
        // Messages are tried as frames, the whole system also on several hosts, and it is compared with the
        // reference.
        in_tests: &[
            "pipebank-pipes",
            "pipebank-hosts",
            "pipebank-reference",
            "pipebank-testing",
        ],
    },
    Arrows {
        from: "pipebank-diagram",
        to: &["pipebank-history"],
        in_tests: &["pipebank-testing"],
    },
    Arrows {
        from: "pipebank-history",
        to: &[],
        in_tests: &["pipebank-testing"],
    },
    Arrows {
        from: "pipebank-snapshot",
        to: &[],
        in_tests: &[],
    },
    Arrows {
        from: "pipebank-pipes",
        to: &[],
        in_tests: &[],
    },
    // What is mapped, and the directory.
    Arrows {
        from: "pipebank-journal",
        to: &["pipebank-pipes"],
        in_tests: &[],
    },
    Arrows {
        from: "pipebank-hosts",
        to: &["pipebank-pipes"],
        in_tests: &["pipebank-testing"],
    },
    // Nothing of what it judges.
    Arrows {
        from: "pipebank-reference",
        to: &[],
        in_tests: &["pipebank-testing"],
    },
    Arrows {
        from: "pipebank-testing",
        to: &["pipebank-history", "pipebank-reference"],
        in_tests: &[],
    },
    Arrows {
        from: "pipebank-bench",
        to: &["pipebank-bank", "pipebank-journal", "pipebank-pipes"],
        in_tests: &["pipebank-snapshot", "pipebank-testing"],
    },
    Arrows {
        from: "pipebank-planted-bugs",
        to: &["pipebank-history", "pipebank-testing"],
        in_tests: &[],
    },
];
/// What the core may be built from: nothing that does I/O.
const CORE_DEPENDENCIES: [&str; 2] = ["serde", "thiserror"];
const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 100;
const LONGEST_README: usize = 150;
/// What part of all lines of sources one crate may have: one in this many.
const LARGEST_CRATE: usize = 3;

/// Words that must not occur; also paths (`a::b`) and macros (`a!`).
struct Ban {
    words: &'static [&'static str],
    /// In these folders or files (prefixes of paths)…
    within: &'static str,
    /// … except in these.
    except: &'static [&'static str],
    /// Also in comments and strings, and however it is capitalised.
    in_prose: bool,
    instead: &'static str,
}

const BANS: [Ban; 17] = [
    Ban {
        words: &["unsafe"],
        within: "crates/",
        except: &["crates/pipes/src/sys.rs", "crates/hosts/src/mpi.rs"],
        in_prose: false,
        instead: "all unsafe code lives in crates/pipes/src/sys.rs, each block with its reason",
    },
    Ban {
        words: &["bank", "snapshot"],
        within: "crates/hosts/src/",
        except: &[],
        in_prose: true,
        instead: "whoever carries frames never knows what they mean",
    },
    Ban {
        words: &["bank"],
        within: "crates/snapshot/src/",
        except: &[],
        in_prose: true,
        instead: "the core knows processes, channels and messages only",
    },
    Ban {
        words: &["bank", "snapshot"],
        within: "crates/pipes/src/",
        except: &[],
        in_prose: true,
        instead: "pipes never know what their frames mean",
    },
    Ban {
        words: &["bank", "snapshot"],
        within: "crates/journal/src/",
        except: &[],
        in_prose: true,
        instead: "a journal never knows what its records mean",
    },
    Ban {
        words: &[
            "std::fs",
            "std::io",
            "std::net",
            "std::time",
            "std::process",
            "std::env",
            "std::thread",
        ],
        within: "crates/snapshot/src/",
        except: &[],
        in_prose: false,
        instead: "the core does no I/O and has no clock: return an effect, let the caller act",
    },
    Ban {
        words: &[
            "std::fs",
            "std::net",
            "std::time",
            "std::process",
            "std::env",
            "std::thread",
        ],
        within: "crates/history/src/",
        except: &[],
        in_prose: false,
        instead: "a history is read from and written to what the caller hands in",
    },
    Ban {
        words: &[
            "std::fs",
            "std::io",
            "std::net",
            "std::time",
            "std::process",
            "std::env",
            "std::thread",
        ],
        within: "crates/diagram/src/",
        except: &[],
        in_prose: false,
        instead: "events in, text out: the caller reads and writes",
    },
    Ban {
        words: &["rand", "rand_chacha"],
        within: "crates/snapshot/src/",
        except: &[],
        in_prose: false,
        instead: "the core is determined by its inputs",
    },
    Ban {
        words: &[
            "std::fs",
            "std::io",
            "std::net",
            "std::time",
            "std::process",
            "std::env",
            "std::thread",
        ],
        within: "crates/bank/src/",
        except: &["crates/bank/src/script/tests/random.rs"],
        in_prose: false,
        instead: "what decides is a value: it is handed what happened, and says what is to be done",
    },
    Ban {
        words: &[
            "std::fs",
            "std::io",
            "std::net",
            "std::time",
            "std::process",
            "std::env",
            "std::thread",
        ],
        within: "crates/reference/src/",
        except: &[],
        in_prose: false,
        instead: "a script and a seed in, what must come of it out",
    },
    Ban {
        words: &["RawFd", "OwnedFd", "BorrowedFd", "AsRawFd", "libc", "nix"],
        within: "crates/pipebank/src/",
        except: &[],
        in_prose: false,
        instead: "raw descriptors stay in crates/pipes: use or add a typed end there",
    },
    Ban {
        words: &["RawFd", "OwnedFd", "BorrowedFd", "AsRawFd", "libc", "nix"],
        within: "crates/bank/src/",
        except: &[],
        in_prose: false,
        instead: "raw descriptors stay in crates/pipes: use or add a typed end there",
    },
    Ban {
        words: &["commands", "cli"],
        within: "crates/pipebank/src/master/shared/",
        except: &[],
        in_prose: false,
        instead: "what the commands share knows none of them: hand in what is needed",
    },
    Ban {
        words: &["bincode"],
        within: "crates/",
        except: &["crates/pipes/src/frame.rs"],
        in_prose: false,
        instead: "frames are encoded in crates/pipes/src/frame.rs and nowhere else",
    },
    Ban {
        words: &["println!", "eprintln!", "print!", "eprint!"],
        within: "crates/",
        except: &[],
        in_prose: false,
        instead: "it panics on a closed pipe: `writeln!` to a stream and handle the error",
    },
    Ban {
        words: &["dbg!", "todo!", "unimplemented!"],
        within: "crates/",
        except: &[],
        in_prose: false,
        instead: "finish it before it is committed",
    },
];
#[test]
fn crates_know_only_whom_they_may_know() {
    let mut complaints = Vec::new();
    let packages = metadata()["packages"].as_array().unwrap().clone();
    let names: Vec<&str> = packages.iter().map(name_of).collect();
    for package in &packages {
        let (name, manifest) = (name_of(package), package["manifest_path"].as_str().unwrap());
        let file = manifest.strip_prefix(root().to_str().unwrap());
        let file = file.unwrap_or(manifest).trim_start_matches('/');
        let Some(arrows) = ARROWS.iter().find(|arrows| arrows.from == name) else {
            complaints.push(format!(
                "{file}:1: `{name}` is new: give it its place in ARROWS"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = name_of(dependency);
            let line = line_of(&fs::read_to_string(manifest).unwrap(), on);
            let in_tests = dependency["kind"] == "dev";
            let is_allowed = arrows.to.contains(&on) || in_tests && arrows.in_tests.contains(&on);
            if names.contains(&on) && !is_allowed {
                complaints.push(format!(
                    "{file}:{line}: {name} must not depend on {on}: move what is needed"
                ));
            }
            if name == "pipebank-snapshot" && !in_tests && !CORE_DEPENDENCIES.contains(&on) {
                complaints.push(format!(
                    "{file}:{line}: the core must not depend on {on}: only {CORE_DEPENDENCIES:?}"
                ));
            }
        }
    }
    assert!(names.contains(&"pipebank") && names.contains(&"pipebank-snapshot"));
    none(&complaints);
}

#[test]
fn no_crate_contains_what_it_must_never_contain() {
    none(&complaints_about_sources(banned));
}

#[test]
fn files_and_functions_fit_in_a_head() {
    none(&complaints_about_sources(too_long));
}

#[test]
fn no_crate_has_more_than_a_third_of_all_sources() {
    none(&too_large(&sources()));
}

#[test]
fn the_readme_is_read_in_a_few_minutes() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(
        lines <= LONGEST_README,
        "README.md:{LONGEST_README}: {lines} lines: at most {LONGEST_README}; what one crate is \
         about goes into the README of that crate"
    );
}

#[test]
fn every_link_in_a_document_leads_somewhere() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for (path, text) in repository() {
        if !path.ends_with(".md") {
            continue;
        }
        let folder = root().join(&path).parent().unwrap().to_owned();
        for (line, number) in text.lines().zip(1..) {
            let targets = line.split("](").skip(1);
            let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
            for target in targets.filter(|target| !target.contains("://")) {
                count += 1;
                if !leads_somewhere(&folder, target, &text) {
                    complaints.push(format!(
                        "{path}:{number}: `{target}` leads nowhere: correct it"
                    ));
                }
            }
        }
    }
    assert!(count > 20, "the documents were not found");
    none(&complaints);
}

#[test]
fn every_module_begins_with_what_it_is_for() {
    none(&complaints_about_sources(|source| {
        let begins = source.text.starts_with("//!");
        let complaint = format!(
            "{}:1: begin with `//!`: what it is for, and why",
            source.path
        );
        if begins { vec![] } else { vec![complaint] }
    }));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let places = ["home", "root", "work"].map(|place| format!("/{place}/"));
    let mut complaints = Vec::new();
    for (path, text) in repository() {
        for (line, number) in text.lines().zip(1..) {
            if let Some(place) = places.iter().find(|place| has_absolute(line, place)) {
                complaints.push(format!(
                    "{path}:{number}: {place} is a path of one machine: make it relative"
                ));
            }
        }
    }
    none(&complaints);
}

#[test]
fn no_line_ends_in_white_space() {
    let mut complaints = Vec::new();
    for (path, text) in repository() {
        let extension = Path::new(&path).extension().and_then(|it| it.to_str());
        let is_script = path.starts_with("scripts/") || path.starts_with(".ci/");
        let is_checked = is_script || matches!(extension, Some("rs" | "md" | "toml"));
        if !is_checked || path.starts_with("testdata/") {
            continue;
        }
        for (line, number) in text.split('\n').zip(1..) {
            if line.ends_with([' ', '\t', '\r']) {
                complaints.push(format!(
                    "{path}:{number}: remove the white space at its end"
                ));
            }
        }
    }
    none(&complaints);
}

fn banned(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for ban in &BANS {
        if !source.path.starts_with(ban.within) || ban.except.contains(&&*source.path) {
            continue;
        }
        let text = if ban.in_prose {
            source.text.to_lowercase()
        } else {
            with_std_paths_spelt_out(&source.code)
        };
        for (line, number) in text.lines().zip(1..) {
            for word in ban.words.iter().filter(|word| has_word(line, word)) {
                complaints.push(format!(
                    "{}:{number}: `{word}`: {}",
                    source.path, ban.instead
                ));
            }
        }
    }
    complaints
}

fn too_long(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut complaints = Vec::new();
    let lines = source.text.lines().count();
    if lines > LONGEST_FILE {
        complaints.push(format!(
            "{path}:{LONGEST_FILE}: {lines} lines: at most {LONGEST_FILE}; split it by ideas"
        ));
    }
    for (line, length) in functions(&source.code) {
        if length > LONGEST_FUNCTION {
            complaints.push(format!(
                "{path}:{line}: a function of {length} lines: at most {LONGEST_FUNCTION}; split it"
            ));
        }
    }
    complaints
}

/// Crates that have more than their part of all lines.
fn too_large(sources: &[Source]) -> Vec<String> {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for source in sources {
        let of_crate = source.path.split('/').nth(1).unwrap_or_default();
        *lines.entry(of_crate).or_default() += source.text.lines().count();
    }
    let all: usize = lines.values().sum();
    let too_large = lines.iter().filter(|(_, own)| *own * LARGEST_CRATE > all);
    let complaint = |(name, own): (&&str, &usize)| {
        format!(
            "crates/{name}/src:1: {own} of {all} lines: at most one in {LARGEST_CRATE}; split it \
             along what it is for"
        )
    };
    too_large.map(complaint).collect()
}

/// Whether a link in a document of this folder, whose text this is, names a file or a heading.
fn leads_somewhere(folder: &Path, target: &str, text: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = folder.join(file);
    let there = match file.is_dir() {
        true => fs::read_to_string(file.join("README.md")),
        false => fs::read_to_string(&file),
    };
    match anchor {
        "" => file.exists(),
        _ if target.starts_with('#') => has_heading(text, anchor),
        _ => there.is_ok_and(|text| has_heading(&text, anchor)),
    }
}

/// Whether a document has a heading with this anchor: its words in lower case, joined by hyphens.
fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut anchors = headings.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    });
    anchors.any(|found| found == anchor)
}

fn complaints_about_sources(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().flat_map(check).collect()
}

/// Everything in Rust under crates/*/src.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for (path, text) in repository() {
        let mut parts = path.split('/');
        let is_source = parts.next() == Some("crates") && parts.nth(1) == Some("src");
        if is_source && path.ends_with(".rs") {
            sources.push(Source::new(&path, &text));
        }
    }
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

/// Every text file of the repository, by its path: what git knows or would add. Where there is no
/// git, whatever is there, except what cargo made.
fn repository() -> Vec<(String, String)> {
    let listing = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output();
    let listed = match listing {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
        _ => String::new(),
    };
    let mut paths: Vec<String> = listed.split_terminator('\0').map(String::from).collect();
    if !paths.iter().any(|path| path == "Cargo.toml") {
        paths = Vec::new();
        walk(&root(), &mut paths);
    }
    paths.sort();
    paths.dedup();
    // A file may be deleted and not committed yet, or hold no text.
    let read = |path: String| Some((fs::read_to_string(root().join(&path)).ok()?, path));
    let files = paths.into_iter().filter_map(read);
    files.map(|(text, path)| (path, text)).collect()
}

fn walk(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() && !matches!(name, ".git" | "target") {
            walk(&path, paths);
        } else if path.is_file() {
            let path = path.strip_prefix(root()).unwrap();
            paths.push(path.to_str().unwrap().to_owned());
        }
    }
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version=1"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata fails");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn name_of(package: &Value) -> &str {
    package["name"].as_str().expect("a name")
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let mut lines = manifest.lines();
    1 + lines
        .position(|line| line.starts_with(dependency))
        .unwrap_or(0)
}

fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// A check that finds nothing may be blind: here is something for each to find.
mod the_checks_themselves {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        banned(&Source::new(path, text)).len()
    }

    #[test]
    fn what_is_banned_is_found_where_it_is_banned() {
        let (core, pipes) = ("crates/snapshot/src/lib.rs", "crates/pipes/src/end.rs");
        let bank = "crates/pipebank/src/node.rs";
        assert_eq!(found(pipes, "unsafe { f() }"), 1);
        assert_eq!(found("crates/pipes/src/sys.rs", "unsafe { f() }"), 0);
        assert_eq!(found(core, "// for a Bank"), 1);
        assert_eq!(found(pipes, "let x = \"Snapshot\"; // bank"), 2);
        assert_eq!(found(core, "use std::io::Write;"), 1);
        assert_eq!(
            found(core, "use std::{\n    fmt, fs::{File, time},\n    io,\n};"),
            2
        );
        assert_eq!(found(core, "use rand::Rng;"), 1);
        assert_eq!(
            found("crates/bank/src/node.rs", "use std::time::Instant;"),
            1
        );
        assert_eq!(found(bank, "fn f(fd: RawFd) { nix::unistd::close(fd) }"), 2);
        assert_eq!(found(bank, "use bincode::config;"), 1);
        assert_eq!(found(bank, "println!(); eprintln!(); print!(); dbg!(x)"), 4);
        assert_eq!(found(bank, "todo!()"), 1);
        let shared = "crates/pipebank/src/master/shared/error.rs";
        assert_eq!(found(shared, "use crate::master::commands::load;"), 1);
    }

    #[test]
    fn a_crate_that_outgrows_the_others_is_found() {
        let source = |name, lines| Source::new(&format!("crates/{name}/src/lib.rs"), lines);
        let (a, b) = (source("a", "1\n2\n"), source("b", "1\n2\n"));
        assert_eq!(too_large(&[a, b, source("c", "1\n2\n")]).len(), 0);
        let (a, b) = (source("a", "1\n2\n"), source("b", "1\n2\n"));
        assert_eq!(too_large(&[a, b, source("c", "1\n2\n3\n")]).len(), 1);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "# One, two\n";
        for target in ["README.md", "crates", "#one-two", "README.md#licence"] {
            assert!(leads_somewhere(&root(), target, text), "{target}");
        }
        for target in ["NONE.md", "crates/none/", "#one", "README.md#none"] {
            assert!(!leads_somewhere(&root(), target, text), "{target}");
        }
    }

    #[test]
    fn what_is_harmless_is_let_be() {
        let bank = "crates/pipebank/src/node.rs";
        assert_eq!(
            found(bank, "// unsafe, println!() and nix\nlet todo = 1;"),
            0
        );
        assert_eq!(found(bank, "let s = r#\"unsafe \" println!()\"#;"), 0);
        assert_eq!(found(bank, "#![deny(unsafe_code)] /* dbg!(/* */ 1) */"), 0);
        assert_eq!(found(bank, "let (c, s) = ('\"', \"\\\"\"); writeln!(f)"), 0);
        assert_eq!(
            found("crates/snapshot/src/lib.rs", "bankrupt, fn brand() {}"),
            0
        );
        assert_eq!(
            found("crates/snapshot/src/lib.rs", "use std::{fmt::io, iter};"),
            0
        );
    }

    #[test]
    fn functions_are_measured_from_brace_to_brace() {
        let text = "fn a(x: [u8; 2]) -> Vec<fn(u8)> {\n  '{';\n}\ntrait T { fn b(); }\n\
                    fn c<'a>() where\n{\n  if x { \"}\" }\n  || {}\n}\nfn d() {}\n";
        let measured = functions(&Source::new("x", text).code);
        assert_eq!(measured, [(1, 3), (5, 4), (10, 1)]);
        let long = format!("fn a() {{\n{}}}\n", "x;\n".repeat(LONGEST_FUNCTION - 1));
        assert_eq!(too_long(&Source::new("x", &long)).len(), 1);
        let long = "\n".repeat(LONGEST_FILE + 1);
        assert_eq!(too_long(&Source::new("x", &long)).len(), 1);
    }

    #[test]
    fn only_absolute_paths_are_taken_for_paths_of_a_machine() {
        let place = "/place/";
        for absolute in ["/place/x", "see /place/x", "\"/place/x\"", "A=/place/"] {
            assert!(has_absolute(absolute, place), "{absolute}");
        }
        for harmless in [
            "../place/x",
            "https://a.org/place/",
            "$HOME/place/",
            "/places",
        ] {
            assert!(!has_absolute(harmless, place), "{harmless}");
        }
    }
}
