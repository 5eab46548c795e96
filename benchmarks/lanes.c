/* The lane kernel's explicit path in C, for comparison: same method, same block of 16 lanes, same controller, same
   bookkeeping (K and dK/dt, event flags, refill of a lane's place); built by benchmarks/sweep.py with
   cc -O3 -march=native -fno-trapping-math -fopenmp (without the third gcc 12 does not vectorise the loop). The rare path (crossing times, dips of K) is left out, in C's favour. */
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
static inline int64_t measure(double e, double d, double a, double b) {
    a = __builtin_fabs(a), b = __builtin_fabs(b);
    double size = a > b ? a : b;
    size = size > 1e-290 ? size : 1e-290;
    int64_t m = bits(__builtin_fabs(e)), n = bits(__builtin_fabs(d));
    return 2 * m - (m > n ? m : n) - bits(size);
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
        triple d = times(0.05260015195876773, k1);
        triple k2 = rate(plus(y, h, d), c);
        d = plus(times(0.0197250569845379, k1), 0.0591751709536137, k2);
        triple k3 = rate(plus(y, h, d), c);
        d = plus(times(0.02958758547680685, k1), 0.08876275643042054, k3);
        triple k4 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.2413651341592667, k1), -0.8845494793282861, k3), 0.924834003261792, k4);
        triple k5 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.037037037037037035, k1), 0.17082860872947386, k4), 0.12546768756682242, k5);
        triple k6 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.037109375, k1), 0.17025221101954405, k4), 0.06021653898045596, k5);
        d = plus(d, -0.017578125, k6);
        triple k7 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.03709200011850479, k1), 0.17038392571223998, k4), 0.10726203044637328, k5);
        d = plus(plus(d, -0.015319437748624402, k6), 0.008273789163814023, k7);
        triple k8 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.6241109587160757, k1), -3.3608926294469414, k4), -0.868219346841726, k5);
        d = plus(plus(plus(d, 27.59209969944671, k6), 20.154067550477894, k7), -43.48988418106996, k8);
        triple k9 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.47766253643826434, k1), -2.4881146199716677, k4), -0.590290826836843, k5);
        d = plus(plus(plus(d, 21.230051448181193, k6), 15.279233632882423, k7), -33.28821096898486, k8);
        d = plus(d, -0.020331201708508627, k9);
        triple k10 = rate(plus(y, h, d), c);
        d = plus(plus(times(-0.9371424300859873, k1), 5.186372428844064, k4), 1.0914373489967295, k5);
        d = plus(plus(plus(d, -8.149787010746927, k6), -18.52006565999696, k7), 22.739487099350505, k8);
        d = plus(plus(d, 2.4936055526796523, k9), -3.0467644718982196, k10);
        triple k11 = rate(plus(y, h, d), c);
        d = plus(plus(times(2.273310147516538, k1), -10.53449546673725, k4), -2.0008720582248625, k5);
        d = plus(plus(plus(d, -17.9589318631188, k6), 27.94888452941996, k7), -2.8589982771350235, k8);
        d = plus(plus(plus(d, -8.87285693353063, k9), 12.360567175794303, k10), 0.6433927460157636, k11);
        triple k12 = rate(plus(y, h, d), c);
        d = plus(plus(times(0.054293734116568765, k1), 4.450312892752409, k6), 1.8915178993145003, k7);
        d = plus(plus(plus(d, -5.801203960010585, k8), 0.3111643669578199, k9), -0.1521609496625161, k10);
        d = plus(plus(d, 0.20136540080403034, k11), 0.04471061572777259, k12);
        triple z = plus(y, h, d), v = rate(z, c);
        d = plus(plus(times(0.01312004499419488, k1), -1.2251564463762044, k6), -0.4957589496572502, k7);
        d = plus(plus(plus(d, 1.6643771824549864, k8), -0.35032884874997366, k9), 0.3341791187130175, k10);
        d = plus(plus(d, 0.08192320648511571, k11), -0.022355307863886294, k12);
        triple e = times(h, d);
        d = plus(plus(times(-0.18980075407240762, k1), 4.450312892752409, k6), 1.8915178993145003, k7);
        d = plus(plus(plus(d, -5.801203960010585, k8), -0.4226823213237919, k9), -0.1521609496625161, k10);
        d = plus(plus(d, 0.20136540080403034, k11), 0.02265179219836082, k12);
        triple f = times(0.1 * h, d);
        int64_t r = measure(e.p, f.p, y.p, z.p), rs = measure(e.s, f.s, y.s, z.s), rt = measure(e.t, f.t, y.t, z.t);
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
        int64_t grow = safety - (r >> 3);
        grow = grow < largest ? grow : largest;
        grow = grow > smallest ? grow : smallest;
        w[H * L + l] = h * value(grow + one);
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

/* Chunk j holds the lanes from bounds[j] up to bounds[j + 1]. */
int64_t solve(const double *in, double *out, const int64_t *bounds, int64_t chunks, const settings *q, int threads) {
    const int64_t n = bounds[chunks];
    int64_t total = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(+ : total)
    for (int64_t j = 0; j < chunks; j++) {
        int64_t end = bounds[j + 1], next = bounds[j], live = 0;
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
