// What devices tell beyond that they are alive: in words, and as a line.
import { numberText } from './format';
import type { Device, Reading } from './types';

/** A reading as people say it: 3%, 71.5 °C, 14. */
export function readingText(name: string, value: number): string {
  switch (name) {
    case 'battery':
    case 'paper':
      return `${numberText(value * 100)}%`;
    case 'temperature':
      return `${numberText(value)} °C`;
    default:
      return numberText(value);
  }
}

/** A device's readings; a battery without a history is one, too. */
export function readingsOf(d: Device): Reading[] {
  const all = d.readings ?? [];
  if (d.battery === null || d.battery === undefined || all.some((r) => r.name === 'battery')) return all;
  return [{ name: 'battery', value: d.battery, at: d.seen_at, beyond: false }, ...all];
}

export interface Line {
  /** For an SVG polyline. */
  points: string;
  /** Heights of the limits that lie within what is drawn. */
  limits: number[];
  first: number;
  last: number;
  ms: number;
}

/** The least span that is drawn, so that a sway of nothing does not look like a storm. */
const spans: Record<string, number> = { battery: 0.1, paper: 0.1, temperature: 5, queue: 5 };

/** The history and the last value as a line; null when there is none to draw. */
export function sparkline(r: Reading, width: number, height: number): Line | null {
  const all = (r.history ?? []).map((p) => ({ at: Date.parse(p.at ?? ''), value: p.value }));
  const now = Date.parse(r.at ?? '');
  if (all.length > 0 && now > all[all.length - 1]!.at) all.push({ at: now, value: r.value });
  const from = all[0]?.at ?? NaN;
  const ms = (all[all.length - 1]?.at ?? NaN) - from;
  if (all.length < 2 || !(ms > 0)) return null;
  let low = Math.min(...all.map((p) => p.value));
  let high = Math.max(...all.map((p) => p.value));
  const room = Math.max(0, (spans[r.name] ?? 1) - (high - low)) / 2;
  low -= room;
  high += room;
  const y = (v: number) => round(height - 1 - ((v - low) / (high - low)) * (height - 2));
  return {
    points: all.map((p) => `${round(((p.at - from) / ms) * width)},${y(p.value)}`).join(' '),
    limits: [r.low, r.high].filter((v) => v !== undefined && v >= low && v <= high).map((v) => y(v!)),
    first: all[0]!.value,
    last: r.value,
    ms,
  };
}

const round = (v: number) => Math.round(v * 10) / 10;
