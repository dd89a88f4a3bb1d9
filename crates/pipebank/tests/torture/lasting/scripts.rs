//! Scripts on a bank that lasts, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};

use reference::{Expected, interpret_in_turn, words};

use super::command::{Run, Runner};
use super::job;
use super::plan::Plan;
use crate::verdict;

/// With what master says from where on results are shown.
const FROM_LINE: &str = "results are shown from their line ";

/// What the nodes of a bank were given, by id, and which of them are dead.
#[derive(Debug, Default)]
struct Bank {
    deposits: BTreeMap<u64, u64>,
    dead: BTreeSet<u64>,
    is_open: bool,
}

impl Bank {
    /// What there is after these scripts.
    fn after(texts: &[String]) -> Self {
        let number = |word: &str| word.parse().expect("a generated number");
        let mut bank = Self::default();
        for line in texts.iter().flat_map(|text| text.lines()) {
            match words(line)[..] {
                ["StartMaster", ..] => bank.is_open = true,
                ["KillAll"] => bank = Self::default(),
                ["CreateNode", id, deposit] => {
                    bank.deposits.insert(number(id), number(deposit));
                }
                ["KillNode", id] => {
                    bank.dead.insert(number(id));
                }
                ["RestartNode", id] => {
                    bank.dead.remove(&number(id));
                }
                _ => {}
            }
        }
        bank
    }
}

pub fn run(plan: &Plan, texts: &[String], pipe: bool) -> String {
    let mut runner = Runner::new(plan);
    let mut before = String::new();
    for (at, expected) in interpret_in_turn(texts, plan.seed).iter().enumerate() {
        let name = format!("{}.txt", at + 1);
        runner.folder.file(&name, &texts[at]);
        match pipe || job::is_launched() {
            true => through_a_pipe(&mut runner, &name, expected),
            false => to_a_file(&mut runner, &name, expected, &before),
        }
        before += &expected.stdout;
        what_is_left(&runner, &Bank::after(&texts[..=at]));
    }
    all_money_is_there(&mut runner, &Bank::after(texts));
    format!("{} masters", runner.masters)
}

fn to_a_file(runner: &mut Runner<'_>, name: &str, expected: &Expected, before: &str) {
    let must = format!("{before}{}", expected.stdout);
    loop {
        let run = runner.run(&[name], false);
        let shown = fs::read_to_string(runner.folder.path("out")).expect("what was shown");
        if !run.is_interrupted() {
            is_the_same(&shown, &must, &run);
            return is_over(runner, name, expected, &run);
        }
        is_the_same(&shown, &must[..shown.len().min(must.len())], &run);
        if shown == must && was_over(runner) {
            return;
        }
    }
}

fn through_a_pipe(runner: &mut Runner<'_>, name: &str, expected: &Expected) {
    let must = &expected.stdout;
    let mut shown = 0;
    let before = runner.diary();
    loop {
        let run = runner.run(&[name], true);
        let from = match run.err.split_once(FROM_LINE) {
            Some((_, rest)) => start_of_line(must, rest.split(' ').next().unwrap_or_default()),
            None => 0,
        };
        let err = &run.err;
        assert!(
            from <= shown || job::is_launched(),
            "{shown} bytes were shown, and it goes on at {from}:\n{err}"
        );
        let end = from + run.out.len();
        is_the_same(&run.out, &must[from..end.min(must.len())], &run);
        shown = shown.max(end);
        if !run.is_interrupted() {
            assert_eq!(end, must.len(), "there is more to show:\n{err}");
            return is_over(runner, name, expected, &run);
        }
        // On several hosts it may be over though not all of it was shown, once it has begun at all.
        let diary = runner.diary();
        let may_be_over = match job::is_launched() {
            true => !diary.is_empty() && diary != before,
            false => shown == must.len(),
        };
        if may_be_over && was_over(runner) {
            return;
        }
    }
}

/// Where a line, counted from 1, begins.
fn start_of_line(text: &str, line: &str) -> usize {
    let line: usize = line.parse().expect("the number of a line");
    text.split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum()
}

/// Says the first line that differs.
fn is_the_same(shown: &str, must: &str, run: &Run) {
    let lines = || {
        shown
            .lines()
            .map(Some)
            .zip(must.lines().map(Some).chain([None]))
    };
    if shown != must {
        let differs = (1..).zip(lines()).find(|(_, (real, right))| real != right);
        panic!(
            "what is shown is not what must be: {differs:?}; stderr:\n{}",
            run.err
        );
    }
}

/// Whether a script was over when master was killed: another one is not refused. It does nothing.
fn was_over(runner: &mut Runner<'_>) -> bool {
    runner.folder.file("nothing.txt", "# nothing\n");
    loop {
        let run = runner.run(&["nothing.txt"], true);
        if !run.is_interrupted() {
            let is_refused = run.status.code() == Some(2) && run.err.contains("was interrupted");
            assert!(is_refused || run.status.code() == Some(0), "{}", run.err);
            return !is_refused;
        }
    }
}

/// A script has come to its end: all the rest is as if nobody had died, too.
fn is_over(runner: &Runner<'_>, name: &str, expected: &Expected, run: &Run) {
    let status = run.status.code();
    assert!(
        status == Some(expected.exit_status()) || run.may_have_any_status(),
        "{status:?} instead of {}; stderr:\n{}",
        expected.exit_status(),
        run.err
    );
    let failed = run.err.lines().filter_map(|line| {
        let line = line.strip_prefix(name)?.strip_prefix(':')?;
        line.split_once(": ")?.0.parse().ok()
    });
    let failed: Vec<usize> = failed.filter(|it| !expected.deaths.contains(it)).collect();
    let must: Vec<usize> = expected.failures.iter().map(|it| it.line).collect();
    // Where it was noted how far the script is, only what comes then is told again.
    let is_told = match runner.plan.notes_every {
        None => failed == must,
        Some(_) => must.ends_with(&failed),
    };
    assert!(
        is_told,
        "{failed:?} fail instead of {must:?}; stderr:\n{}",
        run.err
    );
    let history = File::open(runner.folder.path("history.jsonl"));
    verdict::of_history(history.expect("master writes a history"));
}

/// The journals of the bank, if it is open, and nothing else.
fn what_is_left(runner: &Runner<'_>, bank: &Bank) {
    let journals = runner.journals();
    if !bank.is_open {
        assert_eq!(journals, [""; 0], "the bank has left something");
        return;
    }
    let (of_nodes, others): (Vec<_>, Vec<_>) =
        journals.iter().partition(|name| name.contains("-node-"));
    assert_eq!(others, ["master"], "of {journals:?}");
    let round = of_nodes.first().and_then(|name| name.split('-').next());
    let places = 0..bank.deposits.len();
    let mut must: Vec<String> = places
        .map(|place| format!("{}-node-{place}", round.unwrap_or_default()))
        .collect();
    must.sort();
    // Who was given nothing to do, and was killed before it had begun its journal, begins it next time.
    let is_one = |name: &&String| must.contains(*name);
    assert!(of_nodes.iter().all(is_one), "{journals:?}, not {must:?}");
}

/// Delivers everything, counts, and ends the bank: nothing is left of it.
fn all_money_is_there(runner: &mut Runner<'_>, bank: &Bank) {
    if !bank.is_open {
        return;
    }
    let mut text = "StartMaster\n".to_owned();
    for id in &bank.dead {
        text += &format!("RestartNode {id}\n");
    }
    text += "ReceiveAll\nnodes\nKillAll\n";
    runner.folder.file("sum.txt", text);
    let run = loop {
        let run = runner.run(&["sum.txt"], true);
        if !run.is_interrupted() {
            break run;
        }
        if runner.journals().is_empty() {
            return;
        }
    };
    assert_eq!(run.status.code(), Some(0), "stderr:\n{}", run.err);
    let deposits = bank.deposits.iter();
    let deposits = deposits.map(|(id, deposit)| format!("CreateNode {id} {deposit}\n"));
    let told: Vec<String> = run.err.lines().map(str::to_owned).collect();
    verdict::account(&deposits.collect::<String>(), &told);
    assert_eq!(runner.journals(), [""; 0], "the bank has left something");
}
