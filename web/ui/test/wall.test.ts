import { describe, expect, it } from 'vitest';
import { cellAt, layoutWall, type WallLayout } from '../src/core/wall/layout';
import { makeGlyphs, pixel, rgb, stateNames, type WallPalette } from '../src/core/wall/glyphs';
import { WallRenderer, type Surface } from '../src/core/wall/renderer';
import type { WallStore } from '../src/core/types';

const palette: WallPalette = {
  background: '#000000',
  ok: '#39424c',
  info: '#227de8',
  warning: '#a78110',
  critical: '#ff6b8c',
  offline: '#63696f',
  mark: '#d4dade',
  faint: '#262e36',
};

function stores(cities: number[], devices = 50): WallStore[] {
  let offset = 0;
  return cities.flatMap((n, c) =>
    Array.from({ length: n }, (_, i) => {
      const s = {
        id: `C${c}-${i}`,
        city: `city ${c}`,
        offset,
        devices: Array.from({ length: devices }, (_, d) => `d${d}`),
      };
      offset += devices;
      return s;
    }),
  );
}

/** No two cells may share a pixel, and none may lie outside. */
function check(l: WallLayout, cells: number): void {
  const taken = new Set<number>();
  for (let i = 0; i < cells; i++) {
    const [x, y] = [l.cellX[i]!, l.cellY[i]!];
    expect(x).toBeGreaterThanOrEqual(0);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(x + l.glyph).toBeLessThanOrEqual(l.width);
    expect(y + l.glyph).toBeLessThanOrEqual(l.height);
    taken.add(y * l.width + x);
  }
  expect(taken.size).toBe(cells);
}

describe('the layout of the wall', () => {
  it('gives each of ten stores a named block', () => {
    const l = layoutWall(stores([2, 2, 2, 2, 2]), 640, 420);
    check(l, 500);
    expect(l.storeLabel).toBeGreaterThan(0);
    expect(l.pitch).toBeGreaterThanOrEqual(10);
    expect(l.blocks).toHaveLength(10);
  });

  it('fits 25,000 cells on a screen', { timeout: 60_000 }, () => {
    const l = layoutWall(stores([90, 60, 55, 50, 40, 35, 35, 30, 30, 25, 25, 25]), 1100, 560);
    check(l, 25_000);
    expect(l.pitch).toBeGreaterThanOrEqual(3);
  });

  it('keeps a store in its place whatever its state', () => {
    const a = layoutWall(stores([3, 1]), 500, 300);
    const b = layoutWall(stores([3, 1]), 500, 300);
    expect([...a.cellX]).toEqual([...b.cellX]);
  });

  it('grows downwards when even the smallest cells do not fit', { timeout: 60_000 }, () => {
    const l = layoutWall(stores([400]), 60, 40);
    check(l, 20_000);
    expect(l.height).toBeGreaterThan(40);
  });

  it('has no blocks without stores', () => {
    expect(layoutWall([], 300, 200).blocks).toEqual([]);
  });

  it('finds the cell under a point', () => {
    const l = layoutWall(stores([2, 1], 23), 600, 300);
    for (const cell of [0, 11, 22, 23, 45, 68]) expect(cellAt(l, l.cellX[cell]! + 1, l.cellY[cell]! + 1)).toBe(cell);
    expect(cellAt(l, l.cellX[22]! + l.pitch * 3, l.cellY[22]!)).toBe(-1); // the third row is not full
    expect(cellAt(l, 0, 0)).toBe(-1);
  });
});

describe('glyphs', () => {
  it('differ from each other by more than colour', () => {
    const grey = (p: number) => (p & 255) * 0.3 + ((p >> 8) & 255) * 0.6 + ((p >> 16) & 255) * 0.1;
    const glyphs = makeGlyphs(12, palette).map((g) => [...g].map((p) => Math.round(grey(p))).join());
    expect(new Set(glyphs).size).toBe(stateNames.length);
  });

  it('read short and long colours alike', () => {
    expect(rgb('#fff')).toEqual(rgb('#ffffff'));
    expect(pixel([1, 2, 3])).toBe(0xff030201);
  });
});

describe('the renderer', () => {
  const l = layoutWall(stores([2]), 400, 300);
  const glyphs = makeGlyphs(l.glyph, palette);

  function surface(): Surface & { puts: number[][] } {
    const puts: number[][] = [];
    return {
      width: l.width,
      height: l.height,
      pixels: new Uint32Array(l.width * l.height),
      puts,
      put: (...r) => puts.push(r),
    };
  }

  it('puts everything back once at first', () => {
    const s = surface();
    const r = new WallRenderer(l, glyphs, s);
    r.all(new Uint8Array(100).fill(1));
    expect(r.flush()).toBe(l.width * l.height);
    expect(s.puts).toEqual([[0, 0, l.width, l.height]]);
  });

  it('puts back only the rectangles that changed, one a store', () => {
    const s = surface();
    const r = new WallRenderer(l, glyphs, s);
    r.all(new Uint8Array(100).fill(1));
    r.flush();
    s.puts.length = 0;
    r.set(0, 4);
    r.set(11, 4); // a column and a row on, in the same store
    r.set(60, 2); // in the other
    r.flush();
    expect(s.puts).toEqual([
      [l.cellX[0], l.cellY[0], l.pitch + l.glyph, l.pitch + l.glyph],
      [l.cellX[60], l.cellY[60], l.glyph, l.glyph],
    ]);
    expect(r.flush()).toBe(0);
  });

  it('draws nothing for a state that is already shown, or out of range', () => {
    const s = surface();
    const r = new WallRenderer(l, glyphs, s);
    r.all(new Uint8Array(100).fill(1));
    r.flush();
    r.set(5, 1);
    r.set(5000, 4);
    r.set(6, 99);
    expect(r.flush()).toBe(0);
  });

  it('stamps the glyph of the state', () => {
    const s = surface();
    new WallRenderer(l, glyphs, s).set(0, 4);
    const at = (l.cellY[0]! + 3) * l.width + l.cellX[0]! + 3;
    expect(s.pixels[at]).toBe(glyphs[4]![3 * l.glyph + 3]);
  });
});
