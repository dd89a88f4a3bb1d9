//! Lines that say more than the schema does, or say it in words.
//!
//! A line is read as if it were none of these. Where that fails it is written anew, and read again: without
//! the keys that begin with `x-`, with numbers for the names of processes, and, where the header says that
//! states are opaque, with 0 for whatever they are.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Malformed;
use crate::event::{Amount, Extra, Header, What};

/// How a history says things, as far as is known so far.
#[derive(Debug, Default)]
pub(crate) struct Dialect {
    is_opaque: bool,
    is_signed: bool,
    /// Processes by their names.
    numbers: HashMap<String, u64>,
    /// Whether processes have only names, and are numbered in the order in which these occur.
    are_numbered: bool,
    /// Whether a process was called by its number.
    has_numbers: bool,
}

/// What an object is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Event,
    State,
    Tally,
    Channel,
}

impl Dialect {
    pub(crate) fn of(header: &Header) -> Self {
        Self {
            is_opaque: header.is_opaque,
            is_signed: header.is_signed,
            ..Self::default()
        }
    }

    /// Whether a line is to be read as it is, if that is possible.
    pub(super) fn is_plain(&self) -> bool {
        !self.is_opaque
    }

    /// Reads a line that cannot be read as it is, and why it cannot.
    #[cold]
    pub(super) fn parse<T: DeserializeOwned>(
        &mut self,
        line: &[u8],
        failed: Option<serde_json::Error>,
    ) -> Result<(T, Extra), Malformed> {
        // What is no object at all is wrong where it is found to be.
        let keys = match (serde_json::from_slice(line), failed) {
            (Ok(Keys(keys)), Some(failed)) if !self.changes(&keys) => return Err(failed.into()),
            (Ok(Keys(keys)), _) => keys,
            (Err(_), Some(failed)) | (Err(failed), None) => return Err(failed.into()),
        };
        let (extra, keys): (Vec<_>, Vec<_>) = keys.into_iter().partition(|(key, _)| is_extra(key));
        let anew = self.object(&keys, Of::Event)?;
        let extra = extra.into_iter();
        let extra = extra.map(|(key, value)| (key, value.get().to_owned()));
        let parsed = serde_json::from_str(&anew).map_err(Malformed::Anew)?;
        Ok((parsed, extra.collect()))
    }

    /// Whether a line with these keys is written anew.
    fn changes(&self, keys: &[Pair]) -> bool {
        let has_words = |(key, value): &Pair| match &**key {
            "process" | "from" | "to" | "members" | "states" | "channels" | "sent" | "received" => {
                value.get().contains('"')
            }
            key => is_extra(key),
        };
        self.is_opaque || keys.iter().any(has_words)
    }

    /// Every amount that an event says is in its range.
    pub(super) fn check_amounts(&self, what: &What) -> Result<(), Malformed> {
        let fits = |amount: &Amount| super::fits(*amount, self.is_signed);
        match what {
            What::Create { amount, .. }
            | What::Send { amount, .. }
            | What::Receive { amount, .. }
            | What::Refuse { amount, .. }
            | What::Record { amount, .. }
            | What::Audit {
                verdict: Ok(amount),
                ..
            } => fits(amount),
            What::Collect {
                states, channels, ..
            } => {
                states.iter().try_for_each(|state| fits(&state.amount))?;
                channels
                    .iter()
                    .flat_map(|it| &it.amounts)
                    .try_for_each(fits)
            }
            _ => Ok(()),
        }
    }

    /// What an event says of the names of processes.
    pub(super) fn learn(&mut self, what: &What, is_anew: bool) -> Result<(), Malformed> {
        if !is_anew && what.process().is_some() {
            self.is_numbered()?;
        }
        if let What::Create {
            process,
            name: Some(name),
            ..
        } = what
        {
            self.numbers.insert(name.to_string(), process.0);
        }
        Ok(())
    }

    /// A process is called by its number.
    fn is_numbered(&mut self) -> Result<(), Malformed> {
        self.has_numbers = true;
        match self.are_numbered {
            true => Err(Malformed::Mixed),
            false => Ok(()),
        }
    }

    /// The object, as the schema has it.
    fn object(&mut self, keys: &[Pair], of: Of) -> Result<String, Malformed> {
        let text = |wanted: &str| {
            let pair = keys.iter().find(|(key, _)| key == wanted);
            pair.map_or("", |(_, value)| value.get())
        };
        let is_created = of == Of::Event && text("event") == "\"create\"";
        let mut anew: Vec<String> = Vec::new();
        for (key, value) in keys {
            let value = value.get();
            let value = match (&**key, of) {
                ("process" | "from" | "to", _) => {
                    let number = self.number(value)?;
                    if is_created && self.are_numbered {
                        anew.push(format!("\"name\":{value}"));
                    }
                    number
                }
                ("members", Of::Event) => self.list(value, |it, member| it.number(member.get()))?,
                ("states", Of::Event) => self.objects(value, Of::State)?,
                ("sent" | "received", Of::Event) => self.objects(value, Of::Tally)?,
                ("channels", Of::Event) => self.objects(value, Of::Channel)?,
                ("amount", Of::Event | Of::State) | ("sum", Of::Tally) if self.is_opaque => {
                    continue;
                }
                ("amounts", Of::Channel) if self.is_opaque => {
                    self.list(value, |_, _| Ok("0".to_owned()))?
                }
                _ => value.to_owned(),
            };
            anew.push(format!("{}:{value}", Value::from(&**key)));
        }
        if self.is_opaque {
            let opaque = match of {
                Of::Event => match text("event") {
                    "\"create\"" | "\"send\"" | "\"receive\"" | "\"refuse\"" | "\"record\"" => {
                        Some("amount")
                    }
                    "\"audit\"" if text("passed") == "true" => Some("amount"),
                    _ => None,
                },
                Of::State => Some("amount"),
                Of::Tally => Some("sum"),
                Of::Channel => None,
            };
            anew.extend(opaque.map(|key| format!("\"{key}\":0")));
        }
        Ok(format!("{{{}}}", anew.join(",")))
    }

    fn objects(&mut self, list: &str, of: Of) -> Result<String, Malformed> {
        self.list(list, |it, object| {
            let Keys(keys) = serde_json::from_str(object.get()).map_err(Malformed::Anew)?;
            it.object(&keys, of)
        })
    }

    fn list(
        &mut self,
        list: &str,
        anew: impl Fn(&mut Self, &RawValue) -> Result<String, Malformed>,
    ) -> Result<String, Malformed> {
        let items: Vec<Box<RawValue>> = serde_json::from_str(list).map_err(Malformed::Anew)?;
        let items: Result<Vec<String>, _> = items.iter().map(|item| anew(self, item)).collect();
        Ok(format!("[{}]", items?.join(",")))
    }

    /// The number of a process that is called by this.
    fn number(&mut self, called: &str) -> Result<String, Malformed> {
        let Ok(name) = serde_json::from_str::<String>(called) else {
            self.is_numbered()?;
            return Ok(called.to_owned());
        };
        if let Some(number) = self.numbers.get(&name) {
            return Ok(number.to_string());
        }
        if self.has_numbers {
            return Err(Malformed::NoName(name));
        }
        self.are_numbered = true;
        let number = self.numbers.len() as u64 + 1;
        self.numbers.insert(name, number);
        Ok(number.to_string())
    }
}

fn is_extra(key: &str) -> bool {
    key.starts_with("x-")
}

/// A key and its value.
type Pair = (String, Box<RawValue>);

/// An object, key by key.
struct Keys(Vec<Pair>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Keys;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    keys.push(pair);
                }
                Ok(Keys(keys))
            }
        }
        from.deserialize_map(Pairs)
    }
}
