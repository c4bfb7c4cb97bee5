import { describe, expect, it } from 'vitest';
import { ageText, clockText, Clockface, lengthText, percentText, scopeParts, valueText } from '../src/core/format';
import { iconFor, urgent, worstFirst } from '../src/core/attention';
import { axisText } from '../src/core/plot';
import { orderedSuspects } from '../src/core/suspects';
import { loadPrefs } from '../src/core/prefs';
import { hrefOf } from '../src/core/links';
import { incident, suspect } from './fixtures';

describe('figures for people', () => {
  it('are clocks, lengths and ages', () => {
    expect([clockText(214), clockText(3727), clockText(-3)]).toEqual(['03:34', '1:02:07', '00:00']);
    expect([lengthText(38), lengthText(134), lengthText(120), lengthText(11100), lengthText(187200)]).toEqual([
      '38s',
      '2m14s',
      '2m',
      '3h05m',
      '2d4h',
    ]);
    expect([ageText(440), ageText(12_300), ageText(91_000)]).toEqual(['0.4 s', '12 s', '01:31']);
  });

  it('are values in their unit', () => {
    expect([
      valueText(0.971, 'ratio'),
      valueText(0.31, 's'),
      valueText(null, 's'),
      percentText(0.004),
      percentText(0.812),
    ]).toEqual(['97.10%', '310 ms', '–', '<1%', '81%']);
  });

  it('are times of day in a zone with its IANA name', () => {
    const t = '2026-11-20T23:30:05.000Z';
    expect(new Clockface(true).full(t)).toBe('2026-11-20 23:30:05');
    expect(new Clockface(false, 'Asia/Shanghai').full(t)).toBe('2026-11-21 07:30:05');
    expect(new Clockface(false, 'Asia/Shanghai').zone).toBe('Asia/Shanghai');
    expect(new Clockface(true).clock(null)).toBe('–');
    expect(new Clockface(true).near(t, Date.parse('2026-11-22T00:00:00Z'))).toBe('11-20 23:30');
  });

  it('shorten long scopes', () => {
    expect(scopeParts({ service: ['cart'], store: ['a', 'b', 'c', 'd', 'e'] })).toEqual([
      'service=cart',
      'store=a,b,c… (5)',
    ]);
    expect(scopeParts({})).toEqual([]);
  });
});

describe('attention', () => {
  const p2 = incident({ id: 'INC-2', severity: 'P2', state: 'acknowledged' });
  const over = incident({ id: 'INC-3', recovered_at: '2026-11-20T06:05:00.000Z' });
  const drill = incident({ id: 'INC-4', drill: 'DRL-1' });

  it('goes to the worst first, to what is over last', () => {
    expect(worstFirst([over, p2, drill, incident()]).map((i) => i.id)).toEqual(['INC-42', 'INC-4', 'INC-2', 'INC-3']);
  });

  it('blinks only for a P1 that nobody has acknowledged', () => {
    expect([incident(), incident({ state: 'acknowledged' }), p2, over].map(urgent)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it('shows in the tab', () => {
    expect([
      iconFor([], false),
      iconFor([p2], false),
      iconFor([incident(), p2], false),
      iconFor([p2], true),
      iconFor([over], false),
    ]).toEqual(['ok', 'w1', 'c1', 'lost', 'ok']);
  });
});

describe('the figures of an axis', () => {
  it('have as many decimals as tell them apart, each the same', () => {
    expect(axisText([0.2, 0.6, 1], 'ratio')).toEqual(['20%', '60%', '100%']);
    expect(axisText([0.985, 0.99, 0.995], 'ratio')).toEqual(['98.5%', '99.0%', '99.5%']);
    expect(axisText([0, 0.5, 1], 's')).toEqual(['0 ms', '500 ms', '1000 ms']);
  });
});

describe('suspects', () => {
  it('have "no change" among them in its place', () => {
    const ids = orderedSuspects(incident({ no_change: 0.3 })).map((l) => l.suspect?.change_id ?? 'none');
    expect(ids).toEqual(['CHG-7731', 'none', 'CHG-2']);
  });

  it('put what was confirmed first and what was rejected last', () => {
    const suspects = [
      suspect({ verdict: 'rejected' }),
      suspect({ change_id: 'CHG-2', probability: 0.1, verdict: 'confirmed' }),
    ];
    expect(orderedSuspects(incident({ suspects })).map((l) => l.suspect?.change_id ?? 'none')).toEqual([
      'CHG-2',
      'none',
      'CHG-7731',
    ]);
  });
});

describe('odds and ends', () => {
  it('settings survive rubbish in the browser, and a link may set the language', () => {
    const rubbish = { getItem: () => '{"theme":"pink","utc":true', setItem: () => {} };
    expect(loadPrefs(rubbish, ['zh-CN'], null)).toMatchObject({ lang: 'zh', theme: 'dark', utc: false });
    expect(loadPrefs({ getItem: () => '{"lang":"en","utc":true}', setItem: () => {} }, ['en'], 'zh')).toMatchObject({
      lang: 'zh',
      utc: true,
    });
  });

  it('ids lead to their screens', () => {
    expect([hrefOf('INC-1'), hrefOf('CHG-2'), hrefOf('SH-001'), hrefOf('')]).toEqual([
      '/i/INC-1',
      '/changes/CHG-2',
      null,
      null,
    ]);
  });
});
