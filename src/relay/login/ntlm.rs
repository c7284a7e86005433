//! The three messages of NTLM, with its version 2 of the answer ([MS-NLMP]).
//!
//! Where the challenge has a time, the answer has a code (MIC) over all three messages, as the specification wants it.
//! Channel bindings are not sent: they belong to proxies that are reached over TLS.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md4::Md4;
use md5::Md5;
use sha2::Digest;
use thiserror::Error;
use zeroize::Zeroizing;

use super::Credentials;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Flags of the messages ([MS-NLMP] 2.2.2.5).
mod flag {
    pub(super) const UNICODE: u32 = 0x1;
    pub(super) const OEM: u32 = 0x2;
    pub(super) const REQUEST_TARGET: u32 = 0x4;
    pub(super) const SIGN: u32 = 0x10;
    pub(super) const SEAL: u32 = 0x20;
    pub(super) const NTLM: u32 = 0x200;
    pub(super) const ALWAYS_SIGN: u32 = 0x8000;
    pub(super) const EXTENDED_SESSION_SECURITY: u32 = 0x8_0000;
    pub(super) const TARGET_INFO: u32 = 0x80_0000;
    pub(super) const VERSION: u32 = 0x200_0000;
    pub(super) const KEY_128: u32 = 0x2000_0000;
    pub(super) const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub(super) const KEY_56: u32 = 0x8000_0000;
}

/// What the greeting asks for: what Windows asks a proxy for, and an exchange of keys, which needs `SIGN`.
const ASKED: u32 = flag::UNICODE
    | flag::OEM
    | flag::REQUEST_TARGET
    | flag::SIGN
    | flag::NTLM
    | flag::ALWAYS_SIGN
    | flag::EXTENDED_SESSION_SECURITY
    | flag::VERSION
    | flag::KEY_128
    | flag::KEY_EXCHANGE
    | flag::KEY_56;
/// Windows 10 without a build, and revision 15 of the protocol, the only one there is. Nothing depends on it.
const VERSION: [u8; 8] = [10, 0, 0, 0, 0, 0, 0, 15];

/// Numbers of the pairs in the target info ([MS-NLMP] 2.2.2.1).
mod pair {
    pub(super) const END: u16 = 0;
    pub(super) const FLAGS: u16 = 6;
    pub(super) const TIME: u16 = 7;
    pub(super) const TARGET_NAME: u16 = 9;
}
/// The flag in [`pair::FLAGS`] that announces a MIC.
const HAS_MIC: u32 = 2;

/// Where a message of the third kind has its MIC, and where its content begins with and without one.
const MIC_AT: usize = 72;
const HEADER_WITH_MIC: usize = 88;
/// Seconds from the beginning of 1601, when the time of Windows begins, to that of 1970.
const SECONDS_TO_1970: u64 = 11_644_473_600;

/// The reason why a login with NTLM can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum NtlmFault {
    /// The message is shorter than its header.
    #[error("the proxy's NTLM challenge is cut off")]
    Short,
    /// It is no message of NTLM.
    #[error("what the proxy sent is no NTLM message")]
    Signature,
    /// It is another message of NTLM.
    #[error("the proxy sent an NTLM message of type {0} instead of a challenge")]
    Type(u32),
    /// The target info lies outside of the message, or its pairs do outside of it.
    #[error("the target info in the proxy's NTLM challenge is broken")]
    TargetInfo,
    /// NTLM computes with the password's characters, so it must be a text.
    #[error("the password is not UTF-8, which NTLM needs")]
    Password,
    /// A part of the answer would be longer than its length field allows.
    #[error("the NTLM answer would be too long")]
    TooLong,
}

/// The proxy's challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    message: Vec<u8>,
    flags: u32,
    number: [u8; 8],
    /// The pairs of the target info, without the end.
    target_info: Option<Vec<(u16, Vec<u8>)>>,
}

impl Challenge {
    /// Reads a challenge. Those of 1998 end behind the number, without target info and version.
    ///
    /// # Errors
    /// See `NtlmFault`.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, NtlmFault> {
        if !message.starts_with(&SIGNATURE[..message.len().min(8)]) {
            return Err(NtlmFault::Signature);
        }
        match u32_at(message, 8).ok_or(NtlmFault::Short)? {
            2 => {}
            other => return Err(NtlmFault::Type(other)),
        }
        let flags = u32_at(message, 20).ok_or(NtlmFault::Short)?;
        let number = bytes_at(message, 24).ok_or(NtlmFault::Short)?;
        let target_info = if flags & flag::TARGET_INFO == 0 {
            None
        } else {
            let info = target_info_of(message).ok_or(NtlmFault::TargetInfo)?;
            (!info.is_empty())
                .then(|| pairs(info).ok_or(NtlmFault::TargetInfo))
                .transpose()?
        };
        Ok(Self {
            message: message.to_owned(),
            flags,
            number,
            target_info,
        })
    }

    fn pair(&self, id: u16) -> Option<&[u8]> {
        let pairs = self.target_info.as_ref()?;
        pairs.iter().find(|it| it.0 == id).map(|it| &*it.1)
    }
}

/// What an answer holds in addition to the challenge and the credentials.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    /// Name of this computer; may be empty.
    pub(crate) workstation: &'a str,
    /// The service that is logged in to, such as `HTTP/proxy.corp.example`.
    pub(crate) target: Option<&'a str>,
    /// Eight random bytes.
    pub(crate) challenge: [u8; 8],
    /// Sixteen random bytes: the key of the session, where keys are exchanged.
    pub(crate) session_key: &'a [u8; 16],
    /// The time of [`windows_time`]. The proxy's own counts instead, where its challenge has one.
    pub(crate) time: u64,
}

/// Returns the first message.
pub(crate) fn greeting() -> Vec<u8> {
    greeting_with(ASKED, VERSION)
}

fn greeting_with(flags: u32, version: [u8; 8]) -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(1_u32.to_le_bytes());
    message.extend(flags.to_le_bytes());
    // Domain and workstation, which are not told yet.
    message.extend([0; 16]);
    message.extend(version);
    message
}

/// Returns the third message: the answer to `challenge`, which followed `greeting`.
///
/// # Errors
/// See `NtlmFault`.
pub(crate) fn answer(
    greeting: &[u8],
    challenge: &Challenge,
    credentials: &Credentials,
    client: Client<'_>,
) -> Result<Vec<u8>, NtlmFault> {
    let (domain, user) = split_name(credentials.user());
    let asked = u32_at(greeting, 12).ok_or(NtlmFault::Short)?;
    let version: [u8; 8] = bytes_at(greeting, 32).ok_or(NtlmFault::Short)?;
    let is_ascii = domain.is_ascii() && user.is_ascii() && client.workstation.is_ascii();
    let flags = agreed_flags(asked, challenge.flags, is_ascii);
    let text = |text: &str| match flags & flag::UNICODE {
        0 => text.as_bytes().to_owned(),
        _ => utf16(text).to_vec(),
    };

    let time = challenge.pair(pair::TIME).and_then(|it| bytes_at(it, 0));
    let has_mic = time.is_some();
    let target_info = match &challenge.target_info {
        Some(pairs) => target_info(pairs, has_mic, client.target)?,
        None => Vec::new(),
    };
    let key = ntowf_v2(credentials.password(), user, domain)?;
    let time = time.unwrap_or_else(|| client.time.to_le_bytes());
    let nt = nt_response(&key, challenge.number, client.challenge, time, &target_info);
    let lm = if has_mic {
        vec![0; 24]
    } else {
        let proof = hmac_md5(&key[..], &[&challenge.number, &client.challenge]);
        [&proof[..], &client.challenge].concat()
    };
    let base_key = hmac_md5(&key[..], &[&nt[..16]]);
    let (session_key, encrypted_key) = if flags & flag::KEY_EXCHANGE == 0 {
        (&*base_key, Vec::new())
    } else {
        (client.session_key, rc4(&base_key, client.session_key))
    };

    // The content follows the header in this order, while the header has its fields in that of `in_header`.
    let content = [
        text(domain),
        text(user),
        text(client.workstation),
        lm,
        nt,
        encrypted_key,
    ];
    let in_header = [3, 4, 0, 1, 2, 5];
    let header_len = if has_mic { HEADER_WITH_MIC } else { MIC_AT };
    let mut message = SIGNATURE.to_vec();
    message.extend(3_u32.to_le_bytes());
    for index in in_header {
        let before: usize = content[..index].iter().map(Vec::len).sum();
        let len = u16::try_from(content[index].len()).map_err(|_| NtlmFault::TooLong)?;
        let start = u32::try_from(header_len + before).map_err(|_| NtlmFault::TooLong)?;
        message.extend(len.to_le_bytes());
        message.extend(len.to_le_bytes());
        message.extend(start.to_le_bytes());
    }
    message.extend(flags.to_le_bytes());
    message.extend(if flags & flag::VERSION == 0 {
        [0; 8]
    } else {
        version
    });
    message.resize(header_len, 0);
    message.extend(content.concat());
    if has_mic {
        let mic = hmac_md5(session_key, &[greeting, &challenge.message, &message]);
        message[MIC_AT..HEADER_WITH_MIC].copy_from_slice(&mic[..]);
    }
    Ok(message)
}

/// Returns what both sides set, for the third message.
fn agreed_flags(asked: u32, offered: u32, is_ascii: bool) -> u32 {
    let mut flags = offered & (asked | flag::TARGET_INFO) | asked & flag::REQUEST_TARGET;
    // An unknown code page can't be met, so names beyond ASCII are sent in Unicode in any case.
    if flags & flag::UNICODE != 0 || !is_ascii {
        flags = flags & !flag::OEM | flag::UNICODE;
    }
    if flags & (flag::SIGN | flag::SEAL) == 0 {
        flags &= !flag::KEY_EXCHANGE;
    }
    flags
}

/// Splits `DOMAIN\user` and `DOMAIN/user` into domain and user. `user` and `user@domain.example` have no domain.
fn split_name(name: &str) -> (&str, &str) {
    name.split_once(['\\', '/']).unwrap_or(("", name))
}

/// NTOWFv2 ([MS-NLMP] 3.3.2): the key that stands for the password.
fn ntowf_v2(password: &[u8], user: &str, domain: &str) -> Result<Zeroizing<[u8; 16]>, NtlmFault> {
    let password = str::from_utf8(password).map_err(|_| NtlmFault::Password)?;
    let hash = Zeroizing::new(<[u8; 16]>::from(Md4::digest(&*utf16(password))));
    let user: String = user.chars().map(upper).collect();
    Ok(hmac_md5(&hash[..], &[&utf16(&user), &utf16(domain)]))
}

/// Returns the capital letter of `character`. One without a capital of one letter, such as `ß`, stays as it is, as on
/// Windows.
fn upper(character: char) -> char {
    let mut capitals = character.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital,
        _ => character,
    }
}

/// The NTLMv2 answer: the proof (NTProofStr), and what it is computed from.
fn nt_response(
    key: &[u8; 16],
    number: [u8; 8],
    client_challenge: [u8; 8],
    time: [u8; 8],
    target_info: &[u8],
) -> Vec<u8> {
    let mut temp = vec![1, 1, 0, 0, 0, 0, 0, 0];
    temp.extend(time);
    temp.extend(client_challenge);
    temp.extend([0; 4]);
    temp.extend(target_info);
    temp.extend([0; 4]);
    let proof = hmac_md5(key, &[&number, &temp]);
    [&proof[..], &temp].concat()
}

/// Returns the target info of the answer: that of the challenge, the flag for the MIC, and the service.
fn target_info(
    pairs: &[(u16, Vec<u8>)],
    has_mic: bool,
    target: Option<&str>,
) -> Result<Vec<u8>, NtlmFault> {
    let mut pairs = pairs.to_owned();
    if has_mic {
        let flags = pairs.iter().find(|it| it.0 == pair::FLAGS);
        let flags = flags.and_then(|it| u32_at(&it.1, 0)).unwrap_or_default() | HAS_MIC;
        set(&mut pairs, pair::FLAGS, flags.to_le_bytes().to_vec());
    }
    if let Some(target) = target {
        set(&mut pairs, pair::TARGET_NAME, utf16(target).to_vec());
    }
    pairs.push((pair::END, Vec::new()));
    let mut bytes = Vec::new();
    for (id, value) in pairs {
        let len = u16::try_from(value.len()).map_err(|_| NtlmFault::TooLong)?;
        bytes.extend(id.to_le_bytes());
        bytes.extend(len.to_le_bytes());
        bytes.extend(value);
    }
    Ok(bytes)
}

/// Returns the target info of a challenge, which has to lie inside of it.
fn target_info_of(message: &[u8]) -> Option<&[u8]> {
    let len = usize::from(u16_at(message, 40)?);
    let start = usize::try_from(u32_at(message, 44)?).ok()?;
    if len == 0 {
        return Some(&[]);
    }
    message.get(start..)?.get(..len)
}

fn set(pairs: &mut Vec<(u16, Vec<u8>)>, id: u16, value: Vec<u8>) {
    match pairs.iter_mut().find(|it| it.0 == id) {
        Some(pair) => pair.1 = value,
        None => pairs.push((id, value)),
    }
}

/// Reads the pairs of a target info up to its end; nothing if one is cut off.
fn pairs(mut bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let (id, len) = (u16_at(bytes, 0)?, u16_at(bytes, 2)?);
        if id == pair::END {
            break;
        }
        let (value, rest) = bytes.get(4..)?.split_at_checked(usize::from(len))?;
        pairs.push((id, value.to_owned()));
        bytes = rest;
    }
    Some(pairs)
}

/// Turns the time since the beginning of 1970 into that of Windows: tenths of a microsecond since that of 1601.
pub(crate) fn windows_time(unix_time: Duration) -> u64 {
    let seconds = unix_time.as_secs().saturating_add(SECONDS_TO_1970);
    seconds
        .saturating_mul(10_000_000)
        .saturating_add(u64::from(unix_time.subsec_nanos() / 100))
}

fn utf16(text: &str) -> Zeroizing<Vec<u8>> {
    // Allocated at once, since a vector that grows leaves its old bytes in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * text.len()));
    for unit in text.encode_utf16() {
        bytes.extend(unit.to_le_bytes());
    }
    bytes
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes a key of any length (RFC 2104)"
)]
fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// RC4, which encrypts the session key. `key` must not be empty.
fn rc4(key: &[u8; 16], data: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|index| index as u8);
    let mut j = 0_u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
        state.swap(i, usize::from(j));
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    let mut encrypt = |byte: &u8| {
        i = i.wrapping_add(1);
        j = j.wrapping_add(state[usize::from(i)]);
        state.swap(usize::from(i), usize::from(j));
        let index = state[usize::from(i)].wrapping_add(state[usize::from(j)]);
        byte ^ state[usize::from(index)]
    };
    data.iter().map(&mut encrypt).collect()
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// [MS-NLMP] 4.2.4.3.
    const CHALLENGE: &str =
        "4e544c4d53535000 02000000 0c000c0038000000 33828ae2 0123456789abcdef 0000000000000000
        2400240044000000 060070170000000f 530065007200760065007200 02000c0044006f006d00610069006e00
        01000c00530065007200760065007200 00000000";
    const ANSWER: &str =
        "4e544c4d53535000 03000000 180018006c000000 5400540084000000 0c000c0048000000
        0800080054000000 100010005c000000 10001000d8000000 358288e2 0501280a0000000f
        44006f006d00610069006e00 5500730065007200 43004f004d0050005500540045005200
        86c35097ac9cec102554764a57cccc19 aaaaaaaaaaaaaaaa
        68cd0ab851e51c96aabc927bebef6a1c 0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000
        02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000
        c5dad2544fc979909 4ce1ce90bc9d03e";
    const KEY: &str = "0c868a403bfd7a93a3001ef22ef02e3f";

    /// The client of [MS-NLMP] 4.2.1, at the beginning of 1601.
    fn client(target: Option<&str>) -> Client<'_> {
        Client {
            workstation: "COMPUTER",
            target,
            challenge: [0xaa; 8],
            session_key: &[0x55; 16],
            time: 0,
        }
    }

    fn user() -> Credentials {
        Credentials::new("Domain\\User", "Password").unwrap()
    }

    /// A challenge with these flags and pairs.
    fn challenge(flags: u32, pairs: &[(u16, &[u8])]) -> Vec<u8> {
        let mut info = Vec::new();
        for (id, value) in pairs.iter().copied().chain([(0, &b""[..])]) {
            info.extend(id.to_le_bytes());
            info.extend((value.len() as u16).to_le_bytes());
            info.extend(value);
        }
        let mut message = hex("4e544c4d53535000 02000000 0000000038000000");
        message.extend(flags.to_le_bytes());
        message.extend(hex("0123456789abcdef 0000000000000000"));
        let len = (info.len() as u16).to_le_bytes();
        message.extend([&len[..], &len, &[56, 0, 0, 0], &[0; 8]].concat());
        message.extend(info);
        message
    }

    /// The content of a field of a third message.
    fn field(message: &[u8], at: usize) -> &[u8] {
        let start = u32_at(message, at + 4).unwrap() as usize;
        &message[start..][..usize::from(u16_at(message, at).unwrap())]
    }

    fn flags(message: &[u8]) -> u32 {
        u32_at(message, 60).unwrap()
    }

    #[test]
    fn md4_and_rc4_are_those_of_their_specifications() {
        for (text, digest) in [
            ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
            ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
            ("message digest", "d9130a8164549fe818874806e1c7014b"),
        ] {
            assert_eq!(Md4::digest(text)[..], hex(digest), "{text}");
        }
        // RFC 6229, for a key of 128 bits.
        let key: [u8; 16] = std::array::from_fn(|index| index as u8 + 1);
        assert_eq!(rc4(&key, &[0; 16]), hex("9ac7cc9a609d1ef7b2932899cde41b97"));
    }

    #[test]
    fn keys_are_those_of_the_specification() {
        let key = ntowf_v2(b"Password", "User", "Domain").unwrap();
        assert_eq!(key[..], hex(KEY));
        let challenge = Challenge::parse(&hex(CHALLENGE)).unwrap();
        let info = target_info(challenge.target_info.as_ref().unwrap(), false, None).unwrap();
        let nt = nt_response(&key, challenge.number, [0xaa; 8], [0; 8], &info);
        assert_eq!(nt[..16], hex("68cd0ab851e51c96aabc927bebef6a1c"));
        let base = hmac_md5(&key[..], &[&nt[..16]]);
        assert_eq!(base[..], hex("8de40ccadbc14a82f15cb0ad0de95ca3"));
        assert_eq!(
            rc4(&base, &[0x55; 16]),
            hex("c5dad2544fc9799094ce1ce90bc9d03e")
        );
    }

    #[test]
    fn the_whole_answer_is_that_of_the_specification() {
        let challenge = Challenge::parse(&hex(CHALLENGE)).unwrap();
        let greeting = greeting_with(
            ASKED | flag::SEAL,
            hex("0501280a0000000f").try_into().unwrap(),
        );
        let ours = answer(&greeting, &challenge, &user(), client(None)).unwrap();
        assert_eq!(ours, hex(ANSWER));
    }

    #[test]
    fn the_greeting_asks_for_what_the_answer_can_do() {
        let message = greeting();
        assert_eq!(message.len(), 40);
        assert_eq!(message[..16], hex("4e544c4d53535000 01000000 178208e2"));
    }

    #[test]
    fn a_challenge_with_a_time_is_answered_with_a_mic() {
        let time = [1, 2, 3, 4, 5, 6, 7, 8];
        let all = ASKED | flag::TARGET_INFO;
        for pairs in [
            &[(2, &b"C\0"[..]), (7, &time[..])][..],
            &[(7, &time), (6, &[1, 0, 0, 0])],
            &[(6, &[2, 0, 0, 0]), (7, &time), (9, b"x\0")],
        ] {
            let message = challenge(all, pairs);
            let parsed = Challenge::parse(&message).unwrap();
            let greeting = greeting();
            let mut ours = answer(&greeting, &parsed, &user(), client(Some("HTTP/proxy"))).unwrap();
            assert_eq!(field(&ours, 12), [0; 24], "LM");
            let nt = field(&ours, 20).to_owned();
            assert_eq!(nt[24..32], time);
            let sent: std::collections::BTreeMap<_, _> =
                super::pairs(&nt[44..]).unwrap().into_iter().collect();
            assert_eq!(sent[&7], time);
            assert_eq!(sent[&6][0] & 2, 2);
            assert_eq!(sent[&9], utf16("HTTP/proxy").to_vec());
            assert_eq!(field(&ours, 28), &**utf16("Domain"));
            assert_eq!(field(&ours, 36), &**utf16("User"));

            // Keys were exchanged, so the MIC is made with the session's.
            let key = ntowf_v2(b"Password", "User", "Domain").unwrap();
            let base = hmac_md5(&key[..], &[&nt[..16]]);
            assert_eq!(rc4(&base, field(&ours, 52)), [0x55; 16]);
            let mic = ours[72..88].to_owned();
            ours[72..88].fill(0);
            assert_eq!(
                mic,
                hmac_md5(&[0x55; 16], &[&greeting, &message, &ours])[..]
            );
        }
    }

    #[test]
    fn keys_are_exchanged_only_if_both_sides_want_it() {
        let time = (7, &[9; 8][..]);
        let without = flag::TARGET_INFO | flag::UNICODE | flag::NTLM | flag::SIGN;
        for (offered, asked, is_exchanged) in [
            (without, ASKED, false),
            (without | flag::KEY_EXCHANGE, ASKED, true),
            (
                without | flag::KEY_EXCHANGE,
                ASKED & !flag::KEY_EXCHANGE,
                false,
            ),
            (without & !flag::SIGN | flag::KEY_EXCHANGE, ASKED, false),
        ] {
            let message = challenge(offered, &[time]);
            let parsed = Challenge::parse(&message).unwrap();
            let greeting = greeting_with(asked, VERSION);
            let mut ours = answer(&greeting, &parsed, &user(), client(None)).unwrap();
            assert_eq!(flags(&ours) & flag::KEY_EXCHANGE != 0, is_exchanged);
            assert_eq!(field(&ours, 52).len(), if is_exchanged { 16 } else { 0 });
            let key = ntowf_v2(b"Password", "User", "Domain").unwrap();
            let base = hmac_md5(&key[..], &[&field(&ours, 20)[..16]]);
            let key = if is_exchanged { [0x55; 16] } else { *base };
            let mic = ours[72..88].to_owned();
            ours[72..88].fill(0);
            assert_eq!(mic, hmac_md5(&key, &[&greeting, &message, &ours])[..]);
        }
    }

    #[test]
    fn challenges_of_1998_are_answered() {
        let head = hex("4e544c4d53535000 02000000 0900090028000000 02820000 0123456789abcdef");
        let with_name = [&head[..], &[0; 8], b"WORKGROUP"].concat();
        for message in [&head[..], &with_name[..40], &with_name[..48], &with_name] {
            let parsed = Challenge::parse(message).unwrap();
            assert_eq!(parsed.target_info, None);
            let ours = answer(&greeting(), &parsed, &user(), client(Some("HTTP/x"))).unwrap();
            assert_eq!(field(&ours, 28), b"Domain");
            assert_eq!(field(&ours, 36), b"User");
            assert_eq!(field(&ours, 20).len(), 16 + 28 + 4);
            assert_eq!(flags(&ours) & (flag::UNICODE | flag::OEM), flag::OEM);
            assert_eq!(ours[64..72], [0; 8]);
        }
        // The code page is unknown.
        let jurgen = Credentials::new("jürgen", "x").unwrap();
        let parsed = Challenge::parse(&head).unwrap();
        let ours = answer(&greeting(), &parsed, &jurgen, client(None)).unwrap();
        assert_eq!(field(&ours, 36), &**utf16("jürgen"));
        assert_eq!(flags(&ours) & (flag::UNICODE | flag::OEM), flag::UNICODE);
    }

    #[test]
    fn names_are_split_at_the_domain() {
        for (name, parts) in [
            ("CORP\\jane", ("CORP", "jane")),
            ("CORP/jane", ("CORP", "jane")),
            ("jane", ("", "jane")),
            ("jane@corp.example", ("", "jane@corp.example")),
            ("corp.example\\jürgen", ("corp.example", "jürgen")),
            ("", ("", "")),
        ] {
            assert_eq!(split_name(name), parts, "{name}");
        }
        let capitals: String = "jürgen ß ŉ é σ1".chars().map(upper).collect();
        assert_eq!(capitals, "JÜRGEN ß ŉ É Σ1");
    }

    #[test]
    fn times_are_those_of_windows() {
        assert_eq!(windows_time(Duration::ZERO), 116_444_736_000_000_000);
        let later = Duration::new(1_700_000_000, 123_456_789);
        assert_eq!(windows_time(later), 133_444_736_001_234_567);
        windows_time(Duration::MAX);
    }

    #[test]
    fn what_is_no_challenge_is_refused() {
        use NtlmFault as F;
        let whole = hex(CHALLENGE);
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = whole.clone();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            Challenge::parse(&changed).unwrap_err()
        };
        assert_eq!(Challenge::parse(&[]).unwrap_err(), F::Short);
        assert_eq!(Challenge::parse(&whole[..31]).unwrap_err(), F::Short);
        assert_eq!(Challenge::parse(&whole[..47]).unwrap_err(), F::TargetInfo);
        assert_eq!(with(0, b"ntlm"), F::Signature);
        assert_eq!(with(8, &[3]), F::Type(3));
        for (at, bytes) in [
            (44, &[0xff, 0xff, 0xff, 0xff][..]),
            (40, &[0xff, 0xff]),
            (70, &[0xff, 0xff]),
            (40, &[0x1f, 0]),
            (40, &[0x22, 0]),
        ] {
            assert_eq!(with(at, bytes), F::TargetInfo, "{at} {bytes:?}");
        }
        let not_a_text = Credentials::new("a", b"\xff".to_vec()).unwrap();
        let parsed = Challenge::parse(&whole).unwrap();
        assert_eq!(
            answer(&greeting(), &parsed, &not_a_text, client(None)),
            Err(F::Password)
        );
        let long = Credentials::new("a".repeat(40_000), "b").unwrap();
        assert_eq!(
            answer(&greeting(), &parsed, &long, client(None)),
            Err(F::TooLong)
        );
    }

    #[test]
    fn no_challenge_makes_it_panic() {
        let check = |message: &[u8]| {
            if let Ok(parsed) = Challenge::parse(message) {
                answer(&greeting(), &parsed, &user(), client(Some("HTTP/p"))).unwrap();
            }
        };
        let with_time = challenge(
            ASKED | flag::TARGET_INFO,
            &[(2, b"C\0"), (7, &[1; 8]), (6, b"1")],
        );
        for whole in [hex(CHALLENGE), with_time] {
            for len in 0..=whole.len() {
                check(&whole[..len]);
            }
            for bit in 0..8 * whole.len() {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                check(&flipped);
            }
        }
    }
}
