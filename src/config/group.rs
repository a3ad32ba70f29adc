//! How settings are declared: in groups, one for each room, and in a group each option once.
//!
//! A declaration has all there is to say of an option: its flag and what `--help` says of it, its name (the key in a
//! config file too), its type, its default, and what its value has to be.
//!
//! ```text
//! /// For one request, from its start to the last byte [default: 30s]
//! #[arg(long, value_name = "DURATION")]
//! timeout: Span = Span(Duration::from_secs(30)), lasting;
//! ```
//!
//! Without `= default` it is that of the type; without `, check` every value will do. Attributes are those of clap and
//! serde; `#[arg(skip)]` makes an option a key without a flag. A field below `beside` is no key: its value comes from
//! elsewhere, a flag of another name or a file.

use super::ConfigError;

/// Some of the settings.
pub(super) trait Group {
    /// The names of its options, which are their keys.
    fn keys() -> &'static [&'static str]
    where
        Self: Sized;

    /// Whether the value of each option can be used, whatever the others are.
    fn check(&self) -> Result<(), ConfigError>;
}

macro_rules! group {
    (
        $(#[$of_group:meta])*
        pub struct $Group:ident {
            $( $(#[$of_option:meta])* $option:ident: $type:ty $(= $default:expr)? $(, $check:expr)?; )*
        }
        $( beside { $( $(#[$of_other:meta])* $other:ident: $other_type:ty; )* } )?
    ) => {
        $(#[$of_group])*
        #[derive(clap::Args, Clone, Debug, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Group {
            $( $(#[$of_option])* pub $option: $type, )*
            $( $( $(#[$of_other])* #[serde(skip)] pub $other: $other_type, )* )?
        }

        impl Default for $Group {
            fn default() -> Self {
                Self {
                    $( $option: $crate::config::group::default!($($default)?), )*
                    $( $( $other: Default::default(), )* )?
                }
            }
        }

        impl $crate::config::group::Group for $Group {
            fn keys() -> &'static [&'static str] {
                &[$(stringify!($option)),*]
            }

            fn check(&self) -> Result<(), $crate::config::ConfigError> {
                $( $( $check(stringify!($option), &self.$option)?; )? )*
                Ok(())
            }
        }
    };
}

macro_rules! default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

pub(super) use {default, group};
