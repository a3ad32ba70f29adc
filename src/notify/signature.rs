//! Signatures of the Standard Webhooks specification (standardwebhooks.com): HMAC-SHA256 with a shared secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

/// Before a secret that is written in base64.
const PREFIX: &str = "whsec_";

/// A shared secret.
pub struct Key(hmac::Key);

/// Why a text is no secret. Nothing of it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// It claims to be base64.
    #[error("what follows whsec_ is not base64")]
    NotBase64,
}

impl Key {
    /// `secret` is `whsec_` and base64, as services give it out, or any other text, whose bytes are the key.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn new(secret: &str) -> Result<Self, KeyError> {
        let secret = secret.trim();
        let bytes = match secret.strip_prefix(PREFIX) {
            Some(coded) => BASE64.decode(coded).map_err(|_| KeyError::NotBase64)?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The `webhook-signature` of a message; `timestamp` is seconds of the Unix epoch, as in `webhook-timestamp`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_signed_as_there() {
        let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        assert_eq!(Key::new("").err(), Some(KeyError::Empty));
        assert_eq!(Key::new("whsec_").err(), Some(KeyError::Empty));
        assert_eq!(Key::new("whsec_not base64").err(), Some(KeyError::NotBase64));
        assert!(Key::new("any words will do").is_ok());
    }
}
