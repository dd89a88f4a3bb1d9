//! `master tour`: a screen at a time at a terminal, played through elsewhere, with a page at its end.

use std::fs;

use testing::{Folder, gone};

use crate::tty::{CTRL_C, ENTER, ROWS, Session};

const FOOTER: &str = "Enter goes on, q leaves";
const PAGE: &str = "pipebank-tour.html";

/// Waits for a screen.
#[track_caller]
fn next(session: &mut Session) {
    session.expect(FOOTER);
}

#[test]
fn every_screen_fits_and_the_last_one_names_the_page() {
    // Each is drawn anew, from the top: what is too tall pushes its title out.
    let mut session = Session::start_wide(80, &["tour"]);
    let mut number: u32 = 0;
    let count = loop {
        number += 1;
        next(&mut session);
        let rows = session.rows(80);
        let (_, place) = rows[0].rsplit_once(' ').expect("a title");
        let (at, count) = place.split_once('/').expect("the number of the screen");
        assert_eq!(at, number.to_string(), "{rows:#?}");
        assert!(rows.iter().any(|row| row.starts_with(FOOTER)), "{rows:#?}");
        assert!(rows.iter().any(|row| row.starts_with("> ")), "{rows:#?}");
        assert!(
            rows.iter().any(|row| row.contains("in transit")),
            "{rows:#?}"
        );
        session.type_keys(if number.is_multiple_of(2) { " " } else { ENTER });
        if (number + 1).to_string() == count {
            break count.to_owned();
        }
    };
    assert_eq!(session.end(), 0);
    let shown = session.looked_at(80).contents();
    let page = session.master.path(PAGE);
    let (_, page_name) = page.to_str().unwrap().rsplit_once('/').unwrap();
    assert!(shown.contains(&format!("{count}/{count}")), "{shown}");
    assert!(shown.contains(page_name), "{shown}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("</html>"));
    session.expect_end(0);
}

#[test]
fn at_other_widths_no_word_is_broken() {
    for columns in [40, 120] {
        let mut session = Session::start_wide(columns, &["tour", "--seed", "7"]);
        for _ in 1..=5 {
            next(&mut session);
            session.rows(columns);
            session.type_keys(ENTER);
        }
        session.type_keys("q");
        session.expect_end(0);
    }
}

#[test]
fn who_leaves_early_leaves_nothing_behind() {
    for (key, status) in [("q", 0), (CTRL_C, 130)] {
        let mut session = Session::start_wide(80, &["tour", "--run-dir", "run"]);
        next(&mut session);
        session.type_keys("x");
        session.type_keys(ENTER);
        next(&mut session);
        let pids = session.pids();
        assert_eq!(pids.nodes.len(), 2);
        session.type_keys(key);
        assert_eq!(session.end(), status);
        gone(session.master.family());
        let screen = session.looked_at(80);
        assert_eq!(
            screen.cursor_position().1,
            0,
            "the shell's prompt has a line of its own"
        );
        assert!(screen.cursor_position().0 < ROWS);
        assert!(!session.master.path(PAGE).exists());
        session.expect_end(status);
    }
}

#[test]
fn elsewhere_it_is_played_through_without_waiting_and_in_plain_text() {
    let place = Folder::new();
    let ended = place.run(&["tour", "--ascii", "--seed", "3", "-o", "run.svg"]);
    assert_eq!(ended.err, "");
    ended.expect_status(0);
    assert!(
        ended.out.is_ascii() && !ended.out.contains('\x1b'),
        "{}",
        ended.out
    );
    for line in [
        "> BeginSnapshot 1\nStarted by Node 1\n",
        "channel (2 -> 1) = 100\n",
        "> KillNode 2\nnode 2 died (killed by signal 9)\nlost with node 2: ",
        "S2 is collected: 1800 in all",
        "S3 is collected: 1800 in all",
        "> Send 1 3 5000\nERR_SEND\n",
    ] {
        assert!(ended.out.contains(line), "no {line:?} in:\n{}", ended.out);
    }
    let path = place.path("run.svg");
    assert!(ended.out.contains("run.svg"));
    assert!(fs::read_to_string(path).unwrap().starts_with("<svg"));
}

#[test]
fn a_page_that_cannot_be_written_is_known_before_anything_starts() {
    let place = Folder::new();
    let ended = place.run(&["tour", "-o", "nowhere/page.html"]);
    assert_eq!(ended.out, "");
    assert!(
        ended
            .err
            .starts_with("nowhere/page.html: the picture cannot be written: ")
    );
    ended.expect_status(2);
}
