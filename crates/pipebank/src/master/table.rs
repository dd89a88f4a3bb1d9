//! The command `nodes`: asks everybody for the balance and shows the table.

use super::channels::Place;
use super::failure::Stop;
use super::session::{Issue, Session, Step};
use bank::messages::Command;
use bank::script::Statement;

impl Session {
    pub(super) fn list_nodes(&mut self, statement: &Statement) -> Result<Issue, Stop> {
        for node in self.living()? {
            self.cluster.command(node, &Command::Report)?;
            self.push(statement, Step::Balance { node });
        }
        self.push(statement, Step::Table);
        // What comes next must not be in the table.
        self.drain()?;
        Ok(Issue::Done)
    }

    /// Everybody has answered.
    pub(super) fn show_table(&mut self) -> Result<(), Stop> {
        let bank = self.bank()?;
        let mut places: Vec<Place> = (0..bank.ids.len()).collect();
        places.sort_by_key(|place| bank.ids[*place]);
        let mut lines = Vec::new();
        for node in places.iter().copied() {
            let id = self.bank()?.ids[node];
            let pid = self.cluster.pid(node);
            if let Some(fate) = self.cluster.fate(node) {
                lines.push(format!("node {id}  pid {pid}  died ({fate})"));
                continue;
            }
            let bank = self.bank()?;
            let balance = bank.balances[node].known;
            let waiting: Vec<String> = places
                .iter()
                .filter_map(|from| {
                    let waiting = bank.channels.waiting(*from, node);
                    let what = describe_waiting(waiting)?;
                    Some(format!("{what} from node {}", bank.ids[*from]))
                })
                .collect();
            let waiting = match waiting.is_empty() {
                true => "nothing".to_owned(),
                false => waiting.join(", "),
            };
            lines.push(format!(
                "node {id}  pid {pid}  running  balance {balance}  waiting: {waiting}"
            ));
        }
        if lines.is_empty() {
            lines.push("there are no nodes; CreateNode ID AMOUNT would start one".to_owned());
        }
        self.tell(&lines.join("\n"))
    }
}

fn describe_waiting((transfers, amount, markers): (u64, u128, u64)) -> Option<String> {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let transfers =
        (transfers > 0).then(|| format!("{transfers} transfer{} ({amount})", plural(transfers)));
    let markers = (markers > 0).then(|| format!("{markers} marker{}", plural(markers)));
    match (transfers, markers) {
        (Some(transfers), Some(markers)) => Some(format!("{transfers} and {markers}")),
        (transfers, markers) => transfers.or(markers),
    }
}
