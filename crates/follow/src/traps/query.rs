//! Queries that grow from page to page.

use crate::parts::Parts;

/// Longest query, in bytes. Links to playgrounds carry programs of 3 KiB.
pub const MAX_QUERY_BYTES: usize = 4096;

/// Most parameters. The searches of bug trackers have around 40.
pub const MAX_PARAMETERS: usize = 60;

/// How often a parameter may have the same name, unless it is written as a list (`id[]`, `id[3]`).
pub const MAX_SAME_NAMES: usize = 12;

/// How often a parameter may have the same name and value.
pub const MAX_SAME_PARAMETERS: usize = 2;

/// A percent sign that was escaped four times: a URL in the query of a URL in the query of a URL …, as pages have
/// that link to a login which comes back to them.
const ESCAPED_AGAIN: &str = "%252525";

/// Whether the query is one of those that grow.
pub(super) fn grows(parts: &Parts<'_>) -> bool {
    let Some(query) = parts.query else { return false };
    if query.len() > MAX_QUERY_BYTES || query.contains(ESCAPED_AGAIN) {
        return true;
    }
    let mut all = [("", ""); MAX_PARAMETERS];
    let mut count = 0;
    for parameter in parts.parameters() {
        if count == MAX_PARAMETERS {
            return true;
        }
        all[count] = parameter;
        count += 1;
    }
    let parameters = &mut all[..count];
    if count <= MAX_SAME_PARAMETERS {
        return false;
    }
    parameters.sort_unstable();
    let is_same_pair = |window: &[(&str, &str)]| window[0] == window[MAX_SAME_PARAMETERS];
    let is_same_name = |window: &[(&str, &str)]| window[0].0 == window[MAX_SAME_NAMES].0 && !is_list(window[0].0);
    parameters.windows(MAX_SAME_PARAMETERS + 1).any(is_same_pair)
        || parameters.windows(MAX_SAME_NAMES + 1).any(is_same_name)
}

/// Whether a parameter of this name is meant to come again: `color[]`, `filter%5B%5D`.
fn is_list(name: &str) -> bool {
    name.ends_with(']') || name.ends_with("%5D") || name.ends_with("%5d")
}
