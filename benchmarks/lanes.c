/* The lane kernel's explicit path in C, for comparison: same method, same block of 16 lanes, same controller, same
   bookkeeping (K and dK/dt, event flags, refill of a lane's place); built by benchmarks/sweep.py with
   cc -O3 -march=native -fopenmp -shared. The rare path (crossing times, dips of K) is left out, in C's favour. */
#include <stdint.h>
#include <string.h>

enum { L = 16 };
enum { P, S, TAU, KP, KS, KT, H, TIME, AP, BETA, EP, ES, X, XA, ESC, COL, KMIN, K, DK, P0, S0, KP0, KS0, T0, K0, DK0, ROWS };
enum { STEPS, ERR, FLAGS, INDEX, INTS };
enum { DONE = 1, LIMIT = 2, STUCK = 4, REVIEW = 8, VANISHED = 16, CROSSED_P = 32, CROSSED_S = 64, DIPPED = 128 };

static inline int64_t bits(double a) { int64_t b; memcpy(&b, &a, 8); return b; }
static inline double value(int64_t b) { double a; memcpy(&a, &b, 8); return a; }

typedef struct { double p, s, t; } triple;
typedef struct { double ap, beta, ep, es, x, xa; } constants;

static inline triple rate(triple y, constants c) {
    double D = c.x * y.t - (c.x + c.xa) * y.p, g = y.p * D - c.es;
    triple k = {c.ap * y.s * D - c.ep * y.p, 2 * y.s * g, c.beta * (1 - y.t) - y.t * g};
    return k;
}
static inline triple times(double a, triple k) { triple r = {a * k.p, a * k.s, a * k.t}; return r; }
static inline triple plus(triple d, double a, triple k) {
    triple r = {d.p + a * k.p, d.s + a * k.s, d.t + a * k.t};
    return r;
}
static inline double alignment(triple y, constants c) {
    double D = c.x * y.t - (c.x + c.xa) * y.p;
    return c.ap * (c.x + c.xa) * y.s / 2 - y.p * D + c.es + c.ep / 2;
}
static inline double slope(triple y, triple k, constants c) {
    double D = c.x * y.t - (c.x + c.xa) * y.p, dD = c.x * k.t - (c.x + c.xa) * k.p;
    return c.ap * (c.x + c.xa) * k.s / 2 - k.p * D - y.p * dD;
}
static inline int64_t measure(double e, double a, double b) {
    a = __builtin_fabs(a), b = __builtin_fabs(b);
    double size = a > b ? a : b;
    size = size > 1e-290 ? size : 1e-290;
    return bits(__builtin_fabs(e)) - bits(size);
}

typedef struct { int64_t one, safety, largest, smallest, floor, tolerance, limit; double t1; } settings;

static int64_t advance(double *restrict w, int64_t *restrict wi, const settings *q) {
    const int64_t one = q->one, safety = q->safety, largest = q->largest, smallest = q->smallest, floor_ = q->floor,
                  tolerance = q->tolerance, limit = q->limit;
    const double t1 = q->t1;
    int64_t seen = 0;
#pragma omp simd reduction(| : seen)
    for (int l = 0; l < L; l++) {
        triple y = {w[P * L + l], w[S * L + l], w[TAU * L + l]}, k1 = {w[KP * L + l], w[KS * L + l], w[KT * L + l]};
        constants c = {w[AP * L + l], w[BETA * L + l], w[EP * L + l], w[ES * L + l], w[X * L + l], w[XA * L + l]};
        double t = w[TIME * L + l], wish = w[H * L + l], Ko = w[K * L + l], dKo = w[DK * L + l], Kmin = w[KMIN * L + l];
        int64_t last = wi[ERR * L + l], steps = wi[STEPS * L + l];
        double left = t1 - t;
        int final = wish >= left;
        double h = final ? left : wish;
        triple k2 = rate(plus(y, h, times(0.161, k1)), c);
        triple k3 = rate(plus(y, h, plus(times(-0.008480655492356989, k1), 0.335480655492357, k2)), c);
        triple d = plus(plus(times(2.8971530571054935, k1), -6.359448489975075, k2), 4.3622954328695815, k3);
        triple k4 = rate(plus(y, h, d), c);
        d = plus(plus(times(5.325864828439257, k1), -11.748883564062828, k2), 7.4955393428898365, k3);
        d = plus(d, -0.09249506636175525, k4);
        triple k5 = rate(plus(y, h, d), c);
        d = plus(plus(times(5.86145544294642, k1), -12.92096931784711, k2), 8.159367898576159, k3);
        d = plus(plus(d, -0.071584973281401, k4), -0.028269050394068383, k5);
        triple k6 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.09646076681806523, k1), 0.01, k2), 0.4798896504144996, k3);
        d = plus(plus(plus(d, 1.379008574103742, k4), -3.290069515436081, k5), 2.324710524099774, k6);
        triple z = plus(y, h, d), v = rate(z, c);
        d = plus(plus(times(0.0017800110522257773, k1), 0.0008164344596567463, k2), -0.007880878010261994, k3);
        d = plus(plus(plus(d, 0.1447110071732629, k4), -0.5823571654525552, k5), 0.45808210592918686, k6);
        triple e = times(h, plus(d, -0.015151515151515152, v));
        int64_t r = measure(e.p, y.p, z.p), rs = measure(e.s, y.s, z.s), rt = measure(e.t, y.t, z.t);
        r = r > rs ? r : rs;
        r = (r > rt ? r : rt) - tolerance;
        int ok = r <= 0;
        double Kn = alignment(z, c), dKn = slope(z, v, c), time = final ? t1 : t + h;
        double a = Ko + h * dKo, b = Kn - h * dKn, deepest = a > b ? a : b;
        int64_t flag = final ? DONE : 0;
        flag |= ((z.s < 1e-290) & (z.s != 0)) ? VANISHED : 0;
        flag |= ((y.p >= w[ESC * L + l]) != (z.p >= w[ESC * L + l])) ? CROSSED_P : 0;
        flag |= ((y.s <= w[COL * L + l]) != (z.s <= w[COL * L + l])) ? CROSSED_S : 0;
        flag |= ((dKo < 0) & (dKn > 0) & (deepest < Kmin - 1e-9 * __builtin_fabs(Kmin))) ? DIPPED : 0;
        flag = ok ? flag : 0;
        flag |= steps + 1 >= limit ? LIMIT : 0;
        flag |= ((steps + 1) & 1023) == 0 ? REVIEW : 0;
        flag |= ((t + h == t) | (ok & ((__builtin_fabs(z.p) > 1e290) | (__builtin_fabs(z.t) > 1e290)))) ? STUCK : 0;
        flag = wi[INDEX * L + l] >= 0 ? flag : 0;
        seen |= flag;
        w[P0 * L + l] = y.p, w[S0 * L + l] = y.s, w[KP0 * L + l] = k1.p, w[KS0 * L + l] = k1.s;
        w[T0 * L + l] = t, w[K0 * L + l] = Ko, w[DK0 * L + l] = dKo;
        w[P * L + l] = ok ? z.p : y.p, w[S * L + l] = ok ? z.s : y.s, w[TAU * L + l] = ok ? z.t : y.t;
        w[KP * L + l] = ok ? v.p : k1.p, w[KS * L + l] = ok ? v.s : k1.s, w[KT * L + l] = ok ? v.t : k1.t;
        w[TIME * L + l] = ok ? time : t;
        w[K * L + l] = ok ? Kn : Ko, w[DK * L + l] = ok ? dKn : dKo;
        w[KMIN * L + l] = (ok & (Kn < Kmin)) ? Kn : Kmin;
        int64_t f = safety - (r >> 3) - (r >> 5) - (r >> 6) + (last >> 5) + (last >> 7);
        f = f < largest ? f : largest;
        f = f > smallest ? f : smallest;
        w[H * L + l] = h * value(f + one);
        int64_t kept = r > floor_ ? r : floor_;
        wi[ERR * L + l] = ok ? kept : last;
        wi[STEPS * L + l] = steps + 1;
        wi[FLAGS * L + l] = flag;
    }
    return seen;
}

/* in: 9 arrays of n (alpha_p, beta, eta_p, eta_s, x, x_aug, p, s, tau) and the escape level; out: p, s, tau, K_min. */
static void load(double *w, int64_t *wi, int l, const double *in, int64_t n, int64_t i, double t1) {
    triple y = {in[6 * n + i], in[7 * n + i], in[8 * n + i]};
    constants c = {in[i], in[n + i], in[2 * n + i], in[3 * n + i], in[4 * n + i], in[5 * n + i]};
    triple k = rate(y, c);
    double h = t1, size[3] = {y.p, y.s, y.t}, speed[3] = {k.p, k.s, k.t};
    for (int j = 0; j < 3; j++) {
        double a = __builtin_fabs(size[j]), b = __builtin_fabs(speed[j]);
        if (a > 0 && b * h > 0.01 * a) h = 0.01 * a / b;
    }
    double row[ROWS] = {y.p, y.s, y.t, k.p, k.s, k.t, h, 0, c.ap, c.beta, c.ep, c.es, c.x, c.xa, in[9 * n + i],
                        1e-6 * y.s, alignment(y, c), alignment(y, c), slope(y, k, c)};
    for (int r = 0; r < ROWS; r++) w[r * L + l] = row[r];
    wi[STEPS * L + l] = wi[ERR * L + l] = wi[FLAGS * L + l] = 0;
    wi[INDEX * L + l] = i;
}

static void park(double *w, int64_t *wi, int l) {
    for (int r = 0; r < ROWS; r++) w[r * L + l] = r == H;
    wi[STEPS * L + l] = wi[ERR * L + l] = wi[FLAGS * L + l] = 0;
    wi[INDEX * L + l] = -1;
}

int64_t solve(const double *in, double *out, int64_t n, const settings *q, int64_t chunk, int threads) {
    int64_t total = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(+ : total)
    for (int64_t start = 0; start < n; start += chunk) {
        int64_t end = start + chunk < n ? start + chunk : n, next = start, live = 0;
        double w[ROWS * L] __attribute__((aligned(64)));
        int64_t wi[INTS * L] __attribute__((aligned(64)));
        for (int l = 0; l < L; l++) {
            park(w, wi, l);
            if (next < end) load(w, wi, l, in, n, next++, q->t1), live++;
        }
        while (live > 0) {
            if (!advance(w, wi, q)) continue;
            for (int l = 0; l < L; l++) {
                if (!(wi[FLAGS * L + l] & (DONE | LIMIT | STUCK))) continue;
                int64_t i = wi[INDEX * L + l];
                out[i] = w[P * L + l], out[n + i] = w[S * L + l], out[2 * n + i] = w[TAU * L + l];
                out[3 * n + i] = w[KMIN * L + l];
                total += wi[STEPS * L + l];
                if (next < end) load(w, wi, l, in, n, next++, q->t1);
                else park(w, wi, l), live--;
            }
        }
    }
    return total;
}
