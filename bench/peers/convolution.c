// A picture blurred again and again by a kernel of five by five: small loops in the middle of large ones.
#include <stdio.h>
#include <stdlib.h>

static void convolve(const double *restrict from, const double *restrict kernel, double *restrict to, long size) {
#pragma omp parallel for
    for (long y = 2; y < size - 2; y++)
        for (long x = 2; x < size - 2; x++) {
            double sum = 0;
            for (long dy = 0; dy < 5; dy++)
                for (long dx = 0; dx < 5; dx++)
                    sum += from[(y + dy - 2) * size + x + dx - 2] * kernel[dy * 5 + dx];
            to[y * size + x] = sum;
        }
}

int main(int count, char **words) {
    long size = count > 1 ? atol(words[1]) : 100, rounds = count > 2 ? atol(words[2]) : 4;
    double *now = calloc(size * size, sizeof *now), *blurred = calloc(size * size, sizeof *now), kernel[25], sum = 0;
    for (long i = 0; i < 25; i++)
        kernel[i] = (1 + i % 5 * (4 - i % 5)) * (1 + i / 5 * (4 - i / 5)) / 225.0;
    for (long i = 0; i < size * size; i++)
        now[i] = i * 7919 % 1000 / 1000.0;
    for (long i = 0; i < rounds / 2; i++) {
        convolve(now, kernel, blurred, size);
        convolve(blurred, kernel, now, size);
    }
    for (long i = 0; i < size * size; i++)
        sum += now[i];
    printf("%.6f %.6f\n", sum / (size * size), now[size * (size / 4) + size / 2]);
}
