import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadScreens } from '../src/core/i18n';
import HoldButton from '../src/parts/plan/HoldButton.svelte';
import IncidentCard from '../src/parts/IncidentCard.svelte';
import Suspects from '../src/parts/Suspects.svelte';
import { prefs, store } from '../src/state/app.svelte';
import { incident } from './fixtures';

beforeAll(async () => {
  await loadScreens('en');
  await loadScreens('zh');
});
beforeEach(() => {
  prefs.lang = 'en';
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

describe('an incident card', () => {
  it('says severity by shape and text, the clock and the impact', () => {
    render(IncidentCard, { incident: incident(), lead: true });
    expect(screen.getByText('INC-42')).toBeTruthy();
    expect(document.querySelector('.sev')?.textContent).toMatch(/■\s*P1/);
    expect(screen.getByText(/2 stores · -41.5 orders\/min · 12 complaints/)).toBeTruthy();
    expect(screen.getAllByRole('listitem').map((l) => l.getAttribute('aria-label'))[0]).toBe(
      'detect: target 1′, in time, 00:38',
    );
  });

  it('blinks and offers to acknowledge only while nobody is on it', async () => {
    const acknowledge = vi.spyOn(store, 'acknowledge').mockResolvedValue(true);
    const { rerender } = render(IncidentCard, { incident: incident(), lead: true });
    expect(document.querySelector('.urgent')).toBeTruthy();
    await fireEvent.click(screen.getByRole('button', { name: /Acknowledge/ }));
    expect(acknowledge).toHaveBeenCalledWith('INC-42', expect.any(Function));
    await rerender({ incident: incident({ state: 'acknowledged' }) });
    expect(document.querySelector('.urgent')).toBeNull();
    expect(screen.queryByRole('button', { name: /Acknowledge/ })).toBeNull();
  });

  it('speaks Chinese without a reload', async () => {
    render(IncidentCard, { incident: incident(), lead: true });
    prefs.lang = 'zh';
    expect(await screen.findByRole('button', { name: /认领/ })).toBeTruthy();
    expect(screen.getByText(/2 家门店/)).toBeTruthy();
  });
});

describe('suspects', () => {
  it('show the probability, the three largest contributions and one line against', () => {
    render(Suspects, { incident: incident(), judge: true });
    const first = document.querySelector('.row')!;
    expect(first.querySelector('.p')?.textContent).toBe('81%');
    const lines = [...first.querySelectorAll('.why li')].map((l) => l.textContent?.replace(/\s+/g, ' ').trim());
    expect(lines).toEqual([
      '+1.9 it reached 2 of the 2 affected stores and 0 of the 8 others',
      '+0.6 it changes checkout, which shows the symptom',
      '+0.4 its stage 1 started 2m04s before the onset',
      '−2.2 against: most changes break nothing; this is a release of medium risk',
    ]);
  });

  it('list "no change", and show all the evidence on demand', async () => {
    render(Suspects, { incident: incident(), judge: true });
    expect(screen.getByText('No change did it')).toBeTruthy();
    await fireEvent.click(screen.getAllByRole('button', { name: 'All the evidence' })[0]!);
    expect(document.querySelector('.row')!.querySelectorAll('.why li')).toHaveLength(5);
  });

  it('take a person’s verdict', async () => {
    const act = vi.spyOn(store, 'act').mockResolvedValue(true);
    render(Suspects, { incident: incident(), judge: true });
    await fireEvent.click(screen.getByRole('button', { name: 'Not this CHG-7731' }));
    await fireEvent.click(screen.getByRole('button', { name: 'This is it CHG-2' }));
    expect(act.mock.calls.map((c) => c[1])).toEqual(['suspects/CHG-7731/reject', 'suspects/CHG-2/confirm']);
  });

  it('strike out what was rejected and offer to confirm it after all', () => {
    const i = incident();
    i.suspects = [{ ...i.suspects![0]!, verdict: 'rejected' }];
    render(Suspects, { incident: i, judge: true });
    expect(document.querySelector('.row.rejected')).toBeTruthy();
    expect(screen.queryByRole('button', { name: /Not this/ })).toBeNull();
  });
});

describe('hold to run', () => {
  it('runs only when it is held for all of 1.5 s, by pointer or by key', async () => {
    vi.useFakeTimers();
    const onheld = vi.fn();
    render(HoldButton, { onheld });
    const button = screen.getByRole('button');
    await fireEvent.pointerDown(button);
    vi.advanceTimersByTime(1400);
    await fireEvent.pointerUp(button);
    vi.advanceTimersByTime(1000);
    await fireEvent.click(button);
    expect(onheld).not.toHaveBeenCalled();
    await fireEvent.keyDown(button, { key: 'Enter' });
    vi.advanceTimersByTime(1500);
    expect(onheld).toHaveBeenCalledTimes(1);
    vi.useRealTimers();
  });
});
