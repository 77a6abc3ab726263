#!/bin/sh
# A chat template costs what it touches: whatever it does, it ends soon, with a sentence. usage: templates.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

# ends CODE: the template of stdin ends within 10 s (each pays for 2,000,000 steps: a fraction of a second) with this exit code
ends() {
    cat >"$work/t.jinja"
    head -c 300 "$work/t.jinja" >"$work/head"; expect "$1" timeout 10 "$precis" tokenize --render "$work/t.jinja" --message user=hi
    [ "$1" = 0 ] || has err "chat template, line"; [ $got = "$1" ] || cat "$work/head"
}
double="{% set ns = namespace(a=[1], b=[1], s='ab', t='ab') %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}"
long="{% set ns = namespace(s='ab', t='ab') %}{% for i in range(19) %}{% set ns.s = ns.s ~ ns.s %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}"
again() { printf '%s{%% for i in range(100000) %%}{%% set x = %s %%}{%% endfor %%}' "$1" "$2"; }

# values that share their parts
printf '%s{{ ns.a == ns.b }}' "$double" | ends 3
printf '%s{{ ns.a in [ns.b] }}' "$double" | ends 3
printf '%s{{ [ns.a, ns.b] | unique | list }}' "$double" | ends 3
printf '%s{{ ns.a }}' "$double" | ends 3
printf '%s{{ ns.a | tojson }}' "$double" | ends 3
printf '%s{{ ns.a | string }}' "$double" | ends 3
# the same list is equal to itself
printf '%s{{ ns.a == ns.a }}' "$double" | ends 0

# long values, again and again
for what in 'ns.s == ns.t' 'ns.s in ns.t' 'ns.s < ns.t' 'ns.s ~ ns.t' "ns.s | replace('a', 'bb')" "ns.s.split('b')" "ns.s.split()" 'ns.s | upper' 'ns.s | tojson' \
    'ns.s | length' 'ns.s[5]' 'ns.s[::-1]' 'ns.s[1:]' "ns.s.find('c')" "ns.s.rfind('c')" "ns.s.rfind(ns.t ~ 'c')" "ns.s.count('a')" "ns.s.strip('ab')" 'ns.s | trim("ba")' \
    'ns.s.splitlines()' 'ns.s | list | sort' 'ns.s | list | join' 'ns.s | indent' 'ns.s | reverse' 'ns.s | wordcount' 'ns.s | e' 'ns.s is upper' 'ns.s | title' \
    "ns.s.rsplit('a', 90000)" 'ns.s | list | unique | list' "[ns.s] | map('upper') | list" "ns.s.isalpha()" "ns.s.startswith(ns.t)" "[ns.s] | select('in', [ns.t]) | list"; do
    again "$long" "$what" | ends 3
done

# things that grow
printf '{{ range(1000000000) | length }}' | ends 3
printf "{{ 'a' * 1000000000000 }}" | ends 3
printf "{{ [1] * 1000000000000 }}" | ends 3
printf "{%% set ns = namespace(x='a') %%}{%% for i in range(100) %%}{%% set ns.x = ns.x | replace('a', 'aa') %%}{%% endfor %%}" | ends 3
printf "{%% set ns = namespace(x=['a']) %%}{%% for i in range(100) %%}{%% set ns.x = ns.x + ns.x %%}{%% endfor %%}" | ends 3
printf '{%% macro f(n) %%}{{ f(n) }}{{ f(n) }}{%% endmacro %%}{{ f(1) }}' | ends 3
printf '{%% macro f(n) %%}{%% if n %%}{{ f(n - 1) }}{{ f(n - 1) }}{%% endif %%}{%% endmacro %%}{{ f(40) }}' | ends 3
printf '{%% for a in range(100000) %%}{%% for b in range(100000) %%}{%% endfor %%}{%% endfor %%}' | ends 3
printf "{%% set ns = namespace() %%}{%% for i in range(100000) %%}{%% set ns.x = dict(ns.x or {}, a=i) %%}{%% set ns.y = [ns.y] %%}{%% endfor %%}{{ ns.y }}" | ends 3

# and so do sources: each string costs what it holds, adjacent ones are joined once paid for
python3 -c 'print("{{ " + "\"a\" " * 200000 + "}}")' | ends 3
python3 -c 'print("{{ [" + "\"\"," * 300000 + "] | length }}")' | ends 0
python3 -c 'print("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}")' | ends 3
python3 -c 'print("{% if 1 %}" * 3000 + "{% endif %}" * 3000)' | ends 3
python3 -c 'print("{{ 1" + " + 1" * 3000 + " }}")' | ends 3
python3 -c 'print("{{ x" + "[0]" * 3000 + " }}")' | ends 3
python3 -c 'print("{{ 1" + " if 1" * 3000 + " }}")' | ends 3
python3 -c 'print("{{ " + "not " * 3000 + "1 }}")' | ends 3
python3 -c 'print("{{ 1" + " | abs" * 3000 + " }}")' | ends 3

if [ -d "$cases/faults/template_hang" ]; then
    t=$cases/faults/template_hang
    expect 0 timeout 10 "$precis" tokenize --render "$t/eq60.jinja"
    expect 3 timeout 10 "$precis" tokenize --render "$t/in.jinja"
    expect 0 timeout 10 "$precis" run "$t/model_eq60.gguf" -c -p hi -n 1
fi
exit $failed
