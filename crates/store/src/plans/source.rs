//! The statements that the store's files have in them, as far as their text says: up to the first part that is put in.

use std::path::Path;

/// What a statement begins with that reads or changes rows.
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// The beginnings of all statements in files below `folder` whose path says `true` to `wanted`.
pub fn statements(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(statements(&path, wanted));
        } else if path.extension().is_some_and(|extension| extension == "rs") && wanted(&path) {
            let source = std::fs::read_to_string(&path).expect("a source file");
            found.extend(literals(&source).iter().flat_map(|literal| of_literal(literal)));
            found.extend(inserts(&source));
        }
    }
    found
}

fn of_literal(literal: &str) -> Vec<String> {
    let statements = literal.split(';').map(words);
    let fixed = statements.map(|sql| sql.split('{').next().unwrap_or_default().trim_end().to_owned());
    fixed.filter(|sql| VERBS.iter().any(|verb| sql.starts_with(verb))).collect()
}

/// The statements that the macro `insert` makes, up to their values.
fn inserts(source: &str) -> Vec<String> {
    let calls = source.split("insert!(").skip(1);
    calls.filter_map(insert).collect()
}

fn insert(call: &str) -> Option<String> {
    let (_, call) = call.split_once('"')?;
    let (verb, call) = call.split_once("\",")?;
    let (table, fields) = call.split_once('{')?;
    let (mut depth, mut columns, mut field) = (0, Vec::new(), String::new());
    for c in fields.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => columns.push(std::mem::take(&mut field)),
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && c != ',' {
            field.push(c);
        }
    }
    columns.push(field);
    let names = columns.iter().filter_map(|field| Some(field.split_once(':')?.0.trim()));
    Some(format!("{verb} {}({})", table.trim(), names.collect::<Vec<_>>().join(", ")))
}

/// `sql` on one line.
pub fn words(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The texts in double quotes of a source file.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, from) = rest.split_at(at);
        if from.starts_with("//") {
            rest = from.find('\n').map_or("", |end| &from[end..]);
        } else if let Some(quoted) = from.strip_prefix('"') {
            let is_raw = before.ends_with('r');
            let mut text = String::new();
            let mut chars = quoted.char_indices();
            rest = loop {
                match chars.next() {
                    None => break "",
                    Some((end, '"')) => break &quoted[end + 1..],
                    Some((_, '\\')) if !is_raw => match chars.next() {
                        // The line goes on.
                        Some((_, '\n')) => text.push(' '),
                        Some((_, escaped)) => text.push(escaped),
                        None => break "",
                    },
                    Some((_, c)) => text.push(c),
                }
            };
            found.push(text);
        } else {
            // A character, perhaps a quote, or a lifetime.
            rest = ["'\"'", "'\\''", "'/'"].iter().find_map(|quote| from.strip_prefix(quote)).unwrap_or(&from[1..]);
        }
    }
    found
}

#[test]
fn statements_are_found_in_a_source_file() {
    let source = "// \"SELECT not this\"\nlet x = '\"'; f::<'a>(\"SELECT a \\\n   FROM b WHERE {c}\", r\"DELETE FROM \\d\");\n\
                  const C: &str = \"\n  UPDATE a SET b = 1;\n  INSERT INTO c\n  VALUES (1);\";";
    let found: Vec<_> = literals(source).iter().flat_map(|literal| of_literal(literal)).collect();
    assert_eq!(found, ["SELECT a FROM b WHERE", "DELETE FROM \\d", "UPDATE a SET b = 1", "INSERT INTO c VALUES (1)"]);
}

#[test]
fn statements_of_the_macro_are_found_with_all_their_columns() {
    let source = "insert!(self.db, \"INSERT OR IGNORE INTO\", page { url_id: f(a, b), error: x.map(|f| { f::g }), c: 1 }, \"ON\")?; \
                  insert!(db, \"INSERT INTO\",\n run {\n pid: 1,\n }\n)";
    assert_eq!(inserts(source), ["INSERT OR IGNORE INTO page(url_id, error, c)", "INSERT INTO run(pid)"]);
}
