#include "kernels/weight_order.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The weights that are left come first in all arrays.
typedef struct remaining {
    int n, d;
    double *inverse; // (d, d) of their moments; the lower triangle of the first n rows is kept up
    double *weights; // (n)
    int *place;      // (n) where they are in the filter
} remaining;

static int find_cheapest(const remaining *r, double *cost) {
    int cheapest = 0;
    *cost = INFINITY;
    for (int i = 0; i < r->n; i++) {
        double own = r->inverse[(size_t)i * r->d + i];
        double added = own > 0 ? r->weights[i] * r->weights[i] / own : 0; // else never varies
        if (added < *cost) {
            *cost = added;
            cheapest = i;
        }
    }
    return cheapest;
}

static double *entry(const remaining *r, int i, int j) {
    return &r->inverse[i > j ? (size_t)i * r->d + j : (size_t)j * r->d + i];
}

static void swap(double *a, double *b) {
    double kept = *a;
    *a = *b;
    *b = kept;
}

// Brings weight i to the end.
static void move_last(remaining *r, int i) {
    int last = r->n - 1;
    if (i == last) return;
    for (int j = 0; j < last; j++)
        if (j != i) swap(entry(r, i, j), entry(r, last, j));
    swap(entry(r, i, i), entry(r, last, last));
    swap(&r->weights[i], &r->weights[last]);
    int place = r->place[i];
    r->place[i] = r->place[last];
    r->place[last] = place;
}

// The others take over: w -= P_:l w_l / P_ll, P -= P_:l P_l: / P_ll.
static void remove_last(remaining *r) {
    int last = --r->n;
    const double *row = r->inverse + (size_t)last * r->d;
    if (row[last] <= 0) return;
    for (int i = 0; i < last; i++) {
        double factor = row[i] / row[last], *to = r->inverse + (size_t)i * r->d;
        r->weights[i] -= factor * r->weights[last];
        for (int j = 0; j <= i; j++) to[j] -= factor * row[j];
    }
}

void amc_weight_order_cost(const double *inverse, int d, const float *weights, double *cost) {
    size_t n = (size_t)d;
    remaining r = {d, d, amc_memory_copy(inverse, n * n, sizeof(double)),
                   amc_memory_alloc(n, sizeof(double)), amc_memory_alloc(n, sizeof(int))};
    for (int i = 0; i < d; i++) {
        r.weights[i] = weights[i];
        r.place[i] = i;
    }
    for (double most = 0, added; r.n > 0;) {
        int cheapest = find_cheapest(&r, &added);
        most = fmax(most, added);
        move_last(&r, cheapest);
        cost[r.place[r.n - 1]] = most;
        remove_last(&r);
    }
    free(r.inverse);
    free(r.weights);
    free(r.place);
}
