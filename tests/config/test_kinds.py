"""Each kind of value takes what it says it allows, and says no to the rest."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from otel_ext.config.kinds import (
    Kind,
    auto_flag,
    decimal,
    directory,
    duration,
    flag,
    host,
    labels,
    rule_paths,
    size,
    text,
    urls,
    whole,
)
from otel_ext.config.nodes import Rejected, Style, wrap


def parse(kind: Kind, value: object, style: Style = Style.ARGUMENT, base: Path = Path("/nowhere")) -> object:
    dropped: list[Rejected] = []
    found = kind.parse(wrap(value, where="test", base=base, style=style), dropped.append)
    assert not dropped, [rejected.reason for rejected in dropped]
    return found


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (flag(), True, True),
        (flag(), "off", False),
        (flag(), "TRUE", True),
        (flag(), "0", False),
        (auto_flag(), "auto", "auto"),
        (auto_flag(), "Auto", "auto"),
        (auto_flag(), False, False),
        (auto_flag(), "1", True),
        (whole(0, 65535), 0, 0),
        (whole(0, 65535), "65535", 65535),
        (decimal(0.001, 1000), 1, 1.0),
        (decimal(0.001, 1000), "0.5", 0.5),
        (duration("100ms", "60s"), "500ms", 500),
        (duration("100ms", "60s"), 0.1, 100),
        (duration("100ms", "60s"), 60, 60_000),
        (duration("100ms", "60s"), "5", 5000),
        (duration("1m", "30d"), "1h30m", 5_400_000),
        (size("1MiB", "64GiB"), "64MiB", 67_108_864),
        (size("1MiB", "64GiB"), 1_048_576, 1_048_576),
        (text(longest=5), "abcde", "abcde"),
        (host(), "127.0.0.1", "127.0.0.1"),
        (host(), "::1", "::1"),
        (host(), "service.local", "service.local"),
        (urls(), "http://a:9093", ("http://a:9093",)),
        (urls(), ["http://a", "https://[::1]:9093/prefix"], ("http://a", "https://[::1]:9093/prefix")),
        (urls(), [], ()),
        (labels(), {"team": "shop", "tier": 1}, {"team": "shop", "tier": "1"}),
        (labels(), {}, {}),
        (directory(), "state", Path("/nowhere/state")),
        (directory(), Path("/x/../y"), Path("/y")),
    ],
)
def test_allowed_values_become_the_engines_values(kind: Kind, value: object, expected: object) -> None:
    assert parse(kind, value) == expected
    assert type(parse(kind, value)) is not bool or isinstance(expected, bool)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (flag(), 1),
        (flag(), "maybe"),
        (flag(), []),
        (auto_flag(), "always"),
        (auto_flag(), 2),
        (whole(0, 65535), -1),
        (whole(0, 65535), 65536),
        (whole(0, 65535), True),
        (whole(0, 65535), 1.0),
        (whole(0, 65535), "1.0"),
        (whole(0, 65535), "9" * 5000),
        (decimal(0.001, 1000), math.nan),
        (decimal(0.001, 1000), math.inf),
        (decimal(0.001, 1000), False),
        (decimal(0.001, 1000), "many"),
        (duration("100ms", "60s"), "99ms"),
        (duration("100ms", "60s"), "61s"),
        (duration("100ms", "60s"), math.nan),
        (duration("100ms", "60s"), -1),
        (duration("100ms", "60s"), "soon"),
        (duration("100ms", "60s"), True),
        (duration("100ms", "60s"), 10**400),
        (size("1MiB", "64GiB"), "64M"),
        (size("1MiB", "64GiB"), 1),
        (text(longest=5), "abcdef"),
        (text(longest=5), ""),
        (text(longest=5), 5),
        (text(longest=50), "two\nlines"),
        (host(), "http://x"),
        (host(), "x:80"),
        (host(), ":::"),
        (host(), ""),
        (urls(), "a:9093"),
        (urls(), "ftp://a"),
        (urls(), "http://"),
        (urls(), "http://a:99999"),
        (urls(), "http://[a"),
        (urls(), "http://a b"),
        (urls(), {"a": "http://a"}),
        (urls(), 5),
        (labels(), {"1a": "x"}),
        (labels(), {"a": 1.5}),
        (labels(), {"a": ""}),
        (labels(), "a=b"),
        (directory(), __file__),
        (directory(), "\0"),
        (directory(), 5),
        (rule_paths(), ["nope.yml"]),
        (rule_paths(), ["nope/*.yml"]),
        (rule_paths(), ["x" * 5000]),
        (rule_paths(), [""]),
    ],
)
def test_other_values_are_rejected(kind: Kind, value: object) -> None:
    with pytest.raises(Rejected):
        parse(kind, value)


def test_lists_and_labels_can_be_written_in_a_variable() -> None:
    assert parse(urls(), "http://a, http://b,", Style.VARIABLE) == ("http://a", "http://b")
    assert parse(labels(), "team=shop, tier=1", Style.VARIABLE) == {"team": "shop", "tier": "1"}
    with pytest.raises(Rejected, match="name=value"):
        parse(labels(), "team", Style.VARIABLE)


def test_a_bad_item_of_a_list_is_reported_and_the_rest_is_used() -> None:
    dropped: list[Rejected] = []
    node = wrap(["http://a", "b", "http://c", 4], where="test", base=Path(), style=Style.ARGUMENT)
    assert urls().parse(node, dropped.append) == ("http://a", "http://c")
    assert [rejected.path for rejected in dropped] == ["[1]", "[3]"]


def test_a_bad_label_is_reported_and_the_rest_is_used() -> None:
    dropped: list[Rejected] = []
    node = wrap({"team": "shop", "1": "x"}, where="test", base=Path(), style=Style.ARGUMENT)
    assert labels().parse(node, dropped.append) == {"team": "shop"}
    assert [rejected.path for rejected in dropped] == [".1"]


def test_rule_files_are_found_relative_to_their_base(tmp_path: Path) -> None:
    base = tmp_path / "with [brackets]"
    (base / "rules").mkdir(parents=True)
    for name in ("b.yml", "a.yml", "c.txt"):
        (base / "rules" / name).write_text("")
    (base / "rules" / "d.yml").mkdir()
    both = (base / "rules" / "a.yml", base / "rules" / "b.yml")
    assert parse(rule_paths(), "rules/*.yml", base=base) == both
    assert parse(rule_paths(), ["rules/b.yml", "rules/*.yml"], base=base) == (both[1], both[0])
    assert parse(rule_paths(), base / "rules" / "a.yml") == (both[0],)
    variable = f"rules/a.yml{os.pathsep}rules/b.yml,rules/c.txt"
    assert parse(rule_paths(), variable, Style.VARIABLE, base) == (*both, base / "rules" / "c.txt")
