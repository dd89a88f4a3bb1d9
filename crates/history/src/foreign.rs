//! Text as other systems write it, told apart from mere nonsense: what it is, and how to mend it.

/// A text that is not lines of UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// UTF-16, the lower byte first.
    #[error(
        "it is UTF-16, as `>` in Windows PowerShell writes it; `iconv -f UTF-16LE -t UTF-8` makes it \
         UTF-8"
    )]
    Utf16Le,
    /// UTF-16, the higher byte first.
    #[error("it is UTF-16, the higher byte first; `iconv -f UTF-16BE -t UTF-8` makes it UTF-8")]
    Utf16Be,
    /// Lines that end in a carriage return alone.
    #[error("its lines end in carriage returns alone; `tr '\\r' '\\n'` makes them line feeds")]
    CarriageReturns,
}

impl Foreign {
    /// Whether the beginning of a text, or the whole first line, is UTF-16: by its byte-order mark, or
    /// because every other byte of what looks like ASCII is 0.
    #[must_use]
    pub fn utf16(beginning: &[u8]) -> Option<Self> {
        /// As much as is looked at.
        const ENOUGH: usize = 64;
        let is_wide = |text: &[u8]| text.is_empty() || text.contains(&0);
        match beginning {
            [0xff, 0xfe, text @ ..] if is_wide(text) => return Some(Self::Utf16Le),
            [0xfe, 0xff, text @ ..] if is_wide(text) => return Some(Self::Utf16Be),
            _ => {}
        }
        let pairs = beginning[..beginning.len().min(ENOUGH)].as_chunks::<2>().0;
        let ascii = |byte: u8| byte != 0 && byte.is_ascii();
        let most = |count: usize| count > 1 && count * 4 >= pairs.len() * 3;
        let lower_first = pairs.iter().filter(|[a, b]| ascii(*a) && *b == 0).count();
        let higher_first = pairs.iter().filter(|[a, b]| *a == 0 && ascii(*b)).count();
        if most(lower_first) {
            Some(Self::Utf16Le)
        } else if most(higher_first) {
            Some(Self::Utf16Be)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Foreign;

    #[test]
    fn both_kinds_of_utf16_are_known_with_and_without_their_mark() {
        for text in ["StartMaster\r\n", "{\"history\":1}\n", "S\n", "# Zürich\n"] {
            let units = || text.encode_utf16();
            let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
            let marked = |mark: [u8; 2], text: &[u8]| [&mark[..], text].concat();
            assert_eq!(Foreign::utf16(&little), Some(Foreign::Utf16Le), "{text}");
            assert_eq!(Foreign::utf16(&big), Some(Foreign::Utf16Be), "{text}");
            let little = marked([0xff, 0xfe], &little);
            assert_eq!(Foreign::utf16(&little), Some(Foreign::Utf16Le), "{text}");
            let big = marked([0xfe, 0xff], &big);
            assert_eq!(Foreign::utf16(&big), Some(Foreign::Utf16Be), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_utf16() {
        for text in [
            "",
            "S",
            "StartMaster\n",
            "a\0b",
            "\u{feff}StartMaster",
            "\0\0\0\0",
            "Zürich",
        ] {
            assert_eq!(Foreign::utf16(text.as_bytes()), None, "{text:?}");
        }
    }
}
