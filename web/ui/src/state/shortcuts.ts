import { Keys, type Command } from '../core/keys';
import { screens } from '../core/screens';
import { withQuery } from '../core/router';
import { acknowledge, copyLink, meant } from './actions';
import { go, page, prefs, setPref } from './app.svelte';
import { ui } from './ui.svelte';

/** Listens for keys until the returned function is called. */
export function listenKeys(): () => void {
  const keys = new Keys();
  const press = (e: KeyboardEvent) => {
    keys.enabled = prefs.keys && !document.querySelector('dialog[open]');
    const command = keys.read(e);
    if (command && run(command)) e.preventDefault();
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}

/** Does what a key means; false when there was nothing to do. */
function run(command: Command): boolean {
  if (command.startsWith('go:')) {
    const to = screens.find((s) => s.screen === command.slice(3));
    if (to) go(to.href);
    return !!to;
  }
  const id = meant();
  switch (command) {
    case 'help':
      ui.help = true;
      return true;
    case 'palette':
      ui.palette = !ui.palette;
      return true;
    case 'filter':
      return focusOn('[data-filter]');
    case 'next':
      return step(1);
    case 'previous':
      return step(-1);
    case 'acknowledge':
      if (id) acknowledge(id);
      return !!id;
    case 'resolve':
    case 'severity':
    case 'cause':
    case 'handover':
    case 'note':
    case 'task':
    case 'update':
      if (page.route.screen !== 'incident' || !page.route.params.id) return false;
      ui.ask = command;
      return true;
    case 'link':
      void copyLink();
      return true;
    case 'utc':
      setPref('utc', !prefs.utc);
      return true;
    case 'marks':
      setPref('marks', !prefs.marks);
      return true;
    case 'wall':
      go(page.wall ? withQuery(page.url, { wall: null }) : '/?wall=1');
      return true;
    default:
      return false;
  }
}

function focusOn(selector: string): boolean {
  const el = document.querySelector<HTMLElement>(selector);
  el?.focus();
  return !!el;
}

/** Moves the focus among what can be gone to on the screen. */
function step(by: number): boolean {
  const all = [...document.querySelectorAll<HTMLElement>('#main [data-nav]')];
  if (all.length === 0) return false;
  const at = all.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by));
  all[next]!.focus();
  return true;
}
