//! Advice on what to do about a failure: one file for the errors of each module.

mod agent;
mod config;
mod console;
mod credentials;
mod docker;
mod docker_settings;
mod files;
mod live;
mod patch;
mod platform;
mod proxy;
mod relay;
mod service;
mod uninstall;
mod update;
