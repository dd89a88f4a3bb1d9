//! `master judge`, `outcomes` and `determine`: what they say, and their exit statuses. Whether they
//! are right is tested beside them, in `reference`.

use serde_json::Value;
use testing::Folder;

/// What node 2 has received when it records depends on the order of delivery, and nothing else does.
const SCRIPT: &str = "StartMaster\nCreateNode 1 100\nCreateNode 2 100\nCreateNode 3 100\n\
    BeginSnapshot 1\nSend 3 2 11\nReceiveAll\nCollectState\nPrintSnapshot\n";

fn printed(node: u64, channel: u64) -> String {
    format!(
        "Started by Node 1\n---Node states\nnode 1 = 100\nnode 2 = {node}\nnode 3 = 89\n\
         ---Channel states\nchannel (1 → 2) = 0\nchannel (1 → 3) = 0\nchannel (2 → 1) = 0\n\
         channel (2 → 3) = 0\nchannel (3 → 1) = 0\nchannel (3 → 2) = {channel}\n"
    )
}

fn place() -> Folder {
    let place = Folder::new();
    place.file("script", SCRIPT);
    place.file("before", printed(111, 0));
    place.file("after", printed(100, 11));
    place.file("lost", printed(100, 0));
    place
}

#[test]
fn whatever_some_order_prints_is_possible() {
    let place = place();
    for output in ["before", "after"] {
        let ended = place.run(&["judge", "script", output]);
        ended.expect(0, &format!("{output}: possible\n"), "");
    }
    let ascii = printed(100, 11)
        .replace('→', "->")
        .replace('\n', " \r\n\r\n");
    let ended = place.run_with(&["judge", "script", "-"], &ascii);
    ended.expect(0, "-: possible\n", "");
}

#[test]
fn what_no_order_prints_is_explained() {
    let ended = place().run(&["judge", "script", "lost"]);
    let out = "\
lost: impossible
  where     line 12 of the output, the result of line 9 of the script
  found     channel (3 → 2) = 0
  possible  `channel (3 → 2) = 11`
  why       node 2 had 100, and 11 more stood before the markers in its channels; with 0 of it in \
transit its state is 111, not 100; states and channels add up to 289, 300 was deposited: 11 missing
  hint      what was received on a channel after recording and before its marker was in transit and \
belongs to the channel's state; here it looks as if it was forgotten
";
    ended.expect(1, out, "");
}

#[test]
fn an_output_that_ends_or_goes_on_is_impossible() {
    let place = place();
    place.file("short", "Started by Node 1\n");
    place.file("long", printed(111, 0) + "ERR_SEND\n");
    let ended = place.run(&["judge", "script", "short", "long"]);
    let out = "\
short: impossible, line 2: the output ends as a result of line 9 of the script; possible: \
`---Node states`
long: impossible, line 13: `ERR_SEND`: the script prints nothing more
2 outputs: 0 possible, 2 impossible, 0 unknown
";
    ended.expect(1, out, "");
}

#[test]
fn a_transcript_has_commands_before_their_results() {
    let place = Folder::new();
    place.file(
        "script",
        "StartMaster\nCreateNode 1 10\nCreateNode 2 0\nSend 1 2 3\nReceive 2 # that is all\n",
    );
    for transcript in [
        "StartMaster\nCreateNode 1 10\nCreateNode 2 0\nSend 1 2 3\nReceive 2\n1 Transfer 3\n",
        "StartMaster\nSend 1 2 3\nReceive 2        1 Transfer 3\n",
    ] {
        let ended = place.run_with(&["judge", "script", "-"], transcript);
        ended.expect(0, "-: possible\n", "");
    }
    let ended = place.run_with(&["judge", "script", "-"], "Receive 2  1 Transfer 4\n");
    ended.expect_status(1);
}

#[test]
fn many_outputs_are_judged_at_once_also_for_graders() {
    let place = place();
    let outputs = ["before", "lost", "none"];
    let text = place.run(&[&["judge", "script", "--junit", "grades.xml"], &outputs[..]].concat());
    text.expect_status(2);
    let last = text.out.lines().last().unwrap();
    assert_eq!(
        last,
        "3 outputs: 1 possible, 1 impossible, 0 unknown, 1 not read"
    );
    let grades = std::fs::read_to_string(place.path("grades.xml")).unwrap();
    assert!(
        grades.contains(r#"tests="3" failures="1" skipped="0" errors="1""#),
        "{grades}"
    );
    assert_eq!(grades.matches("<testcase ").count(), 3);

    let json = place.run(&[&["judge", "script", "--json"], &outputs[..]].concat());
    let lines: Vec<Value> = json
        .out
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let verdicts: Vec<_> = lines.iter().map(|it| it["verdict"].as_str()).collect();
    let right = [
        Some("possible"),
        Some("impossible"),
        Some("unreadable"),
        None,
    ];
    assert_eq!(verdicts, right);
    assert_eq!(lines[1]["possible"][0], "channel (3 → 2) = 11");
    assert_eq!(lines[3]["outputs"], 3);
}

#[test]
fn a_script_with_mistakes_judges_nothing() {
    let place = place();
    place.file("wrong", "StartMaster\nSend 1 2 3\n");
    for command in [
        &["judge", "wrong", "before"][..],
        &["outcomes", "wrong"],
        &["determine", "wrong", "--seed", "1"],
    ] {
        let ended = place.run(command);
        ended.expect_status(2);
        assert!(
            ended.err.starts_with("wrong:2:6: node 1 is not created"),
            "{}",
            ended.err
        );
    }
}

#[test]
fn what_stands_in_an_output_does_nothing_to_a_terminal() {
    let ended = place().run_with(&["judge", "script", "-"], "\u{1b}[2J\u{202e}node\n");
    ended.expect_status(1);
    assert!(
        !ended.out.contains(['\u{1b}', '\u{202e}']),
        "{:?}",
        ended.out
    );
}

#[test]
fn every_outcome_has_a_script_that_prints_it_always() {
    let place = place();
    let ended = place.run(&["outcomes", "script"]);
    ended.expect_status(0);
    let out = "2 outcomes, which what is drawn on line 7 decides\n\n---Node states\nnode 1 = 100\n\
        node 2 = [a]\n";
    assert!(ended.out.starts_with(out), "{}", ended.out);
    let out = "what is drawn matters on line 7\n";
    place
        .run(&["outcomes", "--check", "script"])
        .expect(0, out, "");

    let json = place.run(&["outcomes", "--json", "script"]).out;
    for (number, line) in ["1", "2"].into_iter().zip(json.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        let script = place.run(&["outcomes", "--script", number, "script"]).out;
        assert_eq!(line["script"], script.as_str());
        place.file("always", &script);
        for seed in ["1", "2", "3"] {
            let ended = place.run(&["--seed", seed, "always"]);
            let printed = line["printed"].as_str().unwrap();
            assert!(ended.out.ends_with(printed), "{}\n{printed}", ended.out);
        }
    }
    let none = place.run(&["outcomes", "--script", "3", "script"]);
    none.expect(2, "", "script: there is no outcome 3: it has 2\n");
}

#[test]
fn where_there_are_too_many_orders_that_is_said() {
    let ended = place().run(&["outcomes", "--most", "3", "script"]);
    ended.expect_status(4);
    let last = ended.out.lines().last().unwrap();
    assert!(last.starts_with("these are not all"), "{last}");
}

#[test]
fn what_a_seed_draws_can_be_written_into_the_script() {
    let place = place();
    for seed in ["1", "2", "3", "4"] {
        let drawn = place.run(&["--seed", seed, "script"]).out;
        let script = place.run(&["determine", "script", "--seed", seed]).out;
        assert!(!script.contains("ReceiveAll"));
        place.file("always", &script);
        let always = place.run(&["--seed", "9", "always"]).out;
        let of = |out: &str| out[out.find("---Node").unwrap()..].to_owned();
        assert_eq!(of(&always), of(&drawn));
    }
}
