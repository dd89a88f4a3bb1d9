//! What stands beneath the rows: how it is after them.

use history::Content;

use super::canvas::{Line, fit};
use super::{Ink, Picture};
use crate::recent::InTransit;

/// So many channels are listed.
const MAX_CHANNELS: usize = 6;

impl Picture<'_> {
    /// What each process has now, and what is in transit.
    pub(super) fn foot(&self) -> Vec<Line> {
        let mut line = self.line();
        for (column, process) in self.shown.iter().enumerate() {
            let Some(now) = self.recent.processes.get(process) else {
                continue;
            };
            let (text, ink) = match now.is_dead {
                true => ("dead".to_owned(), Ink::Bad),
                false => (format!("={}", now.amount), Ink::Name),
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

    fn in_transit(&self) -> Vec<Line> {
        if self.recent.in_transit.is_empty() || self.recent.is_ended {
            return vec![self.note("in transit  nothing")];
        }
        let mut channels: Vec<_> = self.recent.in_transit.iter().collect();
        // Where only markers are, is of less interest.
        channels.sort_by_key(|(_, queue)| {
            let is_marker = |message: &InTransit| matches!(message.content, Content::Marker(_));
            queue.iter().all(is_marker)
        });
        let mut lines: Vec<Line> = Vec::new();
        for ((from, to), queue) in channels.into_iter().take(MAX_CHANNELS) {
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
            if self.recent.processes.get(to).is_some_and(|to| to.is_dead) {
                text += "; lost, since the receiver is dead";
            }
            lines.push(self.sentence(&text, Ink::Plain));
        }
        let more = self.recent.in_transit.len().saturating_sub(MAX_CHANNELS);
        if more > 0 {
            lines.push(self.note(&format!("{:10}  and on {more} more channels", "")));
        }
        lines
    }
}
