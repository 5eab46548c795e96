// What is drawn and what the reader does.
const $ = id => document.getElementById(id), state = {v: {...GIVEN.values}, starts: GIVEN.starts.slice(), way: 'both'};
const names = GIVEN.dials.map(d => d.name), dial = Object.fromEntries(GIVEN.dials.map(d => [d.name, d]));
const C = GIVEN.colours, PAD = {l: 52, r: 12, t: 10, b: 40};
let portrait_of = null, map_of = null, timer = 0;

function place(d, value) { return d.log ? Math.log10(value) : value; }
function short(value) { return String(Number(Number(value).toPrecision(4))); }

function controls() {
  for (const d of GIVEN.dials) {
    const label = document.createElement('label'), slider = document.createElement('input'), shown = document.createElement('output');
    slider.type = 'range'; slider.id = 'dial-' + d.name; slider.min = place(d, d.low); slider.max = place(d, d.high); slider.step = 'any';
    shown.id = 'value-' + d.name; shown.htmlFor = slider.id; label.htmlFor = slider.id; label.textContent = d.words + ' ';
    label.append(shown);
    slider.addEventListener('input', () => {
      const value = Number((d.log ? Math.pow(10, slider.value) : Number(slider.value)).toPrecision(5));
      state.v[d.name] = Math.min(Math.max(value, d.low), d.high); changed();
    });
    $('dials').append(label, slider);
  }
  for (const axis of ['across', 'up']) {
    for (const name of names) $(axis).append(new Option(dial[name].words, name));
    $(axis).addEventListener('change', () => {
      const other = axis === 'across' ? 'up' : 'across';
      if (state.v[other] === $(axis).value) state.v[other] = state.v[axis];
      state.v[axis] = $(axis).value;
      if ([state.v.across, state.v.up].includes('beta')) state.v.target = 'moving';
      changed();
    });
  }
  $('target').addEventListener('change', () => { state.v.target = $('target').value; changed(); });
  $('way').addEventListener('change', () => { state.way = $('way').value; changed(); });
  $('undo').addEventListener('click', () => { state.starts.pop(); changed(); });
  $('portrait').addEventListener('click', event => {
    const [p, s] = portrait_of.back(...pixel(event));
    if (s > 0) { state.starts.push([p, s]); changed(); }
  });
  $('map').addEventListener('click', event => {
    const [x, y] = map_of.back(...pixel(event)), nearest = (values, log, at) => values.reduce((a, b) => Math.abs((log ? Math.log10(b) : b) - at) < Math.abs((log ? Math.log10(a) : a) - at) ? b : a);
    state.v[state.v.across] = nearest(map_of.xs, map_of.log[0], x); state.v[state.v.up] = nearest(map_of.ys, map_of.log[1], y);
    changed();
  });
  $('portrait').addEventListener('mousemove', event => {
    const [p, s] = portrait_of.back(...pixel(event)), r = rates_held(p, s, ...args_held(state.v));
    $('under-portrait').textContent = `p = ${short(p)}, s = ${short(s)}: dp/dt = ${short(r[0])}, ds/dt = ${short(r[1])}`;
  });
  $('map').addEventListener('mousemove', event => {
    const [x, y] = map_of.back(...pixel(event)), i = map_of.cell(x, y);
    if (i) $('under-map').textContent = `${state.v.across} = ${short(map_of.log[0] ? 10 ** x : x)}, ${state.v.up} = ${short(map_of.log[1] ? 10 ** y : y)}: ${GIVEN.words[map_of.codes[i[1] * map_of.xs.length + i[0]]]}`;
  });
  window.addEventListener('hashchange', () => { from_address(); changed(); });
}

function pixel(event) {
  const box = event.target.getBoundingClientRect();
  return [(event.clientX - box.left) * event.target.width / box.width, (event.clientY - box.top) * event.target.height / box.height];
}

function to_address() {
  const parts = Object.entries(state.v).filter(([k, value]) => value !== GIVEN.values[k]).map(([k, value]) => `${k}=${value}`);
  state.starts.forEach(start => parts.push('start=' + start.map(x => Number(x.toPrecision(6))).join(',')));
  history.replaceState(null, '', parts.length ? '#' + parts.join('&') : location.pathname);
}
function from_address() {
  const wrong = [];
  if (location.hash.length > 1) state.starts = [];
  for (const part of location.hash.slice(1).split('&').filter(Boolean)) {
    const [name, text] = part.split('=').map(decodeURIComponent), d = dial[name];
    if (name === 'start') {
      const start = text.split(',').map(Number);
      if (start.length === 2 && start.every(Number.isFinite) && start[1] > 0) state.starts.push(start); else wrong.push(`start must be P,S with S > 0; got ${text}.`);
    } else if (d) {
      if (Number.isFinite(Number(text)) && Number(text) >= d.low && Number(text) <= d.high) state.v[name] = Number(text);
      else wrong.push(`${name} must be between ${d.low} and ${d.high}; got ${text}.`);
    } else if (name === 'target' && ['held', 'moving'].includes(text)) state.v.target = text;
    else if (['across', 'up'].includes(name) && dial[text]) state.v[name] = text;
    else wrong.push(`${name} is not known here.`);
  }
  if (state.v.across === state.v.up) { state.v.across = 'eta'; state.v.up = 'beta'; wrong.push('The map needs two parameters.'); }
  $('message').textContent = wrong.join(' ');
}

function changed() {
  for (const d of GIVEN.dials) { $('dial-' + d.name).value = place(d, state.v[d.name]); $('value-' + d.name).textContent = short(state.v[d.name]); }
  for (const name of ['across', 'up', 'target']) $(name).value = state.v[name];
  draw_portrait();
  draw_map(100);
  clearTimeout(timer);
  timer = setTimeout(() => { to_address(); repeat(); }, 200);
}

function canvas(id, x, y, labels, ticks) {
  const element = $(id), g = element.getContext('2d'), w = element.width, h = element.height;
  const px = value => PAD.l + (value - x[0]) / (x[1] - x[0]) * (w - PAD.l - PAD.r), py = value => h - PAD.b - (value - y[0]) / (y[1] - y[0]) * (h - PAD.t - PAD.b);
  g.setTransform(1, 0, 0, 1, 0, 0); g.clearRect(0, 0, w, h); g.fillStyle = '#fff'; g.fillRect(0, 0, w, h);
  const back = (a, b) => [x[0] + (a - PAD.l) / (w - PAD.l - PAD.r) * (x[1] - x[0]), y[0] + (h - PAD.b - b) / (h - PAD.t - PAD.b) * (y[1] - y[0])];
  const axes = () => {
    g.setLineDash([]); g.strokeStyle = C.ink; g.fillStyle = C.ink; g.lineWidth = 1; g.font = '13px system-ui,sans-serif';
    g.strokeRect(PAD.l, PAD.t, w - PAD.l - PAD.r, h - PAD.t - PAD.b);
    g.textAlign = 'center';
    for (const [at, word] of ticks[0]) { g.beginPath(); g.moveTo(px(at), h - PAD.b); g.lineTo(px(at), h - PAD.b + 4); g.stroke(); g.fillText(word, px(at), h - PAD.b + 16); }
    g.fillText(labels[0], (w + PAD.l) / 2, h - 6); g.textAlign = 'right';
    for (const [at, word] of ticks[1]) { g.beginPath(); g.moveTo(PAD.l - 4, py(at)); g.lineTo(PAD.l, py(at)); g.stroke(); g.fillText(word, PAD.l - 7, py(at) + 4); }
    g.save(); g.translate(13, h / 2); g.rotate(-Math.PI / 2); g.textAlign = 'center'; g.fillText(labels[1], 0, 0); g.restore();
  };
  const clip = () => { g.save(); g.beginPath(); g.rect(PAD.l, PAD.t, w - PAD.l - PAD.r, h - PAD.t - PAD.b); g.clip(); };
  const line = (points, colour, width, dash = []) => {
    g.beginPath(); g.strokeStyle = colour; g.lineWidth = width; g.setLineDash(dash);
    points.forEach(([a, b], k) => k ? g.lineTo(px(a), py(b)) : g.moveTo(px(a), py(b))); g.stroke(); g.setLineDash([]);
  };
  return {g, px, py, back, axes, clip, line, w, h};
}
function round_ticks([low, high], log) {
  if (log) { const out = []; for (let k = Math.ceil(low - 1e-9); k <= high + 1e-9; k++) out.push([k, short(10 ** k)]); if (out.length > 1) return out; return [[low, short(10 ** low)], [high, short(10 ** high)]]; }
  const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map(k => k * power).find(k => k >= raw), out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) out.push([k * step, short(k * step)]);
  return out;
}

function draw_portrait() {
  const v = state.v, moving = v.target === 'moving', rest = at_rest(v, v.tau), star = v.x * (moving ? 1 : v.tau) / (v.x + v.x_aug);
  const box = [[-star, 1.7 * star], [0, 1.7 * star * star / v.alpha_p]];
  const k = canvas('portrait', ...box, ['p', 's'], [round_ticks(box[0]), round_ticks(box[1])]), [p0, p1] = box[0];
  k.clip();
  const curve = rest.minus ? separatrix(v, box, rest.minus) : [];
  k.g.fillStyle = C.lost;
  if (curve.length) { k.g.beginPath(); curve.forEach(([a, b], i) => i ? k.g.lineTo(k.px(a), k.py(b)) : k.g.moveTo(k.px(a), k.py(b))); k.g.lineTo(k.px(curve[curve.length - 1][0]), k.py(0)); if (curve[0][0] > p0 + 1e-6) { k.g.lineTo(k.px(p0), k.py(0)); k.g.lineTo(k.px(p0), k.py(box[1][1])); } else k.g.lineTo(k.px(curve[0][0]), k.py(0)); k.g.fill(); }
  else if (v.eta > 0) k.g.fillRect(0, 0, k.w, k.h);
  flow_lines(v, box).forEach(line => k.line(line, C.flow, 1));
  k.line(Array.from({length: 200}, (_, i) => p0 + (p1 - p0) * i / 199).map(p => [p, p * p / v.alpha_p]), '#000', 1.6, [7, 4]);
  if (v.eta > 0) {
    k.line(Array.from({length: 300}, (_, i) => 0.9995 * rest.star * i / 299).map(p => [p, s_of_p(p, v.alpha_p, v.eta, v.x, v.x_aug, v.tau)]), '#404040', 1.6, [9, 3, 2, 3]);
    k.line([[p0, 0], [p1, 0]], '#101010', 2.2, [2, 3]);
    for (const name of ['minus', 'plus']) if (rest[name]) k.line([[rest[name][0], 0], [rest[name][0], box[1][1]]], '#101010', 2.2, [2, 3]);
  }
  k.line(curve, C.ink, 3.2);
  const t1 = 12 / Math.max(v.eta, 0.02), far = [4 * star, 4 * star * star / v.alpha_p], ends = [];
  const paths = [[v.p, v.s], ...state.starts].map(start => [...start, v.tau]).map(start => {
    const before = state.way !== 'forward' ? path(v, start, moving, -t1, far) : [], after = state.way !== 'backward' ? path(v, start, moving, t1, far) : [];
    k.line(before.map(r => [r[1], r[2]]), C.started, 2, [2, 3]); k.line(after.map(r => [r[1], r[2]]), C.started, 2.6);
    if (after.length) ends.push(outcome({...v, p: start[0], s: start[1]}, moving, 2000));
    return [before, after, start];
  });
  k.g.restore(); k.axes();
  const mark = (p, s, fill, edge, size) => { if (p >= p0 && p <= p1 && s <= box[1][1]) { k.g.beginPath(); k.g.arc(k.px(p), k.py(s), size, 0, 7); k.g.fillStyle = fill; k.g.fill(); k.g.lineWidth = 2; k.g.strokeStyle = edge; k.g.stroke(); } };
  paths.forEach(([, , start]) => mark(start[0], start[1], '#fff', C.started, 4));
  if (v.eta > 0) mark(0, 0, C.stable, C.ink, 6);
  if (rest.minus) mark(...rest.minus, '#fff', C.unstable, 6);
  if (rest.plus) mark(...rest.plus, C.stable, C.ink, 6);
  draw_tau(moving, paths);
  const words = ['collapses', 'lives', 'lives', 'is undecided', 'is undecided'], share = v.eta / rest.critical;
  $('reading').textContent = (rest.minus ? `p₋ = ${short(rest.minus[0])}, p₊ = ${short(rest.plus[0])}; the decay is at ${Math.round(100 * share)} % of the critical ${short(rest.critical)}.` : v.eta > 0 ? `The decay is above the critical ${short(rest.critical)}: every start collapses.` : 'Without decay fixed points fill lines.') + (ends.length ? ` The start (${short(v.p)}, ${short(v.s)}) ${words[ends[0]]}.` : '');
  portrait_of = k;
}

function draw_tau(moving, paths) {
  $('tau-figure').hidden = !moving;
  if (!moving) return;
  const rows = paths.flatMap(([before, after]) => [before, after]).filter(r => r.length), ts = rows.flat().map(r => r[0]), taus = rows.flat().map(r => r[3]);
  const x = [Math.min(...ts), Math.min(Math.max(...ts), 200)], y = [0, Math.min(Math.max(...taus, 1) * 1.1, 3)];
  const k = canvas('tau', x, y, ['flow time from the start', 'τ = target / online'], [round_ticks(x), round_ticks(y)]);
  k.clip();
  k.line([[x[0], 1], [x[1], 1]], '#8c8c8c', 1);
  rows.forEach(r => k.line(r.map(q => [q[0], q[3]]), C.started, 2.2));
  k.g.restore(); k.axes();
}

function draw_map(count) {
  const v = state.v, texts = [GIVEN.ranges[v.across], GIVEN.ranges[v.up]], log = texts.map(t => t.startsWith('log:'));
  const [xs, ys] = texts.map(t => grid(t, count)), codes = collapse_map(v, v.across, v.up, xs, ys);
  const ends = [xs, ys].map((g, i) => [g[0], g[g.length - 1]].map(value => log[i] ? Math.log10(value) : value));
  const k = canvas('map', ...ends, [dial[v.across].words, dial[v.up].words], [round_ticks(ends[0], log[0]), round_ticks(ends[1], log[1])]);
  const image = new ImageData(xs.length, ys.length);
  codes.forEach((code, i) => {
    const j = ys.length - 1 - Math.floor(i / xs.length), at = 4 * (j * xs.length + i % xs.length), c = C.map[code];
    for (let q = 0; q < 3; q++) image.data[at + q] = parseInt(c.slice(1 + 2 * q, 3 + 2 * q), 16);
    image.data[at + 3] = 255;
  });
  const small_one = document.createElement('canvas'); small_one.width = xs.length; small_one.height = ys.length;
  small_one.getContext('2d').putImageData(image, 0, 0);
  k.g.imageSmoothingEnabled = false;
  k.g.drawImage(small_one, PAD.l, PAD.t, k.w - PAD.l - PAD.r, k.h - PAD.t - PAD.b);
  const here = [place({log: log[0]}, v[v.across]), place({log: log[1]}, v[v.up])];
  k.clip(); k.line([[here[0], ends[1][0]], [here[0], ends[1][1]]], C.stable, 1.5, [4, 4]); k.line([[ends[0][0], here[1]], [ends[0][1], here[1]]], C.stable, 1.5, [4, 4]); k.g.restore(); k.axes();
  map_of = {...k, xs, ys, codes, log, cell: (x, y) => {
    const at = [x, y].map((value, i) => Math.round((value - ends[i][0]) / (ends[i][1] - ends[i][0]) * ([xs, ys][i].length - 1)));
    return at.every((n, i) => n >= 0 && n < [xs, ys][i].length) ? at : null;
  }};
}

function repeat() {
  const v = state.v, moving = v.target === 'moving';
  const flags = `--eta ${v.eta} --alpha-p ${v.alpha_p} --x ${v.x} --x-aug ${v.x_aug} --tau ${v.tau}${moving ? ` --beta ${v.beta}` : ''}`;
  $('command').textContent = `lindyn phase ${flags} ` + [[v.p, v.s], ...state.starts].map(s => `--start ${s.map(x => Number(x.toPrecision(6))).join(',')}`).join(' ') + (state.way === 'both' ? '' : ` --way ${state.way}`);
}

controls();
from_address();
changed();
