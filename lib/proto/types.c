/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* types: the one table of message types; see types.h. */
#include "lib/proto/openmosix.pb-c.h"
#include "lib/proto/types.h"

#define KIB 1024u
#define MIB (1024u * KIB)

#define C OM_ROLE_CLIENT
#define N OM_ROLE_NODE
#define S OM_ROLE_STEP
#define D OM_ROLE_CTLD

#define T(type, name, body, senders, max) \
	{ OM_MSG_##type, name, &om__##body##__descriptor, senders, max }

static const struct om_msg_type table[] = {
	T(HELLO, "hello", hello, D | C, 256),
	T(AUTH, "auth", auth, C | N | S | D, 8 * KIB),
	T(WELCOME, "welcome", welcome, D | C, 512),
	T(REPLY, "reply", reply, OM_ROLE_ANY, 64 * KIB),
	T(PING, "ping", empty, C | N, 64),
	T(PING_REPLY, "ping-reply", ping_reply, D, 4 * KIB),

	T(SUBMIT, "submit", submit, C, 8 * MIB),
	T(SUBMITTED, "submitted", submitted, D, 64 * KIB),
	T(JOB_LIST, "job-list", job_list, C, 1 * MIB),
	T(JOB_LIST_REPLY, "job-list-reply", job_list_reply, D, 256 * MIB),
	T(JOB_CONTROL, "job-control", job_control, C, 1 * MIB),
	T(JOB_CONTROL_REPLY, "job-control-reply", job_control_reply, D, 4 * MIB),
	T(JOB_WAIT, "job-wait", job_wait, C, 64),
	T(JOB_INFO, "job-info", job_info, D, 1 * MIB),
	T(JOB_WHY, "job-why", job_why, C, 64),
	T(JOB_WHY_REPLY, "job-why-reply", job_why_reply, D, 256 * KIB),
	T(JOB_EVENT, "job-event", job_event, D, 4 * MIB),
	T(HISTORY, "history", job_list, C, 1 * MIB),

	T(STEP_CREATE, "step-create", step_create, C, 8 * MIB),
	T(STEP_CREATED, "step-created", step_created, D, 4 * MIB),
	T(STEP_EVENT, "step-event", step_event, D, 64 * KIB),
	T(STEP_SIGNAL, "step-signal", step_signal, C, 64),

	T(NODE_LIST, "node-list", node_list, C, 64 * KIB),
	T(NODE_LIST_REPLY, "node-list-reply", node_list_reply, D, 64 * MIB),
	T(NODE_CONTROL, "node-control", node_control, C, 64 * KIB),

	T(CONFIG_SHOW, "config-show", config_show, C, 1 * KIB),
	T(CONFIG_SHOW_REPLY, "config-show-reply", config_show_reply, D, 1 * MIB),
	T(CONFIG_SET, "config-set", config_set, C, 64 * KIB),

	T(NODE_REGISTER, "node-register", node_register, N, 8 * MIB),
	T(NODE_ACCEPTED, "node-accepted", node_accepted, D, 4 * KIB),
	T(NODE_REPORT, "node-report", node_report, N, 1 * KIB),
	T(STEP_LAUNCH, "step-launch", step_launch, D, 16 * MIB),
	T(STEP_STARTED, "step-started", step_started, N | S, 1 * MIB),
	T(STEP_EXIT, "step-exit", step_exit, N | S, 1 * MIB),
	T(STEP_ACK, "step-ack", step_ack, D, 64),
	T(STEP_KILL, "step-kill", step_kill, D, 128),
	T(JOB_END, "job-end", job_end, D, 64),
	T(JOB_CLEAN, "job-clean", job_clean, N, 4 * KIB),
	T(JOB_LIMIT, "job-limit", job_limit, D, 64),
	T(STEP_USER, "step-user", step_user, D, 1 * MIB),

	T(IO_HELLO, "io-hello", io_hello, S, 256),
	T(IO_DATA, "io-data", io_data, S | C, 256 * KIB),
	T(IO_WINDOW, "io-window", io_window, C, 64),
	T(IO_SIGNAL, "io-signal", step_signal, C, 64),
	T(IO_EXIT, "io-exit", task_exit, S, 64),
};

#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

const struct om_msg_type *om_msg_lookup(uint32_t type)
{
	for (size_t i = 0; i < TABLE_LEN; i++)
		if (table[i].type == type)
			return table + i;
	return NULL;
}

const struct om_msg_type *om_msg_at(size_t i)
{
	return i < TABLE_LEN ? table + i : NULL;
}
