//! Words as users write them, as an expression of FTS5: whatever they write, it is no syntax error.

/// Why there is nothing to look for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No word, or only words that must not be there.
    #[error("no word to look for; a word begins with a letter or digit, and one without - has to be there")]
    NoWord,
}

/// A word or some words in quotes.
struct Term {
    text: String,
    is_beginning: bool,
}

/// The expression for `words`: all that stand alone, `"in quotes"` together, `begin*`, not `-word`, this `OR` that.
///
/// # Errors
/// [`QueryError`]
pub(super) fn of_words(words: &[String]) -> Result<String, QueryError> {
    // Alternatives, of which the groups are all needed.
    let mut wanted: Vec<Vec<Term>> = Vec::new();
    let mut unwanted = Vec::new();
    let mut is_alternative = false;
    for (word, is_quoted) in cut(&words.join(" ")) {
        if word == "OR" && !is_quoted {
            is_alternative = true;
            continue;
        }
        let (text, is_unwanted) = match word.strip_prefix('-') {
            Some(text) => (text, true),
            None => (&*word, false),
        };
        let is_beginning = text.ends_with('*');
        if !text.contains(char::is_alphanumeric) {
            continue;
        }
        let term = Term { text: text.trim_end_matches('*').to_owned(), is_beginning };
        match (is_unwanted, wanted.last_mut()) {
            (true, _) => unwanted.push(term),
            (false, Some(group)) if is_alternative => group.push(term),
            (false, _) => wanted.push(vec![term]),
        }
        is_alternative = false;
    }
    if wanted.is_empty() {
        return Err(QueryError::NoWord);
    }
    let groups: Vec<_> = wanted
        .iter()
        .map(|group| format!("({})", group.iter().map(expression).collect::<Vec<_>>().join(" OR ")))
        .collect();
    let mut query = format!("({})", groups.join(" AND "));
    for term in &unwanted {
        query = format!("({query} NOT {})", expression(term));
    }
    Ok(query)
}

fn expression(term: &Term) -> String {
    // A NUL would end the expression.
    let text = term.text.replace(['"', '\0'], " ");
    format!("\"{text}\"{}", if term.is_beginning { " *" } else { "" })
}

/// Words and texts in quotes, and whether it is the latter. A - or * beside the quotes stays with them.
fn cut(text: &str) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    let mut word = String::new();
    let (mut is_open, mut is_quoted) = (false, false);
    for c in text.chars() {
        match c {
            '"' => (is_open, is_quoted) = (!is_open, true),
            c if c.is_whitespace() && !is_open => {
                if !word.is_empty() {
                    all.push((std::mem::take(&mut word), is_quoted));
                }
                is_quoted = false;
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        all.push((word, is_quoted));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_an_expression_that_is_none_of_the_users() {
        let query = |text: &str| of_words(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for (text, expression) in [
            ("brass telescope", r#"(("brass") AND ("telescope"))"#),
            (r#""sea chart" -paper"#, r#"((("sea chart")) NOT "paper")"#),
            ("tele* x-ray", r#"(("tele" *) AND ("x-ray"))"#),
            ("lamp OR lantern brass", r#"(("lamp" OR "lantern") AND ("brass"))"#),
            ("a\" OR (b NEAR c)^ title:d", r#"(("a OR (b NEAR c)^ title:d"))"#),
            ("OR lamp OR", r#"(("lamp"))"#),
            (r#"-"old lamp" lamp"#, r#"((("lamp")) NOT "old lamp")"#),
        ] {
            assert_eq!(query(text).as_deref(), Ok(expression), "{text}");
        }
        for nothing in ["", "-old", "* -", "\"\"", "(", "AND\u{0}".trim_start_matches("AND")] {
            assert_eq!(query(nothing), Err(QueryError::NoWord), "{nothing:?}");
        }
    }
}
