//! What master says was lost with a node.

/// The amounts of one line `lost with node …`.
#[derive(Debug, Default)]
pub struct Loss {
    /// What was in its account.
    pub balance: u64,
    /// On the way to the dead.
    pub into: Transfers,
    /// Its own, not written.
    pub own: Transfers,
}

/// Messages with an amount.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transfers {
    /// How many.
    pub count: u64,
    /// All their amounts together.
    pub amount: u64,
}

impl Loss {
    /// The amounts of such a line.
    #[track_caller]
    pub fn parse(line: &str) -> Self {
        let (_, lost) = line.split_once(": its balance of ").expect(line);
        let mut loss = Self::default();
        for (index, part) in lost.split(", ").enumerate() {
            let numbers: Vec<u64> = part
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|digits| digits.parse().ok())
                .collect();
            if index == 0 {
                loss.balance = numbers[0];
                continue;
            }
            let transfers = Transfers {
                count: numbers[0],
                amount: numbers[1],
            };
            match part {
                part if part.ends_with("on the way to it") => loss.into = transfers,
                part if part.ends_with("of its own that it had not written") => {
                    loss.own = transfers
                }
                part => panic!("what is this? {part}"),
            }
        }
        loss
    }

    /// All that was lost.
    pub fn total(&self) -> u64 {
        self.balance + self.into.amount + self.own.amount
    }
}
