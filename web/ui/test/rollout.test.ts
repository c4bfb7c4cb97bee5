import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadScreens } from '../src/core/i18n';
import { isUndone, movesOf, reached, toldStores, undoRequest, undoRun, wayBack } from '../src/core/rollout';
import type { Change, Plan, RolloutCell, RolloutMatrix, Run } from '../src/core/types';
import RolloutActs from '../src/parts/change/RolloutActs.svelte';
import { prefs, store } from '../src/state/app.svelte';

beforeAll(async () => {
  await loadScreens('en', 'rollout');
  await loadScreens('zh');
});
beforeEach(() => {
  prefs.lang = 'en';
  // happy-dom has no dialogs of its own.
  HTMLDialogElement.prototype.showModal ??= () => {};
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

const stage = (started: boolean, undone = false) =>
  ({ scope: {}, started_at: started ? 'x' : null, finished_at: null, rolled_back_at: undone ? 'x' : null }) as never;
const change = (more: Partial<Change> = {}) =>
  ({
    id: 'CHG-7',
    kind: 'release',
    title: 'till 9.2',
    status: 'started',
    service: 'till',
    scope: {},
    rollback: 'undo-it',
    stages: [stage(true), stage(true), stage(false)],
    ...more,
  }) as Change;
const cells = [
  { store: 'A', stage: 1, state: 'done', treated: true },
  { store: 'B', stage: 2, state: 'done', treated: true },
  { store: 'C', stage: 2, state: 'rolled_back', treated: false },
  { store: 'D', stage: 3, state: 'waiting', treated: false },
] as RolloutCell[];
const plan = {
  name: 'undo-it',
  title: 'Undo it',
  scope: {},
  steps: [],
  params: [{ name: 'change', from: 'suspect', required: true }, { name: 'stores', from: 'store' }, { name: 'slowly' }],
} as Plan;

describe('what may be done about a rollout', () => {
  it.each([
    ['planned', { pause: false, resume: false, rollback: false, rings: [] }],
    ['started', { pause: true, resume: false, rollback: true, rings: [1, 2] }],
    ['paused', { pause: false, resume: true, rollback: true, rings: [1, 2] }],
    ['finished', { pause: false, resume: false, rollback: true, rings: [1, 2] }],
    ['rolled_back', { pause: false, resume: false, rollback: false, rings: [] }],
  ])('%s', (status, moves) => {
    expect(movesOf(change({ status }))).toEqual(moves);
  });

  it('leaves out rings that are undone or never began', () => {
    const c = change({ stages: [stage(true), stage(true, true), stage(false)] });
    expect(movesOf(c).rings).toEqual([1]);
    expect([isUndone(c, 1), isUndone(c, 2), isUndone(c, 0)]).toEqual([false, true, false]);
    expect(isUndone(change({ status: 'rolled_back' }), 0)).toBe(true);
  });

  it('takes back the stores that were reached', () => {
    expect(reached(cells, 2).map((c) => c.store)).toEqual(['B']);
    expect(reached(cells, 0).map((c) => c.store)).toEqual(['A', 'B']);
  });

  it('fills the plan with the change and the stores', () => {
    expect(wayBack(change({ rollback: ' undo-it ' }), [plan])).toBe(plan);
    expect(wayBack(change({ rollback: 'by hand' }), [plan])).toBeNull();
    expect(undoRequest(plan, change(), ['B'])).toEqual({
      params: { change: 'CHG-7', stores: 'B' },
      scope: { service: ['till'], store: ['B'] },
    });
    expect([toldStores(plan), toldStores({ ...plan, params: [] })]).toEqual([true, false]);
  });

  it('finds the run that was given the change', () => {
    const run = (id: string, name: string, of: string) =>
      ({ id, plan: name, params: { change: of } }) as unknown as Run;
    const runs = [run('3', 'other', 'CHG-7'), run('2', 'undo-it', 'CHG-8'), run('1', 'undo-it', 'CHG-7')];
    expect(undoRun(runs, change())?.id).toBe('1');
    expect(undoRun(runs, change({ rollback: '' }))).toBeUndefined();
  });
});

function serve(may: boolean, plans: Plan[] = [plan]) {
  vi.spyOn(store.api, 'get').mockImplementation(async (path: string) => {
    if (path.endsWith('/gate'))
      return { may_move: may, why_not_move: may ? '' : 'this takes the role responder' } as never;
    if (path === '/plans') return { items: plans } as never;
    return { items: [] } as never;
  });
  return vi.spyOn(store.api, 'post').mockImplementation(async (path: string) => {
    if (path.endsWith('/dry-run')) return { ok: true, steps: ['POST /undo'], problems: [] } as never;
    if (path.endsWith('/runs')) return { id: 'RUN-3', plan: 'undo-it', state: 'running', steps: [] } as never;
    return {} as never;
  });
}
const props = (c = change()) => ({
  change: c,
  matrix: { change_id: c.id, status: c.status, cells, counts: {} } as RolloutMatrix,
  ondone: () => {},
});

describe('the buttons', () => {
  it('are not there for who may not, and it is said why', async () => {
    serve(false);
    render(RolloutActs, props());
    expect(
      await screen.findByText('You may not pause it or roll it back: this takes the role responder.'),
    ).toBeTruthy();
    expect(screen.queryByRole('button')).toBeNull();
  });

  it('record what a person takes back, with the reason, where no plan is named', async () => {
    const post = serve(true, []);
    render(RolloutActs, props(change({ rollback: 'put the old one back' })));
    await fireEvent.click(await screen.findByRole('button', { name: 'Roll back ring 2…' }));
    expect(screen.getByText(/a person must take it back/)).toBeTruthy();
    expect(screen.getByText(/put the old one back/)).toBeTruthy();
    const record = screen.getByRole('button', { name: 'Record it as rolled back', hidden: true });
    expect((record as HTMLButtonElement).disabled).toBe(true);
    await fireEvent.input(screen.getByLabelText('Why?'), { target: { value: 'errors in B' } });
    await fireEvent.submit(record.closest('form')!);
    await vi.waitFor(() => expect(post).toHaveBeenCalled());
    expect(post.mock.calls[0]!.slice(0, 2)).toEqual([
      '/changes/CHG-7/events',
      { event: 'rollback', stage: 2, note: 'errors in B' },
    ]);
  });

  it('run the plan for the stores of the ring, after a dry run and a pause', async () => {
    const post = serve(true);
    render(RolloutActs, props());
    await vi.waitFor(() => expect(store.api.get).toHaveBeenCalledWith('/plans'));
    await fireEvent.click(await screen.findByRole('button', { name: 'Roll back ring 2…' }));
    expect(await screen.findByText('POST /undo')).toBeTruthy();
    await fireEvent.input(screen.getByLabelText('Why?'), { target: { value: 'errors in B' } });
    vi.useFakeTimers();
    await fireEvent.pointerDown(screen.getByRole('button', { name: /Hold/, hidden: true }));
    await vi.advanceTimersByTimeAsync(1600);
    vi.useRealTimers();
    await vi.waitFor(() => expect(post.mock.calls.map((x) => x[0])).toContain('/plans/undo-it/runs'));
    const [dry, pause, run] = post.mock.calls;
    expect(dry![1]).toEqual({ params: { change: 'CHG-7', stores: 'B' }, scope: { service: ['till'], store: ['B'] } });
    expect(pause![1]).toEqual({ event: 'pause', note: 'being rolled back by the plan undo-it: errors in B' });
    expect(run![1]).toEqual({ ...(dry![1] as object), confirm: 'undo-it' });
    expect(new URL(location.href).searchParams.get('run')).toBe('RUN-3');
  });
});
