import { beforeAll, describe, expect, it } from 'vitest';
import { loadScreens, sentenceText } from '../src/core/i18n';
import { readingsOf, readingText, sparkline } from '../src/core/readings';
import type { Device, Reading } from '../src/core/types';

const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 2, minute)).toISOString();
const paper = (values: number[], more: Partial<Reading> = {}): Reading => ({
  name: 'paper',
  value: values[values.length - 1]!,
  at: at(values.length - 1),
  beyond: false,
  history: values.map((value, i) => ({ at: at(i), value })),
  ...more,
});

describe('a reading', () => {
  it('is said in its unit', () => {
    expect([
      readingText('paper', 0.035),
      readingText('battery', 1),
      readingText('temperature', -18.5),
      readingText('queue', 14),
    ]).toEqual(['3.5%', '100%', '-18.5 °C', '14']);
  });

  it('is drawn over its time, with the limits that lie within', () => {
    const line = sparkline(paper([0.8, 0.5, 0.2], { low: 0.3, high: 0.95 }), 40, 14)!;
    expect(line.points).toBe('0,1 20,7 40,13');
    expect(line.limits).toEqual([11]);
    expect([line.first, line.last, line.ms]).toEqual([0.8, 0.2, 120_000]);
  });

  it('ends at the last value, which is newer than the last point', () => {
    const line = sparkline(paper([0.8, 0.5], { value: 0.2, at: at(2) }), 40, 14)!;
    expect(line.points).toBe('0,1 20,7 40,13');
  });

  it('sways little when it changes little', () => {
    const line = sparkline(paper([0.5, 0.501, 0.5]), 40, 14)!;
    for (const p of line.points.split(' ')) expect(Number(p.split(',')[1])).toBeCloseTo(7, 0);
  });

  it('is not drawn from one point or from none', () => {
    expect(sparkline(paper([0.5]), 40, 14)).toBeNull();
    expect(sparkline(paper([0.5], { history: null }), 40, 14)).toBeNull();
  });
});

describe('the readings of a device', () => {
  const device = { id: 'a/b', store: 'a', device: 'b', state: 'online', since: at(0), seen_at: at(0) } as Device;
  it('have a battery that has no history, once', () => {
    expect(readingsOf(device)).toEqual([]);
    expect(readingsOf({ ...device, battery: 0.5 }).map((r) => r.name)).toEqual(['battery']);
    const kept = { ...paper([0.5]), name: 'battery' };
    expect(readingsOf({ ...device, battery: 0.5, readings: [kept] })).toEqual([kept]);
  });
});

describe('why a device is degraded', () => {
  beforeAll(() => loadScreens('zh'));
  it('is said in Chinese', () => {
    expect(sentenceText('zh', 'paper 3 % is below 5 %')).toBe('余纸 3 % 低于 5 %');
    expect(sentenceText('zh', 'temperature 71.5 °C is above 70 °C')).toBe('温度 71.5 °C 高于 70 °C');
    expect(sentenceText('zh', 'queue 11 is not yet back at 10')).toBe('排队 11 尚未回到 10');
    expect(sentenceText('zh', 'it says so itself: fault')).toBe('设备自报故障');
    expect(sentenceText('zh', '30% of the printer devices in 上海 are beyond their limit of paper')).toBe(
      '上海 的打印机有 30% 余纸越限',
    );
  });
});
