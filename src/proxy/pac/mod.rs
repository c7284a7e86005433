//! x
#![allow(missing_docs)]
#[derive(Debug, Clone)]
pub enum Route {
    Direct,
    Http { host: String, port: u16 },
    Https { host: String, port: u16 },
    Socks { host: String, port: u16 },
}
#[derive(Debug, Clone)]
pub struct Answer {
    pub host: String,
    pub url: String,
    pub text: String,
    pub routes: Vec<Route>,
}
#[derive(Debug, Clone)]
pub struct Asked {
    pub answers: Vec<Answer>,
    pub trouble: Option<String>,
}
