#ifndef ROLLCALL_LOOPS_H
#define ROLLCALL_LOOPS_H

#include "node-abi.h"

/* In the fork server, before its first fork: which descriptors its event loops wait on. */
void note_loops(void);
/* In a process that was forked: gives its event loops descriptors of their own. False when it cannot. */
bool own_loops(napi_env env);

#endif
