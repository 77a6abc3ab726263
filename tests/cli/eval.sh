#!/bin/sh
# Texts, tasks, the gate and its history, as people use them. usage: eval.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
expect 0 "$precis" quant "$model" --type Q4_K_M -o "$work/q4.gguf" --no-eval -q
expect 0 "$precis" quant "$model" --type Q2_K -o "$work/q2.gguf" --no-eval -q

# the gate: accepted, rejected, undecided
gate() { # gate CODE MODEL OPTIONS...
    code=$1
    shift
    expect "$code" "$precis" eval "$@" --against "$model" --ctx 256 --gate
}
gate 0 "$work/q4.gguf" --chunks 8 --max-kld 0.5 --json
json "j['verdict'] == 'ACCEPT' and j['evidence'][0]['upper'] < 0.5 and j['items_needed'] > 0 and j['evidence'][0]['p_accept'] < 0.05"
gate 1 "$work/q4.gguf" --chunks 8 --max-kld 0.0001
gate 5 "$work/q4.gguf" --chunks 2 --max-kld 0.004
has out "would decide"
expect 2 "$precis" eval "$work/q4.gguf" --gate --max-kld 0.1
expect 2 "$precis" eval "$work/q4.gguf" --against "$model" --gate
expect 2 "$precis" eval "$work/q4.gguf" --against "$model" --gate --max-drop 0.02
expect 2 "$precis" eval "$work/q4.gguf" --against "$model" --gate --max-drop 2 --tasks copy
has err "0.02 or 2%"
expect 2 "$precis" eval "$work/q4.gguf" --against "$model" --max-kld 0.1 --tasks copy

# the reference's logits, kept: the same figures without the reference, and no others' logits
keep() { expect "$@" --ctx 256 --chunks 4; }
keep 0 "$precis" eval "$work/q4.gguf" --against "$model" --logits "$work/l.gguf" --json
cp "$work/out" "$work/first"
keep 0 "$precis" eval "$work/q4.gguf" --logits "$work/l.gguf" --json
cmp -s "$work/out" "$work/first" || { echo "logits of a file give other figures"; failed=1; }
keep 0 "$precis" eval "$work/q4.gguf" --logits "$work/l.gguf" --against "$model" -t 1 --json
cmp -s "$work/out" "$work/first" || { echo "logits of a file give other figures beside the reference"; failed=1; }
keep 0 "$precis" eval "$work/q4.gguf" --against "$model" --json
json "abs(j['kld_mean'] - json.load(open('$work/first'))['kld_mean']) < 1e-6 and j['top1'] == json.load(open('$work/first'))['top1']"
keep 2 "$precis" eval "$work/q4.gguf" --logits "$work/l.gguf" --against "$work/q2.gguf"
has err "another reference"
keep 2 "$precis" eval "$work/q4.gguf" --logits "$work/l.gguf" --weights-only
has err "another arithmetic"
expect 2 "$precis" eval "$work/q4.gguf" --logits "$work/l.gguf" --ctx 256 --chunks 3
has err "another text"
keep 3 "$precis" eval "$work/q4.gguf" --logits "$work/absent.gguf"
has err "\-\-against"
keep 3 "$precis" eval "$work/q4.gguf" --logits "$work/q2.gguf"
has err "no file of logits"
head -c 100000 "$work/l.gguf" >"$work/cut.gguf"
keep 3 "$precis" eval "$work/q4.gguf" --logits "$work/cut.gguf"
keep 2 "$precis" eval "$work/q4.gguf" --logits "$work/l.gguf" --tasks copy

# texts by domain: each has its row, and the whole its sum
printf '%s\n' "$(seq -s ' ' 1 900)" >"$work/counting.txt"
expect 0 "$precis" eval "$work/q2.gguf" --against "$model" --ctx 128 --chunks 4 --text "$root/data/eval.txt" --text "$work/counting.txt" --json
json "[d['name'] for d in j['domains']] == ['eval.txt', 'counting.txt'] and abs(sum(d['tokens'] * d['kld_mean'] for d in j['domains']) / j['tokens'] - j['kld_mean']) < 1e-6"
expect 0 "$precis" eval "$work/q2.gguf" --against "$model" --ctx 256 --chunks 12 --domains --json
json "{'prose', 'code', 'languages', 'numbers', 'noise'} <= {d['name'] for d in j['domains']} and any(d['uneven'] for d in j['domains'])"
cp "$work/out" "$work/first"
expect 0 "$precis" eval "$work/q2.gguf" --against "$model" --ctx 256 --chunks 12 --domains --json -t 1
cmp -s "$work/first" "$work/out" || { echo "results depend on the number of threads"; failed=1; }
expect 0 "$precis" eval "$model" --domains --ctx 256 --chunks 1
has out "numbers"
echo "too short" >"$work/brief.txt"
expect 2 "$precis" eval "$model" --text "$work/counting.txt" --text "$work/brief.txt" --ctx 65536

# tasks: generated ones are the same for a seed, and another for another
expect 0 "$precis" eval "$work/q2.gguf" --against "$model" --tasks reasoning --limit 4 --json --samples "$work/samples"
json "[t['name'] for t in j['tasks']] == ['arithmetic', 'transitive', 'copy', 'brackets', 'lookup', 'pairs'] and all(len(t['groups']) > 3 for t in j['tasks'])"
json "all(t['to_wrong'] + t['to_right'] == round(t['flips'] * t['items']) and sum(g['items'] for g in t['groups']) == t['items'] for t in j['tasks'])"
json "0 <= j['tasks'][5]['sensitivity'] <= 1 and j['tasks'][5]['pairs_right'] <= j['tasks'][5]['sensitivity']"
cp "$work/out" "$work/first"
expect 0 "$precis" eval "$work/q2.gguf" --against "$model" --tasks reasoning --limit 4 --json -t 1
cmp -s "$work/first" "$work/out" || { echo "answers depend on the number of threads"; failed=1; }
expect 0 "$precis" eval "$model" --tasks reasoning --limit 4 --seed 1 --samples "$work/others" -q
cmp -s "$work/samples" "$work/others" && { echo "another seed gave the same items"; failed=1; }
python3 - "$work/samples" <<'E' || failed=1
import json, re, sys
brackets = dict(zip("([{<", ")]}>"))
for line in open(sys.argv[1]):
    s = json.loads(line)
    right = s["choices"][s["answer"]].strip()
    lines = s.get("context", "").split("\n")
    if s["task"] == "arithmetic":
        assert str(eval(lines[-1].rstrip("= "))) == right, s
    elif s["task"] == "copy":
        whole, part = lines[0].split()[1:], lines[1].split()[4:]
        assert whole[: len(part)] == part and whole[len(part)] == right, s
    elif s["task"] == "lookup":
        assert dict(l.split(": ") for l in lines[:-1])[lines[-1].rstrip(":")] == right, s
    elif s["task"] == "brackets":
        stack = []
        for c in lines[-1].split():
            stack.append(brackets[c]) if c in brackets else stack.pop()
        assert stack[-1] == right, s
    elif s["task"] == "transitive":
        below = {m[1] for m in re.findall(r"(\w+) is \w+ than (\w+)", s["context"])}
        assert right not in below and sum(c.strip() not in below for c in s["choices"]) == 1, s
    assert len(set(s["choices"])) == len(s["choices"]) and s["right"] == (s["choice"] == s["answer"]), s
E

# a set of the user's own, and what is wrong with one is said with its line
cat >"$work/own.jsonl" <<'E'
{"context": "It was a dark and stormy", "choices": [" night", " xylophone"], "answer": 0, "group": "g"}

{"context": "Once upon a", "choices": [" zzz", " time"], "answer": 1}
E
expect 0 "$precis" eval "$model" --tasks "$work/own.jsonl" --json
json "j['tasks'][0]['items'] == 2 and j['tasks'][0]['acc'] == 1 and j['tasks'][0]['groups'][0]['name'] == 'g'"
echo '{"context": "a", "choices": [" b"], "answer": 1}' >"$work/bad.jsonl"
expect 3 "$precis" eval "$model" --tasks "$work/bad.jsonl"
has err "line 1"
: >"$work/empty.jsonl"
expect 3 "$precis" eval "$model" --tasks "$work/empty.jsonl"
expect 2 "$precis" eval "$model" --tasks nosuch
has err "precis list tasks"
expect 2 "$precis" eval "$model" --tasks arc_easy
has err "\-\-data"
expect 3 "$precis" eval "$model" --tasks arc_easy --data "$work"
expect 2 "$precis" eval "$model" --tasks copy --shots 2

# accuracy in the gate; all results are kept, and a worse version is found
gate 0 "$work/q4.gguf" --tasks pairs --max-drop 10% --name g7 --json
json "j['verdict'] == 'ACCEPT' and j['evidence'][0]['measure'].startswith('accuracy')"
touch "$work/empty.sqlite"
if "$precis" eval --history --results "$work/empty.sqlite" 2>&1 | grep -q "without SQLite"; then
    gate 3 "$work/q4.gguf" --chunks 1 --max-kld 0.1 --results "$work/r.sqlite"
    has err "without SQLite"
    echo "SKIP the history of results: this build has no SQLite"
else
    gate 0 "$work/q4.gguf" --chunks 16 --max-kld 0.1 --name v --results "$work/r.sqlite" -q
    gate 0 "$work/q2.gguf" --chunks 16 --max-kld 0.5 --name v --results "$work/r.sqlite" -q
    expect 1 "$precis" eval --history --results "$work/r.sqlite"
    has out WORSE
    gate 0 "$work/q4.gguf" --chunks 16 --max-kld 0.1 --name v --results "$work/r.sqlite" -q
    expect 0 "$precis" eval --history --results "$work/r.sqlite" --json
    json "not j['worse'] and [r['better'] for r in j['rows'] if r['measure'] == 'kld'] == [False, False, True]"
    expect 0 "$precis" eval --history --json
    json "{r['name'] for r in j['rows']} >= {'g7', 'q4.gguf'}"
    echo "not a database, and long enough that nobody takes it for an empty one" >"$work/no.sqlite"
    expect 3 "$precis" eval --history --results "$work/no.sqlite"
    expect 3 "$precis" eval --history --results "$work/absent.sqlite"
    gate 3 "$work/q4.gguf" --chunks 1 --max-kld 0.1 --results "$work/no.sqlite"
fi

# the sets of shared/data, where they are
data=$root/../shared/data
if [ -d "$data/multichoice" ]; then
    expect 0 "$precis" eval "$model" --tasks arc_easy,arc_challenge,openbookqa,piqa,winogrande,boolq,hellaswag,mmlu,lambada,gsm8k --data "$data" --limit 2 --json --samples "$work/samples" -q
    json "[t['items'] for t in j['tasks']] == [2, 2, 2, 2, 2, 2, 2, 114, 2, 2]"
    expect 0 "$precis" eval "$model" --tasks mmlu,gsm8k --shots 2 --limit 1 --data "$data" --json -q
else
    echo "SKIP the sets of shared/data: not here"
fi

echo "$n commands"
exit $failed
