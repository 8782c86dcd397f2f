/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a job's environment must hold so that a plain mpirun or mpiexec uses the
 * job's nodes and slots and starts its daemons by omrun. Pure functions: no
 * file, no clock, no environment of their own. doc/design/mpi-launch.md tells
 * what each variable is for.
 */
#ifndef OM_MCA_JOBENV_H
#define OM_MCA_JOBENV_H

#include <stdbool.h>
#include <stdint.h>

struct om_mpi_alloc {
	uint64_t job_id;
	unsigned nnodes;
	const char *const *nodes;	/* nnodes names, as the nodes call themselves */
	const unsigned *slots;		/* nnodes */
	const char *mca_dir;		/* our Open MPI components; NULL: none built */
	const char *bindir;		/* of omrun and omrsh */
	const char *spool_dir;		/* where the hostfiles are, the same on each node */
	const char *if_include;		/* "eth0" or "10.1.0.0/16"; NULL: MPI chooses */
	bool is_root;
	bool oversubscribed;		/* more slots than cores on some node */
};

enum om_mpi_hostfile_kind {
	OM_MPI_HOSTFILE_OPENMPI,
	OM_MPI_HOSTFILE_MPICH,
};

/* The hostfile's name within spool_dir. */
const char *om_mpi_hostfile_name(enum om_mpi_hostfile_kind kind);

/*
 * The text to write into it, before the job starts and readable by its user.
 * Returns 0 or -ENOMEM; the caller frees *ret_text.
 */
int om_mpi_hostfile_text(const struct om_mpi_alloc *alloc, enum om_mpi_hostfile_kind kind,
			 char **ret_text);

/*
 * A copy of env (a NULL-terminated vector of "NAME=value") with our variables
 * added. What the user set stays; where two variables form one choice, such as
 * HYDRA_LAUNCHER and HYDRA_LAUNCHER_EXEC, setting one is a choice of both. What an
 * outer job of ours set, and the user has not changed since, is replaced or
 * dropped: OM_MPI_ENV keeps the record. Our folder is added to a component path
 * of the user's. Returns 0 or -ENOMEM; free *ret_env by om_mpi_jobenv_free().
 */
int om_mpi_jobenv(const struct om_mpi_alloc *alloc, char *const *env, char ***ret_env);

void om_mpi_jobenv_free(char **env);

#endif
