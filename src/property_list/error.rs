//! The reasons why bytes are not a property list.

use thiserror::Error;

/// The reason why bytes are not a property list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each says it")]
pub enum InvalidList {
    #[error("it is longer than {} MiB", super::MAX_LEN >> 20)]
    TooLong,
    #[error("its reader failed")]
    Reader,
    /// The parser's own messages are meant for programmers.
    #[error("it can't be read as XML or in binary form")]
    Malformed,
    #[error("its lists are nested deeper than {}", super::MAX_DEPTH)]
    TooDeep,
    #[error("it holds a character that XML can't have, U+{:04X}", u32::from(*.0))]
    Character(char),
    #[error("its document type has declarations of its own")]
    Declarations,
    #[error("it has an element that no property list has")]
    UnknownElement,
    #[error("it has an element <{0}> in a place where there can be none")]
    MisplacedElement(&'static str),
    #[error("it has the beginning of a {0}, but not the end")]
    Unclosed(&'static str),
    #[error("it has an entity that property lists don't have: &{0};")]
    UnknownEntity(String),
    #[error("it has a & that begins no entity; write &amp;")]
    BareAmpersand,
    #[error("it begins as UTF-16, but is not")]
    NotUtf16,
    #[error("it is neither binary nor text in UTF-8")]
    NotUtf8,
    #[error("it says that it is in another encoding than UTF-8")]
    OtherEncoding,
}
