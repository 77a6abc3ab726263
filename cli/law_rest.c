#include "law.h"
static const cli_option no[] = { { 0 } }; static int nothing(cli *c) { (void)c; return 0; }
const cli_command law_plot = { .name = "law plot", .args = "", .summary = "", .options = no, .run = nothing };
