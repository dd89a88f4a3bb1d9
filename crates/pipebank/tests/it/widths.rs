//! What is shown at terminals of different widths: the terminal never has to break a line, and so no
//! word, and what stands under another thing stays there.

use testing::Folder;

use crate::tty::{CTRL_C, CTRL_D, Session};

const WIDTHS: [u16; 3] = [40, 80, 120];

/// All that is written there, as words.
fn words(rows: &[String]) -> String {
    let words: Vec<&str> = rows.iter().flat_map(|row| row.split_whitespace()).collect();
    words.join(" ")
}

#[test]
fn a_refused_script_is_shown_with_its_carets_in_place() {
    for columns in WIDTHS {
        let place = Folder::new();
        let script =
            "StartMaster\nCreateNode 1 100 and far more words than this command takes here\n";
        place.file("script.txt", script);
        let path = place.path("script.txt");
        let mut session = Session::start_wide(columns, &["--check", path.to_str().unwrap()]);
        assert_eq!(session.end(), 2);
        // The path is one word, and may be wider than the terminal.
        let screen = session.looked_at(columns);
        let rows: Vec<String> = screen.rows(0, columns).collect();
        let carets = rows.iter().position(|row| row.contains("^^^")).unwrap();
        let word = rows[carets - 1].find("and").expect("the word is there");
        assert_eq!(rows[carets].find('^'), Some(word), "{rows:#?}");
        assert!(!screen.row_wrapped(carets as u16 - 1), "{rows:#?}");
    }
}

#[test]
fn messages_and_help_at_the_prompt_end_between_words() {
    for columns in WIDTHS {
        let mut session = Session::start_wide(columns, &["--seed", "1"]);
        session.command("help");
        session.prompt();
        let help = session.rows(columns);
        assert!(words(&help).contains("and node ids."), "{help:#?}");
        for command in [
            "StartMaster",
            "CreateNode 1 100",
            "CreateNode 2 200",
            "CreateNode 3 1",
            "Send 1 2 30",
            "BeginSnapshot 2",
            "CollectState",
        ] {
            session.type_keys(command);
            session.type_keys("\r");
            session.prompt();
        }
        let shown = session.rows(columns);
        let told = "`CollectState`: markers are still on their way: snapshot 1: node 1 waits for its \
                    first marker on 2 → 1, 3 → 1;";
        assert!(words(&shown).contains(told), "{shown:#?}");
        session.type_keys("\x0cnodes\r");
        session.prompt();
        session.type_keys("show\r");
        session.prompt();
        let shown = words(&session.rows(columns));
        assert!(
            shown.contains("and 1 marker from node 1") || shown.contains("▷"),
            "{shown}"
        );
        session.type_keys(CTRL_D);
        session.end();
        session.rows(columns);
    }
}

#[test]
fn a_load_that_is_interrupted_leaves_nothing_of_its_line_behind() {
    for columns in WIDTHS {
        let arguments = ["load", "--nodes", "3", "--duration", "600", "--seed", "1"];
        let mut session = Session::start_wide(columns, &arguments);
        // How much the line says depends on how long its numbers are.
        for _ in 0..3 {
            session.expect("/s");
        }
        session.rows(columns);
        session.type_keys(CTRL_C);
        assert_eq!(session.end(), 130);
        // The summary is a result, and as wide as it is.
        let rows: Vec<String> = session.looked_at(columns).rows(0, columns).collect();
        assert!(rows[0].starts_with("nodes "), "{rows:#?}");
        let left = |row: &&String| row.contains(['█', '░', '^']);
        assert_eq!(rows.iter().find(left), None, "{rows:#?}");
    }
}

#[test]
fn a_malformed_command_line_is_told_without_breaking_a_word() {
    for columns in WIDTHS {
        let mut session = Session::start_wide(columns, &["--seed", "1", "load"]);
        assert_eq!(session.end(), 2);
        let told = "`load` is a subcommand, and options come after it; a script of that name is run \
                    as `./load`";
        let rows = session.rows(columns);
        assert!(words(&rows).contains(told), "{rows:#?}");
    }
}
