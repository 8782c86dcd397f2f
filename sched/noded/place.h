/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place: what is the same for every step on this node: names, folders, the
 * open spool and cgroup tree. Filled once, by omnoded and by the zygote, and
 * only read afterwards.
 */
#ifndef OM_NODED_PLACE_H
#define OM_NODED_PLACE_H

#include "lib/conf/config.h"
#include "sched/noded/cgroup.h"

struct place {
	const struct om_config *conf;	/* borrowed */
	char *name;			/* of this node */
	char *node_dir;			/* RUN/node */
	char *socket;			/* RUN/node/omnoded.sock */
	char *bindir;			/* of the commands */
	char *mca_dir;			/* our Open MPI components, or NULL */
	int spool_fd;			/* SPOOL/job */
	bool oom_shielded;		/* our oom_score_adj is not 0 */
	struct cgroup_tree *tree;
};

/*
 * name: NULL for the configured one, else the host's. Makes RUN/node and
 * SPOOL/job. The environment may say where a build tree has its things:
 * OM_BINDIR, OM_MCA_DIR; OM_CGROUP=v1 leaves v2 alone.
 */
int place_init(struct place *p, const struct om_config *conf, const char *name,
	       struct om_error *err);
void place_fini(struct place *p);

/* A program of ours: env names it, else beside this one, else dir/name. */
char *place_program(const char *env, const char *name, const char *dir);

#endif
