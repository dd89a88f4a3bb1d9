//! One line taken for itself: its words, its command, its numbers. Nothing here knows of other
//! lines.
//!
//! Spaces and tabs separate words. `#` and `;` begin a comment wherever they stand, also in the
//! middle of a word: `Send 1 2 3#x` is `Send 1 2 3`.

use history::Foreign;

use super::command::{self, CommandHelp, Keyword, MOST_ARGUMENTS, Quantity, Values};
use super::printable::Printable;
use super::refusal::{Problem, Problems};

/// A line that names a command.
pub(super) struct Parsed<'t> {
    pub(super) help: &'static CommandHelp,
    /// What was understood of the arguments. What was not is among the problems.
    pub(super) values: &'t Values,
    text: &'t [u8],
}

impl Parsed<'_> {
    /// Where the command's name stands.
    #[cold]
    pub(super) fn name(&self) -> Word {
        Words::of(self.text).next().unwrap_or_default()
    }

    /// Where the argument at that position stands, from 0.
    #[cold]
    pub(super) fn argument(&self, position: usize) -> Word {
        Words::of(self.text).nth(position + 1).unwrap_or_default()
    }
}

/// A word's place in its line: from byte `start` to before byte `end`.
#[derive(Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads a line; `None` for one without a command, whether it is blank or refused. Numbers are put
/// where they stay: a million lines a second are not to be copied about.
#[inline]
pub(super) fn parse<'t>(
    text: &'t [u8],
    values: &'t mut Values,
    problems: &mut Problems,
) -> Option<Parsed<'t>> {
    let mut words = Words::of(text);
    let first = words.next()?;
    let Some(help) = command::named(first.of(text)) else {
        problems.push(first, unknown_command(first.of(text)));
        return None;
    };
    let (mut given, mut end) = (0, first.end);
    for (value, &quantity) in values.iter_mut().zip(help.quantities) {
        let Some(word) = words.next() else {
            break;
        };
        given += 1;
        end = word.end;
        match number(word.of(text), quantity) {
            Ok(number) => *value = Some(number),
            Err(problem) => problems.push(word, problem),
        }
    }
    if given < help.required {
        problems.push(
            Word { start: end, end },
            Problem::MissingWords {
                command: help,
                given,
            },
        );
    }
    if let Some(surplus) = words.next() {
        let word = Printable::new(surplus.of(text));
        problems.push(
            surplus,
            Problem::SurplusWord {
                word,
                command: help,
            },
        );
    }
    Some(Parsed { help, values, text })
}

/// A transfer, as it stands on a line: nodes by what they are called.
pub(super) enum Transfer {
    Sent { from: u64, to: u64, amount: u64 },
    Received { to: u64, from: u64 },
}

/// A line that is a transfer and nothing else, one space between its words: so most lines of long scripts are
/// written, and reading them is most of what a short command takes before it is carried out. `None`: it may
/// be anything else, or wrong ([`parse`]).
#[inline]
pub(super) fn plain_transfer(text: &[u8]) -> Option<Transfer> {
    let mut numbers = Numbers { text };
    if numbers.pass(b"Send ") {
        let (from, to) = (numbers.next()?, numbers.after_a_space()?);
        let amount = numbers.after_a_space()?;
        numbers
            .text
            .is_empty()
            .then_some(Transfer::Sent { from, to, amount })
    } else if numbers.pass(b"Receive ") {
        let (to, from) = (numbers.next()?, numbers.after_a_space()?);
        numbers
            .text
            .is_empty()
            .then_some(Transfer::Received { to, from })
    } else {
        None
    }
}

/// What is left of a line.
struct Numbers<'t> {
    text: &'t [u8],
}

impl Numbers<'_> {
    #[inline]
    fn pass(&mut self, word: &[u8]) -> bool {
        let rest = self.text.strip_prefix(word);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    /// A number of so few digits that it fits.
    #[inline]
    fn next(&mut self) -> Option<u64> {
        const SURE: usize = 19;
        let (mut value, mut digits) = (0_u64, 0);
        while let Some(digit) = self.text.get(digits).map(|byte| byte.wrapping_sub(b'0'))
            && digit <= 9
        {
            value = value.wrapping_mul(10).wrapping_add(digit.into());
            digits += 1;
        }
        self.text = &self.text[digits..];
        (1..=SURE).contains(&digits).then_some(value)
    }

    #[inline]
    fn after_a_space(&mut self) -> Option<u64> {
        if self.pass(b" ") { self.next() } else { None }
    }
}

/// What a refused line was probably meant to be.
pub(super) struct Guess {
    pub(super) keyword: Keyword,
    /// What can be understood of its arguments.
    pub(super) values: Values,
    /// Whether the line says `keyword`, rather than something like it.
    pub(super) exact: bool,
}

/// Reads a refused line once more, with good will.
pub(super) fn guess(text: &[u8]) -> Option<Guess> {
    let mut words = Words::of(text);
    let first = words.next()?.of(text);
    let named = command::named(first);
    let help = named.or_else(|| match meant(first)[..] {
        [one] => Some(one),
        _ => None,
    })?;
    let mut values = [None; MOST_ARGUMENTS];
    for (value, &quantity) in values.iter_mut().zip(help.quantities) {
        let word = words.next();
        *value = word.and_then(|word| number(word.of(text), quantity).ok());
    }
    Some(Guess {
        keyword: help.keyword,
        values,
        exact: named.is_some(),
    })
}

/// Whether a line says a command, whatever its arguments are; `None` where it is blank or a comment.
pub(super) fn says_a_command(text: &[u8]) -> Option<bool> {
    let first = Words::of(text).next()?;
    Some(command::named(first.of(text)).is_some())
}

/// What the first line, or one that is refused, shows of the whole text: that it is no script.
#[cold]
pub(super) fn no_script(number: u64, text: &[u8]) -> Option<Problem> {
    if number > 1 {
        // Which kind it is cannot be told here: the first byte belongs to the line feed before.
        return Foreign::utf16(text).map(|_| Foreign::Utf16Le.into());
    }
    let mut pieces = text.split(|byte| *byte == b'\r').skip(1);
    if let Some(foreign) = Foreign::utf16(text) {
        Some(foreign.into())
    } else if [&b"{\"history\""[..], b"{\"event\""]
        .iter()
        .any(|begin| text.starts_with(begin))
    {
        Some(Problem::History)
    } else if pieces.any(|piece| guess(piece).is_some()) {
        Some(Foreign::CarriageReturns.into())
    } else {
        None
    }
}

/// The words of a line, one after the other.
struct Words<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Words<'t> {
    fn of(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn class(&self) -> Class {
        let byte = self.text.get(self.at);
        byte.map_or(Class::Comment, |byte| class(*byte))
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    #[inline]
    fn next(&mut self) -> Option<Word> {
        while self.class() == Class::Blank {
            self.at += 1;
        }
        let start = self.at;
        while self.class() == Class::Word {
            self.at += 1;
        }
        let end = self.at;
        (start < end).then_some(Word { start, end })
    }
}

impl Word {
    fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start..self.end]
    }
}

/// What a byte is to a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Blank,
    /// It begins a comment.
    Comment,
}

/// Looked up: every byte of every script goes through here.
#[inline]
fn class(byte: u8) -> Class {
    const CLASSES: [Class; 256] = {
        let mut classes = [Class::Word; 256];
        classes[b' ' as usize] = Class::Blank;
        classes[b'\t' as usize] = Class::Blank;
        classes[b'#' as usize] = Class::Comment;
        classes[b';' as usize] = Class::Comment;
        classes
    };
    CLASSES[usize::from(byte)]
}

/// Decimal digits only, any number of leading zeros; or the one word that is an argument.
fn number(word: &[u8], quantity: Quantity) -> Result<u64, Problem> {
    if quantity == Quantity::Sparse {
        return match word {
            b"sparse" => Ok(1),
            _ => Err(Problem::NotSparse {
                word: Printable::new(word),
            }),
        };
    }
    /// As many digits as always fit.
    const SURE: usize = 19;
    let (sure, rest) = word.split_at(word.len().min(SURE));
    let mut value = 0_u64;
    for byte in sure {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(not_a_number(word, quantity));
        }
        value = value * 10 + u64::from(digit);
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        let tens = value.checked_mul(10);
        match tens.and_then(|tens| tens.checked_add(digit.into())) {
            Some(next) if digit <= 9 => value = next,
            _ => return Err(not_a_number(word, quantity)),
        }
    }
    if value == 0 && quantity == Quantity::Snapshot {
        return Err(Problem::SnapshotZero);
    }
    Ok(value)
}

#[cold]
fn not_a_number(word: &[u8], quantity: Quantity) -> Problem {
    let all_digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    if all_digits(word) {
        Problem::TooLarge { quantity }
    } else if word.strip_prefix(b"-").is_some_and(all_digits) {
        Problem::Negative { quantity }
    } else {
        Problem::Malformed {
            word: Printable::new(word),
            quantity,
        }
    }
}

#[cold]
fn unknown_command(word: &[u8]) -> Problem {
    let shown = Printable::new(word);
    match &meant(word)[..] {
        [help] if help.name.as_bytes().eq_ignore_ascii_case(word) => Problem::WrongCase {
            word: shown,
            name: help.name,
        },
        [] => Problem::UnknownCommand { word: shown },
        meant => Problem::Misspelt {
            word: shown,
            names: meant.iter().map(|help| help.name).collect(),
        },
    }
}

fn meant(word: &[u8]) -> Vec<&'static CommandHelp> {
    /// No name has that many letters, and comparing is quadratic.
    const LONGEST: usize = 32;
    match str::from_utf8(word) {
        Ok(word) if word.len() <= LONGEST => command::meant(word),
        _ => Vec::new(),
    }
}
