//! Names turned into addresses: looked up once a minute, one look-up per name at a time, and only such addresses
//! handed on as may be connected to.
//!
//! The guard sits here because here the address judged is the one connected to: a name server that answers
//! differently the second time gains nothing.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::Instant;

use super::address;
use seine_core::values::Networks;

/// How long addresses are taken for true. The system's resolver does not tell how long the zone's owner wants.
const FOUND_FOR: Duration = Duration::from_secs(60);

/// How long a name without addresses stays without.
const MISSED_FOR: Duration = Duration::from_secs(5);

/// Names kept.
const MAX_NAMES: usize = 4096;

/// Addresses of one name that are kept: more would only be tried in vain.
const MAX_ADDRESSES: usize = 16;

/// Asks for the addresses of a name.
pub(super) type LookUp = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Vec<IpAddr>, NoAnswer>> + Send + Sync>;

/// Why a look-up gave no addresses.
#[derive(Clone, Debug)]
pub(super) struct NoAnswer {
    /// The system's words.
    pub(super) message: String,
    /// The resolver could not say: another time the same name may well have addresses.
    pub(super) is_temporary: bool,
}

/// The system's resolver (`getaddrinfo`), on the runtime's blocking threads.
pub(super) fn system() -> LookUp {
    Arc::new(|name| {
        async move {
            let asked = tokio::task::spawn_blocking(move || ask_system(&name)).await;
            asked.unwrap_or_else(|error| Err(NoAnswer { message: error.to_string(), is_temporary: true }))
        }
        .boxed()
    })
}

/// By `getaddrinfo` itself, since the standard library keeps its code back, and the code alone tells a name that does not
/// exist from a resolver that has nothing to say.
fn ask_system(name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(name), None, Some(hints)).map_err(|error| {
        // These codes (EAI_AGAIN, EAI_FAIL, EAI_MEMORY, EAI_SYSTEM) are no answers about the name.
        let is_temporary = matches!(
            error.kind(),
            LookupErrorKind::Again | LookupErrorKind::Fail | LookupErrorKind::Memory | LookupErrorKind::System
        );
        NoAnswer { message: std::io::Error::from(error).to_string(), is_temporary }
    })?;
    Ok(found.flatten().map(|info| info.sockaddr.ip()).collect())
}

/// Every address that its name leads to is one that must not be connected to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{ip} is {reason}")]
pub(super) struct Blocked {
    /// The first of them.
    pub(super) ip: IpAddr,
    /// The kind of that address.
    pub(super) reason: &'static str,
}

/// The name has no addresses.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Unresolved {
    pub(super) name: String,
    message: String,
    /// The resolver could not say whether it has any.
    pub(super) is_temporary: bool,
}

/// The names looked up lately. All clients share one.
pub(super) struct Names {
    look_up: LookUp,
    known: Mutex<HashMap<String, Pending>>,
}

type Pending = Shared<BoxFuture<'static, Known>>;

#[derive(Clone)]
struct Known {
    until: Instant,
    addresses: Result<Arc<[IpAddr]>, Unresolved>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    pub(super) fn new(look_up: LookUp) -> Self {
        Self { look_up, known: Mutex::default() }
    }

    /// The addresses of `name`, whatever they are.
    pub(super) async fn addresses(&self, name: &str) -> Result<Arc<[IpAddr]>, Unresolved> {
        let name = name.to_ascii_lowercase();
        // An address needs no look-up (a SOCKS client asks for those as well).
        let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
        if let Ok(ip) = literal.parse() {
            return Ok(Arc::new([ip]));
        }
        self.pending(name).await.addresses
    }

    /// The addresses of `name` as the resolver has them at this moment; nothing is kept.
    pub(super) async fn ask_afresh(&self, name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        (self.look_up)(name.to_ascii_lowercase()).await
    }

    /// Whether the resolver still owes an answer about `name`.
    pub(super) fn is_asking(&self, name: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&name.to_ascii_lowercase()).is_some_and(|pending| pending.peek().is_none())
    }

    /// The look-up of `name` that is under way or still true, or a new one.
    fn pending(&self, name: String) -> Pending {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_true = |pending: &Pending| pending.peek().is_none_or(|known| known.until > now);
        if let Some(pending) = known.get(&name).filter(|pending| is_true(pending)) {
            return pending.clone();
        }
        if known.len() >= MAX_NAMES {
            known.retain(|_, pending| is_true(pending));
            // Room for many at once, so that not every name pays for a sweep.
            if known.len() > MAX_NAMES / 2 {
                known.clear();
            }
        }
        let pending = Self::ask(self.look_up.clone(), name.clone()).boxed().shared();
        known.insert(name, pending.clone());
        pending
    }

    async fn ask(look_up: LookUp, name: String) -> Known {
        let begun = Instant::now();
        let found = look_up(name.clone()).await;
        let (look_up_ms, addresses) = (begun.elapsed().as_millis() as u64, found.as_ref().map_or(0, Vec::len));
        tracing::debug!(host = name, look_up_ms, addresses, "looked up");
        let addresses = match found {
            Ok(mut found) => {
                found.truncate(MAX_ADDRESSES);
                let none = || NoAnswer { message: "the name has no address".to_owned(), is_temporary: false };
                if found.is_empty() { Err(none()) } else { Ok(found.into()) }
            }
            Err(error) => Err(error),
        };
        let lifetime = match &addresses {
            Ok(_) => FOUND_FOR,
            // A temporary failure is not remembered: it may be over in a moment.
            Err(error) if error.is_temporary => Duration::ZERO,
            Err(_) => MISSED_FOR,
        };
        let addresses =
            addresses.map_err(|NoAnswer { message, is_temporary }| Unresolved { name, message, is_temporary });
        Known { until: Instant::now() + lifetime, addresses }
    }
}

/// The resolver of one client: of the addresses in [`Names`] those that it may connect to.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) names: Arc<Names>,
    pub(super) networks: Arc<Networks>,
    /// Whether its hosts are of the user's own list.
    pub(super) listed: bool,
    /// A name and the addresses given by hand for it.
    pub(super) pinned: Option<(String, Arc<[IpAddr]>)>,
    /// The host of the proxy, which is the user's choice wherever it is.
    pub(super) proxy: Option<String>,
}

/// Why a name gave no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Unresolved(Unresolved),
    #[error(transparent)]
    Blocked(Blocked),
}

impl Guard {
    /// The addresses of `name` that may be connected to.
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Refusal> {
        let found = match &self.pinned {
            Some((pinned, addresses)) if pinned == name => addresses.clone(),
            _ => self.names.addresses(name).await.map_err(Refusal::Unresolved)?,
        };
        if self.proxy.as_deref() == Some(name) {
            return Ok(found.to_vec());
        }
        let mut blocked = None;
        let mut allowed = Vec::with_capacity(found.len());
        for &ip in &*found {
            match address::judge(ip, self.listed, &self.networks) {
                Ok(()) => allowed.push(ip),
                Err(reason) => {
                    blocked.get_or_insert(Blocked { ip, reason });
                }
            }
        }
        match blocked {
            Some(blocked) if allowed.is_empty() => Err(Refusal::Blocked(blocked)),
            _ => Ok(allowed),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let allowed = Guard::resolve(&guard, name.as_str()).await.map_err(|refusal| match refusal {
                Refusal::Unresolved(error) => Box::<dyn std::error::Error + Send + Sync>::from(error),
                Refusal::Blocked(error) => error.into(),
            })?;
            // Port 0 stands for the port of the URL.
            Ok(Box::new(allowed.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn guard(look_up: LookUp, listed: bool) -> Guard {
        Guard { names: Arc::new(Names::new(look_up)), networks: Arc::default(), listed, pinned: None, proxy: None }
    }

    fn no_answer(is_temporary: bool) -> NoAnswer {
        NoAnswer { message: "no such name".to_owned(), is_temporary }
    }

    fn fixed(addresses: &'static [&'static str]) -> LookUp {
        Arc::new(|_| async { Ok(addresses.iter().map(|text| ip(text)).collect()) }.boxed())
    }

    #[tokio::test]
    async fn refused_addresses_are_left_out_and_all_refused_is_blocked() {
        let mixed = guard(fixed(&["10.0.0.1", "1.1.1.1", "::1"]), false);
        assert_eq!(mixed.resolve("a.test").await.unwrap(), [ip("1.1.1.1")]);
        let all = guard(fixed(&["169.254.169.254", "10.0.0.1"]), false);
        let refusal = all.resolve("a.test").await.unwrap_err();
        assert_eq!(refusal.to_string(), "169.254.169.254 is link-local (cloud metadata)");
        let listed = Guard { listed: true, ..all };
        assert_eq!(listed.resolve("a.test").await.unwrap(), [ip("10.0.0.1")]);
    }

    #[tokio::test]
    async fn addresses_in_place_of_names_are_judged_too() {
        let guard = guard(fixed(&[]), false);
        assert_eq!(guard.resolve("1.1.1.1").await.unwrap(), [ip("1.1.1.1")]);
        for private in ["127.0.0.1", "[::1]", "::ffff:10.0.0.1"] {
            assert!(matches!(guard.resolve(private).await, Err(Refusal::Blocked(_))), "{private}");
        }
        assert!(matches!(guard.resolve("nothing.test").await, Err(Refusal::Unresolved(_))));
    }

    #[tokio::test]
    async fn pinned_names_and_the_proxy_go_before_the_look_up_and_the_guard() {
        let guard = Guard {
            pinned: Some(("pinned.test".into(), [ip("1.2.3.4")].into())),
            proxy: Some("proxy.test".into()),
            ..guard(fixed(&["10.0.0.1"]), false)
        };
        assert_eq!(guard.resolve("pinned.test").await.unwrap(), [ip("1.2.3.4")]);
        assert_eq!(guard.resolve("proxy.test").await.unwrap(), [ip("10.0.0.1")]);
        assert!(guard.resolve("other.test").await.is_err());
        let inside = Guard { pinned: Some(("pinned.test".into(), [ip("10.0.0.1")].into())), ..guard };
        assert!(inside.resolve("pinned.test").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn names_are_looked_up_once_at_a_time_and_again_when_their_time_is_up() {
        let (asked, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let look_up: LookUp = {
            let (asked, gate) = (asked.clone(), gate.clone());
            Arc::new(move |name| {
                asked.fetch_add(1, Ordering::SeqCst);
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    if name == "found.test" { Ok(vec![ip("1.1.1.1")]) } else { Err(no_answer(false)) }
                }
                .boxed()
            })
        };
        let names = Names::new(look_up);
        for (name, lifetime) in [("found.test", FOUND_FOR), ("missed.test", MISSED_FOR)] {
            asked.store(0, Ordering::SeqCst);
            let upper = name.to_uppercase();
            let (first, second, ()) = tokio::join!(names.addresses(name), names.addresses(&upper), async {
                gate.add_permits(1);
            });
            assert_eq!((first.is_ok(), second.is_ok()), (name == "found.test", name == "found.test"));
            tokio::time::advance(lifetime - Duration::from_millis(1)).await;
            let _ = names.addresses(name).await;
            assert_eq!(asked.load(Ordering::SeqCst), 1, "{name}");
            tokio::time::advance(Duration::from_millis(1)).await;
            gate.add_permits(1);
            let _ = names.addresses(name).await;
            assert_eq!(asked.load(Ordering::SeqCst), 2, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_resolver_could_not_say_is_asked_again_at_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let look_up: LookUp = {
            let asked = asked.clone();
            Arc::new(move |_| {
                let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
                async move { if first { Err(no_answer(true)) } else { Ok(vec![ip("1.1.1.1")]) } }.boxed()
            })
        };
        let names = Names::new(look_up);
        assert!(names.addresses("a.test").await.unwrap_err().is_temporary);
        assert_eq!(names.addresses("a.test").await.unwrap()[..], [ip("1.1.1.1")]);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_look_up_nobody_waited_for_is_finished_by_the_next() {
        let gate = Arc::new(Semaphore::new(0));
        let look_up: LookUp = {
            let gate = gate.clone();
            Arc::new(move |_| {
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(vec![ip("1.1.1.1")])
                }
                .boxed()
            })
        };
        let names = Names::new(look_up);
        assert!(!names.is_asking("a.test"));
        assert!(names.addresses("a.test").now_or_never().is_none());
        assert!(names.is_asking("A.test"));
        gate.add_permits(1);
        assert_eq!(names.addresses("a.test").await.unwrap()[..], [ip("1.1.1.1")]);
    }

    #[tokio::test]
    async fn the_memory_of_names_is_bounded() {
        let names = Names::new(fixed(&["1.1.1.1"]));
        for number in 0..3 * MAX_NAMES {
            names.addresses(&format!("{number}.test")).await.unwrap();
        }
        assert!(names.known.lock().unwrap().len() <= MAX_NAMES);
    }
}
