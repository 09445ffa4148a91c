// In how many ways n queens can stand on a board, by masks of bits: calls in a loop.
#include <stdio.h>
#include <stdlib.h>

static long ways(long all, long columns, long left, long right) {
    if (columns == all)
        return 1;
    long count = 0;
    for (long free = all & ~(columns | left | right), bit; free; free ^= bit) {
        bit = free & -free;
        count += ways(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

// A task for each call in the first rows.
static long divided(long all, long columns, long left, long right, int rows) {
    if (rows == 0 || columns == all)
        return ways(all, columns, left, right);
    long count = 0;
    for (long free = all & ~(columns | left | right), bit; free; free ^= bit) {
        bit = free & -free;
#pragma omp task shared(count) firstprivate(bit)
        {
            long below = divided(all, columns | bit, (left | bit) << 1, (right | bit) >> 1, rows - 1);
#pragma omp atomic
            count += below;
        }
    }
#pragma omp taskwait
    return count;
}

int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 8, result;
#pragma omp parallel
#pragma omp single
    result = divided((1L << n) - 1, 0, 0, 0, 3);
    printf("%ld\n", result);
}
