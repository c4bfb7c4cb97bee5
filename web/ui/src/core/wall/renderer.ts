import type { WallLayout } from './layout';

/** Pixels and the way to show a part of them: ImageData and putImageData in the browser, an array in a test. */
export interface Surface {
  width: number;
  height: number;
  pixels: Uint32Array;
  put(x: number, y: number, w: number, h: number): void;
}

/** Above this share of changed cells one whole put is cheaper than many small ones. */
const WHOLE = 0.25;

/**
 * Stamps a glyph per changed cell and puts back only the rectangles that changed, one a store's block. Nothing is drawn
 * until flush, so that many updates within a frame cost one drawing.
 */
export class WallRenderer {
  private readonly shown: Uint8Array;
  private readonly dirty: Int32Array; // per block: left, top, right, bottom; left < 0 when clean
  private dirtyBlocks: number[] = [];
  private changed = 0;

  constructor(
    readonly layout: WallLayout,
    private readonly glyphs: Uint32Array[],
    private readonly surface: Surface,
  ) {
    this.shown = new Uint8Array(layout.cellX.length).fill(255);
    this.dirty = new Int32Array(layout.blocks.length * 4).fill(-1);
  }

  /** Takes all states at once. */
  all(states: Uint8Array): void {
    const n = Math.min(states.length, this.shown.length);
    for (let i = 0; i < n; i++) this.set(i, states[i]!);
  }

  /** Takes one cell's state; a cell that already shows it costs nothing. */
  set(cell: number, state: number): void {
    if (cell >= this.shown.length || this.shown[cell] === state) return;
    const x = this.layout.cellX[cell]!;
    const y = this.layout.cellY[cell]!;
    const glyph = this.glyphs[state];
    if (x < 0 || !glyph) return;
    this.shown[cell] = state;
    this.stamp(glyph, x, y);
    this.mark(this.layout.blockOf[cell]!, x, y);
    this.changed++;
  }

  /** Puts what changed on the surface and returns how many pixels that were. */
  flush(): number {
    const { width, height } = this.surface;
    let put = 0;
    if (this.changed > this.shown.length * WHOLE) {
      this.surface.put(0, 0, width, height);
      put = width * height;
    } else {
      for (const b of this.dirtyBlocks) {
        const x = this.dirty[b * 4]!;
        const y = this.dirty[b * 4 + 1]!;
        const w = this.dirty[b * 4 + 2]! - x;
        const h = this.dirty[b * 4 + 3]! - y;
        this.surface.put(x, y, w, h);
        put += w * h;
      }
    }
    for (const b of this.dirtyBlocks) this.dirty[b * 4] = -1;
    this.dirtyBlocks = [];
    this.changed = 0;
    return put;
  }

  private stamp(glyph: Uint32Array, x: number, y: number): void {
    const size = this.layout.glyph;
    const { pixels, width } = this.surface;
    for (let row = 0, from = 0; row < size; row++) {
      const to = (y + row) * width + x;
      for (let col = 0; col < size; col++) pixels[to + col] = glyph[from++]!;
    }
  }

  private mark(block: number, x: number, y: number): void {
    const d = this.dirty;
    const at = block * 4;
    const size = this.layout.glyph;
    if (d[at]! < 0) {
      this.dirtyBlocks.push(block);
      d[at] = x;
      d[at + 1] = y;
      d[at + 2] = x + size;
      d[at + 3] = y + size;
      return;
    }
    d[at] = Math.min(d[at]!, x);
    d[at + 1] = Math.min(d[at + 1]!, y);
    d[at + 2] = Math.max(d[at + 2]!, x + size);
    d[at + 3] = Math.max(d[at + 3]!, y + size);
  }
}
