//! Random actions on real files against a small model.
