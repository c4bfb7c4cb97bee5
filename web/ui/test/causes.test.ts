import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { manyUnwell } from '../src/core/attention';
import { chipsOf, cityByStore, liftText, othersShare, type FleetCause, type FleetCauses } from '../src/core/causes';
import { loadScreens } from '../src/core/i18n';
import type { CityState } from '../src/core/types';
import CauseLines from '../src/parts/fleet/CauseLines.svelte';
import Causes from '../src/parts/fleet/Causes.svelte';
import { prefs, store } from '../src/state/app.svelte';

beforeAll(async () => {
  await loadScreens('en', 'fleet');
  await loadScreens('zh');
});
beforeEach(() => {
  prefs.lang = 'en';
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

const cause = (change: Partial<FleetCause> = {}): FleetCause => ({
  scope: { firmware: ['4.2.1'], kind: ['scanner'] },
  since: '2026-11-20T06:00:00.000Z',
  affected: 212,
  total: 253,
  lift: 12.4,
  text: '',
  stores: 30,
  worst: Array.from({ length: 20 }, (_, i) => `SH-${i + 1}`),
  ...change,
});
const answer = (causes: FleetCause[], unexplained = 0) =>
  vi.spyOn(store.api, 'get').mockResolvedValue({ causes, unexplained } satisfies FleetCauses);

describe('what devices share', () => {
  it('is a scope with places before things, and what is not known last', () => {
    const scope = { firmware: ['1'], era: ['late'], city: ['上海', '北京'], kind: ['pos'] };
    expect(chipsOf(cause({ scope })).map((c) => `${c.key}=${c.value}`)).toEqual([
      'city=上海',
      'city=北京',
      'kind=pos',
      'firmware=1',
      'era=late',
    ]);
  });

  it('is compared with the others, unless there are none', () => {
    expect(othersShare(cause())).toBeCloseTo(0.0676, 3);
    expect(othersShare(cause({ scope: {} }))).toBeNull();
    expect(othersShare(cause({ lift: 0 }))).toBeNull();
    expect([liftText(722.8), liftText(12.4), liftText(3.04), liftText(3.45)]).toEqual(['>100', '12', '3', '3.5']);
  });

  it('is asked for only where some are not well', () => {
    const city = (states: Record<string, number>) => ({ city: 'x', states, stores: null }) as unknown as CityState;
    expect(manyUnwell([city({ offline: 1 }), city({ degraded: 2 })])).toBe(true);
    expect(manyUnwell([city({ offline: 2, closed: 90 })])).toBe(false);
    expect(cityByStore([city({})])).toEqual(new Map());
  });
});

describe('the panel', () => {
  it('says scope, numbers, the worst stores and what is left over', async () => {
    answer([cause({ gateways: ['SH-1/gw'] })], 7);
    render(Causes);
    expect(
      await screen.findByText(
        '212 of 253 devices with kind scanner, firmware 4.2.1 are offline or not well, 12 times the share of the others.',
      ),
    ).toBeTruthy();
    expect(screen.getByText('212 of 253')).toBeTruthy();
    expect(screen.getByText(/Silent gateways: SH-1\/gw/)).toBeTruthy();
    expect(screen.getByText('7 more devices are not well and share none of it.')).toBeTruthy();
    expect(screen.getAllByRole('link')).toHaveLength(8);
    screen.getByRole('button', { name: 'and 22 more' }).click();
    expect(await screen.findByText('SH-20')).toBeTruthy();
    expect(screen.getByText('and 10 more')).toBeTruthy();
  });

  it('makes the Chinese sentence from scope and numbers', async () => {
    prefs.lang = 'zh';
    answer([cause({ text: '212 of 253 devices …' })]);
    render(Causes);
    expect(
      await screen.findByText('类型 扫码枪、固件 4.2.1 的 253 台设备中 212 台离线或异常，比例是其余设备的 12 倍。'),
    ).toBeTruthy();
    expect(document.body.textContent).not.toMatch(/devices/);
  });

  it('links a change and a store to their pages, and says when it is everything', async () => {
    answer([cause({ scope: { change: ['CHG-7'], store: ['SH-9'] } }), cause({ scope: {}, worst: [] })]);
    render(Causes);
    expect((await screen.findByRole('link', { name: 'CHG-7' })).getAttribute('href')).toBe('/changes/CHG-7');
    expect(screen.getByRole('link', { name: 'SH-9' }).getAttribute('href')).toBe('/fleet/%E2%80%93/SH-9');
    expect(screen.getByText('the whole fleet')).toBeTruthy();
    expect(screen.getByText('212 of 253 devices are offline or not well.')).toBeTruthy();
  });

  it('is calm when nothing is shared', async () => {
    answer([], 1);
    render(Causes);
    expect(await screen.findByText('Nothing shared: no group of devices stands out.')).toBeTruthy();
    expect(screen.getByText('1 more device is not well and shares none of it.')).toBeTruthy();
  });

  it('is two lines in the situation, the largest first, and nothing without a cause', async () => {
    const one = (city: string, affected: number) => cause({ scope: { city: [city] }, affected });
    answer([one('a', 20), one('b', 200), one('c', 100)]);
    const { unmount } = render(CauseLines, { cities: [] });
    expect(await screen.findByText('b')).toBeTruthy();
    expect(screen.getAllByRole('listitem').map((l) => /city\s+(\w)/.exec(l.textContent ?? '')?.[1])).toEqual([
      'b',
      'c',
    ]);
    expect(screen.getByText(/\+1 more/)).toBeTruthy();
    unmount();
    const asked = answer([]);
    render(CauseLines, { cities: [] });
    await vi.waitFor(() => expect(asked).toHaveBeenCalled());
    expect(screen.queryByRole('region')).toBeNull();
  });
});
