//! What an engine should get now: here the source, the resolver, the Keychain and the PAC script
//! meet the pure translation of [`crate::proxy::translate`].

use std::env;
use std::path::PathBuf;

use crate::docker::{Bundle, Family};
use crate::error::Result;
use crate::net::lookup::{self, lookup};
use crate::patch::intent::Intent;
use crate::proxy::pac::Answer;
use crate::proxy::settings::Settings;
use crate::proxy::source::Source;
use crate::proxy::translate::What;
use crate::proxy::{Engine, Stated, Translation, Wishes, World, translate};

/// Whose settings are asked, and what the user wants besides.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose settings.
    pub source: Source,
    /// What else.
    pub wishes: Wishes,
    /// Where the program keeps what it has to remember.
    pub state: PathBuf,
}

impl Request {
    /// What the user is heard to want by asking for this.
    pub fn intent(&self) -> Intent {
        match self.source {
            Source::System | Source::Environment => Intent::Settings,
            Source::Named(..) | Source::Dictionary(_) => Intent::Named,
        }
    }

    /// What the source says now.
    ///
    /// # Errors
    /// When it can't be read, or says what can't be used.
    pub fn read(&self) -> Result<Stated> {
        self.source.read(|| Ok(None), |name| env::var(name).ok())
    }

    /// What `engine` is to get, given what the source says.
    ///
    /// # Errors
    /// See [`translate`].
    pub fn translate(&self, stated: &Stated, engine: &Engine) -> Result<Translation> {
        let world = World {
            addresses: &|host| lookup(host, lookup::PATIENCE),
            password: &|_| Ok(None),
            pac: &|_, _| todo!(),
        };
        translate(stated, engine, &self.wishes, &world)
    }

    /// What the PAC script, if there is one, says of each of these hosts.
    ///
    /// # Errors
    /// When it can't be had or run, and never could.
    pub fn ask_script(&self, stated: &Stated, hosts: &[String]) -> Result<Option<Vec<Answer>>> {
        match &stated.what {
            What::Settings(Settings { pac: Some(_), .. }) => todo!("{}", hosts.len()),
            _ => Ok(None),
        }
    }

    /// Both at once, for the engine of `bundle`.
    ///
    /// # Errors
    /// As for each.
    pub fn resolve(&self, bundle: &Bundle) -> Result<Translation> {
        self.translate(&self.read()?, &engine_of(bundle))
    }
}

/// The engine in a bundle.
pub fn engine_of(bundle: &Bundle) -> Engine {
    let patched = matches!(bundle.family, Family::Moby { .. });
    Engine::of(&bundle.version, patched)
}
