"""The laws of the architecture, read off the source: layers, clocks, SDK imports, sockets, threads."""

from __future__ import annotations

import ast
from pathlib import Path

import otel_ext

PACKAGE = Path(__file__).parent.parent / "otel_ext"

LAYERS = (
    ("errors", "clock", "model", "stats", "guard", "sdk_private"),
    ("config", "storage"),
    ("connectors", "promql", "anomaly", "alerting"),
    ("slo", "rules", "health"),
    ("ingest", "notify", "export"),
    ("engines", "alert_state"),
    ("pipeline",),
    ("attach", "logging_bridge"),
    ("handle", "web", "banner"),
    ("install",),
    ("autoload", "instrument", "testing"),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_shop" not in path.parts)


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def modules_imported(path: Path, names: dict[str, Path]) -> set[str]:
    """The modules of the package that are imported when this one is, by their full names."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (members & names.keys()) or {node.module}
    return found & names.keys()


def parts_imported(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports_of(path) if name.startswith("otel_ext.") and name.count(".") >= 1}
    return {name for name in names if name in LEVEL}


def where(path: Path, line: int | None = None) -> str:
    return str(path.relative_to(PACKAGE)) + (f":{line}" if line else "")


def outside(*parts: str) -> list[Path]:
    return [path for path in MODULES if part_of(path) not in parts]


def test_every_part_stands_in_a_layer() -> None:
    assert not {part_of(path) for path in MODULES} - {"__init__"} - set(LEVEL)


def test_imports_only_go_down_the_layers() -> None:
    wrong = [
        f"{where(path)} imports {other}"
        for path in outside("__init__")
        for other in sorted(parts_imported(path))
        if other != part_of(path) and LEVEL[other] >= LEVEL[part_of(path)]
    ]
    assert not wrong


def test_modules_import_each_other_without_a_cycle() -> None:
    names = {"otel_ext." + ".".join(p.relative_to(PACKAGE).with_suffix("").parts): p for p in MODULES}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {name: modules_imported(path, names) - {name} for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def clock_reads(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS:
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if name in {"time", "datetime", "date"}:
                found.append(where(path, node.lineno))
    return found


CLOCK_CALLS = {"time", "time_ns", "now", "utcnow", "today"}


def test_engines_take_time_as_an_argument() -> None:
    inner = [path for path in outside("clock", "ingest", "export", "notify") if LEVEL.get(part_of(path), 99) <= 5]
    assert not [line for path in inner for line in clock_reads(path)]


def test_only_the_edges_import_the_sdk() -> None:
    inner = outside("ingest", "export", "attach", "testing", "cli")
    assert not [
        where(path) for path in inner if any(name.startswith("opentelemetry.sdk") for name in imports_of(path))
    ]


SOCKETS = {"socket", "http.client", "urllib.request", "requests", "httpx", "uvicorn", "smtplib", "asyncio"}


def test_only_the_edges_open_sockets() -> None:
    assert not [where(path) for path in outside("notify", "export", "web", "cli") if imports_of(path) & SOCKETS]


def test_threads_start_in_the_pipeline_only() -> None:
    inner = outside("pipeline", "cli")  # the command line is a program of its own
    assert not [where(p) for p in inner if "Thread(" in p.read_text() or "ThreadPoolExecutor" in p.read_text()]


def test_files_and_functions_stay_small() -> None:
    files = [where(path) for path in MODULES if path.read_text().count("\n") > 500]
    functions = [
        f"{where(path, node.lineno)} {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert not files + functions


def test_every_module_says_what_lives_in_it() -> None:
    assert not [where(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]


def test_the_facade_is_imports_and_a_sorted_all() -> None:
    assert otel_ext.__all__ == sorted(otel_ext.__all__)
    assert all(hasattr(otel_ext, name) for name in otel_ext.__all__)
