#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double agm(double a, double b) {
    double x = a, y = b;
    for (int step = 0; step < 6; step++) {
        double mean = (x + y) * 0.5;
        y = sqrt(x * y);
        x = mean;
    }
    return x;
}

int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 100000;
    double sum = 0.0;
    /* The order of the additions is whatever the threads make of it. */
#pragma omp parallel for reduction(+ : sum)
    for (long i = 0; i < n; i++) {
        double part = (i + 0.5) / n;
        sum += 1.0 / agm(1.0, sqrt(1.0 - part * part * 0.5));
    }
    printf("%.9f\n", sum / n);
    return 0;
}
