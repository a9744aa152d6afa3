"""Streams, duties, limits, templates and versions of the database, found in Synapse's source without running it."""

import ast
import re

from source import Unknown


def streams(package):
    """`writer.NAME`: who may write it (`one` process or `several`), the keys of `stream_writers`. `replication.NAME`: a stream between processes."""
    module = package.module("synapse.config.workers")
    text = ast.unparse(module.tree)
    rows = {}
    for node in module.tops["WriterLocations"].body:
        if isinstance(node, ast.AnnAssign):
            rows[f"writer.{node.target.id}"] = "one" if f"len(self.writers.{node.target.id}) != 1" in text else "several"
    for name in package.names("replication/tcp/streams"):
        for node in package.module(name).tree.body:
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(member, (ast.Assign, ast.AnnAssign)) and isinstance(member.value, ast.Constant):
                    targets = member.targets if isinstance(member, ast.Assign) else [member.target]
                    if getattr(targets[0], "id", "") == "NAME":
                        rows[f"replication.{member.value.value}"] = "stream"
    return rows


def duties(package):
    """Options that give a worker something to do, and whether `one` process does it or `several` share it; `app.NAME`: what `worker_app` may say."""
    rows = {}
    for name in package.names("config"):
        for node in ast.walk(package.module(name).tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            said = [part.value for part in [*node.args, *(keyword.value for keyword in node.keywords)] if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            if called == "_should_this_worker_perform_duty":
                rows[said[-1]] = "one"
            elif called == "_worker_names_performing_this_duty":
                rows[said[-1]] = "several"
            elif called == "get" and said and re.fullmatch(r"run_background_tasks_on|media_instance_running_background_jobs|.*_running_.*|outbound_federation_restricted_to", said[0]):
                rows[said[0]] = "several" if said[0].endswith("restricted_to") else "one"
            elif called == "get" and said and said[0] == "worker_to_run_on":
                rows["auto_accept_invites.worker_to_run_on"] = "one"
    for name in package.names("app"):
        app = name.rsplit(".", 1)[-1]
        if app not in ("app", "_base", "complement_fork_starter", "phone_stats_home") and "def main" in ast.unparse(package.module(name).tree):
            rows[f"app.{name}"] = "worker" if app != "homeserver" and app != "admin_cmd" else "main" if app == "homeserver" else "tool"
    return rows


def limits(package):
    """Numbers in constants that are called a maximum, a minimum or a limit: `synapse.api.constants.MAX_ALIAS_LENGTH`; and the rates that hold
    where none is said: `rc_message.per_second`."""
    rows = {}
    for name in package.names():
        module = package.module(name)
        for constant, node in module.tops.items():
            if re.search(r"(^|_)(MAX|MIN|MAXIMUM|MINIMUM|LIMIT|MAXLEN)(_|$)", constant) and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                try:
                    value = package.worth(module, node)
                except Unknown:
                    continue
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    rows[f"{name}.{constant}"] = repr(value)
    module = package.module("synapse.config.ratelimiting")
    standard = None
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "defaults" and isinstance(node.value, ast.BoolOp):
            standard = package.worth(module, node.value.values[-1])
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "RatelimitSettings.parse":
            key = package.worth(module, node.args[1])
            said = node.args[2] if len(node.args) > 2 else next((keyword.value for keyword in node.keywords if keyword.arg == "defaults"), None)
            try:
                value = package.worth(module, said) if said is not None else {}
            except Unknown:
                # The rate of another option holds.
                continue
            for member, number in (value or standard or {}).items():
                rows[f"{key}.{member}"] = repr(number)
    for node in module.tops["FederationRatelimitSettings"].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant):
            rows[f"rc_federation.{node.target.id}"] = repr(node.value.value)
    return rows


def database(package, metadata):
    """The version of the schema, the oldest that may use such a database, and the least versions of PostgreSQL and of Python."""
    module = package.module("synapse.storage.schema")
    rows = {
        "schema": str(package.worth(module, module.tops["SCHEMA_VERSION"])),
        "schema_compat": str(package.worth(module, module.tops["SCHEMA_COMPAT_VERSION"])),
    }
    least = re.search(r"self\._version < (\d+)\b", ast.unparse(package.module("synapse.storage.engines.postgres").tree))
    rows["postgresql"] = str(int(least.group(1)) // 10000)
    rows["python"] = re.search(r"^Requires-Python: >=(\d+\.\d+)", metadata, re.M).group(1)
    return rows


def templates(package):
    """Files that a site may replace with its own (templates.custom_template_directory), by their ending."""
    found = (package.root / "res" / "templates").rglob("*")
    return {path.relative_to(package.root / "res" / "templates").as_posix(): path.suffix[1:] for path in found if path.is_file()}
