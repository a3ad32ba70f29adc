//! What is written for users, held against the program: README, the pages of docs/, example configs and `--help` never part.
//!
//! Parts that the program can say itself are written by it: `SEINE_DOCS=write cargo test --test it docs`.

mod constants;
mod limits;
mod markdown;
mod rules;
mod shell;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
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
use seine_page::extract::rules::Rules;
use seine_store::read::Summary;
use seine_store::{collections, open_for_writing};
use serde_json::Value;

use markdown::{anchors, codes, fences, first_cells, links, page, pages, project_file, prose, section, table};
use shell::{all_commands, seine_arguments, sql_of, understood};

fn example() -> String {
    fs::read_to_string(project_file("config/seine.example.toml")).expect("the example config is there")
}

/// The program as a user starts it, its help as wide as a pipe gets it.
fn seine(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seine"));
    command.args(arguments).current_dir(folder).env("COLUMNS", "100").stdin(Stdio::null());
    command.output().expect("seine can be started")
}

/// What the program prints on standard output when all is well with it, or as well as `codes` say.
fn printed(folder: &Path, arguments: &[&str], codes: &[i32]) -> String {
    let output = seine(folder, arguments);
    let code = output.status.code();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(code.is_some_and(|code| codes.contains(&code)), "seine {arguments:?} ended with {code:?}: {message}");
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

fn help(verb: &[&str]) -> String {
    let arguments: Vec<_> = verb.iter().copied().chain(["--help"]).collect();
    without_trailing_space(&printed(Path::new("."), &arguments, &[0]))
}

fn without_trailing_space(text: &str) -> String {
    text.trim().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Holds the last block in `language` of a page against what the program says, or writes it there if that was asked for.
fn assert_block(name: &str, language: &str, said: &str) {
    let text = page(name);
    let block = fences(&text, language).pop().unwrap_or_else(|| panic!("{name} has no block of {language}"));
    if std::env::var("SEINE_DOCS").is_ok_and(|what| what == "write") {
        let (before, after) = text.rsplit_once(block).expect("the block is a part of the page");
        let whole = format!("{before}{}{after}", said.trim_end());
        fs::write(project_file(name), &whole[1..]).expect("pages can be written");
        return;
    }
    let hint = "bring the page up to date: SEINE_DOCS=write cargo test --test it docs";
    assert_eq!(without_trailing_space(block), without_trailing_space(said), "{name}: {hint}");
}

/// Every page in one text.
fn everything() -> String {
    pages().into_values().collect()
}

/// A store with the view of every collection and processor that a page declares.
fn fresh_store() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let db = open_for_writing(&folder.path().join("crawl.db")).expect("a store can be made");
    for snippet in fences(&everything(), "toml") {
        let options = CrawlOptions::read(snippet).unwrap_or_else(|error| panic!("{snippet}\n{error}"));
        let rules = Rules::read(snippet).unwrap_or_else(|error| panic!("{snippet}\n{error}"));
        let answers = options.0.programs.processor.iter().map(|processor| processor.answers());
        for collection in rules.collections().iter().cloned().chain(answers) {
            collections::declare(&db, &collection).expect("it can be declared");
        }
    }
    (folder, db)
}

#[test]
fn the_readme_is_short() {
    assert!(page("README.md").lines().count() - 1 <= 250);
}

#[test]
fn every_verb_has_a_page_with_its_help_word_for_word() {
    let cli = Cli::command();
    let verbs: BTreeSet<_> = cli.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let described: BTreeSet<_> = pages()
        .into_keys()
        .filter_map(|name| Some(name.strip_prefix("docs/reference/commands/")?.strip_suffix(".md")?.to_owned()))
        .collect();
    assert_eq!(described, verbs);
    for verb in &verbs {
        let name = format!("docs/reference/commands/{verb}.md");
        assert!(page(&name).starts_with(&format!("\n# seine {verb}\n")), "{name}");
        assert_block(&name, "text", &help(&[verb]));
    }
    assert_block("docs/reference/commands.md", "text", &help(&[]));
    let listed: BTreeSet<_> = links(&page("docs/reference/commands.md")).into_iter().collect();
    assert_eq!(listed, verbs.iter().map(|verb| format!("commands/{verb}.md")).collect());
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = help(&["crawl"]);
    let (_, codes) = help.split_once("Exit codes:\n").expect("the help ends with the exit codes");
    let codes = codes.lines().take_while(|line| !line.is_empty());
    let codes: Vec<_> = codes.map(|line| line.trim().split_once(' ').expect("code and meaning")).collect();
    let codes: Vec<_> =
        codes.iter().map(|(code, meaning)| vec![(*code).to_owned(), meaning.trim().to_owned()]).collect();
    assert!(codes.len() >= 7);
    assert_eq!(table(section(&page("docs/reference/exit-codes.md"), "# Exit codes")), codes);
}

#[test]
fn every_column_of_every_view_is_described_in_order() {
    let page = page("docs/reference/views.md");
    let folder = tempfile::tempdir().unwrap();
    let db = open_for_writing(&folder.path().join("crawl.db")).unwrap();
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
            "near_duplicates",
            "pages",
            "requests",
            "robots_files",
            "runs",
            "tables"
        ]
    );
    let listed: BTreeSet<_> = first_cells(section(&page, "# Views")).into_iter().collect();
    for view in views {
        assert!(listed.contains(&format!("[`{view}`](#{view})")), "{view}");
        let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid").unwrap();
        let columns: Vec<String> = columns.query_map([&view], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let described = table(section(&page, &format!("## `{view}`")));
        assert_eq!(described.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), columns, "columns of {view}");
        for row in described {
            assert!(matches!(&*row[1], "integer" | "real" | "text" | "text, JSON"), "type of {view}.{}", row[0]);
            assert!(!row[2].is_empty(), "meaning of {view}.{}", row[0]);
        }
    }
}

#[test]
fn every_outcome_and_error_class_is_described() {
    let page = page("docs/reference/outcomes.md");
    assert_eq!(first_cells(section(&page, "## Outcomes")), Outcome::ALL.map(Outcome::name));
    let classes = ErrorClass::ALL;
    let rows = table(section(&page, "## Error classes"));
    assert_eq!(rows.iter().map(|row| &*row[0]).collect::<Vec<_>>(), classes.map(ErrorClass::name));
    for (row, class) in rows.iter().zip(classes) {
        assert_eq!(row[2] == "yes", class.is_transient(), "{class}");
    }
}

#[test]
fn every_way_a_run_can_end_is_described() {
    let page = page("docs/reference/views.md");
    let ended_by = table(section(&page, "## `runs`")).into_iter().find(|row| row[0] == "ended_by").expect("a row");
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
fn every_field_of_the_json_summary_is_described() {
    let page = page("docs/reference/json.md");
    let section = section(&page, "## Summary");
    let folder = tempfile::tempdir().expect("a folder");
    let report = Report {
        lock: seine_unix::lock::StoreLock::acquire(&folder.path().join("crawl.db")).expect("a lock"),
        ended_by: EndedBy::Completed,
        tally: seine_core::tally::Tally::default(),
        list_failures: Vec::new(),
        processors: Default::default(),
        processor_failure: None,
        walls: None,
        elapsed: Duration::from_secs(1),
    };
    let json = summary::json(&Summary::default(), Path::new("crawl.db"), None, Some(&report)).unwrap();
    let fields = json.as_object().expect("one object");
    assert!(fields.len() > 20);
    for field in fields.keys() {
        assert!(section.contains(&format!("`{field}`")), "{field}");
    }
}

/// Names of fields anywhere in `value`, but for those that are data: hosts, errors, fields of rules.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    const BY_NAME: [&str; 6] = ["outcomes", "errors", "items", "collections", "fields", "found"];
    match value {
        Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                match value {
                    Value::Object(named) if BY_NAME.contains(&&**name) => {
                        named.values().for_each(|value| names(value, found));
                    }
                    _ if ["data", "value", "key"].contains(&name.as_str()) => {}
                    value => names(value, found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_the_json_of_every_verb_is_described() {
    let folder = tempfile::tempdir().unwrap();
    printed(folder.path(), &["demo", "--quiet"], &[0]);
    let rules = project_file("config/demo.toml");
    let rules = rules.to_str().expect("the path is UTF-8");
    let url = |rest: &str| {
        let query = format!("SELECT url FROM pages {rest} LIMIT 1");
        printed(folder.path(), &["sql", "demo.db", &query, "--format", "csv"], &[0])
            .lines()
            .nth(1)
            .expect("a row")
            .to_owned()
    };
    let (product, tried_again) = (url("WHERE url LIKE '%/p/%'"), url("ORDER BY attempts DESC"));
    fs::write(folder.path().join("robots.txt"), "User-agent: *\nDisallow: /x\n").unwrap();
    fs::write(folder.path().join("urls.txt"), "https://b.example/\nb.example\n").unwrap();
    let page = page("docs/reference/json.md");
    let described = table(section(&page, "## Other verbs"));
    let row = |command: &str| described.iter().find(|row| row[0] == command).unwrap_or_else(|| panic!("{command}"));
    // Of an audit the verdict does not matter here.
    for (command, arguments, exit) in [
        ("seine plan --json", vec!["plan", "urls.txt", "https://a.example/", "--json"], 0),
        ("seine audit --json", vec!["audit", "demo.db", "--json"], 1),
        ("seine why --json", vec!["why", "demo.db", &tried_again, "--json"], 0),
        ("seine extract --json", vec!["extract", "demo.db", "--config", rules, "--json"], 0),
        ("seine prune --json", vec!["prune", "demo.db", "--json"], 0),
        ("seine robots --json", vec!["robots", "--file", "robots.txt", "/x", "--json"], 1),
        ("seine robots --json", vec!["robots", "robots.txt", "--json"], 0),
        ("seine try --json", vec!["try", &product, "--db", "demo.db", "--config", rules, "--css", "p", "--json"], 0),
        ("seine health --json", vec!["health", "--db", "demo.db", "--json"], 0),
    ] {
        let json: Value = serde_json::from_str(&printed(folder.path(), &arguments, &[0, exit])).expect("one object");
        let mut found = BTreeSet::new();
        names(&json, &mut found);
        assert!(found.len() > 4, "{command}: {json}");
        let said: BTreeSet<_> = codes(&row(command)[1]).collect();
        for name in found {
            assert!(said.contains(&*name), "{command}: {name}");
        }
    }
}

#[test]
fn every_field_of_a_link_in_json_is_described() {
    let folder = tempfile::tempdir().unwrap();
    printed(folder.path(), &["demo", "--quiet"], &[0]);
    let page = page("docs/reference/json.md");
    let section = section(&page, "## Links");
    let json = printed(folder.path(), &["links", "demo.db", "--format", "json", "--quiet"], &[0]);
    let json: Value = serde_json::from_str(&json).expect("one object");
    let mut found = BTreeSet::new();
    names(&json, &mut found);
    assert!(found.len() > 14, "{found:?}");
    for name in found {
        assert!(section.contains(&format!("`{name}`")), "{name}");
    }
    let header = printed(folder.path(), &["links", "demo.db", "--format", "csv", "--quiet"], &[0]);
    let header = header.lines().next().expect("a header").split(',');
    header.for_each(|name| assert!(section.contains(&format!("`{name}`")), "{name}"));
}

#[test]
fn a_docker_build_has_every_file_that_the_program_includes() {
    let ignored = fs::read_to_string(project_file(".dockerignore")).expect("a file");
    let demo = fs::read_to_string(project_file("src/commands/demo.rs")).expect("a file");
    let included: Vec<_> =
        demo.split("include_str!(\"../../").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(included, ["config/demo.toml"]);
    assert!(ignored.lines().any(|line| line == "!config/demo.toml"), "{ignored}");
}

#[test]
fn compose_makes_no_folder_of_a_list_that_is_not_there() {
    let text = fs::read_to_string(project_file("config/compose.yaml")).expect("a file");
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert!(lines.contains(&"- type: bind"));
    // A volume in the short form is a named one.
    let short = lines.iter().filter(|line| line.starts_with("- ") && line.contains(":/"));
    for line in short {
        assert!(line[2..].starts_with(|c: char| c.is_ascii_alphabetic()), "{line}");
    }
}

#[test]
fn the_demo_prints_what_the_readme_shows() {
    let shown = page("README.md");
    let shown = fences(&shown, "text");
    let folder = tempfile::tempdir().unwrap();
    let output = seine(folder.path(), &["demo"]);
    let said = String::from_utf8(output.stderr).expect("it is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(without_numbers(shown[0]), without_numbers(&said));
    let rules = project_file("config/demo.toml");
    assert_eq!(fences(&page("README.md"), "toml"), [fs::read_to_string(&rules).unwrap().trim_end()]);
    printed(folder.path(), &["extract", "demo.db", "--config", rules.to_str().expect("UTF-8"), "--quiet"], &[0]);
    let readme = page("README.md");
    let (_, query) =
        all_commands(&readme).into_iter().find(|(line, _)| line.contains("FROM products")).expect("a query");
    let query: Vec<_> = query.iter().skip(1).map(String::as_str).collect();
    assert_eq!(without_trailing_space(shown[1]), without_trailing_space(&printed(folder.path(), &query, &[0])));
}

/// The words that no two runs could differ in: without ports, times and counts.
fn without_numbers(text: &str) -> Vec<Vec<String>> {
    let words = |line: &str| {
        let words = line.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
        words.map(|word| word.replace("fetchers", "fetcher")).collect()
    };
    text.trim().lines().map(words).collect()
}

#[test]
fn commands_are_understood_by_the_program() {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for (line, command) in all_commands(&everything()) {
        let Some(arguments) = seine_arguments(&command) else { continue };
        understood(&line, arguments);
        seen.insert(arguments[0].clone());
        count += 1;
    }
    assert!(count > 80, "{count} commands found");
    let cli = Cli::command();
    assert_eq!(seen, cli.get_subcommands().map(|verb| verb.get_name().to_owned()).collect());
}

#[test]
fn queries_and_conditions_run_on_a_store() {
    let (folder, db) = fresh_store();
    drop(open_for_writing(&folder.path().join("old.db")).unwrap());
    let run = |sql: &str| {
        let sql = sql.replace("'old.db'", &format!("'{}'", folder.path().join("old.db").display()));
        let mut statement = db.prepare(&sql).unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let mut rows = statement.query([]).unwrap_or_else(|error| panic!("{sql}\n{error}"));
        while let Some(_row) = rows.next().unwrap_or_else(|error| panic!("{sql}\n{error}")) {}
    };
    let everything = everything();
    let mut count = 0;
    for sql in fences(&everything, "sql").into_iter().flat_map(|block| block.split_inclusive(';')) {
        if !sql.trim().is_empty() {
            run(sql);
            count += 1;
        }
    }
    for (line, command) in all_commands(&everything) {
        let sql = match seine_arguments(&command) {
            Some(arguments) => sql_of(&understood(&line, arguments)),
            None if command[0] == "sqlite3" => command.last().filter(|sql| !sql.starts_with('.')).cloned(),
            None => None,
        };
        if let Some(sql) = sql {
            run(&sql);
            count += 1;
        }
    }
    assert!(count > 40, "{count} queries found");
}

#[test]
fn files_of_the_project_that_are_named_are_there() {
    let everything = everything();
    let words = everything.split(|c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '(' | ')' | ',' | ';'));
    let named: BTreeSet<_> = words
        .filter(|word| ["config/", "src/", "docs/"].iter().any(|folder| word.starts_with(folder)))
        .map(|word| word.split('#').next().unwrap_or(word).trim_end_matches(['.', ':']))
        .collect();
    assert!(named.len() > 8, "{named:?}");
    for name in named {
        // A list of the reader's own.
        assert!(project_file(name).exists() || name == "config/urls.txt", "{name}");
    }
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
        // What is said of links needs it.
        Some("follow") => "follow = true\n".to_owned(),
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
    for job in ["config/kubernetes/cronjob.yaml", "config/kubernetes/indexed-job.yaml"] {
        let job = fs::read_to_string(project_file(job)).unwrap();
        let arguments = job.lines().find_map(|line| line.trim().strip_prefix("args: [\"crawl\"")).expect("arguments");
        understood(serde_json::from_str(&format!("[\"crawl\"{arguments}")).unwrap());
    }
    let workflow = fs::read_to_string(project_file("config/ci/crawl.yml")).unwrap();
    let commands = workflow.lines().filter_map(|line| line.trim().strip_prefix("- run: seine "));
    let commands = commands.map(|command| command.replace("${{ matrix.shard }}", "3")).collect::<Vec<_>>();
    assert_eq!(commands.len(), 4);
    for command in &commands {
        let command = command.split(" || ").next().unwrap_or_default();
        understood(command.split(' ').map(str::to_owned).collect());
    }
}

#[test]
fn recipes_for_many_machines_have_as_many_as_there_are_shards() {
    let job = fs::read_to_string(project_file("config/kubernetes/indexed-job.yaml")).unwrap();
    let number = |key: &str| job.lines().find_map(|line| line.trim().strip_prefix(key)).expect("a number").to_owned();
    assert!(job.contains(&format!("--shards {} ", number("completions: "))));
    assert_eq!(number("completions: "), number("parallelism: "));
    assert!(job.contains("completionMode: Indexed"));
    let workflow = fs::read_to_string(project_file("config/ci/crawl.yml")).unwrap();
    assert!(workflow.contains("--shards 5 ") && workflow.contains("shard: [0, 1, 2, 3, 4]"));
    assert!(workflow.contains("merge crawl.db 0.db 1.db 2.db 3.db 4.db"));
}

#[test]
fn the_reference_has_the_example_config_word_for_word() {
    assert_block("docs/reference/config.md", "toml", &example());
}

#[test]
fn every_key_of_a_schedules_state_is_described() {
    let page = page("docs/reference/json.md");
    let section = section(&page, "## State of a schedule");
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
fn config_snippets_load() {
    let everything = everything();
    let snippets = fences(&everything, "toml");
    assert!(snippets.len() > 6);
    let folder = tempfile::tempdir().unwrap();
    for snippet in snippets {
        let path = folder.path().join("snippet.toml");
        fs::write(&path, snippet).unwrap();
        CrawlOptions::load(&path).unwrap();
        Rules::read(snippet).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_key_of_a_processor_is_described() {
    let page = page("docs/reference/processors.md");
    let described: BTreeSet<_> = first_cells(section(&page, "## The table")).into_iter().collect();
    let wrong = "[[processor]]\nname = 'p'\ncommand = ['x']\ninput = 'pages'\nqqqqqqqq = 1";
    let message = CrawlOptions::read(wrong).expect_err("no such key").to_string();
    let (_, keys) = message.split_once("expected one of ").expect("a list");
    assert_eq!(described, codes(keys).map(str::to_owned).collect());
}

#[test]
fn the_memory_formula_is_made_of_the_numbers_in_the_source() {
    let memory = page("docs/explain/memory.md");
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
fn links_lead_somewhere() {
    let pages = pages();
    let mut anchors_of = BTreeMap::new();
    for (name, text) in &pages {
        let anchors = anchors(text);
        let different: BTreeSet<_> = anchors.iter().cloned().collect();
        assert_eq!(different.len(), anchors.len(), "{name} has a heading twice");
        anchors_of.insert(name.clone(), different);
    }
    let with_contents = pages.iter().map(|(name, text)| (name.clone(), text.clone()));
    let mut count = 0;
    for (name, text) in with_contents.chain([("docs/SUMMARY.md".to_owned(), page("docs/SUMMARY.md"))]) {
        for target in links(&text).into_iter().filter(|target| !target.starts_with("https://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let to = if path.is_empty() { name.clone() } else { joined(&name, path) };
            // The book holds the pages of docs/ and nothing else.
            let is_page = pages.contains_key(&to);
            let may_be_a_file = name == "README.md" && project_file(&to).exists();
            assert!(is_page || may_be_a_file, "{name}: {target}");
            assert!(name == "README.md" || to.starts_with("docs/"), "{name}: {target} is not in the book");
            // Its name in the book is another.
            let is_index = to.ends_with("/README.md") && name.starts_with("docs/") && name != "docs/SUMMARY.md";
            assert!(!is_index, "{name}: {target} leads nowhere in the book");
            if !anchor.is_empty() {
                assert!(anchors_of[&to].contains(anchor), "{name}: {target}");
            }
            count += 1;
        }
    }
    assert!(count > 150, "{count} links found");
}

/// Where the relative path `to` leads from the page `from`.
fn joined(from: &str, to: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            ".." => drop(parts.pop().unwrap_or_else(|| panic!("{from}: {to} leads out of the project"))),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_page_is_in_the_table_of_contents_once_and_by_its_name() {
    let summary = page("docs/SUMMARY.md");
    let listed: Vec<_> = links(&summary).iter().map(|target| joined("docs/SUMMARY.md", target)).collect();
    let expected: BTreeSet<_> = pages().into_keys().filter(|name| name != "README.md").collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(listed.len(), expected.len(), "a page is listed twice");
    for name in &expected {
        let text = page(name);
        let title =
            text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_else(|| panic!("{name} has no title"));
        assert_eq!(prose(&text).matches("\n# ").count(), 1, "{name} has one title");
        assert!(name == "docs/README.md" || summary.contains(&format!("[{title}](")), "{name}: {title}");
    }
}
