//! The state of the network in macOS's dynamic store.

use system_configuration::dynamic_store::SCDynamicStoreBuilder;

/// The keys of the global state of IPv4 and IPv6. They have no value if no interface has an address
/// (<https://developer.apple.com/documentation/systemconfiguration/scdynamicstorekeycreatenetworkglobalentity(_:_:_:)>).
pub(in crate::platform) const KEYS: [&str; 2] =
    ["State:/Network/Global/IPv4", "State:/Network/Global/IPv6"];

/// Returns whether there is a network. Without one, macOS reports no proxies either. Returns `true` if
/// macOS does not say.
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
