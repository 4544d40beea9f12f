//! A container that does its worst to its own directory.
