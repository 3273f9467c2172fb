#!/usr/bin/env python3
"""Writes expected.json: what Jinja, set up as transformers does for chat templates, makes of small templates.

    make_expected.py    # needs the packages transformers and jinja2; writes beside this file

Each case has a template and variables, and either the text or that Jinja refuses it. The date is 2026-07-04.
"""

import datetime
import json
import pathlib

import transformers.utils.chat_template_utils as chat

VARIABLES = {
    "text": "  Héllo wörld \n",
    "words": "one two  three\ttwo",
    "lines": "a\nb\r\nc\n\nd",
    "empty": "",
    "n": 7,
    "big": 123456789012,
    "real": 2.5,
    "yes": True,
    "no": False,
    "none": None,
    "list": [3, 1, 2],
    "names": ["bob", "Alice", "carol", "alice"],
    "dict": {"b": 1, "a": [1, {"x": "y"}], "items": "mine", "Z": None},
    "people": [{"name": "Ann", "age": 30, "tags": ["x"]}, {"name": "bob", "age": 25}, {"name": "Cy", "age": 30, "tags": []}],
    "unicode": "naïve 世界 🙂 \u200b\u2028\u00a0<&>'\"\\/\x7f",
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}],
}

EXPRESSIONS = r"""
n + 1|n - 10|n * 3|n / 2|n // 2|-n // 2|n % 4|-n % 4|2 ** 10|n / 7|real * 2|real // 1|-real % 2|10 / 4|7 // 2.0|1e3|1_000|0.5|1.5e-7
1e16|1e15|123456.789|0.1 + 0.2|1 / 3|100000000000000000000.0|-0.0|5 % -3|True + 1|n + real|big * 10|2 * 'ab'|'ab' * 0|[1, 2] * 2|[1] + [2]|(1,) + (2,)
'a' ~ 1 ~ none ~ yes ~ 2.0|'a' 'b'|"it's"|'say "hi"'|'\n\t\\ \x41 \u00e9 \101'|'a\qb'|n ~ n + 1
n > 3|n > 3 and n < 5|3 < n < 9|3 < n > 9|n == 7.0|yes == 1|'a' < 'b'|[1, 2] < [1, 3]|none == none|not n|not not n|n in list|2 in list|2 not in list|'wör' in text|'b' in dict|none in [none]
empty or 'x'|n and 'x'|none or empty or 0|yes and no|(n if yes else 0)|(n if no)|('a' if no else 'b' if no else 'c')
missing|missing is defined|missing is undefined|missing ~ 'x'|missing == other|missing|default('d')|missing or 'e'|[missing]|(missing)|not missing|missing in list|1 in missing
none is none|n is none|n is number|yes is number|yes is boolean|n is boolean|real is float|n is integer|yes is integer|text is string|list is sequence|dict is sequence|text is sequence
dict is mapping|list is mapping|list is iterable|n is iterable|text is iterable|missing is iterable|missing is sequence|none is iterable|dict.items() is sequence|dict.items() is iterable
n is odd|n is even|n is divisibleby 7|n is divisibleby(2)|n is eq 7|n is equalto(8)|n is ge 7|n is lt 7|n in [7]|n is in [7]|n is not in [7]|yes is true|yes is false|n is true|empty is false|none is sameas none|'abc' is lower|'ABC' is upper|range is callable
n is defined and n is not none|-1 is number|n is not defined or yes|not n is none
text.strip()|text.lstrip()|text.rstrip()|text.strip(' H\n')|'xxaxx'.strip('x')|'xxaxx'.lstrip('x')|'xxaxx'.rstrip('x')|words.split()|words.split(' ')|words.split('two')|words.split(' ', 1)|words.split(none, 1)|words.split(sep='o', maxsplit=2)
words.rsplit(' ', 1)|words.rsplit('two')|'a,b,,c'.split(',')|''.split(',')|''.split()|lines.splitlines()|lines.splitlines(true)|'a-b-c'.partition('-')|'a-b-c'.rpartition('-')|'abc'.partition('-')
words.replace('two', '2')|words.replace('two', '2', 1)|words.startswith('one')|words.startswith(('x', 'one'))|words.endswith('two')|words.find('two')|words.rfind('two')|words.find('zzz')|words.count('t')|words.index('w')
text.upper()|text.lower()|'straße'.upper()|'ΑΣ'.lower()|'hello WORLD-foo'.title()|'hELLO'.capitalize()|'-'.join(['a', 'b'])|'a'.join('xyz')|'abc'.removeprefix('a')|'abc'.removesuffix('bc')|'12'.isdigit()|'a1'.isalnum()|'  '.isspace()|''.isspace()|'aB'.isupper()
'{} and {}'.format(1, 'x')|'{1}{0}{1}'.format('a', 'b')|'{x}'.format(x=n)|'{{}}'.format(1)|'%s-%d' % ('a', 3)|'%s' % n|'%.2f' % real|'100%%' % ()|'%s' % [1]|'<%s>'|format('x')
text[0]|text[-1]|text[2]|text[99]|text[3]|text[1:4]|text[:-2]|text[::-1]|text[::2]|text[5:2]|text[-4:]|list[0]|list[-1]|list[1:]|list[:1]|list[::-1]|list[5]|list[-9:9]|(1, 2, 3)[1:]|list[0:3:2]|list[2:0:-1]|text[-100:100:3]|list[1:1]
dict.b|dict['a'][1].x|dict.a[0]|dict.missing|dict['missing']|dict.items|default('x')|dict['items']|dict.get('b')|dict.get('q')|dict.get('q', 5)|dict.keys() | list|dict.values() | list|dict.items() | list|dict.Z|people[0].name|people[0]['age']|people.0.name|dict|length
dict.a.1.x|list.0|text.foo|n.foo|none.foo|list.foo|(list.foo is defined)|messages[0].role|messages[-1]['content']|messages[1:][0].role
[1, 'two', none, yes, 2.5, [3], {'k': 'v'}, (1,), ()]|{'a': 1, 'b': [2]}|{1: 2, 'x': none}|{'a': 1, 'a': 2}|[]|{}|()|(1, 2)|['it\'s', 'say "x"', 'both \'"']|[unicode]|['\n\t\r\x01\x7f']
text|trim|text|trim|length|'xxaxx'|trim('x')|text|upper|text|lower|text|capitalize|'abc DEF-ghi (jkl'|title|text|length|dict|length|list|length|empty|length|missing|length|none|string|n|string|length|1.0|string
list|first|list|last|empty|first|[]|first|[]|last|default('none')|text|first|list|list|text|list|dict|list|(1, 2)|list|missing|list|list|sort|list|sort(reverse=true)|names|sort|names|sort(case_sensitive=true)|people|sort(attribute='age')|map(attribute='name')|list
people|sort(attribute='age,name')|map(attribute='name')|join(',')|list|reverse|list|text|reverse|list|reverse|first|list|join|list|join(', ')|list|join(d='-')|people|join(', ', attribute='name')|names|unique|list|names|unique(true)|list|[1, 1.0, 2]|unique|list
list|max|list|min|names|max|people|max(attribute='age')|[]|max|default('x')|list|sum|people|sum(attribute='age')|people|sum('age', 10)|people|map(attribute='tags')|list|length|people|map(attribute='tags', default='t')|list|people|map(attribute='tags.0', default='t')|list|names|map('upper')|list|names|map('replace', 'a', 'A')|join(' ')
people|selectattr('tags')|list|length|people|selectattr('age', 'equalto', 30)|map(attribute='name')|list|people|rejectattr('age', 'gt', 25)|map(attribute='name')|list|people|selectattr('tags', 'defined')|list|length|list|select('odd')|list|list|reject('odd')|list|list|select|list|[0, '', 1]|select|list|[0, '', 1]|reject|list|list|select('>', 1)|list|names|select('in', ['bob'])|list
dict|items|list|missing|items|list|dict|dictsort|{'b': 1, 'A': 2, 'c': 0}|dictsort|{'b': 1, 'A': 2, 'c': 0}|dictsort(true)|{'b': 1, 'A': 2, 'c': 0}|dictsort(by='value')|{'b': 1, 'A': 2, 'c': 0}|dictsort(false, 'key', true)
missing|default|none|default('x')|none|default('x', true)|empty|d('x', boolean=true)|'42'|int|'4.9'|int|'x'|int|'x'|int(5)|none|int|real|int|-2.7|int|yes|int|' 12 '|int|'2.5'|float|'x'|float|n|float|'1e3'|float|-5|abs|(-5)|abs|real|round|2.567|round(2)|3|round|'a<b>&"\''|e|'a<b>'|escape
dict|tojson|dict|tojson(indent=2)|[1, [], {}, [2]]|tojson(indent=4)|unicode|tojson|unicode|tojson(ensure_ascii=true)|dict|tojson(ensure_ascii=False)|dict|tojson(sort_keys=true)|dict|tojson(separators=(',', ':'))|[1.0, 1e20, 1e-7, true, none, -0.0]|tojson|'\x01\b\f\n\r\t"\\/'|tojson|{1: 2, none: 3, true: 4, 2.5: 5}|tojson|(1, 2)|tojson|people|tojson(indent='\t')|unicode|string|unicode
'a\nb\n\nc'|indent|'a\nb\n\nc'|indent(2)|'a\nb\n\nc'|indent(2, true)|'a\nb\n\nc'|indent(2, blank=true)|'a\nb\n\nc'|indent('> ')|'a\nb\n\nc'|indent(width=1, first=True)|words|replace('two', '2')|words|replace('two', '2', 1)|n|replace('7', '8')
'a'|safe|('<' + '&'|safe)|('&'|safe + '<')|('<'|safe ~ '<')|('<'|safe)|string|['<'|safe]|join('<')|'<'|safe|tojson|'  <  '|safe|trim
range(3)|list|range(1, 7, 2)|list|range(3, 0, -1)|list|range(0)|list|range(5)|sum|range(3)[1]|dict(a=1)|string|namespace(a=1).a|dict([('x', 1)])|string
strftime_now('%d %b %Y')|strftime_now('%A %B %-d %Y %H:%M:%S %j %y %m %e %I %p %F %D %T %%')|strftime_now('x')
(strftime_now is defined)|(raise_exception is defined)|n.real is defined|'abc'|length > 2|'a' ~ 'b'|upper|1 + 2|string|-1|abs|2 + 3 ~ 4|2 ~ 3 * 4|[1,2,][0]|{'a':1,}.a|n is number and text is string|'x' if n is defined else 'y'
list|map('string')|join('+')|'%s' | format(n)|[1, 2] == [1, 2.0]|{'a': 1} == {'a': 1}|(1, 2) == [1, 2]|'a' == 1|none < 1|1 < 'a'|[] < [1]|'abc'[none:2]|none + 1|'a' + 1|missing + 1|missing.foo|missing()|n()|none[0]|none['a']|list['a']|text|nosuchfilter
raise_exception('stop')|list.append(1)|dict.update({})|dict.pop('b')|text.__class__|dict['__class__']|n // 0|n % 0|1 / 0|'a'.split('')|'abc'.index('z')|list|first(1)|text|trim(1)|tojson(missing)|missing|tojson|range(200000)|dict.get()|text.strip(1)|'%d' % 'x'|'%s %s' % 'x'|'%s' % ('a', 'b')|'{} {}'.format(1)|sum(list)|loop.index|namespace(_a=1)|[1,2] is sameas [1,2]|list is foo|{[1]: 2}|'a' in 1|1 in 'a'
"""

TEMPLATES = [
    # Tags and white space.
    "a\n{% if yes %}\nb\n{% endif %}\nc\n", "  {% if yes %}  \n  b\n  {% endif %}\nc", "a {%- if yes %} b {%- endif %} c", "a {% if yes -%} b {% endif -%} c",
    "a\n  {%+ if yes %} b\n  {%+ endif %} c", "a {{- ' x ' -}} b", "a\n{{ n }}\nb\n\n", "{{ n }}\n", "{# c #}\nx", "x {#- c -#} y", "x\n  {# c #}\ny", "{% if yes +%}\nb{% endif %}",
    "{% raw %}{{ n }} {% if %}{% endraw %}!", "a {%- raw -%} {{ x }} {%- endraw -%} b", "{% raw %}\nx\n{% endraw %}\ny", "\r\na\rb\r\n{{ n }}\r\n", "{{ '}}' }}{{ \"%}\" }}", "{{ {'a': {'b': 1}}['a']['b'] }}",
    "{%- if yes %}\n\n  x\n{%- endif %}\n\n", "\n\n{%- set x = 1 -%}\n\n{{ x }}\n\n", "{%set x=1%}{{x}}", "  {{ n }}  \n{% if no %}{% endif %}\n", "x{% if yes %} {% endif %}\ny", "\t{% if yes %}\n\t\tx\n\t{% endif %}\n",
    "{{ n }}{#\n\n#}\n\n{{ n }}", "{{'a'}}\n{%- if yes -%}\n b\n{%- endif %}", "{#--#}x", "a\u00a0{%- if yes %}\u2003b{% endif %}", "{% if yes: %}x{% endif %}",
    # Conditions.
    "{% if no %}1{% elif n == 7 %}2{% elif yes %}3{% else %}4{% endif %}", "{% if missing %}1{% else %}2{% endif %}", "{% if not missing and n %}1{% endif %}", "{% if n, no %}1{% endif %}",
    # Loops.
    "{% for x in list %}{{ x }},{% endfor %}", "{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }};{% endfor %}",
    "{% for x in list %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in [] %}a{% else %}b{% endfor %}", "{% for x in list if x > 1 %}{{ x }}{{ loop.index }}/{{ loop.length }} {% endfor %}",
    "{% for x in list if x > 9 %}a{% else %}none{% endfor %}", "{% for k, v in dict.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in dict %}{{ k }}{% endfor %}", "{% for c in text %}[{{ c }}]{% endfor %}",
    "{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in list %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in missing %}a{% endfor %}b",
    "{% for x in list %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}", "{% for a in list %}{% for b in list %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in none %}{% endfor %}", "{% for x in n %}{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for m in messages[::-1] %}{{ m.role }}{% endfor %}", "{% for x in list|sort %}{{ x }}{% endfor %}", "{% for x in list %}{% else %}z{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    # Where a name is set.
    "{% set x = 1 %}{% for y in list %}{% set x = y %}{{ x }}{% endfor %}{{ x }}", "{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}", "{% set ns = namespace(x=0) %}{% for y in list %}{% set ns.x = ns.x + y %}{% endfor %}{{ ns.x }}",
    "{% for y in list %}{{ x }}{% set x = y %}{{ x }};{% endfor %}{{ x }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = b = 1 %}", "{% set n = n + 1 %}{{ n }}", "{% for n in list %}{{ n }}{% endfor %}{{ n }}",
    "{% set x %}  a{{ n }}\n{% endset %}[{{ x }}]", "{% set x | trim | upper %} abc {% endset %}[{{ x }}]", "{% set x %}{% set y = 5 %}{{ y }}{% endset %}{{ x }}{{ y }}", "{% set ns = namespace() %}{{ ns.x }}{% set ns.x = 'v' %}{{ ns.x }}{{ ns['x'] }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}", "{% set ns.x = 1 %}", "{% set dict.x = 1 %}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% set a = 9 %}{{ a }}{% endwith %}{{ a }}", "{% set a = 1 %}{% with a = 2, b = a %}{{ b }}{% endwith %}",
    "{% for x in list %}{% if loop.first %}{% set z = x %}{% endif %}[{{ z }}]{% endfor %}", "{% set true = 1 %}", "{% set loop = 1 %}{{ loop }}", "{% for x in list %}{% for loop in list %}{% endfor %}{% endfor %}", "{% set x = 1, 2 %}{{ x }}", "{% set ns = namespace(a=1) %}{% set ns.a, b = 2, 3 %}{{ ns.a }}{{ b }}",
    # Macros.
    "{% macro m(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=4, a=5) }}{{ m() }}", "{% macro m(a) %}{{ a|upper }}{% endmacro %}{{ m('x') ~ m('y') }}", "{% macro m(x) %}{{ x }}{% if x > 0 %}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}",
    "{% macro m() %}{{ z }}{% endmacro %}{% set z = 1 %}{{ m() }}{% set z = 2 %}{{ m() }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "{% macro m(a) %}{% set a = 2 %}{{ a }}{% endmacro %}{{ m(1) }}{{ a }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% macro m() %}  x  {% endmacro %}[{{ m()|trim }}]", "{% macro w() %}<{{ caller() }}>{% endmacro %}{% call w() %}body{{ n }}{% endcall %}", "{% macro w() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) w() %}{{ a }}{{ b }}{% endcall %}", "{% macro w() %}x{% endmacro %}{% call w() %}body{% endcall %}",
    "{% for x in list %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{{ m() }}{% macro m() %}{% endmacro %}", "{% macro m(a=[]) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a is defined }}{{ a }}{% endmacro %}{{ m() }}{{ m(missing) }}",
    "{% macro m(a, b) %}{% endmacro %}{% macro m(a) %}2{{ a }}{% endmacro %}{{ m(1) }}", "{% if yes %}{% macro m() %}in{% endmacro %}{% endif %}{{ m() }}", "{% macro m(d) %}{% for k, v in d.items() %}{{ k }}{% if v is mapping %}({{ m(v) }}){% endif %}{% endfor %}{% endmacro %}{{ m({'a': {'b': {'c': 1}}, 'd': 1}) }}",
    # Other tags.
    "{% filter upper %}abc{{ text }}{% endfilter %}", "{% filter trim|upper %} abc {% endfilter %}", "{% generation %}a{% endgeneration %}", "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
    "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x }}", "{% nosuchtag %}", "{% if yes %}", "{% endif %}", "{{ n", "{% for x in %}{% endfor %}", "{{ 'abc }}", "{{ (1 }}", "{{ 1) }}", "{{ }}", "{{ a b }}", "{% if %}{% endif %}", "{% set %}", "{# open", "{% raw %}x", "{{ n | }}", "{{ . }}", "{{ n.}}", "{{ @ }}", "{% else %}",
    "{% break %}", "{{ {% }}", "{% for x in list %}{% endif %}{% endfor %}", "{% macro m(a=1, b) %}{% endmacro %}", "{{ f(a=1, 2) }}", "{{ n is }}", "{{ text|trim|nosuch }}", "{% if no %}{{ n|nosuch }}{% endif %}ok", "{% if no %}{{ n is nosuch }}{% endif %}ok", "{% for x in list %}{{ x|nosuch }}{% endfor %}", "{{ list[1,2] }}",
    # Published idioms.
    "{%- for message in messages %}\n    {%- if (message.role == 'user') != (loop.index0 % 2 == 1) %}\n        {{- raise_exception('roles') }}\n    {%- endif %}\n    {{- '<' + message['role'] + '>\\n' + message['content'] | trim + '<end>' }}\n{%- endfor %}",
    "{%- set ns = namespace(multi=true, last=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi and message.role == 'user' and message.content is string %}\n        {%- set ns.multi = false %}\n        {%- set ns.last = index %}\n    {%- endif %}\n{%- endfor %}\n{{ ns.last }}",
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}{{ system }}{% for m in rest %}{{ m.role }}{% endfor %}",
    "{% if tools is defined and tools %}T{% else %}-{% endif %}{{ bos_token }}", "{{ '<think>\\nA\\n</think>\\n\\nB'.split('</think>')[-1].lstrip('\\n') }}|{{ '<think>\\nA\\n</think>\\n\\nB'.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}",
]


class Date(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 7, 4)


def render(template):
    try:
        return chat._compile_jinja_template(template).render(**VARIABLES)
    except Exception:  # whatever Jinja refuses a template with
        return None


def expressions():
    """The expressions between the bars of EXPRESSIONS, also joined, as a filter belongs to what is before it."""
    lines = EXPRESSIONS.strip().split("\n")
    for line in lines:
        pieces = line.split("|")
        for begin in range(len(pieces)):
            for end in range(begin + 1, min(begin + 4, len(pieces)) + 1):
                template = "{{ " + "|".join(pieces[begin:end]) + " }}"
                text = render(template)
                # Most joined ones mean nothing; those of the last line are refused one by one.
                is_meant = text is not None or (line == lines[-1] and end == begin + 1)
                if is_meant and " at 0x" not in (text or ""):
                    yield template


def main():
    chat.datetime = Date
    templates = dict.fromkeys([*TEMPLATES, *expressions()])
    cases = [{"template": template, "text": render(template)} for template in templates]
    expected = {"variables": VARIABLES, "cases": cases}
    path = pathlib.Path(__file__).with_name("expected.json")
    path.write_text(json.dumps(expected, indent=1, ensure_ascii=True) + "\n")
    refused = sum(case["text"] is None for case in cases)
    print(f"{len(cases)} cases, of which Jinja refuses {refused}")


if __name__ == "__main__":
    main()
