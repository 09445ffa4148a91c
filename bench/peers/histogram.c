// How often each sum of some dice comes up, and each pair of neighbours: an array and a hash map of integers.
// Nothing here is parallel: each throw depends on the one before.
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>

static long seed = 42;

static long roll(void) {
    seed = seed * 16807 % 2147483647;
    return seed / 64 % 6 + 1;
}

static long roll_some(long count) {
    long sum = 0;
    for (long i = 0; i < count; i++)
        sum += roll();
    return sum;
}

struct entry {
    long key, value;
    bool used;
};

struct map {
    struct entry *entries;
    long room, count;
};

static struct entry *find(struct map *map, long key) {
    unsigned long at = (unsigned long)key * 0x9E3779B97F4A7C15ul >> 20;
    for (;; at++) {
        struct entry *entry = &map->entries[at & (map->room - 1)];
        if (!entry->used || entry->key == key)
            return entry;
    }
}

static void set(struct map *map, long key, long value) {
    if (map->count * 2 >= map->room) {
        struct map larger = {calloc(map->room * 2, sizeof(struct entry)), map->room * 2, map->count};
        for (long i = 0; i < map->room; i++)
            if (map->entries[i].used)
                *find(&larger, map->entries[i].key) = map->entries[i];
        free(map->entries);
        *map = larger;
    }
    struct entry *entry = find(map, key);
    map->count += !entry->used;
    *entry = (struct entry){key, value, true};
}

static long get(struct map *map, long key) {
    struct entry *entry = find(map, key);
    return entry->used ? entry->value : 0;
}

int main(int count, char **words) {
    long n = count > 1 ? atol(words[1]) : 50000;
    enum { DICE = 10 };
    long sums[6 * DICE + 1] = {0}, last = 0;
    struct map pairs = {calloc(16, sizeof(struct entry)), 16, 0};
    for (long i = 0; i < n; i++) {
        long sum = roll_some(DICE);
        sums[sum]++;
        long pair = last * 100 + sum;
        set(&pairs, pair, get(&pairs, pair) + 1);
        last = sum;
    }
    long common = 0, often = 0, times = 0;
    for (long sum = 0; sum <= 6 * DICE; sum++)
        if (sums[sum] > sums[common])
            common = sum;
    for (long i = 0; i < pairs.room; i++) {
        struct entry e = pairs.entries[i];
        if (e.used && (e.value > times || (e.value == times && e.key < often))) {
            often = e.key;
            times = e.value;
        }
    }
    printf("%ld came up %ld times\n", common, sums[common]);
    printf("%ld pairs, %ld before %ld %ld times\n", pairs.count, often / 100, often % 100, times);
}
