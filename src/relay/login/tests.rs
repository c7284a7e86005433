//! Tests of the login as a whole.

use super::*;

const DIGEST: &str = "Digest realm=\"r\", nonce=\"1\", qop=\"auth\"";

/// A challenge of NTLM without target info.
fn ntlm_message() -> String {
    let mut message = b"NTLMSSP\0\x02\0\0\0\0\0\0\0\x20\0\0\0\x05\x82\0\0".to_vec();
    message.extend([7; 8]);
    format!("NTLM {}", BASE64_STANDARD.encode(message))
}

fn jane() -> Credentials {
    Credentials::new("CORP\\jane", "s3cret").unwrap()
}

const CONNECT: Request<'_> = Request {
    proxy: "proxy.corp.example",
    method: "CONNECT",
    target: "registry.example:443",
};

/// What `Inputs` borrows.
struct World {
    credentials: Option<Credentials>,
    allow_basic: bool,
    ticket: Result<Vec<u8>, String>,
    tickets_asked: u32,
    now: Instant,
    memory: Mutex<Memory>,
}

impl World {
    fn new(credentials: Option<Credentials>, has_ticket: bool) -> Self {
        Self {
            credentials,
            allow_basic: true,
            ticket: if has_ticket {
                Ok(b"ticket".to_vec())
            } else {
                Err("no ticket".to_owned())
            },
            tickets_asked: 0,
            now: Instant::now(),
            memory: Mutex::default(),
        }
    }

    fn with<T>(
        &mut self,
        has_asked: bool,
        call: impl FnOnce(&Mutex<Memory>, &mut Inputs<'_>) -> T,
    ) -> T {
        self.tickets_asked += u32::from(has_asked);
        let mut inputs = Inputs {
            credentials: self.credentials.as_ref(),
            allow_basic: self.allow_basic,
            random: Random::from([0x55; Random::LEN]),
            now: self.now,
            unix_time: Duration::from_secs(1_700_000_000),
            ticket: has_asked.then(|| self.ticket.clone()),
        };
        call(&self.memory, &mut inputs)
    }

    fn start(&mut self) -> (Login, Option<Field>) {
        let wants_ticket = locked(&self.memory).wants_ticket(self.now);
        self.with(wants_ticket, |memory, inputs| {
            Login::start(CONNECT, memory, inputs)
        })
    }

    /// Takes a step, and takes it again with a token if it needs one.
    fn step(&mut self, mut step: impl FnMut(&Mutex<Memory>, &mut Inputs<'_>) -> Step) -> Step {
        match self.with(false, &mut step) {
            Step::NeedsTicket => self.with(true, &mut step),
            taken => taken,
        }
    }

    fn next(&mut self, login: &mut Login, fields: &[&str], is_closed: bool) -> Step {
        let challenges = Challenges::parse(fields);
        self.step(|memory, inputs| login.next(&challenges, is_closed, memory, inputs))
    }

    fn cut(&mut self, login: &mut Login) -> Step {
        self.step(|memory, inputs| login.cut(memory, inputs))
    }

    /// Carries a request out at a proxy that offers `offered`, takes a login with the schemes in `takes`, and
    /// says `stale` once if asked to. Returns what was sent, and how it ended.
    fn run(&mut self, offered: &[&str], takes: &[Scheme]) -> String {
        let (mut login, first) = self.start();
        let mut trace = first.as_ref().map_or("bare".to_owned(), kind);
        let mut sent = first;
        loop {
            let is_greeting = sent.as_ref().is_some_and(|it| kind(it) == "NTLM1");
            let is_taken = match login.scheme() {
                Some(scheme) => !is_greeting && takes.contains(&scheme),
                None => offered.is_empty(),
            };
            if is_taken {
                login.succeeded(&self.memory);
                return trace + " 200";
            }
            let message = ntlm_message();
            let fields = match is_greeting && offered.contains(&"NTLM") {
                true => vec![&*message],
                false => offered.to_vec(),
            };
            match self.next(&mut login, &fields, false) {
                Step::Send { field, connection } => {
                    let mark = if connection == Connection::New {
                        "+"
                    } else {
                        ""
                    };
                    trace += &format!(" {mark}{}", kind(&field));
                    sent = Some(field);
                }
                Step::Wait => return trace + " wait",
                Step::NeedsTicket => panic!("{trace}: a ticket is needed twice"),
                Step::Failed(refusal) => return format!("{trace} {refusal:?}"),
            }
        }
    }
}

/// The scheme of a field, with the number of the message for NTLM.
fn kind(field: &Field) -> String {
    let (scheme, value) = field.expose().split_once(' ').unwrap();
    match scheme {
        "NTLM" => format!("NTLM{}", BASE64_STANDARD.decode(value).unwrap()[8]),
        _ => scheme.to_owned(),
    }
}

fn field(step: Step) -> (String, Connection) {
    match step {
        Step::Send { field, connection } => (field.expose().to_owned(), connection),
        step => panic!("{step:?}"),
    }
}

const NEGOTIATE: &str = "Negotiate";
const NTLM: &str = "NTLM";
const BASIC: &str = "Basic realm=\"r\"";

#[test]
fn each_offer_leads_to_one_way() {
    use Scheme as S;
    let all = &[NEGOTIATE, NTLM, DIGEST, BASIC][..];
    let (yes, no) = (true, false);
    // Offered, a ticket, credentials, what the proxy takes, what happens. `+` marks a new connection.
    for (offered, ticket, credentials, takes, expected) in [
        (&[][..], yes, yes, &[][..], "bare 200"),
        (all, yes, yes, &[S::Negotiate][..], "bare Negotiate 200"),
        (all, yes, no, &[S::Negotiate], "bare Negotiate 200"),
        (all, no, yes, &[S::Ntlm], "bare NTLM1 NTLM3 200"),
        (all, yes, yes, &[S::Ntlm], "bare Negotiate +NTLM1 NTLM3 200"),
        (
            all,
            no,
            yes,
            &[S::Digest],
            "bare NTLM1 NTLM3 Refused { scheme: Ntlm }",
        ),
        (
            all,
            yes,
            yes,
            &[],
            "bare Negotiate +NTLM1 NTLM3 Refused { scheme: Ntlm }",
        ),
        (
            all,
            yes,
            no,
            &[],
            "bare Negotiate Refused { scheme: Negotiate }",
        ),
        (
            all,
            no,
            no,
            &[],
            "bare NoCredentials { offered: [Negotiate, Ntlm, Digest, Basic] }",
        ),
        (
            &[NEGOTIATE],
            no,
            yes,
            &[],
            "bare NoTicket { why: \"no ticket\" }",
        ),
        (
            &[NEGOTIATE],
            yes,
            yes,
            &[],
            "bare Negotiate Refused { scheme: Negotiate }",
        ),
        (
            &[NEGOTIATE, BASIC],
            yes,
            yes,
            &[S::Basic],
            "bare Negotiate +Basic 200",
        ),
        (&[NTLM], yes, yes, &[S::Ntlm], "bare NTLM1 NTLM3 200"),
        (
            &[NTLM],
            yes,
            no,
            &[S::Ntlm],
            "bare NoCredentials { offered: [Ntlm] }",
        ),
        (&[BASIC, DIGEST], no, yes, &[S::Digest], "bare Digest 200"),
        (
            &[BASIC, DIGEST],
            no,
            yes,
            &[S::Basic],
            "bare Digest Refused { scheme: Digest }",
        ),
        (&[BASIC], no, yes, &[S::Basic], "bare Basic 200"),
        (
            &[BASIC],
            no,
            yes,
            &[],
            "bare Basic Refused { scheme: Basic }",
        ),
        (
            &["Bearer"],
            yes,
            yes,
            &[],
            "bare NothingOffered { others: [\"Bearer\"] }",
        ),
        (
            &["Digest realm=r, nonce=1, algorithm=X"],
            yes,
            yes,
            &[],
            "bare NothingOffered { others: [\"Digest\"] }",
        ),
    ] {
        let mut world = World::new(credentials.then(jane), ticket);
        assert_eq!(
            world.run(offered, takes),
            expected,
            "{offered:?} {ticket} {credentials} {takes:?}"
        );
    }
}

#[test]
fn the_scheme_that_worked_is_sent_at_once() {
    use Scheme as S;
    for (offered, takes, ticket, expected) in [
        (NEGOTIATE, S::Negotiate, true, "Negotiate 200"),
        (NTLM, S::Ntlm, false, "NTLM1 NTLM3 200"),
        (DIGEST, S::Digest, false, "Digest 200"),
        (BASIC, S::Basic, false, "Basic 200"),
    ] {
        let mut world = World::new(Some(jane()), ticket);
        assert!(world.run(&[offered], &[takes]).starts_with("bare "));
        for _ in 0..3 {
            assert_eq!(world.run(&[offered], &[takes]), expected);
        }
        assert_eq!(locked(&world.memory).scheme(), Some(takes));
        // Other credentials wait until they are asked for.
        if takes != S::Negotiate {
            world.credentials = Credentials::new("jane", "other");
            assert!(world.run(&[offered], &[takes]).starts_with("bare "));
            world.credentials = None;
            assert!(world.run(&[offered], &[takes]).starts_with("bare "));
            world.credentials = Some(jane());
        }
        locked(&world.memory).forget_scheme();
        assert!(world.run(&[offered], &[takes]).starts_with("bare "));
    }
}

#[test]
fn a_proxy_that_changed_its_mind_is_followed() {
    use Scheme as S;
    // What worked, what is offered later, what happens then, and at the request after that.
    for (before, after, takes, first, second) in [
        (NTLM, BASIC, S::Basic, "NTLM1 +Basic 200", "Basic 200"),
        (
            NEGOTIATE,
            NTLM,
            S::Ntlm,
            "Negotiate +NTLM1 NTLM3 200",
            "NTLM1 NTLM3 200",
        ),
        // The password went out once; it wasn't looked at, so the next request starts from the beginning.
        (
            BASIC,
            NTLM,
            S::Ntlm,
            "Basic Refused { scheme: Basic }",
            "bare NTLM1 NTLM3 200",
        ),
        (
            DIGEST,
            BASIC,
            S::Basic,
            "Digest Refused { scheme: Digest }",
            "bare Basic 200",
        ),
    ] {
        let mut world = World::new(Some(jane()), true);
        world.run(&[before], &S::ALL);
        assert_eq!(world.run(&[after], &[takes]), first, "{before} {after}");
        assert_eq!(world.run(&[after], &[takes]), second, "{before} {after}");
    }
}

#[test]
fn a_refused_password_is_held_back_until_it_changes() {
    use Scheme as S;
    for scheme in [NTLM, DIGEST, BASIC] {
        let mut world = World::new(Some(jane()), true);
        assert!(world.run(&[scheme], &[]).contains("Refused"));
        for offered in [&[scheme][..], &[BASIC], &[NTLM], &[NTLM, DIGEST, BASIC]] {
            let trace = world.run(offered, &S::ALL);
            assert!(trace.starts_with("bare HeldBack"), "{trace}");
        }
        // A ticket is no password.
        assert_eq!(
            world.run(&[NEGOTIATE, scheme], &S::ALL),
            "bare Negotiate 200"
        );
        locked(&world.memory).forget_scheme();
        assert!(world.run(&[scheme], &S::ALL).starts_with("bare HeldBack"));
        world.credentials = Credentials::new("CORP\\jane", "s3cret2");
        assert!(world.run(&[scheme], &S::ALL).ends_with(" 200"));
    }
    // One that worked before, and is refused at the first head.
    let mut world = World::new(Some(jane()), false);
    assert_eq!(world.run(&[BASIC], &[S::Basic]), "bare Basic 200");
    assert_eq!(world.run(&[BASIC], &[]), "Basic Refused { scheme: Basic }");
    assert_eq!(
        world.run(&[BASIC], &S::ALL),
        "bare HeldBack { scheme: Basic }"
    );
}

#[test]
fn a_ticket_is_tried_even_after_a_refused_password() {
    use Scheme as S;
    let mut world = World::new(Some(jane()), false);
    let all = [NEGOTIATE, NTLM];
    assert_eq!(world.run(&all, &[S::Ntlm]), "bare NTLM1 NTLM3 200");
    world.ticket = Ok(vec![1]);
    world.now += NO_TICKET_FOR;
    assert_eq!(
        world.run(&all, &[S::Negotiate]),
        "NTLM1 NTLM3 +Negotiate 200"
    );
    world.credentials = Credentials::new("jane", "new");
    locked(&world.memory).forget_scheme();
    assert_eq!(
        world.run(&all, &[S::Ntlm]),
        "bare Negotiate +NTLM1 NTLM3 200"
    );
    assert_eq!(
        world.run(&all, &[]),
        "NTLM1 NTLM3 +Negotiate Refused { scheme: Ntlm }"
    );
}

#[test]
fn basic_can_be_switched_off() {
    let mut world = World::new(Some(jane()), false);
    world.run(&[BASIC], &[Scheme::Basic]);
    world.allow_basic = false;
    assert_eq!(world.run(&[BASIC], &Scheme::ALL), "bare BasicNotAllowed");
    assert_eq!(world.run(&[DIGEST, BASIC], &Scheme::ALL), "bare Digest 200");
    let mut colon = World::new(Credentials::new("a:b", "c"), false);
    assert!(
        colon
            .run(&[BASIC], &Scheme::ALL)
            .starts_with("bare Unusable { scheme: Basic")
    );
}

#[test]
fn the_lack_of_a_ticket_is_remembered_for_a_while() {
    let mut world = World::new(Some(jane()), false);
    for _ in 0..3 {
        world.run(&[NEGOTIATE], &[]);
    }
    assert_eq!(world.tickets_asked, 1);
    world.now += NO_TICKET_FOR - Duration::from_millis(1);
    world.ticket = Ok(vec![1]);
    assert!(world.run(&[NEGOTIATE], &Scheme::ALL).contains("NoTicket"));
    world.now += Duration::from_millis(1);
    assert_eq!(world.run(&[NEGOTIATE], &Scheme::ALL), "bare Negotiate 200");
    assert_eq!(world.run(&[NEGOTIATE], &Scheme::ALL), "Negotiate 200");
    // Each connection gets a token of its own.
    assert_eq!(world.tickets_asked, 3);
    // It is lost later: the proxy is asked first.
    world.ticket = Err("expired".to_owned());
    assert_eq!(
        world.run(&[NEGOTIATE, BASIC], &Scheme::ALL),
        "bare Basic 200"
    );
    assert_eq!(world.tickets_asked, 4);
}

#[test]
fn a_token_with_ntlm_inside_is_no_ticket() {
    let mut world = World::new(Some(jane()), false);
    world.ticket = Ok(b"NTLMSSP\0\x01\0\0\0".to_vec());
    assert_eq!(
        world.run(&[NEGOTIATE, BASIC], &Scheme::ALL),
        "bare Basic 200"
    );
    let trace = world.run(&[NEGOTIATE], &[]);
    assert!(
        trace.contains("NoTicket") || trace.contains("Basic"),
        "{trace}"
    );
    assert_eq!(world.tickets_asked, 1);
}

const STALE: &str = "Digest realm=\"r\", nonce=\"2\", qop=\"auth\", stale=true";

#[test]
fn a_stale_nonce_is_no_refusal() {
    let mut world = World::new(Some(jane()), false);
    let (mut login, _) = world.start();
    assert!(
        field(world.next(&mut login, &[DIGEST], false))
            .0
            .contains("nonce=\"1\"")
    );
    let (second, connection) = field(world.next(&mut login, &[STALE], false));
    assert!(
        second.contains("nonce=\"2\"") && second.contains("nc=00000001"),
        "{second}"
    );
    assert_eq!(connection, Connection::Same);
    login.succeeded(&world.memory);
    for count in 2..5 {
        let (_, first) = world.start();
        let first = first.unwrap().expose().to_owned();
        assert!(first.contains("nonce=\"2\""), "{first}");
        assert!(first.contains(&format!("nc=0000000{count}")), "{first}");
    }

    // Stale again: this request ends, the next one may try.
    let (mut login, _) = world.start();
    field(world.next(&mut login, &[DIGEST], true));
    let refused = Step::Failed(Refusal::Refused {
        scheme: Scheme::Digest,
    });
    assert_eq!(world.next(&mut login, &[STALE], false), refused);
    assert_eq!(world.run(&[DIGEST], &Scheme::ALL), "bare Digest 200");

    // Stale, then refused: now the password is.
    let (mut login, first) = world.start();
    assert!(first.is_some());
    field(world.next(&mut login, &[STALE], false));
    assert_eq!(world.next(&mut login, &[DIGEST], false), refused);
    assert!(world.run(&[DIGEST], &Scheme::ALL).contains("HeldBack"));
}

/// A proxy that forgot its nonces, and doesn't say so.
#[test]
fn a_kept_nonce_may_be_unknown() {
    let mut world = World::new(Some(jane()), false);
    assert_eq!(world.run(&[DIGEST], &Scheme::ALL), "bare Digest 200");
    let (mut login, _) = world.start();
    let other = DIGEST.replace('1', "9");
    let (second, _) = field(world.next(&mut login, &[&other], false));
    assert!(second.contains("nonce=\"9\""), "{second}");
    // The nonce is a new one each time: that counts once.
    let refused = world.next(&mut login, &[DIGEST], false);
    assert_eq!(
        refused,
        Step::Failed(Refusal::Refused {
            scheme: Scheme::Digest
        })
    );
    assert!(world.run(&[DIGEST], &Scheme::ALL).contains("HeldBack"));
}

#[test]
fn a_closed_connection_is_replaced() {
    let message = ntlm_message();
    let mut world = World::new(Some(jane()), false);
    let (mut login, _) = world.start();
    let new = |step| field(step).1 == Connection::New;
    assert!(new(world.next(&mut login, &[NTLM], true)));
    // The exchange is cut, and begins again once.
    assert!(new(world.next(&mut login, &[&message], true)));
    let (answer, connection) = field(world.next(&mut login, &[&message], false));
    assert!(answer.starts_with("NTLM ") && connection == Connection::Same);
    assert_eq!(world.cut(&mut login), Step::Failed(Refusal::Closed));

    for scheme in [NEGOTIATE, NTLM, DIGEST, BASIC] {
        let mut world = World::new(Some(jane()), true);
        let (mut login, _) = world.start();
        assert!(!new(world.next(&mut login, &[scheme], false)));
        assert!(new(world.cut(&mut login)), "{scheme}");
        assert_eq!(world.cut(&mut login), Step::Failed(Refusal::Closed));
    }
    let (mut login, _) = world.start();
    assert_eq!(world.cut(&mut login), Step::Failed(Refusal::Closed));
}

#[test]
fn a_proxy_that_does_not_go_on_with_ntlm_is_given_up() {
    for answer in [NTLM, BASIC, "NTLM !!!!", ""] {
        let mut world = World::new(Some(jane()), false);
        let (mut login, _) = world.start();
        field(world.next(&mut login, &[NTLM], false));
        assert_eq!(
            field(world.next(&mut login, &[answer], false)).1,
            Connection::New
        );
        let end = world.next(&mut login, &[answer], false);
        assert!(
            matches!(
                end,
                Step::Failed(Refusal::Unusable {
                    scheme: Scheme::Ntlm,
                    ..
                })
            ),
            "{end:?}"
        );
    }
    let mut world = World::new(Some(jane()), false);
    let (mut login, _) = world.start();
    field(world.next(&mut login, &[NTLM], false));
    let end = world.next(&mut login, &["NTLM TlRMTVNTUAACAAAA"], false);
    assert!(
        matches!(
            end,
            Step::Failed(Refusal::Unusable {
                scheme: Scheme::Ntlm,
                ..
            })
        ),
        "{end:?}"
    );
    // Nothing was refused.
    assert_eq!(world.run(&[NTLM], &Scheme::ALL), "bare NTLM1 NTLM3 200");
}

#[test]
fn new_credentials_are_tried_by_one_request_at_a_time() {
    let mut world = World::new(Some(jane()), false);
    let (mut first, _) = world.start();
    let (mut second, _) = world.start();
    field(world.next(&mut first, &[BASIC], false));
    for _ in 0..9 {
        assert_eq!(world.next(&mut second, &[BASIC], false), Step::Wait);
    }
    // The first one is refused: the second one doesn't try.
    assert!(matches!(
        world.next(&mut first, &[BASIC], false),
        Step::Failed(_)
    ));
    let held_back = Refusal::HeldBack {
        scheme: Scheme::Basic,
    };
    assert_eq!(
        world.next(&mut second, &[BASIC], false),
        Step::Failed(held_back)
    );

    // It is taken: both go on.
    world.credentials = Credentials::new("a", "b");
    let (mut first, _) = world.start();
    let (mut second, _) = world.start();
    field(world.next(&mut first, &[NTLM], false));
    assert_eq!(world.next(&mut second, &[NTLM], false), Step::Wait);
    field(world.next(&mut first, &[&ntlm_message()], false));
    first.succeeded(&world.memory);
    field(world.next(&mut second, &[NTLM], false));
    let (third, field_at_once) = world.start();
    assert!(field_at_once.is_some());
    drop((first, second, third));

    // It is given up by its caller: another one tries.
    world.credentials = Credentials::new("a", "c");
    let (mut first, _) = world.start();
    let (mut second, _) = world.start();
    field(world.next(&mut first, &[BASIC], false));
    drop(first);
    field(world.next(&mut second, &[BASIC], false));
}

#[test]
fn five_heads_are_the_most() {
    let mut world = World::new(Some(jane()), true);
    let message = ntlm_message();
    let (mut login, _) = world.start();
    let all = [NEGOTIATE, NTLM];
    field(world.next(&mut login, &all, false));
    field(world.cut(&mut login));
    field(world.next(&mut login, &all, false));
    field(world.next(&mut login, &[&message], false));
    assert_eq!(login.heads, MAX_HEADS);
    let end = world.next(&mut login, &all, false);
    assert_eq!(
        end,
        Step::Failed(Refusal::Refused {
            scheme: Scheme::Ntlm
        })
    );

    world.credentials = Credentials::new("a", "b");
    let (mut login, _) = world.start();
    field(world.next(&mut login, &all, false));
    field(world.next(&mut login, &all, false));
    field(world.cut(&mut login));
    field(world.next(&mut login, &[&message], false));
    let end = world.next(&mut login, &all, false);
    assert_eq!(
        end,
        Step::Failed(Refusal::Refused {
            scheme: Scheme::Ntlm
        })
    );

    // The bound itself, which no exchange gets beyond.
    world.credentials = Credentials::new("a", "c");
    for (offered, end) in [
        (DIGEST, Refusal::TooManyHeads),
        ("", Refusal::NothingOffered { others: vec![] }),
    ] {
        let (mut login, _) = world.start();
        login.heads = MAX_HEADS;
        assert_eq!(world.next(&mut login, &[offered], false), Step::Failed(end));
    }
    let (mut login, _) = world.start();
    field(world.next(&mut login, &[NTLM], false));
    login.heads = MAX_HEADS;
    for answer in [&*message, NTLM] {
        assert_eq!(
            world.next(&mut login, &[answer], false),
            Step::Failed(Refusal::TooManyHeads)
        );
    }
}

/// Numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % end
    }
}

/// Whatever a proxy answers, a request sends the password with one scheme at most, and has five heads at most. A
/// password that was refused isn't sent again.
#[test]
fn no_proxy_gets_more_than_one_scheme_or_five_heads() {
    let message = ntlm_message();
    let fields = [
        NEGOTIATE,
        "Negotiate YWI=",
        NTLM,
        &message,
        "NTLM TlRMTVNTUAACAAAA",
        DIGEST,
        STALE,
        "Digest realm=\"r\", nonce=\"3\", algorithm=SHA-256",
        BASIC,
        "Bearer",
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut most_heads, mut passwords) = (0, 0);
    for _ in 0..20_000 {
        let mut world = World::new((dice.below(8) > 0).then(jane), dice.below(2) > 0);
        world.allow_basic = dice.below(4) > 0;
        // Several requests with one memory.
        for _ in 0..4 {
            let (mut login, first) = world.start();
            let mut sent: Vec<Field> = first.into_iter().collect();
            let mut heads = 1;
            let (mut repeats, mut held_back) = (0, locked(&world.memory).refused.is_some());
            for _ in 0..8 {
                if dice.below(6) == 0 {
                    login.succeeded(&world.memory);
                    held_back = false;
                    break;
                }
                let before = login.is_first() && login.scheme() == Some(Scheme::Digest);
                let step = if dice.below(8) == 0 {
                    repeats += 1;
                    world.cut(&mut login)
                } else {
                    let mut offered: Vec<&str> = fields.to_vec();
                    offered.retain(|_| dice.below(3) == 0);
                    repeats += u32::from(before || offered.contains(&STALE));
                    let is_closed = dice.below(4) == 0;
                    world.next(&mut login, &offered, is_closed)
                };
                match step {
                    Step::Send { field, .. } => {
                        heads += 1;
                        sent.push(field);
                    }
                    Step::Wait | Step::NeedsTicket => panic!("nothing else is going on"),
                    Step::Failed(_) => break,
                }
            }
            let mut kinds: Vec<String> = sent.iter().map(kind).collect();
            kinds.retain(|kind| !matches!(&**kind, "Negotiate" | "NTLM1"));
            assert!(kinds.len() <= 1 + repeats as usize, "{kinds:?} {repeats}");
            assert!(!held_back || kinds.is_empty(), "{kinds:?}");
            assert!(world.allow_basic || !kinds.contains(&"Basic".to_owned()));
            passwords += kinds.len();
            kinds.dedup();
            assert!(kinds.len() <= 1, "{kinds:?}");
            assert!(heads <= MAX_HEADS);
            most_heads = most_heads.max(heads);
        }
    }
    assert_eq!(most_heads, MAX_HEADS);
    assert!(passwords > 10_000, "{passwords}");
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let mut world = World::new(Some(jane()), false);
    let (mut login, _) = world.start();
    let step = world.next(&mut login, &[BASIC], false);
    login.succeeded(&world.memory);
    let digest = jane().fingerprint().0;
    let shown = format!("{step:?} {login:?} {:?} {:?}", world.memory, jane());
    for secret in [
        "s3cret",
        "czNjcmV0",
        &format!("{}, {}", digest[0], digest[1]),
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(
        shown.contains("Field(\"Basic\")") && shown.contains("jane"),
        "{shown}"
    );
    assert!(format!("{:?}", Random::from([85; Random::LEN])) == "Random");
}

#[test]
fn credentials_have_no_control_characters() {
    for (user, password) in [("a\r\nb", "c"), ("a", "b\n"), ("a\u{85}", "b"), ("a", "\0")] {
        assert_eq!(Credentials::new(user, password), None);
    }
    let one = Credentials::new("ab", "c").unwrap().fingerprint();
    let other = Credentials::new("a", "bc").unwrap().fingerprint();
    assert!(one != other);
}

#[test]
fn refusals_tell_what_to_know() {
    let refusal = Refusal::NoCredentials {
        offered: vec![Scheme::Ntlm, Scheme::Basic],
    };
    assert_eq!(
        refusal.to_string(),
        "no user and password are stored for the proxy, which offers NTLM, Basic"
    );
    let refusal = Refusal::NothingOffered {
        others: vec!["Bearer".to_owned()],
    };
    assert_eq!(
        refusal.to_string(),
        "the proxy offers no way to log in that can be used (Bearer)"
    );
    let refusal = Refusal::NothingOffered { others: vec![] };
    assert_eq!(
        refusal.to_string(),
        "the proxy offers no way to log in that can be used"
    );
}
