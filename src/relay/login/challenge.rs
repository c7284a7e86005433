//! What a proxy offers in the `Proxy-Authenticate` fields of a 407.
//!
//! A comma separates both the challenges of a field and the parameters of a challenge (RFC 9110, section 11.6.1), so
//! each part between commas is looked at: `name=value` belongs to the challenge before it, and any other part begins a
//! challenge. The parser is an own one because `http-auth` gives a whole field up at a byte beyond ASCII in a realm.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Scheme;
use super::digest::{self, Algorithm};

/// Base64 as some proxies write it, without the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Maximum number of names of other schemes that are kept, and maximum length of each.
const MAX_OTHERS: (usize, usize) = (8, 32);

/// Everything that a 407 offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Challenges {
    /// Whether Negotiate is offered.
    pub(crate) negotiate: bool,
    /// The token that came with Negotiate.
    pub(crate) negotiate_token: Option<Vec<u8>>,
    /// Whether NTLM is offered.
    pub(crate) ntlm: bool,
    /// NTLM's challenge, which answers a greeting.
    pub(crate) ntlm_message: Option<Vec<u8>>,
    /// The strongest challenge of Digest that can be answered.
    pub(crate) digest: Option<digest::Challenge>,
    /// Whether Basic is offered.
    pub(crate) basic: bool,
    /// Names of what else is offered, and can't be used.
    pub(crate) others: Vec<String>,
}

/// One challenge of a field.
struct Challenge<'a> {
    scheme: &'a str,
    /// What follows the scheme, up to a comma: a parameter, or a token.
    first: &'a str,
    /// The parameters behind the first comma.
    more: Vec<&'a str>,
}

impl Challenges {
    /// Reads the values of all `Proxy-Authenticate` fields. What can't be read is left out.
    pub(crate) fn parse(fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut all = Self::default();
        for field in fields {
            for challenge in split(&String::from_utf8_lossy(field.as_ref())) {
                all.add(&challenge);
            }
        }
        all
    }

    /// Returns whether `scheme` is offered, in a form that can be answered.
    pub(crate) fn offers(&self, scheme: Scheme) -> bool {
        match scheme {
            Scheme::Negotiate => self.negotiate,
            Scheme::Ntlm => self.ntlm,
            Scheme::Digest => self.digest.is_some(),
            Scheme::Basic => self.basic,
        }
    }

    /// Returns the schemes on offer, the strongest one first.
    pub(crate) fn schemes(&self) -> Vec<Scheme> {
        let mut schemes = Scheme::ALL.to_vec();
        schemes.retain(|&scheme| self.offers(scheme));
        schemes
    }

    /// Returns the strongest scheme on offer that uses a password.
    pub(crate) fn password_scheme(&self) -> Option<Scheme> {
        let mut schemes = self.schemes().into_iter();
        schemes.find(|&scheme| scheme != Scheme::Negotiate)
    }

    fn add(&mut self, challenge: &Challenge<'_>) {
        let is = |name: &str| challenge.scheme.eq_ignore_ascii_case(name);
        let token = || {
            BASE64
                .decode(challenge.first)
                .ok()
                .filter(|it| !it.is_empty())
        };
        if is("Negotiate") {
            self.negotiate = true;
            self.negotiate_token = self.negotiate_token.take().or_else(token);
        } else if is("NTLM") {
            self.ntlm = true;
            self.ntlm_message = self.ntlm_message.take().or_else(token);
        } else if is("Basic") {
            self.basic = true;
        } else if let Some(new) = is("Digest").then(|| digest_challenge(challenge)).flatten() {
            let hash = |challenge: &digest::Challenge| challenge.algorithm.hash;
            if self
                .digest
                .as_ref()
                .is_none_or(|old| hash(&new) > hash(old))
            {
                self.digest = Some(new);
            }
        } else {
            self.add_other(challenge.scheme);
        }
    }

    fn add_other(&mut self, scheme: &str) {
        let is_new = !self.others.iter().any(|it| it.eq_ignore_ascii_case(scheme));
        if is_new && self.others.len() < MAX_OTHERS.0 && scheme.len() <= MAX_OTHERS.1 {
            self.others.push(scheme.to_owned());
        }
    }
}

/// Returns the challenge of Digest; nothing if it is broken, or can't be answered.
fn digest_challenge(challenge: &Challenge<'_>) -> Option<digest::Challenge> {
    let parts = [&[challenge.first], &*challenge.more].concat();
    let parameters: Option<Vec<_>> = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(parameter)
        .collect();
    let parameters = parameters?;
    let get = |name: &str| {
        let found = parameters.iter().find(|it| it.0.eq_ignore_ascii_case(name));
        found.map(|it| &*it.1)
    };
    let qop = get("qop");
    let auth = qop.is_some_and(|list| {
        list.split(',')
            .any(|it| it.trim().eq_ignore_ascii_case("auth"))
    });
    // It asks for the hash of the body.
    if qop.is_some() && !auth {
        return None;
    }
    let found = digest::Challenge {
        realm: get("realm")?.to_owned(),
        nonce: get("nonce")?.to_owned(),
        opaque: get("opaque").map(str::to_owned),
        algorithm: Algorithm::of(get("algorithm"))?,
        auth,
        stale: get("stale").is_some_and(|it| it.eq_ignore_ascii_case("true")),
    };
    // Bytes that were not UTF-8 can't be sent back as they were.
    let texts = [
        Some(&found.realm),
        Some(&found.nonce),
        found.opaque.as_ref(),
    ];
    let is_whole = !texts
        .into_iter()
        .flatten()
        .any(|text| text.contains(char::REPLACEMENT_CHARACTER));
    is_whole.then_some(found)
}

/// Splits a field into its challenges.
fn split(field: &str) -> Vec<Challenge<'_>> {
    let mut challenges: Vec<Challenge<'_>> = Vec::new();
    for part in parts(field) {
        let name_len = part.find(|c| !is_token_char(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(name_len);
        let first = rest.trim_matches(OWS);
        let begins = !name.is_empty() && (rest.is_empty() || rest.starts_with(OWS));
        if begins && !first.starts_with('=') {
            challenges.push(Challenge {
                scheme: name,
                first,
                more: Vec::new(),
            });
        } else if let Some(last) = challenges.last_mut() {
            last.more.push(part);
        }
    }
    challenges
}

/// Optional white space (RFC 9110, section 5.6.3).
const OWS: [char; 2] = [' ', '\t'];

/// Returns what stands between the commas that are not in quotation marks, without the empty ones.
fn parts(field: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    field
        .split(move |character| {
            let was_escaped = std::mem::take(&mut is_escaped);
            match character {
                _ if was_escaped => {}
                '\\' => is_escaped = is_quoted,
                '"' => is_quoted = !is_quoted,
                ',' => return !is_quoted,
                _ => {}
            }
            false
        })
        .map(|part| part.trim_matches(OWS))
        .filter(|part| !part.is_empty())
}

/// Splits `name=value`, and takes the value out of its quotation marks.
fn parameter(part: &str) -> Option<(&str, String)> {
    let (name, value) = part.split_once('=')?;
    let (name, value) = (name.trim_matches(OWS), value.trim_matches(OWS));
    let is_name = !name.is_empty() && name.chars().all(is_token_char);
    if !is_name || value.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    let Some(quoted) = value.strip_prefix('"') else {
        let is_one_word = !value.contains(['"', ' ', '\t']);
        return is_one_word.then(|| (name, value.to_owned()));
    };
    let mut unquoted = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => break,
            '\\' => unquoted.push(rest.next()?),
            character => unquoted.push(character),
        }
    }
    rest.as_str().is_empty().then_some((name, unquoted))
}

/// Returns whether `character` can be in a name (RFC 9110, section 5.6.2).
fn is_token_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::super::digest::Hash;
    use super::*;

    fn parse(fields: &[&str]) -> Challenges {
        Challenges::parse(fields)
    }

    const SHA: &str =
        "Digest realm=\"corp, proxy\", qop=\"auth\", algorithm=SHA-256, nonce=\"a/b==\"";
    const MD5: &str =
        "Digest realm=\"corp, proxy\", qop=\"auth,auth-int\", algorithm=MD5, nonce=\"c\"";

    #[test]
    fn fields_can_stand_alone_or_share_a_line() {
        let fields = ["Negotiate", "NTLM", MD5, SHA, "Basic realm=\"corp, proxy\""];
        let apart = parse(&fields);
        assert_eq!(apart.schemes(), Scheme::ALL);
        assert_eq!(apart.password_scheme(), Some(Scheme::Ntlm));
        let digest = apart.digest.as_ref().unwrap();
        assert_eq!(
            (
                &*digest.realm,
                &*digest.nonce,
                digest.algorithm.hash,
                digest.auth
            ),
            ("corp, proxy", "a/b==", Hash::Sha256, true)
        );
        for joint in [", ", ",", " , ,\t"] {
            assert_eq!(parse(&[&fields.join(joint)]), apart, "{joint:?}");
        }
        let mut turned = fields;
        turned.reverse();
        assert_eq!(parse(&[&turned.join(", ")]), apart);
    }

    #[test]
    fn schemes_are_known_in_any_case() {
        for field in ["negotiate", "NEGOTIATE", "Negotiate", "nEgOtIaTe"] {
            assert!(parse(&[field]).negotiate, "{field}");
        }
        assert_eq!(
            parse(&["ntlm, BASIC"]).schemes(),
            [Scheme::Ntlm, Scheme::Basic]
        );
        assert!(parse(&["dIGEST REALM=a,NONCE=b"]).digest.is_some());
    }

    #[test]
    fn tokens_are_found_wherever_they_stand() {
        let token = Some(b"NTLMSSP\0\x02".to_vec());
        for field in [
            "NTLM TlRMTVNTUAAC",
            "ntlm  TlRMTVNTUAAC ",
            "NTLM, NTLM TlRMTVNTUAAC",
            "Basic realm=\"x\", NTLM TlRMTVNTUAAC, Digest realm=\"y\", nonce=z",
        ] {
            let found = parse(&[field]);
            assert_eq!((found.ntlm, &found.ntlm_message), (true, &token), "{field}");
        }
        for (field, token) in [
            ("Negotiate YWI=", Some(b"ab".to_vec())),
            ("Negotiate YWI", Some(b"ab".to_vec())),
            ("Negotiate token=YWI=", None),
            ("Negotiate ????", None),
            ("Negotiate", None),
        ] {
            let found = parse(&[field]);
            assert_eq!(
                (found.negotiate, found.negotiate_token),
                (true, token),
                "{field}"
            );
            assert!(found.others.is_empty());
        }
        let joined = parse(&[&format!("Negotiate token=YWI=, {MD5}, Basic realm=x")]);
        assert_eq!(
            joined.schemes(),
            [Scheme::Negotiate, Scheme::Digest, Scheme::Basic]
        );
    }

    #[test]
    fn the_strongest_digest_that_is_known_is_chosen() {
        for (fields, nonce) in [
            ([MD5, SHA], Some("a/b==")),
            ([SHA, MD5], Some("a/b==")),
            (
                ["Digest realm=r, nonce=1", "Digest realm=r, nonce=2"],
                Some("1"),
            ),
            (
                ["Digest realm=r, nonce=1, algorithm=SHA-512-256", MD5],
                Some("c"),
            ),
            (
                ["Digest realm=r, nonce=1, qop=auth-int", "Digest realm=r"],
                None,
            ),
            (["Digest nonce=1", "Digest"], None),
        ] {
            let found = parse(&fields).digest.map(|it| it.nonce);
            assert_eq!(found.as_deref(), nonce, "{fields:?}");
        }
        assert_eq!(
            parse(&["Digest realm=r, nonce=1, algorithm=SHA-512-256"]).others,
            ["Digest"]
        );
    }

    #[test]
    fn parameters_of_digest_are_read() {
        let field = "Digest realm = \"a \\\"b\\\" c\" ,nonce=\"1\", OPAQUE=\"o\", stale=TRUE, charset=UTF-8, \
                     domain=\"/, /x\", algorithm=\"MD5-sess\"";
        let digest = parse(&[field]).digest.unwrap();
        assert_eq!(digest.realm, "a \"b\" c");
        assert_eq!(digest.opaque.as_deref(), Some("o"));
        assert!(digest.stale && digest.algorithm.session && !digest.auth);
        assert!(
            !parse(&["Digest realm=r, nonce=1, stale=false"])
                .digest
                .unwrap()
                .stale
        );
    }

    #[test]
    fn realms_beyond_ascii_do_no_harm() {
        let field = "Digest realm=\"Zürich\", nonce=\"1\", Basic realm=\"Zürich\"";
        let found = parse(&[field]);
        assert_eq!(found.digest.unwrap().realm, "Zürich");
        assert!(found.basic);
        let latin =
            Challenges::parse([&b"Basic realm=\"Z\xfcrich\", Digest realm=\"Z\xfc\", nonce=1"[..]]);
        assert_eq!(latin.schemes(), [Scheme::Basic]);
    }

    #[test]
    fn a_broken_challenge_loses_only_itself() {
        for broken in [
            "Digest realm=\"open, nonce=1",
            "Digest realm=\"r\"x, nonce=1",
            "Digest realm=r, nonce=\"a\x07\"",
            "Digest realm=a b, nonce=1",
            "Digest realm=r, =, nonce=1",
            "Digest realm=r, \"x\", nonce=1",
            "=, ;, \"",
            "realm=\"x\"",
            "",
            ", ,",
            "\\\\\",",
        ] {
            let found = parse(&["NTLM", broken, "Basic realm=x"]);
            assert_eq!(found.schemes(), [Scheme::Ntlm, Scheme::Basic], "{broken}");
            let found = parse(&[&format!("NTLM, {broken}")]);
            assert!(found.ntlm, "{broken}");
        }
        // Within one field, too, unless a quotation mark is open.
        let found = parse(&["Digest realm=a b, nonce=1, Basic realm=x"]);
        assert_eq!(found.schemes(), [Scheme::Basic]);
    }

    #[test]
    fn names_of_other_schemes_are_kept() {
        let found = parse(&[
            "Bearer realm=\"x\", error=\"y\"",
            "Kerberos, bearer, AWS4-HMAC-SHA256 a=b",
        ]);
        assert_eq!(found.others, ["Bearer", "Kerberos", "AWS4-HMAC-SHA256"]);
        let many = (0..99).map(|n| format!("S{n}, ")).collect::<String>() + &"x".repeat(999);
        assert_eq!(parse(&[&many]).others.len(), MAX_OTHERS.0);
    }

    #[test]
    fn no_field_makes_it_panic() {
        let field =
            format!("Negotiate YWI=, NTLM TlRM, {SHA}, {MD5}, Basic realm=\"Zürich \\\" x\"")
                .into_bytes();
        for len in 0..field.len() {
            Challenges::parse([&field[..len]]);
            Challenges::parse([&field[len..]]);
            for bit in 0..8 {
                let mut flipped = field.clone();
                flipped[len] ^= 1 << bit;
                Challenges::parse([flipped]);
            }
        }
    }
}
