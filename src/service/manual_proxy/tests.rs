use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use keyring_core::Error as StoreError;
use proptest::prelude::*;

use super::*;
use crate::config::{ConfigReading, InvalidEntry};
use crate::credentials::Attempt;

fn config(text: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, text).unwrap();
    Config::load(&path).unwrap()
}

fn fields(address: &str, user: &str, password: &str, exceptions: &str) -> Fields {
    Fields {
        address: address.to_owned().into(),
        user: user.to_owned(),
        password: password.to_owned().into(),
        exceptions: exceptions.to_owned(),
        forget: false,
    }
}

fn account(text: &str) -> Account {
    Account::parse(text).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

/// A store in memory, which can fail, or end the program, at one of its calls.
#[derive(Default)]
struct Fake {
    kept: RefCell<BTreeMap<String, Vec<u8>>>,
    calls: RefCell<usize>,
    fails_at: Option<usize>,
    dies_at: Option<usize>,
}

impl Fake {
    fn with(passwords: &[(&str, &str)]) -> Self {
        let kept = passwords.iter();
        Self {
            kept: RefCell::new(
                kept.map(|(account, password)| (account.to_string(), password.as_bytes().to_vec()))
                    .collect(),
            ),
            ..Self::default()
        }
    }

    fn all(&self) -> BTreeMap<String, String> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        let kept = self.kept.borrow();
        kept.iter().map(|(k, v)| (k.clone(), text(v))).collect()
    }

    fn call(&self) -> std::result::Result<(), CredentialsError> {
        let call = *self.calls.borrow();
        *self.calls.borrow_mut() += 1;
        assert_ne!(self.dies_at, Some(call), "killed");
        match self.fails_at == Some(call) {
            true => Err(CredentialsError::Store {
                tried: Attempt::List,
                why: StoreError::NoEntry,
            }),
            false => Ok(()),
        }
    }
}

impl Passwords for &Fake {
    fn has(&self, account: &Account) -> std::result::Result<bool, CredentialsError> {
        self.call()?;
        Ok(self.kept.borrow().contains_key(&account.to_string()))
    }

    fn store(
        &self,
        account: &Account,
        password: &Password,
    ) -> std::result::Result<(), CredentialsError> {
        self.call()?;
        let secret = password.expose().to_vec();
        self.kept.borrow_mut().insert(account.to_string(), secret);
        Ok(())
    }

    fn delete(&self, account: &Account) -> std::result::Result<(), CredentialsError> {
        self.call()?;
        self.kept.borrow_mut().remove(&account.to_string());
        Ok(())
    }
}

/// A config file with comments, whose proxy has a user, and a store with its password.
struct Desk {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
    store: Fake,
}

const TEXT: &str = "# mine\nhttp_proxy = \"http://me@proxy.corp:8080\" # the old one\nno_proxy = [\n  \".corp\", # all of it\n]\n# end\n";

impl Desk {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, text).unwrap();
        Self {
            path,
            _dir: dir,
            store: Fake::with(&[("me@proxy.corp:8080", "old")]),
        }
    }

    fn form(&self) -> ManualProxy {
        let config = Config::load(&self.path).unwrap();
        let account = ManualProxy::account_in(&config).map(|account| account.to_string());
        let kept = self.store.kept.borrow();
        let has_password = account.is_some_and(|account| kept.contains_key(&account));
        ManualProxy::new(&config, has_password)
    }

    fn save(&self, fields: &Fields) -> Result<Saved> {
        let changes = self.form().changes(fields).unwrap();
        changes.save(&self.path, || Ok(&self.store))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }
}

#[test]
fn the_fields_show_the_file() {
    for (text, address, user, exceptions) in [
        ("", "", "", ""),
        ("http_proxy = 'http://proxy'", "proxy:80", "", ""),
        ("https_proxy = 'me@p:1'", "p:1", "me", ""),
        ("http_proxy = 'a:1'\nhttps_proxy = 'b:2'", "b:2", "", ""),
        (
            "http_proxy = 'http://CORP%5Cm%40e@[fd00::1]:3128'\nno_proxy = ['.a', 'b:80']",
            "[fd00::1]:3128",
            "CORP\\m@e",
            ".a, b:80",
        ),
    ] {
        let form = ManualProxy::new(&config(text), false);
        assert!(
            form.fields() == fields(address, user, "", exceptions),
            "{text}"
        );
    }
    let two = ManualProxy::new(&config("http_proxy = 'a:1'\nhttps_proxy = 'b:2'"), false);
    assert_eq!(two.other().unwrap().display(), "a:1");
    let one = ManualProxy::new(&config("http_proxy = 'a:1'\nhttps_proxy = 'a:1'"), false);
    assert_eq!(one.other(), None);
    // Without a user there is nothing to have a password for.
    assert!(!ManualProxy::new(&config("http_proxy = 'a:1'"), true).has_password());
}

#[test]
fn each_mistake_has_an_error_of_its_own() {
    use FieldError as E;
    let form = ManualProxy::new(&config("http_proxy = 'me@proxy.corp:8080'"), true);
    let entry = |why: InvalidEntry| E::Exceptions(InvalidValue::NoProxy(why));
    let long = "x".repeat(MAX_PASSWORD_LEN + 1);
    for (fields, expected) in [
        (fields("", "", "", ""), E::NoAddress),
        (fields(" ", "me", "", ""), E::NoAddress),
        (
            fields("https://p:1", "", "", ""),
            E::Address(InvalidUrl::Tls),
        ),
        (
            fields("socks5://p:1", "", "", ""),
            E::Address(InvalidUrl::Socks("socks5".to_owned())),
        ),
        (
            fields(":Xq7@p:1", "", "", ""),
            E::Address(InvalidUrl::NoUser),
        ),
        (
            fields("p:1\u{7}", "", "", ""),
            E::Address(InvalidUrl::Control),
        ),
        (fields("p:1", "a\tb", "", ""), E::User(InvalidUrl::Control)),
        (fields("you@p:1", "other", "", ""), E::TwoUsers),
        (fields("me:Xq7@p:1", "me", "Xq8", ""), E::TwoPasswords),
        (fields("p:1", "", "Xq7", ""), E::PasswordWithoutUser),
        (fields("p:1", "me", "Xq7\n", ""), E::PasswordCharacter),
        (
            fields("p:1", "me", &long, ""),
            E::PasswordTooLong(MAX_PASSWORD_LEN),
        ),
        (
            Fields {
                forget: true,
                ..fields("p:1", "me", "Xq7", "")
            },
            E::PasswordAndForget,
        ),
        (
            fields("p:1", "", "", ".a, *"),
            entry(InvalidEntry::Everything),
        ),
        (
            fields("p:1", "", "", "me:Xq7@host"),
            entry(InvalidEntry::Url),
        ),
        (
            fields("p:1", "", "", "'a'"),
            entry(InvalidEntry::Characters),
        ),
        (fields("p:1", "", "", ":80"), entry(InvalidEntry::NoHost)),
        (
            fields("p:1", "me", "", ""),
            E::PasswordOfBefore(account("me@p:1")),
        ),
        (
            fields("proxy.corp:8080", "you", "", ""),
            E::PasswordOfBefore(account("you@proxy.corp:8080")),
        ),
    ] {
        let error = form.changes(&fields).unwrap_err();
        assert_eq!(error, expected);
        assert_eq!(form.error(&fields), Some(error));
        assert!(!format!("{expected:?}").contains("Xq7"));
    }
}

#[test]
fn only_what_differs_is_changed() {
    let set = |key, value: &str| Edit::set(key, vec![value.to_owned()]);
    let source = || set(Key::Source, "manual");
    for (text, entered, edits, password_change) in [
        (
            "",
            fields("p:1", "", "", ""),
            vec![set(Key::HttpProxy, "http://p:1"), source()],
            PasswordChange::Keep,
        ),
        (
            "http_proxy = 'p:1'",
            fields("http://p:1/", "", "", ""),
            vec![source()],
            PasswordChange::Keep,
        ),
        (
            "source = 'manual'\nhttp_proxy = 'me@p:1'\nno_proxy = ['a', 'b']",
            fields("p:1", "me", "", " a\tb,"),
            vec![],
            PasswordChange::Keep,
        ),
        // What the file has for http:// stays, unless it is the same proxy.
        (
            "source = 'manual'\nhttp_proxy = 'a:1'\nhttps_proxy = 'b:2'",
            fields("c:3", "", "", ""),
            vec![set(Key::HttpsProxy, "http://c:3")],
            PasswordChange::Keep,
        ),
        (
            "source = 'manual'\nhttp_proxy = 'a:1'\nhttps_proxy = 'a:1'",
            fields("c:3", "", "", ""),
            vec![
                set(Key::HttpProxy, "http://c:3"),
                set(Key::HttpsProxy, "http://c:3"),
            ],
            PasswordChange::Keep,
        ),
        (
            "source = 'manual'\nhttps_proxy = 'a:1'",
            fields("c:3", "", "", "x"),
            vec![set(Key::HttpsProxy, "http://c:3"), set(Key::NoProxy, "x")],
            PasswordChange::Keep,
        ),
        (
            "source = 'manual'\nhttp_proxy = 'a:1'\nno_proxy = ['x']",
            fields("a:1", "", "", ""),
            vec![Edit::unset(Key::NoProxy)],
            PasswordChange::Keep,
        ),
        // A password in the address goes to the store, and so does the user to the URL.
        (
            "",
            fields("http://me:s%40@P.corp:8080", "", "", ""),
            vec![set(Key::HttpProxy, "http://me@P.corp:8080"), source()],
            PasswordChange::Store(account("me@p.corp:8080"), password("s@")),
        ),
        (
            "source = 'manual'\nhttp_proxy = 'me@p:1'",
            fields("you:x@p:1", "me", "", ""),
            vec![set(Key::HttpProxy, "http://you@p:1")],
            PasswordChange::Store(account("you@p:1"), password("x")),
        ),
        (
            "source = 'manual'\nhttp_proxy = 'me@p:1'",
            fields("p:1", "me", "new", ""),
            vec![],
            PasswordChange::Store(account("me@p:1"), password("new")),
        ),
        // A user whose bytes are no text stays as it is.
        (
            "source = 'manual'\nhttp_proxy = 'http://%FF@p:1'",
            fields("p:2", "\u{fffd}", "", ""),
            vec![set(Key::HttpProxy, "http://%FF@p:2")],
            PasswordChange::Keep,
        ),
    ] {
        let changes = ManualProxy::new(&config(text), false).changes(&entered);
        let expected = Changes {
            edits,
            password: password_change,
        };
        assert_eq!(changes.unwrap(), expected, "{text}");
    }
}

#[test]
fn the_stored_password_is_deleted_only_when_that_was_chosen() {
    let form = |stored| ManualProxy::new(&config("http_proxy = 'me@p:1'"), stored);
    let entered = |address: &str, forget| Fields {
        forget,
        ..fields(address, "me", "", "")
    };
    let change = |stored, fields| form(stored).changes(&fields).unwrap().password;
    let deletion = || PasswordChange::Delete(account("me@p:1"));
    assert_eq!(change(true, entered("p:1", false)), PasswordChange::Keep);
    assert_eq!(change(true, entered("p:1", true)), deletion());
    // The account of before is the one with the password.
    assert_eq!(change(true, entered("q:2", true)), deletion());
    assert_eq!(change(false, entered("p:1", true)), PasswordChange::Keep);
}

#[test]
fn saving_keeps_comments_and_puts_the_password_into_the_store() {
    let desk = Desk::new(TEXT);
    desk.save(&fields(
        "you:s3cret@new.corp:3128",
        "",
        "",
        ".corp, 10.0.0.5",
    ))
    .unwrap();
    let text = desk.text();
    assert_eq!(
        text,
        "# mine\nhttp_proxy = \"http://you@new.corp:3128\" # the old one\n# all of it\nno_proxy = [\".corp\", \"10.0.0.5\"]\n# end\nsource = \"manual\"\n"
    );
    let kept = desk.store.all();
    assert_eq!(kept["you@new.corp:3128"], "s3cret");
    assert_eq!(kept["me@proxy.corp:8080"], "old");
    // The same once more changes nothing.
    desk.save(&desk.form().fields()).unwrap();
    assert_eq!((desk.text(), desk.store.all()), (text, kept));
}

#[test]
fn deleting_the_password_changes_nothing_else() {
    let desk = Desk::new(&format!("source = 'manual'\n{TEXT}"));
    let before = desk.text();
    let form = desk.form();
    desk.save(&Fields {
        forget: true,
        ..form.fields()
    })
    .unwrap();
    assert_eq!(desk.text(), before);
    assert!(desk.store.all().is_empty());
}

/// The file was changed by then, so that is no reason to say that nothing was saved.
#[test]
fn a_password_that_cannot_be_deleted_is_reported() {
    let mut desk = Desk::new(TEXT);
    desk.store.fails_at = Some(0);
    let saved = desk.save(&Fields {
        forget: true,
        ..fields("p:1", "", "", "")
    });
    assert!(matches!(saved.unwrap(), Saved::ButPassword(_)));
    assert!(desk.text().contains("http://p:1"));
    assert_eq!(desk.store.all()["me@proxy.corp:8080"], "old");
}

#[test]
fn a_file_with_a_mistake_costs_no_password() {
    let desk = Desk::new(TEXT);
    let changes = desk
        .form()
        .changes(&fields("p:1", "me", "new", ""))
        .unwrap();
    for broken in ["relay_port = 'x'\n", "http_proxy = [\n", "[http_proxy]\n"] {
        fs::write(&desk.path, broken).unwrap();
        let before = desk.store.all();
        let error = changes.save(&desk.path, || Ok(&desk.store)).unwrap_err();
        assert!(error.code().starts_with("config-"), "{error}");
        assert_eq!((desk.text(), desk.store.all()), (broken.to_owned(), before));
        assert_eq!(*desk.store.calls.borrow(), 0);
    }
}

#[test]
fn a_store_that_refuses_leaves_the_file_as_it_was() {
    for at in 0..2 {
        let mut desk = Desk::new(TEXT);
        desk.store.fails_at = Some(at);
        let before = (desk.text(), desk.store.all());
        desk.save(&fields("p:1", "me", "new", "")).unwrap_err();
        assert_eq!((desk.text(), desk.store.all()), before, "{at}");
    }
    let desk = Desk::new(TEXT);
    let changes = desk
        .form()
        .changes(&fields("p:1", "me", "new", ""))
        .unwrap();
    let closed = || {
        Err::<&Fake, _>(CredentialsError::Store {
            tried: Attempt::Open,
            why: StoreError::NoEntry,
        })
    };
    changes.save(&desk.path, closed).unwrap_err();
    assert_eq!(desk.text(), TEXT);
}

#[test]
fn a_file_that_cannot_be_written_takes_a_new_password_back() {
    let desk = Desk::new(TEXT);
    let changes = desk
        .form()
        .changes(&fields("p:1", "me", "new", ""))
        .unwrap();
    let before = desk.store.all();
    // No folder can be made there.
    let path = Path::new("/proc/baleen/config.toml");
    changes.save(path, || Ok(&desk.store)).unwrap_err();
    assert_eq!(*desk.store.calls.borrow(), 3);
    assert_eq!((desk.text(), desk.store.all()), (TEXT.to_owned(), before));
}

/// The file replaces the old one at once, so the calls of the store are where a Baleen that is killed can stop.
#[test]
fn killed_in_the_middle_it_loses_no_password_that_the_file_needs() {
    let entered = [
        fields("new.corp:1", "you", "new", ".corp"),
        fields("proxy.corp:8080", "me", "new", ""),
        Fields {
            forget: true,
            ..fields("new.corp:1", "you", "", ".corp")
        },
    ];
    for fields in entered {
        for at in 0..3 {
            let mut desk = Desk::new(TEXT);
            desk.store.dies_at = Some(at);
            let died = catch_unwind(AssertUnwindSafe(|| desk.save(&fields))).is_err();
            desk.store.dies_at = None;
            let config = Config::load(&desk.path).unwrap();
            let user = ManualProxy::account_in(&config).unwrap().to_string();
            let needs_one = user == "me@proxy.corp:8080" || !fields.password.is_empty();
            let kept = desk.store.all();
            assert!(!needs_one || kept.contains_key(&user), "{at} {kept:?}");
            // Saving once more gets there.
            if died && !fields.forget {
                desk.save(&fields).unwrap();
                let user = account(&format!("{}@{}", fields.user, *fields.address));
                assert_eq!(desk.store.all()[&user.to_string()], "new");
            }
        }
    }
}

proptest! {
    /// Whatever can be saved is shown the same afterwards, and saving it again changes nothing.
    #[test]
    fn what_was_saved_is_shown(
        address in "([a-z0-9]{1,8}\\.)?[a-z]{1,8}(:[1-9][0-9]{0,3})?",
        user in "[ -~à-ü]{0,12}",
        password in "[ -~]{0,8}",
        entries in proptest::collection::vec("(\\.|\\*\\.)?[a-z0-9]{1,6}(\\.[a-z]{1,4})?(:80)?", 0..4),
        both: bool,
    ) {
        let desk = Desk::new(if both { "http_proxy = 'a:1'\nhttps_proxy = 'a:1' # x\n" } else { "# x\n" });
        let entered = fields(&address, &user, &password, &entries.join(" , "));
        let Ok(changes) = desk.form().changes(&entered) else {
            prop_assert!(user.trim().is_empty() && !password.is_empty());
            return Ok(());
        };
        changes.save(&desk.path, || Ok(&desk.store)).unwrap();
        prop_assert!(desk.text().contains("# x"));
        if password.len() > 3 {
            prop_assert!(!desk.text().contains(&password) || user.contains(&password) || address.contains(&password));
        }
        let shown = desk.form().fields();
        prop_assert_eq!(&shown.user, user.trim());
        prop_assert_eq!(ProxyUrl::parse(&shown.address), ProxyUrl::parse(&address));
        let again = desk.form().changes(&shown).unwrap();
        prop_assert_eq!(again, Changes { edits: vec![], password: PasswordChange::Keep });
        prop_assert_eq!(ConfigReading::read(&desk.path).unwrap().config.source, SourceSetting::Manual);
        if !password.is_empty() {
            let config = Config::load(&desk.path).unwrap();
            let account = ManualProxy::account_in(&config).unwrap();
            prop_assert_eq!(&desk.store.all()[&account.to_string()], &password);
        }
    }
}
