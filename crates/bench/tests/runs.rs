//! The benchmark runs to its end and says what it promises. How fast anything is, is not tested.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;

use serde_json::Value;

/// Where `scripts/bench` finds the programs under test, and what measures them.
///
/// That is built for this test. The programs are where they are built for their own tests too
/// (`cargo test --workspace`); where they are not there, they are built now.
fn bin_dir() -> PathBuf {
    static BUILD: Once = Once::new();
    let bin_dir = Path::new(env!("CARGO_BIN_EXE_pipebank-bench")).parent();
    let bin_dir = bin_dir.unwrap().to_owned();
    BUILD.call_once(|| {
        let programs = ["master", "node", "observer"];
        if programs.iter().all(|name| bin_dir.join(name).exists()) {
            return;
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--offline", "--quiet", "--package", "pipebank"]);
        build.args(["--bins", "--target-dir"]);
        build.arg(bin_dir.parent().unwrap());
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.current_dir(testing::root("")).status().unwrap();
        assert!(status.success(), "the programs do not build");
    });
    bin_dir
}

fn bench(place: &testing::Folder, arguments: &[&str]) -> Output {
    let script = testing::root("scripts/bench");
    let temporary = place.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let output = Command::new(script)
        .args(arguments)
        .env("BIN_DIR", bin_dir())
        .env("TMPDIR", &temporary)
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let left = fs::read_dir(temporary).unwrap().count();
    assert_eq!(left, 0, "it leaves files behind");
    output
}

#[test]
fn the_benchmark_runs_and_its_document_has_every_row() {
    let place = testing::Folder::new();
    let arguments = "--quick --smoke --json out.json --svg out.svg --saw saw.svg";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let output = bench(&place, &arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));

    let text = fs::read_to_string(place.path("out.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    for key in ["cpu", "cores", "kernel", "date", "commit"] {
        assert!(!document["machine"][key].is_null(), "no {key}: {document}");
    }
    let rows = document["rows"].as_array().unwrap();
    let keys = rows.iter().map(|row| row["key"].as_str().unwrap());
    let keys: BTreeSet<&str> = keys.collect();
    assert_eq!(keys, expected().iter().map(String::as_str).collect());
    for row in rows {
        match row["verdict"].as_str() {
            Some("skipped") => assert!(row["note"].is_string(), "no reason: {row}"),
            verdict => {
                assert_ne!(verdict, Some("failed"), "{row}");
                assert!(row["ours"].is_f64() || row["raw"].is_f64(), "{row}");
            }
        }
    }

    let table = String::from_utf8(output.stdout).unwrap();
    for row in rows {
        let measure = row["measure"].as_str().unwrap();
        assert!(table.contains(measure), "{measure} is not in\n{table}");
    }
    for plot in ["out.svg", "saw.svg"] {
        let plot = fs::read_to_string(place.path(plot)).unwrap();
        assert!(plot.starts_with("<svg ") && plot.ends_with("</svg>\n"));
        assert_eq!(plot.matches("<g").count(), plot.matches("</g>").count());
    }
}

#[test]
fn its_document_takes_the_place_of_the_table_where_that_is_asked_for() {
    let place = testing::Folder::new();
    let output = bench(&place, &["--smoke", "--json", "-"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["mode"], "smoke");
}

/// The key of every row of a smoke run.
fn expected() -> Vec<String> {
    let mut keys: Vec<String> = [
        "frame.encode",
        "frame.decode",
        "pipe.single.one_cpu",
        "pipe.batch.one_cpu",
        "pipe.single.two_cpus",
        "pipe.batch.two_cpus",
        "script.pairs",
        "script.blocks",
        "script.chain",
        "script.serial",
        "echo.one_cpu",
        "echo.any_cpu",
        "script.receive_all",
        "load.loss",
        "latency.idle.4",
        "idle",
        "lasting.pairs",
        "lasting.blocks",
        "lasting.chain",
        "lasting.serial",
        "lasting.load.4",
        "lasting.sync.4",
        "lasting.bytes",
        "lasting.loss",
        "lasting.loss.more",
        "lasting.journals.4",
        "lasting.fdatasync",
        "lasting.back.one",
        "lasting.back.all",
        "lasting.read",
        "lasting.fold",
    ]
    .map(String::from)
    .into();
    for nodes in ["2", "4", "ring.4", "random:1.4"] {
        let kinds = ["load.off", "load.ten", "latency.ten"];
        keys.extend(kinds.map(|kind| format!("{kind}.{nodes}")));
    }
    for nodes in [2, 4] {
        let kinds = ["load.back_to_back", "latency.back_to_back"];
        keys.extend(kinds.map(|kind| format!("{kind}.{nodes}")));
    }
    for (up, nodes) in [
        ("mesh", "4"),
        ("mesh", "20"),
        ("up", "ring.4"),
        ("up", "random:1.4"),
    ] {
        let kinds = [up, "memory.node", "memory.master"];
        keys.extend(kinds.map(|kind| format!("{kind}.{nodes}")));
    }
    keys
}
