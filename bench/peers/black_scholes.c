// Prices of European options by Black and Scholes, over arrays: elementary functions.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// The cumulative normal distribution by the polynomial 26.2.17 of Abramowitz and Stegun.
static double normal(double x) {
    double k = 1.0 / (1.0 + 0.2316419 * fabs(x));
    double series = k * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
    double tail = exp(-0.5 * x * x) / sqrt(2.0 * M_PI) * series;
    return x < 0 ? tail : 1.0 - tail;
}

int main(int count, char **words) {
    long n = count > 1 ? atol(words[1]) : 10000, rounds = count > 2 ? atol(words[2]) : 5;
    double *spot = malloc(n * 8), *strike = malloc(n * 8), *years = malloc(n * 8);
    double *calls = malloc(n * 8), *puts = malloc(n * 8);
    for (long i = 0; i < n; i++) {
        spot[i] = 80.0 + i % 41;
        strike[i] = 90.0 + i % 23;
        years[i] = 0.25 + i % 16 / 8.0;
    }
    for (long round = 0; round < rounds; round++) {
        double rate = 0.02, volatility = 0.1 + 0.05 * round;
#pragma omp parallel for
        for (long i = 0; i < n; i++) {
            double s = spot[i], k = strike[i], t = years[i];
            double spread = volatility * sqrt(t);
            double d1 = (log(s / k) + (rate + 0.5 * volatility * volatility) * t) / spread;
            double d2 = d1 - spread;
            double discounted = k * exp(-rate * t);
            double call = s * normal(d1) - discounted * normal(d2);
            calls[i] = call;
            puts[i] = call - s + discounted;
        }
    }
    double call = 0, put = 0;
    for (long i = 0; i < n; i++) {
        call += calls[i];
        put += puts[i];
    }
    printf("%.4f %.4f\n", call / n, put / n);
}
