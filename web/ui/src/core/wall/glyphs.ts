// The marks that stand for a device's state: colour and shape, made once for a size and stamped from then on.
export const stateNames = ['never_seen', 'online', 'degraded', 'late', 'offline', 'closed', 'retired'] as const;
export type StateName = (typeof stateNames)[number];

/** The wall's colours as #rrggbb. */
export interface WallPalette {
  background: string;
  ok: string;
  info: string;
  warning: string;
  critical: string;
  offline: string;
  mark: string;
  faint: string;
}

type Rgb = [number, number, number];

/** Reads #rrggbb, or #rgb as minified style sheets write it. */
export function rgb(hex: string): Rgb {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((c) => c + c).join('') : hex.slice(1);
  const n = Number.parseInt(digits, 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

/** A pixel as ImageData holds it on a little-endian machine: alpha, blue, green, red. */
export function pixel([r, g, b]: Rgb): number {
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

type Inside = (x: number, y: number) => boolean; // in units of the glyph, 0 to 1

const full: Inside = () => true;
const dot: Inside = (x, y) => (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.3 ** 2;
const triangle: Inside = (x, y) => y > 0.04 && y < 0.96 && Math.abs(x - 0.5) < (y - 0.04) * 0.54;
const lowerHalf: Inside = (_, y) => y > 0.5;
const dash: Inside = (x, y) => Math.abs(y - 0.5) < 0.13 && x > 0.16 && x < 0.84;
const frame: Inside = (x, y) => Math.min(x, y, 1 - x, 1 - y) < 0.12;

/** What covers what: a ground colour, then shapes over it. */
function parts(state: StateName, p: WallPalette): [Inside, string][] {
  switch (state) {
    case 'online':
      return [[full, p.ok]];
    case 'degraded':
      return [
        [full, p.faint],
        [triangle, p.warning],
      ];
    case 'late':
      return [
        [full, p.ok],
        [lowerHalf, p.info],
      ];
    case 'offline':
      return [
        [full, p.offline],
        [dash, p.mark],
      ];
    case 'closed':
      return [[frame, p.faint]];
    case 'retired':
      return [];
    case 'never_seen':
      return [[dot, p.faint]];
  }
}

const SAMPLES = 4;

function coverage(inside: Inside, px: number, py: number, size: number): number {
  let hits = 0;
  for (let i = 0; i < SAMPLES; i++) {
    for (let j = 0; j < SAMPLES; j++) {
      if (inside((px + (i + 0.5) / SAMPLES) / size, (py + (j + 0.5) / SAMPLES) / size)) hits++;
    }
  }
  return hits / (SAMPLES * SAMPLES);
}

function drawGlyph(state: StateName, size: number, palette: WallPalette): Uint32Array {
  const out = new Uint32Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const colour = rgb(palette.background);
      for (const [inside, hex] of parts(state, palette)) {
        const c = coverage(inside, x, y, size);
        rgb(hex).forEach((v, i) => (colour[i] = colour[i]! * (1 - c) + v * c));
      }
      out[y * size + x] = pixel(colour);
    }
  }
  return out;
}

/** One glyph a state, each size × size pixels. */
export function makeGlyphs(size: number, palette: WallPalette): Uint32Array[] {
  return stateNames.map((s) => drawGlyph(s, size, palette));
}
