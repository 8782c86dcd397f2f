/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Every rank tells "hello RANK SIZE HOST" to rank 0, which prints the lines in
 * the order of ranks and last "hello ok SIZE". Fails if the size is not that of
 * argv[1], when given.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_SIZE = 256, TAG = 1 };

static int collect(int size, char *own)
{
	char host[HOST_SIZE];

	printf("hello 0 %d %s\n", size, own);
	for (int rank = 1; rank < size; rank++) {
		MPI_Recv(host, HOST_SIZE, MPI_CHAR, rank, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		host[HOST_SIZE - 1] = '\0';
		printf("hello %d %d %s\n", rank, size, host);
	}
	printf("hello ok %d\n", size);
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	char host[HOST_SIZE] = "";
	int rank, size;
	int rc = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	gethostname(host, sizeof(host) - 1);
	if (argc > 1 && size != atoi(argv[1])) {
		if (rank == 0)
			fprintf(stderr, "hello: %d ranks, %s expected\n", size, argv[1]);
		rc = 1;
	} else if (rank == 0) {
		rc = collect(size, host);
	} else {
		MPI_Send(host, HOST_SIZE, MPI_CHAR, 0, TAG, MPI_COMM_WORLD);
	}
	MPI_Finalize();
	return rc;
}
