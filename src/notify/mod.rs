//! Tells somebody how a run has ended: a program of the user's, a webhook, or both.
//!
//! - [`signature`]: what a webhook is signed with, so that its receiver knows who sent it.
//! - [`webhook`]: the POST, with its repetitions.
//! - [`command`]: the program.
//!
//! All in bounded time, given up at a signal, and of no consequence for the exit code: the run is over and stored.

pub mod command;
pub mod signature;
pub mod webhook;

use crate::config::{Fetching, Notify};
use crate::console::text::printable;
use seine_unix::Signal;
use seine_unix::program;
use seine_unix::say::{Level, say};
use seine_unix::signals::Signals;

/// A notification.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same for every attempt to deliver it, and for no other message.
    pub id: String,
    /// One JSON object.
    pub body: String,
    /// The basics of it, as environment variables of the program.
    pub variables: Vec<(&'static str, String)>,
}

/// A setting of notifications that cannot work, found before the run.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// No such program.
    #[error("notify: there is no program {0:?}; give its path, or a name that is on PATH")]
    NoProgram(String),
    /// A secret that signs nothing.
    #[error("notify_secret_file: {0}")]
    Secret(#[from] signature::KeyError),
    /// Nobody to send a signature to.
    #[error("notify_secret_file signs what is posted; say where with notify_url or notify_url_file")]
    SecretAlone,
}

/// Whether there is a need for a [`Message`].
pub fn is_wanted(settings: &Notify) -> bool {
    settings.notify.is_some() || settings.notify_url.is_some()
}

/// Whether messages can be sent as the settings say.
///
/// # Errors
/// [`NotifyError`]; never shows the secret.
pub fn check(settings: &Notify) -> Result<(), NotifyError> {
    if let Some(program) = settings.notify.as_ref().and_then(|words| words.0.first())
        && !program::is_there(program)
    {
        return Err(NotifyError::NoProgram(program.clone()));
    }
    if let Some(secret) = &settings.notify_secret {
        signature::Key::new(secret.reveal())?;
        if settings.notify_url.is_none() {
            return Err(NotifyError::SecretAlone);
        }
    }
    Ok(())
}

/// Sends `message` to whomever the settings name; what does not work is said. Requests are made as `fetching` says.
pub fn send(settings: &Notify, fetching: &Fetching, message: &Message) {
    let Ok(mut signals) = Signals::new() else { return };
    let mut stopped = false;
    let mut is_stopped = || {
        stopped |= signals.read().any(|signal| signal != Signal::SIGCHLD);
        stopped
    };
    if let Some(words) = &settings.notify
        && let Err(problem) = command::run(&words.0, message, settings.notify_timeout.0, &mut is_stopped)
    {
        let program = words.0.first().map_or("", String::as_str);
        warn(&format!("cannot notify by {program:?}: {problem}"));
    }
    if let Some(url) = &settings.notify_url
        && let Err(problem) = webhook::deliver(settings, fetching, url, message, &mut is_stopped)
    {
        warn(&format!("cannot notify {url}: {problem}"));
    }
}

fn warn(text: &str) {
    say(Level::Warn, &format!("seine: {}; the run is stored all the same", printable(text)));
}
