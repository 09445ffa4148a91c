// The game of life on rows of whole numbers: an array of arrays, which moves from one board to the other.
#include <stdio.h>
#include <stdlib.h>

static void generation(long **now, long **next, long size) {
#pragma omp parallel for
    for (long y = 1; y < size - 1; y++)
        for (long x = 1; x < size - 1; x++) {
            long above = now[y - 1][x - 1] + now[y - 1][x] + now[y - 1][x + 1];
            long below = now[y + 1][x - 1] + now[y + 1][x] + now[y + 1][x + 1];
            long around = above + now[y][x - 1] + now[y][x + 1] + below;
            next[y][x] = around == 3 || (around == 2 && now[y][x] == 1);
        }
}

static long **board(long size) {
    long **rows = malloc(size * sizeof *rows);
    for (long y = 0; y < size; y++)
        rows[y] = calloc(size, sizeof **rows);
    return rows;
}

int main(int count, char **words) {
    long size = count > 1 ? atol(words[1]) : 100, steps = count > 2 ? atol(words[2]) : 100;
    long **now = board(size), **next = board(size), alive = 0;
    for (long y = 0; y < size; y++)
        for (long x = 0; x < size; x++)
            now[y][x] = (x * 7 + y * 13) % 5 == 0;
    for (long i = 0; i < steps / 2; i++) {
        generation(now, next, size);
        generation(next, now, size);
    }
    for (long y = 0; y < size; y++)
        for (long x = 0; x < size; x++)
            alive += now[y][x];
    printf("%ld\n", alive);
}
