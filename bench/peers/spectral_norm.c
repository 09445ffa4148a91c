// The spectral norm of the infinite matrix a(i, j) = 1 / ((i + j)(i + j + 1) / 2 + i + 1), cut to n rows and columns,
// by the power method.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double a(long i, long j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

// result = A x
static void multiply(const double *x, double *result, long n) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) {
        double sum = 0;
        for (long j = 0; j < n; j++)
            sum += a(i, j) * x[j];
        result[i] = sum;
    }
}

// result = transposed A x
static void multiply_transposed(const double *x, double *result, long n) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) {
        double sum = 0;
        for (long j = 0; j < n; j++)
            sum += a(j, i) * x[j];
        result[i] = sum;
    }
}

int main(int count, char **words) {
    long n = count > 1 ? atol(words[1]) : 200;
    double *u = malloc(n * 8), *v = calloc(n, 8), *t = calloc(n, 8), uv = 0, vv = 0;
    for (long i = 0; i < n; i++)
        u[i] = 1.0;
    for (long i = 0; i < 10; i++) {
        multiply(u, t, n);
        multiply_transposed(t, v, n);
        multiply(v, t, n);
        multiply_transposed(t, u, n);
    }
    for (long i = 0; i < n; i++) {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    printf("%.9f\n", sqrt(uv / vv));
}
