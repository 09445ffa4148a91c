// Calls: the 30th Fibonacci number by the definition.
#include <stdio.h>
#include <stdlib.h>

static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

// A task for each call that is worth one.
static long divided(long n) {
    if (n < 28)
        return fib(n);
    long a, b;
#pragma omp task shared(a)
    a = divided(n - 1);
    b = divided(n - 2);
#pragma omp taskwait
    return a + b;
}

int main(int count, char **words) {
    long n = count > 1 ? atol(words[1]) : 30, result;
#pragma omp parallel
#pragma omp single
    result = divided(n);
    printf("%ld\n", result);
}
