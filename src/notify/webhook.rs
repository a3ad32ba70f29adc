//! Posts a message to a webhook, and again after what may pass: network errors, 429 and 5xx.

use std::time::{Duration, Instant};

use super::Message;
use super::signature::Key;
use crate::config::{Fetching, Header, HookUrl, Notify};
use crate::fetcher::webhook::{Posted, Poster};

/// Before the second attempt; it doubles from then on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often it is asked whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Delivers `message` to `url`.
///
/// # Errors
/// Why it could not be, in words that show nothing of the URL but its host.
pub fn deliver(
    settings: &Notify,
    fetching: &Fetching,
    url: &HookUrl,
    message: &Message,
    is_stopped: &mut dyn FnMut() -> bool,
) -> Result<(), String> {
    let key = settings.notify_secret.as_ref().map(|secret| Key::new(secret.reveal())).transpose();
    let key = key.map_err(|error| error.to_string())?;
    let poster = Poster::new(fetching, settings.notify_timeout.0).map_err(|error| error.to_string())?;
    let mut pause = FIRST_PAUSE;
    let mut attempts = 0;
    let outcome = loop {
        attempts += 1;
        let (problem, may_pass) =
            match poster.post(url.url(), &headers(key.as_ref(), message), &message.body, &mut *is_stopped) {
                Posted::Answered(200..300) => break Ok(()),
                Posted::Answered(status) => (format!("it answered {status}"), matches!(status, 429 | 500..)),
                Posted::Failed { problem, may_pass } => (problem, may_pass),
                Posted::Stopped => break Err("a signal came first".to_owned()),
            };
        tracing::info!(attempts, problem, "notification not delivered");
        if !may_pass || attempts > u32::from(settings.notify_retries) {
            let s = if attempts == 1 { "" } else { "s" };
            break Err(format!("{problem} ({attempts} attempt{s})"));
        }
        let until = Instant::now() + pause;
        while Instant::now() < until && !is_stopped() {
            std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
        if is_stopped() {
            break Err(format!("{problem}, and a signal came before the next attempt"));
        }
        pause = (2 * pause).min(LONGEST_PAUSE);
    };
    poster.close();
    outcome
}

/// The time is that of the attempt, and so is the signature.
fn headers(key: Option<&Key>, message: &Message) -> Vec<Header> {
    let header = |name: &str, value: String| Header { name: name.to_owned(), value };
    let timestamp = jiff::Timestamp::now().as_second();
    let mut headers = vec![
        header("Content-Type", "application/json".to_owned()),
        header("webhook-id", message.id.clone()),
        header("webhook-timestamp", timestamp.to_string()),
    ];
    if let Some(key) = key {
        headers.push(header("webhook-signature", key.sign(&message.id, timestamp, &message.body)));
    }
    headers
}
