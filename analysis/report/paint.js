// Points and lines in an array of pixels: no WebGL, no calls per point.
// Colours are 0xBBGGRR, the order of bytes in ImageData on every machine that browsers run on.

const FOG_LEVELS = 16;
const BUCKETS = 1024;

function mixed(from, to, share) {
  const channel = (shift) => {
    const a = (from >> shift) & 255, b = (to >> shift) & 255;
    return Math.round(a + (b - a) * share) << shift;
  };
  return channel(0) | channel(8) | channel(16);
}

// What lies far is paler. One row of FOG_LEVELS per colour, nearest last.
function fogTable(colours) {
  const table = new Uint32Array(colours.length * FOG_LEVELS);
  colours.forEach((colour, at) => {
    for (let level = 0; level < FOG_LEVELS; level++) {
      const pale = 0.6 * (1 - level / (FOG_LEVELS - 1));
      table[at * FOG_LEVELS + level] = mixed(colour, 0xffffff, pale);
    }
  });
  return table;
}

// A disc as offsets and coverages of 256, with a white rim where it is large enough for one.
function makeDisc(radius) {
  const reach = Math.ceil(radius + 0.5), disc = {reach, dx: [], dy: [], cover: [], rim: []};
  const rim = radius >= 3.5 ? 1.2 : 0;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const distance = Math.hypot(dx, dy);
      const all = Math.min(1, Math.max(0, radius + 0.5 - distance));
      if (all <= 0) continue;
      const core = Math.min(1, Math.max(0, radius - rim + 0.5 - distance));
      disc.dx.push(dx); disc.dy.push(dy);
      disc.cover.push(Math.round(core * 256)); disc.rim.push(rim ? Math.round(all * 256) : 0);
    }
  }
  for (const name of ["dx", "dy", "cover", "rim"]) disc[name] = Int32Array.from(disc[name]);
  return disc;
}

const discs = new Map();
function discOf(radius) {
  const key = Math.max(1, Math.round(radius * 2));
  if (!discs.has(key)) discs.set(key, makeDisc(key / 2));
  return discs.get(key);
}

// share of 256 of a colour over what is there; both channels of 0xff00ff in one multiplication
function blended(under, over, share) {
  const rest = 256 - share;
  const outer = (((over & 0xff00ff) * share + (under & 0xff00ff) * rest + 0x800080) >>> 8)
    & 0xff00ff;
  const green = (((over & 0xff00) * share + (under & 0xff00) * rest + 0x8000) >>> 8) & 0xff00;
  return (0xff000000 | outer | green) >>> 0;
}

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.resize(1, 1);
    this.heads = new Int32Array(BUCKETS + 1);
  }

  resize(width, height) {
    this.width = this.canvas.width = Math.max(1, width);
    this.height = this.canvas.height = Math.max(1, height);
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  clear() { this.pixels.fill(0xffffffff); }

  show() { this.context.putImageData(this.image, 0, 0); }

  // Places of the points from far to near, by counting them into slices of depth.
  order(depth, count) {
    if (!this.sorted || this.sorted.length < count) {
      this.sorted = new Int32Array(count);
      this.slice = new Int32Array(count);
    }
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < count; i++) {
      if (depth[i] < low) low = depth[i];
      if (depth[i] > high) high = depth[i];
    }
    const {heads, sorted, slice} = this, factor = (BUCKETS - 1) / Math.max(high - low, 1e-9);
    heads.fill(0);
    for (let i = 0; i < count; i++) {
      slice[i] = ((depth[i] - low) * factor) | 0;
      heads[slice[i] + 1]++;
    }
    for (let bucket = 0; bucket < BUCKETS; bucket++) heads[bucket + 1] += heads[bucket];
    for (let i = 0; i < count; i++) sorted[heads[slice[i]]++] = i;
    return sorted;
  }

  fog(depth) {
    const level = ((depth + 1) * 0.5 * FOG_LEVELS) | 0;
    return level < 0 ? 0 : level >= FOG_LEVELS ? FOG_LEVELS - 1 : level;
  }

  points(x, y, depth, near, count, classes, table, radius) {
    const sorted = this.order(depth, count), {width, height, pixels} = this;
    for (let i = 0; i < count; i++) {
      const at = sorted[i], disc = discOf(radius * near[at]), reach = disc.reach;
      const px = Math.round(x[at]), py = Math.round(y[at]);
      if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
      const colour = table[classes[at] * FOG_LEVELS + this.fog(depth[at])];
      const {dx, dy, cover, rim} = disc, middle = py * width + px;
      for (let k = 0; k < cover.length; k++) {
        const place = middle + dy[k] * width + dx[k];
        let under = pixels[place];
        if (rim[k]) under = blended(under, 0xffffff, rim[k]);
        pixels[place] = cover[k] === 256 ? (0xff000000 | colour) >>> 0
          : blended(under, colour, cover[k]);
      }
    }
  }

  // Edges as lines of two pixels per column or row, shared by how near each is; every `stride`th.
  lines(x, y, depth, ends, colour, strength, stride) {
    for (let i = 0; i < ends.length; i += 2 * stride) {
      const a = ends[i], b = ends[i + 1];
      const light = strength * (0.35 + 0.65 * (this.fog((depth[a] + depth[b]) / 2) / FOG_LEVELS));
      this.line(x[a], y[a], x[b], y[b], colour, light);
    }
  }

  line(x0, y0, x1, y1, colour, light) {
    const {width, height, pixels} = this;
    const steep = Math.abs(y1 - y0) > Math.abs(x1 - x0);
    if (steep) { [x0, y0, x1, y1] = [y0, x0, y1, x1]; }
    if (x0 > x1) { [x0, x1, y0, y1] = [x1, x0, y1, y0]; }
    const slope = x1 - x0 < 1e-6 ? 0 : (y1 - y0) / (x1 - x0);
    const along = steep ? height : width, across = steep ? width : height;
    const first = Math.max(0, Math.ceil(x0)), last = Math.min(along - 1, Math.floor(x1));
    const stepAlong = steep ? width : 1, stepAcross = steep ? 1 : width;
    for (let at = first; at <= last; at++) {
      const exact = y0 + slope * (at - x0), whole = Math.floor(exact);
      if (whole < 0 || whole >= across - 1) continue;
      const place = at * stepAlong + whole * stepAcross, second = (exact - whole) * light;
      pixels[place] = blended(pixels[place], colour, (light - second) | 0);
      pixels[place + stepAcross] = blended(pixels[place + stepAcross], colour, second | 0);
    }
  }

  // FNV-1a over the pixels, so that a test can tell two pictures apart.
  checksum() {
    let sum = 0x811c9dc5;
    for (const pixel of this.pixels) sum = Math.imul(sum ^ pixel, 0x01000193);
    return (sum >>> 0).toString(16);
  }

  // Share of pixels that are not white.
  inked() {
    let count = 0;
    for (const pixel of this.pixels) if (pixel !== 0xffffffff) count++;
    return count / this.pixels.length;
  }
}
