#include "law.h"
static const cli_option no[] = { { 0 } }; static int nothing(cli *c) { (void)c; return 0; }
const cli_command law_advise = { .name = "law advise", .args = "", .summary = "", .options = no, .run = nothing };
const cli_command law_predict = { .name = "law predict", .args = "", .summary = "", .options = no, .run = nothing };
const cli_command law_optimal = { .name = "law optimal", .args = "", .summary = "", .options = no, .run = nothing };
const cli_command law_critical = { .name = "law critical", .args = "", .summary = "", .options = no, .run = nothing };
const cli_command law_isoloss = { .name = "law isoloss", .args = "", .summary = "", .options = no, .run = nothing };
const cli_command law_isocost = { .name = "law isocost", .args = "", .summary = "", .options = no, .run = nothing };
const cli_command law_compare = { .name = "law compare", .args = "", .summary = "", .options = no, .run = nothing };
const cli_command law_plot = { .name = "law plot", .args = "", .summary = "", .options = no, .run = nothing };
