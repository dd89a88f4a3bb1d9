//! A small space-time diagram for a terminal: time runs down, a column a process, a row a step.
//!
//! ```text
//!          1              2
//!     5    ●────a:300────▷│     1 sends 300, which is called a
//!     6    ◆┄┄┄S1=700┄┄┄┄▷│     1 records its state for snapshot 1, and sends the marker
//!     7    │····a:300····▶●     2 receives a
//!          =700           =800
//! ```
//!
//! A message that is received at once is one row. Nothing here knows a terminal: the caller says
//! how wide it is, and paints.

mod canvas;
mod foot;
mod glyphs;
mod rows;

use std::collections::{BTreeSet, HashMap};

use history::{ProcessId, SnapshotId};

use self::canvas::{TextLine, fit};
use self::glyphs::{ASCII, Glyphs, UNICODE};
use self::rows::{Kind, Row, Symbol, rows};
use crate::recent::Recent;

/// How the text is to be.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions {
    /// How many characters a line has at most.
    pub width: usize,
    /// How many steps are drawn: the last ones.
    pub steps: usize,
    /// Say how many steps came before those.
    pub earlier: bool,
    /// Only ASCII.
    pub ascii: bool,
}

/// How a piece of the text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// As text does.
    Plain,
    /// Less important.
    Faint,
    /// A process.
    Name,
    /// Part of a snapshot.
    Snapshot(SnapshotId),
    /// A death, a refusal.
    Bad,
}

/// Columns are no closer than this, and no farther apart than this.
const SPACING: std::ops::RangeInclusive<usize> = 7..=28;
/// What stands right of the last column, and of one that several processes share.
const MARGIN: usize = 6;
const SHARED_MARGIN: usize = 10;

/// Draws the last steps, what is in transit after them, and how much each process has. `paint` gives
/// a piece its look, and must not change its width.
#[must_use]
pub fn text(recent: &Recent, options: &TextOptions, paint: impl Fn(Ink, &str) -> String) -> String {
    let all = rows(recent);
    let hidden = all.len().saturating_sub(options.steps);
    let picture = Picture::new(recent, options, &all[hidden..]);
    let mut lines = picture.head(hidden);
    lines.extend(picture.body());
    lines.extend(picture.foot());
    let painted = lines.iter().map(|line| line.paint(&paint));
    painted.collect::<Vec<_>>().join("\n")
}

/// Where everything is.
struct Picture<'r> {
    recent: &'r Recent,
    options: &'r TextOptions,
    glyphs: &'static Glyphs,
    rows: &'r [Row],
    /// The column of each process that is drawn.
    columns: HashMap<ProcessId, usize>,
    /// The processes with a column of their own.
    shown: Vec<ProcessId>,
    /// The processes that share the last column, since there is no room for all.
    others: Vec<ProcessId>,
    /// Those that take part in nothing, and are left out for the same reason.
    idle: usize,
    left: usize,
    spacing: usize,
    /// The letters of messages that are not received at once, by the event that sent them.
    letters: HashMap<u64, String>,
    /// The processes that are there before the first row.
    before: BTreeSet<ProcessId>,
}

impl<'r> Picture<'r> {
    fn new(recent: &'r Recent, options: &'r TextOptions, rows: &'r [Row]) -> Self {
        let digits = rows.iter().filter_map(|row| row.line).max();
        let left = digits.map_or(0, |line| line.to_string().len()) + 6;
        let room = |margin| options.width.saturating_sub(left + 1 + margin);
        let most = room(MARGIN) / SPACING.start() + 1;
        let taking_part: BTreeSet<ProcessId> = rows.iter().flat_map(Row::processes).collect();
        let all: Vec<ProcessId> = recent.replay.processes().keys().copied().collect();
        let mut shown = match all.len() <= most {
            true => all.clone(),
            false => taking_part.into_iter().collect(),
        };
        let idle = all.len() - shown.len();
        let others = match shown.len() <= most {
            true => Vec::new(),
            false => shown.split_off(room(SHARED_MARGIN) / SPACING.start()),
        };
        let count = shown.len() + usize::from(!others.is_empty());
        let own = (0..)
            .zip(&shown)
            .map(|(column, process)| (*process, column));
        let shared = others.iter().map(|process| (*process, shown.len()));
        let columns = own.chain(shared).collect();

        let mut letters = HashMap::new();
        for row in rows {
            if let Kind::Sent {
                message: Some(sent),
                ..
            } = row.kind
            {
                letters.insert(sent, letter(letters.len()));
            }
        }
        let margin = match others.is_empty() {
            true => MARGIN,
            false => SHARED_MARGIN,
        };
        let spacing = spacing(recent, rows, count, room(margin));
        let before = all
            .into_iter()
            .filter(|process| is_there(recent, rows, *process));
        let before = before.collect();
        let glyphs = if options.ascii { &ASCII } else { &UNICODE };
        Self {
            recent,
            options,
            glyphs,
            rows,
            columns,
            shown,
            others,
            idle,
            left,
            spacing,
            letters,
            before,
        }
    }

    fn x(&self, column: usize) -> usize {
        self.left + column * self.spacing
    }

    fn line(&self) -> TextLine {
        TextLine::new(self.options.width)
    }

    fn note(&self, text: &str) -> TextLine {
        self.sentence(text, Ink::Faint)
    }

    fn sentence(&self, text: &str, ink: Ink) -> TextLine {
        let mut line = self.line();
        let room = self.options.width.saturating_sub(2);
        let text = fit(&[self.written(text)], room, self.glyphs.ellipsis);
        line.put(2, &text, ink);
        line
    }

    /// In ASCII where that is wanted.
    fn written(&self, text: &str) -> String {
        let text = text.replace('→', self.glyphs.to);
        let replace = |it: char| self.options.ascii && !it.is_ascii();
        text.chars()
            .map(|it| if replace(it) { '?' } else { it })
            .collect()
    }

    /// What comes before the rows.
    fn head(&self, hidden: usize) -> Vec<TextLine> {
        let mut lines = Vec::new();
        if !self.options.earlier {
        } else if hidden > 0 {
            let all = hidden + self.rows.len();
            lines.push(self.note(&format!(
                "{hidden} earlier steps: `show {all}` has them too"
            )));
        } else if self.recent.forgotten() > 0 {
            lines.push(self.note("what came earlier is forgotten"));
        }
        let mut line = self.line();
        for (column, process) in self.shown.iter().enumerate() {
            let name = [self.recent.replay.called(*process)];
            let name = fit(&name, self.spacing - 1, self.glyphs.ellipsis);
            let x = self
                .x(column)
                .saturating_sub(name.chars().count().saturating_sub(1) / 2);
            line.put(x, &name, Ink::Name);
        }
        if !self.others.is_empty() {
            line.put(self.x(self.shown.len()), "others", Ink::Faint);
        }
        lines.push(line);
        lines
    }

    fn body(&self) -> Vec<TextLine> {
        let mut lines = Vec::new();
        let mut alive = self.before.clone();
        let mut last = None;
        for row in self.rows {
            if let Kind::At {
                process,
                symbol: Symbol::Died,
            } = row.kind
            {
                alive.remove(&process);
            }
            let mut line = self.line();
            if let Some(number) = row.line.filter(|_| row.line != last) {
                let number = number.to_string();
                line.put(
                    (self.left - 4).saturating_sub(number.len()),
                    &number,
                    Ink::Faint,
                );
            }
            last = row.line.or(last);
            for (column, process) in self.shown.iter().enumerate() {
                if alive.contains(process) {
                    line.put(self.x(column), self.glyphs.lane, Ink::Plain);
                }
            }
            if !self.others.is_empty() {
                line.put(self.x(self.shown.len()), self.glyphs.others, Ink::Faint);
            }
            self.draw(row, &mut line);
            if let Kind::At {
                process,
                symbol: Symbol::Created | Symbol::Restarted,
            } = row.kind
            {
                alive.insert(process);
            }
            lines.push(line);
        }
        lines
    }

    fn draw(&self, row: &Row, line: &mut TextLine) {
        let glyphs = self.glyphs;
        let text = self.written(&row.text);
        let is_marker = matches!(row.ink, Ink::Snapshot(_));
        match &row.kind {
            Kind::Outside => {
                let room = self.options.width.saturating_sub(self.left + 2);
                let text = fit(&[text], room, glyphs.ellipsis);
                line.put(self.left + 2, &format!(" {text} "), row.ink);
            }
            Kind::At { process, symbol } => {
                let Some(column) = self.columns.get(process) else {
                    return;
                };
                let text = match *column == self.shown.len() {
                    true => format!("{}: {text}", self.recent.replay.called(*process)),
                    false => text,
                };
                line.put(self.x(*column), self.symbol(*symbol), row.ink);
                self.beside(line, row.ink, *column, &[text]);
            }
            Kind::Sent {
                from,
                to,
                message,
                symbol,
            } => {
                let letter = message.and_then(|sent| self.letters.get(&sent));
                let dash = if is_marker {
                    glyphs.marker
                } else {
                    glyphs.dash
                };
                let heads = self.glyphs.sent;
                self.arrows(line, row.ink, *from, to, dash, heads);
                self.mark(line, *from, self.symbol(*symbol), row.ink);
                let first = to.iter().find(|to| self.column(**to) > self.column(*from));
                let toward = first.or(to.first()).copied();
                let texts = match symbol {
                    // A state that is cut off would be another.
                    Symbol::Recorded => text
                        .split_once('=')
                        .map_or_else(Vec::new, |(name, _)| vec![text.clone(), name.to_owned()]),
                    _ => self.with(letter, &text),
                };
                self.label(line, row.ink, *from, toward, true, &texts);
            }
            Kind::AtOnce { from, to } => {
                self.arrows(line, row.ink, *from, &[*to], glyphs.dash, glyphs.arrived);
                self.mark(line, *from, glyphs.event, row.ink);
                self.mark(line, *to, glyphs.event, row.ink);
                self.label(line, row.ink, *from, Some(*to), true, &[text]);
            }
            Kind::Received { from, to, sent } => {
                let letter = sent.and_then(|sent| self.letters.get(&sent));
                self.arrows(
                    line,
                    row.ink,
                    *from,
                    &[*to],
                    glyphs.arriving,
                    glyphs.arrived,
                );
                self.mark(line, *to, glyphs.event, row.ink);
                self.label(
                    line,
                    row.ink,
                    *to,
                    Some(*from),
                    false,
                    &self.with(letter, &text),
                );
            }
        }
    }

    /// With its letter where there is room for it.
    fn with(&self, letter: Option<&String>, text: &str) -> Vec<String> {
        let named = letter.map(|letter| format!("{letter}:{text}"));
        named.into_iter().chain([text.to_owned()]).collect()
    }

    fn symbol(&self, symbol: Symbol) -> &'static str {
        match symbol {
            Symbol::Event | Symbol::Created => self.glyphs.event,
            Symbol::Refused => self.glyphs.refused,
            Symbol::Recorded => self.glyphs.recorded,
            Symbol::Died => self.glyphs.died,
            Symbol::Restarted => self.glyphs.restarted,
        }
    }

    fn column(&self, process: ProcessId) -> usize {
        self.columns.get(&process).copied().unwrap_or(0)
    }

    /// The sign of an event, and which of the others it is of.
    fn mark(&self, line: &mut TextLine, process: ProcessId, symbol: &str, ink: Ink) {
        let column = self.column(process);
        line.put(self.x(column), symbol, ink);
        if column == self.shown.len() {
            line.put(self.x(column) + 2, &self.recent.replay.called(process), ink);
        }
    }

    /// Arrows that begin at one process. They pass behind the columns between.
    fn arrows(
        &self,
        line: &mut TextLine,
        ink: Ink,
        from: ProcessId,
        to: &[ProcessId],
        dash: &str,
        heads: [&str; 2],
    ) {
        let origin = self.column(from);
        let ends = || to.iter().map(|to| self.column(*to));
        let (first, last) = (
            ends().min().unwrap_or(origin),
            ends().max().unwrap_or(origin),
        );
        for column in first.min(origin)..last.max(origin) {
            for x in self.x(column) + 1..self.x(column + 1) {
                line.put(x, dash, ink);
            }
        }
        for end in ends() {
            match end.cmp(&origin) {
                std::cmp::Ordering::Less => line.put(self.x(end) + 1, heads[0], ink),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => line.put(self.x(end) - 1, heads[1], ink),
            }
        }
        let shared: Vec<_> = to
            .iter()
            .filter(|to| self.column(**to) == self.shown.len())
            .collect();
        let which = match &shared[..] {
            [] => return,
            [one] => one.to_string(),
            several => format!("{} others", several.len()),
        };
        if origin != self.shown.len() {
            line.put(self.x(self.shown.len()) + 2, &which, ink);
        }
    }

    /// On the arrow beside a process, which leads to another or comes from it; beside the process's
    /// symbol where there is none.
    fn label(
        &self,
        line: &mut TextLine,
        ink: Ink,
        at: ProcessId,
        toward: Option<ProcessId>,
        leaves: bool,
        texts: &[String],
    ) {
        let column = self.column(at);
        let other = toward.map_or(column, |other| self.column(other));
        if other == column {
            let names = texts.iter().map(|text| match column == self.shown.len() {
                true => format!("{at}: {text}"),
                false => text.clone(),
            });
            self.beside(line, ink, column, &names.collect::<Vec<_>>());
            return;
        }
        let left = column.min(other.max(column.saturating_sub(1)));
        // One place is the head's, which points away from here or to here.
        let room = self.spacing - 2;
        let text = fit(texts, room, self.glyphs.ellipsis);
        let head = usize::from(leaves == (other < column));
        let before = head + (room - text.chars().count() + head) / 2;
        line.put(self.x(left) + 1 + before, &text, ink);
    }

    /// Right of a symbol, or left of it where there is more room.
    fn beside(&self, line: &mut TextLine, ink: Ink, column: usize, texts: &[String]) {
        let x = self.x(column);
        let right = self.options.width.saturating_sub(x + 2);
        let is_long = texts.iter().all(|text| text.chars().count() > right);
        let left = x.saturating_sub(self.left + 2);
        let text = fit(texts, right.max(left), self.glyphs.ellipsis);
        match is_long && left > right {
            true => line.put(x - 2 - text.chars().count(), &format!(" {text} "), ink),
            false => line.put(x + 2, &fit(texts, right, self.glyphs.ellipsis), ink),
        }
    }
}

/// Whether a process lives before these rows, which are the last ones: the first of them that changes that
/// says so, and else it does so afterwards.
fn is_there(recent: &Recent, rows: &[Row], process: ProcessId) -> bool {
    let changed = rows.iter().find_map(|row| match row.kind {
        Kind::At {
            process: at,
            symbol,
        } if at == process => match symbol {
            Symbol::Created | Symbol::Restarted => Some(false),
            Symbol::Died => Some(true),
            _ => None,
        },
        _ => None,
    });
    let now = || recent.replay.processes().get(&process);
    changed.unwrap_or_else(|| now().is_some_and(|now| !now.is_dead))
}

/// How far apart columns are: as far as the longest text wants it, where there is room for that.
fn spacing(recent: &Recent, rows: &[Row], columns: usize, room: usize) -> usize {
    let has_arrow = |row: &&Row| !matches!(row.kind, Kind::Outside | Kind::At { .. });
    // A letter, a colon, the head, and two or three dashes on each side.
    let arrows = rows.iter().filter(has_arrow).map(|row| row.text.len() + 8);
    let processes = recent.replay.processes().iter();
    let names = processes.map(|(id, now)| {
        let name = recent.replay.called(*id).chars().count();
        name.max(now.balance.to_string().len()) + 3
    });
    let wanted = arrows.chain(names).max().unwrap_or(0);
    let widest = room.checked_div(columns.saturating_sub(1)).unwrap_or(room);
    wanted.min(widest).clamp(*SPACING.start(), *SPACING.end())
}

/// The letters from a to z, then with numbers: a1 … z1, a2 …
fn letter(index: usize) -> String {
    let letter = char::from(b'a' + (index % 26) as u8);
    match index / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}
