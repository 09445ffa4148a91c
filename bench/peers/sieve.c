// Prime numbers by the sieve of Eratosthenes, as often as asked.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static long *primes(long limit, long *found) {
    bool *composite = calloc(limit + 1, 1);
    long room = 16, *all = malloc(room * sizeof *all);
    *found = 0;
    for (long i = 2; i <= limit; i++)
        if (!composite[i]) {
            if (*found == room)
                all = realloc(all, (room *= 2) * sizeof *all);
            all[(*found)++] = i;
            if ((limit - i * i) / i > 1000000) {
#pragma omp parallel for
                for (long multiple = i * i; multiple <= limit; multiple += i)
                    composite[multiple] = true;
            } else
                // A team of one costs as much as a team.
                for (long multiple = i * i; multiple <= limit; multiple += i)
                    composite[multiple] = true;
        }
    free(composite);
    return all;
}

int main(int count, char **words) {
    long limit = count > 1 ? atol(words[1]) : 1000000, rounds = count > 2 ? atol(words[2]) : 1, found;
    long *all = primes(limit, &found);
    for (long round = 1; round < rounds; round++) {
        free(all);
        all = primes(limit, &found);
    }
    printf("%ld primes up to %ld\n", found, limit);
    if (found > 0)
        printf("the last one is %ld\n", all[found - 1]);
}
