//! Commands in the documentation, cut as a shell would cut them.

use seine::cli::{Cli, Command};

use clap::Parser;

use super::markdown::fences;

/// A shell's words of one line, cut into commands at `|`, `&&`, `;` and redirections; enough shell for a README.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '&' | ';' | '<' | '>') => {
                all.last_mut().expect("never empty").extend(word.take());
                all.push(Vec::new());
            }
            (None, c) if c.is_whitespace() => all.last_mut().expect("never empty").extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote is left open in: {line}");
    all.last_mut().expect("never empty").extend(word);
    all.retain(|command| !command.is_empty());
    all
}

/// Commands of a page with the lines they stand in.
pub fn all_commands(page: &str) -> Vec<(String, Vec<String>)> {
    let blocks = ["sh", "console", "crontab"].into_iter().flat_map(|language| fences(page, language));
    let lines = blocks.flat_map(str::lines).map(|line| line.strip_prefix("$ ").unwrap_or(line));
    lines.flat_map(|line| commands(line).into_iter().map(move |command| (line.to_owned(), command))).collect()
}

/// The arguments of seine in a command, if it runs seine: by name, through cargo, or in a container.
pub fn seine_arguments(command: &[String]) -> Option<&[String]> {
    let starts = |words: &[&str]| command.len() >= words.len() && command.iter().zip(words).all(|(a, b)| a == b);
    let after = |word: &str| command.iter().position(|other| other == word).map(|at| &command[at + 1..]);
    match () {
        () if starts(&["seine"]) => Some(&command[1..]),
        () if starts(&["cargo", "run"]) => after("--"),
        () if starts(&["docker", "run"]) => after("seine"),
        () => None,
    }
}

/// A command of seine, as the program understands it.
pub fn understood(line: &str, arguments: &[String]) -> Command {
    let words = ["seine"].into_iter().chain(arguments.iter().map(String::as_str));
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}\n{error}")).command
}

/// The SQL that a command of seine hands to the store: a query, or a condition over the rows of a view.
pub fn sql_of(command: &Command) -> Option<String> {
    let over = |view: &str, condition: &Option<String>| {
        condition.as_ref().map(|condition| format!("SELECT 1 FROM {view} WHERE {condition}"))
    };
    match command {
        Command::Sql(args) => args.asked.query().map(str::to_owned),
        Command::Retry(args) => over("pages", &Some(args.condition.clone())),
        Command::Extract(args) => over("pages", &args.condition),
        Command::Diff(args) => over("pages", &args.condition),
        Command::Links(args) => over("links", &args.condition),
        Command::Export(args) if args.sql.is_some() => args.sql.clone(),
        Command::Export(args) => over(args.table.first().map_or("pages", String::as_str), &args.condition),
        _ => None,
    }
}

#[test]
fn a_line_of_shell_is_cut_as_a_shell_cuts_it() {
    let words = |line: &str| commands(line).iter().map(|command| command.join("·")).collect::<Vec<_>>();
    assert_eq!(words("a 'b c' \"d's\" ''"), ["a·b c·d's·"]);
    assert_eq!(
        words("cd x && seine crawl - --db='a b' <in >out | wc"),
        ["cd·x", "seine·crawl·-·--db=a b", "in", "out", "wc"]
    );
}
