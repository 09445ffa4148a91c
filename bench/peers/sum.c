// The sum of an array of integers, taken again and again.
#include <stdio.h>
#include <stdlib.h>

static long total(const long *values, long n) {
    long sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (long i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

int main(int count, char **words) {
    long n = count > 1 ? atol(words[1]) : 1000000, rounds = count > 2 ? atol(words[2]) : 10, sum = 0;
    long *values = malloc(n * sizeof *values);
#pragma omp parallel for
    for (long i = 0; i < n; i++)
        values[i] = i % 1000;
    for (long round = 0; round < rounds; round++)
        sum += total(values, n);
    printf("%ld\n", sum);
}
