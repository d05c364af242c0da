//! The course's Default Server: fixed pages, and the files of a folder.

use std::process::ExitCode;

use giliran::app::cli::Role;
use giliran::app::{roles, run};
use giliran::site::SiteKind;

fn main() -> ExitCode {
    run(&Role::DEFAULT_SERVER, roles::server(SiteKind::Default), roles::serve)
}
