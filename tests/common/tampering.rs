//! A patch as Baleen makes it, but with another manifest, as other versions of Baleen leave it in an image.

use baleen::initrd::append::{self, NewFile};

use crate::common::app::{App, PROXY};

/// A Docker.app whose image is patched, and the parts needed to patch it again.
pub(crate) struct Forgery {
    pub(crate) app: App,
    pub(crate) original: Vec<u8>,
    script: Vec<u8>,
    pub(crate) manifest: String,
}

impl Forgery {
    /// The same patch as this version makes.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let app = App::new();
        let original = app.bytes();
        app.apply(PROXY);
        let manifest = app.ok(&[
            "inspect",
            "--entry",
            "etc/baleen.json",
            app.image().to_str().unwrap(),
        ]);
        let forgery = Self {
            script: app.script(),
            app,
            original,
            manifest,
        };
        forgery.put(&forgery.manifest, &[]);
        assert_eq!(
            forgery.app.state(&["--verify"]),
            ("current".into(), 0),
            "the forgery is a good one"
        );
        forgery
    }

    /// Patches the image with `manifest`, and with `more` files.
    pub(crate) fn put(&self, manifest: &str, more: &[&str]) {
        let file = |name, mode, body| NewFile {
            name,
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
            body,
        };
        let mut files = vec![
            file("etc/init.d/docker", 0o100_755, &self.script[..]),
            file("etc/baleen.json", 0o100_644, manifest.as_bytes()),
        ];
        files.extend(more.iter().map(|name| file(*name, 0o100_644, b"more")));
        let overlay = append::overlay("baleen-overlay", &files).unwrap();
        self.app
            .replace_image(&[&self.original[..], &overlay].concat());
    }

    /// The manifest with its format replaced.
    pub(crate) fn with_format(&self, format: &str) -> String {
        self.manifest.replace("\"format\": 1", format)
    }
}
