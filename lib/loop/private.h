/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* private: what the files of lib/loop share; nobody else includes it. */
#ifndef OM_LOOP_PRIVATE_H
#define OM_LOOP_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "lib/loop/loop.h"

struct event_base *om_loop_base(const struct om_loop *loop);

#endif
