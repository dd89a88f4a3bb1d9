//! `master man`: the manual pages, made of what `--help` says.

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use bank::script::printable;

use crate::master::shared::{Error, Stop, nearest, status, write_out};

/// Print a manual page (roff): `master man | man -l -`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:

  $ master man | man -l -
  $ master man load > master-load.1

Exit status:

  0        the page is printed
  1        it cannot be written
  2        there is no such subcommand
  141      standard output was closed by its reader")]
pub(crate) struct ManOptions {
    /// The subcommand that the page is about, as in `import cos418`; without it, the page is about
    /// master itself
    subcommand: Vec<String>,
}

/// Prints a page on `master`, whose whole command line this is, or on one of its subcommands.
pub(crate) fn run(options: &ManOptions, master: Command) -> Result<u8, Error> {
    let mut master = master.disable_help_subcommand(true);
    master.build();
    let mut command = &mut master;
    for name in &options.subcommand {
        let names = command.get_subcommands().map(Command::get_name);
        let missing = Error::NoPage {
            name: printable(name.as_bytes()).to_string(),
            meant: nearest(name, names).map(str::to_owned),
        };
        command = command.find_subcommand_mut(name).ok_or(missing)?;
    }
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let help = command.get_after_long_help().map(ToString::to_string);
    let version = concat!("master ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone().override_usage(usage)).source(version);

    let mut text = Vec::new();
    page.render_title(&mut text)
        .and_then(|()| page.render_name_section(&mut text))
        .and_then(|()| page.render_synopsis_section(&mut text))
        .and_then(|()| page.render_description_section(&mut text))
        .and_then(|()| page.render_options_section(&mut text))
        .and_then(|()| match command.has_subcommands() {
            true => page.render_subcommands_section(&mut text),
            false => Ok(()),
        })
        .and_then(|()| sections(&help.unwrap_or_default()).to_writer(&mut text))
        .map_err(Stop::Stdout)?;
    write_out(&text)?;
    Ok(status::DONE)
}

/// What stands beneath the options in `--help`: a line that ends in a colon is a heading, what is
/// indented stays as it is, and everything else is prose.
fn sections(help: &str) -> Roff {
    let mut page = Roff::new();
    let mut is_verbatim = false;
    let mut lines = help.lines().peekable();
    while let Some(line) = lines.next() {
        let is_indented = line.starts_with(' ');
        let goes_on = lines.peek().is_some_and(|next| next.starts_with(' '));
        if is_indented != is_verbatim && !line.is_empty() {
            is_verbatim = is_indented;
            page.control(if is_verbatim { "nf" } else { "fi" }, []);
        }
        match line.strip_suffix(':') {
            Some(heading) if !is_indented => {
                page.control("SH", [heading.to_uppercase().as_str()]);
            }
            _ if line.is_empty() && is_verbatim && goes_on => {
                page.text([roman("")]);
            }
            _ if line.is_empty() => {
                page.control("PP", []);
            }
            _ => {
                page.text([roman(line)]);
            }
        }
    }
    if is_verbatim {
        page.control("fi", []);
    }
    page
}
