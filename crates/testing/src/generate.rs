//! Random scripts that the static check accepts: the same seed and size, the same text.

use std::fmt::{Display, Write as _};

use reference::Draw;

/// How large a script becomes.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Nodes a round, at most.
    pub nodes: usize,
    /// Commands in all, about.
    pub commands: usize,
    /// From `StartMaster` to `KillAll` or the end.
    pub rounds: usize,
    /// Whether nodes may be killed.
    pub deaths: bool,
    /// Every how many rounds the system is sparse.
    pub sparse_one_in: usize,
}

impl Size {
    /// 2 to 12 nodes, 20 to 320 commands, one to three rounds; every fourth seed kills nodes.
    pub fn of(seed: u64) -> Self {
        let mut draw = Draw::from_seed(seed.wrapping_mul(3).wrapping_add(1));
        Self {
            nodes: 2 + draw.pick(11),
            commands: 20 + draw.pick(301),
            rounds: 1 + draw.pick(3),
            deaths: seed % 4 == 2,
            sparse_one_in: 3,
        }
    }

    /// 20 nodes and 3,000 commands in one round.
    pub const BIG: Self = Self {
        nodes: 20,
        commands: 3_000,
        rounds: 1,
        deaths: false,
        sparse_one_in: usize::MAX,
    };
}

/// A valid script.
pub fn script(seed: u64, size: Size) -> String {
    generate(seed, size, false)
}

/// One for a bank that lasts: many nodes are killed, whatever `size` says, and most are started again.
pub fn lasting_script(seed: u64, size: Size) -> String {
    generate(seed, size, true)
}

/// A script for a bank that lasts as so many, each of which opens the bank that the one before has left.
pub fn pieces_of(text: &str, pieces: usize, seed: u64) -> Vec<String> {
    let mut draw = Draw::from_seed(seed ^ 0x000c_077e);
    let lines: Vec<&str> = text.lines().collect();
    let mut ends: Vec<usize> = (1..pieces).map(|_| draw.pick(lines.len() + 1)).collect();
    ends.sort_unstable();
    let (mut scripts, mut at, mut is_open) = (Vec::new(), 0, false);
    for end in ends.into_iter().chain([lines.len()]) {
        let mut script = String::from(if is_open { "StartMaster\n" } else { "" });
        for line in &lines[at..end] {
            match line.split_whitespace().next() {
                Some("StartMaster") => is_open = true,
                Some("KillAll") => is_open = false,
                _ => {}
            }
            script += line;
            script += "\n";
        }
        scripts.push(script);
        at = end;
    }
    scripts
}

fn generate(seed: u64, size: Size, lasts: bool) -> String {
    let mut generator = Generator {
        // Not the generator that the run itself will be seeded with.
        draw: Draw::from_seed(seed ^ 0x9e37_79b9_7f4a_7c15),
        text: format!("# generated from seed {seed}\n"),
        ids: Vec::new(),
        channels: None,
        sent: Vec::new(),
        lasts,
        dead: Vec::new(),
        deposits_left: u64::MAX,
    };
    for round in 0..size.rounds {
        generator.round(size);
        // The end of the script acts as KillAll too.
        if round + 1 < size.rounds || generator.one_in(2) {
            generator.line(["KillAll"]);
        }
    }
    generator.text
}

struct Generator {
    draw: Draw,
    text: String,
    ids: Vec<u64>,
    /// Those that were opened, in a sparse system.
    channels: Option<Vec<[u64; 2]>>,
    /// Directions in which something was sent, so that most of what is received is there.
    sent: Vec<[u64; 2]>,
    lasts: bool,
    /// Those that were killed and not started again, where the bank lasts.
    dead: Vec<u64>,
    deposits_left: u64,
}

impl Generator {
    fn round(&mut self, size: Size) {
        self.ids.clear();
        self.sent.clear();
        self.dead.clear();
        self.deposits_left = u64::MAX;
        let sparse = self.one_in(size.sparse_one_in);
        self.channels = sparse.then(Vec::new);
        match sparse {
            true => self.line(["StartMaster", "sparse"]),
            false => self.line(["StartMaster"]),
        }
        let at_first = 1 + self.draw.pick(size.nodes);
        for _ in 0..at_first {
            self.create();
        }
        if sparse {
            self.connect_some();
        }
        for _ in 0..size.commands / size.rounds {
            if self.lasts {
                self.death_or_restart();
            }
            self.step(size);
        }
        if !self.dead.is_empty() && !self.one_in(4) {
            for id in std::mem::take(&mut self.dead) {
                self.restart(id);
            }
        }
        if !self.one_in(3) {
            self.line(["ReceiveAll"]);
            self.line(["CollectState"]);
            self.line(["PrintSnapshot"]);
        }
    }

    fn step(&mut self, size: Size) {
        match self.draw.pick(100) {
            0..=39 => self.transfers(),
            40..=57 => {
                let to = self.id();
                self.line(["Receive".to_owned(), to]);
            }
            58..=75 => {
                let pair = if self.sent.is_empty() || self.one_in(4) {
                    self.pair()
                } else {
                    let at = self.draw.pick(self.sent.len());
                    Some(self.sent.swap_remove(at))
                };
                let Some(pair) = pair else {
                    return;
                };
                let [from, to] = pair.map(|id| self.spelled(id));
                self.line(["Receive".to_owned(), to, from]);
            }
            76..=77 => self.line(["ReceiveAll"]),
            78..=83 => {
                let id = self.id();
                self.line(["BeginSnapshot".to_owned(), id]);
            }
            84..=87 => self.collect(),
            88..=90 => self.print(),
            91..=92 if self.channels.is_some() => self.connect(),
            91..=94 if self.ids.len() < size.nodes => self.create(),
            95 => self.line(["nodes"]),
            96..=97 => {
                let said = ["", "   ", "# Send 1 2 3", "\t; a remark"][self.draw.pick(4)];
                self.line([said]);
            }
            98 if size.deaths && self.one_in(2) => {
                let id = self.id();
                self.line(["KillNode".to_owned(), id]);
            }
            _ => {}
        }
    }

    /// Mostly neither.
    fn death_or_restart(&mut self) {
        match self.draw.pick(50) {
            0..=1 => {
                let id = self.ids[self.draw.pick(self.ids.len())];
                // Sometimes twice the same, which fails.
                if !self.dead.contains(&id) {
                    self.dead.push(id);
                }
                let id = self.spelled(id);
                self.line(["KillNode", &id]);
            }
            // Of one that is alive this fails.
            2 if self.one_in(4) => {
                let id = self.ids[self.draw.pick(self.ids.len())];
                self.dead.retain(|&dead| dead != id);
                self.restart(id);
            }
            3..=7 if !self.dead.is_empty() => {
                let at = self.draw.pick(self.dead.len());
                let id = self.dead.swap_remove(at);
                self.restart(id);
            }
            _ => {}
        }
    }

    fn restart(&mut self, id: u64) {
        let id = self.spelled(id);
        self.line(["RestartNode", &id]);
    }

    /// One transfer, or several in the same direction.
    fn transfers(&mut self) {
        let Some(pair) = self.pair() else {
            return;
        };
        let [from, to] = pair.map(|id| self.spelled(id));
        let times = if self.one_in(6) {
            2 + self.draw.pick(6)
        } else {
            1
        };
        for _ in 0..times {
            let amount = match self.draw.pick(20) {
                0 => 0,
                1 => u64::MAX - self.draw.pick(3) as u64,
                2 => self.up_to(u64::MAX),
                3 => 1 << 40,
                4..=6 => self.up_to(2_500),
                _ => self.up_to(120),
            };
            let amount = self.spelled(amount);
            self.line(["Send", &from, &to, &amount]);
            self.sent.push(pair);
        }
    }

    fn collect(&mut self) {
        // Sometimes too early.
        if !self.one_in(4) {
            self.line(["ReceiveAll"]);
        }
        // Sometimes with more traffic behind the markers.
        if self.one_in(4) {
            self.transfers();
        }
        self.line(["CollectState"]);
        if !self.one_in(3) {
            self.print();
        }
    }

    fn print(&mut self) {
        if self.one_in(2) {
            self.line(["PrintSnapshot"]);
        } else {
            let number = 1 + self.up_to(5);
            let number = self.spelled(number);
            self.line(["PrintSnapshot", &number]);
        }
    }

    fn create(&mut self) {
        let id = loop {
            let id = match self.draw.pick(8) {
                0..=2 => self.up_to(12),
                3..=4 => 10 + self.up_to(89),
                5 => 100 + self.up_to(899),
                6 => (1 << 40) + self.up_to(9),
                _ => u64::MAX - self.up_to(20),
            };
            if !self.ids.contains(&id) {
                break id;
            }
        };
        let deposit = match self.draw.pick(12) {
            0 => 0,
            1 => 1 << 40,
            2 => self.up_to(self.deposits_left),
            _ => self.up_to(3_000),
        };
        let deposit = deposit.min(self.deposits_left);
        self.deposits_left -= deposit;
        self.ids.push(id);
        let (id, deposit) = (self.spelled(id), self.spelled(deposit));
        self.line(["CreateNode", &id, &deposit]);
    }

    fn id(&mut self) -> String {
        let id = self.ids[self.draw.pick(self.ids.len())];
        self.spelled(id)
    }

    /// A channel that there is.
    fn pair(&mut self) -> Option<[u64; 2]> {
        let Some(channels) = &self.channels else {
            return self.any_pair();
        };
        match channels.len() {
            0 => None,
            many => Some(channels[self.draw.pick(many)]),
        }
    }

    /// A ring now and then; or else as many channels as chance will have it.
    fn connect_some(&mut self) {
        if self.one_in(2) {
            let ids = self.ids.clone();
            for (at, from) in ids.iter().enumerate().filter(|_| ids.len() > 1) {
                self.open([*from, ids[(at + 1) % ids.len()]]);
            }
        }
        let most = 2 * self.ids.len();
        for _ in 0..self.draw.pick(most + 1) {
            self.connect();
        }
    }

    fn connect(&mut self) {
        if let Some(pair) = self.any_pair() {
            self.open(pair);
        }
    }

    /// Opens a channel, if it is not there yet.
    fn open(&mut self, pair: [u64; 2]) {
        let Some(channels) = &mut self.channels else {
            return;
        };
        if !channels.contains(&pair) {
            channels.push(pair);
            let [from, to] = pair.map(|id| self.spelled(id));
            self.line(["Connect", &from, &to]);
        }
    }

    fn any_pair(&mut self) -> Option<[u64; 2]> {
        if self.ids.len() < 2 {
            return None;
        }
        let first = self.draw.pick(self.ids.len());
        let other = self.draw.pick(self.ids.len() - 1);
        let second = other + usize::from(other >= first);
        Some([first, second].map(|at| self.ids[at]))
    }

    /// With leading zeros now and then.
    fn spelled(&mut self, number: u64) -> String {
        if self.one_in(40) {
            format!("00{number}")
        } else {
            number.to_string()
        }
    }

    fn line<W: Display, const N: usize>(&mut self, words: [W; N]) {
        let gap = if self.one_in(30) { " \t " } else { " " };
        for (at, word) in words.iter().enumerate() {
            let gap = if at == 0 { "" } else { gap };
            let _ = write!(self.text, "{gap}{word}");
        }
        if self.one_in(50) {
            self.text.push_str(" # so be it; KillAll");
        }
        let end = if self.one_in(60) { "\r\n" } else { "\n" };
        self.text.push_str(end);
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.draw.pick(times) == 0
    }

    /// `0..=most`.
    fn up_to(&mut self, most: u64) -> u64 {
        let choices = usize::try_from(most).unwrap_or(usize::MAX);
        self.draw.pick(choices.saturating_add(1)) as u64
    }
}
