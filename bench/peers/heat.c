// Heat that spreads over a square plate with one warm edge: a five-point stencil between two buffers.
#include <stdio.h>
#include <stdlib.h>

static void step(const double *restrict from, double *restrict to, long size) {
#pragma omp parallel for
    for (long row = 1; row < size - 1; row++)
        for (long column = 1; column < size - 1; column++) {
            long i = row * size + column;
            double around = from[i - size] + from[i - 1] + from[i + 1] + from[i + size];
            to[i] = from[i] + 0.2 * (around - 4.0 * from[i]);
        }
}

static double *plate(long size) {
    double *cells = calloc(size * size, sizeof *cells);
    for (long column = 0; column < size; column++)
        cells[column] = 100.0;
    return cells;
}

int main(int count, char **words) {
    long size = count > 1 ? atol(words[1]) : 100, steps = count > 2 ? atol(words[2]) : 100;
    double *now = plate(size), *next = plate(size), sum = 0;
    for (long i = 0; i < steps / 2; i++) {
        step(now, next, size);
        step(next, now, size);
    }
    for (long i = 0; i < size * size; i++)
        sum += now[i];
    printf("%.6f %.6f\n", sum / (size * size), now[size * (size / 4) + size / 2]);
}
