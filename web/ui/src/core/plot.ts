import uPlot from 'uplot';
import type { Chart, Mark } from './types';
import { millis } from './clock';
import { valueText } from './format';

/** A chart's series on one time axis, as uPlot takes them: seconds first, then a column a series. */
export function tableOf(chart: Chart): [number[], ...(number | null | undefined)[][]] {
  const series = (chart.series ?? []).filter((s) => s.times && s.values);
  if (series.length === 0) return [[]];
  const tables = series.map((s) => [s.times!, s.values!] as unknown as uPlot.AlignedData);
  const table = (tables.length === 1 ? tables[0]! : uPlot.join(tables)) as [
    number[],
    ...(number | null | undefined)[][],
  ];
  return trimmed(table);
}

/** Leaves out the time before anything was measured: a young server would show nothing but that. */
function trimmed<T extends [number[], ...(number | null | undefined)[][]]>(table: T): T {
  const [times, ...columns] = table;
  const first = times.findIndex((_, i) => columns.some((c) => c[i] !== null && c[i] !== undefined));
  return first > 0 ? (table.map((c) => c.slice(first)) as T) : table;
}

/** The figures of an axis: as many decimals as tell them apart, the same at each. */
export function axisText(splits: number[], unit?: string): string[] {
  const step = splits.length > 1 ? Math.abs(splits[1]! - splits[0]!) : 1;
  if (unit === 'ratio') {
    const decimals = step >= 0.0099 ? 0 : step >= 0.00099 ? 1 : 2;
    return splits.map((v) => `${(v * 100).toFixed(decimals)}%`);
  }
  if (unit === 's' && Math.max(...splits) < 2) return splits.map((v) => `${Math.round(v * 1000)} ms`);
  return splits.map((v) => valueText(v, unit));
}

/** The custom property that colours a series. */
export function seriesColour(name: string): string {
  return name === 'affected' || name === 'others' ? `--series-${name}` : '--series-all';
}

export interface MarkStyle {
  colour: (name: string) => string;
  font: string;
  /** In device pixels. */
  rem: number;
  labelOf: (kind: string, label: string, id?: string) => string;
}

const shapes: Record<string, string> = { change: '▼', plan: '▶', onset: '', alert: '!' };
const colours: Record<string, string> = {
  change: '--info-text',
  plan: '--text',
  onset: '--critical-text',
  alert: '--warning-text',
};
const ROWS = 3;

/** What is told where there is no room for all: the onset, what was done, what fired, and then the changes. */
const priority = ['onset', 'plan', 'alert', 'change'];

/** Draws a line and a flag a mark, the flags in up to three rows so that they do not lie on each other. */
export function drawMarks(u: uPlot, marks: Mark[], style: MarkStyle): void {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const taken: [number, number][][] = Array.from({ length: ROWS }, () => []);
  const line = style.rem;
  ctx.save();
  ctx.font = style.font.replace(/^(\d+(?:\.\d+)?)px/, (_, n) => `${Math.round(Number(n) * devicePixelRatio)}px`);
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left'; // the axes leave theirs behind
  const flags: { text: string; colour: string; start: number; y: number; w: number }[] = [];
  for (const m of inView(marks, u)) {
    const x = Math.round(u.valToPos(millis(m.at) / 1000, 'x', true));
    const text = `${shapes[m.kind] ?? ''}${style.labelOf(m.kind, m.label, m.change_id)}`;
    const w = ctx.measureText(text).width;
    const start = Math.max(left, Math.min(x - line * 0.4, left + width - w));
    const end = start + w + line * 0.5;
    const row = taken.findIndex((spans) => spans.every(([a, b]) => end <= a || start >= b));
    const colour = style.colour(colours[m.kind] ?? '--dim');
    ctx.strokeStyle = colour;
    ctx.lineWidth = (m.kind === 'onset' ? 2 : 1) * devicePixelRatio;
    ctx.setLineDash(m.kind === 'onset' ? [] : [4 * devicePixelRatio, 3 * devicePixelRatio]);
    const y = row < 0 ? top : top - line * (ROWS - row) + line * 0.5;
    ctx.beginPath();
    ctx.moveTo(x, row < 0 ? top : y + line * 0.45);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    if (row < 0) continue;
    flags.push({ text, colour, start, y, w });
    taken[row]!.push([start, end]);
  }
  // The words over all lines, so that none goes through them.
  for (const f of flags) {
    ctx.fillStyle = style.colour('--panel');
    ctx.fillRect(f.start - line * 0.1, f.y - line * 0.5, f.w + line * 0.2, line);
    ctx.fillStyle = f.colour;
    ctx.fillText(f.text, f.start, f.y);
  }
  ctx.restore();
}

function inView(marks: Mark[], u: uPlot): Mark[] {
  const { min, max } = u.scales.x!;
  const rank = (m: Mark) => (priority.includes(m.kind) ? priority.indexOf(m.kind) : priority.length);
  return marks
    .filter((m) => {
      const s = millis(m.at) / 1000;
      return s >= (min ?? 0) && s <= (max ?? 0);
    })
    .sort((a, b) => rank(a) - rank(b) || millis(a.at) - millis(b.at));
}
