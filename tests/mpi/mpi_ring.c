/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Usage: mpi_ring [ROUNDS [WORDS]]
 *
 * A block of WORDS numbers goes round the ring of ranks ROUNDS times; each rank
 * adds its own share to every word. Each round an allreduce sums a checksum over
 * all ranks. Both have closed forms, so every rank can tell a lost, doubled or
 * damaged message. Rank 0 prints "ring ok SIZE ROUNDS CHECKSUM"; exit code 1 and
 * a line on stderr tell of an error.
 */
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int rank, size;

/* What rank adds to word i in a round: differs for all three. */
static uint64_t share(int of_rank, int round, int i)
{
	uint64_t x = (uint64_t)(of_rank + 1) * 0x9e3779b97f4a7c15u;

	x ^= (uint64_t)(round + 1) * 0xc2b2ae3d27d4eb4fu + (uint64_t)i;
	x ^= x >> 29;
	return x * 0xbf58476d1ce4e5b9u;
}

static void add_share(uint64_t *block, int words, int round)
{
	for (int i = 0; i < words; i++)
		block[i] += share(rank, round, i);
}

static void pass_round(uint64_t *block, int words, int round)
{
	int next = (rank + 1) % size;
	int prev = (rank + size - 1) % size;

	if (rank == 0) {
		add_share(block, words, round);
		MPI_Send(block, words, MPI_UINT64_T, next, round, MPI_COMM_WORLD);
		MPI_Recv(block, words, MPI_UINT64_T, prev, round, MPI_COMM_WORLD,
			 MPI_STATUS_IGNORE);
		return;
	}
	MPI_Recv(block, words, MPI_UINT64_T, prev, round, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	add_share(block, words, round);
	MPI_Send(block, words, MPI_UINT64_T, next, round, MPI_COMM_WORLD);
}

/* After a round rank r holds the shares of all earlier rounds and of ranks 0..r. */
static bool block_is_right(const uint64_t *block, int words, int round)
{
	int upto = rank == 0 ? size - 1 : rank;

	for (int i = 0; i < words; i++) {
		uint64_t want = 0;

		for (int t = 0; t <= round; t++)
			for (int r = 0; r <= (t < round ? size - 1 : upto); r++)
				want += share(r, t, i);
		if (block[i] != want)
			return false;
	}
	return true;
}

static bool sum_is_right(int round, uint64_t *ret_sum)
{
	uint64_t mine = share(rank, round, 0);
	uint64_t sum = 0, want = 0;

	MPI_Allreduce(&mine, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	for (int r = 0; r < size; r++)
		want += share(r, round, 0);
	*ret_sum += sum;
	return sum == want;
}

static int run(uint64_t *block, int words, int rounds)
{
	uint64_t sum = 0;
	int bad = 0, any = 0;

	for (int round = 0; round < rounds; round++) {
		if (size > 1)
			pass_round(block, words, round);
		else
			add_share(block, words, round);
		if (!sum_is_right(round, &sum))
			bad = 1;
	}
	if (rounds > 0 && !block_is_right(block, words, rounds - 1))
		bad = 1;
	if (bad)
		fprintf(stderr, "ring: rank %d has a wrong sum\n", rank);
	MPI_Allreduce(&bad, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
	if (rank == 0 && !any)
		printf("ring ok %d %d %016" PRIx64 "\n", size, rounds, sum);
	return any;
}

int main(int argc, char **argv)
{
	int rounds, words, rc;
	uint64_t *block;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	rounds = argc > 1 ? atoi(argv[1]) : 20;
	words = argc > 2 ? atoi(argv[2]) : 4096;
	if (rounds < 0 || words < 1)
		MPI_Abort(MPI_COMM_WORLD, 2);
	block = calloc((size_t)words, sizeof(*block));
	if (!block)
		MPI_Abort(MPI_COMM_WORLD, 1);
	rc = run(block, words, rounds);
	free(block);
	MPI_Finalize();
	return rc;
}
