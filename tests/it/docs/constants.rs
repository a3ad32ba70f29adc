//! Constants of the source, by file and name: what a page says of a limit is held against them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::markdown::project_file;

/// Constants of every source file whose values are written as numbers, by the path of the file and their names.
pub struct Constants(BTreeMap<(String, String), Vec<u64>>);

impl Constants {
    /// Reads the source.
    pub fn read() -> Self {
        let mut found = BTreeMap::new();
        let mut folders = vec![project_file("src"), project_file("crates")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.expect("the source can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    of_file(&path, &mut found);
                }
            }
        }
        Self(found)
    }

    /// The numbers of the constant `name` in the only file that has one, of those whose path ends in `file`.
    pub fn get(&self, file: &str, name: &str) -> &[u64] {
        let is_there = |path: &str| file.is_empty() || path.ends_with(&format!("/{file}"));
        let mut found = self.0.iter().filter(|((path, known), _)| known == name && is_there(path));
        let (_, numbers) = found.next().unwrap_or_else(|| panic!("no constant {name} in {file}"));
        assert!(found.next().is_none(), "more than one constant {name} in {file}");
        numbers
    }
}

fn of_file(path: &Path, found: &mut BTreeMap<(String, String), Vec<u64>>) {
    let text = fs::read_to_string(path).expect("the source is UTF-8");
    // One a line, as rustfmt writes them, up to the tests of the file.
    let lines = text.lines().take_while(|line| *line != "mod tests {").map(str::trim_start);
    for line in lines {
        let Some((_, declared)) =
            line.split_once("const ").filter(|(before, _)| before.is_empty() || before.starts_with("pub"))
        else {
            continue;
        };
        let (Some((name, _)), Some((_, value))) = (declared.split_once(':'), declared.split_once(" = ")) else {
            continue;
        };
        if let Some(numbers) = numbers(value.trim_end_matches(';')) {
            found.insert((path.to_string_lossy().into_owned(), name.to_owned()), numbers);
        }
    }
}

/// A number, a product, a shift, a size, a duration, or several in brackets.
fn numbers(value: &str) -> Option<Vec<u64>> {
    let value = value.strip_prefix("Size(").map_or(value, |rest| rest.trim_end_matches(')'));
    let value = value.strip_prefix("Duration::from_").map_or(value, |rest| {
        let arguments = rest.split_once('(').map_or("", |(_, rest)| rest);
        arguments.trim_end_matches(')')
    });
    let inside = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value);
    inside.split(',').map(number).collect()
}

fn number(text: &str) -> Option<u64> {
    let literal = |text: &str| {
        let digits = text.trim().replace('_', "");
        let digits = digits.trim_end_matches("u32").trim_end_matches("u64").trim_end_matches("usize");
        digits.parse::<u64>().ok()
    };
    let product = |text: &str| text.split('*').map(literal).product::<Option<u64>>();
    match text.trim().trim_start_matches('(').split_once("<<") {
        Some((left, right)) => Some(product(left)? << product(right)?),
        None => product(text),
    }
}

/// A number with commas between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[test]
fn constants_are_read_as_they_are_written() {
    assert_eq!(numbers("16 * 1024"), Some(vec![16_384]));
    assert_eq!(numbers("4 << 20"), Some(vec![4 << 20]));
    assert_eq!(numbers("65_536"), Some(vec![65_536]));
    assert_eq!(numbers("Duration::from_secs(60)"), Some(vec![60]));
    assert_eq!(numbers("[1_000, 4_000]"), Some(vec![1000, 4000]));
    assert_eq!(numbers("2 * OTHER"), None);
    assert_eq!((grouped(999), grouped(1_048_576)), ("999".to_owned(), "1,048,576".to_owned()));
}
