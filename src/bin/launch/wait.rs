//! Waiting for what a service depends on: asks again and again until it answers or the deadline passes. Says so when a
//! wait begins and every quarter of a minute, so that a log shows what is waited for and stays short.

use std::time::{Duration, Instant};

use synapse_site::error::{Error, Result};
use synapse_site::launch::Wait;

use crate::probe;

const ATTEMPT: Duration = Duration::from_secs(3);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const REPORT_EVERY: Duration = Duration::from_secs(15);

/// Waits for each in turn; all of them together have `deadline`.
pub fn for_all(waits: &[Wait], deadline: Duration) -> Result<()> {
    let begun = Instant::now();
    waits.iter().try_for_each(|wait| for_one(wait, begun, deadline))
}

fn for_one(wait: &Wait, begun: Instant, deadline: Duration) -> Result<()> {
    let name = &wait.name;
    let asked = probe::describe(&wait.probe);
    let started = Instant::now();
    let mut reported: Option<Instant> = None;
    let mut pause = SHORTEST_PAUSE;
    let mut attempts = 0_u32;
    loop {
        let left = deadline.saturating_sub(begun.elapsed());
        // Even when an earlier wait used all of the time, each is asked once.
        let limit = ATTEMPT.min(left).max(Duration::from_millis(200));
        attempts += 1;
        let reason = match probe::ask(&wait.probe, limit) {
            Ok(()) => {
                if reported.is_some() {
                    eprintln!("launch: {name} answers after {} s", started.elapsed().as_secs());
                }
                return Ok(());
            }
            Err(reason) => reason,
        };
        if begun.elapsed() + pause >= deadline {
            return Err(Error::environment(
                format!("{name} did not answer within {} s ({asked}, asked {attempts} times, at last: {reason})", deadline.as_secs()),
                format!("look at the log of {name}, and check that this container shares a network with it"),
            ));
        }
        if reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
            eprintln!("launch: waiting for {name} ({asked}): {reason}");
            reported = Some(Instant::now());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use synapse_site::launch::Probe;

    use super::*;

    #[test]
    fn a_service_that_answers_late_is_waited_for() {
        // The port is taken, freed and taken again, so that the first attempts are refused.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(400));
            std::net::TcpListener::bind(("127.0.0.1", port)).unwrap().accept().unwrap();
        });
        let probe = Probe::Tcp { host: "127.0.0.1".into(), port };
        for_all(&[Wait { name: "it".into(), probe }], Duration::from_secs(20)).unwrap();
        server.join().unwrap();
    }

    #[test]
    fn the_deadline_is_kept_and_the_message_says_what_was_tried() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let probe = Probe::Tcp { host: "127.0.0.1".into(), port };
        let begun = Instant::now();
        let error = for_all(&[Wait { name: "PostgreSQL".into(), probe }], Duration::from_secs(1)).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert_eq!(error.exit_code(), 3);
        let shown = error.to_string();
        for expected in ["PostgreSQL did not answer within 1 s", &format!("tcp 127.0.0.1:{port}"), "refused"] {
            assert!(shown.contains(expected), "{shown}");
        }
    }
}
