//! The program `node`: one account. Started by master; see `pipebank::node`.

use std::env;
use std::process::ExitCode;

use bank::id::NodeId;
use pipebank::node::Node;
use pipebank::say::say;
use pipebank::status;

const BY_HAND: &str = "\
node: this program holds one account of the bank, and is started by master, which gives it its
pipes; it does nothing by itself. Run `master SCRIPT`, or `master --help`.";

/// `node ID DEPOSIT [--verbose]`, as master calls it.
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
    let node = Node::new(NodeId(id), deposit, verbose, parent);
    match node.and_then(Node::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("node {id}: {error}"));
            ExitCode::from(status::BROKEN)
        }
    }
}
