#!/bin/sh
# The chat template of a folder: which of several, from which file, and what is said when there is none. usage: chats.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
model=$(cd "$model" && pwd)

# folder NAME [FILE TEXT]...: the carried model with files beside it
folder() {
    d=$work/$1
    shift
    mkdir -p "$d/additional_chat_templates"
    ln -s "$model/model.safetensors" "$model/config.json" "$model/tokenizer.json" "$d"
    while [ $# -gt 0 ]; do
        printf '%s' "$2" >"$d/$1"
        shift 2
    done
}
# template NAME TEXT: the default template has the text; empty: there is none
template() {
    expect 0 "$precis" inspect "$work/$1" --keys
    if [ -n "$2" ]; then has out "tokenizer.chat_template .*$2"; else lacks out "tokenizer.chat_template "; fi
}
run() { "$precis" run "$@" -c -p hi -n 2 --temp 0; }

folder one tokenizer_config.json '{"chat_template": "ONE"}'
folder list tokenizer_config.json '{"chat_template": [{"name": "tool_use", "template": "TOOLS"}, {"name": "default", "template": "LISTED"}]}'
folder nodefault tokenizer_config.json '{"chat_template": [{"name": "tool_use", "template": "TOOLS"}, {"name": "rag", "template": "RAG"}]}'
folder file tokenizer_config.json '{"chat_template": "ONE"}' chat_template.jinja 'FILE'
folder processor chat_template.json '{"chat_template": "PROCESSOR"}'
folder more chat_template.jinja 'FILE' additional_chat_templates/tool_use.jinja 'TOOLS' additional_chat_templates/rag.jinja 'RAG'
folder none tokenizer_config.json '{"bos_token": "<|endoftext|>"}'
template one ONE
template list LISTED
has out "tokenizer.chat_template.tool_use .*TOOLS"
has err "the one named default is used (the others: tool_use)"
template nodefault ""
has err "none of its chat templates is named default (tool_use, rag)"
template file FILE
template processor PROCESSOR
template more FILE
has out "tokenizer.chat_template.rag .*RAG"
template none ""

# all of them go into a GGUF, and out again
expect 0 "$precis" convert "$work/list" -o "$work/list.gguf" -q
template list.gguf LISTED
expect 0 "$precis" convert "$work/list.gguf" -o "$work/again" --format safetensors -q
template again LISTED
has out "tokenizer.chat_template.tool_use .*TOOLS"

# a chat without a template says that it makes one up; one can be given
expect 0 run "$work/none"
has err "no chat template: messages become lines"
expect 0 run "$work/one"
lacks err "no chat template"
printf '{%% macro m(x) %%}{{ x.content }}{%% endmacro %%}{%% for x in messages %%}{{ m(x) }}{%% if loop.first %%}{%% break %%}{%% endif %%}{%% endfor %%}' >"$work/t.jinja"
expect 0 run "$work/none" --chat-template "$work/t.jinja"
lacks err "no chat template"
printf '{%% include "x" %%}' >"$work/broken.jinja"
folder broken chat_template.jinja '{% include "x" %}'
expect 3 run "$work/broken"
has err 'line 1: the tag "include"'
expect 0 run "$work/broken" --chat-template "$work/t.jinja"
expect 3 run "$work/none" --chat-template "$work/broken.jinja"
expect 3 run "$work/none" --chat-template "$work/nosuch.jinja"
expect 2 "$precis" run "$work/none" -p hi -n 1 --chat-template "$work/t.jinja"
exit $failed
