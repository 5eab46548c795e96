// Integration and classification in plain numbers; the right-hand side is the printed one above.
'use strict';
const SLOW = 2e-3, GONE = 1e-6, GROWN = 1.1;

function args_held(v) { return [v.alpha_p, v.eta, v.eta, v.x, v.x_aug, v.tau, 0]; }
function args_moving(v) { return [v.alpha_p, v.eta, v.eta, v.x, v.x_aug, v.beta]; }

// What stands still: at held tau, or at tau = 1 where the target moves.
function at_rest(v, tau) {
  const found = {critical: critical(v.x, v.x_aug, tau), star: v.x * tau / (v.x + v.x_aug)};
  if (v.eta > 0 && discriminant(v.eta, v.x, v.x_aug, tau) > 0) {
    for (const [name, root] of [['minus', p_minus], ['plus', p_plus]]) {
      const p = root(v.eta, v.x, v.x_aug, tau);
      found[name] = [p, s_of_p(p, v.alpha_p, v.eta, v.x, v.x_aug, tau)];
    }
  }
  return found;
}

// One Runge-Kutta step of a flow y -> dy/dt.
function rk4(flow, y, h) {
  const k1 = flow(y), n = y.length, at = (k, c) => y.map((value, i) => value + c * h * k[i]);
  const k2 = flow(at(k1, 0.5)), k3 = flow(at(k2, 0.5)), k4 = flow(at(k3, 1));
  const out = new Array(n);
  for (let i = 0; i < n; i++) out[i] = y[i] + h * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]) / 6;
  return out;
}

function plane_flow(v) {
  const a = args_held(v);
  return y => rates_held(y[0], y[1], ...a);
}
function log_flow(v, moving) {  // (p, log s[, tau]): s keeps its relative accuracy
  if (!moving) {
    const a = args_held(v);
    return z => { const s = Math.exp(z[1]), r = rates_held(z[0], s, ...a); return [r[0], r[1] / s]; };
  }
  const a = args_moving(v);
  return z => { const s = Math.exp(z[1]), r = rates_moving(z[0], s, z[2], ...a); return [r[0], r[1] / s, r[2]]; };
}

// How fast p and tau come to what drives them: a step of Runge-Kutta must not be longer than about its inverse.
function stiff(v, z, moving) { return v.alpha_p * Math.exp(z[1]) * (v.x + v.x_aug) + v.eta + (moving ? v.beta : 0); }

// A path from a start, in steps that no variable changes by more than a share; t < 0 goes back.
function path(v, start, moving, t1, far) {
  const way = Math.sign(t1), flow = log_flow(v, moving);
  let z = [start[0], Math.log(start[1]), ...(moving ? [start[2]] : [])], t = 0;
  const out = [[0, start[0], start[1], moving ? start[2] : v.tau]];
  for (let k = 0; k < 4000 && Math.abs(t) < Math.abs(t1); k++) {
    const r = flow(z), speed = Math.abs(r[0]) / (Math.abs(z[0]) + 0.02) + Math.abs(r[1]) + (moving ? Math.abs(r[2]) : 0) + 0.03 * stiff(v, z, moving);
    const h = Math.min(0.04 / (speed + 1e-9), Math.abs(t1) - Math.abs(t), Math.abs(t1) / 150);
    z = rk4(flow, z, way * h);
    t += way * h;
    if (z[1] < -600 || !z.every(Number.isFinite)) break;
    out.push([t, z[0], Math.exp(z[1]), moving ? z[2] : v.tau]);
    if (way < 0 && (Math.abs(z[0]) > far[0] || Math.exp(z[1]) > far[1])) break;
  }
  return out;
}

// Flow lines by steps of one length in the window.
function flow_lines(v, box, count = 30, steps = 130, length = 2.2) {
  const [l, r] = box[0], top = box[1][1], n = Math.max(Math.floor(count / 6), 2), unit = [r - l, top - box[1][0]];
  const spread = (a, b, m) => Array.from({length: m}, (_, i) => a + (b - a) * i / (m - 1)), flow = plane_flow(v);
  const starts = [...spread(0.1, 0.95, n).map(s => [l, s * top]), ...spread(0.06, 0.94, 2 * n).map(s => [l + s * unit[0], top]),
    ...spread(0.05, 0.9, n).map(s => [r, s * top]), ...spread(0.12, 0.97, 2 * n).map(s => [l + s * unit[0], 0.015 * top])];
  const size = y => { const f = flow(y); return Math.hypot(f[0] / unit[0], f[1] / unit[1]); };
  const slow = SLOW * Math.max(...starts.map(size)), h = length / steps;
  const along = y => { const f = flow(y), c = 1 / (Math.hypot(f[0] / unit[0], f[1] / unit[1]) + slow); return [f[0] * c, f[1] * c]; };
  return starts.map(y => { const line = [y]; for (let k = 0; k < steps; k++) { y = rk4(along, y, h); line.push(y); } return line; });
}

// The stable manifold of the saddle, followed backward to the window's edge.
function separatrix(v, box, saddle) {
  const [a, b, c, d] = jacobian_held(saddle[0], saddle[1], ...args_held(v)), half = (a + d) / 2;
  const value = half - Math.sqrt(Math.max(half * half - (a * d - b * c), 0));
  let u = Math.abs(b) > 1e-300 ? [b, value - a] : [value - d, c];
  const unit = [box[0][1] - box[0][0], box[1][1] - box[1][0]], size = Math.hypot(u[0] / saddle[0], u[1] / saddle[1]) || 1;
  u = u.map(value => value * Math.sign(u[0] || 1) / size);
  const halves = [-1, 1].map(way => {
    const flow = z => {
      const s = Math.exp(Math.min(z[1], Math.log(box[1][1]) + 1)), r = rates_held(z[0], s, ...args_held(v));
      const speed = -(Math.hypot(r[0] / unit[0], r[1] / unit[1]) + 1e-300);
      return [r[0] / speed, r[1] / s / speed];
    };
    const z0 = [saddle[0] + way * 3e-4 * u[0], saddle[1] + way * 3e-4 * u[1]];
    let z = [z0[0], Math.log(Math.max(z0[1], 1e-300))], line = [z0];
    for (let k = 0; k < 1500; k++) {
      const f = flow(z), h = Math.min(4e-3, 0.05 / (Math.abs(f[1]) + 1e-9));
      z = rk4(flow, z, h);
      const p = z[0], s = Math.exp(z[1]);
      if (!Number.isFinite(p) || p < box[0][0] || p > box[0][1] || s > box[1][1] || z[1] < -60) break;
      line.push([p, s]);
    }
    return line;
  });
  return [...halves[0].reverse(), saddle, ...halves[1]];
}

// What became of a mode at t1: 0 collapsed, 1 alive, 2 alive but not growing, 3 undecided, 4 not integrated.
// A run ends early where its fate is certain: in the boxes that cannot be left, and at the alive fixed point.
function outcome(v, moving, t1) {
  const a = v.alpha_p, e = v.eta, x = v.x, y = v.x_aug, b = moving ? v.beta : 0, rest = at_rest(v, moving ? 1 : v.tau);
  const pm = rest.minus ? rest.minus[0] : 0, wm = rest.minus ? Math.sqrt(rest.minus[1]) : 0;
  const pp = rest.plus ? rest.plus[0] : NaN, sp = rest.plus ? rest.plus[1] : NaN;
  const level = moving ? 1 : v.tau, spread = 1 / Math.sqrt(a), least = e / Math.sqrt(a) / (level * x);
  let p = v.p, s = v.s, u = v.tau, t = 0, r = rates_moving(p, s, u, a, e, e, x, y, b);
  if (!moving) r[2] = 0;
  for (let k = 0; k < 6000 && t < t1; k++) {
    const fast = a * s * (x + y) + e + b;
    const speed = Math.abs(r[0]) / (Math.abs(p) + 0.1) + 0.5 * Math.abs(r[1]) / s + Math.abs(r[2]) / (Math.abs(u) + 0.1) + 0.22 * fast;
    const h = Math.min(0.4 / (speed + 0.004), t1 - t), g = h / 2;
    const k2 = rates_moving(p + g * r[0], s + g * r[1], u + g * r[2], a, e, e, x, y, b); if (!moving) k2[2] = 0;
    const k3 = rates_moving(p + g * k2[0], s + g * k2[1], u + g * k2[2], a, e, e, x, y, b); if (!moving) k3[2] = 0;
    const k4 = rates_moving(p + h * k3[0], s + h * k3[1], u + h * k3[2], a, e, e, x, y, b); if (!moving) k4[2] = 0;
    p += h * (r[0] + 2 * k2[0] + 2 * k3[0] + k4[0]) / 6;
    s += h * (r[1] + 2 * k2[1] + 2 * k3[1] + k4[1]) / 6;
    u += h * (r[2] + 2 * k2[2] + 2 * k3[2] + k4[2]) / 6;
    t += h;
    if (!(s > 1e-280)) return s === s ? 0 : 4;
    if (e > 0) {
      const w = Math.sqrt(s), z = moving ? Math.abs(u) * w : w;
      if (Math.abs(p) < pm && w < wm && z < wm || Math.max(w, z, Math.abs(p) * spread) < least) return 0;
      if (Math.abs(p / pp - 1) < 0.01 && Math.abs(s / sp - 1) < 0.02 && Math.abs(u / level - 1) < 0.01) return sp >= GROWN * v.s ? 1 : 2;
    }
    r = rates_moving(p, s, u, a, e, e, x, y, b); if (!moving) r[2] = 0;
  }
  if (!Number.isFinite(p + s + u)) return 4;
  const gone = s <= GONE * v.s && r[1] < 0;
  if (!(e > 0)) return gone ? 0 : p > 0 ? (s >= GROWN * v.s ? 1 : 2) : 3;
  if (!rest.minus) return gone ? 0 : 3;
  const w = Math.sqrt(s), z = moving ? u * w : w, far = p > 1.1 * pp && w < Math.sqrt(sp);
  return p >= pm && w >= wm && z >= wm && !far ? (s >= GROWN * v.s ? 1 : 2) : 3;
}

// The grid of a range text, LOW:HIGH:COUNT or log:LOW:HIGH:COUNT.
function grid(text, count) {
  const log = text.startsWith('log:'), [low, high, n] = text.replace('log:', '').split(':').map(Number), m = count || n;
  return Array.from({length: m}, (_, i) => log ? low * Math.pow(high / low, i / (m - 1)) : low + (high - low) * i / (m - 1));
}
function collapse_map(v, across, up, xs, ys, t1 = 200) {
  const moving = v.target === 'moving', out = new Uint8Array(xs.length * ys.length), at = {...v};
  for (let j = 0; j < ys.length; j++) for (let i = 0; i < xs.length; i++) {
    at[across] = xs[i]; at[up] = ys[j];
    out[j * xs.length + i] = outcome(at, moving, t1);
  }
  return out;
}
if (typeof module !== 'undefined') module.exports = {rates_held, rates_moving, jacobian_held, p_minus, p_plus, critical, s_of_p, at_rest, collapse_map, grid, path, separatrix, flow_lines};
