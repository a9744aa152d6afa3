"""The modules of an unpacked `synapse` package, parsed and not run: what a name stands for, and what a plain expression is worth."""

import ast
import pathlib


class Unknown(Exception):
    """An expression whose value only running it would tell."""


class Module:
    def __init__(self, root, name):
        self.name, self.tops, self.imports = name, {}, {}
        path = pathlib.Path(root).joinpath(*name.split(".")[1:])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        self.tree = ast.parse(file.read_text())
        parts = name.split(".") if path.is_dir() else name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                above = parts[: len(parts) - node.level + 1] if node.level else []
                module = ".".join(above + ([node.module] if node.module else []))
                if module.startswith("synapse"):
                    for alias in node.names:
                        self.imports[alias.asname or alias.name] = (module, alias.name)
        for node in self.tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.tops[node.name] = node
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.tops[target.id] = node.value
            elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
                self.tops[node.target.id] = node.value


class Package:
    def __init__(self, root):
        self.root, self.modules = pathlib.Path(root), {}

    def module(self, name):
        if name not in self.modules:
            try:
                self.modules[name] = Module(self.root, name)
            except OSError:
                self.modules[name] = None
        return self.modules[name]

    def names(self, below=""):
        """The names of all modules below a directory, in order."""
        found = sorted(path.relative_to(self.root).with_suffix("") for path in (self.root / below).rglob("*.py"))
        return [".".join(("synapse", *(part for part in path.parts if part != "__init__"))) for path in found]

    def find(self, module, name):
        """What a global name stands for: its syntax with its module, or a module of the package alone."""
        for _ in range(5):
            if module is None:
                return None, None
            if name in module.tops:
                return module.tops[name], module
            if name not in module.imports:
                return None, None
            where, name = module.imports[name]
            inner = self.module(f"{where}.{name}")
            if inner is not None:
                return None, inner
            module = self.module(where)
        return None, None

    def reach(self, module, node):
        """What `Name` or `module.Name` stands for."""
        if isinstance(node, ast.Name):
            return self.find(module, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found, where = self.find(module, node.value.id)
            if found is None and where is not None:
                return self.find(where, node.attr)
        return None, None

    def worth(self, module, node, names=None):
        """What an expression of constants is worth: a number, a text, a list, a dictionary."""
        names = names or {}
        again = lambda inner: self.worth(module, inner, names)  # noqa: E731
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if node.id in names:
                return names[node.id]
            found, where = self.find(module, node.id)
            if found is None or isinstance(found, (ast.FunctionDef, ast.ClassDef)):
                raise Unknown(node.id)
            return self.worth(where, found)
        if isinstance(node, ast.Attribute):
            found, where = self.reach(module, node)
            if found is not None and not isinstance(found, (ast.FunctionDef, ast.ClassDef)):
                return self.worth(where, found)
            holder, where = self.reach(module, node.value)
            if isinstance(holder, ast.ClassDef):
                for member in holder.body:
                    if isinstance(member, (ast.Assign, ast.AnnAssign)) and member.value is not None:
                        targets = member.targets if isinstance(member, ast.Assign) else [member.target]
                        if any(getattr(target, "id", "") == node.attr for target in targets):
                            return self.worth(where, member.value)
            raise Unknown(ast.unparse(node) if node is not None else "nothing")
        if isinstance(node, ast.JoinedStr):
            return "".join(str(again(part.value if isinstance(part, ast.FormattedValue) else part)) for part in node.values)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            values = []
            for part in node.elts:
                values += again(part.value) if isinstance(part, ast.Starred) else [again(part)]
            return values
        if isinstance(node, ast.Dict):
            return {again(key): again(value) for key, value in zip(node.keys, node.values)}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -again(node.operand)
        if isinstance(node, ast.BinOp):
            left, right = again(node.left), again(node.right)
            try:
                match node.op:
                    case ast.Add():
                        return left + right
                    case ast.Sub():
                        return left - right
                    case ast.Mult():
                        return left * right
                    case ast.Div():
                        return left / right
                    case ast.Pow():
                        return left**right
                    case ast.LShift():
                        return left << right
                    case ast.Mod():
                        return left % tuple(right) if isinstance(right, list) else left % right
            except TypeError as error:
                raise Unknown(ast.unparse(node)) from error
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("list", "tuple", "compile", "int", "float", "escape") and len(node.args) >= 1:
                return again(node.args[0])
        raise Unknown(ast.unparse(node) if node is not None else "nothing")
