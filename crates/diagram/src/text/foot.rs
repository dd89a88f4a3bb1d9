//! What stands beneath the rows: how it is after them.

use history::{Channel, Content};

use super::canvas::{TextLine, fit};
use super::{Ink, Picture};

/// More channels are not listed.
const MAX_CHANNELS: usize = 6;

impl Picture<'_> {
    /// What each process has now, and what is in transit.
    pub(super) fn foot(&self) -> Vec<TextLine> {
        let processes = self.recent.replay.processes();
        let mut line = self.line();
        for (column, process) in self.shown.iter().enumerate() {
            let Some(now) = processes.get(process) else {
                continue;
            };
            let (text, ink) = match now.is_dead {
                true => ("dead".to_owned(), Ink::Bad),
                false => (format!("={}", now.balance), Ink::Name),
            };
            let text = fit(&[text], self.spacing - 1, self.glyphs.ellipsis);
            line.put(self.x(column), &text, ink);
        }
        let mut lines = vec![line];
        lines.extend(self.in_transit());
        if !self.others.is_empty() {
            let ids: Vec<String> = self.others.iter().map(ToString::to_string).collect();
            let ids = ids.join(", ");
            lines.push(self.note(&format!("others, for which there is no room: {ids}")));
        }
        if self.idle > 0 {
            let idle = self.idle;
            lines.push(self.note(&format!(
                "{idle} more processes take no part in these steps"
            )));
        }
        lines
    }

    fn in_transit(&self) -> Vec<TextLine> {
        let replay = &self.recent.replay;
        let channels = replay.channels().map(|(id, now)| (id, &now.in_transit));
        let mut channels: Vec<_> = channels.filter(|(_, queue)| !queue.is_empty()).collect();
        if channels.is_empty() || !replay.is_running() {
            return vec![self.note("in transit  nothing")];
        }
        // Where only markers are, is of less interest.
        channels.sort_by_key(|(id, queue)| {
            let has_messages = queue.iter().any(|it| it.content.amount().is_some());
            (!has_messages, *id)
        });
        let more = channels.len().saturating_sub(MAX_CHANNELS);
        let mut lines: Vec<TextLine> = Vec::new();
        for (Channel { from, to }, queue) in channels.into_iter().take(MAX_CHANNELS) {
            let title = if lines.is_empty() { "in transit" } else { "" };
            let mut text = format!("{title:10}  {from} → {to}: ");
            for (index, message) in queue.iter().enumerate() {
                let letter = self.letters.get(&message.sent);
                let item = match message.content {
                    Content::Amount(amount) => {
                        self.with(letter, &amount.to_string()).swap_remove(0)
                    }
                    Content::Marker(snapshot) => format!("S{snapshot}"),
                };
                let comma = if index > 0 { ", " } else { "" };
                let more = format!(", and {} more", queue.len() - index);
                let length = text.chars().count() + item.len() + more.len();
                if index > 0 && length + 4 > self.options.width {
                    text += &more;
                    break;
                }
                text += &format!("{comma}{item}");
            }
            if replay.processes().get(&to).is_some_and(|to| to.is_dead) {
                text += "; lost, since the receiver is dead";
            }
            lines.push(self.sentence(&text, Ink::Plain));
        }
        if more > 0 {
            let plural = if more == 1 { "" } else { "s" };
            lines.push(self.note(&format!("{:10}  and on {more} more channel{plural}", "")));
        }
        lines
    }
}
