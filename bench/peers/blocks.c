#include <stdio.h>
#include <stdlib.h>

static long block(long seed, long points) {
    long state = seed * 7919 + 12345, hits = 0;
    for (long k = 0; k < points; k++) {
        state = (state * 1103515245 + 12345) & 2147483647;
        double x = state / 2147483648.0;
        state = (state * 1103515245 + 12345) & 2147483647;
        double y = state / 2147483648.0;
        if (x * x + y * y <= 1.0)
            hits++;
    }
    return hits;
}

int main(int argc, char **argv) {
    long blocks = argc > 1 ? atol(argv[1]) : 16, points = argc > 2 ? atol(argv[2]) : 1000000;
    long hits = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : hits)
    for (long i = 0; i < blocks; i++)
        hits += block(i, points);
    printf("%ld\n", hits);
    return 0;
}
