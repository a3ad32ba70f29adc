//! Each process of a crawl keeps what its work needs; all else is behind the walls of [`sandbox`].
//!
//! ```text
//! fetcher    connects to sites, asks for names        reads what names and certificates are looked up in, archives
//! writer     no network                               reads and writes in the folder of the store
//! extractor  no network                               no files
//! ```
//!
//! The supervisor has none, since whoever it starts would be inside of them; nor has the host of processors, which starts
//! programs of the user's.

use std::env;
use std::path::{Path, PathBuf};

use seine_unix::sandbox::{self, InForce, Needs, Network};
use seine_unix::say::{Level, say};
use seine_unix::title::Role;

use crate::config::{Fetching, Sandbox};

/// Where name resolution looks: `resolv.conf(5)`, `nsswitch.conf(5)`, `gai.conf(5)`, and the modules that are loaded
/// for it.
const NAMES: &[&str] = &[
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
];

/// Programs replace this file when the network changes, and the one that has taken its place is to be read then.
const RESOLVER: &str = "/etc/resolv.conf";

/// Certificate authorities of the systems that there are, and the folders that their files are links into.
const AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/share/pki",
    "/usr/local/share/ca-certificates",
];
/// Where users keep their own, see `rustls-native-certs`.
const AUTHORITIES_OF_USERS: &[&str] = &["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A fetcher with these settings that may read answers from `archives`.
pub fn of_fetcher(settings: &Fetching, archives: &[PathBuf]) -> Needs {
    let mut reads: Vec<PathBuf> = NAMES.iter().chain(AUTHORITIES).map(PathBuf::from).collect();
    reads.push(folder_of(Path::new(RESOLVER)));
    for variable in AUTHORITIES_OF_USERS {
        reads.extend(env::var_os(variable).iter().flat_map(env::split_paths));
    }
    reads.extend(settings.http.ca_cert.iter().cloned());
    reads.extend(settings.http.cookie_file.clone());
    reads.extend(settings.politeness.host.iter().filter_map(|rule| rule.client_cert.clone()));
    reads.extend(archives.iter().cloned());
    Needs { network: Network::Outward, reads, writes: Vec::new() }
}

/// Puts up the walls around the process that has the store `db`. Where it `writes`, SQLite's temporary files are beside the
/// store from now on, and not where those of all programs are, unless the user has said where.
///
/// # Errors
/// As [`put_up`].
pub fn put_up_around_store(wish: Sandbox, db: &Path, writes: bool) -> Result<(), i32> {
    let folder = folder_of(db);
    let temporary = match env::var_os("SQLITE_TMPDIR") {
        Some(chosen) => chosen.into(),
        None if writes => folder.clone(),
        None => env::temp_dir(),
    };
    if wish != Sandbox::Off {
        seine_store::sort_in(&temporary);
    }
    let reads = ["/dev/urandom", "/dev/null", "/etc/localtime", "/usr/share/zoneinfo"].map(PathBuf::from).into();
    put_up(wish, Role::Writer, &Needs { network: Network::None, reads, writes: vec![folder, temporary] })
}

/// The folder that a file is really in.
fn folder_of(file: &Path) -> PathBuf {
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    match real.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Puts up the walls around this process, if they are wanted; the error is the exit code of one that has none and must.
///
/// # Errors
/// They are required and cannot be put up; that was said.
pub fn put_up(wish: Sandbox, role: Role, needs: &Needs) -> Result<(), i32> {
    if wish == Sandbox::Off {
        return Ok(());
    }
    let problem = match sandbox::enter(needs) {
        Ok(walls) if walls.is_whole() => return Ok(()),
        Ok(walls) => walls.to_string(),
        Err(error) => error.to_string(),
    };
    match wish {
        Sandbox::Require => {
            say(Level::Error, &format!("seine: {role}: cannot be walled off: {problem}"));
            Err(1)
        }
        Sandbox::Best | Sandbox::Off => {
            tracing::debug!(%role, problem, "not walled off wholly");
            Ok(())
        }
    }
}

/// Which walls the processes of a crawl will have: `None` if none are wanted. A process is started to see.
///
/// # Errors
/// Walls are required, and cannot be had whole: which there are.
pub fn check(wish: Sandbox) -> Result<Option<InForce>, InForce> {
    if wish == Sandbox::Off {
        return Ok(None);
    }
    let walls = sandbox::try_out();
    if wish == Sandbox::Require && !walls.is_whole() {
        return Err(walls);
    }
    Ok(Some(walls))
}
