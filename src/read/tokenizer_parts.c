/* tokenizer_parts.c - normalizer, pre-tokenizer, post-processor, decoder and model settings of tokenizer.json.
 *
 * What GGUF has no key for cannot be converted, so it is refused by name: a tokenizer that silently makes other ids is
 * the worst kind. */
#include "read/tokenizer_parts.h"

#include <stdlib.h>

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

void pcs_tok_walk_begin(pcs_tok_walk *w, precis_ctx *ctx, pcs_json_slice s)
{
    pcs_json_token t;
    memset(w, 0, sizeof *w);
    pcs_json_init(&w->j, ctx, s.text, s.len);
    w->st = pcs_json_next(&w->j, &t);
    w->object = t.type == PCS_JSON_OBJECT;
    if (!w->st && !w->object && t.type != PCS_JSON_ARRAY)
        w->st = pcs_json_fail(&w->j, s.text, "tokenizer", "an object or array is missing");
}

bool pcs_tok_walk_next(pcs_tok_walk *w)
{
    pcs_json_token t;
    if (w->st || (w->st = pcs_json_next(&w->j, &t))) return false;
    if (t.type == PCS_JSON_OBJECT_END || t.type == PCS_JSON_ARRAY_END) return false;
    if (w->object) {
        w->key = t;
        if ((w->st = pcs_json_next(&w->j, &t))) return false;
    }
    const char *start = w->j.p;
    if (t.type == PCS_JSON_OBJECT || t.type == PCS_JSON_ARRAY) start--;
    else if (t.type == PCS_JSON_STRING) start = t.text - 1;
    else if (t.type == PCS_JSON_NUMBER) start = t.text;
    else start -= t.type == PCS_JSON_FALSE ? 5 : 4;
    w->st = pcs_json_skip(&w->j, &t);
    w->value = (pcs_json_slice){ start, (size_t)(w->j.p - start) };
    return !w->st;
}

precis_status pcs_tok_string(precis_model *m, pcs_json_slice value, char **out, size_t *len)
{
    pcs_json j;
    pcs_json_token t;
    *out = NULL;
    *len = 0;
    if (!value.text || value.text[0] != '"') return PRECIS_OK;
    pcs_json_init(&j, m->ctx, value.text, value.len);
    const precis_status st = pcs_json_next(&j, &t);
    return st ? st : pcs_json_string(&j, &t, &m->arena, out, len);
}

static bool literal(pcs_json_slice v, const char *text)
{
    return v.text && v.len == strlen(text) && !memcmp(v.text, text, v.len);
}
bool pcs_tok_true(pcs_json_slice v) { return literal(v, "true"); }
bool pcs_tok_null(pcs_json_slice v) { return !v.text || literal(v, "null"); }

/* ---- rules ------------------------------------------------------------------------------------------------------ */

/* Keys of the parts that are read. only: the one value that can be (texts in quotes; several are parted by |); NULL:
 * any, since the key is used by the code below, or harmless for the reason that stands here. */
static const struct { const char *part, *type, *key, *only;
} rules[] = {
    { "model", "BPE", "vocab", NULL },
    { "model", "BPE", "merges", NULL },
    { "model", "BPE", "unk_token", NULL },
    { "model", "BPE", "fuse_unk", NULL },
    { "model", "BPE", "byte_fallback", NULL },
    { "model", "BPE", "ignore_merges", NULL },
    { "model", "BPE", "dropout", "null|0|0.0" },
    { "model", "BPE", "continuing_subword_prefix", "null|\"\"" },
    { "model", "BPE", "end_of_word_suffix", "null|\"\"" },
    { "model", "WordPiece", "vocab", NULL },
    { "model", "WordPiece", "unk_token", NULL },
    { "model", "WordPiece", "continuing_subword_prefix", "\"##\"" },
    { "model", "WordPiece", "max_input_chars_per_word", "100" },
    { "model", "Unigram", "vocab", NULL },
    { "model", "Unigram", "unk_id", NULL },
    { "model", "Unigram", "byte_fallback", NULL },
    { "normalizer", "Sequence", "normalizers", NULL },
    { "normalizer", "Prepend", "prepend", "\"\xe2\x96\x81\"" },
    { "normalizer", "Replace", "pattern", NULL },
    { "normalizer", "Replace", "content", NULL },
    { "normalizer", "BertNormalizer", "clean_text", "true" },
    { "normalizer", "BertNormalizer", "handle_chinese_chars", "true" },
    { "normalizer", "BertNormalizer", "strip_accents", "null|true" },
    { "normalizer", "BertNormalizer", "lowercase", "true" },
    { "normalizer", "Precompiled", "precompiled_charsmap", NULL },
    { "normalizer", "Strip", "strip_left", NULL },
    { "normalizer", "Strip", "strip_right", NULL }, /* where blanks in a row are one, those at the ends go */
    { "pre_tokenizer", "Sequence", "pretokenizers", NULL },
    { "pre_tokenizer", "ByteLevel", "use_regex", NULL },
    { "pre_tokenizer", "ByteLevel", "add_prefix_space", "false" },
    { "pre_tokenizer", "ByteLevel", "trim_offsets", NULL }, /* of places, not of ids */
    { "pre_tokenizer", "Digits", "individual_digits", "true" },
    { "pre_tokenizer", "Split", "pattern", NULL },
    { "pre_tokenizer", "Split", "behavior", NULL },
    { "pre_tokenizer", "Split", "invert", NULL },
    { "pre_tokenizer", "Metaspace", "replacement", "\"\xe2\x96\x81\"" },
    { "pre_tokenizer", "Metaspace", "str_rep", "\"\xe2\x96\x81\"" },
    { "pre_tokenizer", "Metaspace", "add_prefix_space", NULL },
    { "pre_tokenizer", "Metaspace", "prepend_scheme", "\"always\"|\"first\"|\"never\"" },
    { "pre_tokenizer", "Metaspace", "split", NULL }, /* words end at the mark in any case */
    { "post_processor", "Sequence", "processors", NULL },
    { "post_processor", "TemplateProcessing", "single", NULL },
    { "post_processor", "TemplateProcessing", "pair", NULL }, /* texts are never paired here */
    { "post_processor", "TemplateProcessing", "special_tokens", NULL },
    { "post_processor", "RobertaProcessing", "sep", NULL },
    { "post_processor", "RobertaProcessing", "cls", NULL },
    { "post_processor", "BertProcessing", "sep", NULL },
    { "post_processor", "BertProcessing", "cls", NULL },
    { "post_processor", "RobertaProcessing", "trim_offsets", NULL },
    { "post_processor", "RobertaProcessing", "add_prefix_space", NULL }, /* of places, not of ids */
    { "post_processor", "ByteLevel", "trim_offsets", NULL },
    { "post_processor", "ByteLevel", "add_prefix_space", NULL },
    { "post_processor", "ByteLevel", "use_regex", NULL },
};

static precis_status refuse(precis_model *m, const char *part, const char *type, const char *key, pcs_json_slice value)
{
    const int len = (int)(value.len < 60 ? value.len : 60);
    if (key)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: tokenizer.json: %s %.40s with %.40s %.*s: neither GGUF nor precis has that", m->path, part,
                        type, key, len, value.text);
    return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: tokenizer.json: %s %.60s: neither GGUF nor precis has that",
                    m->path, part, type);
}

/* Is the value one of those in `only`? */
static precis_status allowed(precis_model *m, pcs_json_slice value, const char *only, bool *yes)
{
    char *s;
    size_t n;
    const precis_status st = pcs_tok_string(m, value, &s, &n);
    *yes = false;
    for (size_t len; !st && *only && !*yes; only += len + (only[len] == '|')) {
        len = strcspn(only, "|");
        *yes = s ? len == n + 2 && only[0] == '"' && !memcmp(only + 1, s, n)
                 : len == value.len && !memcmp(only, value.text, len);
    }
    return st;
}

/* A key whose value is used. */
typedef struct { const char *key; pcs_json_slice *to; } wanted;

/* Every key of a part has a rule, and keeps it. keys (up to one without a name; NULL: none) get their values. */
static precis_status check_keys(precis_model *m, const char *part, const char *type, pcs_json_slice object,
                                const wanted *keys)
{
    pcs_tok_walk w;
    for (pcs_tok_walk_begin(&w, m->ctx, object); pcs_tok_walk_next(&w);) {
        size_t i = 0;
        bool yes = true;
        for (const wanted *k = keys; k && k->key; k++) {
            if (!pcs_json_is(&w.key, k->key)) continue;
            if (k->to->text) return pcs_json_fail(&w.j, w.key.text, k->key, "appears twice");
            *k->to = w.value;
        }
        if (pcs_json_is(&w.key, "type")) continue;
        while (i < sizeof rules / sizeof *rules &&
               (strcmp(rules[i].part, part) || strcmp(rules[i].type, type) || !pcs_json_is(&w.key, rules[i].key)))
            i++;
        if (i < sizeof rules / sizeof *rules && rules[i].only) w.st = allowed(m, w.value, rules[i].only, &yes);
        if (w.st) return w.st;
        if (i < sizeof rules / sizeof *rules && yes) continue;
        char *key;
        size_t n;
        const precis_status st = pcs_json_string(&w.j, &w.key, &m->arena, &key, &n);
        return st ? st : refuse(m, part, type, key, w.value);
    }
    return w.st;
}

static precis_status check(precis_model *m, const char *part, const char *type, pcs_json_slice object)
{
    return check_keys(m, part, type, object, NULL);
}

/* One part of a sequence. */
typedef struct { char *type; pcs_json_slice object; } piece;
enum { PIECES = 16 };

/* Parts of one kind, with sequences taken apart. */
typedef struct { piece p[PIECES]; size_t n; } pieces_list;

/* A part; null gives none. list: the key under which a sequence has its parts. */
static precis_status pieces_of(precis_model *m, const char *part, const char *list, pcs_json_slice s, pieces_list *out,
                               int depth)
{
    pcs_json_slice type, inner;
    char *name;
    size_t len;
    pcs_tok_walk w;
    if (pcs_tok_null(s)) return PRECIS_OK;
    precis_status st = pcs_json_find(m->ctx, s, "type", &type);
    if (!st) st = pcs_tok_string(m, type, &name, &len);
    if (st) return st;
    if (!name) return refuse(m, part, "without a type", NULL, s);
    if (strcmp(name, "Sequence")) {
        if (out->n == PIECES) return refuse(m, part, "of more than 16 parts", NULL, s);
        out->p[out->n++] = (piece){ name, s };
        return PRECIS_OK;
    }
    st = check(m, part, name, s);
    if (!st) st = pcs_json_find(m->ctx, s, list, &inner);
    if (st || !inner.text) return st;
    if (depth > 4) return refuse(m, part, "of sequences in sequences", NULL, s);
    for (pcs_tok_walk_begin(&w, m->ctx, inner); pcs_tok_walk_next(&w);)
        if ((w.st = pieces_of(m, part, list, w.value, out, depth + 1))) return w.st;
    return w.st;
}

/* The text of a "pattern": { "String": text } or { "Regex": text }. */
static precis_status pattern_of(precis_model *m, pcs_json_slice object, bool *regex, char **text)
{
    pcs_json_slice pattern, s;
    size_t len;
    precis_status st = pcs_json_find(m->ctx, object, "pattern", &pattern);
    *text = NULL;
    if (st || !pattern.text || pattern.text[0] != '{') return st;
    st = pcs_json_find(m->ctx, pattern, "Regex", &s);
    *regex = !st && s.text;
    if (!st && !s.text) st = pcs_json_find(m->ctx, pattern, "String", &s);
    return st ? st : pcs_tok_string(m, s, text, &len);
}

/* A string member. */
static precis_status text_of(precis_model *m, pcs_json_slice object, const char *key, char **out)
{
    pcs_json_slice s;
    size_t len;
    *out = NULL;
    const precis_status st = pcs_json_find(m->ctx, object, key, &s);
    return st ? st : pcs_tok_string(m, s, out, &len);
}

static bool same(const char *a, const char *b) { return a && !strcmp(a, b); }

/* ---- normalizer ----------------------------------------------------------------------------------------------------
 */

static precis_status normalizer(pcs_tok_parts *t, const piece *p)
{
    static const char mark[] = "\xe2\x96\x81";
    char *from = NULL, *to = NULL;
    bool regex = false;
    precis_status st = check(t->m, "normalizer", p->type, p->object);
    if (st) return st;
    if (same(p->type, "Replace")) {
        st = pattern_of(t->m, p->object, &regex, &from);
        if (!st) st = text_of(t->m, p->object, "content", &to);
        if (st) return st;
    }
    switch (t->kind) {
    case PCS_TOK_BYTES:
        if (same(p->type, "NFC")) return t->nfc = true, PRECIS_OK;
        break;
    case PCS_TOK_SPM:
        if (same(p->type, "Prepend")) return t->prefix = true, PRECIS_OK;
        if (from && !regex && same(from, " ") && same(to, mark)) return t->marks = true, PRECIS_OK;
        break;
    case PCS_TOK_WORDPIECE:
        if (same(p->type, "BertNormalizer")) return t->bert = true, PRECIS_OK;
        break;
    case PCS_TOK_UNIGRAM:
        if (same(p->type, "Precompiled"))
            return t->squeeze = true, pcs_json_find(t->m->ctx, p->object, "precompiled_charsmap", &t->charsmap);
        if (same(p->type, "Strip") || (from && regex && same(from, " {2,}") && (same(to, " ") || same(to, mark))))
            return t->squeeze = true, PRECIS_OK;
        break;
    }
    if (from) return refuse(t->m, "normalizer", "Replace", "pattern", (pcs_json_slice){ from, strlen(from) });
    return refuse(t->m, "normalizer", p->type, NULL, p->object);
}

/* ---- pre-tokenizer
 * --------------------------------------------------------------------------------------------------- */

#define LLAMA3_REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3_WORDS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define MARKED "[^\\r\\n\\p{L}\\p{N}]?"

/* Patterns by which texts are cut, and llama.cpp's names of them (text/pretokenize.c has the scanners). */
static const struct { const char *regex, *name;
} splits[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt-2" },
    { "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt-2" },
    { LLAMA3_WORDS "\\p{N}{1,3}" LLAMA3_REST, "llama-bpe" },
    { "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
      "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
      "llama-bpe" },
    { LLAMA3_WORDS "\\p{N}" LLAMA3_REST, "qwen2" },
    { MARKED UPPER "*" LOWER "+|" MARKED UPPER "+" LOWER "*|\\p{N}" CASED_REST, "tekken" },
    { MARKED UPPER "*" LOWER "+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" MARKED UPPER "+" LOWER
                   "*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}" CASED_REST,
      "gpt-4o" },
};

static precis_status split(pcs_tok_parts *t, const piece *p)
{
    char *regex, *behavior;
    bool is = false;
    pcs_json_slice invert;
    precis_status st = pattern_of(t->m, p->object, &is, &regex);
    if (!st) st = text_of(t->m, p->object, "behavior", &behavior);
    if (!st) st = pcs_json_find(t->m->ctx, p->object, "invert", &invert);
    if (st) return st;
    const bool inverted = pcs_tok_true(invert); /* what matches stays: the same where a pattern matches all there is */
    if (!(same(behavior, "Isolated") && !inverted) && !(same(behavior, "Removed") && inverted))
        return refuse(t->m, "pre_tokenizer", p->type, "behavior",
                      (pcs_json_slice){ behavior ? behavior : "", behavior ? strlen(behavior) : 0 });
    for (size_t i = 0; i < sizeof splits / sizeof *splits && is; i++)
        if (same(regex, splits[i].regex)) t->pre = splits[i].name;
    return t->pre ? PRECIS_OK
                  : refuse(t->m, "pre_tokenizer", p->type, "pattern",
                           (pcs_json_slice){ regex ? regex : "", regex ? strlen(regex) : 0 });
}

static precis_status byte_level(pcs_tok_parts *t, const piece *p, size_t n)
{
    pcs_json_slice cuts;
    if (!n || strcmp(p[n - 1].type, "ByteLevel"))
        return refuse(t->m, "pre_tokenizer", n ? p[n - 1].type : "null of a BPE model without byte_fallback", NULL,
                      (pcs_json_slice){ NULL, 0 });
    precis_status st = pcs_json_find(t->m->ctx, p[n - 1].object, "use_regex", &cuts);
    if (st) return st;
    const bool regex = !cuts.text || pcs_tok_true(cuts);
    if (n == 1 && regex) return t->pre = "gpt-2", PRECIS_OK;
    if (n == 2 && regex && same(p[0].type, "Digits")) return t->pre = "smollm", PRECIS_OK;
    if (n == 2 && !regex && same(p[0].type, "Split")) return split(t, p);
    return refuse(t->m, "pre_tokenizer",
                  n > 2    ? "Sequence of more than two parts"
                  : n == 2 ? p[0].type
                           : "ByteLevel with use_regex false alone",
                  NULL, p[0].object);
}

static precis_status metaspace(pcs_tok_parts *t, const piece *p)
{
    pcs_json_slice prefix;
    char *scheme;
    precis_status st = pcs_json_find(t->m->ctx, p->object, "add_prefix_space", &prefix);
    if (!st) st = text_of(t->m, p->object, "prepend_scheme", &scheme);
    if (!st) t->prefix = scheme ? strcmp(scheme, "never") != 0 : !prefix.text || pcs_tok_true(prefix);
    t->marks = true;
    return st;
}

/* Gemma's: its normalizer has marked the blanks, so that none is left to cut at. */
static precis_status cuts_nothing(pcs_tok_parts *t, const piece *p, bool *yes)
{
    char *text;
    bool regex = false;
    const precis_status st = pattern_of(t->m, p->object, &regex, &text);
    *yes = !st && t->marks && !regex && same(text, " ");
    return st;
}

static precis_status pre_tokenizer(pcs_tok_parts *t, const piece *p, size_t n)
{
    precis_status st = PRECIS_OK;
    bool bert = false;
    for (size_t i = 0; i < n && !st; i++) st = check(t->m, "pre_tokenizer", p[i].type, p[i].object);
    if (st || t->kind == PCS_TOK_BYTES) return st ? st : byte_level(t, p, n);
    for (size_t i = 0; i < n && !st; i++) {
        bool yes = false;
        if (t->kind == PCS_TOK_WORDPIECE) yes = bert = same(p[i].type, "BertPreTokenizer");
        else if (same(p[i].type, "Metaspace")) yes = true, st = metaspace(t, &p[i]);
        else if (t->kind == PCS_TOK_UNIGRAM && same(p[i].type, "WhitespaceSplit")) yes = t->squeeze = true;
        else if (t->kind == PCS_TOK_SPM && same(p[i].type, "Split")) st = cuts_nothing(t, &p[i], &yes);
        if (!st && !yes) st = refuse(t->m, "pre_tokenizer", p[i].type, NULL, p[i].object);
    }
    if (st) return st;
    if (t->kind == PCS_TOK_WORDPIECE && !t->bert)
        return refuse(t->m, "normalizer", "other than BertNormalizer of a WordPiece model", NULL,
                      (pcs_json_slice){ NULL, 0 });
    if (t->kind == PCS_TOK_WORDPIECE && !bert)
        return refuse(t->m, "pre_tokenizer", "other than BertPreTokenizer of a WordPiece model", NULL,
                      (pcs_json_slice){ NULL, 0 });
    if (t->kind != PCS_TOK_WORDPIECE && !t->marks)
        return refuse(t->m, "normalizer or pre_tokenizer",
                      "that leaves blanks unmarked (neither Metaspace nor Replace)", NULL, (pcs_json_slice){ NULL, 0 });
    return PRECIS_OK;
}

/* ---- post-processor
 * -------------------------------------------------------------------------------------------------- */

/* The id of a special token of a template: special_tokens[name].ids[0]. */
static precis_status special_id(pcs_tok_parts *t, pcs_json_slice specials, const char *name, int64_t *id)
{
    pcs_tok_walk w, ids;
    pcs_json_slice list = { NULL, 0 };
    char *key;
    size_t len, n = 0;
    *id = -1;
    if (!specials.text)
        return refuse(t->m, "post_processor", "TemplateProcessing without special_tokens", NULL, specials);
    for (pcs_tok_walk_begin(&w, t->m->ctx, specials); pcs_tok_walk_next(&w);) {
        if ((w.st = pcs_json_string(&w.j, &w.key, &t->m->arena, &key, &len))) return w.st;
        if (!strcmp(key, name) && (w.st = pcs_json_find(t->m->ctx, w.value, "ids", &list))) return w.st;
    }
    if (w.st) return w.st;
    if (!list.text)
        return refuse(t->m, "post_processor", "TemplateProcessing", "special token",
                      (pcs_json_slice){ name, strlen(name) });
    for (pcs_tok_walk_begin(&ids, t->m->ctx, list); pcs_tok_walk_next(&ids); n++)
        *id = strtoll(ids.value.text, NULL, 10);
    return ids.st ? ids.st : n == 1 ? PRECIS_OK : refuse(t->m, "post_processor", "TemplateProcessing", "ids", list);
}

static precis_status template(pcs_tok_parts *t, pcs_json_slice object)
{
    pcs_json_slice single, specials, special, sequence;
    pcs_tok_walk w;
    bool text = false;
    precis_status st = pcs_json_find(t->m->ctx, object, "single", &single);
    if (!st) st = pcs_json_find(t->m->ctx, object, "special_tokens", &specials);
    if (st) return st;
    if (!single.text || single.text[0] != '[')
        return refuse(t->m, "post_processor", "TemplateProcessing without a list of its parts (single)", NULL, object);
    for (pcs_tok_walk_begin(&w, t->m->ctx, single); pcs_tok_walk_next(&w);) {
        char *name;
        int64_t id;
        st = pcs_json_find(t->m->ctx, w.value, "SpecialToken", &special);
        if (!st) st = pcs_json_find(t->m->ctx, w.value, "Sequence", &sequence);
        if (!st && !special.text && sequence.text && !text) {
            text = true;
            continue;
        }
        if (!st && !special.text) return refuse(t->m, "post_processor", "TemplateProcessing", "single", single);
        if (!st) st = text_of(t->m, special, "id", &name);
        if (!st && !name) return refuse(t->m, "post_processor", "TemplateProcessing", "single", single);
        if (!st) st = special_id(t, specials, name, &id);
        if (st) return st;
        if ((text ? t->last : t->first) >= 0)
            return refuse(t->m, "post_processor", "TemplateProcessing with more than one token on a side of the text",
                          NULL, object);
        *(text ? &t->last : &t->first) = id;
    }
    return w.st;
}

/* ["text", id] */
static precis_status pair_id(pcs_tok_parts *t, pcs_json_slice object, const char *key, int64_t *id)
{
    pcs_json_slice pair;
    pcs_tok_walk w;
    precis_status st = pcs_json_find(t->m->ctx, object, key, &pair);
    if (st || !pair.text) return st;
    for (pcs_tok_walk_begin(&w, t->m->ctx, pair); pcs_tok_walk_next(&w);)
        if (w.value.text[0] != '"') *id = strtoll(w.value.text, NULL, 10);
    return w.st;
}

static precis_status post_processor(pcs_tok_parts *t, const piece *p)
{
    precis_status st = check(t->m, "post_processor", p->type, p->object);
    if (st || same(p->type, "ByteLevel")) return st; /* it moves places, not ids */
    if (same(p->type, "TemplateProcessing")) return template(t, p->object);
    if (!same(p->type, "RobertaProcessing") && !same(p->type, "BertProcessing"))
        return refuse(t->m, "post_processor", p->type, NULL, p->object);
    st = pair_id(t, p->object, "cls", &t->first);
    return st ? st : pair_id(t, p->object, "sep", &t->last);
}

/* ---- all
 * ----------------------------------------------------------------------------------------------------------------- */

static precis_status model_part(pcs_tok_parts *t, pcs_json_slice model)
{
    static const struct {
        const char *type;
        pcs_tok_kind kind;
    } kinds[] = { { "BPE", PCS_TOK_BYTES }, { "WordPiece", PCS_TOK_WORDPIECE }, { "Unigram", PCS_TOK_UNIGRAM } };
    pcs_json_slice fallback = { 0 }, ignore = { 0 }, fuse = { 0 }, unk_id = { 0 }, unk_token = { 0 };
    const wanted keys[] = { { "vocab", &t->words },         { "merges", &t->merges },
                            { "byte_fallback", &fallback }, { "ignore_merges", &ignore },
                            { "fuse_unk", &fuse },          { "unk_id", &unk_id },
                            { "unk_token", &unk_token },    { NULL, NULL } };
    char *type, *unk;
    size_t row = 0, len;
    precis_status st = text_of(t->m, model, "type", &type);
    if (st) return st;
    if (!type) type = (char *)(uintptr_t)"BPE"; /* the first files had no other */
    while (row < 3 && strcmp(kinds[row].type, type)) row++;
    if (row == 3) return refuse(t->m, "model", type, NULL, model);
    t->kind = kinds[row].kind;
    st = check_keys(t->m, "model", type, model, keys);
    if (!st) st = pcs_tok_string(t->m, unk_token, &unk, &len);
    if (st) return st;
    t->unk = unk;
    t->byte_fallback = pcs_tok_true(fallback);
    t->ignore_merges = pcs_tok_true(ignore);
    t->fuse_unk = pcs_tok_true(fuse);
    if (unk_id.text && unk_id.text[0] >= '0' && unk_id.text[0] <= '9') t->unk_id = strtoll(unk_id.text, NULL, 10);
    if (t->kind == PCS_TOK_BYTES && t->byte_fallback) t->kind = PCS_TOK_SPM;
    if (!t->words.text || (row == 0 && !t->merges.text))
        return pcs_fail_at(t->m->ctx, PRECIS_EFORMAT, 0, "model", "tokenizer.json has no vocabulary or merges");
    return PRECIS_OK;
}

static precis_status decoder(precis_model *m, pcs_json_slice s)
{
    /* each kind of GGUF's has its own decoder; these are what the kinds' files say of it */
    static const char *const known[] = { "ByteLevel",    "WordPiece", "Metaspace", "Replace",
                                         "ByteFallback", "Fuse",      "Strip" };
    pieces_list parts = { .n = 0 };
    pcs_json_slice type, inner;
    precis_status st = pcs_tok_null(s) ? PRECIS_OK : pcs_json_find(m->ctx, s, "type", &type);
    if (st || pcs_tok_null(s)) return st;
    if (literal(type, "\"Sequence\"")) {
        pcs_tok_walk w;
        if ((st = pcs_json_find(m->ctx, s, "decoders", &inner)) || !inner.text) return st;
        for (pcs_tok_walk_begin(&w, m->ctx, inner); pcs_tok_walk_next(&w);)
            if ((w.st = pieces_of(m, "decoder", "decoders", w.value, &parts, 4))) return w.st;
        if (w.st) return w.st;
    } else if ((st = pieces_of(m, "decoder", "decoders", s, &parts, 4))) return st;
    for (size_t i = 0; i < parts.n; i++) {
        const char *name = parts.p[i].type;
        size_t k = 0;
        while (k < sizeof known / sizeof *known && strcmp(known[k], name)) k++;
        if (k == sizeof known / sizeof *known) return refuse(m, "decoder", name, NULL, s);
    }
    return PRECIS_OK;
}

precis_status pcs_tok_read_parts(precis_model *m, pcs_json_slice text, pcs_tok_parts *t)
{
    pcs_json_slice model = { 0 }, normal = { 0 }, pre = { 0 }, post = { 0 }, decode = { 0 };
    /* truncation and padding: transformers sets them anew at every call; a text is neither cut nor padded here */
    const struct { const char *key; pcs_json_slice *to;
    } keys[] = { { "version", NULL },           { "truncation", NULL },    { "padding", NULL },
                 { "added_tokens", &t->added }, { "normalizer", &normal }, { "pre_tokenizer", &pre },
                 { "post_processor", &post },   { "decoder", &decode },    { "model", &model } };
    pieces_list parts = { .n = 0 };
    size_t len;
    pcs_tok_walk w;
    *t = (pcs_tok_parts){ .m = m, .unk_id = -1, .first = -1, .last = -1 };
    for (pcs_tok_walk_begin(&w, m->ctx, text); pcs_tok_walk_next(&w);) {
        size_t i = 0;
        char *key;
        while (i < sizeof keys / sizeof *keys && !pcs_json_is(&w.key, keys[i].key)) i++;
        if (i == sizeof keys / sizeof *keys) {
            w.st = pcs_json_string(&w.j, &w.key, &m->arena, &key, &len);
            return w.st ? w.st : refuse(m, "key", key, NULL, w.value);
        }
        if (keys[i].to && keys[i].to->text) return pcs_json_fail(&w.j, w.key.text, keys[i].key, "appears twice");
        if (keys[i].to) *keys[i].to = w.value;
    }
    if (w.st) return w.st;
    if (pcs_tok_null(model)) return pcs_fail_at(m->ctx, PRECIS_EFORMAT, 0, "model", "tokenizer.json has no model");
    if (pcs_tok_null(t->added)) t->added.text = NULL;
    precis_status st = model_part(t, model);
    if (!st) st = pieces_of(m, "normalizer", "normalizers", normal, &parts, 0);
    for (size_t i = 0; i < parts.n && !st; i++) st = normalizer(t, &parts.p[i]);
    parts.n = 0;
    if (!st) st = pieces_of(m, "pre_tokenizer", "pretokenizers", pre, &parts, 0);
    if (!st) st = pre_tokenizer(t, parts.p, parts.n);
    parts.n = 0;
    if (!st) st = pieces_of(m, "post_processor", "processors", post, &parts, 0);
    for (size_t i = 0; i < parts.n && !st; i++) st = post_processor(t, &parts.p[i]);
    return st ? st : decoder(m, decode);
}
