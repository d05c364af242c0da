//! Cargo wants a package to have a library or a program. The exercises are its tests.
