// The start below a limit from which the Collatz sequence takes longest to reach 1.
#include <stdio.h>
#include <stdlib.h>

static long length(long n) {
    long length = 1;
    while (n != 1) {
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
        length++;
    }
    return length;
}

struct best {
    long steps, start;
};

// The first one of those that take longest.
static inline struct best better(struct best a, struct best b) {
    return b.steps > a.steps || (b.steps == a.steps && b.start < a.start) ? b : a;
}

#pragma omp declare reduction(better : struct best : omp_out = better(omp_out, omp_in)) initializer(omp_priv = omp_orig)

int main(int count, char **words) {
    long limit = count > 1 ? atol(words[1]) : 30000;
    struct best best = {1, 1};
#pragma omp parallel for schedule(dynamic, 1000) reduction(better : best)
    for (long start = 1; start < limit; start++) {
        long steps = length(start);
        if (steps > best.steps)
            best = (struct best){steps, start};
    }
    printf("%ld takes %ld\n", best.start, best.steps);
}
