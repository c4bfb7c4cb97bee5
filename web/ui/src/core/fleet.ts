import type { Api } from './api';
import { Emitter } from './emitter';
import { decodeBase64, type FleetFrame } from './frames';
import type { Wall, WallStore } from './types';
import { stateNames, type StateName } from './wall/glyphs';

/** The fleet wall's cells as the live feed keeps them. Listeners are told of each change of layout or of cells. */
export class FleetModel extends Emitter {
  layout = -1;
  stores: WallStore[] = [];
  states: Uint8Array = new Uint8Array(0);
  private loading = false;
  private cellListeners = new Set<(cells: Uint32Array | null) => void>();

  constructor(private readonly api: Api) {
    super();
  }

  /** Fetches layout and cells anew. */
  async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      this.takeWall(await this.api.get<Wall>('/fleet/wall'));
    } finally {
      this.loading = false;
    }
  }

  takeWall(wall: Wall): void {
    const same = wall.layout === this.layout;
    this.layout = wall.layout;
    this.stores = wall.stores ?? [];
    this.states = decodeBase64(wall.cells);
    if (same) this.tellCells(null);
    else this.changed();
  }

  /** Takes a binary frame; one for another layout means that stores or devices came or went. */
  takeFrame(frame: FleetFrame): void {
    if (frame.layout !== this.layout) {
      void this.load().catch(() => {});
      return;
    }
    if (frame.type === 'snapshot') {
      this.states = frame.states.slice();
      this.tellCells(null);
      return;
    }
    for (const cell of frame.cells) {
      const index = cell & 0xffffff;
      if (index < this.states.length) this.states[index] = cell >>> 24;
    }
    this.tellCells(frame.cells);
  }

  /** Calls fn with the changed cells (state<<24 | index), or null when all may have changed. */
  watchCells(fn: (cells: Uint32Array | null) => void): () => void {
    this.cellListeners.add(fn);
    return () => this.cellListeners.delete(fn);
  }

  /** How many cells of each state there are, of one store or of all. */
  counts(store?: WallStore): Record<StateName, number> {
    const out = Object.fromEntries(stateNames.map((s) => [s, 0])) as Record<StateName, number>;
    const from = store?.offset ?? 0;
    const to = store ? from + store.devices.length : this.states.length;
    for (let i = from; i < to; i++) {
      const name = stateNames[this.states[i]!];
      if (name) out[name]++;
    }
    return out;
  }

  /** The store and device of a cell. */
  cell(index: number): { store: WallStore; device: string; state: StateName } | null {
    const store = this.stores.find((s) => index >= s.offset && index < s.offset + s.devices.length);
    if (!store) return null;
    return {
      store,
      device: store.devices[index - store.offset]!,
      state: stateNames[this.states[index]!] ?? 'never_seen',
    };
  }

  private tellCells(cells: Uint32Array | null): void {
    for (const fn of this.cellListeners) fn(cells);
  }
}
