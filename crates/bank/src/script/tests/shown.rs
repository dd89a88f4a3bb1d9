//! Refused lines as a terminal shows them: harmless, aligned, bounded.

use super::{read_script, rendered};

#[test]
fn foreign_characters_are_shown_harmless_and_the_caret_stays_under_the_word() {
    let cases: [(&[u8], &str); 9] = [
        (
            b"\x1b[2J 1",
            "a:1:1: unknown command `\\x1b[2J`\n    \\x1b[2J 1\n    ^^^^^^^\n",
        ),
        (
            b"KillAll\t\t\x00x # \xff",
            "a:1:10: surplus word `\\x00x`: `KillAll` takes none\n    KillAll  \\x00x # \u{fffd}\n             ^^^^^\n",
        ),
        (
            b"\xff\xfe x\xc3",
            "a:1:1: unknown command `\u{fffd}\u{fffd}`\n    \u{fffd}\u{fffd} x\u{fffd}\n    ^^\n",
        ),
        (
            "数字 x".as_bytes(),
            "a:1:1: unknown command `数字`\n    数字 x\n    ^^^^\n",
        ),
        (
            "KillAll é数\u{202e}".as_bytes(),
            "a:1:9: surplus word `é数\\u{202e}`: `KillAll` takes none\n    KillAll é数\\u{202e}\n            ^^^^^^^^^^^\n",
        ),
        (
            "KillAll 数\u{9b}\u{a0} x".as_bytes(),
            "a:1:9: surplus word `数\\u{9b}\\u{a0}`: `KillAll` takes none\n    KillAll 数\\u{9b}\\u{a0} x\n            ^^^^^^^^^^^^^^\n",
        ),
        (
            b"KillAll\rx\r\n",
            "a:1:1: unknown command `KillAll\\x0dx`; did you mean `KillAll`?\n    KillAll\\x0dx\n    ^^^^^^^^^^^^\n",
        ),
        (
            b"\xef\xbb\xbf x",
            "a:1:2: unknown command `x`\n     x\n     ^\n",
        ),
        (
            b"\n\xef\xbb\xbfx",
            "a:2:1: unknown command `\\u{feff}x`\n    \\u{feff}x\n    ^^^^^^^^^\n",
        ),
    ];
    for (script, wanted) in cases {
        assert_eq!(
            rendered(script),
            wanted,
            "{:?}",
            script.escape_ascii().to_string()
        );
    }
    let refusals = read_script(b"x").unwrap_err();
    assert!(
        refusals[0]
            .display("\x1b]0;é\n")
            .to_string()
            .starts_with("\\x1b]0;é\\x0a:1:1: ")
    );
}

#[test]
fn wide_lines_are_shortened_around_the_caret() {
    let spaces = |count| " ".repeat(count);
    let dots = ".".repeat(200);
    let shown = rendered(format!("x #{dots}").as_bytes());
    assert_eq!(
        shown,
        format!(
            "a:1:1: unknown command `x`\n    x #{}…\n    ^\n",
            &dots[..116]
        )
    );

    let line = format!("KillAll{}x #{dots}", spaces(300));
    let wanted = format!(
        "a:1:308: surplus word `x`: `KillAll` takes none\n    …{}x #{}…\n    {}^\n",
        spaces(40),
        &dots[..75],
        spaces(41),
    );
    assert_eq!(rendered(line.as_bytes()), wanted);

    let long = "y".repeat(1_000);
    let wanted = format!(
        "a:1:9: surplus word `{}…`: `KillAll` takes none\n    KillAll {}…\n    {}{}\n",
        &long[..39],
        &long[..111],
        spaces(8),
        "^".repeat(111),
    );
    assert_eq!(rendered(format!("KillAll {long}").as_bytes()), wanted);

    // The caret of a missing word stands behind the end.
    let line = format!("{}KillNode", spaces(200));
    let wanted = format!(
        "a:1:201: StartMaster comes first: put it on a line of its own before this one\n    …{0}KillNode\n    {0} ^^^^^^^^\n\
         a:1:209: missing ID: `KillNode ID`\n    …{1}KillNode\n    {0} ^\n",
        spaces(40),
        spaces(32),
    );
    assert_eq!(rendered(line.as_bytes()), wanted);

    for columns in [120, 121] {
        let line = format!("x #{}", &dots[..columns - 3]);
        let shown = rendered(line.as_bytes());
        assert_eq!(shown.contains('…'), columns > 120, "{shown}");
    }
}

#[test]
fn what_is_shown_is_bounded_also_where_characters_have_no_width() {
    let letters = "\u{1160}".repeat(20_000);
    let shown = rendered(letters.as_bytes());
    assert!(shown.len() < 1_000, "{} bytes", shown.len());
    let caret = format!("\n    {}\n", "^".repeat(119));
    assert!(shown.ends_with(&caret), "{shown}");
}
