//! What the confinement of the image's interpreter costs: the byte code of all locked wheels of Synapse's image, made with and
//! without it, in turns, in one run. The wheels and the interpreter come from the machine's cache, which a build fills; the byte
//! code goes into a new cache each time. Usage: confinement [ROUNDS]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use synapse_site::definition::lock::{DebianLock, PythonLock};
use synapse_site::definition::{ImageSpec, Python};
use synapse_site::package::bytecode::{Compiled, Compiler};
use synapse_site::package::cache::Cache;
use synapse_site::package::deb::Deb;
use synapse_site::package::progress::Silent;
use synapse_site::package::wheel::{Scheme, Wheel};
use synapse_site::package::{Entry, Package as _};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a pass works on.
struct Work {
    python: Python,
    interpreter: Vec<Deb>,
    wheels: Vec<Wheel>,
}

/// Seconds.
#[derive(Clone, Copy)]
struct Took {
    wall: f64,
    cpu: f64,
}

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let work = work()?;
    // The first pass brings every file into the page cache and is not counted.
    pass(&work, true)?;
    let mut ways = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        // Each way is first in every second round.
        for at in [round % 2, 1 - round % 2] {
            ways[at].push(pass(&work, at == 0)?);
        }
    }
    let [with, without] = ways.map(|runs| Took { wall: median(runs.iter().map(|run| run.wall)), cpu: median(runs.iter().map(|run| run.cpu)) });
    println!("byte code of {} wheels, one interpreter each; middle of {rounds} rounds\n", work.wheels.len());
    println!("{:12} {:>8} {:>8}", "", "wall s", "CPU s");
    for (way, took) in [("confined", with), ("without", without)] {
        println!("{way:12} {:8.2} {:8.2}", took.wall, took.cpu);
    }
    println!("{:12} {:8.3} {:8.3}", "ratio", with.wall / without.wall, with.cpu / without.cpu);
    Ok(())
}

fn work() -> Result<Work> {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    let python =
        toml::from_str::<ImageSpec>(&std::fs::read_to_string(images.join("synapse/image.toml"))?)?.python.ok_or("Synapse's image has no interpreter")?;
    let cache = Cache::open(None)?;
    let cached = |name: &str, sha256: &str| cache.package(sha256).ok_or_else(|| format!("{name} is not in the cache: build a site first"));
    let locks = [DebianLock::load(&images.join("synapse/debian.lock"))?, DebianLock::load(&images.join("base/debian.lock"))?];
    let mut interpreter = Vec::new();
    for name in &python.interpreter_packages {
        let package = locks.iter().find_map(|lock| lock.get(name)).ok_or_else(|| format!("{name} is not locked"))?;
        let (name, sha256) = (package.name.clone(), package.sha256.clone());
        interpreter.push(Deb { path: cached(&name, &sha256)?, name, version: package.version.clone(), sha256 });
    }
    let mut wheels = Vec::new();
    for wheel in PythonLock::load(&images.join("synapse/python.lock"))?.wheels {
        let path = cached(&wheel.name, &wheel.sha256)?;
        wheels.push(Wheel { path, name: wheel.name, version: wheel.version, sha256: wheel.sha256, scheme: Scheme::of(&python) });
    }
    Ok(Work { python, interpreter, wheels })
}

/// Makes all byte code once, into a new cache.
fn pass(work: &Work, confined: bool) -> Result<Took> {
    let place = tempfile::tempdir()?;
    let cache = Cache::open(Some(place.path().join("cache")))?;
    let mut compiler = Compiler::new(cache, &work.python, work.interpreter.clone(), Arc::new(Silent));
    if !confined {
        compiler = compiler.unconfined();
    }
    let compiler = Arc::new(compiler);
    let (began, before) = (Instant::now(), cpu()?);
    for wheel in &work.wheels {
        Compiled::new(Box::new(wheel.clone()), Arc::clone(&compiler), Arc::new(|_: &Entry| true), "").prepare()?;
    }
    Ok(Took { wall: began.elapsed().as_secs_f64(), cpu: cpu()? - before })
}

/// Seconds of processor time of this process and of those that it has waited for (proc_pid_stat(5), fields 14 to 17).
fn cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(4);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<std::result::Result<_, _>>()?;
    // Linux gives them in hundredths whatever its own clock is.
    Ok(ticks as f64 / 100.0)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
