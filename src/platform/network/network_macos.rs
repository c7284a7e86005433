//! The network, as the dynamic store knows it.

use system_configuration::dynamic_store::SCDynamicStoreBuilder;

/// What there is of IPv4 and IPv6, and nothing where no interface has them
/// (<https://developer.apple.com/documentation/systemconfiguration/scdynamicstorekeycreatenetworkglobalentity(_:_:_:)>).
pub(in crate::platform) const KEYS: [&str; 2] =
    ["State:/Network/Global/IPv4", "State:/Network/Global/IPv6"];

/// Whether there is a network, without which macOS also says that there are no proxies. Where macOS
/// does not tell, there is.
pub fn is_up() -> bool {
    // <https://developer.apple.com/documentation/systemconfiguration/scdynamicstorecopyvalue(_:_:)>
    SCDynamicStoreBuilder::new("baleen")
        .build()
        .is_none_or(|store| KEYS.iter().any(|key| store.get(*key).is_some()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn scutil_sees_the_same() {
        let mut scutil = Command::new("/usr/sbin/scutil")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let asked = b"list State:/Network/Global/IPv[46]\n";
        scutil.stdin.take().unwrap().write_all(asked).unwrap();
        let listed = scutil.wait_with_output().unwrap().stdout;
        let listed = String::from_utf8(listed).unwrap();
        assert_eq!(is_up(), listed.contains("subKey"), "{listed}");
    }
}
