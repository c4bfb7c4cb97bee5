import { describe, expect, it } from 'vitest';
import { incidentSeconds, legs, ServerClock } from '../src/core/clock';
import { incident, onset } from './fixtures';

describe('the legs of 1-5-10', () => {
  it('count a running leg on from onset, whatever elapsed_s said', () => {
    const [detect, locate, recover] = legs(incident(), onset + 214_000);
    expect(detect).toMatchObject({ elapsedS: 38, running: false, state: 'met' });
    expect(locate).toMatchObject({ elapsedS: 214, running: true, state: 'running', leftS: 86 });
    expect(recover!.share).toBeCloseTo(214 / 600);
  });

  it('say when a running leg is over its target', () => {
    expect(legs(incident(), onset + 301_000)[1]).toMatchObject({ state: 'over', leftS: -1, share: 1 });
  });

  it('keep a leg that was missed as the server has it', () => {
    const i = incident();
    i.clock.locate = { target_s: 300, elapsed_s: 372, running: false, met: false, stopped_by: 'CHG-1' };
    expect(legs(i, onset + 9e6)[1]).toMatchObject({ state: 'missed', elapsedS: 372, stoppedBy: 'CHG-1' });
  });

  it('never show a negative time when clocks disagree', () => {
    expect(legs(incident(), onset - 5000)[1]!.elapsedS).toBe(0);
  });
});

describe("the incident's clock", () => {
  it('runs until recovery', () => {
    expect(incidentSeconds(incident(), onset + 95_000)).toBe(95);
    expect(incidentSeconds(incident({ recovered_at: '2026-11-20T06:09:00.000Z' }), onset + 9e6)).toBe(540);
  });
});

describe("the server's clock", () => {
  it('takes the latest stamp as the nearest to the truth', () => {
    let local = 1_000_000;
    const clock = new ServerClock(() => local);
    clock.sample(local + 5000 - 400); // 400 ms under way
    expect(clock.now()).toBe(local + 4600);
    local += 1000;
    clock.sample(local + 5000 - 20);
    expect(clock.now()).toBe(local + 4980);
    local += 1000;
    clock.sample(local + 5000 - 3000); // an old snapshot changes nothing
    expect(clock.now()).toBe(local + 4980);
  });

  it('follows a clock that was set back, in time', () => {
    let local = 0;
    const clock = new ServerClock(() => local);
    clock.sample(5000);
    local = 3_600_000;
    clock.sample(local);
    expect(clock.now()).toBe(local);
  });

  it('is the local clock before anything was heard', () => {
    const clock = new ServerClock(() => 42);
    clock.sample(NaN);
    expect(clock.now()).toBe(42);
  });
});
