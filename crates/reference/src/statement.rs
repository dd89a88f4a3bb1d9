//! The commands of a script, as the static check of the language lets them through.

/// One command. Ids and amounts are the numbers that stand in the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Statement {
    /// `StartMaster`: every ordered pair of nodes gets a channel; `sparse`: those that `Connect` opens.
    Start {
        sparse: bool,
    },
    /// Forgets everything.
    KillAll,
    Create {
        id: u64,
        deposit: u64,
    },
    Connect {
        from: u64,
        to: u64,
    },
    Kill {
        id: u64,
    },
    /// Brings back a node that was killed, in a bank that lasts.
    Restart {
        id: u64,
    },
    Send {
        from: u64,
        to: u64,
        amount: u64,
    },
    /// From any channel, unless told from which.
    Receive {
        to: u64,
        from: Option<u64>,
    },
    ReceiveAll,
    Begin {
        id: u64,
    },
    Collect,
    /// The newest, unless told which.
    Print {
        number: Option<u64>,
    },
    /// Shows something on stderr at most.
    Nothing,
}

/// A script: what stands on which line (counted from 1), but for lines that do nothing.
///
/// # Panics
///
/// If the static check would refuse the script.
pub(crate) fn statements(script: &str) -> impl Iterator<Item = (usize, Statement)> + '_ {
    let script = script.strip_prefix('\u{feff}').unwrap_or(script);
    script.lines().enumerate().filter_map(|(index, text)| {
        let statement = statement(index + 1, text);
        (statement != Statement::Nothing).then_some((index + 1, statement))
    })
}

fn statement(line: usize, text: &str) -> Statement {
    let words = words(text);
    let Some((&name, rest)) = words.split_first() else {
        return Statement::Nothing;
    };
    let refused = || -> ! { panic!("line {line}: the static check refuses {text:?}") };
    let number = |at: usize| -> u64 { rest[at].parse().unwrap_or_else(|_| refused()) };
    match (name, rest.len()) {
        ("StartMaster", 0) => Statement::Start { sparse: false },
        ("StartMaster", 1) if rest[0] == "sparse" => Statement::Start { sparse: true },
        ("nodes", 0) => Statement::Nothing,
        ("KillAll", 0) => Statement::KillAll,
        ("CreateNode", 2) => Statement::Create {
            id: number(0),
            deposit: number(1),
        },
        ("Connect", 2) => Statement::Connect {
            from: number(0),
            to: number(1),
        },
        ("KillNode", 1) => Statement::Kill { id: number(0) },
        ("RestartNode", 1) => Statement::Restart { id: number(0) },
        ("Send", 3) => Statement::Send {
            from: number(0),
            to: number(1),
            amount: number(2),
        },
        ("Receive", 1 | 2) => Statement::Receive {
            to: number(0),
            from: (rest.len() == 2).then(|| number(1)),
        },
        ("ReceiveAll", 0) => Statement::ReceiveAll,
        ("BeginSnapshot", 1) => Statement::Begin { id: number(0) },
        ("CollectState", 0) => Statement::Collect,
        ("PrintSnapshot", 0 | 1) => Statement::Print {
            number: (rest.len() == 1).then(|| number(0)),
        },
        _ => refused(),
    }
}

/// The words of a line, without its comment.
#[must_use]
pub fn words(line: &str) -> Vec<&str> {
    let code = line.split(['#', ';']).next().unwrap_or("");
    code.split_whitespace().collect()
}
