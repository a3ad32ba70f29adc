//! A value of the user's, or one that follows from the machine or from other settings.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value, and whether the user has chosen it himself.
#[derive(Clone, Copy, Default)]
pub struct Chosen<T> {
    value: T,
    by_user: bool,
}

impl<T> Chosen<T> {
    /// The user's own.
    pub fn by_user(value: T) -> Self {
        Self { value, by_user: true }
    }

    /// One that holds unless the user says otherwise.
    pub fn by_default(value: T) -> Self {
        Self { value, by_user: false }
    }

    /// Whether it is the user's own.
    pub fn is_by_user(&self) -> bool {
        self.by_user
    }

    /// This value instead, unless the user has chosen one.
    pub fn or(self, value: T) -> Self {
        if self.by_user { self } else { Self::by_default(value) }
    }

    /// Another value in its place, whoever has chosen it.
    pub fn replace(&mut self, value: T) {
        self.value = value;
    }
}

impl<T> Deref for Chosen<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Chosen<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: FromStr> FromStr for Chosen<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.parse().map(Self::by_user)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Chosen<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::by_user)
    }
}

impl<T: Serialize> Serialize for Chosen<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}
