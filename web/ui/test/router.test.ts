import { describe, expect, it } from 'vitest';
import { absoluteLink, parseRoute, path, rangeMillis, timeWindow, withQuery } from '../src/core/router';

const at = (p: string) => new URL(p, 'http://goc.test');
const now = Date.parse('2026-11-20T06:00:00.000Z');

describe('routes', () => {
  it.each([
    ['/', 'situation', {}],
    ['/?wall=1', 'situation', {}],
    ['/i', 'incident', {}],
    ['/i/INC-42', 'incident', { id: 'INC-42' }],
    ['/fleet', 'fleet', {}],
    ['/fleet/%E4%B8%8A%E6%B5%B7/SH-001/pos-03', 'fleet', { city: '上海', store: 'SH-001', device: 'pos-03' }],
    ['/changes/CHG-7', 'changes', { id: 'CHG-7' }],
    ['/plans/rollback/runs/RUN-9', 'plans', { name: 'rollback', run: 'RUN-9' }],
    ['/drills/DRL-5', 'drills', { id: 'DRL-5' }],
    ['/review/audit', 'review', { tab: 'audit' }],
    ['/review/', 'review', {}],
    ['/nowhere', 'lost', {}],
    ['/i/INC-1/x', 'lost', {}],
    ['/%E0%A4%A', 'lost', {}],
  ])('%s is %s', (url, screen, params) => {
    expect(parseRoute(at(url))).toMatchObject({ screen, params });
  });

  it('escapes what stands in a path, and reads it back', () => {
    const p = path('fleet', '上海/浦东', 'SH 1');
    expect(parseRoute(at(p)).params).toEqual({ city: '上海/浦东', store: 'SH 1' });
    expect(path('fleet', undefined, 'x')).toBe('/fleet');
  });

  it('changes the query and keeps the rest', () => {
    expect(withQuery(at('/i/INC-1?show=system&range=5m'), { show: null, range: '15m' })).toBe('/i/INC-1?range=15m');
  });
});

describe('links', () => {
  it('turn relative time into absolute', () => {
    expect(absoluteLink(at('/i/INC-1?range=15m'), now)).toBe(
      'http://goc.test/i/INC-1?from=2026-11-20T05%3A45%3A00.000Z&to=2026-11-20T06%3A00%3A00.000Z',
    );
  });

  it('keep absolute time, and leave personal settings out', () => {
    const link = '/i/INC-1?from=2026-11-20T05%3A00%3A00.000Z&to=2026-11-20T05%3A30%3A00.000Z';
    expect(absoluteLink(at(`${link}&lang=zh`), now)).toBe(`http://goc.test${link}`);
  });

  it('read windows', () => {
    expect(timeWindow(at('/?range=2h').searchParams, now)).toEqual({ from: now - 7_200_000, to: now });
    expect(timeWindow(at('/?range=soon').searchParams, now)).toBeNull();
    expect(timeWindow(at('/?from=2026-11-20T06:00:00Z&to=2026-11-20T05:00:00Z').searchParams, now)).toBeNull();
    expect(rangeMillis('90s')).toBe(90_000);
  });
});
