// The product of two square matrices.
#include <stdio.h>
#include <stdlib.h>

// Rows of small fractions that differ everywhere.
static double *example(long n, long seed) {
    double *values = malloc(n * n * sizeof *values);
    for (long i = 0; i < n; i++)
        for (long j = 0; j < n; j++)
            values[i * n + j] = ((i * 7 + j * 13 + seed) % 17 - 8) / 16.0;
    return values;
}

static double *product(const double *a, const double *b, long n) {
    double *result = calloc(n * n, sizeof *result);
#pragma omp parallel for
    for (long i = 0; i < n; i++)
        for (long j = 0; j < n; j++) {
            double sum = 0;
            for (long k = 0; k < n; k++)
                sum += a[i * n + k] * b[k * n + j];
            result[i * n + j] = sum;
        }
    return result;
}

int main(int count, char **words) {
    long n = count > 1 ? atol(words[1]) : 128;
    double *result = product(example(n, 1), example(n, 5), n), trace = 0;
    for (long i = 0; i < n; i++)
        trace += result[i * n + i];
    printf("%ld x %ld, trace %.6f\n", n, n, trace);
}
