//! The program `node`: one account. Started by master; see `pipebank::node`.

use std::env;
use std::process::ExitCode;

use bank::id::NodeId;
use journal::{Identity, Survives};
use pipebank::node::{Keeping, Node};
use pipebank::say::say;
use pipebank::status;

const BY_HAND: &str = "\
node: this program holds one account of the bank, and is started by master, which gives it its
pipes; it does nothing by itself. Run `master SCRIPT`, or `master --help`.";

/// `node ID DEPOSIT [--verbose] [--hosts]`, as master calls it; in a bank that lasts also `--journal=NAME --run=N
/// --writer=N [--sync]` and, where it is started again, `--answered=N`.
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (numbers, options) = arguments.split_at(arguments.len().min(2));
    let [Ok(id), Ok(deposit)] = [0, 1].map(|n| numbers.get(n).map_or("", |s| s).parse::<u64>())
    else {
        say(BY_HAND);
        return ExitCode::from(status::MALFORMED);
    };
    let Ok(parent) = pipes::parent() else {
        say(BY_HAND);
        return ExitCode::from(status::MALFORMED);
    };
    let verbose = options.iter().any(|option| option == "--verbose");
    let keeping = keeping(options);
    let node = Node::new(NodeId(id), deposit, verbose, parent, keeping.as_ref());
    let has_far_channels = options.iter().any(|option| option == "--hosts");
    let node = node.map(|node| node.with_far_channels(has_far_channels));
    match node.and_then(Node::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("node {id}: {error}"));
            ExitCode::from(match error.is_of_the_disk() {
                true => status::FAILED,
                false => status::BROKEN,
            })
        }
    }
}

/// Where it keeps its journal, if it does.
fn keeping(options: &[String]) -> Option<Keeping> {
    let value = |name: &str| options.iter().find_map(|option| option.strip_prefix(name));
    let number = |name: &str| value(name)?.parse().ok();
    let survives = Survives::if_synced(options.iter().any(|option| option == "--sync"));
    Some(Keeping {
        journal: value("--journal=")?.to_owned(),
        identity: Identity {
            run: number("--run=")?,
            writer: number("--writer=")?,
        },
        survives,
        answered: number("--answered="),
    })
}
