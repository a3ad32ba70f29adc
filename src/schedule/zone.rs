//! Time zones by name: those of the system's database if it has one, else those in the program.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

/// A time zone and how it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// The one of `TZ`, or of `/etc/localtime`; UTC where there is neither.
    ///
    /// # Errors
    /// `TZ` names none.
    pub fn of_system() -> Result<Self, String> {
        let name = std::env::var("TZ").unwrap_or_default();
        let zone = match TimeZone::try_system() {
            Ok(zone) => zone,
            Err(error) if !name.is_empty() => return Err(format!("TZ={name}: {error}")),
            Err(_) => TimeZone::UTC,
        };
        let name =
            zone.iana_name().map_or_else(|| if name.is_empty() { "local".to_owned() } else { name }, str::to_owned);
        Ok(Self { name, zone })
    }

    /// The rules.
    pub fn rules(&self) -> &TimeZone {
        &self.zone
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let zone = TimeZone::get(text)
            .map_err(|_| format!("no time zone is called {text:?}; write Europe/Vienna, America/New_York or UTC"))?;
        let name = zone.iana_name().unwrap_or(text).to_owned();
        Ok(Self { name, zone })
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_name_whatever_the_case() {
        assert_eq!("europe/vienna".parse::<Zone>().unwrap().to_string(), "Europe/Vienna");
        assert_eq!("UTC".parse::<Zone>().unwrap().to_string(), "UTC");
        assert!("Europe/Vena".parse::<Zone>().unwrap_err().starts_with("no time zone is called \"Europe/Vena\""));
    }

    #[test]
    fn zones_are_there_without_the_system() {
        let bundled = jiff::tz::TimeZoneDatabase::bundled();
        for name in ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe"] {
            assert!(bundled.get(name).is_ok(), "{name}");
        }
    }
}
