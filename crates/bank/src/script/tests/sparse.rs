//! Systems in which `Connect` opens the channels: what is refused, and what a mistake hides.

use super::rendered;

const THREE: &str =
    "StartMaster sparse\nCreateNode 1 5\nCreateNode 2 5\nCreateNode 3 5\nConnect 1 2\n";

#[track_caller]
fn check(script: &str, wanted: &str) {
    assert_eq!(rendered(script.as_bytes()), wanted);
}

/// What is shown for the last line of a script that has six.
#[track_caller]
fn check_sixth(line: &str, column: u64, wanted: &str) {
    let shown = rendered(format!("{THREE}{line}").as_bytes());
    let first = shown.lines().next().unwrap_or_default();
    assert_eq!(first, format!("a:6:{column}: {wanted}"));
}

#[test]
fn a_channel_is_used_in_its_direction_only_and_opened_once() {
    check(
        &format!("{THREE}Send 1 2 3\nReceive 2 1\nReceive 2\nReceive 1\n"),
        "",
    );
    check(
        &format!("{THREE}Send 2 1 3"),
        "a:6:8: there is no channel 2 → 1: no earlier line says `Connect 2 1` (line 5 opens the opposite one)\n    \
         Send 2 1 3\n           ^\n",
    );
    check_sixth(
        "Receive 3 1",
        11,
        "there is no channel 1 → 3: no earlier line says `Connect 1 3`",
    );
    check_sixth(
        "Connect 1 2",
        11,
        "the channel 1 → 2 was already opened on line 5",
    );
    check_sixth("Connect 3 03", 11, "node 3 cannot be connected with itself");
    check_sixth(
        "Connect 4 1",
        9,
        "node 4 is not created by any earlier line",
    );
    check_sixth("Connect 1", 10, "missing TO: `Connect FROM TO`");
}

#[test]
fn a_system_is_sparse_only_where_that_word_says_so() {
    check(
        "StartMaster\nCreateNode 1 5\nCreateNode 2 5\nConnect 1 2\n",
        "a:4:1: there is a channel for every ordered pair of nodes already: Connect is for a system that \
         `StartMaster sparse` starts (line 1 says `StartMaster`)\n    Connect 1 2\n    ^^^^^^^\n",
    );
    check(
        "StartMaster Sparse",
        "a:1:13: `Sparse` is not `sparse`: `StartMaster` starts a full mesh, `StartMaster sparse` a system \
         without channels\n    StartMaster Sparse\n                ^^^^^^\n",
    );
    check(
        "StartMaster sparse 5",
        "a:1:20: surplus word `5`: `StartMaster` takes [sparse]\n    StartMaster sparse 5\n                       ^\n",
    );
    // With KillAll the channels are gone, and so is the word.
    let again = "KillAll\nStartMaster\nCreateNode 1 5\nCreateNode 2 5\nSend 2 1 3\n";
    check(&format!("{THREE}{again}"), "");
    let again = again.replace("StartMaster", "StartMaster sparse");
    assert!(
        rendered(format!("{THREE}{again}").as_bytes())
            .starts_with("a:10:8: there is no channel 2 → 1")
    );
}

/// How many mistakes are reported.
#[track_caller]
fn check_count(script: &str, wanted: usize) {
    let shown = rendered(script.as_bytes());
    assert_eq!(shown.matches("a:").count(), wanted, "{shown}");
}

#[test]
fn what_would_go_away_with_another_mistake_is_not_reported() {
    let used = "Send 1 2 3\nConnect 2 1\nSend 2 1 3\nReceive 1 2\n";
    // A Connect that is refused, whatever is wrong with it.
    for wrong in [
        "Connect 1 2 3",
        "connect 1 2",
        "Connect 1 x",
        "Connect 9 2",
        "Connect 1",
    ] {
        check_count(&format!("{}{used}", THREE.replace("Connect 1 2", wrong)), 1);
    }
    // A StartMaster that is: what it was meant to be cannot be known.
    for wrong in [
        "StartMaster spares",
        "startmaster sparse",
        "startmaster",
        "",
        "Send 1 2 3",
    ] {
        check_count(
            &format!("{}{used}", THREE.replace("StartMaster sparse", wrong)),
            1,
        );
    }
    check_count(&format!("{THREE}StartMaster\nCreateNode 1 5\n{used}"), 1);
    // But the channels of a Connect that says which it means are known.
    check_count(&format!("{THREE}Connect 1 2\nSend 3 1 3\n"), 2);
}
