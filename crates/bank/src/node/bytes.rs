//! Numbers as bytes: seven bits a byte, the lowest first, all bytes but the last with their eighth bit
//! set. Most amounts are small, so most take one byte.

use super::Broken;

/// Appends a number.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, number: u64) {
    match number < 0x80 {
        true => out.push(number as u8),
        false => put_long(out, number),
    }
}

fn put_long(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends these, the same as one after the other, and sooner where all are small.
#[inline(always)]
pub(super) fn put_each<const N: usize>(out: &mut Vec<u8>, numbers: [u64; N]) {
    match numbers.iter().all(|number| *number < 0x80) {
        true => out.extend_from_slice(&numbers.map(|number| number as u8)),
        false => numbers.iter().for_each(|number| put_long(out, *number)),
    }
}

/// Appends how many there are, then each.
pub(super) fn put_all<T>(
    out: &mut Vec<u8>,
    all: impl ExactSizeIterator<Item = T>,
    mut put_one: impl FnMut(&mut Vec<u8>, T),
) {
    put(out, all.len() as u64);
    all.for_each(|one| put_one(out, one));
}

/// What is left to be read.
#[derive(Debug)]
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl Bytes<'_> {
    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, Broken> {
        match *self.0 {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.0 = rest;
                Ok(byte.into())
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * index);
            if shifted >> (7 * index) != bits {
                break;
            }
            number |= shifted;
            if *byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(number);
            }
        }
        Err(Broken::Unreadable("a number that has no end"))
    }

    /// A number that is stored in this type.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Broken> {
        let small = T::try_from(self.number()?);
        small.map_err(|_| Broken::Unreadable("a number that is too large"))
    }

    pub(super) fn flag(&mut self) -> Result<bool, Broken> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken::Unreadable("neither no nor yes")),
        }
    }

    /// As many as [`put_all`] has appended.
    pub(super) fn all<T, C: FromIterator<T>>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Broken>,
    ) -> Result<C, Broken> {
        let count = self.number()?;
        // Each takes a byte at least.
        if count > self.0.len() as u64 {
            return Err(Broken::Unreadable("more than there is"));
        }
        (0..count).map(|_| one(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_and_a_part_of_it_is_none() {
        let powers = (0..64).map(|power| 1_u64 << power);
        let edges = powers.flat_map(|power| [power - 1, power, power + 1]);
        for number in edges.chain([u64::MAX]) {
            let mut out = Vec::new();
            put(&mut out, number);
            let mut bytes = Bytes(&out);
            assert_eq!(bytes.number().unwrap(), number);
            assert!(bytes.0.is_empty());
            for numbers in [[1, number], [number, 1]] {
                let (mut each, mut one_by_one) = (Vec::new(), Vec::new());
                put_each(&mut each, numbers);
                numbers.iter().for_each(|it| put(&mut one_by_one, *it));
                assert_eq!(each, one_by_one);
            }
            assert!(Bytes(&out[..out.len() - 1]).number().is_err());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut large = vec![0xff; 9];
        large.push(1);
        assert_eq!(Bytes(&large).number().unwrap(), u64::MAX);
        large[9] = 2;
        assert!(Bytes(&large).number().is_err());
        assert!(Bytes(&[0x80; 11]).number().is_err());
        assert!(Bytes(&[0x80, 0x02]).small::<u8>().is_err());
        let many: Result<Vec<u64>, _> = Bytes(&[0xff, 0x7f, 1]).all(Bytes::number);
        assert!(many.is_err());
    }
}
