// Floating point in nested loops: how many points of a square do not escape, and all steps.
#include <stdio.h>
#include <stdlib.h>

static long escape(double cx, double cy, long limit) {
    double x = 0, y = 0;
    long n = 0;
    while (n < limit && x * x + y * y <= 4.0) {
        double next = x * x - y * y + cx;
        y = 2.0 * x * y + cy;
        x = next;
        n++;
    }
    return n;
}

int main(int count, char **words) {
    long size = count > 1 ? atol(words[1]) : 300, limit = count > 2 ? atol(words[2]) : 100;
    long inside = 0, total = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : inside, total)
    for (long row = 0; row < size; row++)
        for (long column = 0; column < size; column++) {
            long steps = escape(3.0 * column / size - 2.25, 3.0 * row / size - 1.5, limit);
            total += steps;
            if (steps == limit)
                inside++;
        }
    printf("%ld %ld\n", inside, total);
}
