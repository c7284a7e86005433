//! The Basic scheme (RFC 7617).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Credentials, Field};

/// The reason why a user can't log in with Basic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the user name has a colon in it, which Basic can't send")]
pub(crate) struct ColonInUser;

/// Returns the value of `Proxy-Authorization`.
///
/// # Errors
/// When the user has a colon: the proxy would take what follows for a part of the password.
pub(crate) fn answer(credentials: &Credentials) -> Result<Field, ColonInUser> {
    let (user, password) = (credentials.user(), credentials.password());
    if user.contains(':') {
        return Err(ColonInUser);
    }
    // Both texts get all their room at once: one that grows leaves its old bytes in memory.
    let len = user.len() + 1 + password.len();
    let mut login = Zeroizing::new(Vec::with_capacity(len));
    login.extend_from_slice(user.as_bytes());
    login.push(b':');
    login.extend_from_slice(password);
    let mut field = Zeroizing::new(String::with_capacity(6 + len.div_ceil(3) * 4));
    field.push_str("Basic ");
    BASE64_STANDARD.encode_string(login.as_slice(), &mut field);
    Ok(Field::new(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_sent_as_utf_8() {
        for (user, password, field) in [
            (
                "Aladdin",
                "open sesame",
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            ),
            ("test", "123£", "Basic dGVzdDoxMjPCow=="),
            ("jane", "", "Basic amFuZTo="),
            ("jane", "a:b", "Basic amFuZTphOmI="),
        ] {
            let credentials = Credentials::new(user, password).unwrap();
            assert_eq!(answer(&credentials).unwrap().expose(), field, "{user}");
        }
    }

    #[test]
    fn a_user_with_a_colon_is_refused() {
        let credentials = Credentials::new("a:b", "c").unwrap();
        assert_eq!(answer(&credentials).unwrap_err(), ColonInUser);
    }
}
