import { store } from './app.svelte';

const IDLE_MS = 3000;

/** What a wall needs beside its layout: a cursor that hides, a screen that stays on, and a new build taken when quiet. */
export function keepWall(): () => void {
  const root = document.documentElement;
  let idle: ReturnType<typeof setTimeout>;
  const moved = () => {
    root.dataset.idle = '0';
    clearTimeout(idle);
    idle = setTimeout(() => (root.dataset.idle = '1'), IDLE_MS);
  };
  moved();
  addEventListener('mousemove', moved);

  let lock: WakeLockSentinel | null = null;
  const stayOn = async () => {
    if (document.visibilityState !== 'visible') return;
    lock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
  };
  void stayOn();
  document.addEventListener('visibilitychange', stayOn);

  const first = store.situation?.version;
  let version = first;
  const leave = store.subscribe(() => {
    const now = store.situation?.version;
    version ??= now;
    if (now && version && now !== version && store.incidents.length === 0) location.reload();
  });

  return () => {
    removeEventListener('mousemove', moved);
    document.removeEventListener('visibilitychange', stayOn);
    clearTimeout(idle);
    leave();
    root.dataset.idle = '0';
    void lock?.release();
  };
}
