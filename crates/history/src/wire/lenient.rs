//! Lines that say more than the schema does.

use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::event::Extra;

/// Reads a line, and the keys of it that begin with `x-`. It is read as if there were none: only where
/// that fails are they looked for.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<(T, Extra), serde_json::Error> {
    let failed = match serde_json::from_slice(line) {
        Ok(parsed) => return Ok((parsed, Extra::new())),
        Err(failed) => failed,
    };
    if !line.windows(3).any(|window| window == b"\"x-") {
        return Err(failed);
    }
    let Keys { rest, extra } = serde_json::from_slice(line)?;
    if extra.is_empty() {
        return Err(failed);
    }
    Ok((serde_json::from_str(&rest)?, extra))
}

/// The keys of an object, as JSON: those that begin with `x-`, and the object without them.
struct Keys {
    rest: String,
    extra: Extra,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Keys;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let (mut rest, mut extra) = (Vec::new(), Extra::new());
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    match key.starts_with("x-") {
                        true => extra.push((key, value.get().to_owned())),
                        false => rest.push(format!("{}:{value}", serde_json::Value::from(key))),
                    }
                }
                let rest = format!("{{{}}}", rest.join(","));
                Ok(Keys { rest, extra })
            }
        }
        from.deserialize_map(Pairs)
    }
}
