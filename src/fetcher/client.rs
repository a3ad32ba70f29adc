//! How a fetcher's client is made from the settings of a crawl.

use std::time::Duration;

use crate::config::Fetching;
use seine_http::HttpOptions;

/// Idle connections are kept for twice the delay and this ...
const LEAST_IDLE: Duration = Duration::from_secs(2);
/// ... or this, where nothing makes a host wait for its next request ...
const UNPACED_IDLE: Duration = Duration::from_millis(250);
/// ... but no longer.
const MOST_IDLE: Duration = Duration::from_secs(30);

/// Long enough to meet a host's next request at its pace, and short, because a crawl of ten thousand hosts would hold
/// as many connections.
fn idle_time(settings: &Fetching) -> Duration {
    let is_unpaced = settings.politeness.delay.0.is_zero()
        && settings.politeness.jitter.0.is_zero()
        && !*settings.politeness.adaptive
        && settings.politeness.rate.is_none()
        && settings.politeness.host.is_empty();
    if is_unpaced { UNPACED_IDLE } else { (LEAST_IDLE + 2 * settings.politeness.delay.0).min(MOST_IDLE) }
}

/// How requests are made with these settings.
pub(super) fn http_options(settings: &Fetching) -> HttpOptions {
    HttpOptions {
        user_agent: settings.http.user_agent.clone(),
        headers: settings.http.header.iter().map(|h| (h.name.clone(), h.value.clone())).collect(),
        timeout: settings.http.timeout.0,
        connect_timeout: settings.http.connect_timeout.0,
        max_body_bytes: settings.http.max_body.0,
        host_concurrency: settings.politeness.host_concurrency,
        idle_time: idle_time(settings),
        large_bodies: settings.buffers.large_bodies(settings.http.max_body.0),
        min_speed: settings.http.min_speed.0,
        accept_types: settings.http.accept_types.clone(),
        resolve: settings.http.resolve.clone(),
        networks: settings.http.network.clone(),
        proxies: settings.http.proxy.clone(),
        ca_certs: settings.http.ca_cert.clone(),
        cookie_file: settings.http.cookie_file.clone(),
        keep_headers: settings.http.store_headers,
    }
}
