//! Names of entries. The kernel resolves them relative to `/`, its working directory while it unpacks.
//! Only look-ups use normalized names; a name is always written back unchanged.

/// Returns the parts of `name`, joined by single slashes, without `.` and with each `..` resolved.
pub fn normalise(name: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// Returns whether `name` leads to the path `normalised`.
pub fn same_path(name: &[u8], normalised: &[u8]) -> bool {
    name.len() >= normalised.len() && (name == normalised || normalise(name) == normalised)
}

/// Returns the name to show to the user. Control characters and bytes that are not UTF-8 are escaped.
pub fn display(name: &[u8]) -> String {
    let mut shown = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' {
                shown.extend(c.escape_default());
            } else {
                shown.push(c);
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_22_names_are_normalised_for_look_up() {
        for (name, expected) in [
            ("etc/init.d/docker", "etc/init.d/docker"),
            ("./etc/init.d/docker", "etc/init.d/docker"),
            ("/etc/init.d/docker", "etc/init.d/docker"),
            ("etc//init.d/./docker", "etc/init.d/docker"),
            ("usr/../etc/init.d/docker", "etc/init.d/docker"),
            ("../etc/init.d/docker", "etc/init.d/docker"),
            ("etc/init.d/docker/", "etc/init.d/docker"),
            (".", ""),
            ("", ""),
        ] {
            assert_eq!(normalise(name.as_bytes()), expected.as_bytes(), "{name}");
        }
        assert!(same_path(b"./etc/x", b"etc/x"));
        assert!(same_path(b"etc/x/", b"etc/x"));
        assert!(!same_path(b"etc/init.d/x", b"etc/x"));
        assert!(!same_path(b"etc/.x", b"etc/x"));
    }

    #[test]
    fn names_are_shown_without_raw_control_bytes() {
        assert_eq!(display(b"a\nb\xffc\\"), "a\\nb\\xffc\\\\");
        assert_eq!(display("grün".as_bytes()), "grün");
    }
}
