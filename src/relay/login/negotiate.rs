//! A look into the tokens of Negotiate (RFC 4178): a library without a Kerberos ticket may make one that greets with
//! NTLM instead, which must not be taken for a Kerberos login.

/// SPNEGO, 1.3.6.1.5.5.2.
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// Kerberos 5, 1.2.840.113554.1.2.2.
const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// Kerberos 5 as Windows 2000 misspelled it, 1.2.840.48018.1.2.2.
const KERBEROS_2000: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// NTLM, 1.3.6.1.4.1.311.2.2.10.
const NTLM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
/// What every message of NTLM begins with.
const NTLM_SIGNATURE: &[u8] = b"NTLMSSP\0";

/// Returns whether `token` starts an NTLM login rather than a Kerberos one.
///
/// The first mechanism that the token names decides, since what it carries belongs to that one. A token whose
/// structure can't be read is NTLM if it holds a message of NTLM and doesn't name Kerberos.
pub(crate) fn is_ntlm(token: &[u8]) -> bool {
    match first_mechanism(token) {
        Some(mechanism) if mechanism == KERBEROS || mechanism == KERBEROS_2000 => false,
        Some(mechanism) if mechanism == NTLM => true,
        _ => {
            holds(token, NTLM_SIGNATURE) && !holds(token, KERBEROS) && !holds(token, KERBEROS_2000)
        }
    }
}

fn holds(token: &[u8], part: &[u8]) -> bool {
    token.windows(part.len()).any(|window| window == part)
}

/// Returns the mechanism of a bare token, or the first one of a list in a SPNEGO token.
fn first_mechanism(token: &[u8]) -> Option<&[u8]> {
    let (token, _) = element(token, 0x60)?;
    let (mechanism, rest) = element(token, 0x06)?;
    if mechanism != SPNEGO {
        return Some(mechanism);
    }
    // NegTokenInit [0], its SEQUENCE, mechTypes [0], their SEQUENCE, the first of them.
    let list = [0xa0, 0x30, 0xa0, 0x30]
        .into_iter()
        .try_fold(rest, |inside, tag| Some(element(inside, tag)?.0))?;
    Some(element(list, 0x06)?.0)
}

/// Splits `bytes` into the content of the DER element at its beginning, which has to have this tag, and the rest.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (len, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let len = digits
            .iter()
            .fold(0, |len: u64, &digit| len << 8 | u64::from(digit));
        (usize::try_from(len).ok()?, rest)
    };
    (found == tag).then(|| rest.split_at_checked(len))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        match content.len() {
            len @ ..0x80 => bytes.push(len as u8),
            len => bytes.extend([0x82, (len >> 8) as u8, len as u8]),
        }
        bytes.extend(content);
        bytes
    }

    /// A SPNEGO token that names `mechanisms` and carries `content`.
    fn spnego(mechanisms: &[&[u8]], content: &[u8]) -> Vec<u8> {
        let list: Vec<u8> = mechanisms.iter().flat_map(|it| der(0x06, it)).collect();
        let mut init = der(0xa0, &der(0x30, &list));
        init.extend(der(0xa2, &der(0x04, content)));
        let mut token = der(0x06, SPNEGO);
        token.extend(der(0xa0, &der(0x30, &init)));
        der(0x60, &token)
    }

    #[test]
    fn the_first_mechanism_tells_kerberos_from_ntlm() {
        let ticket = [0x5a; 900];
        let greeting = [NTLM_SIGNATURE, &[1; 32]].concat();
        let bare = |mechanism, content: &[u8]| {
            der(0x60, &[der(0x06, mechanism), content.to_owned()].concat())
        };
        for (token, expected) in [
            (spnego(&[KERBEROS], &ticket), false),
            (spnego(&[KERBEROS, NTLM], &ticket), false),
            (spnego(&[KERBEROS_2000, KERBEROS, NTLM], &ticket), false),
            (spnego(&[NTLM], &greeting), true),
            (spnego(&[NTLM, KERBEROS], &greeting), true),
            (bare(KERBEROS, &ticket), false),
            (bare(NTLM, &greeting), true),
            (greeting.clone(), true),
            (vec![], false),
            (ticket.to_vec(), false),
            ([KERBEROS, &greeting].concat(), false),
        ] {
            assert_eq!(is_ntlm(&token), expected, "{token:02x?}");
        }
    }

    #[test]
    fn no_token_makes_it_panic() {
        let token = spnego(&[KERBEROS, NTLM], &[7; 300]);
        for len in 0..token.len() {
            is_ntlm(&token[..len]);
        }
        for bit in 0..8 * 64 {
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            is_ntlm(&flipped);
        }
    }
}
