//! The language as a whole: what is accepted, and as what; what is refused, and how it looks.

mod files;
mod opening;
mod random;
mod refused;
mod shown;
mod sparse;

use super::{Checker, Command, Names, read_lasting_script, read_script};
use crate::id::NodeId;

/// The commands of a script that is accepted where the bank lasts.
#[track_caller]
fn commands(script: &[u8]) -> Vec<Command> {
    match read_lasting_script(script) {
        Ok(statements) => {
            let mut names = Names::default();
            let commands = statements.iter();
            commands
                .map(|statement| names.follow(statement.command))
                .collect()
        }
        Err(_) => panic!("refused:\n{}", rendered(script)),
    }
}

/// All refusals of a file called `a`, as they are shown; empty where there are none.
fn rendered(script: &[u8]) -> String {
    match read_script(script) {
        Ok(_) => String::new(),
        Err(refusals) => refusals
            .iter()
            .map(|refusal| format!("{}\n", refusal.display("a")))
            .collect(),
    }
}

#[test]
fn every_command_is_read() {
    let script = b"KillAll\nStartMaster\nCreateNode 1 1000\nCreateNode 0 0\nSend 1 0 300\n\
        Receive 0 1\nReceive 0\nReceiveAll\nBeginSnapshot 1\nCollectState\nPrintSnapshot\n\
        PrintSnapshot 2\nKillNode 1\nRestartNode 1\nnodes\nKillAll\nStartMaster sparse\nCreateNode 1 5\n\
        CreateNode 0 0\nConnect 1 0\nSend 1 0 7\n";
    let (zero, one) = (NodeId(0), NodeId(1));
    let wanted = [
        Command::KillAll,
        Command::StartMaster { sparse: false },
        Command::CreateNode {
            id: one,
            amount: 1000,
        },
        Command::CreateNode {
            id: zero,
            amount: 0,
        },
        Command::Send {
            from: one,
            to: zero,
            amount: 300,
        },
        Command::Receive {
            to: zero,
            from: Some(one),
        },
        Command::Receive {
            to: zero,
            from: None,
        },
        Command::ReceiveAll,
        Command::BeginSnapshot { id: one },
        Command::CollectState,
        Command::PrintSnapshot { number: None },
        Command::PrintSnapshot { number: Some(2) },
        Command::KillNode { id: one },
        Command::RestartNode { id: one },
        Command::Nodes,
        Command::KillAll,
        Command::StartMaster { sparse: true },
        Command::CreateNode { id: one, amount: 5 },
        Command::CreateNode {
            id: zero,
            amount: 0,
        },
        Command::Connect {
            from: one,
            to: zero,
        },
        Command::Send {
            from: one,
            to: zero,
            amount: 7,
        },
    ];
    assert_eq!(commands(script), wanted);
}

#[test]
fn blanks_comments_and_line_ends_do_not_matter() {
    let start = [Command::StartMaster { sparse: false }];
    let scripts: [&[u8]; 14] = [
        b"StartMaster",
        b"StartMaster\n",
        b"StartMaster\r\n",
        b"StartMaster\r",
        b"\xef\xbb\xbfStartMaster\n",
        b"\n\r\n \t \n\t StartMaster\t \n\n",
        b"StartMaster#comment",
        b"StartMaster;comment",
        b"StartMaster # Send 1 2 3 ; x\r\n",
        b"# x\n;\n  ; y\nStartMaster",
        b"# \xff\x00\x1b[2J\xc3\nStartMaster ; \xe2\x86",
        b"#\nStartMaster\n#",
        b"\xef\xbb\xbf\nStartMaster",
        b"\xef\xbb\xbf# x\nStartMaster",
    ];
    for script in scripts {
        assert_eq!(
            commands(script),
            start,
            "{:?}",
            script.escape_ascii().to_string()
        );
    }
    assert_eq!(commands(b""), []);
    assert_eq!(commands(b"\xef\xbb\xbf"), []);
    assert_eq!(
        commands(b"StartMaster\nCreateNode 1 2#x")[1].to_string(),
        "CreateNode 1 2"
    );
}

#[test]
fn leading_zeros_do_not_count() {
    let zeros = "0".repeat(10_000);
    let script = format!(
        "StartMaster\nCreateNode 007 {zeros}18446744073709551615\nCreateNode {zeros} 0\n\
         Receive {zeros}7\nPrintSnapshot {zeros}1\n"
    );
    let wanted = [
        "StartMaster",
        "CreateNode 7 18446744073709551615",
        "CreateNode 0 0",
        "Receive 7",
        "PrintSnapshot 1",
    ];
    let read: Vec<_> = commands(script.as_bytes())
        .iter()
        .map(Command::to_string)
        .collect();
    assert_eq!(read, wanted);
}

#[test]
fn statements_know_their_lines_and_are_small() {
    let statements = read_script(b"\n# x\nStartMaster\n\r\nnodes").unwrap();
    let lines: Vec<_> = statements.iter().map(|statement| statement.line).collect();
    assert_eq!(lines, [3, 5]);
    assert!(size_of::<super::Statement>() <= 32);
}

#[test]
fn a_refused_line_of_a_session_changes_nothing() {
    let session = [
        ("CreateNode 1 5", false),
        ("Send 1 2 3", false),
        ("KillAll", true),
        ("StartMaster x", false),
        ("CreateNode 1 5", false),
        ("StartMaster", true),
        ("StartMaster", false),
        ("CreateNode 1 x", false),
        ("CreateNode 1 -5", false),
        ("CreatNode 1 5", false),
        ("Receive 1", false),
        ("CreateNode 1 18446744073709551615", true),
        ("CreateNode 2 1", false),
        ("CreateNode 2 0", true),
        ("CreateNode 2 0", false),
        ("KillAll x", false),
        ("killall", false),
        ("Send 1 2 3", true),
        ("KillNode 1", true),
        ("CreateNode 1 0", false),
        ("Send 1 2 3", true),
        ("KillAll", true),
        ("KillAll", true),
        ("Send 1 2 3", false),
        ("StartMaster", true),
        ("Send 1 2 3", false),
        ("CreateNode 1 18446744073709551615", true),
    ];
    let mut checker = Checker::new();
    for (number, (line, accepted)) in (1..).zip(session) {
        let before: Vec<_> = checker.ids().collect();
        let result = checker.line(number, line.as_bytes());
        assert_eq!(
            result.is_ok(),
            accepted,
            "line {number}: {line}: {result:?}"
        );
        if !accepted {
            assert_eq!(
                checker.ids().collect::<Vec<_>>(),
                before,
                "line {number}: {line}"
            );
        }
    }
    assert_eq!(checker.ids().collect::<Vec<_>>(), [NodeId(1)]);
}
