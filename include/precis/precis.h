/* precis/precis.h - everything. */
#ifndef PRECIS_PRECIS_H
#define PRECIS_PRECIS_H

#include "precis/array.h"
#include "precis/base.h"
#include "precis/bench.h"
#include "precis/chat.h"
#include "precis/convert.h"
#include "precis/eval.h"
#include "precis/eval_net.h"
#include "precis/graph.h"
#include "precis/input.h"
#include "precis/job.h"
#include "precis/law.h"
#include "precis/law_fit.h"
#include "precis/memory.h"
#include "precis/net.h"
#include "precis/plan.h"
#include "precis/profile.h"
#include "precis/quant.h"
#include "precis/quant_net.h"
#include "precis/read.h"
#include "precis/record.h"
#include "precis/report.h"
#include "precis/run.h"
#include "precis/samples.h"
#include "precis/session.h"
#include "precis/suite.h"
#include "precis/task.h"
#include "precis/text.h"
#include "precis/train.h"

#endif /* PRECIS_PRECIS_H */
