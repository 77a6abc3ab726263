/* precis report - what a third party can check. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const cli_option options[] = {
    { "--attest", 0, "KEY",
      "sign a manifest (OUT.manifest.json) with an Ed25519 key: a dated in-toto statement about OUT" },
    { "--verify", 0, "PUBLIC",
      "check an attestation, and the files that it names, against a public key: exit 0, or 1 when it does not hold" },
    { "--output", 'o', "OUT.json", "the attestation (default: OUT.attestation.json)" },
    { "--new-key", 0, "OUT", "make a pair of keys: KEY and KEY.pub" },
    { 0 },
};

static int attest(cli *c)
{
    const char *manifest = c->args[0], *given = cli_get(c, "--output"), *tail = strstr(manifest, ".manifest.json");
    char *made = NULL;
    if (!given) {
        const size_t n = tail ? (size_t)(tail - manifest) : strlen(manifest);
        made = cli_grow(NULL, n + 32);
        if (!made) return cli_no_memory(c);
        snprintf(made, n + 32, "%.*s.attestation.json", (int)n, manifest);
    }
    const char *out = given ? given : made;
    const int apart = cli_apart(c, out);
    if (apart >= 0) {
        free(made);
        return apart;
    }
    const precis_status st = precis_attest(c->ctx, manifest, cli_get(c, "--attest"), out, (int64_t)time(NULL));
    int rc = st ? cli_fail(c, st) : -1;
    if (rc < 0) {
        if (c->json) rc = cli_print_json(c, json_pack("{s:s}", "out", out));
        else printf("wrote %s\n", out), rc = cli_done(c);
    }
    free(made);
    return rc;
}

static int verify(cli *c)
{
    precis_attestation r = { .size = sizeof r };
    const precis_status st = precis_attest_verify(c->ctx, c->args[0], cli_get(c, "--verify"), &r);
    if (st) return cli_fail(c, st);
    int rc;
    if (c->json)
        rc = cli_print_json(c, json_pack("{s:b, s:s, s:s, s:i, s:i, s:i, s:s}", "valid", r.valid, "created", r.created,
                                         "key", r.key, "checked", (int)r.checked, "absent", (int)r.absent, "changed",
                                         (int)r.changed, "why", r.why));
    else {
        if (r.valid)
            printf("VALID: signed %s by key %.16s...; %u files are as they were signed%s\n", r.created, r.key,
                   r.checked, r.absent ? ", others are not here" : "");
        else printf("NOT VALID: %s\n", r.why);
        rc = cli_done(c);
    }
    return rc ? rc : r.valid ? EXIT_DONE : EXIT_NEGATIVE;
}

static int run(cli *c)
{
    if (cli_has(c, "--attest") + cli_has(c, "--verify") + cli_has(c, "--new-key") != 1)
        return cli_usage(c, "give one of --attest KEY, --verify PUBLIC and --new-key KEY");
    if (cli_has(c, "--new-key")) {
        const precis_status st = c->n_args ? PRECIS_EINVAL : precis_attest_new_key(c->ctx, cli_get(c, "--new-key"));
        if (c->n_args) return cli_usage(c, "--new-key takes no file");
        if (st) return cli_fail(c, st);
        if (!c->quiet)
            printf("wrote %s (keep it secret) and %s.pub\n", cli_get(c, "--new-key"), cli_get(c, "--new-key"));
        return cli_done(c);
    }
    if (!c->n_args)
        return cli_usage(c, cli_has(c, "--attest") ? "--attest KEY wants OUT.manifest.json"
                                                   : "--verify PUBLIC wants the attestation");
    return cli_has(c, "--attest") ? attest(c) : verify(c);
}

const cli_command cli_report = {
    "report", "[FILE]", "signed statements about quantized models, and their verification",
    "An attestation is an in-toto statement in a DSSE envelope: which "
    "file, from which model, with which manifest, when.\n"
    "The manifest itself has no date and no names of hosts, so that it is the same for the same inputs.",
    0, 1, options, run,
    "  precis report --new-key signing.pem\n"
    "  precis report small.gguf.manifest.json --attest signing.pem\n"
    "  precis report small.gguf.attestation.json --verify signing.pem.pub\n",
    NULL
};
