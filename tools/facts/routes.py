"""Which paths Synapse answers, with which methods, and which of these its generic workers answer, found in its source without running it.

A path is written as a person would: `{room_id}` where the pattern takes a name, `(r0|v3)` where it takes one of several words, `*` at the end where
anything may follow. Sources: the classes of rest/ and federation/transport/server with PATTERNS or PATH, and who registers them.
"""

import ast
import re

from source import Unknown

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
MAIN, WORKER = "main", "worker"


def plain(pattern):
    """A regular expression as a path."""
    pattern = pattern.removeprefix("^")
    is_closed = pattern.endswith("$")
    pattern = pattern.removesuffix("$")
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("(?P<", at):
            name, end = re.match(r"\(\?P<(\w+)>", pattern[at:]).group(1), closing(pattern, at)
            body = pattern[at + len(name) + 5 : end]
            # A choice of plain words stays one.
            words = re.match(r"[\w/-]*/(?=\.\*$)", body)
            out += f"({body})" if re.fullmatch(r"[\w.|/-]+", body) and "|" in body else (words.group() if words else "") + "{" + name + "}"
            at = end + 1
        elif pattern.startswith("(?:", at):
            out, at = out + "(", at + 3
        elif pattern[at] == "\\":
            out, at = out + pattern[at + 1], at + 2
        elif pattern.startswith("[^/]+", at) or pattern.startswith("[^/]*", at):
            out, at = out + "{}", at + 5
        else:
            out, at = out + pattern[at], at + 1
    return out if is_closed else out + "*"


def closing(text, opening):
    """Where the bracket that opens there is closed."""
    depth, at, in_class = 0, opening, False
    while True:
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "[":
            in_class = True
        elif letter == "]":
            in_class = False
        elif not in_class and letter in "()":
            depth += 1 if letter == "(" else -1
            if depth == 0:
                return at
        at += 1


class Routes:
    def __init__(self, package):
        self.package, self.found, self.unread = package, {}, set()

    def note(self, pattern, method, where, media):
        entry = self.found.setdefault(plain(pattern), {"methods": set(), "workers": set(), "media": set()})
        entry["methods"].add(method)
        if WORKER in where:
            entry["workers"].add(method)
        entry["media"].add(media)

    # Expressions that give patterns

    def patterns(self, module, node, names):
        """The regular expressions that an expression gives."""
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("list", "tuple"):
                return self.patterns(module, node.args[0], names)
            if name in ("client_patterns", "admin_patterns"):
                regex = self.package.worth(module, node.args[0], names)
                said = {keyword.arg: self.package.worth(module, keyword.value, names) for keyword in node.keywords}
                if name == "admin_patterns":
                    version = self.package.worth(module, node.args[1], names) if len(node.args) > 1 else said.get("version", "v1")
                    return [f"^/_synapse/admin/{version}{regex}"]
                releases = self.package.worth(module, node.args[1], names) if len(node.args) > 1 else said.get("releases", ["r0", "v3"])
                versions = (["api/v1"] if said.get("v1") else []) + list(releases) + (["unstable"] if said.get("unstable", True) else [])
                return [f"^/_matrix/client/{versions[0] if len(versions) == 1 else '(' + '|'.join(versions) + ')'}{regex}"]
            if name == "compile":
                return [self.package.worth(module, node.args[0], names)]
        if isinstance(node, (ast.List, ast.Tuple)):
            return [pattern for part in node.elts for pattern in self.patterns(module, part.value if isinstance(part, ast.Starred) else part, names)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.patterns(module, node.left, names) + self.patterns(module, node.right, names)
        if isinstance(node, ast.Name) and node.id in names and isinstance(names[node.id], ast.AST):
            return self.patterns(module, names[node.id], names)
        raise Unknown(ast.unparse(node))

    # Classes

    def line(self, module, servlet):
        """A class and those that it is made of, nearest first, each with its module."""
        found = [(servlet, module)]
        for base in servlet.bases:
            above, where = self.package.reach(module, base)
            if isinstance(above, ast.ClassDef):
                found += self.line(where, above)
        return found

    def servlet(self, module, servlet, where, media):
        line = self.line(module, servlet)
        methods, denied, register, patterns = {}, set(), None, None
        path = prefix = None
        for held, home in line:
            names = {}
            for node in held.body:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    name = re.fullmatch(r"(?:on_|_async_render_|render_)([A-Z]+)", node.name)
                    if name and name.group(1) in METHODS:
                        methods.setdefault(name.group(1), node)
                    if node.name == "register" and held.name not in ("RestServlet", "BaseFederationServlet"):
                        register = register or (node, home)
                targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
                for target in targets:
                    name = getattr(target, "id", "")
                    if name == "PATTERNS" and patterns is None and not isinstance(node.value, ast.Constant):
                        patterns = self.patterns(home, node.value, names)
                    elif name == "PATH" and path is None:
                        path = self.package.worth(home, node.value)
                    elif name == "PREFIX" and prefix is None:
                        prefix = self.package.worth(home, node.value)
                    elif name == "WORKERS_DENIED_METHODS":
                        denied |= set(self.package.worth(home, node.value))
                    elif isinstance(node.value, ast.Constant):
                        names[name] = node.value.value
        here = lambda method: where - ({WORKER} if method in denied else set())  # noqa: E731
        if register:
            self.registers(register, methods, here, media)
            return
        if path:
            patterns = [f"^{prefix or '/_matrix/federation/v1'}{path}$"]
        if patterns is None:
            raise Unknown(servlet.name)
        patterns += self.added(line)
        for pattern in patterns:
            for method in methods:
                self.note(pattern, method, here(method), media)

    def added(self, line):
        """What `__init__` adds: `self.PATTERNS.append(re.compile(…))`."""
        found = []
        for held, home in line:
            for node in ast.walk(held):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("self.PATTERNS.append", "self.PATTERNS.extend"):
                    found += self.patterns(home, node.args[0], {})
        return found

    def registers(self, register, methods, here, media):
        """A servlet that registers its paths itself."""
        function, home = register
        names = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                try:
                    names[node.targets[0].id] = self.package.worth(home, node.value, names)
                except Unknown:
                    names[node.targets[0].id] = node.value
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "register_txn_path":
                regex = self.package.worth(home, node.args[1], names)
                for method, ending in (("POST", "$"), ("PUT", "/(?P<txn_id>[^/]*)$")):
                    if method in methods or method == "POST":
                        self.note(f"^/_matrix/client/(api/v1|r0|v3|unstable){regex}{ending}", method, here(method), media)
            elif name == "register_paths":
                method = self.package.worth(home, node.args[0], names)
                for pattern in self.patterns(home, node.args[1], names):
                    self.note(pattern, method, here(method), media)

    # Who registers

    def walk(self, module, body, where, media, seen):
        """Statements of a function that registers: what they register, and on which processes."""
        for node in body:
            if isinstance(node, ast.If):
                test = ast.unparse(node.test)
                inner, other = where, where
                if "worker_app is None" in test:
                    inner, other = where & {MAIN}, (where & {WORKER} if test.endswith("worker_app is None") else where)
                elif "worker_app is not None" in test:
                    inner, other = where & {WORKER}, where & {MAIN}
                needs = media or "can_load_media_repo" in test
                self.walk(module, node.body, inner, needs, seen)
                self.walk(module, node.orelse, other, media, seen)
                if "worker_app" in test and isinstance(node.body[-1], ast.Return):
                    where = other
                continue
            for call in [part for part in ast.walk(node) if isinstance(part, ast.Call)]:
                self.call(module, call, where, media, seen)

    def call(self, module, call, where, media, seen):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "register" and isinstance(call.func.value, ast.Call):
            found, home = self.package.reach(module, call.func.value.func)
            if isinstance(found, ast.ClassDef):
                try:
                    self.servlet(home, found, where, media)
                except Unknown as unknown:
                    self.unread.add(f"{home.name}.{found.name}: {unknown}")
        elif "register" in ast.unparse(call.func):
            found, home = self.package.reach(module, call.func)
            if isinstance(found, ast.FunctionDef) and found not in seen:
                self.walk(home, found.body, where, media, [*seen, found])

    def functions(self, module, name, where, media=False):
        found, home = self.package.find(module, name)
        if isinstance(found, ast.FunctionDef):
            self.walk(home, found.body, where, media, [found])

    def client(self):
        """rest/__init__.py: functions in tuples, of which some are for the main process alone."""
        module = self.package.module("synapse.rest")
        everything = [node for node in ast.walk(module.tree) if isinstance(node, ast.Attribute) and node.attr.startswith("register") and isinstance(node.value, ast.Name)]
        main_only = set()
        for node in ast.walk(module.tree):
            if isinstance(node, ast.If) and "is_main_process" in ast.unparse(node.test) and " in " in ast.unparse(node.test):
                main_only |= {ast.unparse(part) for part in ast.walk(node.test) if isinstance(part, ast.Attribute)}
        for name in sorted({ast.unparse(node) for node in everything}):
            node = ast.parse(name, mode="eval").body
            found, home = self.package.reach(module, node)
            if isinstance(found, ast.FunctionDef):
                self.walk(home, found.body, {MAIN} if name in main_only else {MAIN, WORKER}, name.startswith("media."), [found])

    def federation(self):
        module = self.package.module("synapse.federation.transport.server")
        for group in ("SERVLET_GROUPS", "FEDERATION_SERVLET_CLASSES"):
            held, home = self.package.find(module, group)
            for node in ast.walk(held):
                if isinstance(node, ast.Name):
                    found, where = self.package.find(home, node.id)
                    if isinstance(found, ast.ClassDef):
                        self.servlet(where, found, {MAIN, WORKER}, "Media" in found.name)

    def resources(self):
        """Resources that stand in a dictionary under their path."""
        for name, where in (("synapse.rest.synapse.client", {MAIN, WORKER}), ("synapse.app.homeserver", {MAIN}), ("synapse.app.generic_worker", {WORKER}), ("synapse.rest.synapse.mas", {MAIN, WORKER})):
            module = self.package.module(name)
            for node in ast.walk(module.tree) if module else ():
                pairs = list(zip(node.keys, node.values)) if isinstance(node, ast.Dict) else []
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and "resources" in ast.unparse(node.targets[0].value):
                    pairs = [(node.targets[0].slice, node.value)]
                for key, value in pairs:
                    self.resource(module, key, value, where)
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "putChild" and len(node.args) == 2 and name.endswith("mas"):
                    self.resource(module, node.args[0], node.args[1], where, "/_synapse/mas/")

    def resource(self, module, key, value, where, above=""):
        try:
            path = self.package.worth(module, key)
        except Unknown:
            return
        path = path.decode() if isinstance(path, bytes) else path
        found, home = self.package.reach(module, value.func) if isinstance(value, ast.Call) else (None, None)
        if not isinstance(path, str) or not (above + path).startswith("/") or not isinstance(found, ast.ClassDef):
            return
        methods = set()
        for held, _ in self.line(home, found):
            for node in held.body:
                name = re.fullmatch(r"(?:_async_render|render)_([A-Z]+)", getattr(node, "name", ""))
                # A resource that only answers what every resource does is a branch of the tree.
                if name and held.name.endswith("Resource") and not held.name.startswith(("_Async", "Direct", "Json", "Options")):
                    methods.add(name.group(1))
        for method in methods - {"OPTIONS"}:
            self.note(f"^{above}{path}$", method, where, False)

    def run(self):
        self.client()
        self.federation()
        worker = self.package.module("synapse.app.generic_worker")
        admin = "admin.register_servlets(" in ast.unparse(worker.tree)
        self.functions(self.package.module("synapse.rest.admin"), "register_servlets", {MAIN, WORKER} if admin else {MAIN})
        self.functions(self.package.module("synapse.rest.admin"), "register_servlets_for_media_repo", {MAIN, WORKER}, True)
        for name, holder, media in (("synapse.rest.key.v2", "KeyResource", False), ("synapse.rest.media.media_repository_resource", "MediaRepositoryResource", True)):
            module = self.package.module(name)
            for node in module.tops[holder].body:
                if isinstance(node, ast.FunctionDef):
                    self.walk(module, node.body, {MAIN, WORKER}, media, [node])
        self.resources()
        assert not self.unread, f"servlets whose paths cannot be read: {sorted(self.unread)}"


def table(package):
    """Each path with its methods, those of them that workers answer, and `media` where that takes the media repository."""
    routes = Routes(package)
    routes.run()
    rows = {}
    for path, entry in routes.found.items():
        words = [",".join(sorted(entry["methods"])), ",".join(sorted(entry["workers"])) or "-"]
        rows[path] = " ".join(words + (["media"] if entry["media"] == {True} else []))
    return rows
