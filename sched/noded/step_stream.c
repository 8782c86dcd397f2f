/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * step_stream: tasks' stdio, streamed to the client that started the step.
 *
 *   task --pipe--> channel --IoData--> omrun        (stream 1, 2)
 *   task <-pipe--- channel <-IoData--- omrun        (stream 0)
 *   task <== pty == channel (both ways, stream 1 out, 0 in)
 *
 * We are the client of that connection: it goes to the host and port that the
 * launch names, and whoever answers must be the job's user by munge. It is
 * sealed. While much is queued the tasks' pipes are not read, so that a slow
 * terminal slows the tasks down and costs no memory here. When the client is
 * gone the step is hung up.
 */
#include <fcntl.h>
#include <signal.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <utlist.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/net/conn.h"
#include "sched/noded/step_private.h"

#define CHUNK 65536
#define QUEUED_MAX (1u << 20)
#define QUEUED_LOW (256u << 10)
#define STDIN_MAX (1u << 20)
#define FLOW_NS (5 * OM_NS_PER_MS)
#define CTRL_D "\004"

struct channel {
	struct step *step;
	uint32_t rank, stream;	/* of what it reads; a writer has stream 0 */
	int fd;			/* -1: over */
	bool pty, eof_asked;
	struct om_watch *watch;
	struct om_buf in;	/* for the task, not written yet */
	struct channel *next;
};

struct step_stream {
	struct om_conn *conn;
	struct channel *readers, *writers;
	struct om_timer *flow;
	int master;		/* of the pty, owned by its channels */
	bool ready, held, finishing, done;
};

/* ------------------------------------------------------------------ channels */

static void channel_stop(struct channel *ch)
{
	om_watch_destroy(om_take(ch->watch));
	/* a pty's two channels have descriptors of their own (dup) */
	om_cleanup_fd(&ch->fd);
	ch->fd = -1;
	om_buf_fini(&ch->in);
}

static void check_done(struct step *s);

static void send_data(struct channel *ch, const void *data, size_t len)
{
	struct step_stream *st = ch->step->stream;
	Om__IoData m = OM__IO_DATA__INIT;
	int rc;

	if (!st->ready)
		return;
	m.rank = ch->rank;
	m.stream = ch->stream;
	m.has_data = len > 0;
	m.data.data = (uint8_t *)data;
	m.data.len = len;
	rc = om_conn_send(st->conn, OM_MSG_IO_DATA, 0, &m.base);
	if (rc < 0)
		om_log_error("output lost job=%" PRIu64 ": %s",
			     ch->step->req->job_id, strerror(-rc));
}

static void hold_readers(struct step_stream *st, bool hold)
{
	struct channel *ch;

	st->held = hold;
	LL_FOREACH(st->readers, ch)
		if (ch->watch)
			om_watch_set(ch->watch, hold ? 0 : OM_LOOP_READ);
	if (hold)
		om_timer_start(st->flow, FLOW_NS, FLOW_NS);
	else
		om_timer_stop(st->flow);
}

static void on_flow(void *arg)
{
	struct step *s = arg;

	if (om_conn_queued(s->stream->conn) < QUEUED_LOW)
		hold_readers(s->stream, false);
}

static void on_readable(void *arg, int fd, int events)
{
	struct channel *ch = arg;
	struct step *s = ch->step;
	char buf[CHUNK];
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		send_data(ch, buf, (size_t)n);
		if (om_conn_queued(s->stream->conn) > QUEUED_MAX)
			hold_readers(s->stream, true);
		return;
	}
	/* A pty answers EIO when its last process is gone. */
	send_data(ch, NULL, 0);
	channel_stop(ch);
	check_done(s);
}

/* Not before all have taken theirs: one that never reads would else have all
 * that the others are sent laid up for it. */
static void resume_input(struct step_stream *st)
{
	const struct channel *ch;

	LL_FOREACH(st->writers, ch)
		if (om_buf_len(&ch->in) >= STDIN_MAX / 4)
			return;
	if (st->conn)
		om_conn_pause(st->conn, false);
}

static void on_writable(void *arg, int fd, int events)
{
	struct channel *ch = arg;
	struct step_stream *st = ch->step->stream;
	ssize_t n = write(fd, om_buf_str(&ch->in), om_buf_len(&ch->in));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {		/* the task does not want to read any more */
		channel_stop(ch);
		resume_input(st);
		return;
	}
	om_buf_consume(&ch->in, (size_t)n);
	resume_input(st);
	if (om_buf_len(&ch->in))
		return;
	om_watch_set(ch->watch, 0);
	if (ch->eof_asked)
		channel_stop(ch);
}

static struct channel *channel_add(struct step *s, struct channel **list,
				   uint32_t rank, uint32_t stream, int fd)
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (!ch) {
		close(fd);
		return NULL;
	}
	ch->step = s;
	ch->rank = rank;
	ch->stream = stream;
	ch->fd = fd;
	ch->watch = om_watch_create(s->loop, fd, stream && s->stream->ready &&
				    !s->stream->held ? OM_LOOP_READ : 0,
				    stream ? on_readable : on_writable, ch,
				    NULL);
	if (!ch->watch || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		channel_stop(ch);
		free(ch);
		return NULL;
	}
	LL_APPEND(*list, ch);
	return ch;
}

/* ------------------------------------------------------------- from the client */

static void give(struct channel *ch, const Om__IoData *m)
{
	struct step_stream *st = ch->step->stream;

	if (ch->fd < 0 || ch->eof_asked)
		return;
	if (m->has_data && m->data.len) {
		if (om_buf_add(&ch->in, m->data.data, m->data.len) < 0)
			om_log_error("input lost: out of memory");
	} else if (ch->pty) {
		om_buf_adds(&ch->in, CTRL_D);
	} else {
		ch->eof_asked = true;
		if (!om_buf_len(&ch->in)) {
			channel_stop(ch);
			return;
		}
	}
	om_watch_set(ch->watch, OM_LOOP_WRITE);
	if (om_buf_len(&ch->in) > STDIN_MAX)
		om_conn_pause(st->conn, true);
}

static void on_window(struct step_stream *st, const Om__IoWindow *m)
{
	struct winsize w = {
		.ws_row = (unsigned short)m->rows,
		.ws_col = (unsigned short)m->cols,
	};

	if (st->master >= 0)
		ioctl(st->master, TIOCSWINSZ, &w);
}

static void on_message(void *arg, struct om_conn *c, enum om_msg type,
		       uint32_t id, const ProtobufCMessage *body)
{
	struct step *s = arg;
	const Om__IoData *data = (const Om__IoData *)body;
	const Om__StepSignal *sig = (const Om__StepSignal *)body;
	struct channel *ch;

	(void)c;
	(void)id;
	if (type == OM_MSG_IO_DATA) {
		LL_FOREACH(s->stream->writers, ch)
			if (data->rank == OM_RANK_ALL || data->rank == ch->rank)
				give(ch, data);
	} else if (type == OM_MSG_IO_WINDOW) {
		on_window(s->stream, (const Om__IoWindow *)body);
	} else if (type == OM_MSG_IO_SIGNAL && sig->signal < NSIG) {
		step_signal(s, (int)sig->signal, false);
	}
}

static void on_ready(void *arg, struct om_conn *c, const struct om_peer *peer)
{
	struct step *s = arg;
	Om__IoHello m = OM__IO_HELLO__INIT;

	(void)peer;
	m.job_id = s->req->job_id;
	m.step_id = s->req->step_id;
	m.node_index = s->req->node_index;
	m.key = s->launch->io_key;
	om_conn_send(c, OM_MSG_IO_HELLO, 0, &m.base);
	s->stream->ready = true;
	for (uint32_t i = 0; i < s->req->tasks; i++)
		if (s->task[i].over)
			step_stream_exit(s, s->task + i);
	hold_readers(s->stream, false);
	check_done(s);
}

/* Before the client is there it is kept for on_ready. */
void step_stream_exit(struct step *s, const struct step_task *t)
{
	Om__TaskExit m = OM__TASK_EXIT__INIT;

	if (!s->stream->ready)
		return;
	m.rank = t->rank;
	m.status = (uint32_t)t->status;
	om_conn_send(s->stream->conn, OM_MSG_IO_EXIT, 0, &m.base);
}

static void stop_all(struct step_stream *st)
{
	struct channel *ch;

	LL_FOREACH(st->readers, ch)
		channel_stop(ch);
	LL_FOREACH(st->writers, ch)
		channel_stop(ch);
	om_cleanup_fd(&st->master);
	st->master = -1;
}

static void on_closed(void *arg, struct om_conn *c, const struct om_error *err)
{
	struct step *s = arg;
	struct step_stream *st = s->stream;
	char text[OM_ERROR_TEXT_MAX];

	om_conn_destroy(c);
	st->conn = NULL;
	st->ready = false;
	om_timer_stop(st->flow);
	stop_all(st);
	if (!st->finishing) {
		if (err->code)
			snprintf(text, sizeof(text),
				 "connection to its omrun lost: %.400s",
				 om_error_text(err));
		else
			om_str_copy(text, sizeof(text), "its omrun ended");
		step_ending(s, OM__JOB_STATE__CANCELLED, text);
		step_signal(s, SIGHUP, false);
		step_signal(s, SIGCONT, false);
		step_limit_kill_after(s, s->place->conf->kill_wait_s *
				      OM_NS_PER_S);
	}
	st->done = true;
	step_stream_done(s);
}

static const struct om_conn_handler handler = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

int step_stream_create(struct step *s, struct om_error *err)
{
	const struct om_config *conf = s->place->conf;
	struct om_auth_config auth = {
		.munge_socket = conf->munge_socket,
		.server_uid = s->req->uid,
		.role = OM_ROLE_STEP,
		.server_role = OM_ROLE_CLIENT,
		.seal = true,
		.none = conf->auth == OM_AUTHMODE_NONE,
	};
	struct step_stream *st = calloc(1, sizeof(*st));
	om_autofree char *addr = NULL;
	const char *host = s->launch->io_host;
	bool v6 = host && strchr(host, ':') && host[0] != '[';

	if (!st)
		return om_fail_nomem(err);
	st->master = -1;
	s->stream = st;
	if (!host || !s->launch->has_io_key || s->launch->io_port > 65535)
		return om_fail(err, -EPROTO, "where stdio goes to is malformed");
	if (asprintf(&addr, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
		     s->launch->io_port) < 0)
		return om_fail_nomem(err);
	st->flow = om_timer_create(s->loop, on_flow, s, err);
	if (!st->flow)
		return err->code;
	st->conn = om_conn_connect(s->loop, addr, 0, &auth, &handler, s, err);
	return st->conn ? 0 : om_wrap(err, err->code, "stdio cannot be streamed");
}

/* --------------------------------------------------------------- for a task */

/* The task's end, and ours as a channel. */
static int make_pipe(struct step *s, uint32_t rank, uint32_t stream, int *ret,
		     struct om_error *err)
{
	struct step_stream *st = s->stream;
	bool in = stream == 0;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return om_fail_errno(err, "cannot make a pipe");
	*ret = in ? p[0] : p[1];
	if (!channel_add(s, in ? &st->writers : &st->readers, rank, stream,
			 in ? p[1] : p[0]))
		return om_fail_nomem(err);
	return 0;
}

static int open_null(int *ret, struct om_error *err)
{
	*ret = open("/dev/null", O_RDWR | O_CLOEXEC);
	return *ret < 0 ? om_fail_errno(err, "cannot open /dev/null") : 0;
}

/* The terminal is the user's, as login programs make it. */
static int open_slave(struct step *s, int master, struct om_error *err)
{
	struct winsize w = {
		.ws_row = (unsigned short)s->launch->pty_rows,
		.ws_col = (unsigned short)s->launch->pty_cols,
	};
	int zero = 0, slave;

	if (ioctl(master, TIOCSPTLCK, &zero) < 0)
		return om_fail_errno(err, "cannot unlock the terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return om_fail_errno(err, "cannot open the terminal");
	if (fchown(slave, s->user.uid, (gid_t)-1) < 0 ||
	    fchmod(slave, 0620) < 0) {
		close(slave);
		return om_fail_errno(err, "cannot give the terminal to user %s",
				     s->user.name);
	}
	if (w.ws_row && w.ws_col)
		ioctl(slave, TIOCSWINSZ, &w);
	return slave;
}

static int make_pty(struct step *s, uint32_t rank, struct taskio_files *f,
		    int *ret_tty, struct om_error *err)
{
	struct step_stream *st = s->stream;
	om_autofd int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct channel *w;
	int slave, rd, wr;

	if (master < 0)
		return om_fail_errno(err, "cannot open /dev/ptmx");
	slave = open_slave(s, master, err);
	if (slave < 0)
		return slave;
	f->in = f->out = f->err = *ret_tty = slave;
	rd = fcntl(master, F_DUPFD_CLOEXEC, 3);
	wr = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (rd < 0 || wr < 0)
		return om_fail_errno(err, "cannot duplicate the terminal");
	w = channel_add(s, &st->writers, rank, 0, wr);
	if (!w || !channel_add(s, &st->readers, rank, 1, rd))
		return om_fail_nomem(err);
	w->pty = true;
	st->master = om_take_fd(&master);
	return 0;
}

/* Standard input goes to rank 0, to the one named, or to all; the others read
 * nothing. */
static bool gets_input(const struct step *s, uint32_t rank)
{
	const char *in = s->launch->std_in;
	uint32_t named = 0;

	if (s->launch->daemons || om_str_eq(in, "none"))
		return false;
	if (om_str_eq(in, "all"))
		return true;
	if (in && *in && om_parse_u32(in, 0, UINT32_MAX, &named) < 0)
		return false;
	return rank == named;
}

int step_stream_open(struct step *s, uint32_t i, struct taskio_files *f,
		     int *ret_tty, struct om_error *err)
{
	uint32_t rank = s->req->first_rank + i;
	int rc;

	if (s->launch->pty && rank == 0)
		return make_pty(s, rank, f, ret_tty, err);
	rc = gets_input(s, rank) ? make_pipe(s, rank, 0, &f->in, err) :
				   open_null(&f->in, err);
	if (rc == 0)
		rc = make_pipe(s, rank, 1, &f->out, err);
	if (rc == 0)
		rc = make_pipe(s, rank, 2, &f->err, err);
	return rc;
}

void step_stream_started(struct step *s, struct taskio_files *f, int tty)
{
	(void)s;
	if (tty >= 0) {
		close(tty);	/* all four are one */
		*f = (struct taskio_files)TASKIO_FILES_INIT;
		return;
	}
	taskio_close(f);
}

/* -------------------------------------------------------------------- the end */

void step_stream_say(struct step *s, const char *line)
{
	struct channel ours = { .step = s, .rank = s->req->first_rank,
				.stream = 2 };

	send_data(&ours, line, strlen(line));
}

static bool all_read(const struct step_stream *st)
{
	const struct channel *ch;

	LL_FOREACH(st->readers, ch)
		if (ch->fd >= 0)
			return false;
	return true;
}

/* All was read and goes out; closed() comes when it has. */
static void check_done(struct step *s)
{
	struct step_stream *st = s->stream;

	if (s->state != STEP_EMPTYING || st->done || st->finishing ||
	    !st->ready || !all_read(st))
		return;
	st->finishing = true;
	om_conn_finish(st->conn);
}

bool step_stream_finish(struct step *s)
{
	check_done(s);
	return s->stream->done;
}
