// Calls: the 30th Fibonacci number by the definition.
#include <stdio.h>
#include <stdlib.h>

static long fib(long n) {
    if (n < 2)
        return n;
    long a, b;
#pragma omp task shared(a) if (n > 27) final(n <= 27) mergeable
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

int main(int count, char **words) {
    long n = count > 1 ? atol(words[1]) : 30, result;
#pragma omp parallel
#pragma omp single
    result = fib(n);
    printf("%ld\n", result);
}
