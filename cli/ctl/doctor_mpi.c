/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * doctor_mpi: is the MPI that users run the one we were built for? Another
 * one works too, by hostfile and rsh agent; that is worth a note, no fault.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ctl/doctor.h"
#include "lib/base/cleanup.h"

#ifdef OM_BUILT_OPENMPI
#include <mpi.h>
#endif
#ifdef OM_BUILT_PMIX
#include <pmix_version.h>
#endif

/* The first line a command prints, or -1. */
static int first_line(const char *command, char *line, size_t size)
{
	FILE *f = popen(command, "re");
	bool any;

	line[0] = '\0';
	if (!f)
		return -1;
	any = fgets(line, (int)size, f) != NULL;
	while (fgetc(f) != EOF)
		;
	pclose(f);
	line[strcspn(line, "\n")] = '\0';
	return any ? 0 : -1;
}

static void check_component_folder(struct doctor *d)
{
	const char *told = getenv("OM_MCA_DIR");
	const char *dir = told && *told ? told : OM_PKGLIBDIR "/openmpi";

	if (access(dir, R_OK | X_OK) == 0)
		doctor_ok(d, "mpi", "our Open MPI components are in %s", dir);
	else
		doctor_note(d, "mpi", "our Open MPI components are not in %s: mpirun "
			    "goes by hostfile and rsh agent\nbuild with "
			    "--with-openmpi and install", dir);
}

#ifdef OM_BUILT_OPENMPI
static void compare_openmpi(struct doctor *d, const char *line)
{
	const char *at = strstr(line, "(Open MPI) ");
	int major = 0, minor = 0;

	if (!at || sscanf(at + 11, "%d.%d", &major, &minor) != 2) {
		doctor_note(d, "mpi", "mpirun is not Open MPI: %.100s\nit works by "
			    "its own launcher where that is hydra", line);
		return;
	}
	if (major == OMPI_MAJOR_VERSION && minor == OMPI_MINOR_VERSION)
		doctor_ok(d, "mpi", "Open MPI %s, built for %d.%d", at + 11,
			  OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION);
	else
		doctor_note(d, "mpi", "Open MPI %s, but our components were built "
			    "for %d.%d and will not load\nrebuild openMosix with "
			    "--with-openmpi=DIR", at + 11, OMPI_MAJOR_VERSION,
			    OMPI_MINOR_VERSION);
}
#else
static void compare_openmpi(struct doctor *d, const char *line)
{
	doctor_note(d, "mpi", "%.100s, but openMosix was built without Open MPI's "
		    "headers\napt-get install libopenmpi-dev, then rebuild", line);
}
#endif

static void check_pmix(struct doctor *d)
{
#ifdef OM_BUILT_PMIX
	void *lib = dlopen("libpmix.so.2", RTLD_LAZY | RTLD_LOCAL);
	const char *(*version)(void);
	int major = 0, minor = 0;
	const char *text;

	if (!lib) {
		doctor_note(d, "pmix", "libpmix is not installed\n"
			    "apt-get install libpmix2");
		return;
	}
	*(void **)&version = dlsym(lib, "PMIx_Get_version");
	text = version ? version() : "";
	if (sscanf(text, "%*[^0-9]%d.%d", &major, &minor) == 2 &&
	    (major != PMIX_VERSION_MAJOR || minor != PMIX_VERSION_MINOR))
		doctor_note(d, "pmix", "%.80s, built for %ld.%ld\nrebuild openMosix",
			    text, (long)PMIX_VERSION_MAJOR,
			    (long)PMIX_VERSION_MINOR);
	else
		doctor_ok(d, "pmix", "%.80s", text);
	dlclose(lib);
#else
	(void)d;
#endif
}

void doctor_mpi(struct doctor *d)
{
	char line[200];

	if (first_line("mpirun --version 2>/dev/null", line, sizeof(line)) < 0) {
		doctor_note(d, "mpi", "there is no mpirun here\n"
			    "apt-get install openmpi-bin, if MPI is to be used");
		return;
	}
	compare_openmpi(d, line);
	check_component_folder(d);
	check_pmix(d);
}
