"""Templates of rules give what Prometheus prints; expectations were read off promtool and the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from otel_ext.errors import QueryError
from otel_ext.rules.template import Expander, TemplateError, check_template


@dataclass
class Element:
    labels: Mapping[str, str]
    value: float


def query(expr: str, ts_ms: int) -> Sequence[Element]:
    if expr == "broken(":
        raise QueryError("unexpected end of input")
    if expr == "time()":
        return [Element({}, ts_ms / 1000)]
    if expr == "nothing":
        return []
    return [Element({"i": "b", "__value__": "bb"}, 2.0), Element({"i": "a"}, 1.0)]


EXPANDER = Expander(query=query, external_labels={"region": "eu"}, external_url="http://prom:9090/graph")


def expand(text: str, value: object = 1234567.0) -> str:
    labels = {"job": "shop", "instance": "db.example.org:9100"}
    return EXPANDER.expand(text, labels=labels, value=value, ts_ms=60_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("{{ $value }}", "1.234567e+06"),
        ("{{ .Value }}", "1.234567e+06"),
        ("{{ $labels.job }} {{ .Labels.job }}", "shop shop"),
        ("[{{ $labels.missing }}]", "[]"),
        ("{{ $externalLabels.region }} {{ .ExternalLabels.region }}", "eu eu"),
        ("{{ $externalURL }} {{ externalURL }} {{ pathPrefix }}", 2 * "http://prom:9090/graph " + "/graph"),
        ("{{ $labels }}", "map[instance:db.example.org:9100 job:shop]"),
        ("a  {{- 1 -}}  b", "a1b"),
        ("a{{/* note */}}b{{- /* note */ -}} c", "abc"),
        ('{{ `raw "text"` }}', 'raw "text"'),
        ('{{ "tab\\tquote\\"\\u00e9" }}', 'tab\tquote"é'),
        ("{{ 'a' }} {{ 0x10 }} {{ 1e3 }} {{ -2 }} {{ 1_000 }}", "97 16 1000 -2 1000"),
        ("{{ true }} {{ print nil }}", "true <nil>"),
    ],
)
def test_variables_and_literals(text: str, expected: str) -> None:
    assert expand(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ if gt $value 5.0 }}big{{ else }}small{{ end }}", "big"),
        ("{{ if eq $labels.job `x` }}x{{ else if eq $labels.job `shop` }}s{{ else }}-{{ end }}", "s"),
        ("{{ if and $labels.job (not $labels.missing) }}yes{{ end }}", "yes"),
        ("{{ if or $labels.missing $labels.job }}yes{{ end }}", "yes"),
        ("{{ with query `up` }}{{ . | first | value }}{{ end }}", "2"),
        ("{{ with query `nothing` }}some{{ else }}none{{ end }}", "none"),
        ("{{ with $x := 5 }}{{ $x }}{{ . }}{{ end }}", "55"),
        ("{{ range query `up` }}{{ .Labels.i }}={{ .Value }} {{ end }}", "b=2 a=1 "),
        ("{{ range query `nothing` }}x{{ else }}none{{ end }}", "none"),
        ("{{ range $i, $s := query `up` }}{{ $i }}:{{ label `i` $s }} {{ end }}", "0:b 1:a "),
        ("{{ range $k, $v := $labels }}{{ $k }} {{ end }}", "instance job "),
        ("{{ range $s := sortByLabel `i` (query `up`) }}{{ $s.Labels.i }}{{ end }}", "ab"),
        ("{{ range query `up` }}{{ .Labels.i }}{{ break }}{{ end }}", "b"),
        ("{{ range query `up` }}{{ if eq .Labels.i `b` }}{{ continue }}{{ end }}{{ .Labels.i }}{{ end }}", "a"),
        ("{{ $x := 1 }}{{ range query `up` }}{{ $x = .Value }}{{ end }}{{ $x }}", "1"),
        ("{{ define `t` }}<{{ .arg0 }}-{{ .arg1 }}>{{ end }}{{ template `t` (args 1 `x`) }}", "<1-x>"),
        ("{{ block `b` $labels.job }}[{{ . }}]{{ end }}", "[shop]"),
        ("{{ define `t` }}{{ . }}{{ end }}{{ template `t` }}", "<no value>"),
        ("{{ (index (query `up`) 1).Labels.i }}", "a"),
        ("{{ (query `up` | first).Value }}", "2"),
        ("{{ query `time()` | first | value }}", "60"),
        ("{{ query `up` | first | strvalue }}", "bb"),
    ],
)
def test_control_structures_and_queries(text: str, expected: str) -> None:
    assert expand(text) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{{ humanize $value }}", 0.0, "0"),
        ("{{ humanize $value }}", 1_234_567.0, "1.235M"),
        ("{{ humanize $value }}", 0.001234, "1.234m"),
        ("{{ humanize $value }}", -1e30, "-1e+06Y"),
        ("{{ humanize $value }}", float("inf"), "+Inf"),
        ("{{ humanize `1500` }}", 0.0, "1.5k"),
        ("{{ humanize1024 $value }}", 1_048_576.0, "1Mi"),
        ("{{ humanize1024 $value }}", 0.5, "0.5"),
        ("{{ humanizeDuration $value }}", 0.0, "0s"),
        ("{{ humanizeDuration $value }}", 59.5, "59.5s"),
        ("{{ humanizeDuration $value }}", 3661.0, "1h 1m 1s"),
        ("{{ humanizeDuration $value }}", 90061.9, "1d 1h 1m 1s"),
        ("{{ humanizeDuration $value }}", -61.0, "-1m 1s"),
        ("{{ humanizeDuration $value }}", 0.0123, "12.3ms"),
        ("{{ humanizePercentage $value }}", 0.123456, "12.35%"),
        ("{{ humanizeTimestamp $value }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("{{ $value | toTime }}", 0.0, "1970-01-01 00:00:00 +0000 UTC"),
        ("{{ parseDuration `1h2m10ms` }}", 0.0, "3720.01"),
        ("{{ title `foo bar-baz` }} {{ toUpper `ab` }} {{ toLower `AB` }}", 0.0, "Foo Bar-Baz AB ab"),
        ("{{ match `^s.op$` $labels.job }} {{ match `z` $labels.job }}", 0.0, "true false"),
        ("{{ reReplaceAll `(s)(h)` `$2${1}-$$-$9` $labels.job }}", 0.0, "hs-$-op"),
        ("{{ stripPort `a.b:1` }} {{ stripPort `a` }} {{ stripPort `[::1]:80` }}", 0.0, "a.b a ::1"),
        ("{{ stripDomain $labels.instance }} {{ stripDomain `10.0.0.1:80` }}", 0.0, "db:9100 10.0.0.1:80"),
        ("{{ graphLink `up` }} {{ tableLink `a b` }}", 0.0, "/graph?g0.expr=up&g0.tab=0 /graph?g0.expr=a+b&g0.tab=1"),
        ("{{ printf `%.2f|%5.1f|%-4d|%04d|%x|%q|%s|%v|%t|%T` 3.14159 2.0 3 7 255 `a` `b` $value true 1 }}", 1e6,
         '3.14|  2.0|3   |0007|ff|"a"|b|1e+06|true|int'),
        ("{{ printf `%d %s %d` $value 3 }}", 1.5, "%!d(float64=1.5) %!s(int=3) %!d(MISSING)"),
        ("{{ printf `%%` 1 }}", 0.0, "%%!(EXTRA int=1)"),
        ("{{ print 1 2 `a` 3 }}|{{ println `a` 1 }}", 0.0, "1 2a3|a 1\n"),
        ("{{ len $labels }} {{ len `é` }} {{ index $labels `job` }} {{ slice `abcd` 1 3 }}", 0.0, "2 2 shop bc"),
        ("{{ urlquery `a b&c` }} {{ html `<a>'` }} {{ js `it's` }}", 0.0, "a+b%26c &lt;a&gt;&#39; it\\'s"),
        ("{{ ge 2 2 }} {{ le 3 2 }} {{ ne `a` `b` }} {{ eq 1 2 1 }}", 0.0, "true false true true"),
        ("{{ safeHtml `<b>` }}", 0.0, "<b>"),
    ],
)  # fmt: skip
def test_functions(text: str, value: float, expected: str) -> None:
    assert expand(text, value) == expected


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{{ gt $value 1 }}", "incompatible types for comparison"),
        ("{{ $value.x }}", "can't evaluate field x in type float64"),
        ("{{ query `nothing` | first }}", "first() called on vector with no elements"),
        ("{{ query `broken(` }}", "unexpected end of input"),
        ("{{ toUpper 1 }}", "expected string; got int"),
        ("{{ humanize `x` }}", "invalid syntax"),
        ("{{ template `nope` }}", "not defined"),
        ("{{ define `r` }}{{ template `r` }}{{ end }}{{ template `r` }}", "maximum template depth"),
        ("{{ index $labels 1 }}", "should be string"),
        ("{{ index (query `up`) 9 }}", "out of range"),
        ("{{ humanize }}", "wrong number of args for humanize: want 1 got 0"),
        ("{{ reReplaceAll `(` `` `x` }}", "invalid regular expression"),
        ("{{ 1 | $value }}", "can't give argument to non-function"),
        ("{{ humanizeTimestamp 1e30 }}", "cannot be represented"),
        ("{{ .Nope }}", "can't evaluate field Nope"),
        ("{{ range 1.5 }}{{ end }}", "range can't iterate over 1.5"),
        ("{{ nil }}", "nil is not a command"),
        ("{{ len 3 }}", "len of type int"),
    ],
)
def test_a_failing_template_becomes_its_error_text(text: str, cause: str) -> None:
    expanded = expand(text)
    assert expanded.startswith("<error expanding template: ")
    assert cause in expanded


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{{ $label.foo }}", "undefined variable '$label'"),
        ("{{ nope 1 }}", "function 'nope' not defined"),
        ("{{ if true }}", "is not closed"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ if true }}{{ else }}{{ else }}{{ end }}", "must be followed by"),
        ("a\n{{ 'x", "line 2: the quoted text"),
        ("{{ ", "unclosed action"),
        ("{{/* x", "not closed"),
        ("{{ \"\\d\" }}", "malformed literal"),
        ("{{ }}", "missing value"),
        ("{{ (1 }}", "unclosed left parenthesis"),
        ("{{ 1 ) }}", "unexpected ')'"),
        ("{{ $labels | 1 }}", "is not a function"),
        ("{{ break }}", "outside {{range}}"),
        ("{{ define `x` }}{{ $value }}{{ end }}", "undefined variable '$value'"),
        ("{{ ; }}", "unexpected character"),
        ("{{ range $a, $b, $c := 1 }}{{ end }}", "undefined variable"),
        ("{{ template x }}", "wants a quoted name"),
    ],
)  # fmt: skip
def test_a_syntax_error_is_found_without_executing(text: str, cause: str) -> None:
    with pytest.raises(TemplateError) as error:
        check_template(text)
    assert cause in str(error.value)
