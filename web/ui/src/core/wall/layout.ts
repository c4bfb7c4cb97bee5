import type { WallStore } from '../types';

/** A store's block of cells on the wall, in device pixels. */
export interface Block {
  store: WallStore;
  x: number;
  y: number;
  cols: number;
  rows: number;
}
export interface CityBox {
  city: string;
  x: number;
  y: number;
  w: number;
  h: number;
  blocks: Block[];
}
export interface WallLayout {
  width: number;
  height: number;
  /** From one cell to the next, and the size of the glyph in it. */
  pitch: number;
  glyph: number;
  cityLabel: number;
  /** Height kept above each block for the store's name; 0 when there is no room. */
  storeLabel: number;
  cities: CityBox[];
  blocks: Block[];
  /** Left and top of each cell, by its index; -1 for a cell that no store has. */
  cellX: Int32Array;
  cellY: Int32Array;
  blockOf: Int32Array;
}

const COLS = 10;

interface Group {
  city: string;
  stores: WallStore[];
}

function byCity(stores: WallStore[]): Group[] {
  const groups = new Map<string, WallStore[]>();
  for (const s of stores) {
    const city = s.city ?? '';
    const list = groups.get(city);
    if (list) list.push(s);
    else groups.set(city, [s]);
  }
  // The largest city first, else in the catalog's order; it never depends on what is wrong, so that places stay where people know them.
  return [...groups].map(([city, list]) => ({ city, stores: list })).sort((a, b) => b.stores.length - a.stores.length);
}

interface Measures {
  pitch: number;
  gap: number;
  cityGap: number;
  cityLabel: number;
  storeLabel: number;
}

function measures(pitch: number, scale: number, named: boolean): Measures {
  const storeLabel = named && pitch * COLS >= 72 * scale ? Math.round(15 * scale) : 0;
  return {
    pitch,
    gap: Math.max(2, Math.round(pitch * 0.5)),
    cityGap: Math.max(4, Math.round(pitch * 1.1)),
    cityLabel: Math.round(18 * scale),
    storeLabel,
  };
}

const colsOf = (s: WallStore) => Math.max(1, Math.min(COLS, s.devices.length));
const rowsOf = (s: WallStore) => Math.max(1, Math.ceil(s.devices.length / COLS));

/** Lays a city's blocks out in lines of `per` blocks, from 0,0. */
function cityBox(group: Group, per: number, m: Measures): CityBox {
  const box: CityBox = { city: group.city, x: 0, y: 0, w: 0, h: m.cityLabel, blocks: [] };
  for (let i = 0; i < group.stores.length; i += per) {
    const line = group.stores.slice(i, i + per);
    let x = 0;
    let tallest = 0;
    for (const store of line) {
      const cols = colsOf(store);
      const rows = rowsOf(store);
      box.blocks.push({ store, x, y: box.h + m.storeLabel, cols, rows });
      x += cols * m.pitch + m.gap;
      tallest = Math.max(tallest, rows);
    }
    box.w = Math.max(box.w, x - m.gap);
    box.h += m.storeLabel + tallest * m.pitch + m.gap;
  }
  box.h -= m.gap;
  return box;
}

/** Puts the cities on shelves; null when they do not fit. */
function shelves(boxes: CityBox[], width: number, height: number, gap: number): CityBox[] | null {
  let x = 0;
  let y = 0;
  let tallest = 0;
  for (const box of boxes) {
    if (box.w > width) return null;
    if (x > 0 && x + box.w > width) {
      y += tallest + gap;
      x = 0;
      tallest = 0;
    }
    box.x = x;
    box.y = y;
    x += box.w + gap;
    tallest = Math.max(tallest, box.h);
    if (y + box.h > height) return null;
  }
  return boxes;
}

/** Numbers of lines of blocks that a city may have: all small ones, then ever larger steps. */
function lineCounts(largest: number): number[] {
  const out: number[] = [];
  for (let n = 1; n <= largest; n += n < 12 ? 1 : Math.ceil(n / 8)) out.push(n);
  return out;
}

/** The lowest arrangement with these measures in which all cities have as many lines; null when none fits. */
function tryPitch(groups: Group[], width: number, height: number, m: Measures): CityBox[] | null {
  const most = Math.max(1, Math.floor((width + m.gap) / (COLS * m.pitch + m.gap))); // blocks beside each other
  let best: CityBox[] | null = null;
  let bestHeight = Infinity;
  for (const lines of lineCounts(groups[0]?.stores.length ?? 1)) {
    const boxes = groups.map((g) => cityBox(g, Math.min(most, Math.ceil(g.stores.length / lines)), m));
    const placed = shelves(boxes, width, height, m.cityGap);
    const used = placed ? Math.max(0, ...placed.map((b) => b.y + b.h)) : Infinity;
    if (placed && used < bestHeight) [best, bestHeight] = [placed, used];
  }
  return best;
}

/**
 * Places every store of the wall in the given device pixels with the largest cells that fit. Cities keep together,
 * a city's area follows the number of its stores. `scale` is device pixels a CSS pixel.
 */
export function layoutWall(stores: WallStore[], fullWidth: number, fullHeight: number, scale = 1): WallLayout {
  const groups = byCity(stores);
  // Room for the frames around the blocks at the edge.
  const edge = Math.round(4 * scale);
  const [width, height] = [fullWidth - 2 * edge, fullHeight - 2 * edge];
  // Names are worth smaller cells; where they do not fit, cells alone.
  for (const named of [true, false]) {
    for (let pitch = Math.round(30 * scale); pitch >= 2; pitch--) {
      const m = measures(pitch, scale, named);
      if (named && m.storeLabel === 0) break;
      const cities = tryPitch(groups, width, height, m);
      if (cities) return finish(cities, stores, fullWidth, fullHeight, edge, m);
    }
  }
  // It does not fit at all: the smallest cells, and as tall as it takes.
  const m = measures(2, scale, false);
  const cities = tryPitch(groups, Math.max(width, COLS * 2), Infinity, m) ?? [];
  const tall = Math.max(height, ...cities.map((b) => b.y + b.h));
  return finish(cities, stores, fullWidth, tall + 2 * edge, edge, m);
}

function finish(
  cities: CityBox[],
  stores: WallStore[],
  width: number,
  height: number,
  edge: number,
  m: Measures,
): WallLayout {
  const cells = stores.reduce((n, s) => Math.max(n, s.offset + s.devices.length), 0);
  const cellX = new Int32Array(cells).fill(-1);
  const cellY = new Int32Array(cells).fill(-1);
  const blockOf = new Int32Array(cells).fill(-1);
  const blocks: Block[] = [];
  spread(cities, width - 2 * edge, m.cityGap);
  for (const box of cities) {
    box.x += edge;
    box.y += edge;
    for (const b of box.blocks) {
      b.x += box.x;
      b.y += box.y;
      for (let i = 0; i < b.store.devices.length; i++) {
        const cell = b.store.offset + i;
        cellX[cell] = b.x + (i % COLS) * m.pitch;
        cellY[cell] = b.y + Math.floor(i / COLS) * m.pitch;
        blockOf[cell] = blocks.length;
      }
      blocks.push(b);
    }
  }
  const glyph = m.pitch >= 12 ? m.pitch - 2 : m.pitch >= 4 ? m.pitch - 1 : m.pitch;
  const { pitch, cityLabel, storeLabel } = m;
  return { width, height, pitch, glyph, cityLabel, storeLabel, cities, blocks, cellX, cellY, blockOf };
}

/** Shares out what is left of each shelf's width, so that columns stand evenly. */
function spread(cities: CityBox[], width: number, gap: number): void {
  const shelf = new Map<number, CityBox[]>();
  for (const c of cities) shelf.set(c.y, [...(shelf.get(c.y) ?? []), c]);
  const widest = Math.max(0, ...[...shelf.values()].map((row) => row.at(-1)!.x + row.at(-1)!.w));
  const count = Math.max(1, ...[...shelf.values()].map((row) => row.length));
  const extra = count > 1 ? Math.min(gap * 4, Math.floor((width - widest) / (count - 1))) : 0;
  if (extra <= 0) return;
  for (const row of shelf.values()) row.forEach((c, i) => (c.x += i * extra));
}

/** The cell at a point in device pixels, -1 where there is none. */
export function cellAt(l: WallLayout, x: number, y: number): number {
  for (const b of l.blocks) {
    const col = Math.floor((x - b.x) / l.pitch);
    const row = Math.floor((y - b.y) / l.pitch);
    if (col < 0 || row < 0 || col >= b.cols || row >= b.rows) continue;
    const i = row * COLS + col;
    return i < b.store.devices.length ? b.store.offset + i : -1;
  }
  return -1;
}
