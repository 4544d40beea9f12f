//! The schedulers that are followed: what each says becomes the same kind of facts ([`crate::reconcile`]).

pub mod marathon;
