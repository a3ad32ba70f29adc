//! What is written for users, held against the program: README, example config and `--help` never part.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use clap::{CommandFactory, Parser};
use rusqlite::Connection;
use seine::cli::Cli;
use seine::commands::summary;
use seine::config::memory::Buffers;
use seine::config::{CrawlOptions, DEFAULT_CONCURRENCY, Http};
use seine::schedule::state::{JobState, State};
use seine::supervisor::{Report, frontier};
use seine::writer::batch;
use seine_core::protocol::EndedBy;
use seine_core::record::{ErrorClass, Outcome};
use seine_store::open_for_writing;
use seine_store::read::Summary;

fn project_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn readme() -> String {
    fs::read_to_string(project_file("README.md")).expect("README.md is there")
}

fn example() -> String {
    fs::read_to_string(project_file("config/seine.example.toml")).expect("the example config is there")
}

/// The program as a user starts it, its help as wide as a pipe gets it.
fn seine(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seine"));
    command.args(arguments).current_dir(folder).env("COLUMNS", "100").stdin(Stdio::null());
    command.output().expect("seine can be started")
}

fn crawl_help() -> String {
    let output = seine(Path::new("."), &["crawl", "--help"]);
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("the help is UTF-8")
}

fn without_trailing_space(text: &str) -> String {
    text.trim().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The part of the README under `heading` up to the next heading, whatever its level.
fn section<'a>(readme: &'a str, heading: &str) -> &'a str {
    let start =
        readme.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?} in the README"));
    let body = &readme[start + heading.len() + 2..];
    &body[..body.find("\n#").unwrap_or(body.len())]
}

/// Cells of the rows of the only table of a section, without its head.
fn table(section: &str) -> Vec<Vec<String>> {
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| without_backticks(cell.trim()).to_owned()).collect()
    });
    cells.skip(2).collect()
}

/// The inside of a cell that is code and nothing else.
fn without_backticks(cell: &str) -> &str {
    let inside = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    inside.filter(|inside| !inside.contains('`')).unwrap_or(cell)
}

fn first_cells(section: &str) -> Vec<String> {
    table(section).into_iter().map(|row| row[0].clone()).collect()
}

/// Texts of the fenced blocks in `language`.
fn fences<'a>(readme: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    let blocks = readme.split(&opening).skip(1);
    blocks.map(|block| &block[..block.find("\n```").expect("every fence is closed")]).collect()
}

fn fresh_store() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let db = open_for_writing(&folder.path().join("crawl.db")).expect("a store can be made");
    (folder, db)
}

/// A shell's words of one line, cut into commands at `|`, `&&`, `;` and redirections; enough shell for a README.
fn commands(line: &str) -> Vec<Vec<String>> {
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

/// The arguments of seine in a command, if it runs seine: by name, through cargo, or in a container.
fn seine_arguments(command: &[String]) -> Option<&[String]> {
    let starts = |words: &[&str]| command.len() >= words.len() && command.iter().zip(words).all(|(a, b)| a == b);
    let after = |word: &str| command.iter().position(|other| other == word).map(|at| &command[at + 1..]);
    match () {
        () if starts(&["seine"]) => Some(&command[1..]),
        () if starts(&["cargo", "run"]) => after("--"),
        () if starts(&["docker", "run"]) => after("seine"),
        () => None,
    }
}

fn all_commands(readme: &str) -> Vec<(String, Vec<String>)> {
    let blocks = ["sh", "console", "crontab"].into_iter().flat_map(|language| fences(readme, language));
    let lines = blocks.flat_map(str::lines).map(|line| line.strip_prefix("$ ").unwrap_or(line));
    lines.flat_map(|line| commands(line).into_iter().map(move |command| (line.to_owned(), command))).collect()
}

#[test]
fn the_readme_has_the_help_of_crawl_word_for_word() {
    let readme = readme();
    let quoted = fences(section(&readme, "### `seine crawl --help`"), "text");
    assert_eq!(quoted.len(), 1);
    assert_eq!(
        without_trailing_space(quoted[0]),
        without_trailing_space(&crawl_help()),
        "the README must be brought up to date: COLUMNS=100 seine crawl --help"
    );
}

#[test]
fn the_readme_has_the_exit_codes_of_the_help() {
    let readme = readme();
    let help = crawl_help();
    let (_, codes) = help.split_once("Exit codes:\n").expect("the help ends with the exit codes");
    let codes: Vec<_> = codes.lines().map(|line| line.trim().split_once(' ').expect("code and meaning")).collect();
    let codes: Vec<_> =
        codes.iter().map(|(code, meaning)| vec![(*code).to_owned(), meaning.trim().to_owned()]).collect();
    assert!(codes.len() >= 7);
    assert_eq!(table(section(&readme, "### Exit codes")), codes);
}

#[test]
fn every_column_of_every_view_is_in_the_readme_in_order() {
    let readme = readme();
    let (_folder, db) = fresh_store();
    let mut views = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name").unwrap();
    let views: Vec<String> = views.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        views,
        [
            "attempts",
            "extract_problems",
            "field_rates",
            "history",
            "inputs",
            "items",
            "links",
            "pages",
            "requests",
            "robots_files",
            "runs",
            "tables"
        ]
    );
    for view in views {
        let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid").unwrap();
        let columns: Vec<String> = columns.query_map([&view], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let described = table(section(&readme, &format!("### `{view}`")));
        assert_eq!(described.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), columns, "columns of {view}");
        for row in described {
            assert!(matches!(&*row[1], "integer" | "real" | "text" | "text, JSON"), "type of {view}.{}", row[0]);
            assert!(!row[2].is_empty(), "meaning of {view}.{}", row[0]);
        }
    }
}

#[test]
fn every_outcome_and_error_class_is_in_the_readme() {
    let readme = readme();
    assert_eq!(first_cells(section(&readme, "### Outcomes")), Outcome::ALL.map(Outcome::name));
    let classes = ErrorClass::ALL;
    let rows = table(section(&readme, "### Error classes"));
    assert_eq!(rows.iter().map(|row| &*row[0]).collect::<Vec<_>>(), classes.map(ErrorClass::name));
    for (row, class) in rows.iter().zip(classes) {
        assert_eq!(row[2] == "yes", class.is_transient(), "{class}");
    }
}

#[test]
fn every_way_a_run_can_end_is_in_the_readme() {
    let readme = readme();
    let ended_by = table(section(&readme, "### `runs`")).into_iter().find(|row| row[0] == "ended_by").expect("a row");
    use EndedBy::*;
    for ending in [
        Completed,
        Interrupted,
        Terminated,
        Limit,
        MaxWall,
        MaxBytes,
        HostLimit,
        MinFreeDisk,
        DiskFull,
        Outage,
        Failure,
    ] {
        assert!(ended_by[2].contains(&format!("`{}`", ending.name())), "{}", ending.name());
    }
}

#[test]
fn every_field_of_the_json_summary_is_in_the_readme() {
    let readme = readme();
    let section = section(&readme, "### Summary as JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let report = Report {
        lock: seine_unix::lock::StoreLock::acquire(&folder.path().join("crawl.db")).expect("a lock"),
        ended_by: EndedBy::Completed,
        tally: seine_core::tally::Tally::default(),
        list_failures: Vec::new(),
        processors: Default::default(),
        processor_failure: None,
        elapsed: Duration::from_secs(1),
    };
    let json = summary::json(&Summary::default(), Path::new("crawl.db"), None, Some(&report)).unwrap();
    let fields = json.as_object().expect("one object");
    assert!(fields.len() > 20);
    for field in fields.keys() {
        assert!(section.contains(&format!("`{field}`")), "{field}");
    }
}

#[test]
fn commands_in_the_readme_are_understood_by_the_program() {
    let readme = readme();
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for (line, command) in all_commands(&readme) {
        let Some(arguments) = seine_arguments(&command) else { continue };
        let words = ["seine"].into_iter().chain(arguments.iter().map(String::as_str));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{line}\n{error}");
        }
        seen.insert(arguments[0].clone());
        count += 1;
    }
    assert!(count > 25, "{count} commands found");
    assert_eq!(
        seen.iter().collect::<Vec<_>>(),
        [
            "audit", "cat", "crawl", "demo", "diff", "explain", "export", "extract", "health", "import", "process",
            "prune", "retry", "robots", "schedule", "sql", "status", "try", "why"
        ]
    );
}

#[test]
fn queries_in_the_readme_run_on_a_store() {
    let readme = readme();
    let (folder, db) = fresh_store();
    drop(open_for_writing(&folder.path().join("old.db")).unwrap());
    let run = |sql: &str| {
        let sql = sql.replace("'old.db'", &format!("'{}'", folder.path().join("old.db").display()));
        let mut statement = db.prepare(&sql).unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let mut rows = statement.query([]).unwrap_or_else(|error| panic!("{sql}\n{error}"));
        while let Some(_row) = rows.next().unwrap_or_else(|error| panic!("{sql}\n{error}")) {}
    };
    let mut count = 0;
    for sql in fences(&readme, "sql").into_iter().flat_map(|block| block.split_inclusive(';')) {
        if !sql.trim().is_empty() {
            run(sql);
            count += 1;
        }
    }
    for (_, command) in all_commands(&readme) {
        if let (Some("sqlite3"), Some(sql)) = (command.first().map(String::as_str), command.last()) {
            run(sql);
            count += 1;
        }
    }
    assert!(count > 15, "{count} queries found");
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

#[test]
fn the_example_config_has_every_setting_and_no_other() {
    let cli = Cli::command();
    let crawl = cli.find_subcommand("crawl").expect("the verb is there");
    // What chooses the file cannot be in it, and of the two names of one setting one is enough.
    let not_settings = ["config", "no_store_bodies", "help"];
    let settings: BTreeSet<String> = crawl.get_arguments().map(|argument| argument.get_id().to_string()).collect();
    let settings: BTreeSet<_> = settings.into_iter().filter(|name| !not_settings.contains(&&**name)).collect();
    let keys = keys(&example());
    assert_eq!(keys.iter().cloned().collect::<BTreeSet<_>>(), settings);
    assert_eq!(keys.len(), settings.len(), "a key stands twice");
    for flag in crawl.get_arguments().filter_map(|argument| argument.get_long()) {
        let name = flag.replace('-', "_");
        assert!(settings.contains(&name) || not_settings.contains(&&*name), "--{flag} has another name as a key");
    }
}

/// Keys of a config, commented out or not.
fn keys(config: &str) -> Vec<String> {
    config.lines().filter_map(key).map(str::to_owned).collect()
}

fn key(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(name)
}

#[test]
fn every_key_of_the_example_config_is_explained() {
    let text = example();
    let mut before = "";
    for line in text.lines() {
        if key(line).is_some() {
            assert!(before.starts_with("# ") && key(before).is_none(), "no comment above: {line}");
        }
        before = line;
    }
}

#[test]
fn the_example_config_sets_the_defaults() {
    let options = CrawlOptions::load(&project_file("config/seine.example.toml")).unwrap();
    let given = options.resolve(3).unwrap();
    let defaults = CrawlOptions::default().resolve(3).unwrap();
    assert_eq!(format!("{given:#?}"), format!("{defaults:#?}"));
}

#[test]
fn the_example_config_loads_with_everything_uncommented() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.toml");
    let example = example();
    let all = example.lines().map(|line| match key(line) {
        Some(_) => format!("{}\n", line.trim_start_matches("# ")),
        None => format!("{line}\n"),
    });
    fs::write(&path, all.collect::<String>()).unwrap();
    let options = CrawlOptions::load(&path).unwrap();
    let is_set = [
        !options.0.sources.inputs.is_empty(),
        options.0.lists.url_column.is_some(),
        options.0.lists.url_field.is_some(),
        options.0.crew.fetchers.is_by_user(),
        options.0.http.user_agent != Http::default().user_agent,
        !options.0.http.header.is_empty(),
        options.0.budgets.limit.is_some(),
        options.0.budgets.max_wall.is_some(),
        options.0.console.log_file.is_some(),
    ];
    assert_eq!(is_set, [true; 9]);
    options.resolve(3).unwrap();
}

#[test]
fn a_crawl_takes_the_example_config() {
    let folder = tempfile::tempdir().unwrap();
    let config = project_file("config/seine.example.toml");
    let config = config.to_str().expect("the path is UTF-8");
    let output = seine(folder.path(), &["crawl", "--config", config, "missing.txt"]);
    let message = String::from_utf8_lossy(&output.stderr);
    // Past the config, up to the list.
    assert!(message.contains("missing.txt") && !message.contains("seine.example.toml"), "{message}");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_example_schedule_has_every_key_and_commands_that_are_understood() {
    let path = project_file("config/schedule.example.toml");
    let jobs = CrawlOptions::load(&path).unwrap().0.programs.job;
    assert!(jobs.len() > 1);
    for job in jobs {
        let words = ["seine".to_owned()].into_iter().chain(job.command.into_inner());
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{}: {error}", job.name.as_ref()));
    }
    let cli = Cli::command();
    let schedule = cli.find_subcommand("schedule").expect("the verb is there");
    let not_of_jobs = ["config", "state", "status", "json", "help"];
    let flags = schedule.get_arguments().map(|argument| argument.get_id().to_string());
    let keys: BTreeSet<_> = keys(&fs::read_to_string(&path).unwrap()).into_iter().filter(|key| key != "name").collect();
    assert_eq!(keys, flags.filter(|flag| !not_of_jobs.contains(&&**flag)).collect());
}

#[test]
fn commands_of_service_files_are_understood() {
    let understood = |words: Vec<String>| {
        let words = ["seine".to_owned()].into_iter().chain(words);
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    };
    let unit = fs::read_to_string(project_file("config/systemd/seine.service")).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/seine ")).expect("a command");
    understood(start.split(' ').map(str::to_owned).collect());
    let job = fs::read_to_string(project_file("config/kubernetes/cronjob.yaml")).unwrap();
    let arguments = job.lines().find_map(|line| line.trim().strip_prefix("args: ")).expect("arguments");
    understood(serde_json::from_str(arguments).unwrap());
}

#[test]
fn every_key_of_a_schedules_state_is_in_the_readme() {
    let readme = readme();
    let section = section(&readme, "### State of a schedule");
    let mut state = State::new(1);
    state.jobs.insert("nightly".to_owned(), JobState::default());
    let state = serde_json::to_value(state).unwrap();
    let (of_state, of_job) = (state.as_object().unwrap(), state["jobs"]["nightly"].as_object().unwrap());
    assert!(of_job.len() > 10);
    for key in of_state.keys().chain(of_job.keys()) {
        assert!(section.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn config_snippets_in_the_readme_load() {
    let readme = readme();
    let snippets = fences(&readme, "toml");
    assert!(!snippets.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for snippet in snippets {
        let path = folder.path().join("snippet.toml");
        fs::write(&path, snippet).unwrap();
        CrawlOptions::load(&path).unwrap();
    }
}

#[test]
fn the_memory_formula_is_made_of_the_numbers_in_the_source() {
    let readme = readme();
    let memory = section(&readme, "## Memory");
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    let buffers = Buffers::default();
    let max_body = Http::default().max_body.0;
    for (what, number) in [
        ("small bodies", format!("{} KiB", seine_http::SMALL >> 10)),
        ("outbox", format!("writer | {}, or one page", mib(buffers.outbox_bytes))),
        ("batch", format!("the open transaction: {}", mib(batch::BYTES))),
        ("links", mib(seine_page::extract::MAX_LINKS_TOTAL_BYTES + seine_page::extract::MAX_ANCHORS_TOTAL_BYTES)),
        ("URLs", "65,536".to_owned()),
        ("hosts", "8,192".to_owned()),
        ("default body", format!("`--max-body` ({})", mib(max_body as usize))),
        ("large bodies", format!("one fetcher may hold ({})", buffers.large_bodies(max_body))),
        ("share", format!("may have in flight ({} below)", DEFAULT_CONCURRENCY / 2)),
    ] {
        assert!(memory.contains(&number), "{what}: {number}");
    }
    assert_eq!((buffers.urls, frontier::MAX_HOSTS), (65_536, 8_192));
}

#[test]
fn links_inside_the_readme_lead_somewhere() {
    let readme = readme();
    let headings: BTreeSet<String> = readme.lines().filter_map(|line| Some(anchor(line.strip_prefix('#')?))).collect();
    for target in readme.split("](").skip(1).map(|rest| &rest[..rest.find(')').expect("closed")]) {
        match target.strip_prefix('#') {
            Some(heading) => assert!(headings.contains(heading), "#{heading}"),
            None if target.starts_with("https://") => {}
            None => assert!(project_file(target).exists(), "{target}"),
        }
    }
}

/// A heading's anchor as renderers make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
