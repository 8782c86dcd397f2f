/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <stdio.h>

#include "cli/common/jobfields.h"
#include "cli/common/jobid.h"
#include "cli/common/json.h"
#include "cli/common/states.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

/* A job's text may be any bytes; JSON may not. */
json_t *json_text(const char *s)
{
	json_t *t;
	struct om_buf clean = OM_BUF_INIT;

	if (!s || !*s)
		return json_null();
	t = json_string(s);
	if (t)
		return t;
	for (; *s; s++)
		om_buf_addc(&clean, (unsigned char)*s < 0x80 ? *s : '?');
	t = json_string(om_buf_str(&clean));
	om_buf_fini(&clean);
	return t;
}

json_t *json_when(int64_t ns)
{
	if (ns <= 0)
		return json_null();
	return json_real((double)(ns / OM_NS_PER_MS) / 1e3);
}

#define SET(key, value) json_object_set_new(o, key, value)

static json_t *integer_or_null(bool known, int64_t v)
{
	return known ? json_integer(v) : json_null();
}

static json_t *json_id(const Om__JobInfo *j)
{
	struct om_buf b = OM_BUF_INIT;
	json_t *t;

	jobid_add(j, &b);
	t = json_string(om_buf_str(&b));
	om_buf_fini(&b);
	return t;
}

static json_t *json_usage(const Om__Usage *u)
{
	json_t *o;

	if (!u)
		return json_null();
	o = json_object();
	SET("user_s", json_real((double)u->user_us / 1e6));
	SET("system_s", json_real((double)u->system_us / 1e6));
	SET("max_rss_bytes", json_integer((json_int_t)u->max_rss));
	SET("moves", json_integer(u->moves));
	SET("freeze_s", json_real((double)u->freeze_us / 1e6));
	return o;
}

static json_t *json_exit(bool over, unsigned value)
{
	return integer_or_null(over, value);
}

static json_t *json_step(const Om__StepInfo *s)
{
	bool over = state_is_over(s->state);
	json_t *o = json_object();

	SET("step_id", s->step_id == 0xfffffffeu ? json_string("batch") :
						    json_integer(s->step_id));
	SET("name", json_text(s->name));
	SET("state", json_string(state_name(s->state)));
	SET("tasks", json_integer(s->tasks));
	SET("nodelist", json_text(s->nodelist));
	SET("start_time", json_when(s->start_ns));
	SET("end_time", json_when(s->end_ns));
	SET("exit_code", json_exit(over, s->exit_code));
	SET("exit_signal", json_exit(over, s->exit_signal));
	SET("usage", json_usage(s->usage));
	return o;
}

static json_t *json_steps(const Om__JobInfo *j)
{
	json_t *list = json_array();

	for (size_t i = 0; i < j->n_step; i++)
		json_array_append_new(list, json_step(j->step[i]));
	return list;
}

static void set_request(json_t *o, const Om__JobInfo *j)
{
	bool limited = j->time_limit_s > 0 &&
		       j->time_limit_s != OM_DURATION_UNLIMITED;

	SET("tasks", integer_or_null(j->has_tasks, j->tasks));
	SET("nodes", integer_or_null(j->has_nodes, j->nodes));
	SET("cpus", integer_or_null(j->has_cpus, j->cpus));
	SET("mem_bytes", integer_or_null(j->mem != 0, (json_int_t)j->mem));
	SET("time_limit_s", integer_or_null(limited, j->time_limit_s));
	SET("priority", integer_or_null(j->has_priority, j->priority));
	SET("dependency", json_text(j->dependency));
	SET("cluster_mask", json_text(j->cluster_mask));
	SET("load_limit", j->load_limit > 0 ? json_real(j->load_limit) :
					      json_null());
	SET("migrate", json_string(migrate_name(j->migrate)));
}

static void set_times(json_t *o, const Om__JobInfo *j, int64_t now_ns)
{
	int64_t elapsed = jobfield_elapsed(j, now_ns);

	SET("submit_time", json_when(j->submit_ns));
	SET("eligible_time", json_when(j->eligible_ns));
	SET("start_time", json_when(j->start_ns));
	SET("end_time", json_when(j->end_ns));
	SET("elapsed_s", integer_or_null(elapsed >= 0, elapsed));
}

json_t *json_job(const Om__JobInfo *j, int64_t now_ns)
{
	bool over = state_is_over(j->state);
	json_t *o = json_object();

	SET("job_id", json_integer((json_int_t)j->job_id));
	SET("id", json_id(j));
	SET("array_id", integer_or_null(j->array_id != 0,
					(json_int_t)j->array_id));
	SET("array_index", integer_or_null(j->array_id && j->has_array_index,
					   j->array_index));
	SET("array_pending", json_text(j->array_pending));
	SET("name", json_text(j->name));
	SET("kind", json_string(kind_name(j->kind)));
	SET("state", json_string(state_name(j->state)));
	SET("reason", json_text(jobfield_waits_for(j) ? j->reason :
						       NULL));
	SET("reason_text", json_text(jobfield_has_text(j) ?
				     j->reason_text : NULL));
	SET("user", json_text(j->user));
	SET("uid", json_integer(j->uid));
	SET("gid", json_integer(j->gid));
	SET("account", json_text(j->account));
	SET("partition", json_text(j->partition));
	SET("comment", json_text(j->comment));
	set_request(o, j);
	SET("nodelist", json_text(j->nodelist));
	set_times(o, j, now_ns);
	SET("exit_code", json_exit(over, j->exit_code));
	SET("exit_signal", json_exit(over, j->exit_signal));
	SET("restarts", json_integer(j->restarts));
	SET("usage", json_usage(j->usage));
	SET("chdir", json_text(j->cwd));
	SET("output", json_text(j->std_out));
	SET("submit_host", json_text(j->submit_host));
	SET("steps", json_steps(j));
	return o;
}

/* ---- nodes */

static json_t *json_words(char *const *words, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_text(words[i]));
	return list;
}

static json_t *limit_or_null(double v)
{
	return v > 0 ? json_real(v) : json_null();
}

static void set_topology(json_t *o, const Om__Topology *t)
{
	SET("cpus", integer_or_null(t, t ? t->cpus : 0));
	SET("cores", integer_or_null(t, t ? t->cores : 0));
	SET("sockets", integer_or_null(t, t ? t->sockets : 0));
	SET("numa_nodes", integer_or_null(t, t ? t->numa_nodes : 0));
	SET("memory_bytes", integer_or_null(t, t ? (json_int_t)t->memory : 0));
	SET("cpu_model", json_text(t ? t->cpu_model : NULL));
	SET("architecture", json_text(t ? t->architecture : NULL));
	SET("kernel", json_text(t ? t->kernel : NULL));
}

static json_t *reading(bool known, double v)
{
	return known ? json_real(v) : json_null();
}

static void set_report(json_t *o, const Om__NodeReport *r)
{
	static const Om__NodeReport none = OM__NODE_REPORT__INIT;

	if (!r)
		r = &none;
	SET("load", reading(r->has_load, r->load));
	SET("load_local", reading(r->has_load_local, r->load_local));
	SET("load_guest", reading(r->has_load_guest, r->load_guest));
	SET("idle", reading(r->has_idle, r->idle));
	SET("mem_free_bytes", integer_or_null(r->has_mem_free,
					      (json_int_t)r->mem_free));
	SET("net_rx_bytes_s", integer_or_null(r->has_net_rx,
					      (json_int_t)r->net_rx));
	SET("net_tx_bytes_s", integer_or_null(r->has_net_tx,
					      (json_int_t)r->net_tx));
	SET("disk_free_bytes", integer_or_null(r->has_disk_free,
					       (json_int_t)r->disk_free));
}

json_t *json_node(const Om__NodeInfo *n)
{
	json_t *o = json_object();

	SET("name", json_text(n->name));
	SET("state", json_text(n->state));
	SET("address", json_text(n->address));
	SET("partitions", json_words(n->partition, n->n_partition));
	SET("features", json_words(n->feature, n->n_feature));
	SET("speed", limit_or_null(n->speed));
	set_topology(o, n->topology);
	set_report(o, n->report);
	SET("cpus_allocated", json_integer(n->cpus_alloc));
	SET("mem_allocated_bytes", json_integer((json_int_t)n->mem_alloc));
	SET("jobs", json_integer(n->jobs));
	SET("drain", json_boolean(n->drain));
	SET("reason", json_text(n->reason));
	SET("reason_user", json_text(n->reason_user));
	SET("reason_time", json_when(n->reason_ns));
	SET("seen_time", json_when(n->seen_ns));
	SET("load_limit", limit_or_null(n->load_limit));
	SET("load_limit_local", limit_or_null(n->load_limit_local));
	SET("load_limit_guest", limit_or_null(n->load_limit_guest));
	SET("guest_cpu_percent", integer_or_null(n->guest_cpu != 0,
						 n->guest_cpu));
	SET("block", json_boolean(n->block));
	SET("stay", json_boolean(n->stay));
	SET("local_stay", json_boolean(n->local_stay));
	SET("quiet", json_boolean(n->quiet));
	SET("version", json_text(n->version));
	return o;
}

/* ---- printing */

static bool first_item;

void json_list_begin(const char *key)
{
	printf("{\"%s\": [", key);
	first_item = true;
}

void json_list_item(json_t *item)
{
	fputs(first_item ? "\n  " : ",\n  ", stdout);
	first_item = false;
	json_dumpf(item, stdout, JSON_ENSURE_ASCII);
	json_decref(item);
}

void json_list_end(void)
{
	fputs(first_item ? "]}\n" : "\n]}\n", stdout);
}

void json_print(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(object);
}
