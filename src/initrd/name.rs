//! Names of entries, as the kernel resolves them: relative to `/`, which is its working directory
//! while it unpacks. Normalising serves look-ups only; a name is always written back as it was.

/// The parts of `name` without `/`, `.` and what `..` takes back, joined by single slashes.
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

/// Whether `name` leads to the place that `normalized` names.
pub fn same_path(name: &[u8], normalised: &[u8]) -> bool {
    name.len() >= normalised.len() && (name == normalised || normalise(name) == normalised)
}

/// The name for a person: bytes that are not UTF-8, and control characters, as escapes.
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
