//! The one writer of gzip: fixed blocks of 1 MiB, each an independent gzip member (RFC 1952, 2.2) made by libdeflate at level 6,
//! compressed by worker threads and written in order. The bytes depend on the input alone, not on the number of threads;
//! memory holds a few blocks per thread. Every decoder that matters concatenates members: gzip(1), Go, zlib, Docker, podman.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use libdeflater::{CompressionLvl, Compressor};

/// Uncompressed bytes in a member; part of the layer format.
pub const BLOCK: usize = 1 << 20;
/// libdeflate's level; part of the layer format.
const LEVEL: i32 = 6;

type Compressed = io::Result<Vec<u8>>;

/// One block on its way to a worker, and where the worker puts the result.
struct Job {
    block: Vec<u8>,
    done: SyncSender<Compressed>,
}

/// Compresses what is written to it into `W`, which receives its bytes on a thread of its own.
pub struct GzipWriter<W: Write + Send + 'static> {
    block: Vec<u8>,
    /// Gone when the writer is finished or given up: the threads end when they have nothing left.
    jobs: Option<SyncSender<Job>>,
    order: Option<SyncSender<Receiver<Compressed>>>,
    workers: Vec<JoinHandle<()>>,
    sink: Option<JoinHandle<io::Result<W>>>,
    any: bool,
}

impl<W: Write + Send + 'static> GzipWriter<W> {
    /// Starts `threads` workers (at least one).
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(mut out: W, threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        // The order queue bounds what is in flight: blocks that wait, that are worked on, and results that wait for their turn.
        let (order, results) = sync_channel::<Receiver<Compressed>>(threads * 2);
        let (jobs, queue) = sync_channel::<Job>(threads * 2);
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = Vec::with_capacity(threads);
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            workers.push(std::thread::Builder::new().name(format!("gzip-{number}")).spawn(move || work(&queue))?);
        }
        let sink = std::thread::Builder::new().name("gzip-sink".into()).spawn(move || {
            for result in results {
                let compressed = result.recv().map_err(|_| io::Error::other("a compressing thread has died"))??;
                out.write_all(&compressed)?;
            }
            Ok(out)
        })?;
        Ok(Self { block: Vec::with_capacity(BLOCK), jobs: Some(jobs), order: Some(order), workers, sink: Some(sink), any: false })
    }

    /// Compresses the rest, waits for everything to be written, and gives back what was written to. An empty input makes
    /// one empty member, so that the output is a gzip file in any case.
    ///
    /// # Errors
    /// When writing failed.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() || !self.any {
            self.send()?;
        }
        self.join()
    }

    fn send(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.any = true;
        let (done, result) = sync_channel(1);
        let (Some(jobs), Some(order)) = (&self.jobs, &self.order) else {
            return Err(io::Error::other("the output has failed before"));
        };
        // In this order: a full order queue must not hold up a job whose result the sink waits for.
        if jobs.send(Job { block, done }).is_ok() && order.send(result).is_ok() {
            return Ok(());
        }
        // The sink went away because it could not write: its error is the one to tell.
        Err(match self.join() {
            Err(error) => error,
            Ok(_) => io::Error::other("the compressing threads ended early"),
        })
    }

    fn join(&mut self) -> io::Result<W> {
        self.jobs = None;
        self.order = None;
        let mut sound = true;
        for worker in self.workers.drain(..) {
            sound &= worker.join().is_ok();
        }
        let sink = self.sink.take().ok_or_else(|| io::Error::other("the output has failed before"))?;
        let out = sink.join().map_err(|_| io::Error::other("the writing thread has died"))??;
        if sound { Ok(out) } else { Err(io::Error::other("a compressing thread has died")) }
    }
}

impl<W: Write + Send + 'static> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..take]);
        if self.block.len() == BLOCK {
            self.send()?;
        }
        Ok(take)
    }

    /// Does nothing: a flush must not decide where a member ends.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write + Send + 'static> Drop for GzipWriter<W> {
    /// A writer that is given up waits for its threads, so that nothing writes after its owner is gone. What they could not
    /// write does not matter any more: the output is abandoned.
    fn drop(&mut self) {
        if self.sink.is_some() {
            drop(self.join());
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let Ok(level) = CompressionLvl::new(LEVEL) else {
        return;
    };
    let mut compressor = Compressor::new(level);
    loop {
        let job = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok(Job { block, done }) = job else { return };
        let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
        let result = compressor.gzip_compress(&block, &mut member).map_err(io::Error::other).map(|length| {
            member.truncate(length);
            member
        });
        // Nobody waits for the result when the output has failed.
        if done.send(result).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::bufread::{GzDecoder, MultiGzDecoder};

    use super::*;

    /// Text that compresses, with no period of a block's length.
    fn text(length: usize) -> Vec<u8> {
        (0u64..).flat_map(|n| format!("{} line {n}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).into_bytes()).take(length).collect()
    }

    fn compress(input: &[u8], threads: usize, step: usize) -> Vec<u8> {
        let mut writer = GzipWriter::new(Vec::new(), threads).unwrap();
        for piece in input.chunks(step) {
            writer.write_all(piece).unwrap();
            writer.flush().unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn same_bytes_for_any_threads_and_any_writes() {
        let input = text(5 * BLOCK + 12_345);
        let one = compress(&input, 1, 4096);
        for (threads, step) in [(2, 1 << 20), (3, 777), (8, 10 << 20)] {
            assert_eq!(one, compress(&input, threads, step), "{threads} threads");
        }
    }

    #[test]
    fn members_decode_and_say_nothing_of_the_machine() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            let input = text(length);
            let bytes = compress(&input, 2, 65_536);
            let mut output = Vec::new();
            MultiGzDecoder::new(&bytes[..]).read_to_end(&mut output).unwrap();
            assert!(output == input, "{length} bytes");

            let mut rest = &bytes[..];
            let mut members = 0;
            while !rest.is_empty() {
                assert_eq!(rest[..4], [0x1f, 0x8b, 8, 0], "no name, no comment, no extra field");
                assert_eq!(rest[4..8], [0; 4], "no time");
                assert_eq!(rest[9], 255, "unknown operating system");
                let mut member = GzDecoder::new(rest);
                io::copy(&mut member, &mut io::sink()).unwrap();
                rest = member.into_inner();
                members += 1;
            }
            assert_eq!(members, length.div_ceil(BLOCK).max(1));
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failing_output_is_reported_with_its_own_error() {
        let mut writer = GzipWriter::new(Full, 2).unwrap();
        let input = text(BLOCK);
        let error = (0..100).find_map(|_| writer.write_all(&input).err()).expect("the bounded queue makes the failure visible");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(writer.write_all(&input).is_err());
    }
}
