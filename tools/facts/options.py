"""What Synapse reads of its configuration, found in its source without running it.

Takes the directory of an unpacked `synapse` package and gives every option that some `read_config` can ask for, with the types that the code
betrays. Run by itself it prints JSON with the hints that the types come from.
It follows the configuration's dictionary from call to call: `.get`, subscripts, loops, functions and classes of the package,
JSON Schemas, and models that a dictionary is unpacked into. Elements of a list are the step `[]`, and any name of a mapping the step `*`.
"""

import ast
import copy
import json
import pathlib
import sys

LIMIT = 12  # calls within calls
PLAIN = {"bool": "bool", "int": "int", "float": "number", "str": "text", "list": "list", "dict": "map", "StrictBool": "bool", "StrictStr": "text",
         "StrictInt": "int", "ConfigByteSize": "size", "JsonDict": "map", "None": "null"}


class Modern(ast.NodeTransformer):
    """`Optional[List[str]]`, as older releases write it, is `list[str] | None`."""

    def visit_Subscript(self, node):
        self.generic_visit(node)
        name = getattr(node.value, "id", "")
        if name == "Optional":
            return ast.BinOp(node.slice, ast.BitOr(), ast.Constant(None))
        if name == "Union" and isinstance(node.slice, ast.Tuple):
            parts = node.slice.elts
            for part in parts[1:]:
                parts = [ast.BinOp(parts[0], ast.BitOr(), part)]
            return parts[0]
        return node

    def visit_Name(self, node):
        older = {"List": "list", "Dict": "dict", "Set": "set", "Tuple": "tuple"}
        return ast.Name(older.get(node.id, node.id), node.ctx)


def written(annotation):
    """An annotation as the newest release would write it."""
    return ast.unparse(Modern().visit(copy.deepcopy(annotation)))


class Value:
    """What is known about a value: the options it may be, the texts it may be, and the syntax of a constant."""

    def __init__(self, paths=(), texts=(), node=None, module=None):
        self.paths, self.texts, self.node, self.module = frozenset(paths), frozenset(texts), node, module

    def join(self, other):
        return Value(self.paths | other.paths, self.texts | other.texts, self.node or other.node, self.module or other.module)


NOTHING = Value()


class Source:
    """A module of the package, parsed."""

    def __init__(self, root, name):
        self.name, self.tops, self.imports = name, {}, {}
        path = root.joinpath(*name.split(".")[1:])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        self.tree = ast.parse(file.read_text())
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("synapse"):
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = (node.module, alias.name)
        for node in self.tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.tops[node.name] = node
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.tops[target.id] = node.value
            elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
                self.tops[node.target.id] = node.value


class Reader:
    def __init__(self, root):
        self.root, self.sources, self.seen, self.deep = pathlib.Path(root), {}, {}, []

    def source(self, name):
        if name not in self.sources:
            try:
                self.sources[name] = Source(self.root, name)
            except (OSError, SyntaxError):
                self.sources[name] = None
        return self.sources[name]

    def find(self, source, name):
        """The syntax that a global name stands for, and its module."""
        for _ in range(5):
            if source is None:
                return None, None
            if name in source.tops:
                return source.tops[name], source
            if name not in source.imports:
                return None, None
            module, name = source.imports[name]
            source = self.source(module)
        return None, None

    def note(self, path, *facts):
        # A name in capitals or with a space is no option; `or {}` and the like bring none.
        facts = {fact for fact in facts if fact}
        self.seen.setdefault(path, set()).update(facts)

    # Expressions

    def get(self, holder, key, default, source, node):
        """`holder.get(key, default)`; both are values."""
        paths = set()
        for path in holder.paths:
            for text in key.texts or {"*"}:
                here = path + (text,)
                paths.add(here)
                self.note(here, *self.guess(default, source))
        return Value(paths)

    def guess(self, default, source):
        """What a default says about the type."""
        if default is None:
            return ["required"]
        if isinstance(default, ast.Name):
            found, _ = self.find(source, default.id)
            default = found if found is not None else default
        if isinstance(default, ast.Constant):
            if default.value is None:
                return ["null"]
            kind = PLAIN.get(type(default.value).__name__)
            return ["default " + kind] if kind else []
        if isinstance(default, (ast.Dict, ast.List, ast.Tuple)):
            return ["default map" if isinstance(default, ast.Dict) else "default list"]
        return ["optional"]

    def value(self, node, scope):
        if node is None:
            return NOTHING
        method = getattr(self, "on_" + type(node).__name__, None)
        if method:
            return method(node, scope)
        for child in ast.iter_child_nodes(node):
            self.visit(child, scope)
        return NOTHING

    def visit(self, node, scope):
        if isinstance(node, ast.expr):
            return self.value(node, scope)
        if isinstance(node, ast.stmt):
            return self.statement(node, scope)
        for child in ast.iter_child_nodes(node):
            self.visit(child, scope)
        return NOTHING

    def on_Name(self, node, scope):
        if node.id in scope["names"]:
            return scope["names"][node.id]
        found, source = self.find(scope["source"], node.id)
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            return Value(texts=[found.value], node=found, module=source)
        return Value(node=found, module=source) if found is not None else NOTHING

    def on_Constant(self, node, scope):
        return Value(texts=[node.value] if isinstance(node.value, str) else (), node=node, module=scope["source"])

    def on_Dict(self, node, scope):
        held = NOTHING
        for key, member in zip(node.keys, node.values):
            if key is not None:
                self.value(key, scope)
            held = held.join(self.value(member, scope)) if key is None else held
            if key is not None:
                self.value(member, scope)
        return Value(held.paths, (), node, scope["source"])

    def on_List(self, node, scope):
        texts = set()
        for element in node.elts:
            texts |= self.value(element, scope).texts
        return Value((), texts, node, scope["source"])

    on_Tuple = on_List

    def on_BoolOp(self, node, scope):
        result = NOTHING
        for at, part in enumerate(node.values):
            found = self.value(part, scope)
            if isinstance(node.op, ast.Or) and at == 0 and found.paths:
                for path in found.paths:
                    self.note(path, "null", "guarded", *(["map"] if isinstance(node.values[-1], ast.Dict) else ["list"] if isinstance(node.values[-1], ast.List) else []))
            result = result.join(found)
        return result

    def on_IfExp(self, node, scope):
        self.value(node.test, scope)
        return self.value(node.body, scope).join(self.value(node.orelse, scope))

    def on_Subscript(self, node, scope):
        holder, key = self.value(node.value, scope), self.value(node.slice, scope)
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int) or isinstance(node.slice, ast.Slice):
            return Value({path + ("[]",) for path in holder.paths})
        if isinstance(node.ctx, ast.Load):
            return self.get(holder, key, None, scope["source"], node)
        return self.get(holder, key, ast.Name("optional"), scope["source"], node) if key.texts else NOTHING

    def on_Compare(self, node, scope):
        left = self.value(node.left, scope)
        asked = isinstance(node.left, ast.Call) and getattr(node.left.func, "id", "") == "type"
        for path in self.value(node.left.args[0], scope).paths if asked else ():
            kinds = [part.id for right in node.comparators for part in ast.walk(right) if isinstance(part, ast.Name)]
            self.note(path, *("is " + PLAIN.get(kind, kind) for kind in kinds))
        for operator, right in zip(node.ops, node.comparators):
            if isinstance(operator, ast.NotIn) and isinstance(right, (ast.List, ast.Tuple, ast.Set)) and all(isinstance(part, ast.Constant) for part in right.elts):
                for path in left.paths:
                    self.note(path, "one of " + ast.unparse(right))
            found = self.value(right, scope)
            if isinstance(operator, (ast.In, ast.NotIn)) and left.texts and found.paths:
                self.get(found, left, ast.Name("optional"), scope["source"], node)
            if isinstance(operator, (ast.Is, ast.IsNot)) and isinstance(right, ast.Constant) and right.value is None:
                for path in left.paths:
                    self.note(path, "null")
        return NOTHING

    def on_NamedExpr(self, node, scope):
        found = self.value(node.value, scope)
        scope["names"][node.target.id] = found
        return found

    def comprehension(self, node, scope):
        scope = dict(scope, names=dict(scope["names"]))
        for part in node.generators:
            self.bind(part.target, self.elements(part.iter, scope), scope)
            for test in part.ifs:
                self.value(test, scope)
        if isinstance(node, ast.DictComp):
            self.value(node.key, scope)
            member = self.value(node.value, scope)
            # `{f(key): member for key, member in holder.items()}` is the holder under other names.
            return Value({path[:-1] for path in member.paths if path[-1] == "*"})
        self.value(node.elt, scope)
        return NOTHING

    on_ListComp = on_SetComp = on_GeneratorExp = on_DictComp = comprehension

    def elements(self, node, scope):
        """What a loop over an expression gives: a value, or a pair of them."""
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "items" and isinstance(node.func, ast.Attribute):
                holder = self.value(node.func.value, scope)
                for path in holder.paths:
                    self.note(path, "map")
                return [NOTHING, Value({path + ("*",) for path in holder.paths})]
            if name == "values" and isinstance(node.func, ast.Attribute):
                return Value({path + ("*",) for path in self.value(node.func.value, scope).paths})
            if name == "enumerate":
                return [NOTHING, self.elements(node.args[0], scope)]
            if name in ("sorted", "list", "set", "iter"):
                return self.elements(node.args[0], scope)
        found = self.value(node, scope)
        return Value({path + ("[]",) for path in found.paths}, found.texts)

    def bind(self, target, value, scope):
        if isinstance(target, ast.Name):
            scope["names"][target.id] = value if isinstance(value, Value) else NOTHING
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            if isinstance(value, Value) and value.paths:
                scope["names"]["self." + target.attr] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = value if isinstance(value, list) else [NOTHING] * len(target.elts)
            for part, found in zip(target.elts, parts):
                self.bind(part, found, scope)
        else:
            self.value(target, scope)

    def on_Attribute(self, node, scope):
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return scope["names"].get("self." + node.attr, NOTHING)
        self.value(node.value, scope)
        return NOTHING

    # Calls

    def on_Call(self, node, scope):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if isinstance(function, ast.Attribute):
            holder = self.value(function.value, scope)
            if holder.paths and name in ("get", "pop", "setdefault") and node.args:
                default = node.args[1] if len(node.args) > 1 else ast.Constant(None)
                if len(node.args) > 1:
                    self.value(node.args[1], scope)
                return self.get(holder, self.value(node.args[0], scope), default, scope["source"], node)
            if name == "split" and holder.texts:
                return Value(texts={"\0".join(text.split(".")) for text in holder.texts}, node=node)
            if holder.paths and name in ("items", "values", "keys", "copy"):
                return holder
        arguments = [self.value(argument.value if isinstance(argument, ast.Starred) else argument, scope) for argument in node.args]
        named = {keyword.arg: self.value(keyword.value, scope) for keyword in node.keywords if keyword.arg}
        unpacked = [self.value(keyword.value, scope) for keyword in node.keywords if keyword.arg is None]
        first = arguments[0] if arguments else NOTHING
        if name in ("parse_size", "parse_duration"):
            for path in first.paths:
                self.note(path, name[6:])
            return NOTHING
        if name in ("bool", "int", "float", "str"):
            for path in first.paths:
                self.note(path, name + "()")
            return NOTHING
        if name == "isinstance":
            kinds = [part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)]
            for path in first.paths:
                self.note(path, *("is " + PLAIN.get(kind, kind) for kind in kinds))
            return NOTHING
        if name in ("list", "set", "tuple", "cast", "deepcopy", "dict"):
            return arguments[-1] if arguments else NOTHING
        if name == "len":
            return NOTHING
        if name in ("validate_config", "validate") and len(arguments) >= 2:
            schema, data = (arguments[0], arguments[1]) if name == "validate_config" else (arguments[1], arguments[0])
            for path in data.paths:
                self.schema(schema, path, scope)
            return NOTHING
        if name == "load_module":
            for path in first.paths:
                self.note(path + ("module",), "required", "is text")
                self.note(path + ("config",), "any")
            return NOTHING
        if any(value.paths for value in named.values()):
            self.declared(scope["class"] if name == "cls" else self.named(function, scope)[0], named)
        for value in unpacked + ([first] if name == "model_validate" else []):
            target = function.value if name == "model_validate" else function
            model, source = self.named(target, scope)
            for path in value.paths:
                self.fields(model, source, path)
        if name == "parse_and_validate_mapping" and len(node.args) > 1:
            model, source = self.named(node.args[1], scope)
            for path in first.paths:
                self.note(path, "map")
                self.fields(model, source, path + ("*",), within=node.args[1], scope=scope)
            return NOTHING
        if any(value.paths for value in arguments) or any(value.paths for value in named.values()):
            return self.enter(node, arguments, named, scope)
        return NOTHING

    def declared(self, model, named):
        """What the fields of a class say about options that it is made of."""
        for field in model.body if isinstance(model, ast.ClassDef) else ():
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id in named:
                for path in named[field.target.id].paths:
                    self.note(path, "declared " + written(field.annotation))

    def named(self, node, scope):
        if isinstance(node, ast.Name):
            return self.find(scope["source"], node.id)
        return None, None

    def enter(self, node, arguments, named, scope):
        """Follows a call into a function of the package."""
        function, of = node.func, scope["class"]
        if isinstance(function, ast.Attribute):
            if isinstance(function.value, ast.Name) and function.value.id in ("self", "cls"):
                target, source = self.method(of, scope["source"], function.attr)
            elif isinstance(function.value, ast.Name):
                found, source = self.find(scope["source"], function.value.id)
                target, source = self.method(found, source, function.attr) if isinstance(found, ast.ClassDef) else (None, None)
                of = found
            else:
                return NOTHING
        else:
            target, source = self.named(function, scope)
        if isinstance(target, ast.ClassDef):
            of = target
            target, source = self.method(of, source, "__init__")
        if not isinstance(target, ast.FunctionDef) or len(self.deep) > LIMIT or target in self.deep:
            return NOTHING
        names = [argument.arg for argument in target.args.posonlyargs + target.args.args]
        static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in target.decorator_list)
        if names and names[0] in ("self", "cls") and not static:
            names = names[1:]
        bound = dict(zip(names, arguments)) | named
        self.deep.append(target)
        try:
            return self.function(target, source, of, bound)
        finally:
            self.deep.pop()

    def method(self, of, source, name):
        while isinstance(of, ast.ClassDef):
            for node in of.body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return node, source
            base = next((base for base in of.bases if isinstance(base, ast.Name)), None)
            of, source = self.find(source, base.id) if base else (None, None)
        return None, None

    # Models and schemas

    def fields(self, model, source, path, within=None, scope=None):
        if model is None and within is not None:
            return
        if not isinstance(model, ast.ClassDef):
            # An alias such as `A | B`.
            for part in ast.walk(model) if model is not None else ():
                if isinstance(part, ast.Name) and part.id not in PLAIN:
                    found, where = self.find(source, part.id)
                    if isinstance(found, ast.ClassDef):
                        self.fields(found, where, path)
            return
        for base in model.bases:
            found, where = self.find(source, getattr(base, "id", ""))
            if isinstance(found, ast.ClassDef):
                self.fields(found, where, path)
        for node in model.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
                said = written(node.annotation)
                if "ClassVar" in said:
                    continue
                facts = {"model " + said}
                facts.add("optional" if node.value is not None else "required")
                here = path + (node.target.id,)
                self.note(here, *facts)
                for part in ast.walk(node.annotation):
                    if isinstance(part, ast.Name) and part.id not in PLAIN:
                        found, where = self.find(source, part.id)
                        if isinstance(found, ast.ClassDef) and found is not model and found.bases and len(here) < 8:
                            inner = here + ("[]",) if any(word in said for word in ("list[", "List[", "tuple[", "Sequence")) else here
                            if not any(getattr(base, "id", "") in ("str", "Enum") for base in found.bases):
                                self.fields(found, where, inner)

    def schema(self, schema, path, scope):
        node, source = schema.node, schema.module or scope["source"]
        if isinstance(node, ast.Name):
            node, source = self.find(source, node.id)
        if not isinstance(node, ast.Dict):
            return
        members = {}
        for key, member in zip(node.keys, node.values):
            if key is None:
                part = Value(node=member, module=source)
                self.schema(part, path, scope)
            elif isinstance(key, ast.Constant):
                members[key.value] = member
        kind = members.get("type")
        if kind is not None:
            self.note(path, *("schema " + part.value for part in ast.walk(kind) if isinstance(part, ast.Constant)))
        if "enum" in members:
            self.note(path, "one of " + ast.unparse(members["enum"]))
        required = ast.literal_eval(members["required"]) if isinstance(members.get("required"), ast.List) else []
        properties = members.get("properties")
        if isinstance(properties, ast.Dict):
            for key, member in zip(properties.keys, properties.values):
                if isinstance(key, ast.Constant):
                    here = path + (key.value,)
                    self.note(here, "required" if key.value in required else "optional")
                    self.schema(Value(node=member, module=source), here, scope)
        if isinstance(properties, ast.Name):
            found, where = self.find(source, properties.id)
            if isinstance(found, ast.Dict):
                for key, member in zip(found.keys, found.values):
                    self.note(path + (key.value,), "optional")
                    self.schema(Value(node=member, module=where), path + (key.value,), scope)
        if "items" in members:
            self.schema(Value(node=members["items"], module=source), path + ("[]",), scope)
        if isinstance(members.get("additionalProperties"), (ast.Dict, ast.Name)):
            self.schema(Value(node=members["additionalProperties"], module=source), path + ("*",), scope)
        for union in ("anyOf", "oneOf", "allOf"):
            if isinstance(members.get(union), ast.List):
                for branch in members[union].elts:
                    self.schema(Value(node=branch, module=source), path, scope)

    # Statements

    def function(self, target, source, of, bound):
        names = {}
        for argument in target.args.posonlyargs + target.args.args + target.args.kwonlyargs:
            names[argument.arg] = bound.get(argument.arg, NOTHING)
        scope = {"names": names, "source": source, "class": of, "returns": []}
        for node in target.body:
            self.statement(node, scope)
        result = NOTHING
        for value in scope["returns"]:
            result = result.join(value)
        return result

    def statement(self, node, scope):
        if isinstance(node, ast.Assign):
            found = self.value(node.value, scope)
            for target in node.targets:
                self.bind(target, found, scope)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                found = self.value(node.value, scope)
                for path in found.paths:
                    self.note(path, "declared " + written(node.annotation))
                self.bind(node.target, found, scope)
        elif isinstance(node, ast.AugAssign):
            self.value(node.value, scope)
        elif isinstance(node, ast.For):
            found = self.elements(node.iter, scope)
            self.bind(node.target, found, scope)
            before = dict(scope["names"])
            if self.splits(node, scope):
                return
            for child in node.body + node.orelse:
                self.statement(child, scope)
            for name, value in before.items():
                if name in scope["names"]:
                    scope["names"][name] = scope["names"][name].join(value)
        elif isinstance(node, ast.If):
            self.value(node.test, scope)
            before = dict(scope["names"])
            for child in node.body:
                self.statement(child, scope)
            after, scope["names"] = scope["names"], before
            for child in node.orelse:
                self.statement(child, scope)
            for name, value in after.items():
                scope["names"][name] = scope["names"].get(name, NOTHING).join(value)
        elif isinstance(node, ast.Return):
            scope["returns"].append(self.value(node.value, scope))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
            pass
        else:
            for child in ast.iter_child_nodes(node):
                self.visit(child, scope)

    def splits(self, node, scope):
        """`for part in key.split("."): x = x.get(part, {})` goes down one option after the other."""
        texts = self.value(node.iter, scope).texts if isinstance(node.iter, ast.Call) else ()
        if not any("\0" in text for text in texts) and not (isinstance(node.iter, ast.Call) and getattr(node.iter.func, "attr", "") == "split"):
            return False
        for child in node.body:
            if isinstance(child, ast.Assign) and isinstance(child.value, ast.Call) and getattr(child.value.func, "attr", "") == "get":
                holder = self.value(child.value.func.value, scope)
                result = set()
                for text in texts:
                    paths = holder.paths
                    for part in text.split("\0"):
                        paths = {path + (part,) for path in paths}
                        for path in paths:
                            self.note(path, "default map")
                    result |= paths
                self.bind(child.targets[0], Value(result), scope)
        return True

    def run(self):
        for file in sorted((self.root / "config").glob("*.py")):
            source = self.source("synapse.config." + file.stem)
            for node in source.tree.body:
                if isinstance(node, ast.ClassDef):
                    for method in node.body:
                        if isinstance(method, ast.FunctionDef) and method.name == "read_config":
                            self.function(method, source, node, {"config": Value([()])})


# What the code says in a way that the reader does not see, option by option; the measurement asks Synapse about each.
KNOWN = {
    "account_validity.renew_email_subject": "text",  # handlers/account_validity.py fills it in with %
    "account_validity.template_dir": "text",  # a directory
    "auto_accept_invites.worker_to_run_on": "text",  # compared with a worker's name
    "backup_media_store_path": "text",
    "cas_config.allow_numeric_ids": "bool",
    "cas_config.displayname_attribute": "text",
    "cas_config.idp_brand": "text",
    "cas_config.idp_icon": "text",
    "cas_config.numeric_ids_prefix": "text",  # .isalnum()
    "cas_config.server_url": "text",
    "database.*": "any",  # storage/engines reads further members
    "databases.*.*": "any",
    "default_power_level_content_override": "map",  # by preset
    "default_power_level_content_override.*": "any",
    "dont_notify_new_devices_for.[]": "text",
    "exclude_rooms_from_sync.[]": "text",
    "federation_client_minimum_tls_version": "any",  # a number or a text
    "federation_rc_concurrent": "number",
    "federation_rc_reject_limit": "number",
    "federation_rc_sleep_delay": "number",
    "federation_rc_sleep_limit": "number",
    "federation_rc_window_size": "number",
    "federation_sender_instances": "any",  # the reader takes a list's element for a member
    "jwt_config.algorithm": "text",
    "jwt_config.display_name_claim": "text",
    "jwt_config.issuer": "text",
    "jwt_config.secret": "text",
    "key_server_signing_keys_path": "text",
    "ldap_config.*": "any",  # handed to the module as it is
    "log_file": "text",
    "mau_appservice_trial_days.*": "number",  # compared with days
    "next_link_domain_whitelist.[]": "text",
    "oembed.disable_default_providers": "bool",
    "password_config.policy.*": "any",  # handlers/password_policy.py
    "presence.enabled": "any",  # true, false or "untracked"
    "pusher_instances": "any",  # as federation_sender_instances
    "recaptcha_private_key_path": "text",
    "recaptcha_public_key_path": "text",
    "sentry.dsn": "text",
    "sentry.environment": "text",
    "server_context": "text",
    "stats.enabled": "bool",
    "thumbnail_sizes.[].height": "int",
    "thumbnail_sizes.[].method": "text",
    "thumbnail_sizes.[].width": "int",
}
# Where a validator lets a text pass in the place of a list of one.
KNOWN |= {f"stream_writers.{stream}": "any" for stream in (
    "account_data", "device_lists", "events", "presence", "push_rules", "quarantined_media_changes", "receipts", "thread_subscriptions", "to_device", "typing")}
# Read with a default of None, and parsed without a look at it.
NEVER_NULL = {f"caches.cache_autotuning.{name}" for name in ("max_cache_memory_usage", "min_cache_ttl", "target_cache_memory_usage")}
WRITTEN = {"bool": "bool", "StrictBool": "bool", "int": "int", "StrictInt": "int", "float": "number", "str": "text", "StrictStr": "text", "None": "null",
           "AnyHttpUrl": "text", "AnyUrl": "text", "FilePath": "text", "ConfigByteSize": "size", "dict": "map", "JsonDict": "map", "list": "list",
           "tuple": "list", "set": "list", "Literal": "any"}
SCHEMA = {"string": "text", "boolean": "bool", "integer": "int", "number": "number", "array": "list", "object": "map", "null": "null"}


def annotated(text):
    """The types that an annotation means; none where it is not plain."""
    for mark, kind in (("parse_size", "size"), ("parse_duration", "duration"), ("ConfigByteSize", "size")):
        if mark in text:
            return {kind}
    kinds = set()
    parts = [ast.parse(text, mode="eval").body]
    while parts:
        part = parts.pop()
        if isinstance(part, ast.BinOp):
            parts += [part.left, part.right]
            continue
        if isinstance(part, ast.Subscript) and getattr(part.value, "id", "") == "Annotated":
            parts.append(part.slice.elts[0])
            continue
        part = part.value if isinstance(part, ast.Subscript) else part
        name = "None" if isinstance(part, ast.Constant) and part.value is None else getattr(part, "id", "")
        if name not in WRITTEN:
            return set()
        kinds.add(WRITTEN[name])
    return kinds


def types(facts, members):
    """The types that an option may have, from the hints; nothing when they betray none."""
    def after(word):
        return [fact[len(word):] for fact in facts if fact.startswith(word)]

    null = {"null"} & facts
    choices = [ast.literal_eval(text) for text in after("one of ")]
    if choices:
        null |= {"null"} if "schema null" in facts else set()
        return {"=" + json.dumps(choice) for choice in choices[0]} | null
    declared = [kinds for text in after("model ") + after("declared ") for kinds in [annotated(text)] if kinds]
    said = set().union(*declared) | {SCHEMA[text] for text in after("schema ")}
    kinds = said - {"null"}
    null |= said & {"null"}
    # A schema sees the option before anything asks whether there is one, but for `options.get(name) or {}`.
    if after("schema ") and not facts & {"schema null", "guarded"}:
        null = set()
    for scale in ("duration", "size"):
        if scale in facts:
            return {scale} | null
    if not kinds:
        kinds = {kind for kind in after("is ") if kind in PLAIN.values()}
        default = {kind for kind in after("default ") if kind in PLAIN.values()}
        # `isinstance(x, bool) or not isinstance(x, int)` says no to bool, which Python takes for an int.
        if "int" in kinds and "bool" in kinds:
            kinds.discard("bool")
        elif default == {"int"} and not kinds:
            # A default alone does not say that a fraction would be wrong.
            default = {"number"}
        kinds |= default - ({"bool"} if "int" in kinds else set())
        kinds |= {"map", "list"} & facts
        kinds |= {"bool"} if "bool()" in facts and not kinds else set()
        kinds |= {"number"} if "int()" in facts and not kinds else set()
        if "str()" in facts and "text" in kinds:
            return set()
    if "int" in kinds and "default number" in facts:
        kinds.add("number")
    if "number" in kinds:
        kinds.discard("int")
    for member in members:
        kinds.add("list" if member == "[]" else "map")
    return kinds | null if kinds else set()


def table(seen, is_newest):
    """The options with their types, in order."""
    known = {tuple(path.split(".")): kind for path, kind in KNOWN.items()}
    left = [path for path in known if path not in seen and path[-1] not in ("*", "[]")]
    assert not (left and is_newest), f"no longer read: {left}"
    # What is known about one release is not said of others that do not read the option.
    known = {path: kind for path, kind in known.items() if path not in left and (path in seen or path[:-1] in seen or path[:-2] in seen)}
    paths, open_maps = set(), set()
    for path in seen.keys() | known.keys():
        # A key with a dot, or any key: the map takes others, too.
        if any("." in step for step in path):
            open_maps.add(path[:-1])
        # `x[i]` of a text is no member.
        elif path and not (path[-1] == "*" and path not in known and seen[path] <= {"required"} and not seen[path[:-1]] & {"map", "default map", "is map"}):
            paths.add(path)
    paths |= {path + ("*",) for path in open_maps}
    texts = {path + ("[]",) for path in paths if any(fact.endswith((" list[str]", " set[str]", " list[str] | None")) for fact in seen.get(path, ()))} - paths
    paths |= texts
    paths |= {path[:length] for path in paths for length in range(1, len(path))}
    rows = {}
    for path in paths:
        members = {other[-1] for other in paths if other[:-1] == path}
        facts = seen.get(path, {"any"})
        kinds = set() if "any" in facts else {"text"} if path in texts else types(facts, members)
        kinds -= {"null"} if ".".join(path) in NEVER_NULL else set()
        if path in known:
            assert not is_newest or not kinds or known[path] == "any" or kinds <= {"map", "null"}, f"{path} needs no help: {kinds}"
            kinds = set() if known[path] == "any" else {known[path]} | {"null"} & facts
        rows[path] = " ".join(sorted(kinds)) if kinds - {"null"} else "any"
    return {".".join(path): kinds for path, kinds in sorted(rows.items())}


def read(root, is_newest):
    """Every option with its types. Of the newest release, everything in [`KNOWN`] must be there and needed."""
    reader = Reader(root)
    reader.run()
    return table({path: facts for path, facts in reader.seen.items() if path}, is_newest)


if __name__ == "__main__":
    reader = Reader(sys.argv[1])
    reader.run()
    print(json.dumps({".".join(path): sorted(facts) for path, facts in sorted(reader.seen.items()) if path}, indent=1))
