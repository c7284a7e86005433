use thiserror::Error;

/// The reason why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum GssError {
    #[error("the Kerberos library can't be used: {0}")]
    Library(String),

    /// The text of the library.
    #[error("{0}")]
    Status(String),

    #[error("the Kerberos library made an empty token")]
    Empty,
}
