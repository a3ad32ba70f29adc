//! Reads the files that settings name for passwords, tokens, headers and proxies.

use std::path::Path;
use std::str::FromStr;

use super::ConfigError;

/// The text of the file at `path`, without line ends at its end.
pub(super) fn secret_in(setting: &'static str, path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::SecretFile {
        setting,
        path: path.to_owned(),
        problem: format!("cannot be read: {error}"),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The values of the file at `path`, one a line; empty lines and those that begin with # do not count. `what` says what
/// a line must be: what it is may be a secret.
pub(super) fn lines_of<T: FromStr>(setting: &'static str, path: &Path, what: &str) -> Result<Vec<T>, ConfigError> {
    let text = secret_in(setting, path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let values = lines.map(|(at, line)| {
        line.trim().parse().map_err(|_| ConfigError::SecretFile {
            setting,
            path: path.to_owned(),
            problem: format!("line {} is not {what}", at + 1),
        })
    });
    values.collect()
}
