"""Facts about Synapse by version: the tables in src/synapse/facts, made of the releases themselves and never by running them.

    python3 tools/facts derive FILE.whl          what a release says, as JSON
    python3 tools/facts fetch DIR VERSION…       downloads the wheels of releases into a directory, with pip; prints their files
    python3 tools/facts add DIR VERSION…         adds releases to the tables, or reads them anew; their wheels are downloaded into the directory
    python3 tools/facts write DIR                makes all tables anew, of the wheels in a directory alone

The newest of the wheels is the one whose options must all be understood. docs/facts.md says what the tables hold.
"""

import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import options  # noqa: E402
import rest  # noqa: E402
import routes  # noqa: E402
import source  # noqa: E402

TABLES = HERE.parent.parent / "src" / "synapse" / "facts"
KINDS = {
    "options": "what Synapse reads of its configuration, with the types that its code betrays",
    "routes": "the paths that Synapse answers: methods, those of them that workers answer, and `media` where the media repository does",
    "streams": "the streams that a worker may write (`writer.`: one process, or several), and those between processes (`replication.`)",
    "duties": "options that give a worker something to do (one process, or several), and what `worker_app` may say (`app.`)",
    "limits": "numbers that are limits in the code, and the rates that hold where a site says none (`rc_`)",
    "templates": "the files of templates that a site may replace",
    "database": "the version of the schema, the oldest that may use such a database, and the least PostgreSQL and Python",
}


def order(version):
    return tuple(int(part) for part in version.split("."))


def version_of(wheel):
    return pathlib.Path(wheel).name.split("-")[1]


def derive(wheel, is_newest=False):
    """Every table of one release: names with what is said of them."""
    with tempfile.TemporaryDirectory() as place, zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("synapse/") and (name.endswith(".py") or "/res/templates/" in name)]
        archive.extractall(place, names)
        metadata = archive.read(f"matrix_synapse-{version_of(wheel)}.dist-info/METADATA").decode()
        package = source.Package(pathlib.Path(place) / "synapse")
        return {
            "options": options.read(package.root, is_newest),
            "routes": routes.table(package),
            "streams": rest.streams(package),
            "duties": rest.duties(package),
            "limits": rest.limits(package),
            "templates": rest.templates(package),
            "database": rest.database(package, metadata),
        }


def fetch(place, versions):
    """The wheels of releases; source code is the same for every machine, so that any will do."""
    found = []
    for version in versions:
        held = sorted(pathlib.Path(place).glob(f"matrix_synapse-{version}-*.whl"))
        if not held:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.13"]
            for abi in ("abi3", "cp313"):
                command += ["--abi", abi]
            for platform in ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"):
                command += ["--platform", platform]
            done = subprocess.run([*command, "--dest", str(place), f"matrix-synapse=={version}"], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"matrix-synapse {version} cannot be downloaded: {done.stderr.strip()}")
            held = sorted(pathlib.Path(place).glob(f"matrix_synapse-{version}-*.whl"))
        found.append(held[0])
    return found


def merged(releases):
    """Rows `name since until value…` of the tables of all releases, oldest first. A dash for `since` stands for the oldest of the releases, or one
    before it; for `until`, for the newest. Both releases have the fact."""
    versions = list(releases)
    rows = []
    for name in sorted({name for table in releases.values() for name in table}):
        start, value = None, None
        for at, version in enumerate([*versions, None]):
            now = releases[version].get(name) if version else None
            if now == value and version:
                continue
            if value is not None:
                since = "-" if start == 0 else versions[start]
                until = "-" if at == len(versions) else versions[at - 1]
                rows.append(f"{name} {since} {until} {value}".rstrip())
            start, value = at, now
    return rows


def kept():
    """What the tables say now, by release."""
    versions = [line for line in (TABLES / "releases.txt").read_text().splitlines() if not line.startswith("#")]
    facts = {version: {kind: {} for kind in KINDS} for version in versions}
    for kind in KINDS:
        for line in (TABLES / f"{kind}.txt").read_text().splitlines():
            if not line.startswith("#"):
                name, since, until, value = line.split(" ", 3)
                first = 0 if since == "-" else versions.index(since)
                last = len(versions) - 1 if until == "-" else versions.index(until)
                for version in versions[first : last + 1]:
                    facts[version][kind][name] = value
    return facts


def write(wheels, before):
    """Writes all tables: what is known of other releases, and what these wheels say."""
    wheels = sorted(wheels, key=lambda path: order(version_of(path)))
    newest = max([*before, *map(version_of, wheels)], key=order)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        tables = pool.map(derive, wheels, [version_of(wheel) == newest for wheel in wheels])
        facts = before | {version_of(wheel): table for wheel, table in zip(wheels, tables)}
    facts = {version: facts[version] for version in sorted(facts, key=order)}
    TABLES.mkdir(parents=True, exist_ok=True)
    head = "written by tools/facts"
    text = [f"# The releases of Synapse that the tables beside this file were made of, oldest first; {head}.", *facts]
    (TABLES / "releases.txt").write_text("\n".join(text) + "\n")
    for kind, about in KINDS.items():
        rows = merged({version: tables[kind] for version, tables in facts.items()})
        (TABLES / f"{kind}.txt").write_text("\n".join([f"# name since until value: {about}; {head}.", *rows]) + "\n")


def main():
    match sys.argv[1:]:
        case ["derive", wheel]:
            print(json.dumps(derive(wheel), indent=1, sort_keys=True))
        case ["fetch", place, *versions] if versions and all(re.fullmatch(r"[\d.]+", version) for version in versions):
            print(*fetch(place, versions), sep="\n")
        case ["add", place, *versions] if versions and all(re.fullmatch(r"[\d.]+", version) for version in versions):
            write(fetch(place, versions), kept())
        case ["write", place]:
            write(pathlib.Path(place).glob("matrix_synapse-*.whl"), {})
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
