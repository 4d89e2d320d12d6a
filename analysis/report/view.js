// The interactive view: which run and step, seen from where, in which colours.

// Okabe and Ito, without the yellow that white swallows; then viridis.
const CATEGORIES = [0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0x56b4e9, 0xe69f00, 0x000000, 0x8c6d31];
const NONE = 0xb0b0b0;
const VIRIDIS = [0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962, 0xaddc30,
  0xfde725];
const SHADES = 48;
const EYE = 3.4;  // distance of the eye in radii of the cloud
const STEPS_PER_SECOND = 4;
const MOVING_EDGES = 3000;  // as many are drawn while the picture moves, all when it rests

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

function decoded(text, kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new kind(bytes.buffer);
}

const swapped = (rgb) => ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16);
const css = (rgb) => "#" + rgb.toString(16).padStart(6, "0");

function shade(share) {
  const at = Math.min(VIRIDIS.length - 2, Math.floor(share * (VIRIDIS.length - 1)));
  return mixed(VIRIDIS[at], VIRIDIS[at + 1], share * (VIRIDIS.length - 1) - at);
}

// Classes of points, the colours of the classes, and what the legend says of them.
function readColouring(colouring) {
  const values = decoded(colouring.values, Int32Array), classes = new Uint8Array(values.length);
  let colours, legend = [];
  if (colouring.kind === "scale") {
    let low = Infinity, high = -Infinity;
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    for (let i = 0; i < values.length; i++)
      classes[i] = Math.round((values[i] - low) / Math.max(1, high - low) * (SHADES - 1));
    colours = Array.from({length: SHADES}, (_, at) => shade(at / (SHADES - 1)));
    legend = [{from: low, to: high}];
  } else {
    const count = CATEGORIES.length;
    for (let i = 0; i < values.length; i++) classes[i] = values[i] < 0 ? count : values[i] % count;
    colours = [...CATEGORIES, NONE];
    legend = colouring.kind === "cycle" ? [{text: "each in one of eight colours"}]
      : colouring.labels.map((text, at) => ({text, colour: CATEGORIES[at % count]}));
    if (values.includes(-1)) legend.push({text: "other nodes", colour: NONE});
  }
  return {classes, table: fogTable(colours.map(swapped)), legend, values,
    name: colouring.name, labels: colouring.labels};
}

// A run as it is drawn: arrays decoded once, when it is chosen.
function readRun(run) {
  const graph = data.graphs[run.graph];
  const nodes = decoded(graph.nodes, Int32Array), count = nodes.length;
  const points = decoded(run.points, Int16Array);
  const radii = run.steps.map((_, step) => {
    const all = new Float32Array(count), first = step * count * 3;
    for (let i = 0, k = first; i < count; i++, k += 3)
      all[i] = Math.hypot(points[k], points[k + 1], points[k + 2]);
    all.sort();
    // A few nodes far out, as a root may be, do not decide the size of all others.
    return Math.max(1, all[Math.floor(0.96 * (count - 1))] * 1.1, all[count - 1] / 1.15);
  });
  return {run, graph, nodes, count, points, radii, radius: Math.max(radii.at(-1), Math.max(...radii) / 2),
    ends: decoded(graph.edges, Int32Array),
    colourings: [...run.colourings, ...graph.colourings]};
}

class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.painter = new Painter(canvas);
    this.times = [];
    this.waiting = false;
    this.playing = false;
    this.reset();
  }

  reset() { Object.assign(this, {yaw: 0.6, pitch: 0.35, zoom: 1, panX: 0, panY: 0}); }

  choose(at) {
    this.at = at;
    this.shown = readRun(data.runs[at]);
    const {count} = this.shown;
    for (const name of ["x", "y", "depth", "near"]) this[name] = new Float32Array(count);
    this.time = this.shown.run.steps.length - 1;
    this.colour(0);
  }

  colour(at) { this.colouring = readColouring(this.shown.colourings[at]); }

  // Turn, scale and project the points of a step, or of a moment between two steps.
  project() {
    const {shown, x, y, depth, near, painter} = this, {points, radii, count} = shown;
    const from = Math.floor(this.time), share = this.time - from;
    const to = Math.min(from + 1, radii.length - 1), a = from * count * 3, b = to * count * 3;
    const radius = byId("fit").checked ? radii[from] * (1 - share) + radii[to] * share : shown.radius;
    const {sin, cos} = Math, sy = sin(this.yaw), cy = cos(this.yaw);
    const sp = sin(this.pitch), cp = cos(this.pitch);
    const size = Math.min(painter.width, painter.height) * 0.46 * this.zoom;
    const midX = painter.width / 2 + this.panX, midY = painter.height / 2 + this.panY;
    for (let i = 0, k = 0; i < count; i++, k += 3) {
      const px = (points[a + k] + (points[b + k] - points[a + k]) * share) / radius;
      const py = (points[a + k + 1] + (points[b + k + 1] - points[a + k + 1]) * share) / radius;
      const pz = (points[a + k + 2] + (points[b + k + 2] - points[a + k + 2]) * share) / radius;
      const right = px * cy + pz * sy, away = pz * cy - px * sy;
      const up = py * cp - away * sp, front = py * sp + away * cp;
      const scale = EYE / (EYE - front);
      x[i] = midX + right * size * scale;
      y[i] = midY - up * size * scale;
      depth[i] = front;
      near[i] = scale;
    }
  }

  draw(moving) {
    const start = performance.now(), {painter, shown, colouring} = this;
    this.project();
    painter.clear();
    this.axes();
    if (byId("edges").checked) {
      const count = shown.ends.length / 2, strength = Math.min(150, 1600 / Math.sqrt(count));
      const stride = moving ? Math.max(1, Math.ceil(count / MOVING_EDGES)) : 1;
      painter.lines(this.x, this.y, this.depth, shown.ends, 0x555555, strength, stride);
    }
    const scale = this.scale || 1;
    const radius = Math.min(7, Math.max(1.5, 75 / Math.sqrt(shown.count))) * scale
      * Math.min(2, Math.max(0.7, Math.sqrt(this.zoom)));
    painter.points(this.x, this.y, this.depth, this.near, shown.count, colouring.classes,
      colouring.table, radius);
    painter.show();
    this.names();
    if (!moving) return;
    this.times.push(performance.now() - start);
    if (this.times.length > 60) this.times.shift();
  }

  // Where the three principal axes point, from the centre; their names are written afterwards.
  axes() {
    const {painter, yaw, pitch} = this;
    const size = Math.min(painter.width, painter.height) * 0.23 * this.zoom;
    const midX = painter.width / 2 + this.panX, midY = painter.height / 2 + this.panY;
    this.tips = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(([px, py, pz]) => {
      const right = px * Math.cos(yaw) + pz * Math.sin(yaw);
      const away = pz * Math.cos(yaw) - px * Math.sin(yaw);
      const up = py * Math.cos(pitch) - away * Math.sin(pitch);
      const tip = {x: midX + right * size, y: midY - up * size};
      painter.line(midX, midY, tip.x, tip.y, 0xdcdcdc, 255);
      return tip;
    });
  }

  names() {
    const {context} = this.painter;
    context.font = `${11 * (this.scale || 1)}px system-ui, sans-serif`;
    context.fillStyle = "#8a8a8a";
    this.tips.forEach((tip, at) => context.fillText(`PC ${at + 1}`, tip.x + 3, tip.y));
  }

  frameTime() {
    const sorted = [...this.times].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] || 0;
  }

  fill() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.scale = ratio;
    const width = Math.round(this.canvas.clientWidth * ratio);
    const height = Math.round(this.canvas.clientHeight * ratio);
    if (width !== this.painter.width || height !== this.painter.height)
      this.painter.resize(width, height);
  }

  // The place of the point nearest to a spot on the canvas, or -1.
  nearest(spotX, spotY) {
    let best = -1, least = (10 * this.scale) ** 2;
    for (let i = 0; i < this.shown.count; i++) {
      const distance = (this.x[i] - spotX) ** 2 + (this.y[i] - spotY) ** 2;
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }
}

function describe(view, at) {
  if (at < 0) return "";
  const {shown, colouring} = view, node = shown.nodes[at], value = colouring.values[at];
  const name = shown.graph.names ? shown.graph.names[at] : `node ${node}`;
  const label = colouring.labels.length ? colouring.labels[value] : value < 0 ? null : value;
  return label === undefined || label === null ? name : `${name} · ${colouring.name}: ${label}`;
}

function startView() {
  const view = new View(byId("canvas")), {canvas} = view;
  const runs = byId("run"), colours = byId("colour"), slider = byId("step");
  const fillOptions = (select, texts) =>
    select.replaceChildren(...texts.map((text, at) => new Option(text, at)));

  function tellFacts() {
    const {painter, shown} = view, time = Math.round(view.time);
    const frame = view.frameTime();
    Object.assign(canvas.dataset, {points: shown.count, edges: shown.ends.length / 2,
      step: shown.run.steps[time], frameMs: frame.toFixed(2), frames: view.times.length,
      checksum: painter.checksum(), inked: painter.inked().toFixed(4)});
    const all = shown.count < shown.graph.n ? ` of ${shown.graph.n.toLocaleString("en")}` : "";
    const shares = shown.run.shares.map((share) => `${(100 * share).toFixed(0)}%`).join(", ");
    const told = view.times.length < 10 ? "" : `; ${frame.toFixed(1)} ms a frame while it moves`;
    byId("state").textContent = `${shown.count.toLocaleString("en")}${all} nodes, `
      + `${(shown.ends.length / 2).toLocaleString("en")} edges; the axes hold ${shares} of the `
      + `spread${told}`;
  }

  function rest() {
    view.draw(false);
    tellFacts();
  }

  let idle = 0;
  function draw() {
    view.waiting = false;
    view.fill();
    view.draw(true);
    byId("step-text").textContent =
      `${view.shown.run.steps[Math.round(view.time)]} of ${view.shown.run.steps.at(-1)}`;
    clearTimeout(idle);
    idle = setTimeout(rest, 150);
  }
  const soon = () => { if (!view.waiting) { view.waiting = true; requestAnimationFrame(draw); } };

  function showLegend() {
    byId("legend").replaceChildren(...view.colouring.legend.map((entry) => {
      const item = document.createElement("span"), mark = document.createElement("i");
      if ("from" in entry) {
        mark.className = "scale";
        mark.style.background = `linear-gradient(to right, ${VIRIDIS.map(css).join(", ")})`;
        item.append(`${view.colouring.name}: ${entry.from}`, mark, String(entry.to));
      } else {
        if (entry.colour !== undefined) { mark.style.background = css(entry.colour); item.append(mark); }
        item.append(entry.text);
      }
      return item;
    }));
  }

  function choose(at) {
    const before = view.colouring ? view.colouring.name : null;
    stop();
    view.choose(at);
    const names = view.shown.colourings.map((colouring) => colouring.name);
    fillOptions(colours, names);
    view.colour(Math.max(0, names.indexOf(before)));
    colours.value = Math.max(0, names.indexOf(before));
    slider.max = view.time;
    slider.value = view.time;
    byId("time").hidden = view.shown.run.steps.length < 2;
    view.times.length = 0;
    showLegend();
    soon();
  }

  let last = 0;
  function tick(now) {
    if (!view.playing) return;
    const most = view.shown.run.steps.length - 1;
    view.time = Math.min(most, view.time + (now - last) / 1000 * STEPS_PER_SECOND);
    last = now;
    slider.value = Math.round(view.time);
    draw();
    if (view.time >= most) stop(); else requestAnimationFrame(tick);
  }
  function stop() {
    view.playing = false;
    byId("play").textContent = "Play";
    byId("play").setAttribute("aria-pressed", "false");
  }
  function play() {
    if (view.playing || view.shown.run.steps.length < 2) { stop(); return; }
    if (view.time >= view.shown.run.steps.length - 1) view.time = 0;
    view.playing = true;
    byId("play").textContent = "Pause";
    byId("play").setAttribute("aria-pressed", "true");
    last = performance.now();
    requestAnimationFrame(tick);
  }

  const turn = (yaw, pitch) => {
    view.yaw += yaw;
    view.pitch = Math.max(-1.57, Math.min(1.57, view.pitch + pitch));
    soon();
  };
  const zoom = (factor) => { view.zoom = Math.max(0.2, Math.min(40, view.zoom * factor)); soon(); };

  const fingers = new Map();
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, {x: event.clientX, y: event.clientY});
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId), box = canvas.getBoundingClientRect();
    if (!before) {
      const at = view.nearest((event.clientX - box.left) * view.scale,
        (event.clientY - box.top) * view.scale);
      byId("hover").textContent = describe(view, at);
      return;
    }
    const wide = fingers.size === 2 ? spread() : 0;
    fingers.set(event.pointerId, {x: event.clientX, y: event.clientY});
    if (fingers.size === 2) { zoom(spread() / Math.max(1, wide)); return; }
    const dx = event.clientX - before.x, dy = event.clientY - before.y;
    if (event.shiftKey) {
      view.panX += dx * view.scale;
      view.panY += dy * view.scale;
      soon();
    } else turn(dx * 0.008, dy * 0.008);
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas) return;  // the wheel scrolls the page until then
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0015));
  }, {passive: false});
  const keys = {
    ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0),
    ArrowUp: () => turn(0, -0.1), ArrowDown: () => turn(0, 0.1),
    "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15), " ": play,
  };
  canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  runs.addEventListener("change", () => choose(Number(runs.value)));
  colours.addEventListener("change", () => { view.colour(Number(colours.value)); showLegend(); soon(); });
  slider.addEventListener("input", () => { stop(); view.time = Number(slider.value); soon(); });
  byId("play").addEventListener("click", play);
  byId("reset").addEventListener("click", () => { view.reset(); soon(); });
  for (const id of ["edges", "fit"]) byId(id).addEventListener("change", soon);
  new ResizeObserver(soon).observe(canvas);

  fillOptions(runs, data.runs.map((run) => `${run.label} (${run.run})`));
  choose(0);
}

if (data.runs.length) startView();
else for (const part of document.querySelectorAll("#space, nav a[href='#space']")) part.hidden = true;
