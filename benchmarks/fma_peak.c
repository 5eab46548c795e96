/* The fused multiply-adds that this machine can do: independent chains in vector registers, nothing loaded or stored.
   Built by benchmarks/equal_error.py with cc -O3 -march=native -mprefer-vector-width=512 -fopenmp. */
#include <omp.h>

#if defined(__AVX512F__)
enum { WIDE = 8, CHAINS = 16 };
#else
enum { WIDE = 4, CHAINS = 10 };
#endif
typedef double vector __attribute__((vector_size(8 * WIDE)));

/* Return seconds of `count` rounds on `threads` threads, and their floating-point operations in `*done`. */
double peak(long count, int threads, double *done) {
    double sum = 0, began = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
        vector chain[CHAINS], a = {0}, b = {0};
        for (int k = 0; k < WIDE; k++) a[k] = 0.9999, b[k] = 1e-4;
        for (int k = 0; k < CHAINS; k++) chain[k] = b * k;
        for (long j = 0; j < count; j++)
#pragma GCC unroll 16
            for (int k = 0; k < CHAINS; k++) chain[k] = chain[k] * a + b;
        for (int k = 0; k < CHAINS; k++)
            for (int l = 0; l < WIDE; l++) sum += chain[k][l];
    }
    double spent = omp_get_wtime() - began;
    *done = 2.0 * CHAINS * WIDE * (double)count * threads + 0 * sum;
    return spent;
}
