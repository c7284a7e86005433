//! The words of the panel for a proxy that the user enters.

use crate::config::InvalidValue;
use crate::service::manual_proxy::FieldError;

use super::notice::full;

/// Returns the sentence for an error in the fields.
pub(crate) fn problem(error: &FieldError) -> String {
    match error {
        FieldError::NoAddress => {
            "Enter the proxy's address, as in proxy.corp.example:8080.".to_owned()
        }
        FieldError::Address(why) => full(&format!("The address can't be used: {why}")),
        FieldError::User(why) => full(&format!("The user can't be used: {why}")),
        FieldError::TwoUsers => {
            "The address has another user than the field below it. Remove one of them.".to_owned()
        }
        FieldError::TwoPasswords => {
            "The address has another password than the field for it. Remove one of them.".to_owned()
        }
        FieldError::PasswordWithoutUser => {
            "A password needs a user. Enter the user, too.".to_owned()
        }
        FieldError::PasswordCharacter => {
            "The password has a control character in it, which no proxy takes.".to_owned()
        }
        FieldError::PasswordTooLong(most) => {
            format!("The password is longer than {most} bytes.")
        }
        FieldError::PasswordAndForget => {
            "Enter a new password, or delete the stored one, but not both.".to_owned()
        }
        FieldError::PasswordOfBefore(account) => full(&format!(
            "The stored password is that of the address and user before. Enter the one for {account}, or choose to delete the stored one"
        )),
        FieldError::Exceptions(InvalidValue::NoProxy(why)) => {
            full(&format!("One of the exceptions {why}"))
        }
        FieldError::Exceptions(why) => full(&format!("The list of exceptions {why}")),
    }
}
