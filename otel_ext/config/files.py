"""The files settings are read from: which one, how it is read, and which part of it is ours.

Stateless; files are read once a call, in the caller's thread. yaml is imported only when a YAML file is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from otel_ext.config.nodes import Node, Rejected, Style
from otel_ext.config.schema import CONFIG_FILE, OTEL_CONFIG_VARIABLE

__all__ = ["ConfigFile", "discovered_file", "named_file", "otel_file"]

_MOST_BYTES = 1024 * 1024
_OTEL_BLOCKS = (
    ("distribution", "otel_ext"),
    ("otel_ext",),
    ("instrumentation/development", "python", "otel_ext"),
)
_PYPROJECT = "pyproject.toml"
_PYPROJECT_TABLE = ("tool", "otel_ext")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConfigFile:
    """One file.

    Args:
        readable: whether its text could be read; a file that is no valid YAML or TOML is readable.
        blocks: our parts of it, strongest first.
        rejected: what is wrong with the file itself, each with the name to report it under.
    """

    readable: bool
    blocks: tuple[Node, ...] = ()
    rejected: tuple[tuple[str, Rejected], ...] = ()


def named_file(node: Node, *, env: Mapping[str, str], cwd: Path) -> ConfigFile:
    """The file named by ``node`` (an argument or a variable), relative to ``cwd``: YAML, or TOML by its ending."""
    allowed = "the path of an existing file that ends in .yaml, .yml, .json or .toml"
    path = _path_of(node, cwd)
    if path is None or path.suffix.lower() not in {".yaml", ".yml", ".json", ".toml"}:
        rejected = Rejected(node, "is not the path of a YAML or TOML file", allowed=allowed)
        return ConfigFile(readable=False, rejected=((CONFIG_FILE, rejected),))
    text = _read(path)
    if isinstance(text, OSError):
        rejected = Rejected(node, _unreadable(text), allowed=allowed)
        return ConfigFile(readable=False, rejected=((CONFIG_FILE, rejected),))
    if path.suffix.lower() == ".toml":
        return _toml(text, path, _PYPROJECT_TABLE if path.name == _PYPROJECT else (), cwd)
    return _yaml(text, path, ((),), env, cwd)


def discovered_file(*, env: Mapping[str, str], cwd: Path) -> ConfigFile | None:
    """``otel-ext.yaml``, ``otel-ext.yml`` or ``[tool.otel_ext]`` of ``pyproject.toml`` of ``cwd``, the first found."""
    for name in ("otel-ext.yaml", "otel-ext.yml"):
        path = cwd / name
        if os.path.lexists(path):
            text = _read(path)
            return _unread(text, path, cwd) if isinstance(text, OSError) else _yaml(text, path, ((),), env, cwd)
    path = cwd / _PYPROJECT
    text = _read(path)
    # Another tool's pyproject.toml is none of our business, broken or not.
    if isinstance(text, OSError) or "otel_ext" not in text:
        return None
    return _toml(text, path, _PYPROJECT_TABLE, cwd)


def otel_file(node: Node, *, env: Mapping[str, str], cwd: Path) -> ConfigFile:
    """Our blocks in OpenTelemetry's declarative configuration file, which ``node`` names."""
    path = _path_of(node, cwd)
    text = _read(path) if path is not None else FileNotFoundError()
    if isinstance(text, OSError) or path is None:
        reason = _unreadable(text) if isinstance(text, OSError) else "is not a path"
        rejected = Rejected(node, reason, allowed="the path of an OpenTelemetry configuration file")
        return ConfigFile(readable=False, rejected=((OTEL_CONFIG_VARIABLE, rejected),))
    if "otel_ext" not in text:
        return ConfigFile(readable=True)
    return _yaml(text, path, _OTEL_BLOCKS, env, cwd)


def _yaml(text: str, path: Path, blocks: tuple[tuple[str, ...], ...], env: Mapping[str, str], cwd: Path) -> ConfigFile:
    from otel_ext.config.yaml_source import YamlDocument  # noqa: PLC0415  (yaml is imported for YAML files only)

    document = YamlDocument.parse(text, place=_place(path, cwd), base=path.parent, style=Style.YAML, env=env)
    if isinstance(document, Rejected):
        return ConfigFile(readable=True, rejected=((_label(path, cwd), document),))
    found = tuple(node for node in map(document.at, blocks) if node is not None)
    return ConfigFile(readable=True, blocks=found, rejected=tuple(("", rejected) for rejected in document.rejected))


def _toml(text: str, path: Path, table: tuple[str, ...], cwd: Path) -> ConfigFile:
    from otel_ext.config.toml_source import read_toml  # noqa: PLC0415  (for TOML files only)

    found = read_toml(text, table, place=_place(path, cwd), base=path.parent)
    if isinstance(found, Rejected):
        return ConfigFile(readable=True, rejected=((_label(path, cwd), found),))
    return ConfigFile(readable=True, blocks=(found,) if found is not None else ())


def _unread(error: OSError, path: Path, cwd: Path) -> ConfigFile:
    label = _label(path, cwd)
    node = Node(value=str(path), where=label, base=cwd, style=Style.YAML)
    rejected = Rejected(node, _unreadable(error), allowed="a readable file")
    return ConfigFile(readable=False, rejected=((label, rejected),))


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


def _read(path: Path) -> str | OSError:
    """The text, or why there is none; a file that is no UTF-8 or larger than 1 MiB counts as unreadable."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            return OSError("it is larger than 1 MiB")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return OSError(f"it is not UTF-8 text (byte {error.start})")
    except OSError as error:
        return error
    except ValueError:  # a NUL in the name
        return FileNotFoundError("no such file")


def _path_of(node: Node, cwd: Path) -> Path | None:
    if not isinstance(node.value, str | Path) or not str(node.value).strip():
        return None
    return cwd / os.path.expanduser(node.value)  # never raises, unlike Path.expanduser


def _place(path: Path, cwd: Path) -> Callable[[int], str]:
    label = _label(path, cwd)
    return lambda line: f"{label}:{line}"


def _label(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
