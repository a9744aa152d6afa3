//! `launch` as a whole program, against the real services of Debian: postgresql, redis-server, coturn and python3. A program
//! that is not there fails the test with the name of its package.

mod certificates;
mod guard;
mod health;
mod postgres;
mod secrets;
mod start;
mod support;
mod tls;
