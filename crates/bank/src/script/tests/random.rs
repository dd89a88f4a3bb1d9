//! What holds for any input. A failure names its seed; `PIPEBANK_SEED=7 cargo test script` runs just
//! that.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::{COMMANDS, Checker, Command, read_lasting_script, read_script};
use crate::id::{NodeId, Place};

fn each_seed(check: impl Fn(u64, &mut ChaCha8Rng)) {
    let only = std::env::var("PIPEBANK_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(0..500, |seed: u64| seed..seed + 1);
    for seed in seeds {
        check(seed, &mut ChaCha8Rng::seed_from_u64(seed));
    }
}

fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    (rng.next_u64() % bound as u64) as usize
}

/// Lines of words that nearly make sense, and of anything.
fn random_script(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let pieces: [&[u8]; 22] = [
        b" ",
        b" ",
        b" ",
        b"\t",
        b"\n",
        b"\r\n",
        b"\n",
        b"#",
        b";",
        b"0",
        b"1",
        b"2",
        b"-3",
        b"x",
        b"18446744073709551615",
        b"\x1b[31m",
        b"\0",
        b"\xff",
        "数".as_bytes(),
        "\u{202e}".as_bytes(),
        "e\u{301}".as_bytes(),
        b"\xef\xbb\xbf",
    ];
    let mut script = Vec::new();
    if below(rng, 2) == 0 {
        let kind: [&[u8]; 2] = [b"StartMaster\n", b"StartMaster sparse\n"];
        script.extend(kind[below(rng, 2)]);
        script.extend(b"CreateNode 1 1000\nCreateNode 2 500\n");
    }
    for _ in 0..below(rng, 200) >> below(rng, 8) {
        match below(rng, 40) {
            0 => script.push(rng.next_u64() as u8),
            1..16 => script.extend(pieces[below(rng, pieces.len())]),
            16 => script.resize(script.len() + below(rng, 300), rng.next_u64() as u8),
            _ => {
                let (name, node) = (COMMANDS[below(rng, COMMANDS.len())].name, below(rng, 4));
                script.extend(format!("{name} {node}").as_bytes());
                if below(rng, 3) == 0 {
                    script.extend(format!(" {}", below(rng, 4)).as_bytes());
                }
                script.push(b'\n');
            }
        }
    }
    script
}

#[test]
fn nothing_panics_and_no_control_character_is_shown() {
    each_seed(|seed, rng| {
        let script = random_script(rng);
        let refusals = match read_script(&script) {
            Ok(_) => return,
            Err(refusals) => refusals,
        };
        assert!(!refusals.is_empty(), "seed {seed}");
        for refusal in refusals {
            let shown = refusal.display("p\x1b").to_string();
            let controls = |line: &str| line.contains(|c: char| c.is_control() || c == '\u{202e}');
            let lines: Vec<_> = shown.split('\n').collect();
            if refusal.problem.is_of_the_whole() {
                assert!(
                    lines.len() == 1 && !controls(&shown),
                    "seed {seed}: {shown:?}"
                );
                continue;
            }
            assert_eq!(lines.len(), 3, "seed {seed}: {shown:?}");
            assert!(
                !lines.iter().any(|line| controls(line)),
                "seed {seed}: {shown:?}"
            );
            let caret = lines[2].trim_start_matches(' ');
            assert!(
                !caret.is_empty() && caret.bytes().all(|b| b == b'^'),
                "seed {seed}: {shown}"
            );
            assert!(lines[2].len() <= 4 + 120, "seed {seed}: {shown}");
        }
    });
}

#[test]
fn a_file_is_accepted_exactly_if_every_line_of_it_is_in_a_session() {
    each_seed(|seed, rng| {
        let script = random_script(rng);
        let lasts = below(rng, 2) == 0;
        let mut checker = Checker::new().lasting(lasts);
        let mut lines = (1..).zip(script.split(|&byte| byte == b'\n'));
        let first = lines.find_map(|(number, text)| checker.line(number, text).err());
        let read = match lasts {
            true => read_lasting_script(&script),
            false => read_script(&script),
        };
        match (read, first) {
            (Ok(_), None) => {}
            (Err(all), Some(first)) => {
                assert_eq!(all[..first.len()], first, "seed {seed}");
            }
            (file, session) => panic!("seed {seed}: {file:?}, {session:?}"),
        }
    });
}

#[test]
fn a_command_printed_reads_back_as_itself() {
    each_seed(|seed, rng| {
        let mut number = || rng.next_u64() >> (rng.next_u64() % 64);
        let (one, difference, amount) = (number(), number() | 1, number());
        let ids = [NodeId(one), NodeId(one ^ difference)];
        for help in COMMANDS {
            for given in help.required..=help.quantities.len() {
                let [first, second] = ids.map(|id| Some(id.0));
                // A channel must be there, or must not.
                let [connected, kind] = match help.name {
                    "Connect" => ["", " sparse"],
                    "Send" if amount % 2 == 0 => ["Connect ONE OTHER\n", " sparse"],
                    "Receive" if amount % 2 == 0 => ["Connect OTHER ONE\n", " sparse"],
                    _ => ["", ""],
                };
                let mut values = [first, second, Some(amount)];
                let mut places = [Some(Place(0)), Some(Place(1)), None];
                values[given..].fill(None);
                places[given..].fill(None);
                let mut command = help.keyword.with(&values, &places).unwrap();
                let mut before = format!(
                    "StartMaster{kind}\nCreateNode {} 0\nCreateNode {} 0\n{}",
                    ids[0],
                    ids[1],
                    connected
                        .replace("ONE", &ids[0].to_string())
                        .replace("OTHER", &ids[1].to_string()),
                );
                match &mut command {
                    Command::StartMaster { .. } => before.clear(),
                    Command::CreateNode { .. } => before.truncate("StartMaster\n".len()),
                    Command::PrintSnapshot {
                        number: Some(number),
                    } => *number |= 1,
                    _ => {}
                }
                let script = format!("{before}{}", command.rename(|place| ids[place.index()]));
                let read = read_lasting_script(script.as_bytes());
                let last = read.as_ref().ok().and_then(|statements| statements.last());
                let read_back = last.map(|statement| statement.command);
                assert_eq!(read_back, Some(command), "seed {seed}: {script}: {read:?}");
            }
        }
    });
}

#[test]
fn the_table_agrees_with_itself() {
    for help in COMMANDS {
        let words: Vec<_> = help
            .arguments
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect();
        assert_eq!(words.len(), help.quantities.len(), "{help}");
        let required = words
            .iter()
            .take_while(|word| !word.starts_with('['))
            .count();
        assert_eq!(required, help.required, "{help}");
        let values = [Some(1), Some(2), Some(3)];
        let places = [Some(Place(0)), Some(Place(1)), None];
        let printed = help
            .keyword
            .with(&values, &places)
            .map(|command| command.to_string());
        assert!(
            printed.is_some_and(|text| text.starts_with(help.name)),
            "{help}"
        );
    }
}

#[test]
fn the_short_way_makes_of_a_line_what_the_long_one_does() {
    const NUMBERS: [&str; 8] = [
        "1",
        "2",
        "2",
        "007",
        "3",
        "0",
        "18446744073709551615",
        "18446744073709551616",
    ];
    const SPACES: [&str; 12] = [" ", " ", " ", " ", " ", " ", " ", " ", " ", "  ", "\t", ""];
    const ENDS: [&str; 8] = ["", "", "", "", "\r", " ", "#", "0"];
    let mut went = [0_u32; 2];
    for system in ["StartMaster", "StartMaster sparse", "KillAll"] {
        let mut checker = Checker::new();
        let lines = [
            "StartMaster",
            "CreateNode 1 5",
            "CreateNode 2 5",
            "CreateNode 7 5",
        ];
        for (number, line) in (1..).zip([&lines[..], &["KillAll"]].concat()) {
            checker.line(number, line.as_bytes()).unwrap();
        }
        for (number, line) in (6..).zip([&[system][..], &lines[1..]].concat()) {
            // Without a system there are no nodes.
            let _ = checker.line(number, line.as_bytes());
        }
        for seed in 0..20_000 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut line =
                ["Send", "Receive", "Send", "Receive", "ReceiveAll"][below(&mut rng, 5)].to_owned();
            for _ in 0..[2, 3, 2, 3, 1, 4][below(&mut rng, 6)] {
                line += SPACES[below(&mut rng, SPACES.len())];
                line += NUMBERS[below(&mut rng, NUMBERS.len())];
            }
            line += ENDS[below(&mut rng, ENDS.len())];
            let short = checker.plain(line.as_bytes(), |command| command);
            went[usize::from(short.is_some())] += 1;
            if let Some(command) = short {
                let long = checker.any_line(100, line.as_bytes());
                assert_eq!(long, Ok(Some(command)), "{line:?}");
            }
        }
    }
    assert!(went.iter().all(|went| *went > 100), "{went:?}");
}
