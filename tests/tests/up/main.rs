//! `qae up` as a newcomer would use it: started in an empty directory, containers run beside it, seen by `qae`, by a script and by a browser's
//! first steps, ended with Ctrl-C.

mod demo;
mod life;
mod seen;
mod support;
