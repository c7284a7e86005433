//! The sources of proxy settings in words.

use std::fmt;

use crate::proxy::ProxyOrigin;

impl fmt::Display for ProxyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("the system's settings"),
            Self::Environment => f.write_str("the environment"),
            Self::ConfigFile => f.write_str("the config file"),
            Self::CommandLine => f.write_str("the command line"),
            Self::Relay => f.write_str("Baleen's relay"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}
