import type { Incident, Suspect } from '../src/core/types';

export const onset = Date.parse('2026-11-20T06:00:00.000Z');

export function incident(change: Partial<Incident> = {}): Incident {
  return {
    id: 'INC-42',
    title: 'checkout fails',
    severity: 'P1',
    state: 'open',
    scope: { service: ['checkout'], store: ['SH-001', 'SH-002'] },
    impact: { stores: 2, devices: 0, services: ['checkout'], orders_per_min: -41.5, voice: 12 },
    onset_at: '2026-11-20T06:00:00.000Z',
    detected_at: '2026-11-20T06:00:38.000Z',
    located_at: null,
    recovered_at: null,
    acknowledged_at: null,
    mitigated_at: null,
    resolved_at: null,
    updated_at: '2026-11-20T06:01:00.000Z',
    clock: {
      detect: { target_s: 60, elapsed_s: 38, running: false, met: true, stopped_by: 'alert CheckoutFails' },
      locate: { target_s: 300, elapsed_s: 60, running: true, met: null },
      recover: { target_s: 600, elapsed_s: 60, running: true, met: null },
    },
    suspects: [suspect(), suspect({ change_id: 'CHG-2', rank: 2, probability: 0.12 })],
    no_change: 0.07,
    alerts: [],
    roles: {},
    plans: [],
    drill: null,
    ...change,
  };
}

export function suspect(change: Partial<Suspect> = {}): Suspect {
  return {
    change_id: 'CHG-7731',
    title: 'payment-gateway 2.14.0',
    kind: 'release',
    rank: 1,
    probability: 0.81,
    score: 4.2,
    verdict: 'suspect',
    reasons: [
      {
        term: 'time',
        weight: 0.4,
        text: 'its stage 1 started 2m04s before the onset',
        args: { before_s: 124, stage: 1 },
      },
      {
        term: 'spatial',
        weight: 1.9,
        text: 'it reached 2 of the 2 affected stores and 0 of the 8 others',
        args: { hit: 2, affected: 2, reached: 0, others: 8 },
      },
      {
        term: 'distance',
        weight: 0.6,
        text: 'it changes checkout, which shows the symptom',
        args: { service: 'checkout', symptom: 'checkout', calls: 0 },
      },
      {
        term: 'fit',
        weight: 0.1,
        text: 'a release often shows in a service',
        args: { kind: 'release', symptom: 'a service' },
      },
    ],
    against: [
      {
        term: 'prior',
        weight: -2.2,
        text: 'most changes break nothing; this is a release of medium risk',
        args: { kind: 'release', risk: 'medium', confirmed: 0, judged: 0 },
      },
    ],
    ...change,
  };
}
