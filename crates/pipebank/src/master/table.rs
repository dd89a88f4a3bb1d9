//! The table of the `nodes` command.

use bank::master::{Row, State, Transfers};

/// The table, with the pid of each node.
pub(super) fn table<'r>(rows: impl Iterator<Item = (&'r Row, u32)>) -> String {
    let lines: Vec<String> = rows
        .map(|(row, pid)| {
            let incarnation = match row.incarnation {
                1 => String::new(),
                number => format!(" (incarnation {number})"),
            };
            let state = state(&row.state);
            format!("node {}  pid {pid}{incarnation}  {state}", row.id)
        })
        .collect();
    match lines.is_empty() {
        true => "there are no nodes; CreateNode ID AMOUNT would start one".to_owned(),
        false => lines.join("\n"),
    }
}

fn state(state: &State) -> String {
    match state {
        State::Died(fate) => format!("died ({fate})"),
        State::Running { balance, waiting } if waiting.is_empty() => {
            format!("running  balance {balance}  waiting: nothing")
        }
        State::Running { balance, waiting } => {
            let waiting = waiting
                .iter()
                .map(|(from, transfers, markers)| {
                    format!("{} from node {from}", content(*transfers, *markers))
                })
                .collect::<Vec<_>>();
            format!(
                "running  balance {balance}  waiting: {}",
                waiting.join(", ")
            )
        }
    }
}

/// What is in a channel that is not empty.
fn content(Transfers { count, amount }: Transfers, markers: u64) -> String {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let of_transfers = format!("{count} transfer{} ({amount})", plural(count));
    let of_markers = format!("{markers} marker{}", plural(markers));
    match (count, markers) {
        (_, 0) => of_transfers,
        (0, _) => of_markers,
        _ => format!("{of_transfers} and {of_markers}"),
    }
}
